"""All states of a linear system, segment by segment, by eigenvectors or by the matrix exponential.

Within a segment y(s) = V exp(W s) V^-1 y(0) + V (exp(W s) - 1)/W V^-1 r, where r is what flows in. Where the
eigenvectors are nearly dependent, as for two steps of equal speed behind each other, the exponential of the
matrix itself is taken (Van Loan CF 1978, IEEE Trans Autom Control 23:395, for the part of r).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from pbpkc.solve.linear_matrices import matrices
from pbpkc.solve.linear_stretches import InputKinds
from pbpkc.solve.schedule import ADD, RATE, RESET, NotScheduled, Schedule

if TYPE_CHECKING:
    from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: What the rounding of eigenvectors may do, in parts of rtol.
SHARE_OF_RTOL = 1e-4

_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Propagator:
    """Moves B states through time while the matrices stay.

    Parameters
    ----------
    A : ndarray, shape (B, S, S)
    values, vectors, inverse : ndarray of complex
        Shapes (B, S), (B, S, S), (B, S, S).
    by_vectors : ndarray of bool, shape (B,)
        Where the eigenvectors are accurate enough.
    """

    A: Array
    values: Complex
    vectors: Complex
    inverse: Complex
    by_vectors: NDArray[np.bool_]

    def after(self, y: Array, rate: Array, since: Array) -> Array:
        """States after some times.

        Parameters
        ----------
        y, rate : ndarray, shape (B, S)
            At the beginning, and what flows in per h.
        since : ndarray, shape (T,), h
            Sorted.

        Returns
        -------
        ndarray, shape (B, T, S)
        """
        found = np.empty((len(y), len(since), y.shape[1]))
        own = self.by_vectors
        if own.any():
            found[own] = self._by_vectors(y[own], rate[own], since, own)
        for k in np.flatnonzero(~own).tolist():
            found[k] = _by_exponential(self.A[k], y[k], rate[k], since)
        return found

    def _by_vectors(self, y: Array, rate: Array, since: Array, own: NDArray[np.bool_]) -> Array:
        values = self.values[own][:, None, :]
        begin = (self.inverse[own] @ y[:, :, None])[:, None, :, 0]
        flow = (self.inverse[own] @ rate[:, :, None])[:, None, :, 0]
        times = since[None, :, None]
        x = values * times
        small = np.abs(x) < 1e-8
        held = np.where(small, times * (1.0 + 0.5 * x), np.expm1(x) / np.where(small, 1.0, values))
        modes = np.exp(x) * begin + held * flow
        return np.ascontiguousarray((modes @ self.vectors[own].transpose(0, 2, 1)).real)


def propagator(A: Array, rtol: float) -> Propagator:
    """The propagator of B matrices, shape (B, S, S)."""
    values, vectors = np.linalg.eig(A)
    values, vectors = values.astype(complex), vectors.astype(complex)
    inverse = np.zeros_like(vectors)
    accurate = np.zeros(len(A), dtype=bool)
    for k in range(len(A)):
        try:
            inverse[k] = np.linalg.inv(vectors[k])
        except np.linalg.LinAlgError:
            continue
        condition = float(np.linalg.norm(vectors[k], 1) * np.linalg.norm(inverse[k], 1))
        accurate[k] = condition * _EPS <= max(SHARE_OF_RTOL * rtol, 1e-13)
    return Propagator(A, values, vectors, inverse, accurate)


def _by_exponential(A: Array, y: Array, rate: Array, since: Array) -> Array:
    size = len(y)
    whole = np.zeros((size + 1, size + 1))
    whole[:size, :size], whole[:size, size] = A, rate
    steps = np.diff(since, prepend=0.0)
    known: dict[float, Array] = {}
    state = np.append(y, 1.0)
    found = np.empty((len(since), size))
    for k, step in enumerate(steps.tolist()):
        if step > 0.0:
            if step not in known:
                known[step] = expm(whole * step)
            state = known[step] @ state
        found[k] = state[:size]
    return found


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
    for g in range(first, last):
        y = _jumped(y, y0, schedule, g)
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


def _jumped(y: Array, y0: Array, schedule: Schedule, segment: int) -> Array:
    y = y.copy()
    for j in range(int(schedule.jumps[segment]), int(schedule.jumps[segment + 1])):
        kind = int(schedule.jump_kind[j])
        if kind == RESET:
            y = y0.copy()
        elif kind == ADD:
            y[:, int(schedule.jump_state[j])] += float(schedule.jump_value[j])
        elif kind != RATE:
            raise NotScheduled("a state is put at a value")
    return y
