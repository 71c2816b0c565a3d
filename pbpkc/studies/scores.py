"""One fit held against its truth, and what the fits of a cell say together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

Array = NDArray[np.float64]

#: Bounds above this are beyond what the linear theory of the bound is good for.
BOUND_LIMIT = 0.2

#: A fit whose objective lies further above the best known has not reached the optimum.
REACHED = 0.01


@dataclass(frozen=True)
class Score:
    """One fit of one task. Tuples have one entry for each unknown.

    Parameters
    ----------
    task : int
    truth, start, estimate : tuple of float, canonical units
        `estimate` is nan where there is none.
    bound : tuple of float
        Cramer-Rao bound of ln(theta) at the truth.
    error : tuple of float
        ln(estimate / truth).
    covered : tuple of bool
        Whether the 95 % interval holds the truth.
    limited : bool
        Whether a parameter ends at a limit of its range.
    objective, lowest : float
        Minus twice the log likelihood by the reference solver; the smallest known of any method, the search
        from the truth included.
    polished : int
        Exact steps that the reference solver demanded.
    bias : float
        Largest difference between fast and exact predictions, in standard deviations of the noise.
    outside : bool
        Whether the estimate was said to lie outside the training range.
    outcome : str
    cpu_ms, search_ms : float
        Of the whole fit with its verdict, and of the searches alone.
    evaluations : int
    """

    task: int
    truth: tuple[float, ...]
    start: tuple[float, ...]
    estimate: tuple[float, ...]
    bound: tuple[float, ...]
    error: tuple[float, ...]
    covered: tuple[bool, ...]
    limited: bool
    objective: float
    lowest: float
    polished: int
    bias: float
    outside: bool
    outcome: str
    cpu_ms: float
    search_ms: float
    evaluations: int

    @property
    def counts(self) -> bool:
        """Whether the bound is a fair measure: every one below 20 %, and no limit at work."""
        return not self.limited and all(b < BOUND_LIMIT for b in self.bound)

    @property
    def reached(self) -> bool:
        """Whether the fit ended at the best optimum known."""
        return self.objective - self.lowest <= REACHED


@dataclass(frozen=True)
class Cell:
    """The fits of one method on the tasks of one cell.

    Parameters
    ----------
    case : str
    unknowns : tuple of str
    noise : float
        Standard deviation of ln(dv).
    method : str
    scores : tuple of Score
    """

    case: str
    unknowns: tuple[str, ...]
    noise: float
    method: str
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class Summary:
    """A cell in numbers, nan where there is nothing to tell.

    Parameters
    ----------
    case : str
    masked : int
    noise : float
    method : str
    tasks, counted : int
        `counted`: tasks whose bounds are a fair measure.
    median_error, p90_error : float
        Of |estimate / truth - 1| over tasks and unknowns, %.
    efficiency, efficiency_counted, rms : float
        Median of |error| over the bound, over all tasks and over those counted; root of the mean square over
        those counted.
    covered : tuple of int
        Tasks whose interval holds the truth, for each unknown.
    missed : int
        Tasks that did not reach the optimum.
    failed, polished, outside : int
    cpu_ms, search_ms : float
        Medians.
    """

    case: str
    masked: int
    noise: float
    method: str
    tasks: int
    counted: int
    median_error: float
    p90_error: float
    efficiency: float
    efficiency_counted: float
    rms: float
    covered: tuple[int, ...]
    missed: int
    failed: int
    polished: int
    outside: int
    cpu_ms: float
    search_ms: float


def summarise(cell: Cell) -> Summary:
    """The numbers of a cell."""
    scores = cell.scores
    there = [s for s in scores if all(map(math.isfinite, s.error))]
    relative = np.array([np.abs(np.expm1(s.error)) for s in there]).ravel()
    noisy = cell.noise > 0.0
    return Summary(
        case=cell.case,
        masked=len(cell.unknowns),
        noise=cell.noise,
        method=cell.method,
        tasks=len(scores),
        counted=sum(s.counts for s in scores),
        median_error=100.0 * _quantile(relative, 0.5),
        p90_error=100.0 * _quantile(relative, 0.9),
        efficiency=_quantile(np.abs(ratios(there)), 0.5) if noisy else math.nan,
        efficiency_counted=_quantile(np.abs(ratios([s for s in there if s.counts])), 0.5)
        if noisy
        else math.nan,
        rms=_rms(ratios([s for s in there if s.counts])) if noisy else math.nan,
        covered=tuple(sum(s.covered[i] for s in scores) for i in range(len(cell.unknowns))) if noisy else (),
        missed=sum(not s.reached for s in scores),
        failed=len(scores) - len(there),
        polished=sum(s.polished > 0 for s in scores),
        outside=sum(s.outside for s in scores),
        cpu_ms=_quantile(np.array([s.cpu_ms for s in scores]), 0.5),
        search_ms=_quantile(np.array([s.search_ms for s in scores]), 0.5),
    )


def ratios(scores: Sequence[Score]) -> Array:
    """Errors over their bounds, of all unknowns, in one row."""
    found = np.array([e / b for s in scores for e, b in zip(s.error, s.bound, strict=True)])
    return np.asarray(found[np.isfinite(found)])


def _quantile(values: Array, at: float) -> float:
    return float(np.quantile(values, at)) if len(values) else math.nan


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2))) if len(values) else math.nan


def expected_range(count: int, tail: float = 0.003, coverage: float = 0.95) -> tuple[int, int]:
    """How many of `count` intervals of this coverage hold the truth, but for a tail on either side.

    For 200 it is 181 to 197; a count outside speaks against the intervals.
    """
    below = np.array([float(bdtr(k, count, coverage)) for k in range(count + 1)])
    low = int(np.argmax(below >= tail))
    high = int(np.argmax(below >= 1.0 - tail))
    return low, high
