"""A run of a linear system cut where its matrices change; within a stretch all that happens is superposed.

What enters a linear system adds up: the state at t is the sum of what each dose, each change of an infusion
and the state at the beginning have become by then. A reset takes all of it away; a change of a held input
that the matrices read begins a new stretch, with the state at the end of the one before.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pbpkc.solve.schedule import ADD, RATE, RESET, STEADY, NotScheduled, Schedule, SteadyDoses

Array = NDArray[np.float64]
Places = NDArray[np.int64]

#: Columns that are no single state: the constant part b of the equations, the state at the beginning of the
#: run, that at the end of the stretch before, and (from `SETTLED` downwards) the steady states of the run.
OFFSET, AT_START, CARRIED, SETTLED = -1, -2, -3, -4


@dataclass(frozen=True)
class Entry:
    """One thing that enters the system.

    Parameters
    ----------
    column : int
        A state, or one of those above.
    amount : float
        In the state's unit, or (per h) the change of a rate; 1 for columns that are no state.
    place : int
        Its column among those of the stretch: amounts into a state that differ in sign alone share one.
    d_amount : tuple of float
        Derivatives of the amount, D of them; empty where they vanish.
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
    place: int = 0
    d_amount: tuple[float, ...] = ()

    @property
    def sign(self) -> float:
        """The amount in parts of its column's scale."""
        return -1.0 if self.amount < 0.0 else 1.0

    @property
    def d_scale(self) -> tuple[float, ...]:
        """Derivatives of its column's scale."""
        return tuple(self.sign * slope for slope in self.d_amount)


@dataclass(frozen=True)
class Stretch:
    """A part of a run with constant matrices.

    Parameters
    ----------
    u : ndarray, shape (K,)
        Held inputs; zero elsewhere.
    entries : tuple of Entry
    columns : tuple of int
        Where each column enters, as `Entry.column`.
    scale : ndarray, shape (Q,)
        How much an entry of each column is.
    d_scale : ndarray, shape (D, Q)
        Its derivatives.
    times : ndarray, shape (T,), h
        Samples.
    segments : ndarray of int, shape (T,)
        The segment of each; segments are counted from the beginning of the run.
    end : float, h
    end_segment : int
    """

    u: Array
    entries: tuple[Entry, ...]
    columns: tuple[int, ...]
    scale: Array
    d_scale: Array
    times: Array
    segments: Places
    end: float
    end_segment: int

    @property
    def form(self) -> Hashable:
        """All but amounts and held inputs: stretches of one form share their nodes and their matrix."""
        entries = tuple((e.column, e.sign, e.time, e.lasts, e.first, e.last, e.place) for e in self.entries)
        return (entries, self.times.tobytes(), self.segments.tobytes(), self.end, self.end_segment)


@dataclass(frozen=True)
class RunGroup:
    """Runs that differ in amounts and held inputs alone.

    Parameters
    ----------
    runs : ndarray of int, shape (n,)
    place : ndarray of int, shape (all runs of the schedule,)
        Where each stands in `runs`; 0 for those of other groups.
    form : tuple of Stretch
        Those of the first.
    scale : tuple of ndarray, shape (n, Q)
        For each stretch.
    u : tuple of ndarray, shape (n, K)
    d_scale : tuple of ndarray, shape (n, D, Q)
        Derivatives of `scale`; D is 0 where the schedule has none.
    steady : tuple of tuple of SteadyDoses
        The steady states of each run, in their order.
    """

    runs: Places
    place: Places
    form: tuple[Stretch, ...]
    scale: tuple[Array, ...]
    u: tuple[Array, ...]
    d_scale: tuple[Array, ...]
    steady: tuple[tuple[SteadyDoses, ...], ...]


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


def run_groups(schedule: Schedule, kinds: InputKinds, states: int) -> tuple[RunGroup, ...]:
    """The runs of a schedule by their form, in order of the first of each.

    Raises
    ------
    NotScheduled
        As `stretches`.
    """
    found: dict[Hashable, list[tuple[int, tuple[Stretch, ...]]]] = {}
    for run in range(schedule.runs):
        parts = stretches(schedule, run, kinds, states)
        found.setdefault(tuple(part.form for part in parts), []).append((run, parts))
    groups = []
    for members in found.values():
        runs = np.array([run for run, _ in members], dtype=np.int64)
        place = np.zeros(schedule.runs, dtype=np.int64)
        place[runs] = np.arange(len(runs))
        count = range(len(members[0][1]))
        groups.append(
            RunGroup(
                runs, place, members[0][1],
                tuple(np.array([parts[k].scale for _, parts in members]) for k in count),
                tuple(np.array([parts[k].u for _, parts in members]) for k in count),
                tuple(np.array([parts[k].d_scale for _, parts in members]) for k in count),
                tuple(_steady_of(schedule, run) for run, _ in members),
            )
        )  # fmt: skip
    return tuple(groups)


