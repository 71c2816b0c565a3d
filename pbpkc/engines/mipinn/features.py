"""Features by singular values: the best linear basis for the snapshots of a branch.

Snapshots of the states of a branch, each divided by its own peak, are the columns of a matrix; its leading
left singular vectors in the weighted inner product of the residual are the features (proper orthogonal
decomposition; Sirovich 1987, Q Appl Math 45:561).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.basis import Basis
from pbpkc.engines.mipinn.grid import Grid
from pbpkc.engines.mipinn.snapshots import Snapshot

Array = NDArray[np.float64]
Index = NDArray[np.intp]

#: Smallest size of a state, in terms of its largest, that still counts for itself in the weight.
FLOOR = 1e-2

#: Singular values below this share of the first hold rounding.
RANK = 1e-11

#: A state that reaches less than this share of its kind's largest peak in a task has no shape there.
IDLE = 1e-10

#: A solver's rounding below zero, in terms of a state's peak.
NEGATIVE = 1e-6


def svd_basis(grid: Grid, snapshots: Sequence[Snapshot], branch: Index, count: int) -> Basis:
    """The best `count` features of each branch.

    Parameters
    ----------
    grid : Grid
    snapshots : sequence of Snapshot
        All of one kind.
    branch : array of int, shape (S,)
    count : int

    Returns
    -------
    Basis
        Branches whose snapshots have fewer independent directions have zeros for the rest.
    """
    values = np.array([s.values for s in snapshots])  # (tasks, N, S)
    start = np.array([s.y0 for s in snapshots])
    peak = np.abs(values).max(1)  # (tasks, S)
    largest = peak.max(0)
    usable = peak > IDLE * largest
    scale = np.where(largest > 0.0, np.sqrt(np.mean(peak**2, axis=0)), 1.0)
    since, weights = grid.quadrature()
    at = grid.values_at(since)
    branches = int(branch.max()) + 1
    nodes = len(grid.nodes)
    features, weight = np.zeros((branches, count, nodes)), np.ones((branches, nodes))
    with np.errstate(divide="ignore", invalid="ignore"):
        shapes = np.where(usable[:, None], values / peak[:, None], 0.0)
        change = np.where(usable[:, None], (values - start[:, None]) / peak[:, None], 0.0)
    for b in range(branches):
        states = np.flatnonzero(branch == b)
        columns = change[:, :, states].transpose(0, 2, 1).reshape(-1, nodes)
        columns = columns[np.any(columns != 0.0, axis=1)]
        if not len(columns):
            continue
        weight[b] = _weight(shapes[:, :, states])
        root = np.sqrt(np.maximum(at @ weight[b], 0.0) * weights)
        _, values_b, right = np.linalg.svd((at @ columns.T) * root[:, None], full_matrices=False)
        rank = min(count, int(np.count_nonzero(values_b > RANK * values_b[0])))
        # The vectors as combinations of snapshots are functions on all nodes, zero at the first one.
        features[b, :rank] = (right[:rank] @ columns) / values_b[:rank, None]
    floor = np.where(np.all(values >= -NEGATIVE * peak[:, None], axis=(0, 1)), 0.0, -np.inf)
    return Basis(grid, branch, features, weight, scale, floor)


def _weight(shapes: Array) -> Array:
    """One over the mean square of normalised states at the nodes, shape (N,)."""
    size = np.sqrt(np.mean(shapes**2, axis=(0, 2)))
    top = size.max()
    return np.ones_like(size) if top == 0.0 else 1.0 / np.maximum(size / top, FLOOR) ** 2


def projected(basis: Basis, snapshots: Sequence[Snapshot], states: Index) -> Array:
    """Coefficients of the best fit to snapshots, shape (tasks, len(states), K)."""
    grid = basis.grid
    since, weights = grid.quadrature()
    at = grid.values_at(since)
    change = np.array([(s.values - s.y0)[:, states].T for s in snapshots]) / basis.scale[states][:, None]
    found = np.empty((len(snapshots), len(states), basis.count))
    for place, b in enumerate(basis.branch[states].tolist()):
        phi = basis.features[b] @ at.T
        test = phi * np.maximum(at @ basis.weight[b], 0.0) * weights
        gram = test @ phi.T
        idle = np.flatnonzero(~np.any(phi, axis=1))
        gram[idle, idle] = 1.0
        found[:, place] = np.linalg.lstsq(gram, test @ (change[:, place] @ at.T).T, rcond=1e-13)[0].T
    return found
