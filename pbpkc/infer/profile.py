"""Profile likelihood: how far one parameter can go while all others follow as best they can.

From the optimum the profiled parameter is moved outwards step by step and the others are estimated anew at
each value, from where the neighbour left them. Fisher information is a picture at the optimum; the profile is
the objective itself, so that its interval is right where the picture is not: near a bound, for a curved
ridge, and where the data say "at least" but never "at most".
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.objective import Objective
from pbpkc.infer.optimise import Evaluation, SearchOptions, minimise
from pbpkc.infer.predictor import Failure
from pbpkc.infer.quadratic import minimise_in_box

Array = NDArray[np.float64]

#: A profile is followed until the rise is this many times the threshold: from the 95 % point of chi-squared
#: with one degree of freedom to the 99 % point.
BEYOND = 6.634896601021213 / 3.841458820694124

#: An objective lower than that of the optimum by more than this is another optimum, not rounding.
BETTER = 1e-2

# Where on the way points are wanted, as parts of the root of the threshold.
_LEVELS = (0.35, 0.7, 1.0, math.sqrt(BEYOND))

# Of one re-optimisation. The rise is read to hundredths; the neighbour is near.
_FOLLOW = SearchOptions(tolerance=1e-4, resolution=1e-3, max_evaluations=60)

# Points on one side; a profile without a bound may be flat for ever.
_MOST_POINTS = 24

# The crossing of the threshold is known when a point lies within this part of it.
_NEAR = 2e-2


@dataclass(frozen=True)
class Spot:
    """One point of a profile.

    Parameters
    ----------
    x : float
        The profiled parameter, scaled.
    end : Evaluation
        The objective there with the others at their best.
    rise : float
        Above the optimum.
    """

    x: float
    end: Evaluation
    rise: float


@dataclass(frozen=True)
class Side:
    """A profile to one side of the optimum.

    Parameters
    ----------
    spots : tuple of Spot
        Outwards.
    crossing : float
        Where the rise reaches the threshold, scaled; nan where it does not.
    why_open : str
        Why there is no crossing although the profile was followed; empty where there is one.
    lost : str
        Why it could not be followed to a crossing or a bound; then nothing is known beyond the last spot.
    better : Evaluation or None
        A point below the optimum, at which the walk ended.
    """

    spots: tuple[Spot, ...]
    crossing: float
    why_open: str
    better: Evaluation | None = None
    lost: str = ""


def follow(objective: Objective, best: Evaluation, index: int, upwards: bool, threshold: float) -> Side:
    """The profile of one parameter to one side.

    The step is such that the quadratic of the last point expects the next of a few set levels of the rise
    (step control by the expected rise, after Raue et al. 2009), and never longer than a step of a search or
    a quarter of the way to the bound.

    Parameters
    ----------
    objective : Objective
    best : Evaluation
        The optimum.
    index : int
        Of the parameter.
    upwards : bool
    threshold : float
        Rise of the objective at which the interval ends.

    Returns
    -------
    Side

    References
    ----------
    Raue A et al. (2009) Bioinformatics 25:1923-1929. Venzon DJ, Moolgavkar SH (1988) Appl Stat 37:87-94.
    """
    space = objective.space
    # What is profiled is held, also where only the error model reads it.
    held = _Held(replace(objective, held=(index,)), index, best.value)
    bound = float(space.upper[index] if upwards else space.lower[index])
    sign = 1.0 if upwards else -1.0
    here = Spot(float(best.point[index]), best, 0.0)
    spots: list[Spot] = [here]
    way = abs(bound - here.x)
    longest = min(float(space.reach[index]), way / 4.0)
    why = lost = ""

    while here.rise < 0.95 * BEYOND * threshold:
        if abs(bound - here.x) <= 1e-9 * max(1.0, abs(here.x)):
            why = f"the profile stays below {threshold:.3g} up to the bound"
            if len(spots) == 1:
                why = "the estimate is at the bound"
            break
        if len(spots) > _MOST_POINTS:
            why = f"the profile stays below {threshold:.3g} as far as it was followed"
            break
        found = _advance(held, here, sign, bound, longest, threshold)
        if isinstance(found, Failure):
            lost = found.reason
            break
        if found.rise < -BETTER:
            return Side((), math.nan, "", found.end)
        if found.rise < here.rise - 0.05:
            # Another valley was entered: it may be the better one further in, too.
            _walk_back(held, spots, found)
            inner = min(spots, key=lambda spot: spot.rise)
            if inner.rise < -BETTER:
                return Side((), math.nan, "", inner.end)
        spots.append(found)
        here = found

    crossing = _crossing(held, spots, threshold)
    if math.isfinite(crossing):
        why = lost = ""
    return Side(tuple(spots[1:]), crossing, why, lost=lost)


@dataclass
class _Held:
    """The objective with one parameter held, minimised over the others."""

    objective: Objective
    index: int
    lowest: float

    def __post_init__(self) -> None:
        self.others = np.delete(np.arange(self.objective.space.size), self.index)

    def at(self, x: float, guess: Array) -> Spot | Failure:
        """The best of the others at a value of the parameter, from a guess of all, shape (k,)."""
        full = guess.copy()
        full[self.index] = x
        if not len(self.others):
            found = self.objective(full)
            return found if isinstance(found, Failure) else Spot(x, found, found.value - self.lowest)
        seen: dict[bytes, Evaluation] = {}
        free = self.others

        def reduced(values: Array) -> Evaluation | Failure:
            point = full.copy()
            point[free] = values
            found = self.objective(point)
            if isinstance(found, Failure):
                return found
            part = found.point[free]
            seen[part.tobytes()] = found
            return Evaluation(part, found.value, found.gradient[free], found.curvature[np.ix_(free, free)])

        space = self.objective.space
        best = minimise(reduced, full[free], space.lower[free], space.upper[free], space.reach[free], _FOLLOW)
        if best.end is None:
            return Failure(best.reason, best.suggestion)
        end = seen[best.end.point.tobytes()]
        return Spot(x, end, end.value - self.lowest)

    def guess(self, here: Spot, x: float) -> Array:
        """Where the others are expected at another value, by the quadratic of a point, shape (k,)."""
        space, end, free = self.objective.space, here.end, self.others
        full = end.point.copy()
        full[self.index] = x
        if len(free):
            slope = end.gradient[free] + end.curvature[free, self.index] * (x - here.x)
            matrix = _firm(end.curvature[np.ix_(free, free)])
            low = np.maximum(space.lower[free] - end.point[free], -space.reach[free])
            high = np.minimum(space.upper[free] - end.point[free], space.reach[free])
            step = minimise_in_box(slope, matrix, np.minimum(low, 0.0), np.maximum(high, 0.0))
            full[free] = np.clip(end.point[free] + step, space.lower[free], space.upper[free])
        return full

    def expected_step(self, here: Spot, sign: float, rise: float) -> float:
        """How far the parameter may go until the quadratic of a point expects a rise."""
        space, i, curvature = self.objective.space, self.index, here.end.curvature
        point, gradient = here.end.point.copy(), here.end.gradient.copy()
        # What its bound holds does not follow.
        stopped = ((point <= space.lower) & (gradient > 0.0)) | ((point >= space.upper) & (gradient < 0.0))
        free = self.others[~stopped[self.others]]
        wanted, gone = rise - here.rise, 0.0
        while True:
            way = np.zeros(space.size)
            way[i] = sign
            if len(free):
                way[free] = -sign * np.linalg.solve(_firm(curvature[np.ix_(free, free)]), curvature[free, i])
            slope, bend = float(gradient @ way), max(float(way @ curvature @ way), 0.0)
            root = math.sqrt(max(slope * slope + 2.0 * bend * wanted, 0.0))
            # The form without cancellation: 2c / (b + sqrt(b^2 + 2ac)).
            step = 2.0 * wanted / (slope + root) if slope + root > 0.0 else math.inf
            edge = np.where(way > 0.0, space.upper, space.lower)[free]
            moves = way[free] != 0.0
            room = np.full(len(free), math.inf)
            room[moves] = np.maximum((edge - point[free])[moves] / way[free][moves], 0.0)
            if step <= room.min(initial=math.inf):
                return gone + step
            # A follower comes to its bound before that, and the rise is steeper from there.
            first = int(np.argmin(room))
            part = float(room[first])
            wanted -= slope * part + 0.5 * bend * part * part
            gradient += part * (curvature @ way)
            point += part * way
            gone += part
            free = np.delete(free, first)


def _firm(matrix: Array) -> Array:
    """A curvature that can be solved with: 1e-9 of the diagonal more, and nothing that is zero."""
    diagonal = np.diag(matrix)
    firm: Array = matrix + np.diag(np.maximum(1e-9 * diagonal, 1e-12 * max(float(diagonal.max()), 1e-12)))
    return firm


def _advance(
    held: _Held, here: Spot, sign: float, bound: float, longest: float, threshold: float
) -> Spot | Failure:
    """The next point outwards."""
    root = math.sqrt(threshold)
    now = math.sqrt(max(here.rise, 0.0))
    target = next((level * root for level in _LEVELS if level * root > now + 0.1 * root), _LEVELS[-1] * root)
    step = min(held.expected_step(here, sign, target * target), longest, abs(bound - here.x))
    failure: Failure | None = None
    outer: Spot | None = None
    while True:
        x = here.x + sign * step
        # The bound itself, not what rounding leaves of it; and no crumb before it.
        if abs(bound - x) <= 0.05 * step:
            x = bound
        found = held.at(x, held.guess(here, x))
        if isinstance(found, Failure):
            failure, step = found, 0.25 * step
        else:
            rise = math.sqrt(max(found.rise, 0.0))
            if rise <= target + 0.4 * root:
                return found
            # Too far: the quadratic expected less. The root of the rise is nearly a straight line.
            outer = found
            part = (target - now) / (rise - now)
            step = abs(found.x - here.x) * min(max(part, 0.2), 0.7)
        if step < 1e-4 * longest:
            # A cliff, or the edge of what can be solved.
            return outer if outer is not None else failure or Failure("no step was possible")


def _walk_back(held: _Held, spots: list[Spot], outer: Spot) -> None:
    """Estimate earlier points anew from a later one, inwards, as long as that helps."""
    for k in range(len(spots) - 1, -1, -1):
        again = held.at(spots[k].x, held.guess(outer, spots[k].x))
        if isinstance(again, Failure) or again.rise > spots[k].rise - BETTER:
            return
        spots[k] = outer = again


def _crossing(held: _Held, spots: list[Spot], threshold: float) -> float:
    """Where the rise first reaches the threshold; points are added until one is near it."""
    for _ in range(8):
        k = next((k for k, spot in enumerate(spots) if spot.rise >= threshold), None)
        if k is None or k == 0:
            return math.nan
        inner, outer = spots[k - 1], spots[k]
        x = _between(inner, outer, threshold)
        if min(threshold - inner.rise, outer.rise - threshold) <= _NEAR * threshold:
            return x
        near = inner if abs(x - inner.x) < abs(x - outer.x) else outer
        found = held.at(x, held.guess(near, x))
        if isinstance(found, Failure) or x in (inner.x, outer.x):
            return x
        spots.insert(k, found)
    return x


def _between(inner: Spot, outer: Spot, threshold: float) -> float:
    """The crossing by a straight line through the roots of the rises."""
    low, high = math.sqrt(max(inner.rise, 0.0)), math.sqrt(outer.rise)
    part = (math.sqrt(threshold) - low) / (high - low)
    return inner.x + min(max(part, 0.0), 1.0) * (outer.x - inner.x)
