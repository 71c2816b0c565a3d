"""What the reference solver says of an optimum that was found on something faster, and how it is mended.

A fast model (a trained representation) is a little wrong everywhere. Whether that matters is decided where
it counts: at the optimum, against the noise of these data. Where the reference solver's predictions lie
further from the fast ones than a third of the noise, the search goes on from there with the exact model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.likelihood import moments
from pbpkc.infer.objective import Objective
from pbpkc.infer.observations import Scoring
from pbpkc.infer.optimise import Optimum, SearchOptions, minimise
from pbpkc.infer.predictor import Failure, Noise, Predictor
from pbpkc.infer.transform import ParameterSpace

Array = NDArray[np.float64]

#: Largest difference between fast and exact prediction, in standard deviations of the noise, that is left
#: as it is. A bias of a third of the noise in every observation moves an estimate by at most a third of its
#: standard error.
LIMIT = 1.0 / 3.0

#: The optimum of the fast model is near, so few exact evaluations are needed; a search that wants more has
#: been sent to the wrong place, which its record then says.
POLISH = SearchOptions(max_evaluations=12)


@dataclass(frozen=True)
class Bias:
    """How far the fast model is from the reference at one point.

    Parameters
    ----------
    worst : float
        Largest |fast - exact| over the standard deviation of the noise, over the scored observations.
    relative : float
        Median of |fast - exact| / |exact| over them.
    """

    worst: float
    relative: float

    @property
    def matters(self) -> bool:
        """Whether the exact model has to finish the fit."""
        return not self.worst <= LIMIT


def bias(scoring: Scoring, fast: Array, exact: Array, noise: Noise) -> Bias:
    """The difference of two predictions, shape (n,), seen against the noise."""
    scored = scoring.quantified | scoring.censored
    nothing = np.zeros((len(fast), 0))
    blank = Noise(noise.proportional, noise.additive, nothing, nothing)
    a, b = (moments(scoring, y, nothing, blank) for y in (fast, exact))
    sd = np.where(b.sd > 0.0, b.sd, np.inf)
    with np.errstate(invalid="ignore"):
        shift = np.where(a.mean == b.mean, 0.0, np.abs(a.mean - b.mean) / sd)
    size = np.where(exact != 0.0, np.abs(exact), np.inf)
    return Bias(
        float(np.max(shift[scored], initial=0.0)),
        float(np.median((np.abs(fast - exact) / size)[scored])) if scored.any() else 0.0,
    )


def polish(space: ParameterSpace, predictor: Predictor, scoring: Scoring, point: Array) -> Optimum | Failure:
    """The optimum of the exact model next to a scaled point.

    Returns
    -------
    Optimum or Failure
        A failure where the exact model has no value at the point.
    """
    found = minimise(
        Objective(space, predictor, scoring), point, space.lower, space.upper, space.reach, POLISH
    )
    return Failure(found.reason, found.suggestion) if found.end is None else found
