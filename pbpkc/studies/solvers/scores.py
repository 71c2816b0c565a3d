"""What was found of a method on a system, and how the methods compare."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.studies.solvers.truth import Truth, worst, worst_sensitivity

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Cost:
    """Processor time for some subjects.

    Parameters
    ----------
    subjects : int
    seconds : float
        The fastest of the repetitions.
    repeats : int
        0 where the time is that of fewer subjects, in proportion.
    """

    subjects: int
    seconds: float
    repeats: int


@dataclass(frozen=True)
class Score:
    """One method on one system.

    Parameters
    ----------
    system, method, title : str
    product : bool
    first : float
        Processor seconds from the problem to the first solution, compilation and all; imports do not count.
    warm : float
        The same with what an earlier process has left in the user's cache; nan where nothing is kept.
    costs : tuple of Cost
    max_error, median_error : float
        Relative, of the watched observables over the checked subjects.
    lost : int
        Checked subjects without a curve.
    slope_costs : tuple of Cost
        Of five sensitivities, the plain solution included; none where the method has none.
    sensitivity_error : float or None
        The largest, over the largest value of that sensitivity.
    memory : float
        Most memory of the process, MB, with the largest number of subjects that was run.
    gives : str
        ``states`` (all of them) or ``watched`` (the observables alone).
    note, reason : str
        `reason` says why there are no figures.
    versions : tuple of str
    """

    system: str
    method: str
    title: str
    product: bool
    first: float = math.nan
    warm: float = math.nan
    costs: tuple[Cost, ...] = ()
    max_error: float = math.nan
    median_error: float = math.nan
    lost: int = 0
    slope_costs: tuple[Cost, ...] = ()
    sensitivity_error: float | None = None
    memory: float = math.nan
    gives: str = ""
    note: str = ""
    reason: str = ""
    versions: tuple[str, ...] = ()

    def cost(self, subjects: int) -> Cost | None:
        """The cost of that many subjects, None where it is not known."""
        return next((one for one in self.costs if one.subjects == subjects), None)

    def slope_cost(self, subjects: int) -> Cost | None:
        """The cost of the sensitivities of that many subjects, None where it is not known."""
        return next((one for one in self.slope_costs if one.subjects == subjects), None)


def score(
    blank: Score,
    figures: Mapping[str, Any],
    arrays: Mapping[str, Array],
    truth: Truth,
    sizes: Sequence[int],
    slope_sizes: Sequence[int],
) -> Score:
    """A score from what `measure` wrote.

    Parameters
    ----------
    blank : Score
        With the names alone.
    figures, arrays
        As of `pbpkc.studies.solvers.run_method.run_method`.
    truth : Truth
    sizes, slope_sizes : sequence of int
        All numbers of subjects; what was not run is in proportion to the largest that was.
    """
    if "reason" in figures:
        return _with(blank, reason=str(figures["reason"]))
    curves = arrays["curves"]
    largest, median, lost = worst(curves, truth.curves[: len(curves)])
    slopes = arrays.get("sensitivities")
    return _with(
        blank,
        first=float(figures["first"]),
        warm=float(figures.get("warm", math.nan)),
        costs=_costs(figures["cells"], sizes),
        max_error=largest,
        median_error=median,
        lost=lost,
        slope_costs=() if slopes is None else _costs(figures["slope_cells"], slope_sizes),
        sensitivity_error=None if slopes is None else worst_sensitivity(slopes, truth.sensitivities),
        memory=float(figures["rss"]),
        gives=str(figures["gives"]),
        note="; ".join(text for text in (blank.note, str(figures["note"])) if text),
    )


def _costs(cells: Sequence[Sequence[float]], sizes: Sequence[int]) -> tuple[Cost, ...]:
    """What was run, then what follows from the largest of it."""
    run = [Cost(int(n), float(s), int(r)) for n, s, r in cells]
    last = run[-1]
    rest = [Cost(n, last.seconds * n / last.subjects, 0) for n in sizes if n > last.subjects]
    return (*run, *rest)


def _with(blank: Score, **found: Any) -> Score:
    return Score(**{**vars(blank), **found})


def compared(sizes: Sequence[int]) -> tuple[int, ...]:
    """Numbers of subjects for which ratios are shown: one, and a thousand or the largest below."""
    many = [n for n in sizes if n <= 1000]
    return tuple(dict.fromkeys((sizes[0], many[-1] if many else sizes[-1])))


def fastest_peer(scores: Sequence[Score], subjects: int) -> Score | None:
    """The peer that solves so many subjects of a system in the shortest time; None where no peer ran."""
    known = [
        (c.seconds, s.method, s) for s in scores if not s.product and (c := s.cost(subjects)) is not None
    ]
    return min(known)[2] if known else None


def times_faster(one: Score, scores: Sequence[Score], subjects: int) -> float:
    """Time of the fastest peer over that of one method; nan where either is not known."""
    best, mine = fastest_peer(scores, subjects), one.cost(subjects)
    theirs = None if best is None else best.cost(subjects)
    return math.nan if theirs is None or mine is None else theirs.seconds / mine.seconds


def slope_times_faster(one: Score, scores: Sequence[Score], subjects: int) -> float:
    """Time that the fastest peer takes for sensitivities over that of one method; nan where not known."""
    theirs = [c.seconds for s in scores if not s.product and (c := s.slope_cost(subjects)) is not None]
    mine = one.slope_cost(subjects)
    return min(theirs) / mine.seconds if theirs and mine is not None else math.nan


def slope_ratio(one: Score, subjects: int) -> float:
    """Cost of five sensitivities over that of a plain solution; nan where there are none."""
    plain, slopes = one.cost(subjects), one.slope_cost(subjects)
    return math.nan if slopes is None or plain is None else slopes.seconds / plain.seconds
