"""The profiles of one subject: which parameters, on which model, and what they say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.objective import Objective
from pbpkc.infer.optimise import Evaluation, Optimum
from pbpkc.infer.polish import polish
from pbpkc.infer.predictor import Failure, Predictor
from pbpkc.infer.profile import Side, Spot, follow
from pbpkc.infer.profile_result import Profile, ProfilePoint
from pbpkc.infer.result import EstimateRow
from pbpkc.infer.transform import FittedParameter, ParameterSpace
from pbpkc.language.units import measured

Array = NDArray[np.float64]

#: 95 % point of chi-squared with one degree of freedom.
CHI_SQUARED = 3.841458820694124

#: The exact model may differ by this part of the threshold in the rise at the end of a profile that was
#: made on a fast one; beyond, the profile is made again on the exact model.
_TOLERATED = 0.1


@dataclass(frozen=True)
class Profiled:
    """The profiles of a subject, or the better optimum that was met on the way.

    Parameters
    ----------
    profiles : tuple of Profile
    better : Evaluation or None
        Then `profiles` is empty and `parameter` the one that was profiled.
    parameter : str
    """

    profiles: tuple[Profile, ...]
    better: Evaluation | None = None
    parameter: str = ""


def wanted(names: Sequence[str], space: ParameterSpace, predictor: Predictor) -> tuple[int, ...]:
    """Indices of the parameters to be profiled: those named, or all that shape the prediction."""
    if names:
        return tuple(i for i, name in enumerate(space.names) if name in names)
    return tuple(int(i) for i in np.flatnonzero(np.asarray(predictor.shapes_prediction, dtype=bool)))


def threshold_of(structural: bool, n: int, freedom: int, quantile: float) -> float:
    """The rise of the objective at which a 95 % interval ends.

    It is 3.84. For plain least squares, whose sigma is estimated from n - p, it is n ln(1 + t^2 / (n - p)):
    the profile of a linear model then ends exactly where Student's t does (Bates & Watts 1988, Nonlinear
    Regression Analysis, section 6.1).

    Parameters
    ----------
    structural : bool
        Whether the parameter shapes the prediction.
    n, freedom : int
        Observations, and n - p for plain least squares, 0 else.
    quantile : float
        Of Student's t.
    """
    if not (structural and freedom):
        return CHI_SQUARED
    return n * math.log1p(quantile * quantile / freedom)


def profile_subject(
    objective: Objective,
    exact: Predictor | None,
    best: Evaluation,
    indices: Sequence[int],
    thresholds: Sequence[float],
    heard: Callable[[], None] | None = None,
) -> Profiled:
    """Profiles around an optimum.

    Parameters
    ----------
    objective : Objective
        On which the optimum was found.
    exact : Predictor, optional
        The exact model, where the objective stands on a faster one. It is asked at the estimate and at both
        ends of each profile; where it tells another rise, the profile is made again on it.
    best : Evaluation
    indices : sequence of int
    thresholds : sequence of float
        One for each of `indices`.
    heard : callable, optional
        Called after each side of each profile.

    Returns
    -------
    Profiled
    """
    made = []
    precise = None if exact is None else Objective(objective.space, exact, objective.scoring)
    base = None if precise is None else precise(best.point)
    for index, threshold in zip(indices, thresholds, strict=True):
        sides, origin, remade = _both(objective, best, index, threshold, heard), best, False
        if precise is not None and isinstance(base, Evaluation):
            ends = [end for end in (_end(side, threshold) for side in sides) if end is not None]
            if any(_off(precise, base, end) > _TOLERATED * threshold for end in ends):
                exactly = polish(precise.space, precise.predictor, precise.scoring, best.point)
                if isinstance(exactly, Optimum) and exactly.end is not None:
                    origin, remade = exactly.end, True
                    sides = _both(precise, origin, index, threshold, None)
        better = next((side.better for side in sides if side.better is not None), None)
        if better is not None:
            return Profiled((), better, objective.space.names[index])
        made.append(_record(objective.space, origin, index, threshold, sides, remade))
    return Profiled(tuple(made))


def _both(
    objective: Objective,
    best: Evaluation,
    index: int,
    threshold: float,
    heard: Callable[[], None] | None,
) -> tuple[Side, Side]:
    sides = []
    for upwards in (False, True):
        sides.append(follow(objective, best, index, upwards, threshold))
        if heard is not None:
            heard()
    return sides[0], sides[1]


def _end(side: Side, threshold: float) -> Spot | None:
    """The point nearest to the threshold; the last one of a side that stays below."""
    return min(side.spots, key=lambda spot: abs(spot.rise - threshold), default=None)


def _off(precise: Objective, base: Evaluation, end: Spot) -> float:
    found = precise(end.end.point)
    return math.inf if isinstance(found, Failure) else abs(found.value - base.value - end.rise)


def _record(
    space: ParameterSpace,
    best: Evaluation,
    index: int,
    threshold: float,
    sides: tuple[Side, Side],
    remade: bool,
) -> Profile:
    parameter = space.parameters[index]
    below, above = sides
    spots = [*reversed(below.spots), Spot(float(best.point[index]), best, 0.0), *above.spots]
    low, high = (
        parameter.in_unit(parameter.to_natural(side.crossing)) if math.isfinite(side.crossing) else math.nan
        for side in sides
    )
    return Profile(
        parameter=parameter.name,
        unit=parameter.unit.text,
        threshold=threshold,
        low=low,
        high=high,
        open_below=_why(below, parameter, space.lower[index]),
        open_above=_why(above, parameter, space.upper[index]),
        held_low=_held(space, best, below, index, threshold),
        held_high=_held(space, best, above, index, threshold),
        points=tuple(_point(space, spot, index) for spot in spots),
        lost_below=below.lost,
        lost_above=above.lost,
        remade=remade,
    )


def _point(space: ParameterSpace, spot: Spot, index: int) -> ProfilePoint:
    point = spot.end.point.copy()
    point[index] = spot.x
    at = tuple(
        p.in_unit(value) for p, value in zip(space.parameters, space.to_natural(point).tolist(), strict=True)
    )
    return ProfilePoint(value=at[index], objective_rise=float(spot.rise), at=at)


def _why(side: Side, parameter: FittedParameter, bound: float) -> str:
    """Why a side is open, with the number that belongs to it."""
    if not side.why_open:
        return ""
    if side.why_open.endswith("the bound"):
        edge = parameter.in_unit(parameter.to_natural(float(bound)) if math.isfinite(bound) else 0.0)
    else:
        edge = parameter.in_unit(parameter.to_natural(side.spots[-1].x)) if side.spots else math.nan
        if math.isnan(edge):
            return side.why_open
        return f"{side.why_open}, to {measured(f'{edge:.4g}', parameter.unit.text)}"
    return f"{side.why_open}, {measured(f'{edge:.4g}', parameter.unit.text)}"


def _held(
    space: ParameterSpace, best: Evaluation, side: Side, index: int, threshold: float
) -> tuple[str, ...]:
    """Which other parameters stand at a bound where the interval ends."""
    end = _end(side, threshold)
    if end is None or math.isnan(side.crossing):
        return ()
    there, before = space.at_bound(end.end.point), space.at_bound(best.point)
    return tuple(
        f"{space.names[i]} at its {now} bound" + (", as at the estimate" if now == then else "")
        for i, (now, then) in enumerate(zip(there, before, strict=True))
        if i != index and now != "no"
    )


def with_intervals(rows: Sequence[EstimateRow], profiles: Sequence[Profile]) -> tuple[EstimateRow, ...]:
    """Lines of ``estimates.csv`` with the ends of the profiles."""
    found = {profile.parameter: profile for profile in profiles}
    return tuple(
        replace(
            row,
            profile_low=profile.low,
            profile_high=profile.high,
            profile_below=profile.below,
            profile_above=profile.above,
        )
        if (profile := found.get(row.parameter)) is not None
        else row
        for row in rows
    )
