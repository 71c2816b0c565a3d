"""A posterior as a table and in words."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pbpkc.infer.posterior_result import Posterior
from pbpkc.infer.result import FitResult, SubjectFit
from pbpkc.report.quantities import figures, interval, profile_words, unit_text, wald


@dataclass(frozen=True)
class PosteriorLine:
    """One parameter of one subject: its posterior beside the other intervals."""

    id: str
    name: str
    unit: str
    median: str
    interval: str
    wald: str
    profile: str
    prior: str
    r_hat: str
    ess: str
    firm: bool


@dataclass(frozen=True)
class PosteriorTables:
    """Everything a page says of posteriors; `words` and `notes` hold a subject and a sentence."""

    lines: tuple[PosteriorLine, ...]
    words: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, str], ...]
    profiled: bool


def posterior_tables(result: FitResult) -> PosteriorTables | None:
    """The tables of the posteriors, None where none was asked for."""
    there = [(fit, fit.posterior) for fit in result.fits if fit.posterior is not None]
    if not there:
        return None
    lines = tuple(line for fit, posterior in there for line in _lines(fit, posterior))
    return PosteriorTables(
        lines=lines,
        words=tuple((fit.id, text) for fit, posterior in there for text in posterior_words(posterior)),
        notes=tuple((fit.id, note) for fit, posterior in there for note in posterior.notes),
        profiled=any(line.profile for line in lines),
    )


def _lines(fit: SubjectFit, posterior: Posterior) -> list[PosteriorLine]:
    from pbpkc.infer.posterior import FEWEST_DRAWS, LARGEST_R_HAT

    estimates = {row.parameter: row for row in fit.estimates}
    profiles = {profile.parameter: profile_words(profile) for profile in fit.profiles}
    return [
        PosteriorLine(
            id=fit.id,
            name=row.parameter,
            unit=unit_text(row.unit),
            median=figures(row.median),
            interval=interval(row.low, row.high),
            wald=wald(estimates[row.parameter]),
            profile=profiles.get(row.parameter, ""),
            prior=row.prior,
            r_hat=f"{row.r_hat:.3f}" if math.isfinite(row.r_hat) else "",
            ess=f"{row.ess:.0f}" if math.isfinite(row.ess) else "",
            firm=row.r_hat <= LARGEST_R_HAT and row.ess >= FEWEST_DRAWS,
        )
        for row in posterior.summary
    ]


def posterior_words(posterior: Posterior) -> tuple[str, ...]:
    """One sentence on how the draws came about and what they are worth; none where there are no draws."""
    check = posterior.check
    if check is None:
        return ()
    source = {
        "none": "drawn from the exact model",
        "importance": f"drawn from the fast model and weighted by {check.exact} solves of the exact one "
        f"(k-hat {_shape(check.pareto_k)}, {check.weight_ess:.0f} effective draws)",
        "delayed acceptance": f"drawn from the exact model by delayed acceptance ({check.exact} solves)",
    }[check.correction]
    return (
        f"posterior of {check.draws} draws in {check.chains} chains, {source}; "
        f"R-hat at most {check.r_hat:.3f}, at least {check.ess:.0f} effective draws",
    )


def _shape(k: float) -> str:
    return f"{k:.2f}" if math.isfinite(k) else "not known"
