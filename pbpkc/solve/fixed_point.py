"""Linear algebra of a steady state: Newton's step with conserved totals kept, and stability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.solve.steady_structure import SteadyStructure

Array = NDArray[np.float64]


class Unsteady(Exception):
    """There is no steady state, or none was found: why, and what may help."""

    def __init__(self, reason: str, suggestion: str) -> None:
        super().__init__(reason)
        self.reason, self.suggestion = reason, suggestion


class NoSteadyState(Unsteady):
    """There is none, whatever is tried."""


@dataclass(frozen=True)
class Settled:
    """A steady state y (S,) with its derivatives s (k, S) by the parameters."""

    y: Array
    s: Array


@dataclass(frozen=True)
class Bordered:
    """``M x = r`` with ``W x = c`` for a matrix that is singular by exactly the conserved totals W.

    The border ``[[M, W'], [W, 0]]`` makes it regular; what it adds to the equations takes up the rounding by
    which they miss the totals.

    Parameters
    ----------
    matrix : ndarray, shape (R, R)
    structure : SteadyStructure
    size : ndarray, shape (R,)
        Size of each state: the columns are scaled by it, the rows by its inverse.
    floor : float
        Singular values below this part of the largest count as zero.
    """

    matrix: Array
    structure: SteadyStructure
    size: Array
    floor: float

    def solve(self, right: Array, totals: Array) -> Array | None:
        """The solution, shape (R,) or (R, k), for `right` alike and `totals` (Q,) or (Q, k).

        None where it is not unique and `right` is not met by what is there.
        """
        weights = self.structure.totals * self.size
        norm = np.linalg.norm(weights, axis=1, keepdims=True)
        weights = weights / norm
        rows, count = len(self.size), len(weights)
        full = np.zeros((rows + count, rows + count))
        full[:rows, :rows] = self.matrix * self.size / self.size[:, None]
        full[:rows, rows:], full[rows:, :rows] = weights.T, weights
        flat = right.reshape(rows, 1 if right.ndim == 1 else right.shape[1])
        wanted = np.concatenate((flat / self.size[:, None], totals.reshape(count, flat.shape[1]) / norm))
        left, sizes, turned = np.linalg.svd(full)
        if sizes.size == 0:
            return np.zeros_like(right)
        parts = left.T @ wanted
        small = sizes <= self.floor * sizes[0]
        if np.any(np.abs(parts[small]) > self.floor * np.abs(wanted).max(initial=0.0)):
            return None
        parts = np.where(small[:, None], 0.0, parts / np.where(small, 1.0, sizes)[:, None])
        found = (turned.T @ parts)[:rows] * self.size[:, None]
        return np.asarray(found.reshape(right.shape))

    def weakest(self) -> int:
        """The state that the equations determine least, as a place among the kept ones."""
        _, _, turned = np.linalg.svd(self.matrix * self.size / self.size[:, None])
        return int(np.argmax(np.abs(turned[-1])))


def growth(matrix: Array, totals: int, discrete: bool) -> float:
    """How fast a small deviation grows: the largest modulus (of a map) or real part (of a flow).

    As many eigenvalues as there are conserved totals are neutral and not counted.
    """
    if not matrix.size:
        return -np.inf
    values = np.linalg.eigvals(matrix)
    neutral = np.argsort(np.abs(values - 1.0 if discrete else values))[:totals]
    rest = np.delete(values, neutral)
    if not rest.size:
        return -np.inf
    return float((np.abs(rest) if discrete else rest.real).max())
