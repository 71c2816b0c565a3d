"""The steady state of doses to a linear system, in closed form.

One interval leads from y to F y + r, so the steady state is (I - F)^-1 r; with constant infusions it is
-A^-1 r. It is sought in the states that something reads; what only receives stays as it was at the start, and
so do totals that nothing changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pbpkc.solve.linear_matrices import matrices
from pbpkc.solve.linear_modes import propagator
from pbpkc.solve.linear_stretches import InputKinds
from pbpkc.solve.schedule import SteadyDoses
from pbpkc.solve.steady_structure import steady_structure

if TYPE_CHECKING:
    from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]

#: A mode that decays by less than this over an interval leads to no steady state.
_STORES = 1e-9


def steady_states(
    compiled: CompiledModel, kinds: InputKinds, p: Array, start: Array, reached: SteadyDoses, rtol: float
) -> Array:
    """The states of B subjects when steady doses take the place of what is there, or what they add.

    Parameters
    ----------
    compiled : CompiledModel
        Linear and time-invariant between events.
    kinds : InputKinds
    p : ndarray, shape (B, P), canonical units
    start : ndarray, shape (B, S)
        At the beginning of the run.
    reached : SteadyDoses
    rtol : float

    Returns
    -------
    ndarray, shape (B, S)
        nan for a subject that has no steady state.
    """
    found = _settled(compiled, kinds, p, start, reached, rtol)
    if not reached.doses.adds:
        return found
    left = steady_structure(compiled.manifest).left
    more = found - resting_states(compiled, kinds, p, start, reached.u)
    more[:, left] = 0.0
    return more


def resting_states(compiled: CompiledModel, kinds: InputKinds, p: Array, start: Array, u: Array) -> Array:
    """The steady states without doses, with what is held, shape (B, S)."""
    structure = steady_structure(compiled.manifest)
    A, b = matrices(compiled, p, u)
    kept = structure.kept
    found = start.copy()
    found[:, kept] = _solved(-A[:, kept][:, :, kept], b[:, kept], structure.totals, start[:, kept])
    return found


def _settled(
    compiled: CompiledModel, kinds: InputKinds, p: Array, start: Array, reached: SteadyDoses, rtol: float
) -> Array:
    doses, structure = reached.doses, steady_structure(compiled.manifest)
    kept = structure.kept
    A, b = matrices(compiled, p, reached.u)
    rate = b.copy()
    for one in doses.running:
        rate[:, one.state] += one.rate
    inner = np.ascontiguousarray(A[:, kept][:, :, kept])
    found = start.copy()
    if doses.period is None:
        found[:, kept] = _solved(-inner, rate[:, kept], structure.totals, start[:, kept])
        return found
    good = np.all(np.isfinite(inner), axis=(1, 2)) & np.all(np.isfinite(rate), axis=1)
    found[:, kept] = np.nan
    if not good.any():
        return found
    moves, rate = propagator(inner[good], rtol), rate[good]
    y, now = np.zeros((int(good.sum()), A.shape[1])), 0.0

    def go_on(until: float) -> None:
        if until > now:
            y[:, kept] = moves.after(y[:, kept], rate[:, kept], np.array([until - now]))[:, 0]

    for event in sorted(doses.events, key=lambda e: e.place):
        go_on(event.time)
        now = max(now, event.time)
        if event.kind == "bolus":
            y[:, event.state] += event.value
        elif event.kind in ("start", "stop"):
            rate[:, event.state] += event.value
    go_on(doses.period)
    matrix = np.eye(len(kept)) - moves.over(doses.period)
    rows = np.flatnonzero(good)
    found[np.ix_(rows, kept)] = _solved(matrix, y[:, kept], structure.totals, start[good][:, kept])
    return found


def _solved(matrix: Array, right: Array, totals: Array, start: Array) -> Array:
    """Solutions (B, R) that keep the totals of the start; nan where nothing determines one."""
    found = np.full(right.shape, np.nan)
    for k in range(len(right)):
        whole, given = matrix[k], right[k]
        if len(totals):
            # What a total adds to each side is consistent with the equations, whose rank is lower by one.
            whole = np.vstack((whole, totals * np.abs(whole).max()))
            given = np.append(given, totals @ start[k] * np.abs(matrix[k]).max())
        if not (np.all(np.isfinite(whole)) and np.all(np.isfinite(given))):
            continue
        answer, _, rank, sizes = np.linalg.lstsq(whole, given, rcond=None)
        if rank == whole.shape[1] and sizes[-1] > _STORES * sizes[0]:
            found[k] = answer
    return found
