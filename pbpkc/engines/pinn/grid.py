"""Where a network is asked: the stretches between doses, collocation points and samples in them.

Everything here is numpy and comes from one solve at the starting parameters: the size of each state, how
fast it relaxes, and its course, from which residuals get their weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.events import BoundRegimen
from pbpkc.infer.compiled_predictor import CompiledPredictor
from pbpkc.infer.predictor import Failure
from pbpkc.solve.reference import simulate
from pbpkc.solve.timeline import Segment, timeline

Array = NDArray[np.float64]

#: States that stay below this part of the largest one's peak are measured against it.
_NEGLIGIBLE = 1e-9


@dataclass(frozen=True)
class Grid:
    """Segments G, points T of each (collocation first, then samples, padded), states S, inputs K.

    Parameters
    ----------
    begin, length, short : array, shape (G,), h
        Where a segment begins, how long it is, and the time from which its logarithmic clock runs.
    since : array, shape (G, T), h
        Points, from the beginning of their segment.
    collocation : int
        How many of the T are collocation points; the last of them is the segment's end.
    jump : array, shape (G, S)
        What boluses add at the beginning of a segment.
    extra : array, shape (G, S)
        Infusions that are no input.
    u : array, shape (G, T, K)
    fixed : array of bool, shape (S,)
        States whose initial value the regimen gives; `initial` has it.
    initial : array, shape (S,)
    scale : array, shape (S,)
        Peak of each state.
    rate : array, shape (G, C, S), 1/h
        How fast a state relaxes at the collocation points.
    course : array, shape (G, C, S)
        |state| over its peak, there.
    totals : array, shape (Q, S)
        What the equations conserve, each total divided by its size.
    known : array, shape (G, C, Q)
        Its value at the collocation points, less that of the state before the first dose: known without a
        network, since doses alone change it.
    sample_segment, sample_point : array of int, shape (n,)
        Where each observation stands.
    """

    begin: Array
    length: Array
    short: Array
    since: Array
    collocation: int
    jump: Array
    extra: Array
    u: Array
    fixed: NDArray[np.bool_]
    initial: Array
    scale: Array
    rate: Array
    course: Array
    totals: Array
    known: Array
    sample_segment: NDArray[np.int64]
    sample_point: NDArray[np.int64]


def grid(predictor: CompiledPredictor, p: Array, points: int) -> Grid | Failure:
    """The points of one subject.

    Parameters
    ----------
    predictor : CompiledPredictor
    p : array, shape (P,)
        All parameters at the start.
    points : int
        Collocation points of a segment.

    Returns
    -------
    Grid or Failure
        A failure where the doses cannot be bound, or the solver fails at the start.
    """
    compiled = predictor.compiled
    regimen = predictor.bound(p)
    if isinstance(regimen, Failure):
        return regimen
    names, inputs = compiled.state_names, compiled.manifest["inputs"]
    segments = timeline(regimen, predictor.time, inputs, names, predictor.order, p=p)
    length = np.array([s.t1 - s.t0 for s in segments])
    # The clock of a segment runs from its fastest rate, as far as a first look along the run tells it.
    coarse = [_spread(s, max(1e-5 * (s.t1 - s.t0), 1e-12), points) for s in segments]
    first = _look(predictor, p, regimen, segments, coarse)
    if isinstance(first, Failure):
        return first
    fastest = np.array([rate.max(initial=1e-12) for rate in first[1]])
    short = np.clip(1.0 / fastest, 1e-5 * length, 1e-1 * length)
    fine = [_spread(s, float(c), points) for s, c in zip(segments, short, strict=True)]
    seen = _look(predictor, p, regimen, segments, fine)
    if isinstance(seen, Failure):
        return seen
    states, rates = (np.stack(part) for part in seen)
    peak = np.abs(states).max(axis=(0, 1))
    scale = np.maximum(peak, _NEGLIGIBLE * max(float(peak.max()), 1e-300))

    most = max([s.samples.stop - s.samples.start for s in segments])
    since = np.zeros((len(segments), points + most))
    u = np.zeros((*since.shape, len(inputs)))
    where = np.zeros((2, len(predictor.time)), dtype=np.int64)
    for g, segment in enumerate(segments):
        taken = predictor.time[segment.samples] - segment.t0
        since[g, :points] = fine[g]
        since[g, points : points + len(taken)] = taken
        u[g] = segment.inputs_at(segment.t0 + since[g])
        where[0, segment.samples] = g
        where[1, segment.samples] = points + np.arange(len(taken))
    before = np.asarray(compiled.initial_state(p), dtype=float)
    for start in regimen.starts:
        before[start.state] = start.value
    totals, known = _conserved(compiled.manifest["conserved"], names, states - before)
    fixed, initial = np.zeros(len(names), dtype=bool), np.zeros(len(names))
    for start in regimen.starts:
        fixed[start.state], initial[start.state] = True, start.value
    return Grid(
        begin=np.array([s.t0 for s in segments]),
        length=length,
        short=np.where(length > 0.0, short, 1.0),
        since=since,
        collocation=points,
        jump=np.stack([_jump(s, len(names)) for s in segments]),
        extra=np.stack([np.zeros(len(names)) if s.extra is None else s.extra for s in segments]),
        u=u,
        fixed=fixed,
        initial=initial,
        scale=scale,
        rate=rates,
        course=np.abs(states) / scale,
        totals=totals,
        known=known,
        sample_segment=where[0],
        sample_point=where[1],
    )


def _spread(segment: Segment, short: float, points: int) -> Array:
    """Times since the beginning of a segment, even on a logarithmic clock, the last one at its end."""
    length = segment.t1 - segment.t0
    if length <= 0.0:
        return np.zeros(points)
    even = (np.arange(points) + 0.5) / (points - 0.5)
    found: Array = short * np.expm1(even * np.log1p(length / short))
    found[-1] = length
    return found


def _look(
    predictor: CompiledPredictor,
    p: Array,
    regimen: BoundRegimen,
    segments: tuple[Segment, ...],
    since: list[Array],
) -> tuple[list[Array], list[Array]] | Failure:
    """States (T, S) and relaxation rates (T, S) of each segment at times since its beginning."""
    compiled = predictor.compiled
    # The end of a segment is before the dose there, so it is asked a rounding error earlier.
    times = np.concatenate([s.t0 + np.minimum(d, (s.t1 - s.t0) * (1 - 1e-9))
                            for s, d in zip(segments, since, strict=True)])  # fmt: skip
    found = simulate(compiled, p, regimen, np.maximum.accumulate(times), predictor.solver)
    if not found.outcome.ok:
        return Failure(f"the solver failed at the start: {found.outcome.reason}", found.outcome.suggestion)
    rows, cols = (np.asarray(compiled.manifest["jacobian"][n]) for n in ("rows", "cols"))
    own = np.flatnonzero(rows == cols)
    states, rates, first = [], [], 0
    for segment, taken in zip(segments, since, strict=True):
        y = found.y[first : first + len(taken)]
        time = times[first : first + len(taken)]
        values = np.asarray(compiled.jacobian(time, y, p, segment.inputs_at(time)), dtype=float)
        rate = np.zeros_like(y)
        rate[:, rows[own]] = np.abs(values[:, own])
        states.append(y)
        rates.append(rate)
        first += len(taken)
    return states, rates


def _conserved(
    entries: Sequence[Mapping[str, Any]], names: Sequence[str], states: Array
) -> tuple[Array, Array]:
    """Conserved totals that doses fill, as rows over the states, and their course; both relative."""
    rows = np.zeros((len(entries), len(names)))
    place = {name: i for i, name in enumerate(names)}
    for row, entry in zip(rows, entries, strict=True):
        for name, weight in entry["weights"].items():
            row[place[name]] = float(Fraction(str(weight)))
    course = states @ rows.T
    size = np.abs(course).max(axis=(0, 1), initial=0.0)
    filled = size > 0.0
    return rows[filled] / size[filled, None], course[..., filled] / size[filled]


def _jump(segment: Segment, size: int) -> Array:
    found = np.zeros(size)
    for event in segment.events:
        if event.kind == "bolus":
            found[event.state] += event.value
    return found
