"""Features that nothing was learned for, as controls: what they miss is what learning is worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.basis import Basis

Array = NDArray[np.float64]


def chebyshev_basis(like: Basis, count: int, seed: int) -> Basis:
    """Chebyshev polynomials in the logarithm of time, shifted to vanish at the beginning.

    Parameters
    ----------
    like : Basis
        Gives grid, branches, weight and scale.
    count : int
    seed : int
        Not used: there is nothing random.
    """
    x = _log_time(like)
    values = np.polynomial.chebyshev.chebvander(2.0 * x - 1.0, count)[:, 1:].T
    return _same_for_all(like, values - values[:, :1])


def random_basis(like: Basis, count: int, seed: int) -> Basis:
    """Sine features sin(a x + b) of the logarithm of time with random a and b, shifted to vanish at 0."""
    generator = np.random.default_rng(seed)
    x = _log_time(like)
    a = generator.normal(0.0, 3.0, count)[:, None]
    b = generator.uniform(0.0, 2.0 * np.pi, count)[:, None]
    values = np.sin(a * x + b)
    return _same_for_all(like, values - values[:, :1])


def _log_time(like: Basis) -> Array:
    """Nodes on a logarithmic scale from 0 at the beginning to 1 at the end."""
    nodes = like.grid.nodes
    first = nodes[1]
    scaled: Array = np.log1p(nodes / first) / np.log1p(nodes[-1] / first)
    return scaled


def _same_for_all(like: Basis, values: Array) -> Basis:
    """One set of features for every branch, orthonormal in the branch's inner product."""
    grid = like.grid
    since, weights = grid.quadrature()
    at = grid.values_at(since)
    features = np.zeros((len(like.features), *values.shape))
    values = values[: len(grid.nodes) - 1]  # a short grid holds no more that differ
    for b in range(len(like.features)):
        root = np.sqrt(np.maximum(at @ like.weight[b], 0.0) * weights)
        _, triangle = np.linalg.qr((at @ values.T) * root[:, None])
        features[b, : len(values)] = np.linalg.solve(triangle.T, values)
    return Basis(grid, like.branch, features, like.weight, like.scale, like.floor)
