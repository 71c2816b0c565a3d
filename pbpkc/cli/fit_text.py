"""A fit as text for a terminal: estimates, means, and the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pbpkc.infer.result import EstimateRow, FitResult, Profile, SubjectFit


def fit_text(result: FitResult) -> str:
    """The table of estimates, the means over subjects, and what the data do not determine."""
    parameters = [str(p["name"]) for p in result.parameters]
    by_id: dict[str, dict[str, EstimateRow]] = {}
    for row in result.estimates:
        by_id.setdefault(row.id, {})[row.parameter] = row
    head = [
        "id",
        *(f"{p['name']} [{p['unit']}]" for p in result.parameters),
        "n",
        "-2 log post" if result.options.get("estimator") == "map" else "-2 log L",
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
    if len(result.fits) > 1 and result.summary:
        lines.append("")
        firm = Counter(row.parameter for row in result.estimates if row.identifiable == "yes")
        mean = [
            [
                *(s.parameter, s.unit, str(s.n), f"{firm[s.parameter]} of {s.n}", s.kind),
                *(_number(s.mean), _number(s.low), _number(s.high)),
            ]
            for s in result.summary
        ]
        columns = ["parameter", "unit", "subjects", "determined", "mean", "value", "smallest", "largest"]
        lines += table(columns, mean)
    profiles = [
        [fit.id, p.parameter, p.unit, _number(e.estimate), _interval(e.ci_low, e.ci_high), _profile(p)]
        for fit in result.fits
        for p in fit.profiles
        for e in fit.estimates
        if e.parameter == p.parameter
    ]
    if profiles:
        head = ["id", "parameter", "unit", "estimate", "95 % by standard error", "95 % by profile"]
        lines += ["", *table(head, profiles)]
    told = [(fit.id, text) for fit in result.fits for text in _told(fit)]
    if told:
        lines.append("")
        lines += [f"{id}: {text}" for id, text in told]
    timing = result.timing
    count = len(result.fits)
    lines += [
        "",
        f"{count} subject{'s' * (count != 1)} in {timing.wall_seconds:.1f} s"
        + (f", {timing.reused} of them taken over from an earlier run" if timing.reused else ""),
    ]
    return "\n".join(lines) + "\n"


def _told(fit: SubjectFit) -> list[str]:
    found = [f"{fit.reason}; {fit.suggestion}" if fit.suggestion else fit.reason] if fit.reason else []
    found += list(fit.notes)
    if fit.identifiability is not None:
        found += list(fit.identifiability.summary)
    return found


def _estimate(row: EstimateRow | None) -> str:
    if row is None:
        return ""
    mark = "" if row.identifiable == "yes" else "*"
    # An interval over more than ten thousandfold says no more than the mark does; the tables of -o keep it.
    known = row.ci_low == row.ci_low and row.ci_high == row.ci_high
    if not known or (row.identifiable != "yes" and row.ci_high > 1e4 * abs(row.ci_low)):
        return f"{_number(row.estimate)}{mark}"
    return f"{_number(row.estimate)}{mark} ({_number(row.ci_low)}, {_number(row.ci_high)})"


def _interval(low: float, high: float) -> str:
    return f"{_number(low)} to {_number(high)}" if low == low and high == high else "none"


def _profile(profile: Profile) -> str:
    """The interval, or the end that there is."""
    low, high = _number(profile.low), _number(profile.high)
    if low and high:
        return f"{low} to {high}"
    return f"at least {low}" if low else f"at most {high}" if high else "open on both sides"


def _number(value: float) -> str:
    return "" if value != value else f"{value:.4g}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows under their heads, in columns as wide as their widest cell."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(row: Sequence[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()

    return [line(head), "  ".join("-" * w for w in widths), *(line(row) for row in rows)]
