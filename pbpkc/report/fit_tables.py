"""The tables of a fit: estimates, what is determined, how estimates move together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median

from pbpkc.infer.result import FitResult, SubjectFit
from pbpkc.infer.summary_result import SummaryRow
from pbpkc.language.model import Model
from pbpkc.report.quantities import (
    NOTHING,
    figures,
    interval,
    listed,
    of_whom,
    percent,
    profile_words,
    unit_text,
    wald,
    with_unit,
)


@dataclass(frozen=True)
class Cell:
    """An estimate: value, interval below it, whether it counts, and the interval of its profile."""

    value: str
    interval: str
    determined: bool
    at_bound: str
    profile: str = ""


@dataclass(frozen=True)
class SubjectLine:
    """One subject's estimates; `outcome` as in `SubjectFit`."""

    id: str
    outcome: str
    n: int
    objective: str
    rss: str
    cells: tuple[Cell, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class MeanLine:
    """One parameter over the subjects whose data determine it.

    `spread` is the variation of the estimates, `between` that between subjects by the method of moments;
    `gts` and `gts_between` are mean and variation by the global two-stage method.
    """

    name: str
    doc: str
    unit: str
    kind: str
    mean: str
    mean_interval: str
    spread: str
    between: str
    gts: str
    gts_between: str
    range: str
    determined: str
    not_counted: str
    all_determined: bool


@dataclass(frozen=True)
class DeterminedLine:
    """How well one subject's data determine each parameter: best possible relative errors."""

    id: str
    rank: str
    bounds: tuple[tuple[str, bool], ...]
    words: tuple[str, ...]


@dataclass(frozen=True)
class CombinationLine:
    """A combination of parameters that a subject's data determine."""

    id: str
    text: str
    value: str
    interval: str
    error: str


@dataclass(frozen=True)
class Correlation:
    """Correlations of estimates; `cells` hold number, range over the subjects, and size from 0 to 1."""

    title: str
    names: tuple[str, ...]
    cells: tuple[tuple[tuple[str, str, float], ...], ...]


@dataclass(frozen=True)
class FitTables:
    """All tables of a fit; `heads` are the parameters with their units."""

    heads: tuple[tuple[str, str], ...]
    subjects: tuple[SubjectLine, ...]
    means: tuple[MeanLine, ...]
    determined: tuple[DeterminedLine, ...]
    combinations: tuple[CombinationLine, ...]
    correlations: tuple[Correlation, ...]
    between: Correlation | None = None


def fit_tables(result: FitResult, model: Model) -> FitTables:
    """The tables of a fit.

    Parameters
    ----------
    result : FitResult
    model : Model
        Tells what the parameters mean.
    """
    parameters = [(str(p["name"]), str(p["unit"])) for p in result.parameters]
    return FitTables(
        heads=tuple((name, unit_text(unit)) for name, unit in parameters),
        subjects=tuple(_subject(fit) for fit in result.fits),
        means=tuple(_means(result, model)),
        determined=tuple(_determined(fit) for fit in result.fits if fit.identifiability is not None),
        combinations=tuple(
            CombinationLine(
                fit.id,
                c.text,
                with_unit(figures(c.estimate), c.unit),
                interval(c.ci_low, c.ci_high),
                percent(c.relative_error),
            )
            for fit in result.fits
            if fit.identifiability is not None
            for c in fit.identifiability.combinations
        ),
        correlations=_correlations(result, [name for name, _ in parameters]),
        between=_between(result),
    )


def _subject(fit: SubjectFit) -> SubjectLine:
    profiles = {profile.parameter: profile_words(profile) for profile in fit.profiles}
    return SubjectLine(
        id=fit.id,
        outcome=fit.outcome,
        n=fit.subject.n,
        objective=figures(fit.subject.objective, 5),
        rss=figures(fit.subject.rss),
        cells=tuple(
            Cell(
                figures(row.estimate), wald(row),
                row.identifiable == "yes", row.at_bound if row.at_bound != "no" else "",
                profiles.get(row.parameter, ""),
            )
            for row in fit.estimates
        ),
        notes=fit.notes,
    )  # fmt: skip


def _means(result: FitResult, model: Model) -> list[MeanLine]:
    found = []
    for row in result.summary:
        definition = model.definitions.get(row.parameter)
        found.append(
            MeanLine(
                name=row.parameter,
                doc=definition.doc if definition is not None else "",
                unit=unit_text(row.unit),
                kind=row.kind,
                mean=figures(row.mean),
                mean_interval=interval(row.mean_low, row.mean_high),
                spread=_variation(row, row.spread),
                between=_variation(row, row.between_sd),
                gts=figures(row.gts_mean),
                gts_between=_variation(row, row.gts_sd),
                range=interval(row.low, row.high),
                determined=f"{row.n} of {row.n + len(row.not_counted)}",
                not_counted=listed(list(row.not_counted)),
                all_determined=not row.not_counted,
            )
        )
    return found


def _variation(row: SummaryRow, sd: float) -> str:
    """Relative: of a lognormal quantity whose logarithm has this spread, CV = sqrt(exp(s^2) - 1)."""
    if row.kind == "geometric":
        return percent(math.sqrt(math.expm1(sd**2)))
    return percent(sd / abs(row.mean or math.nan))


def _between(result: FitResult) -> Correlation | None:
    """Correlations between subjects, where there are any."""
    found = result.population
    if found is None or not any(
        math.isfinite(v) for i, row in enumerate(found.correlation) for j, v in enumerate(row) if i != j
    ):
        return None
    cells = tuple(tuple(_pair([v]) for v in row) for row in found.correlation)
    return Correlation(f"Over {found.n} subjects", found.parameters, cells)


def _determined(fit: SubjectFit) -> DeterminedLine:
    assert fit.identifiability is not None
    found = fit.identifiability
    return DeterminedLine(
        id=fit.id,
        rank=f"{found.rank} of {found.size}",
        bounds=tuple((_bound(v.bound, v.identifiable), v.identifiable) for v in found.parameters),
        words=found.summary,
    )


def _bound(bound: float, determined: bool) -> str:
    if math.isfinite(bound):
        return percent(bound)
    return NOTHING if determined else "free"


def _correlations(result: FitResult, names: list[str]) -> tuple[Correlation, ...]:
    there = [fit for fit in result.fits if fit.correlation and len(names) > 1]
    singles = [fit for fit in there if not fit.members]
    if not there:
        return ()
    single = tuple(
        Correlation(
            of_whom(fit),
            tuple(names),
            tuple(tuple(_pair([x]) for x in row) for row in fit.correlation),
        )
        for fit in there
    )
    if len(there) == 1:
        return single
    size = range(len(names))
    over = tuple(tuple(_pair([fit.correlation[i][j] for fit in singles]) for j in size) for i in size)
    return (Correlation(f"Median over {len(singles)} subjects", tuple(names), over), *single)


def _pair(values: list[float]) -> tuple[str, str, float]:
    seen = [v for v in values if math.isfinite(v)]
    if not seen:
        return NOTHING, "", 0.0
    middle = median(seen)
    spread = (
        f"{_two(min(seen))} to {_two(max(seen))}" if len(seen) > 1 and max(seen) - min(seen) > 5e-3 else ""
    )
    return _two(middle), spread, min(1.0, abs(middle))


def _two(value: float) -> str:
    return "1" if value > 0.995 else "−1" if value < -0.995 else f"{value:.2f}".replace("-", "−")
