"""A run of a linear system cut where its matrices change; within a stretch all that happens is superposed.

What enters a linear system adds up: the state at t is the sum of what each dose, each change of an infusion
and the state at the beginning have become by then. A reset takes all of it away; a change of a held input
that the matrices read begins a new stretch, with the state at the end of the one before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.solve.schedule import ADD, RATE, RESET, NotScheduled, Schedule

Array = NDArray[np.float64]
Places = NDArray[np.int64]

#: Columns that are no single state: the state at the beginning of the run, that at the end of the stretch
#: before, and the constant part b of the equations.
AT_START, CARRIED, OFFSET = -1, -2, -3


@dataclass(frozen=True)
class Entry:
    """One thing that enters the system.

    Parameters
    ----------
    column : int
        A state, or one of `AT_START`, `CARRIED`, `OFFSET`.
    amount : float
        In the state's unit, or (per h) the change of a rate; 1 for columns that are no state.
    time : float, h
    lasts : bool
        Whether it is a rate that goes on.
    first, last : int
        Segments that it is seen in: from `first` to before `last`.
    """

    column: int
    amount: float
    time: float
    lasts: bool
    first: int
    last: int


@dataclass(frozen=True)
class Stretch:
    """A part of a run with constant matrices.

    Parameters
    ----------
    u : ndarray, shape (K,)
        Held inputs; zero elsewhere.
    entries : tuple of Entry
    times : ndarray, shape (T,), h
        Samples.
    segments : ndarray of int, shape (T,)
        The segment of each.
    end : float, h
    end_segment : int
    """

    u: Array
    entries: tuple[Entry, ...]
    times: Array
    segments: Places
    end: float
    end_segment: int


@dataclass(frozen=True)
class InputKinds:
    """Which inputs are what.

    Parameters
    ----------
    infused : tuple of (int, int)
        (input, state) of each infusion.
    held : tuple of int
        Inputs that the matrices read.
    """

    infused: tuple[tuple[int, int], ...]
    held: tuple[int, ...]


def stretches(schedule: Schedule, run: int, kinds: InputKinds, states: int) -> tuple[Stretch, ...]:
    """One run as stretches, in order of time.

    Parameters
    ----------
    schedule : Schedule
    run : int
    kinds : InputKinds
    states : int
        S.

    Raises
    ------
    NotScheduled
        If a held input runs on a line, or something happens that is not superposed.
    """
    first, last = int(schedule.segments[run]), int(schedule.segments[run + 1])
    held = list(kinds.held)
    if held and np.any(schedule.slope[first:last, held]):
        raise NotScheduled("a coefficient changes while time runs")
    rates = np.zeros(states)
    found: list[Stretch] = []
    begun = first
    entries: list[Entry] = [
        Entry(AT_START, 1.0, float(schedule.t0[first]), False, first, last),
        Entry(OFFSET, 1.0, float(schedule.t0[first]), True, first, last),
    ]
    for g in range(first, last):
        time = float(schedule.t0[g])
        if g > begun and not np.array_equal(schedule.u[g, held], schedule.u[begun, held]):
            found.append(_stretch(schedule, begun, g, entries, held))
            begun, rates = g, np.zeros(states)
            entries = [
                Entry(CARRIED, 1.0, time, False, g, last),
                Entry(OFFSET, 1.0, time, True, g, last),
            ]
        for j in range(int(schedule.jumps[g]), int(schedule.jumps[g + 1])):
            kind, state = int(schedule.jump_kind[j]), int(schedule.jump_state[j])
            if kind == RESET:
                entries = [_until(e, g) for e in entries]
                entries.append(Entry(AT_START, 1.0, time, False, g, last))
                entries.append(Entry(OFFSET, 1.0, time, True, g, last))
                rates = np.zeros(states)
            elif kind == RATE:
                continue  # of derivatives alone
            elif kind == ADD:
                entries.append(Entry(state, float(schedule.jump_value[j]), time, False, g, last))
            else:
                raise NotScheduled("a state is put at a value")
        now = np.zeros(states) if schedule.extra is None else schedule.extra[g].copy()
        for k, state in kinds.infused:
            now[state] += schedule.u[g, k]
        for state in np.flatnonzero(now != rates).tolist():
            entries.append(Entry(state, float(now[state] - rates[state]), time, True, g, last))
        rates = now
    found.append(_stretch(schedule, begun, last, entries, held))
    return tuple(found)


def _until(entry: Entry, segment: int) -> Entry:
    last = min(entry.last, segment)
    return Entry(entry.column, entry.amount, entry.time, entry.lasts, entry.first, last)


def _stretch(schedule: Schedule, begun: int, end: int, entries: list[Entry], held: list[int]) -> Stretch:
    u = np.zeros(schedule.u.shape[1])
    u[held] = schedule.u[begun, held]
    counts = np.diff(schedule.samples[begun : end + 1])
    return Stretch(
        u=u,
        entries=tuple(e for e in entries if e.last > e.first),
        times=schedule.times[schedule.samples[begun] : schedule.samples[end]],
        segments=np.repeat(np.arange(begun, end), counts),
        end=float(schedule.t1[end - 1]),
        end_segment=end - 1,
    )
