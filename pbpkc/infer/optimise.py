"""Bounded Fisher scoring: the search for the smallest objective from one starting point.

Each iteration minimises the quadratic that the exact gradient and the expected information define, within
the bounds and a longest step, with the damping of Levenberg and Marquardt where the quadratic promised more
than the objective gave. Bounds are part of that inner problem, so a parameter arrives at its bound, and
leaves it again, within one step.

Written here rather than taken from SciPy because a residual error with estimated arguments and censored
values are no sum of squares (`least_squares` does not apply), and general minimisers (`L-BFGS-B`, SLSQP)
build up from gradients the curvature that is known here, at several times the number of solves.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.predictor import Failure
from pbpkc.infer.quadratic import minimise_in_box

Array = NDArray[np.float64]


#: Fraction of the longest step at which failing evaluations end a search.
_SMALLEST_RADIUS = 1e-6


@dataclass(frozen=True)
class Evaluation:
    """The objective at one point.

    Parameters
    ----------
    point : array, shape (k,)
        Where it was evaluated. It may differ from where it was asked for in entries that cost nothing to
        optimise.
    value : float
    gradient : array, shape (k,)
        Exact.
    curvature : array, shape (k, k)
        Positive semidefinite approximation to the second derivative.
    """

    point: Array
    value: float
    gradient: Array
    curvature: Array


Evaluate = Callable[[Array], "Evaluation | Failure"]


@dataclass(frozen=True)
class SearchOptions:
    """When a search stops.

    Parameters
    ----------
    tolerance : float
        Converged when the undamped step within the bounds promises a smaller decrease of the objective.
        The promise is about the distance of the objective from its minimum.
    resolution : float
        Also converged when no decrease is found and the promise is below this: the objective then has
        no more digits, because its solver has none.
    max_evaluations : int
    """

    tolerance: float = 1e-8
    resolution: float = 1e-6
    max_evaluations: int = 200


@dataclass(frozen=True)
class Optimum:
    """Where a search ended.

    Parameters
    ----------
    end : Evaluation or None
        The best point, None when not even the start could be evaluated.
    converged : bool
    reason : str
        Why it stopped, in a sentence.
    suggestion : str
        What may help, empty when converged.
    evaluations : int
        How often the objective was asked, failures included.
    failures : int
        How many of these failed.
    promise : float
        Decrease that the last undamped step promised.
    """

    end: Evaluation | None
    converged: bool
    reason: str
    suggestion: str
    evaluations: int
    failures: int
    promise: float


def minimise(
    evaluate: Evaluate,
    start: Array,
    lower: Array,
    upper: Array,
    reach: Array,
    options: SearchOptions,
) -> Optimum:
    """The nearest minimum within bounds.

    Parameters
    ----------
    evaluate : callable
        Point, shape (k,), to `Evaluation` or `Failure`. A value that is not finite counts as a failure.
    start : array, shape (k,)
        Moved into the bounds first.
    lower, upper : array, shape (k,)
        May be infinite.
    reach : array, shape (k,)
        Longest step of one iteration in each direction.
    options : SearchOptions

    Returns
    -------
    Optimum
        Never raises for a failed evaluation: a step that fails is shortened.

    References
    ----------
    Marquardt DW (1963) J Soc Ind Appl Math 11:431-441. Scoring with expected information: Fisher RA (1925)
    Proc Camb Phil Soc 22:700-725. Damping rule: Nielsen HB (1999) Report IMM-REP-1999-05, Technical
    University of Denmark.
    """
    search = searching(start, lower, upper, reach, options)
    point = next(search)
    while True:
        try:
            point = search.send(evaluate(point))
        except StopIteration as end:
            return cast(Optimum, end.value)


def minimise_together(
    evaluate: Callable[[Sequence[int], Sequence[Array]], Sequence[Evaluation | Failure]],
    starts: Sequence[Array],
    lower: Array,
    upper: Array,
    reach: Array,
    options: SearchOptions,
) -> list[Optimum]:
    """Searches from several starts in step, for an objective that costs less for points side by side.

    Parameters
    ----------
    evaluate : callable
        Numbers of searches and the point that each asks for, to what is found at each.
    starts : sequence of array, shape (k,)
    lower, upper, reach, options
        As for `minimise`.

    Returns
    -------
    list of Optimum
        One a start.
    """
    searches = [searching(start, lower, upper, reach, options) for start in starts]
    asked = {i: next(search) for i, search in enumerate(searches)}
    ended: dict[int, Optimum] = {}
    while asked:
        found = evaluate(list(asked), list(asked.values()))
        following = {}
        for i, one in zip(asked, found, strict=True):
            try:
                following[i] = searches[i].send(one)
            except StopIteration as end:
                ended[i] = end.value
        asked = following
    return [ended[i] for i in range(len(starts))]


def searching(
    start: Array, lower: Array, upper: Array, reach: Array, options: SearchOptions
) -> Generator[Array, Evaluation | Failure, Optimum]:
    """The search of `minimise` as a dialogue: it yields a point, and is sent what is found there."""
    asked = failed = 0
    promise = np.inf

    def ask(point: Array) -> Generator[Array, Evaluation | Failure, Evaluation | Failure]:
        nonlocal asked, failed
        asked += 1
        found = yield point
        if isinstance(found, Evaluation) and not (
            np.isfinite(found.value)
            and np.isfinite(found.gradient).all()
            and np.isfinite(found.curvature).all()
        ):
            found = Failure("the objective is not finite")
        failed += isinstance(found, Failure)
        return found

    def finish(end: Evaluation | None, converged: bool, reason: str, suggestion: str = "") -> Optimum:
        return Optimum(end, converged, reason, suggestion, asked, failed, float(promise))

    first = yield from ask(np.clip(start, lower, upper))
    if isinstance(first, Failure):
        return finish(None, False, f"the start could not be evaluated: {first.reason}", first.suggestion)
    here = first
    damping, growth, radius = 1e-3, 2.0, 1.0
    last_failure: Failure | None = None

    while True:
        low, high = lower - here.point, upper - here.point
        weight = _weights(here.curvature)
        full = _step(here, weight, 0.0, np.maximum(low, -reach), np.minimum(high, reach))
        promise = _promise(here, full)
        if promise <= options.tolerance:
            return finish(here, True, "the step to the minimum promises no further decrease")
        while True:
            if asked >= options.max_evaluations:
                return finish(
                    here,
                    False,
                    f"no minimum found within {asked} evaluations",
                    "start nearer, or check whether the parameters can be determined",
                )
            limit = radius * reach
            step = _step(here, weight, damping, np.maximum(low, -limit), np.minimum(high, limit))
            expected = _promise(here, step)
            # The end of a step that the box stopped is the bound itself, not what rounding leaves of it.
            target = np.where(step <= low, lower, np.where(step >= high, upper, here.point + step))
            found = yield from ask(target)
            if isinstance(found, Failure):
                # Outside the region that can be solved the quadratic says nothing: come much nearer.
                last_failure, radius, damping = found, 0.25 * radius, 4.0 * damping
            else:
                ratio = (here.value - found.value) / expected if expected > 0.0 else -1.0
                if ratio > 1e-4:
                    damping = max(1e-12, damping * max(1.0 / 3.0, 1.0 - (2.0 * ratio - 1.0) ** 3))
                    growth, radius = 2.0, min(1.0, 2.0 * radius)
                    here = found
                    break
                damping, growth = damping * growth, 2.0 * growth
            stuck = np.all(np.abs(step) <= 1e-14 * np.maximum(1.0, np.abs(here.point)))
            if stuck or damping > 1e15 or radius < _SMALLEST_RADIUS:
                if promise <= options.resolution:
                    return finish(here, True, "the objective has no more digits to decrease by")
                if last_failure is not None and isinstance(found, Failure):
                    return finish(
                        here,
                        False,
                        f"every further step failed: {last_failure.reason}",
                        last_failure.suggestion,
                    )
                return finish(
                    here,
                    False,
                    f"no step decreases the objective although {promise:.2g} was promised",
                    "tighten the solver's rtol",
                )
            if promise <= options.resolution and growth > 4.0:
                return finish(here, True, "the objective has no more digits to decrease by")


def _weights(curvature: Array) -> Array:
    """Marquardt's weights: the diagonal, with a floor for parameters that hardly matter here."""
    diagonal = np.diag(curvature)
    return np.maximum(diagonal, max(1e-8 * float(diagonal.max()), 1e-30))


def _step(here: Evaluation, weight: Array, damping: float, low: Array, high: Array) -> Array:
    # 1e-12 keeps an exactly singular information solvable; it shortens no step by a digit that counts.
    matrix = here.curvature + np.diag(max(damping, 1e-12) * weight)
    return minimise_in_box(here.gradient, matrix, np.minimum(low, 0.0), np.maximum(high, 0.0))


def _promise(here: Evaluation, step: Array) -> float:
    """Decrease of the undamped quadratic along a step."""
    return -float(here.gradient @ step + 0.5 * step @ here.curvature @ step)
