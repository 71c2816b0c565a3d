"""A run cut into segments in which nothing jumps.

At one time the order is reset, change (`set`), steady state, dose, then sample; rows of a data file that
stand the other way round hold, so a sample may ask for the value just before a dose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pbpkc.experiment.events import SAME_TIME, BoundRegimen, Event

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Held:
    """Inputs that no dose moves, u (K,), zero elsewhere, with their derivatives d_u (k, K)."""

    u: Array
    d_u: Array


@dataclass(frozen=True)
class Segment:
    """A stretch of time with constant infusions.

    Parameters
    ----------
    t0, t1 : float, h
    events : tuple of Event
        What happens at `t0`, before the segment runs.
    samples : slice
        Which of the requested times lie in it; those at `t0` follow the events.
    u, slope : ndarray, shape (K,)
        The inputs are ``u + slope * (t - t0)``: infusions are constant, clocks (``tad``) run, what is held
        is constant or on a line.
    extra : ndarray, shape (S,), or None
        Infusions into states that have no input of their own.
    d_rate : ndarray, shape (k, S), or None
        Derivatives of the infusions by the regimen's names.
    d_u, d_slope : ndarray, shape (k, K), or None
        Derivatives at a fixed time of clocks and of what is held, and of their slopes.
    held : tuple of Held
        What is held when each steady state of `events` is reached.
    """

    t0: float
    t1: float
    events: tuple[Event, ...]
    samples: slice
    u: Array
    slope: Array
    extra: Array | None = None
    d_rate: Array | None = None
    d_u: Array | None = None
    d_slope: Array | None = None
    held: tuple[Held, ...] = ()

    def inputs_at(self, time: ArrayLike) -> Array:
        """The inputs at times of the segment, shape (..., K)."""
        since = np.asarray(time, dtype=float) - self.t0
        return self.u + since[..., None] * self.slope

    def d_inputs_at(self, time: float) -> Array | None:
        """Derivatives of the inputs at a time of the segment, shape (k, K); None where they vanish."""
        if self.d_u is None or self.d_slope is None:
            return self.d_u
        return self.d_u + (time - self.t0) * self.d_slope


def timeline(
    regimen: BoundRegimen,
    times: Array,
    inputs: Sequence[Mapping[str, Any]],
    state_names: Sequence[str],
    order: NDArray[np.int64] | None = None,
    end: float | None = None,
    p: Array | None = None,
    held: Held | None = None,
) -> tuple[Segment, ...]:
    """A run as segments, in order of time.

    Parameters
    ----------
    regimen : BoundRegimen
    times : ndarray, shape (T,), h
        Sorted, none before the regimen begins.
    inputs : sequence of mapping
        The manifest's inputs: ``kind`` (``infusion``, ``tad`` or ``held``) and ``target``.
    state_names : sequence of str
    order : ndarray, shape (T,), optional
        Row of each sample; it sees an event of its time only if that event's row is not behind it. Without
        it every sample sees all events of its time.
    end : float, optional, h
        Where the last segment ends, if that is later than the last sample.
    p : ndarray, shape (P,), canonical units
        Parameters; needed where an input is held, since it begins at its parameter's value.
    held : Held, optional
        What is held, in place of the values of the parameters.

    Raises
    ------
    ValueError
        If `times` are not finite, not sorted, or begin before the regimen; if `p` is missing.
    """
    if times.ndim != 1 or not np.all(np.isfinite(times)):
        raise ValueError("times must be a list of finite numbers")
    if times.size and (np.any(np.diff(times) < 0.0) or times[0] < regimen.begin):
        raise ValueError(f"times must be sorted and not before {regimen.begin!r} h, where the run begins")
    final = max([regimen.begin, *times[-1:].tolist()] + ([] if end is None else [end]))
    events = [e for e in _together(regimen.events, times) if e.time <= final]
    cuts = _cut(regimen.begin, final, events, times, order)
    return tuple(_with_inputs(cuts, regimen, inputs, state_names, p, held))


def base_inputs(inputs: Sequence[Mapping[str, Any]], p: Array | None) -> Array:
    """The inputs before anything happens, shape (K,): zero, and what is held at its parameter's value.

    Raises
    ------
    ValueError
        If something is held and `p` is missing.
    """
    base = np.zeros(len(inputs))
    for k, item in enumerate(inputs):
        if item["kind"] == "held":
            if p is None:
                raise ValueError(f"p is missing; it holds the value of '{item['target']}'")
            base[k] = p[item["parameter"]]
    return base


def _together(events: Sequence[Event], times: Array) -> list[Event]:
    """The events, those within rounding of a sample or of each other at one time."""
    moved: list[Event] = []
    for event in events:
        candidates = [moved[-1].time] if moved else []
        if times.size:
            near = int(np.searchsorted(times, event.time))
            candidates += [float(times[i]) for i in (near - 1, near) if 0 <= i < times.size]
        close = [c for c in candidates if abs(c - event.time) <= SAME_TIME * abs(event.time)]
        moved.append(replace(event, time=close[-1]) if close and close[-1] != event.time else event)
    return sorted(moved, key=lambda event: event.place)


def _cut(
    begin: float, final: float, events: Sequence[Event], times: Array, order: NDArray[np.int64] | None
) -> list[tuple[float, float, list[Event], slice]]:
    """Begin, end, events and samples of every segment."""
    # An event stands before a sample of the same time and row; a sample without a row comes last.
    marks: list[tuple[float, float, int, Event | None]] = [(e.time, e.order, 0, e) for e in events]
    rows = [np.inf] * times.size if order is None else order.tolist()
    marks += [(time, row, 1, None) for time, row in zip(times.tolist(), rows, strict=True)]
    marks.sort(key=lambda mark: mark[:3])

    cuts: list[tuple[float, float, list[Event], slice]] = []
    start, happening, first, sample = begin, [], 0, 0
    for time, _, _, event in marks:
        if event is None:
            sample += 1
        elif sample == first and time <= start:
            happening.append(event)
        else:
            cuts.append((start, time, happening, slice(first, sample)))
            start, happening, first = time, [event], sample
    cuts.append((start, final, happening, slice(first, sample)))
    return cuts


def held_at_start(regimen: BoundRegimen, inputs: Sequence[Mapping[str, Any]], p: Array | None) -> Held:
    """What is held when a run begins: the values of the parameters of that name."""
    d_u = np.zeros((len(regimen.names), len(inputs)))
    place = {item["target"]: k for k, item in enumerate(inputs) if item["kind"] == "held"}
    for row, name in enumerate(regimen.names):
        if name in place:
            d_u[row, place[name]] = 1.0
    return Held(base_inputs(inputs, p), d_u)


@dataclass(frozen=True)
class _Opening:
    """Clocks when a run begins: u and slope (K,), and derivatives d_u (k, K), zero for other inputs."""

    u: Array
    slope: Array
    d_u: Array


class _Inputs:
    """The inputs of a run as events leave them, with their derivatives.

    Parameters
    ----------
    regimen : BoundRegimen
    inputs, state_names
        As in `timeline`.
    held : Held
    opening : _Opening
    """

    def __init__(
        self,
        regimen: BoundRegimen,
        inputs: Sequence[Mapping[str, Any]],
        state_names: Sequence[str],
        held: Held,
        opening: _Opening,
    ) -> None:
        self.state_names = state_names
        self.ports = {i["target"]: k for k, i in enumerate(inputs) if i["kind"] == "infusion"}
        self.held = {i["target"]: k for k, i in enumerate(inputs) if i["kind"] == "held"}
        self.clocks: dict[str, list[int]] = {}
        for k, item in enumerate(inputs):
            if item["kind"] == "tad":
                self.clocks.setdefault(item["target"], []).append(k)
        self.opening = opening
        self.u, self.slope = held.u + opening.u, opening.slope.copy()
        self.d_u, self.d_slope = held.d_u + opening.d_u, np.zeros_like(held.d_u)
        self.extra = np.zeros(len(state_names))
        self.d_rate = np.zeros((len(regimen.names), len(state_names)))
        self.active: Counter[int] = Counter()
        self.reached: list[Held] = []

    def apply(self, event: Event) -> None:
        """Change what an event changes."""
        if event.kind == "set":
            if event.species in self.held:  # nothing in the equations reads another one
                k = self.held[event.species]
                self.u[k], self.slope[k] = event.value, event.slope
                self.d_u[:, k] = 0.0 if event.d_value is None else event.d_value
                self.d_slope[:, k] = 0.0 if event.d_slope is None else event.d_slope
            return
        if event.clears:
            self._clear(event)
        if event.steady is not None:
            places = list(self.held.values())
            now = Held(np.zeros_like(self.u), np.zeros_like(self.d_u))
            now.u[places], now.d_u[:, places] = self.u[places], self.d_u[:, places]
            self.reached.append(now)
            for running in event.steady.running:
                self._infuse(running.state, running.rate, running.d_rate, 1)
            for clock in event.steady.clocks:
                self._set_clock(clock.species, clock.age, clock.d_age)
        elif event.kind in ("start", "stop"):
            self._infuse(event.state, event.value, event.d_value, 1 if event.kind == "start" else -1)
        if event.gives:
            self._set_clock(event.species, 0.0, None if event.d_time is None else -event.d_time)

    def segment(self, t0: float, t1: float, events: tuple[Event, ...], samples: slice) -> Segment:
        """A segment with the inputs as they are."""
        reached, self.reached = tuple(self.reached), []
        return Segment(
            t0, t1, events, samples, self.u.copy(), self.slope.copy(),
            self.extra.copy() if np.any(self.extra) else None,
            self.d_rate.copy() if np.any(self.d_rate) else None,
            self.d_u.copy() if np.any(self.d_u) or np.any(self.d_slope) else None,
            self.d_slope.copy() if np.any(self.d_slope) else None, reached,
        )  # fmt: skip

    def go_on(self, length: float) -> None:
        """Let time pass."""
        self.u, self.d_u = self.u + length * self.slope, self.d_u + length * self.d_slope

    def _clear(self, event: Event) -> None:
        """End all infusions; clocks are as they were at the beginning."""
        self.active.clear()
        self.u[list(self.ports.values())] = 0.0
        self.extra[:] = 0.0
        self.d_rate[:] = 0.0
        places = [k for found in self.clocks.values() for k in found]
        self.u[places], self.slope[places] = self.opening.u[places], self.opening.slope[places]
        self.d_u[:, places] = self.opening.d_u[:, places]
        if event.d_time is not None:
            self.d_u[:, places] -= event.d_time[:, None] * self.slope[places]

    def _infuse(self, state: int, rate: float, d_rate: Array | None, change: int) -> None:
        port = self.ports.get(self.state_names[state])
        rates, place = (self.extra, state) if port is None else (self.u, port)
        self.active[state] += change
        # Sums and differences would leave rounding behind when the last infusion stops.
        rates[place] = rates[place] + rate if self.active[state] else 0.0
        if d_rate is not None:
            self.d_rate[:, state] += d_rate
        if not self.active[state]:
            self.d_rate[:, state] = 0.0

    def _set_clock(self, species: str, age: float, d_age: Array | None) -> None:
        for k in self.clocks.get(species, ()):
            self.u[k], self.slope[k] = age, 1.0
            self.d_u[:, k] = 0.0 if d_age is None else d_age


def _opening(
    regimen: BoundRegimen,
    inputs: Sequence[Mapping[str, Any]],
    state_names: Sequence[str],
    p: Array | None,
) -> _Opening:
    """The clocks at the end of the run before, whose infusions end with it; at rest without one."""
    if regimen.after is None:
        nothing = np.zeros(len(inputs))
        return _Opening(nothing, nothing, np.zeros((len(regimen.names), len(inputs))))
    before = regimen.after.regimen
    last = timeline(before, np.zeros(0), inputs, state_names, end=before.end, p=p)[-1]
    clocks = np.array([item["kind"] == "tad" for item in inputs], dtype=bool)
    moved = last.d_inputs_at(last.t1)
    d_u = np.zeros((len(regimen.names), len(inputs))) if moved is None else moved.copy()
    if before.d_end is not None:
        d_u += before.d_end[:, None] * last.slope
    return _Opening(
        np.where(clocks, last.inputs_at(last.t1), 0.0), np.where(clocks, last.slope, 0.0),
        np.where(clocks, d_u, 0.0),
    )  # fmt: skip


def _with_inputs(
    cuts: Sequence[tuple[float, float, list[Event], slice]],
    regimen: BoundRegimen,
    inputs: Sequence[Mapping[str, Any]],
    state_names: Sequence[str],
    p: Array | None,
    held: Held | None,
) -> list[Segment]:
    """The segments with the inputs that the events have left."""
    base = held or held_at_start(regimen, inputs, p)
    now = _Inputs(regimen, inputs, state_names, base, _opening(regimen, inputs, state_names, p))
    segments: list[Segment] = []
    for t0, t1, events, samples in cuts:
        for event in events:
            now.apply(event)
        segments.append(now.segment(t0, t1, tuple(events), samples))
        now.go_on(t1 - t0)
    return segments
