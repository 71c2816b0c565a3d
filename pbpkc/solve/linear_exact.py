"""All states of a linear system, segment by segment, without a contour."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pbpkc.solve.linear_matrices import matrices
from pbpkc.solve.linear_modes import Propagator, propagator
from pbpkc.solve.linear_steady import steady_states
from pbpkc.solve.linear_stretches import InputKinds
from pbpkc.solve.schedule import ADD, RATE, RESET, STEADY, NotScheduled, Schedule

if TYPE_CHECKING:
    from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]


def exact_states(
    compiled: CompiledModel,
    kinds: InputKinds,
    p: Array,
    y0: Array,
    schedule: Schedule,
    run: int,
    rtol: float,
) -> tuple[Array, Array]:
    """States of B subjects with one schedule, at its samples and at the end.

    Parameters
    ----------
    compiled : CompiledModel
    kinds : InputKinds
    p : ndarray, shape (B, P), canonical units
    y0 : ndarray, shape (B, S)
    schedule : Schedule
    run : int
    rtol : float

    Returns
    -------
    tuple of ndarray
        Shapes (B, T, S) and (B, S); nan where a matrix has no finite entries.

    Raises
    ------
    NotScheduled
        If a held input runs on a line, or something happens that is not known here.
    """
    first, last = int(schedule.segments[run]), int(schedule.segments[run + 1])
    held = list(kinds.held)
    if held and np.any(schedule.slope[first:last, held]):
        raise NotScheduled("a coefficient changes while time runs")
    begin = int(schedule.samples[first])
    found = np.full((len(p), int(schedule.samples[last]) - begin, y0.shape[1]), np.nan)
    final = np.full(y0.shape, np.nan)
    moves: Propagator | None = None
    y, before = y0.copy(), -1

    def settled(y: Array, place: int) -> Array:
        reached = schedule.steady[place]
        found = steady_states(compiled, kinds, p, y0, reached, rtol)
        return y + found if reached.doses.adds else found

    for g in range(first, last):
        y = _jumped(y, y0, schedule, g, settled)
        if moves is None or not np.array_equal(schedule.u[g, held], schedule.u[before, held]):
            u = np.zeros(schedule.u.shape[1])
            u[held] = schedule.u[g, held]
            A, b = matrices(compiled, p, u)
            good = np.all(np.isfinite(A), axis=(1, 2)) & np.all(np.isfinite(b), axis=1)
            moves, before = propagator(A[good], rtol), g
        rate = b + (0.0 if schedule.extra is None else schedule.extra[g])
        for k, state in kinds.infused:
            rate[:, state] += schedule.u[g, k]
        inside = slice(int(schedule.samples[g]), int(schedule.samples[g + 1]))
        since = np.append(schedule.times[inside] - schedule.t0[g], schedule.t1[g] - schedule.t0[g])
        states = np.full((len(p), len(since), y.shape[1]), np.nan)
        states[good] = moves.after(y[good], rate[good], since)
        found[:, inside.start - begin : inside.stop - begin] = states[:, :-1]
        y = states[:, -1]
    final[:] = y
    return found, final


def _jumped(
    y: Array, y0: Array, schedule: Schedule, segment: int, settled: Callable[[Array, int], Array]
) -> Array:
    y = y.copy()
    for j in range(int(schedule.jumps[segment]), int(schedule.jumps[segment + 1])):
        kind = int(schedule.jump_kind[j])
        if kind == RESET:
            y = y0.copy()
        elif kind == ADD:
            y[:, int(schedule.jump_state[j])] += float(schedule.jump_value[j])
        elif kind == STEADY:
            y = settled(y, int(schedule.jump_state[j]))
        elif kind != RATE:
            raise NotScheduled("a state is put at a value")
    return y
