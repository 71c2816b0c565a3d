"""The lines of a fit's tables, for one subject."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.identifiability import Identifiability
from pbpkc.infer.observations import Scoring
from pbpkc.infer.optimise import Optimum
from pbpkc.infer.predictor import Failure
from pbpkc.infer.problem import FitProblem, FitSubject
from pbpkc.infer.result import EstimateRow, PredictionRow, StartRecord
from pbpkc.infer.transform import ParameterSpace

Array = NDArray[np.float64]


def estimate_rows(
    id: str,
    space: ParameterSpace,
    point: Array,
    start: Array,
    errors: Array,
    quantile: float,
    verdict: Identifiability,
) -> tuple[EstimateRow, ...]:
    """Lines of ``estimates.csv`` for one subject.

    Parameters
    ----------
    id : str
    space : ParameterSpace
    point, start : array, shape (k,)
        Estimate, and where its search began, scaled.
    errors : array, shape (k,)
        Standard errors on the scaled parameters, nan where there is none.
    quantile : float
        Behind 95 % intervals.
    verdict : Identifiability
    """
    bounds = space.at_bound(point)
    natural, begun = space.to_natural(point), space.to_natural(start)
    rows = []
    for i, parameter in enumerate(space.parameters):
        error, half = float(errors[i]), quantile * float(errors[i])
        low, high = (_end(parameter.scale, float(point[i]), sign * half) for sign in (-1.0, 1.0))
        rows.append(
            EstimateRow(
                id=id,
                parameter=parameter.name,
                estimate=parameter.in_unit(float(natural[i])),
                unit=parameter.unit.text,
                standard_error=error if parameter.scale == "log" else error / float(parameter.unit.factor),
                ci_low=parameter.in_unit(low),
                ci_high=parameter.in_unit(high),
                start=_tidy(parameter.in_unit(float(begun[i]))),
                at_bound=bounds[i],
                identifiable="yes" if verdict.parameters[i].identifiable else "no",
                scale=parameter.scale,
                ci_beyond=_BEYOND[low < parameter.low, high > parameter.high],
            )
        )
    return tuple(rows)


# Whether an interval leaves the lower and the upper bound behind; nan leaves none.
_BEYOND = {
    (False, False): "no",
    (True, False): "lower",
    (False, True): "upper",
    (True, True): "both",
}


def _end(scale: str, point: float, shift: float) -> float:
    """End of an interval on the natural scale; nan where it is beyond all numbers."""
    if math.isnan(shift):
        return math.nan
    if scale == "natural":
        return point + shift
    return math.exp(point + shift) if point + shift < 700.0 else math.nan


def prediction_rows(
    problem: FitProblem, subject: FitSubject, scoring: Scoring, prediction: Array, mean: Array, sd: Array
) -> tuple[PredictionRow, ...]:
    """Lines of ``predictions.csv`` for one subject.

    Parameters
    ----------
    problem : FitProblem
    subject : FitSubject
    scoring : Scoring
    prediction : array, shape (n,)
    mean, sd : array, shape (n,)
        Of each scored value, on the scale of its error model.
    """
    seen = subject.observations
    rows = []
    for i in range(len(seen)):
        dv, pred = float(scoring.dv[i]), float(prediction[i])
        weighted = math.nan
        if scoring.quantified[i]:
            x = math.log(dv) if scoring.lognormal[i] else dv
            weighted = (x - float(mean[i])) / float(sd[i])
        rows.append(
            PredictionRow(
                id=subject.id,
                time=_tidy(float(seen.time[i]) / problem.time_factor),
                observable=problem.observables[int(seen.observable[i])].name,
                dv=float(seen.dv[i]),
                pred=pred,
                residual=dv - pred if scoring.quantified[i] else math.nan,
                weighted_residual=weighted,
                cens=int(seen.censored[i]),
                subject=subject.owners[i] if subject.owners else subject.id,
            )
        )
    return tuple(rows)


def start_record(number: int, begin: Array, found: Optimum, space: ParameterSpace) -> StartRecord:
    """What is kept of one search."""
    end = found.end
    reason = found.reason if found.converged else str(Failure(found.reason, found.suggestion))
    return StartRecord(
        number=number,
        start=tuple(_tidy(value) for value in space.to_natural(begin).tolist()),
        end=() if end is None else tuple(space.to_natural(end.point).tolist()),
        objective=math.nan if end is None else float(end.value),
        converged=found.converged,
        reason=reason,
        evaluations=found.evaluations,
        failures=found.failures,
    )


def _tidy(value: float) -> float:
    """A number that went through a logarithm or a change of units, without the rounding in its last digit."""
    return float(f"{value:.15g}")
