"""Branches: states with similar dynamics, which share features.

The similarity of two states is that of their normalised changes over the training tasks; states are joined
from the most similar pair upwards (average linkage). How many branches there should be is not read off the
tree: it is tried, on held-out solves (`selection`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from pbpkc.engines.mipinn.snapshots import Snapshot

Array = NDArray[np.float64]
Index = NDArray[np.intp]

#: Tasks whose curves are compared; more change the distances in the third digit.
COMPARED = 40


def dissimilarity(snapshots: Sequence[Snapshot]) -> Array:
    """How differently states move, shape (S, S): 0 for the same shape, 1 for unrelated ones.

    Parameters
    ----------
    snapshots : sequence of Snapshot
        All of one kind; a state that never moves is unrelated to all others.
    """
    chosen = snapshots[:COMPARED]
    # Nodes are dense where a body answers fast, so every time scale has its say.
    curves = []
    for one in chosen:
        change = (one.values - one.y0).T
        size = np.linalg.norm(change, axis=1, keepdims=True)
        curves.append(np.divide(change, size, out=np.zeros_like(change), where=size > 0.0))
    table = np.concatenate(curves, axis=1) / np.sqrt(len(chosen))
    likeness = np.abs(table @ table.T)
    distance = np.clip(1.0 - likeness, 0.0, 1.0)
    np.fill_diagonal(distance, 0.0)
    return np.asarray(distance, dtype=float)


def group(distance: Array, count: int) -> Index:
    """The branch of each state, at most `count` branches, numbered in the order of the states.

    States that never move are unrelated to all others, would take a branch each, and need none: they join
    the first one.
    """
    states = len(distance)
    if count >= states:
        return np.arange(states, dtype=np.intp)
    moves = np.flatnonzero((distance + np.eye(states)).min(axis=1) < 1.0)
    labels = np.zeros(states, dtype=int)
    if len(moves) > 1:
        near = squareform(distance[np.ix_(moves, moves)], checks=False)
        labels[moves] = fcluster(linkage(near, "average"), count, "maxclust")
        labels[labels == 0] = labels[moves[0]]
    first: dict[int, int] = {}
    return np.array([first.setdefault(int(label), len(first)) for label in labels], dtype=np.intp)
