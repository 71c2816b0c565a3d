"""What a fit gives back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from pbpkc.infer.identifiability import Identifiability
from pbpkc.infer.posterior_result import BandRow, Posterior, PosteriorRow
from pbpkc.infer.profile_result import Profile
from pbpkc.infer.summary_result import Matrix, SummaryRow, TwoStage

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class EstimateRow:
    """One line of ``estimates.csv``.

    Parameters
    ----------
    id, parameter, unit : str
    estimate, ci_low, ci_high, start : float
        In `unit`; `start` is where the search that found the estimate began.
    standard_error : float
        On the scale of the fit: of ln(parameter), dimensionless, for ``scale log``; in `unit` otherwise.
        nan, as the interval, where the data (with priors, where they count) do not determine it.
    at_bound : {"no", "lower", "upper"}
    identifiable : {"yes", "no"}
    scale : {"log", "natural"}
        Of the standard error.
    profile_low, profile_high : float
        95 % interval by profile likelihood, in `unit`; nan where it was not asked for, and where the profile
        has no end on that side or none is known.
    profile_below, profile_above : {"", "end", "open", "lost"}
        What the profile comes to on each side: an end; none (the data leave it open); or it could not be
        followed so far. Empty where it was not asked for.
    ci_beyond : {"no", "lower", "upper", "both"}
        Which bound of the parameter the interval by standard error leaves behind: it knows the curvature at
        the estimate and no bounds, and its end there is no value that the parameter may take.
    """

    id: str
    parameter: str
    estimate: float
    unit: str
    standard_error: float
    ci_low: float
    ci_high: float
    start: float
    at_bound: str
    identifiable: str
    scale: str
    profile_low: float = math.nan
    profile_high: float = math.nan
    profile_below: str = ""
    profile_above: str = ""
    ci_beyond: str = "no"


@dataclass(frozen=True)
class SubjectRow:
    """One line of ``subjects.csv``.

    Parameters
    ----------
    id : str
    n : int
        Observations scored.
    objective : float
        Minus twice the log likelihood at the estimate, for ``map`` with minus twice the log prior density,
        by the reference solver. nan where there is no estimate.
    rss : float
        Sum of squared differences between measured and predicted, unweighted, in the data's unit; censored
        values left out unless the rule for them puts a value in their place.
    starts : int
        Searches made.
    converged : {"yes", "no"}
    reason : str
        Why there is no estimate or no convergence, and what may help; empty otherwise.
    """

    id: str
    n: int
    objective: float
    rss: float
    starts: int
    converged: str
    reason: str


@dataclass(frozen=True)
class PredictionRow:
    """One line of ``predictions.csv``, by the reference solver at the estimate.

    `time` is in the time unit of reports, `dv`, `pred` and `residual` in the observable's unit;
    `weighted_residual` is the residual over the standard deviation of the error model (for a lognormal
    error that of the logarithms). Both residuals are nan for values scored as censored or left out.
    `subject` is whose value it is: `id` itself, or one of those that a pooled fit takes together.
    """

    id: str
    time: float
    observable: str
    dv: float
    pred: float
    residual: float
    weighted_residual: float
    cens: int
    subject: str = ""


@dataclass(frozen=True)
class StartRecord:
    """One search of a subject: where it began and ended (canonical units), and how.

    `objective` is nan and `end` empty where not even the start could be evaluated.
    """

    number: int
    start: tuple[float, ...]
    end: tuple[float, ...]
    objective: float
    converged: bool
    reason: str
    evaluations: int
    failures: int


@dataclass(frozen=True)
class SubjectFit:
    """Everything about one subject, plain numbers only, so that it can be stored and read back.

    Parameters
    ----------
    id, key : str
        `key` is the hash of all that the fit depends on.
    seed : int
    outcome : {"converged", "not converged", "failed"}
        ``failed``: there is no estimate.
    reason, suggestion : str
    notes : tuple of str
        What a reader has to know: parameters at bounds, a second optimum, a solver that disagrees.
    estimates : tuple of EstimateRow
    subject : SubjectRow
    predictions : tuple of PredictionRow
    best : int
        Number of the search that found the estimate, 0 where there is none.
    starts : tuple of StartRecord
    theta : tuple of float
        Estimates, canonical units.
    covariance, correlation : matrix, k x k
        On the scale of the fit, in the order of the parameters; nan for undetermined ones.
    quantile : float
        Behind the 95 % intervals: of Student's t where standard errors use n - p, else of the normal.
    degrees_of_freedom : int
        n - p for plain least squares, else 0.
    residual_sd : float
        sqrt(rss / (n - p)) for plain least squares, else nan.
    search_objective : float
        The objective as the search saw it, before the reference solver's word.
    identifiability : Identifiability or None
    bias : float
        Largest difference between the fast model and the reference solver at the search's optimum, in
        standard deviations of the noise; 0 where the search was on the exact model.
    polished : int
        Evaluations of the exact model that finished the fit because the bias mattered.
    profiles : tuple of Profile
        Of the parameters for which they were asked.
    members : int
        Subjects that this fit takes together; 0 for a single subject.
    posterior : Posterior or None
        Where it was asked for.
    """

    id: str
    key: str
    seed: int
    outcome: Literal["converged", "not converged", "failed"]
    reason: str
    suggestion: str
    notes: tuple[str, ...]
    estimates: tuple[EstimateRow, ...]
    subject: SubjectRow
    predictions: tuple[PredictionRow, ...]
    best: int
    starts: tuple[StartRecord, ...]
    theta: tuple[float, ...]
    covariance: Matrix
    correlation: Matrix
    quantile: float
    degrees_of_freedom: int
    residual_sd: float
    search_objective: float
    identifiability: Identifiability | None
    bias: float = 0.0
    polished: int = 0
    profiles: tuple[Profile, ...] = ()
    members: int = 0
    posterior: Posterior | None = None


@dataclass(frozen=True)
class Timing:
    """What a run cost; nothing else in a result depends on the machine.

    Parameters
    ----------
    wall_seconds : float
    cpu_seconds : float
        Of all processes together.
    workers : int
    reused : int
        Subjects taken from an earlier run.
    notes : tuple of str
    """

    wall_seconds: float
    cpu_seconds: float
    workers: int
    reused: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FitResult:
    """The fit of all subjects.

    Parameters
    ----------
    fits : tuple of SubjectFit
        In the order of the data.
    parameters : tuple of mapping
        What was estimated: name, unit, scale, bounds, prior, start.
    observables : tuple of mapping
    options : mapping
    provenance : mapping
        As the caller gave it, with the fingerprint.
    summary : tuple of SummaryRow
    time_unit : str
        Of the predictions.
    timing : Timing
        Not part of what is compared between runs.
    population : TwoStage or None
        Behind the estimates of single subjects, where there are several.
    """

    fits: tuple[SubjectFit, ...]
    parameters: tuple[Mapping[str, object], ...]
    observables: tuple[Mapping[str, object], ...]
    options: Mapping[str, object]
    provenance: Mapping[str, object]
    summary: tuple[SummaryRow, ...]
    time_unit: str
    timing: Timing = field(compare=False)
    population: TwoStage | None = None

    @property
    def singles(self) -> tuple[SubjectFit, ...]:
        """Fits of single subjects."""
        return tuple(fit for fit in self.fits if not fit.members)

    @property
    def pooled(self) -> SubjectFit | None:
        """The fit of all subjects together, None where it was not asked for."""
        return next((fit for fit in self.fits if fit.members), None)

    @property
    def learned(self) -> tuple[str, ...]:
        """Coefficients of learned terms: parameters whose priors count in every estimate."""
        return tuple(str(p["name"]) for p in self.parameters if p.get("prior_counts"))

    @property
    def with_priors(self) -> bool:
        """Whether objectives are -2 log posterior and not -2 log likelihood: some prior counts."""
        return self.options.get("estimator") == "map" or bool(self.learned)

    @property
    def estimates(self) -> tuple[EstimateRow, ...]:
        """Lines of ``estimates.csv``."""
        return tuple(row for fit in self.fits for row in fit.estimates)

    @property
    def subjects(self) -> tuple[SubjectRow, ...]:
        """Lines of ``subjects.csv``."""
        return tuple(fit.subject for fit in self.fits)

    @property
    def predictions(self) -> tuple[PredictionRow, ...]:
        """Lines of ``predictions.csv``."""
        return tuple(row for fit in self.fits for row in fit.predictions)

    @property
    def posterior(self) -> tuple[PosteriorRow, ...]:
        """Lines of ``posterior_summary.csv``."""
        return tuple(row for fit in self.fits if fit.posterior for row in fit.posterior.summary)

    @property
    def has_posterior(self) -> bool:
        """Whether the posterior of some subject was asked for."""
        return any(fit.posterior is not None for fit in self.fits)

    def draws(self) -> Iterator[tuple[object, ...]]:
        """Lines of ``posterior.csv``, in the columns of `draw_columns`."""
        for fit in self.fits:
            drawn = fit.posterior.draws if fit.posterior is not None else None
            if drawn is not None:
                rows = zip(
                    drawn.chain, drawn.draw, drawn.values, drawn.log_density, drawn.weight, strict=True
                )
                yield from ((fit.id, chain, draw, *values, log, w) for chain, draw, values, log, w in rows)

    @property
    def bands(self) -> tuple[BandRow, ...]:
        """Lines of ``posterior_bands.csv``."""
        return tuple(row for fit in self.fits if fit.posterior for row in fit.posterior.bands)

    @property
    def outcome(self) -> Literal["done", "partial", "failed"]:
        """``done``: every subject converged; ``failed``: none has an estimate; else ``partial``."""
        if all(fit.outcome == "failed" for fit in self.fits):
            return "failed"
        return "done" if all(fit.outcome == "converged" for fit in self.fits) else "partial"

    def subject(self, id: str) -> SubjectFit:
        """The fit of one subject.

        Raises
        ------
        ValueError
            If there is none with this id.
        """
        for fit in self.fits:
            if fit.id == id:
                return fit
        raise ValueError(f"id is {id!r}; there are {', '.join(fit.id for fit in self.fits)}")

    def to_frames(self) -> dict[str, pd.DataFrame]:
        """``estimates``, ``subjects``, ``predictions``, ``summary`` as pandas tables.

        With a posterior also ``posterior`` (draws), ``posterior_summary`` and ``posterior_bands``.
        """
        import pandas as pd

        tables: dict[str, tuple[type[Any], tuple[Any, ...]]] = {
            "estimates": (EstimateRow, self.estimates),
            "subjects": (SubjectRow, self.subjects),
            "predictions": (PredictionRow, self.predictions),
            "summary": (SummaryRow, self.summary),
        }
        if self.has_posterior:
            tables["posterior_summary"] = (PosteriorRow, self.posterior)
            tables["posterior_bands"] = (BandRow, self.bands)
        frames = {
            name: pd.DataFrame([asdict(row) for row in rows], columns=[f.name for f in fields(kind)])
            for name, (kind, rows) in tables.items()
        }
        if self.has_posterior:
            names = [str(parameter["name"]) for parameter in self.parameters]
            frames["posterior"] = pd.DataFrame(list(self.draws()), columns=draw_columns(names))
        return frames


def draw_columns(parameters: Sequence[str]) -> list[str]:
    """Columns of ``posterior.csv``."""
    return ["id", "chain", "draw", *parameters, "log_density", "weight"]
