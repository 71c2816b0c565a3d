"""States and sensitivities across the events at one time.

At an event whose time depends on a parameter the state before and after move along different slopes, which
gives the jump

    s+ = s- + d(amount)/dp + (f- - f+) d(time)/dp

and at a reset, after which nothing of what was before remains, ``s+ = s(start) - f+ d(time)/dp``
(Galan S, Feehery WF, Barton PI 1999, Appl Numer Math 31:17, equation for explicit events).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.events import Event
from pbpkc.solve.equations import StateEquations
from pbpkc.solve.timeline import Segment, base_inputs

Array = NDArray[np.float64]

#: State and sensitivities in the place of those that are there.
Both = tuple[Array, Array]


def jumped(
    y: Array,
    segment: Segment,
    start: Array | None = None,
    settle: Callable[[Event, Array], Array] | None = None,
) -> Array:
    """The state after the events at the start of a segment.

    Parameters
    ----------
    y : ndarray, shape (S,)
    segment : Segment
    start : ndarray, shape (S,), optional
        What a reset brings back.
    settle : callable (event, y) -> (S,), optional
        The state of a steady state; without it one is passed over.
    """
    for event in segment.events:
        if event.kind == "reset":
            assert start is not None
            y = start
        elif event.kind == "steady" and settle is not None:
            y = settle(event, y)
        elif event.kind == "bolus":
            y = y.copy()
            y[event.state] += event.value
    return y


def jumped_with(
    states: StateEquations,
    y: Array,
    s: Array,
    before: Segment | None,
    segment: Segment,
    start: Both | None = None,
    settle: Callable[[Event, Array, Array], Both] | None = None,
) -> Both:
    """States (S,) and sensitivities (k, S) after the events at the start of a segment.

    Parameters
    ----------
    states : StateEquations
    y : ndarray, shape (S,)
    s : ndarray, shape (k, S)
        More rows than events have derivatives are by something that does not move them.
    before, segment : Segment
        The one that ends, None at the beginning, and the one that begins.
    start, settle
        As in `jumped`, with sensitivities.
    """
    if not segment.events:
        return y, s
    y, s, t = y.copy(), s.copy(), segment.t0
    inputs = states.compiled.manifest["inputs"]
    u = base_inputs(inputs, states.p) if before is None else before.inputs_at(t)
    # Running infusions are the same before and after and drop out of every difference.
    u[[k for k, item in enumerate(inputs) if item["kind"] == "infusion"]] = 0.0
    for event in segment.events:
        after_u = u.copy()
        if event.kind == "reset":
            assert start is not None
            y, s = start[0].copy(), start[1].copy()
            u[[k for k, item in enumerate(inputs) if item["kind"] == "tad"]] = 0.0
            if event.d_time is not None:
                # What was before has no part in what is after, whose infusions have all ended.
                s -= np.outer(event.d_time, states.module.rhs(t, y, states.p, u, states.c))
            continue
        if event.steady is not None:
            if settle is not None:
                y, s = settle(event, y, s)
            for clock in event.steady.clocks:
                u[_places(inputs, "tad", clock.species)] = clock.age
            continue
        kind = {"set": "held", "stop": ""}.get(event.kind, "tad")
        after_u[_places(inputs, kind, event.species)] = event.value if event.kind == "set" else 0.0
        after_y = y
        if event.kind == "bolus":
            after_y = y.copy()
            after_y[event.state] += event.value
            if event.d_value is not None:
                s[: event.d_value.size, event.state] += event.d_value
        if event.d_time is not None:
            slope = states.module.rhs(t, y, states.p, u, states.c)
            slope = slope - states.module.rhs(t, after_y, states.p, after_u, states.c)
            if event.kind in ("start", "stop"):
                slope[event.state] -= event.value
            s[: event.d_time.size] += np.outer(event.d_time, slope)
        y, u = after_y, after_u
    return y, s


def _places(inputs: Sequence[Mapping[str, Any]], kind: str, target: str) -> list[int]:
    return [k for k, item in enumerate(inputs) if item["kind"] == kind and item["target"] == target]
