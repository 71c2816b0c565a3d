"""What happens to many subjects, as flat arrays: segments, jumps and samples, for a compiled loop.

Subjects that are dosed alike share a schedule. What a schedule cannot say (a steady state of doses, which is
an equation to solve) is refused with a reason, and the caller takes the reference solver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.solve.timeline import Segment

Array = NDArray[np.float64]
Places = NDArray[np.int64]

#: Kinds of jumps: an amount is added to a state; all states are as at the start.
ADD, RESET = 0, 1


class NotScheduled(Exception):
    """Why a run cannot be written as flat arrays; `reason` completes "the kernel cannot run it: ..."."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Schedule:
    """One or more runs as flat arrays.

    Parameters
    ----------
    segments : ndarray of int, shape (runs + 1,)
        The first segment of each run.
    t0, t1 : ndarray, shape (G,), h
    u, slope : ndarray, shape (G, K)
        Inputs at `t0`, and how they go on.
    extra : ndarray, shape (G, S), or None
        Infusions into states without an input of their own.
    jumps : ndarray of int, shape (G + 1,)
        The first jump of each segment.
    jump_kind, jump_state : ndarray of int, shape (J,)
    jump_value : ndarray, shape (J,)
    samples : ndarray of int, shape (G + 1,)
        The first sample of each segment.
    times : ndarray, shape (N,), h
        Of the samples.
    """

    segments: Places
    t0: Array
    t1: Array
    u: Array
    slope: Array
    extra: Array | None
    jumps: Places
    jump_kind: Places
    jump_state: Places
    jump_value: Array
    samples: Places
    times: Array

    @property
    def runs(self) -> int:
        """How many there are."""
        return len(self.segments) - 1

    def sample_counts(self) -> Places:
        """Samples of each run, shape (runs,)."""
        ends = self.samples[self.segments]
        return np.diff(ends)


def schedule(runs: Sequence[tuple[Sequence[Segment], Array]], states: int, inputs: int) -> Schedule:
    """Runs as flat arrays.

    Parameters
    ----------
    runs : sequence of (segments, times)
        Of `timeline`, and the sampling times it was given, shape (T,).
    states, inputs : int
        S and K.

    Raises
    ------
    NotScheduled
        For a steady state of doses.
    """
    segments, jumps, samples = [0], [0], [0]
    t0: list[float] = []
    t1: list[float] = []
    u: list[Array] = []
    slope: list[Array] = []
    extra: list[Array | None] = []
    kinds: list[int] = []
    places: list[int] = []
    values: list[float] = []
    times: list[Array] = []
    for parts, sampled in runs:
        for part in parts:
            t0.append(part.t0)
            t1.append(part.t1)
            u.append(part.u)
            slope.append(part.slope)
            extra.append(part.extra)
            for event in part.events:
                if event.kind == "steady":
                    raise NotScheduled("a dose is given at steady state")
                if event.kind == "reset":
                    kinds.append(RESET)
                    places.append(0)
                    values.append(0.0)
                elif event.kind == "bolus":
                    kinds.append(ADD)
                    places.append(event.state)
                    values.append(event.value)
            jumps.append(len(kinds))
            samples.append(samples[-1] + part.samples.stop - part.samples.start)
        times.append(np.asarray(sampled, dtype=float))
        segments.append(len(t0))
    some = any(e is not None for e in extra)
    none = np.zeros(states)
    return Schedule(
        segments=np.array(segments, dtype=np.int64),
        t0=np.array(t0),
        t1=np.array(t1),
        u=np.array(u).reshape(len(t0), inputs),
        slope=np.array(slope).reshape(len(t0), inputs),
        extra=np.array([none if e is None else e for e in extra]) if some else None,
        jumps=np.array(jumps, dtype=np.int64),
        jump_kind=np.array(kinds, dtype=np.int64),
        jump_state=np.array(places, dtype=np.int64),
        jump_value=np.array(values),
        samples=np.array(samples, dtype=np.int64),
        times=np.concatenate(times) if times else np.zeros(0),
    )
