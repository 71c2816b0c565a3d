"""Linear systems moved through time by their eigenvectors or by the matrix exponential.

With constant matrices y(s) = V exp(W s) V^-1 y(0) + V (exp(W s) - 1)/W V^-1 r, where r is what flows in.
Where the eigenvectors are nearly dependent, as for two steps of equal speed behind each other, the
exponential of the matrix itself is taken (Van Loan CF 1978, IEEE Trans Autom Control 23:395, for r).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

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

    def over(self, time: float) -> Array:
        """The matrices that lead from states to those a time later, shape (B, S, S)."""
        found = np.empty(self.A.shape)
        own = self.by_vectors
        grown = np.exp(self.values[own] * time)[:, None, :]
        found[own] = ((self.vectors[own] * grown) @ self.inverse[own]).real
        for k in np.flatnonzero(~own).tolist():
            found[k] = expm(self.A[k] * time)
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
