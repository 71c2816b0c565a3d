"""Sine networks of time, one a branch: features phi(s) = C sin(W2 sin(w1 x + b1) + b2), less that at 0.

x is the logarithm of the time since the segment began, from 0 to 1, since a body answers on scales from
seconds to days. The two hidden layers are those of the meta-inverse PINN (arXiv 2605.03511: 1-256-256, sine).
There the 256 units themselves are the features of a state, at 200 collocation points: more features than
points, so any network fits every point, and only the pseudo-inverse's choice among the fits depends on what
was learned. Here a trained linear map C takes the units to a few features; that these few suffice is what is
learned, and a head has K unknowns a state in the place of 256.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Names of the arrays of a network.
PARTS = ("w1", "b1", "w2", "b2", "out")

#: Spread of the first layer's frequencies, in radians an element of the grid: the next doubling of time. With
#: less the units are so alike that features are differences of huge numbers; with more they swing within an
#: element, which holds a polynomial.
FREQUENCY = 0.65

#: How far the second layer bends what the first one gives, in terms of the usual start of a sine network
#: (Sitzmann 2020, NeurIPS 33:7462).
BEND = 3.0


@dataclass(frozen=True)
class Network:
    """The networks of one kind of segment.

    Parameters
    ----------
    first : float, h
        Below this time x is linear rather than logarithmic.
    length : float, h
    parts : mapping of str to array
        ``w1`` and ``b1`` (branches, H), ``w2`` (branches, H, H), ``b2`` (branches, H), ``out``
        (branches, K, H).
    """

    first: float
    length: float
    parts: Mapping[str, Array]

    def features_at(self, since: Array) -> Array:
        """Features at times since the segment began (h), shape (branches, K, m)."""
        return np.asarray(self.parts["out"] @ units(self.parts, scaled_time(since, self.first, self.length)))

    def truncated(self, count: int) -> Network:
        """The same with the first `count` features of each branch."""
        return replace(self, parts={**self.parts, "out": self.parts["out"][:, :count]})


def scaled_time(since: Array, first: float, length: float) -> Array:
    """The time since a segment began on a logarithmic scale, 0 at its beginning and 1 at its end."""
    x: Array = np.log1p(since / first) / np.log1p(length / first)
    return x


def units(parts: Mapping[str, Array], x: Array) -> Array:
    """The second layer's units at scaled times, less what they are at 0, shape (branches, H, m)."""
    hidden = np.sin(parts["w1"][..., None] * np.append(0.0, x) + parts["b1"][..., None])
    values = np.sin(parts["w2"] @ hidden + parts["b2"][..., None])
    result: Array = values[..., 1:] - values[..., :1]
    return result


def untrained(branches: int, width: int, elements: int, seed: int) -> dict[str, Array]:
    """Hidden layers with random weights, for a grid of so many elements."""
    generator = np.random.default_rng(seed)
    bound = BEND * np.sqrt(6.0 / width)
    return {
        "w1": generator.normal(0.0, FREQUENCY * elements, (branches, width)),
        "b1": generator.uniform(0.0, 2.0 * np.pi, (branches, width)),
        "w2": generator.uniform(-bound, bound, (branches, width, width)),
        "b2": generator.uniform(0.0, 2.0 * np.pi, (branches, width)),
    }
