"""What happens to many subjects, as flat arrays: segments, jumps and samples, for a compiled loop.

Subjects that are dosed alike share a schedule. What a kernel cannot follow is refused with a reason, and the
caller takes the reference solver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.events import Steady
from pbpkc.solve.timeline import Segment

Array = NDArray[np.float64]
Places = NDArray[np.int64]

#: Kinds of jumps: an amount is added to a state; all states are as at the start; an infusion changes, which
#: moves derivatives alone; a steady state is reached.
ADD, RESET, RATE, STEADY = 0, 1, 2, 3


class NotScheduled(Exception):
    """Why a run cannot be written as flat arrays; `reason` completes "the kernel cannot run it: ..."."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class SteadyDoses:
    """Doses whose steady state is reached, and what is held then, u (K,)."""

    doses: Steady
    u: Array


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
    d_value, d_time : ndarray, shape (J, D), or None
        Derivatives of amounts and of their times; `d_time` is None where no time moves.
    d_rate : ndarray, shape (G, D, S), or None
        Derivatives of the infusions into each state; None where none moves.
    steady : tuple of SteadyDoses
        What jumps of the kind `STEADY` refer to by their state.
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
    d_value: Array | None = None
    d_time: Array | None = None
    d_rate: Array | None = None
    steady: tuple[SteadyDoses, ...] = ()

    @property
    def runs(self) -> int:
        """How many there are."""
        return len(self.segments) - 1

    def sample_counts(self) -> Places:
        """Samples of each run, shape (runs,)."""
        ends = self.samples[self.segments]
        return np.diff(ends)

    def first_rows(self, which: Places) -> Places:
        """The first sample of each of B subjects with these runs, and the number of all, shape (B + 1,)."""
        return np.concatenate(([0], np.cumsum(self.sample_counts()[which]))).astype(np.int64)


def schedule(
    runs: Sequence[tuple[Sequence[Segment], Array]],
    states: int,
    inputs: int,
    directions: int = 0,
    steady: bool = False,
) -> Schedule:
    """Runs as flat arrays.

    Parameters
    ----------
    runs : sequence of (segments, times)
        Of `timeline`, and the sampling times it was given, shape (T,).
    states, inputs : int
        S and K.
    directions : int
        D: how many names the regimens were bound with. With 0 derivatives are left out.
    steady : bool
        Whether steady states of doses are written down, which the linear kernel alone takes.

    Raises
    ------
    NotScheduled
        For a steady state of doses where it is not; with directions, where a clock, a held value or a reset
        moves.
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
    d_values: list[Array] = []
    d_times: list[Array] = []
    d_rates: list[Array] = []
    settled: list[SteadyDoses] = []
    for parts, sampled in runs:
        for part in parts:
            t0.append(part.t0)
            t1.append(part.t1)
            u.append(part.u)
            slope.append(part.slope)
            extra.append(part.extra)
            if directions and part.d_u is not None:
                raise NotScheduled("a clock or a held value moves with a parameter")
            d_rates.append(_padded(part.d_rate, directions, states))
            held = iter(part.held)
            for event in part.events:
                if event.steady is not None:
                    if directions or not steady:
                        raise NotScheduled("a dose is given at steady state")
                    kinds.append(STEADY)
                    places.append(len(settled))
                    values.append(0.0)
                    settled.append(SteadyDoses(event.steady, next(held).u))
                moves = directions and event.d_time is not None
                if moves and event.kind in ("reset", "set"):
                    raise NotScheduled("the time of a reset or of a change moves with a parameter")
                if event.kind in ("reset", "bolus") or (moves and event.kind in ("start", "stop")):
                    d_values.append(_padded(event.d_value, directions))
                    d_times.append(_padded(event.d_time, directions))
                if moves and event.kind in ("start", "stop"):
                    kinds.append(RATE)
                    places.append(event.state)
                    values.append(event.value)
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
        d_value=np.array(d_values).reshape(len(kinds), directions) if directions else None,
        d_time=np.array(d_times) if any(np.any(d) for d in d_times) else None,
        d_rate=np.array(d_rates) if any(np.any(d) for d in d_rates) else None,
        steady=tuple(settled),
    )


def _padded(given: Array | None, directions: int, *rest: int) -> Array:
    """Derivatives by all directions: an event that nothing moves has none."""
    full = np.zeros((directions, *rest))
    if given is not None:
        full[: len(given)] = given
    return full
