"""Steady states of doses for many subjects: the fixed point of one interval, found without derivatives.

One interval takes the state at its beginning to that at its end. Bodies forget most of what was given within
an interval and a few slow directions remain, so the last few intervals of a subject tell how those move on:
Anderson acceleration, each subject by itself, all subjects in the lanes of the kernel.

References
----------
Anderson DG (1965) J ACM 12:547. Walker HF, Ni P (2011) SIAM J Numer Anal 49:1715 (the form used here).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.events import BoundRegimen, Event, Steady
from pbpkc.solve.equilibrium import NOTHING
from pbpkc.solve.kernel import Kernel
from pbpkc.solve.schedule import NotScheduled, Schedule
from pbpkc.solve.steady_structure import steady_structure
from pbpkc.solve.timeline import Held, Segment, timeline

Array = NDArray[np.float64]
Places = NDArray[np.int64]

#: Intervals that a subject is followed for at most.
MOST_INTERVALS = 80

#: Differences of earlier intervals that are kept.
DEPTH = 6

#: A step to the fixed point below this share of the tolerance ends the search of a subject.
SETTLED = 0.3

#: One interval is solved this much tighter than the run that follows.
TIGHTER = 0.1


@dataclass(frozen=True)
class SteadyStarts:
    """States in which each interval of the doses ends as it begins.

    Parameters
    ----------
    y : ndarray, shape (B, S)
    found : ndarray of bool, shape (B,)
        Whose was found; the others' rows are not to be used.
    intervals : int
        How many were solved.
    """

    y: Array
    found: NDArray[np.bool_]
    intervals: int


def interval_segments(
    steady: Steady, manifest: Mapping[str, Any], names: tuple[str, ...], held: Held
) -> tuple[Segment, ...]:
    """The doses of one interval, with what is held meanwhile.

    Raises
    ------
    NotScheduled
        For models that read the time.
    """
    assert steady.period is not None
    if steady_structure(manifest).reads_time:
        raise NotScheduled("a model that reads time has no steady state")
    running = tuple(Event(0.0, "start", one.state, value=one.rate) for one in steady.running)
    events = tuple(sorted((*running, *steady.events), key=lambda event: event.place))
    regimen = BoundRegimen(events, begin=0.0, end=steady.period)
    times = np.empty(0)
    segments = timeline(regimen, times, manifest["inputs"], names, end=steady.period, held=held)
    ages = {clock.species: clock.age for clock in steady.clocks}
    places = [k for k, item in enumerate(manifest["inputs"]) if item["kind"] == "tad"]
    aged = []
    for part in segments:
        u, slope = part.u.copy(), part.slope.copy()
        for k in places:
            # Until the interval's own first dose, the time since the one before it.
            if slope[k] == 0.0 and manifest["inputs"][k]["target"] in ages:
                u[k], slope[k] = ages[manifest["inputs"][k]["target"]] + part.t0, 1.0
        aged.append(replace(part, u=u, slope=slope))
    return tuple(aged)


def steady_starts(
    kernel: Kernel,
    manifest: Mapping[str, Any],
    p: Array,
    start: Array,
    intervals: Schedule,
    which: Places,
    rtol: float,
    atol: Array,
    max_steps: int,
    threads: int,
) -> SteadyStarts:
    """The steady states of B subjects.

    Parameters
    ----------
    kernel : Kernel
    manifest : mapping
    p, start : ndarray, shapes (B, P) and (B, S)
        Parameters, and the states at the beginning: those that only receive keep theirs.
    intervals : Schedule
        One interval of each of R regimens, from time 0.
    which : ndarray of int, shape (B,)
        The regimen of each subject.
    rtol : float
    atol : ndarray, shape (R, S)
    max_steps, threads : int
    """
    kept = np.ones(start.shape[1], dtype=bool)
    structure = steady_structure(manifest)
    kept[structure.left] = False
    y, found = start.copy(), np.zeros(len(p), dtype=bool)
    working = np.arange(len(p))
    # Differences of states and of what an interval changes, newest last, (B, DEPTH, kept).
    states = np.zeros((len(p), DEPTH, int(kept.sum())))
    changes = np.zeros_like(states)
    last_state = np.zeros((len(p), states.shape[2]))
    last_change = np.zeros_like(last_state)
    for count in range(MOST_INTERVALS):
        runs = kernel.solve(
            p[working], y[working], intervals, which[working],
            max(TIGHTER * rtol, 1e-13), TIGHTER * atol, max_steps, states=False, observables=False,
            threads=threads,
        )  # fmt: skip
        good = runs.status == 0
        gains = np.abs(runs.last - y[working])[good][:, structure.stores].max(axis=1, initial=0.0)
        working, ends = working[good], runs.last[good][:, kept]
        if not len(working):
            break
        here = y[working][:, kept]
        change = ends - here
        if count:
            slot = (count - 1) % DEPTH
            states[working, slot] = here - last_state[working]
            changes[working, slot] = change - last_change[working]
        last_state[working], last_change[working] = here, change
        size = np.maximum(np.maximum(np.abs(here), np.abs(ends)), atol[which[working]][:, kept] / rtol)
        step = _accelerated(states[working], changes[working], change, size, min(count, DEPTH))
        following = here + step
        # A negative amount is no state; the plain interval never leads to one.
        wrong = np.any(following < -1e-9 * size, axis=1)
        following[wrong] = ends[wrong]
        settled = ~wrong & np.all(np.abs(step) <= SETTLED * (rtol * size), axis=1)
        y[np.ix_(working, np.flatnonzero(kept))] = following
        # What only fills has no steady state.
        found[working[settled]] = (gains <= NOTHING * np.abs(ends).max(axis=1, initial=0.0))[settled]
        working = working[~settled]
        if not len(working):
            return SteadyStarts(y, found, count + 1)
    return SteadyStarts(y, found, MOST_INTERVALS)


def _accelerated(states: Array, changes: Array, change: Array, size: Array, depth: int) -> Array:
    """The step to where the differences of earlier intervals say that nothing changes, shape (B, kept)."""
    if depth == 0:
        return change
    scaled = changes[:, :depth] / size[:, None]
    # Least squares of `change` by the earlier changes of it, by the normal equations with a small ridge.
    gram = np.einsum("bik,bjk->bij", scaled, scaled)
    ridge = 1e-13 * np.trace(gram, axis1=1, axis2=2)[:, None, None] * np.eye(depth) + 1e-300 * np.eye(depth)
    right = np.einsum("bik,bk->bi", scaled, change / size)
    weights = np.linalg.solve(gram + ridge, right[..., None])[..., 0]
    step: Array = change - np.einsum("bi,bik->bk", weights, states[:, :depth] + changes[:, :depth])
    return step
