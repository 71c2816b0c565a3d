"""Where the training of a network begins, and the measure in which it moves.

What a least-squares head sees of a feature is its value and, with more weight, its slope. The units of a sine
network are far from orthonormal in that measure, so a small step of their weights or of a plain output map is
a large step of the residual, and Adam does not get anywhere (at a rate of 1e-4 the residual of whole-body
paracetamol rises by five orders in six steps). So the output map is C V with V a fixed map that makes the
units orthonormal, values and slopes together, and C what is trained; and every other group of weights gets
the rate at which it moves the features as far as C does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.basis import Basis
from pbpkc.engines.mipinn.grid import FIRST, Grid
from pbpkc.engines.mipinn.network.sine import scaled_time, units, untrained

Array = NDArray[np.float64]

#: Directions of the units below this share of the largest are left out: they hold cancellation.
RANK = 1e-8

#: Size of the trial step that measures how far a group of weights moves the features.
TRIAL = 1e-7

#: Rate of the trunks' weights in terms of that of the output map: a step of Adam is a step of all weights of
#: a unit in one direction, which random signs do not show.
TRUNK = 0.1


@dataclass(frozen=True)
class Start:
    """A network at the beginning of its training.

    Parameters
    ----------
    first : float, h
        Where the logarithmic time of the network begins.
    parts : mapping of str to array
        ``w1``, ``b1``, ``w2``, ``b2`` of the hidden layers, and ``c``, shape (branches, K, R).
    whitening : array, shape (branches, R, H)
        V: makes the units orthonormal.
    rates : mapping of str to array
        Factor on the learning rate of each part: a number, and of ``c`` shape (branches, K, 1).
    """

    first: float
    parts: Mapping[str, Array]
    whitening: Array
    rates: Mapping[str, Array]

    @property
    def count(self) -> int:
        """Features of a branch, K."""
        return int(self.parts["c"].shape[1])


def begin(
    like: Basis, carried: Array, diagonal: Array, count: int, width: int, seed: int, projected: bool
) -> Start:
    """A network whose output map is the best fit to other features, or random.

    Parameters
    ----------
    like : Basis
        Grid, branches, weight; with `projected` its features are what the network begins at.
    carried : array, shape (branches, count)
        What each of its features carries of the trajectories, typically; 0 where there is none.
    diagonal : array, shape (S,), 1/h
        Rate at which each state forgets, typically: its slopes count in terms of that.
    count : int
        Features of a branch; fewer where the units have fewer directions.
    width, seed : int
    projected : bool
    """
    grid = like.grid
    # Twice as fine as the grid on which features are held: else the units, of which there may be more than
    # nodes, fit these and swing in between.
    fine = Grid(grid.edges, 2 * grid.degree)
    # The fastest time scale: before it nothing happens that would need a finer view.
    first = float(grid.edges[1]) / FIRST
    x = scaled_time(fine.nodes, first, grid.length)
    branches = len(like.features)
    parts = untrained(branches, width, grid.elements, seed)
    seen = _seen(like, fine, diagonal)
    wanted = like.features @ grid.values_at(fine.nodes).T
    white, maps = [], []
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    for b, unit in enumerate(units(parts, x)):
        left, size, right = np.linalg.svd(seen[b] @ unit.T, full_matrices=False)
        rank = int(np.count_nonzero(size > RANK * size[0]))
        white.append(right[:rank] / size[:rank, None])
        # Random directions fill up what the features leave, in projection or altogether.
        fill = generator.standard_normal((rank, count))
        if projected:
            known = wanted[b][np.any(wanted[b] != 0.0, axis=1)]
            fill = np.concatenate([left[:, :rank].T @ (seen[b] @ known.T), fill], axis=1)[:, :count]
        maps.append(np.linalg.qr(fill)[0].T)
    rank = max(map(len, white))
    count = min(map(len, maps))
    parts["c"] = np.array([_wide(c[:count], rank) for c in maps])
    whitening = np.array([np.concatenate([v, np.zeros((rank - len(v), width))]) for v in white])
    least = np.array([row[row > 0.0].min(initial=np.inf) for row in carried])[:, None]
    share = np.ones((branches, count, 1))
    if projected:
        carries = carried[:, :count] > 0.0
        share[carries, 0] = np.minimum(least / np.maximum(carried, 1e-300), 1.0)[:, :count][carries]
    return Start(first, parts, whitening, _rates(parts, whitening, x, seen, share, seed))


def _seen(like: Basis, fine: Grid, diagonal: Array) -> Array:
    """What takes values at the nodes of a grid to weighted values and slopes, shape (branches, 2 Q, N)."""
    since, weights = fine.quadrature()
    at, slope = fine.values_at(since), fine.slopes_at(since)
    found = []
    for b in range(len(like.features)):
        weight = like.grid.values_at(since) @ like.weight[b]
        root = np.sqrt(np.maximum(weight, 0.0) * weights)[:, None]
        forgets = float(diagonal[like.branch == b].min()) + 4.0 / like.grid.length
        found.append(np.concatenate([at * root, slope * root / forgets]))
    return np.array(found)


def _wide(c: Array, rank: int) -> Array:
    return np.concatenate([c, np.zeros((len(c), rank - c.shape[1]))], axis=1)


def _rates(
    parts: Mapping[str, Array], whitening: Array, x: Array, seen: Array, share: Array, seed: int
) -> dict[str, Array]:
    """Rates at which every part moves the trajectories alike.

    A change of a feature counts as much as what the feature carries, so the rate of a row of ``c`` is in
    inverse proportion to that, and 1 for the least of a branch.
    """
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))

    def features(changed: Mapping[str, Array]) -> Array:
        return np.asarray(changed["c"] @ whitening @ units(changed, x))

    here = features(parts)
    moves = {}
    for name, value in parts.items():
        step = TRIAL * generator.choice([-1.0, 1.0], value.shape) * (share if name == "c" else 1.0)
        change = (features({**parts, name: value + step}) - here) / share
        moves[name] = float(np.linalg.norm(change @ np.swapaxes(seen, 1, 2)))
    found = {n: np.array(TRUNK * moves["c"] / move if move > 0.0 else 0.0) for n, move in moves.items()}
    return {**found, "c": share}