def _some(derivatives: Array) -> tuple[float, ...]:
    """Derivatives, none where all vanish."""
    found = tuple(derivatives.tolist())
    return found if any(found) else ()


def _steady_of(schedule: Schedule, run: int) -> tuple[SteadyDoses, ...]:
    jumps = slice(*(int(schedule.jumps[schedule.segments[run + k]]) for k in (0, 1)))
    places = schedule.jump_state[jumps][schedule.jump_kind[jumps] == STEADY]
    return tuple(schedule.steady[k] for k in places.tolist())


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
    begun, length, settled = 0, last - first, 0
    none = d_rates = np.zeros((0 if schedule.d_rate is None else schedule.d_rate.shape[1], states))
    entries = [
        Entry(AT_START, 1.0, float(schedule.t0[first]), False, 0, length),
        Entry(OFFSET, 1.0, float(schedule.t0[first]), True, 0, length),
    ]
    for g in range(length):
        time, now_held = float(schedule.t0[first + g]), schedule.u[first + g, held]
        if g > begun and not np.array_equal(now_held, schedule.u[first + begun, held]):
            found.append(_stretch(schedule, first, begun, g, entries, held))
            begun, rates, d_rates = g, np.zeros(states), none
            entries = [Entry(CARRIED, 1.0, time, False, g, length), Entry(OFFSET, 1.0, time, True, g, length)]
        for j in range(int(schedule.jumps[first + g]), int(schedule.jumps[first + g + 1])):
            kind, state = int(schedule.jump_kind[j]), int(schedule.jump_state[j])
            if kind == RESET:
                entries = [replace(e, last=min(e.last, g)) for e in entries]
                entries.append(Entry(AT_START, 1.0, time, False, g, length))
                entries.append(Entry(OFFSET, 1.0, time, True, g, length))
                rates, d_rates = np.zeros(states), none
            elif kind == STEADY:
                if not schedule.steady[state].doses.adds:
                    entries = [replace(e, last=min(e.last, g)) for e in entries]
                    entries.append(Entry(OFFSET, 1.0, time, True, g, length))
                    rates, d_rates = np.zeros(states), none
                entries.append(Entry(SETTLED - settled, 1.0, time, False, g, length))
                settled += 1
            elif kind == ADD:
                amount = float(schedule.jump_value[j])
                slopes = () if schedule.d_value is None else _some(schedule.d_value[j])
                entries.append(Entry(state, amount, time, False, g, length, d_amount=slopes))
            elif kind != RATE:  # which is of derivatives alone
                raise NotScheduled("a state is put at a value")
        now = np.zeros(states) if schedule.extra is None else schedule.extra[first + g].copy()
        for k, state in kinds.infused:
            now[state] += schedule.u[first + g, k]
        d_now = none if schedule.d_rate is None else schedule.d_rate[first + g]
        for state in np.flatnonzero((now != rates) | np.any(d_now != d_rates, axis=0)).tolist():
            slopes = tuple((d_now[:, state] - d_rates[:, state]).tolist())
            amount = float(now[state] - rates[state])
            entries.append(
                Entry(state, amount, time, True, g, length, d_amount=slopes if any(slopes) else ())
            )
        rates, d_rates = now, d_now
    found.append(_stretch(schedule, first, begun, length, entries, held))
    return tuple(found)


def _stretch(
    schedule: Schedule, first: int, begun: int, end: int, entries: list[Entry], held: list[int]
) -> Stretch:
    u = np.zeros(schedule.u.shape[1])
    u[held] = schedule.u[first + begun, held]
    counts = np.diff(schedule.samples[first + begun : first + end + 1])
    places: dict[tuple[int, float, tuple[float, ...]], int] = {}
    kept = [
        replace(e, place=places.setdefault((e.column, abs(e.amount), e.d_scale), len(places)))
        for e in entries
        if e.last > e.first
    ]
    directions = 0 if schedule.d_value is None else schedule.d_value.shape[1]
    d_scale = np.array([slopes or (0.0,) * directions for _, _, slopes in places])
    return Stretch(
        u=u,
        entries=tuple(kept),
        columns=tuple(column for column, _, _ in places),
        scale=np.array([amount for _, amount, _ in places]),
        d_scale=d_scale.reshape(len(places), directions).T,
        times=schedule.times[schedule.samples[first + begun] : schedule.samples[first + end]],
        segments=np.repeat(np.arange(begun, end), counts),
        end=float(schedule.t1[first + end - 1]),
        end_segment=end - 1,
    )
