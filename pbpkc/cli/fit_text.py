"""A fit as text for a terminal: estimates, means, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pbpkc.infer.result import EstimateRow, FitResult, SubjectFit
from pbpkc.infer.summary_result import SummaryRow
from pbpkc.report.posterior_tables import posterior_words
from pbpkc.report.quantities import profile_words


def fit_text(result: FitResult) -> str:
    """The table of estimates, the means over subjects, and what the data do not determine."""
    parameters = [str(p["name"]) for p in result.parameters]
    by_id: dict[str, dict[str, EstimateRow]] = {}
    for row in result.estimates:
        by_id.setdefault(row.id, {})[row.parameter] = row
    head = [
        "id",
        *(_head(str(p["name"]), str(p["unit"])) for p in result.parameters),
        "n",
        "-2 log post" if result.with_priors else "-2 log L",
        "RSS",
        "outcome",
    ]
    rows = []
    for fit in result.fits:
        cells = [_estimate(by_id.get(fit.id, {}).get(name)) for name in parameters]
        subject = fit.subject
        rows.append(
            [fit.id, *cells, str(subject.n), _number(subject.objective), _number(subject.rss), fit.outcome]
        )
    lines = table(head, rows)
    if result.estimates:
        lines += ["", "estimate (95 % interval); * the data do not determine it"]
        if any("!" in cell for row in rows for cell in row[1:-1]):
            lines += ["! beyond the bound of the parameter, of which a standard error knows nothing"]
        if result.learned and result.options.get("estimator") != "map":
            lines += [
                "-2 log post: -2 log likelihood of the data and -2 log prior of the coefficients of learned "
                "terms; their intervals hold these priors, the mark * is about the data alone"
            ]
    if len(result.singles) > 1 and result.summary:
        lines += ["", *_means(result)]
    profiles = [
        [
            fit.id,
            p.parameter,
            _unit(p.unit),
            _number(e.estimate),
            _wald(e),
            profile_words(p, _number),
        ]
        for fit in result.fits
        for p in fit.profiles
        for e in fit.estimates
        if e.parameter == p.parameter
    ]
    if profiles:
        head = ["id", "parameter", "unit", "estimate", "95 % by standard error", "95 % by profile"]
        lines += ["", *table(head, profiles)]
    lines += _posterior(result)
    told = [(fit.id, text) for fit in result.fits for text in _told(fit)]
    if told:
        lines.append("")
        lines += [f"{id}: {text}" for id, text in told]
    timing = result.timing
    singles, together = len(result.singles), result.pooled
    done = [f"{singles} subject{'s' * (singles != 1)}"] if singles else []
    done += [f"{together.members} subjects together"] if together is not None else []
    lines += [
        "",
        f"{' and '.join(done)} in {timing.wall_seconds:.1f} s"
        + (f", {timing.reused} of them taken over from an earlier run" if timing.reused else ""),
    ]
    return "\n".join(lines) + "\n"


def _means(result: FitResult) -> list[str]:
    """Means over the subjects whose data determine a parameter, and how much it differs between them."""
    rows = [
        [
            *(s.parameter, _unit(s.unit), f"{s.n} of {s.n + len(s.not_counted)}", s.kind),
            *(_number(s.mean), _number(s.low), _number(s.high)),
            *(_between(s, s.between_sd), _between(s, s.gts_sd), _number(s.gts_mean)),
        ]
        for s in result.summary
    ]
    columns = [
        *("parameter", "unit", "determined", "mean", "value", "smallest", "largest"),
        *("between", "between (GTS)", "mean (GTS)"),
    ]
    lines = [
        *table(columns, rows),
        "",
        "over the subjects whose data determine the parameter; between: standard deviation between subjects "
        "without the errors of the estimates, relative for geometric means; GTS: global two-stage",
    ]
    for s in result.summary:
        if s.not_counted and s.n:
            lines.append(f"{s.parameter} is not counted in {', '.join(s.not_counted)}")
    return lines


def _posterior(result: FitResult) -> list[str]:
    """Posteriors beside the intervals of standard errors."""
    rows = [
        [
            *(fit.id, row.parameter, _unit(row.unit), _number(row.median), _interval(row.low, row.high)),
            *(_wald(e), f"{row.r_hat:.3f}", f"{row.ess:.0f}"),
        ]
        for fit in result.fits
        if fit.posterior is not None
        for row, e in zip(fit.posterior.summary, fit.estimates, strict=False)
    ]
    if not rows:
        return []
    columns = [
        *("id", "parameter", "unit", "posterior median", "95 % of the posterior"),
        *("95 % by standard error", "R-hat", "ESS"),
    ]
    return ["", *table(columns, rows)]


def _between(row: SummaryRow, sd: float) -> str:
    """Relative, as the coefficient of variation of a lognormal quantity, or in the parameter's unit."""
    if sd != sd:
        return ""
    return f"{100.0 * math.sqrt(math.expm1(sd * sd)):.3g} %" if row.kind == "geometric" else _number(sd)


def _told(fit: SubjectFit) -> list[str]:
    found = [f"{fit.reason}; {fit.suggestion}" if fit.suggestion else fit.reason] if fit.reason else []
    found += list(fit.notes)
    if fit.identifiability is not None:
        found += list(fit.identifiability.summary)
    if fit.posterior is not None:
        found += [*posterior_words(fit.posterior), *fit.posterior.notes]
    return found


def _estimate(row: EstimateRow | None) -> str:
    if row is None:
        return ""
    mark = "" if row.identifiable == "yes" else "*"
    # An interval over more than ten thousandfold says no more than the mark does; the tables of -o keep it.
    known = row.ci_low == row.ci_low and row.ci_high == row.ci_high
    if not known or (row.identifiable != "yes" and row.ci_high > 1e4 * abs(row.ci_low)):
        return f"{_number(row.estimate)}{mark}"
    low, high = _ends(row)
    return f"{_number(row.estimate)}{mark} ({low}, {high})"


def _ends(row: EstimateRow) -> tuple[str, str]:
    """Both ends of the interval by standard error; one beyond the bound of the parameter is marked."""
    low, high = row.ci_beyond in ("lower", "both"), row.ci_beyond in ("upper", "both")
    return f"{_number(row.ci_low)}{'!' * low}", f"{_number(row.ci_high)}{'!' * high}"


def _wald(row: EstimateRow) -> str:
    low, high = _ends(row)
    return f"{low} to {high}" if low and high else "none"


def _interval(low: float, high: float) -> str:
    return f"{_number(low)} to {_number(high)}" if low == low and high == high else "none"


def _head(name: str, unit: str) -> str:
    """A parameter over its column; a plain number has nothing behind its name."""
    return name if unit == "1" else f"{name} [{unit}]"


def _unit(unit: str) -> str:
    """A unit in a column of units, where ``1`` would look like a number."""
    return "-" if unit == "1" else unit


def _number(value: float) -> str:
    return "" if value != value else f"{value:.4g}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows under their heads, in columns as wide as their widest cell."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(row: Sequence[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()

    return [line(head), "  ".join("-" * w for w in widths), *(line(row) for row in rows)]
