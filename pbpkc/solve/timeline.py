"""A run cut into segments in which nothing jumps.

At one time the order is reset, change (`set`), dose, then sample; rows of a data file that stand the other
way round hold, so a sample may ask for the value just before a dose.
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

    Raises
    ------
    ValueError
        If `times` are not finite, not sorted, or begin before the regimen; if `p` is missing.
    """
    base = base_inputs(inputs, p)
    if times.ndim != 1 or not np.all(np.isfinite(times)):
        raise ValueError("times must be a list of finite numbers")
    if times.size and (np.any(np.diff(times) < 0.0) or times[0] < regimen.begin):
        raise ValueError(f"times must be sorted and not before {regimen.begin!r} h, where the run begins")
    final = max([regimen.begin, *times[-1:].tolist()] + ([] if end is None else [end]))
    events = [e for e in _together(regimen.events, times) if e.time <= final]
    cuts = _cut(regimen.begin, final, events, times, order)
    return tuple(_with_inputs(cuts, regimen, inputs, state_names, base))


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


def _with_inputs(
    cuts: Sequence[tuple[float, float, list[Event], slice]],
    regimen: BoundRegimen,
    inputs: Sequence[Mapping[str, Any]],
    state_names: Sequence[str],
    base: Array,
) -> list[Segment]:
    """The segments with the inputs that the events have left."""
    ports = {i["target"]: k for k, i in enumerate(inputs) if i["kind"] == "infusion"}
    held = {i["target"]: k for k, i in enumerate(inputs) if i["kind"] == "held"}
    clocks: dict[str, list[int]] = {}
    for k, item in enumerate(inputs):
        if item["kind"] == "tad":
            clocks.setdefault(item["target"], []).append(k)
    started = [*ports.values(), *(k for places in clocks.values() for k in places)]
    count = len(regimen.names)
    u, slope = base.copy(), np.zeros(len(inputs))
    extra = np.zeros(len(state_names))
    d_rate = np.zeros((count, len(state_names)))
    d_u, d_slope = np.zeros((count, len(inputs))), np.zeros((count, len(inputs)))
    for row, name in enumerate(regimen.names):
        if name in held:
            d_u[row, held[name]] = 1.0

    active: Counter[int] = Counter()
    segments: list[Segment] = []
    for t0, t1, events, samples in cuts:
        for event in events:
            if event.kind == "reset":
                active.clear()
                u[started], slope[started] = 0.0, 0.0
                d_u[:, started] = 0.0
                for running in (extra, d_rate):
                    running[...] = 0.0
                continue
            if event.kind == "set":
                if event.species in held:  # nothing in the equations reads another one
                    k = held[event.species]
                    u[k], slope[k] = event.value, event.slope
                    d_u[:, k] = 0.0 if event.d_value is None else event.d_value
                    d_slope[:, k] = 0.0 if event.d_slope is None else event.d_slope
                continue
            if event.kind != "bolus":
                port = ports.get(state_names[event.state])
                rates, place = (extra, event.state) if port is None else (u, port)
                active[event.state] += 1 if event.kind == "start" else -1
                # Sums and differences would leave rounding behind when the last infusion stops.
                rates[place] = rates[place] + event.value if active[event.state] else 0.0
                if event.d_value is not None:
                    d_rate[:, event.state] += event.d_value
                if not active[event.state]:
                    d_rate[:, event.state] = 0.0
            if event.kind != "stop":
                for clock in clocks.get(event.species, ()):
                    u[clock], slope[clock] = 0.0, 1.0
                    d_u[:, clock] = 0.0 if event.d_time is None else -event.d_time
        segments.append(
            Segment(
                t0, t1, tuple(events), samples, u.copy(), slope.copy(),
                extra.copy() if np.any(extra) else None,
                d_rate.copy() if np.any(d_rate) else None,
                d_u.copy() if np.any(d_u) or np.any(d_slope) else None,
                d_slope.copy() if np.any(d_slope) else None,
            )
        )  # fmt: skip
        u, d_u = u + (t1 - t0) * slope, d_u + (t1 - t0) * d_slope
    return segments
