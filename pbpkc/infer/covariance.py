"""From the root of an information matrix to variances, with what is not determined kept apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: A direction whose singular value is below this fraction of the largest (columns scaled to length one)
#: is not determined. Sensitivities from a solver at rtol 1e-8 agree to about 1e-7; below that, digits of
#: the information are the solver's, not the data's.
RANK_TOLERANCE = 1e-6

#: A change of a parameter by its own size that shifts all observations together by less than this many
#: standard deviations is not noticed. Such a parameter is left out of combinations: a linear theory that
#: lets it run over a thousand times its value says nothing about the others.
NOTICED = 1e-3

# A combination counts as determined while its part along an undetermined direction is below this.
_LEAK = 1e-4


@dataclass(frozen=True)
class Spread:
    """Variances that an information matrix allows (the Cramer-Rao bound).

    Parameters
    ----------
    rank : int
        Of the information matrix.
    observed : array of bool, shape (k,)
        Parameters that the observations together depend on noticeably.
    length : array, shape (k,)
        Length of each column of the root; its square is the information on that parameter alone.
    """

    rank: int
    observed: NDArray[np.bool_]
    length: Array
    _root: Array  # (m, k)
    _determined: Array  # (k, r): directions in scaled columns, divided by their singular values
    _null: Array  # (k, k - r)

    def variances(self, weights: Array) -> Array:
        """Variances of linear combinations of the scaled parameters, nan where not determined.

        Parameters
        ----------
        weights : array, shape (m, k)
            One combination a row.

        Returns
        -------
        array, shape (m,)
        """
        rows = np.atleast_2d(np.asarray(weights, dtype=float))
        blind = (rows[:, ~self.observed] != 0.0).any(axis=1)
        scaled = np.where(self.observed, rows / np.where(self.observed, self.length, 1.0), 0.0)
        size = np.linalg.norm(scaled, axis=1)
        leak = np.linalg.norm(scaled @ self._null, axis=1) > _LEAK * size
        variance = np.sum((scaled @ self._determined) ** 2, axis=1)
        return np.where(blind | leak, np.nan, variance)

    def marginal_information(self, indices: NDArray[np.int64]) -> Array:
        """Information on some observed parameters with all others left free (the Schur complement).

        Parameters
        ----------
        indices : array of int, shape (w,)

        Returns
        -------
        array, shape (w, w)
        """
        others = np.setdiff1d(np.flatnonzero(self.observed), indices)
        columns = self._root[:, indices]
        if len(others):
            u, values, _ = np.linalg.svd(self._root[:, others] / self.length[others], full_matrices=False)
            basis = u[:, values > RANK_TOLERANCE * values[0]]
            columns = columns - basis @ (basis.T @ columns)
        information: Array = columns.T @ columns
        return information

    def covariance(self) -> Array:
        """Covariance matrix, shape (k, k); rows and columns of undetermined parameters are nan."""
        k = len(self.length)
        unit = np.eye(k)
        scaled = np.where(self.observed, unit / np.where(self.observed, self.length, 1.0), 0.0)
        directions = scaled @ self._determined
        matrix: Array = directions @ directions.T
        lost = ~np.isfinite(self.variances(unit))
        matrix[lost, :] = np.nan
        matrix[:, lost] = np.nan
        return matrix


def spread(root: Array, size: Array) -> Spread:
    """Variances for the root of an information matrix.

    Parameters
    ----------
    root : array, shape (m, k)
        R with R'R the information on the scaled parameters.
    size : array, shape (k,)
        What counts as a change of one in each parameter: 1 on a log scale, the parameter's own size on a
        natural one. It decides whether a parameter counts as observed at all.

    Returns
    -------
    Spread
    """
    k = root.shape[1]
    length = np.linalg.norm(root, axis=0)
    observed = length * size > NOTICED
    scaled = root[:, observed] / length[observed]
    if not observed.any():
        return Spread(0, observed, length, root, np.zeros((k, 0)), np.zeros((k, 0)))
    _, values, directions = np.linalg.svd(scaled, full_matrices=True)
    kept = values > RANK_TOLERANCE * values[0]
    rank = int(np.count_nonzero(kept))
    full = np.zeros((k, int(observed.sum())))
    full[observed] = directions.T
    return Spread(rank, observed, length, root, full[:, :rank] / values[:rank], full[:, rank:])
