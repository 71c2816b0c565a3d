"""How the optimum of one subject is looked for: a `Search`, and the one that every fit uses by default."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.objective import Objective
from pbpkc.infer.optimise import Optimum, minimise, minimise_together
from pbpkc.infer.options import FitOptions
from pbpkc.infer.predictor import SideBySide
from pbpkc.infer.starts import starting_points

Array = NDArray[np.float64]

#: Two searches found the same optimum when objective and scaled parameters agree within these.
SAME_OBJECTIVE = 1e-4
SAME_POINT = 1e-2

Heard = Callable[[float], None]


@dataclass(frozen=True)
class Searched:
    """One search: where it began, scaled, shape (k,), where it ended, and what a reader should know of it."""

    start: Array
    found: Optimum
    notes: tuple[str, ...] = ()


class Search(Protocol):
    """What finds the optimum of an objective. It has to be picklable where several processes fit."""

    @property
    def name(self) -> str:
        """Stands in ``fit.json``, and changes when anything that decides the result does."""
        ...

    def __call__(
        self, objective: Objective, options: FitOptions, seed: int, heard: Heard | None
    ) -> Sequence[Searched]:
        """At least one search, in the order in which they were made.

        Parameters
        ----------
        objective : Objective
            Minus twice the log likelihood with exact derivatives; its `space` has the bounds.
        options : FitOptions
        seed : int
            Of the subject.
        heard : callable, optional
            To be called with the number of searches made, after each (a part of one counts).
        """
        ...


@dataclass(frozen=True)
class MultiStart:
    """Bounded Fisher scoring from several starting points, fewer where enough of them agree."""

    name: str = "fisher-scoring"

    def __call__(
        self, objective: Objective, options: FitOptions, seed: int, heard: Heard | None
    ) -> Sequence[Searched]:
        """Searches from `starting_points`, in step where the predictor answers several at once."""
        return self.part(objective, options, seed, heard, 0, options.starts)

    def part(
        self,
        objective: Objective,
        options: FitOptions,
        seed: int,
        heard: Heard | None,
        first: int,
        last: int,
    ) -> Sequence[Searched]:
        """Searches from the starts `first` to before `last`: what they find among all starts, too."""
        space = objective.space
        points = starting_points(space, options.starts, seed)[first:last]
        predictor = objective.predictor
        if options.starts > 1 and not options.agree and isinstance(predictor, SideBySide):
            ends = minimise_together(
                partial(objective.many, predictor), list(points), space.lower, space.upper, space.reach,
                options.search,
            )  # fmt: skip
            if heard is not None:
                heard(len(points))
            return [Searched(point, end) for point, end in zip(points, ends, strict=True)]
        searches: list[Searched] = []
        for point in points:
            found = minimise(objective, point, space.lower, space.upper, space.reach, options.search)
            searches.append(Searched(point, found))
            if heard is not None:
                heard(len(searches))
            if options.agree and _agreeing([one.found for one in searches]) >= options.agree:
                break
        return searches


def best_of(found: Sequence[Optimum]) -> int | None:
    """The search with the smallest objective; one that converged where several reach it."""
    values = [math.inf if one.end is None else one.end.value for one in found]
    lowest = min(values)
    if math.isinf(lowest):
        return None
    # Rounding must not decide between equals: the first of those that converged is taken.
    near = [i for i, value in enumerate(values) if value <= lowest + 1e-7 * max(1.0, abs(lowest))]
    return next((i for i in near if found[i].converged), values.index(lowest))


def _agreeing(found: Sequence[Optimum]) -> int:
    """How many searches converged to the best optimum found so far."""
    best = best_of(found)
    if best is None or not found[best].converged:
        return 0
    top = found[best].end
    assert top is not None
    return sum(
        one.converged
        and one.end is not None
        and one.end.value - top.value <= SAME_OBJECTIVE
        and bool(np.all(np.abs(one.end.point - top.point) <= SAME_POINT * np.maximum(1.0, np.abs(top.point))))
        for one in found
    )
