"""Features of time in which the states of a segment are written.

On a segment that begins at an event a state is

    y_i(s) = y_i(0) + scale_i * sum_k w_ik phi_bk(s),     phi_bk(0) = 0,

with s the time since the event and b the branch of the state, so the initial condition holds exactly. What
a head finds are the coefficients w.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.grid import Grid

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True)
class Basis:
    """Features of one kind of segment.

    Parameters
    ----------
    grid : Grid
    branch : array of int, shape (S,)
        Branch of each state.
    features : array, shape (branches, K, N)
        Values at the nodes of the grid, zero at the first.
    weight : array, shape (branches, N)
        Weight of the residual at the nodes: one over the square of the size that states of the branch
        have there, so that a trough counts as much as the peak.
    scale : array, shape (S,)
        Size of each state's change, in its unit.
    floor : array, shape (S,)
        Below it a nonlinear rate is continued in a straight line: 0 for states that were never negative in
        training, -inf for others. A rate such as v c / (km + c) has another solution beyond its pole at
        c = -km, which an iteration must not find.
    """

    grid: Grid
    branch: Index
    features: Array
    weight: Array
    scale: Array
    floor: Array

    @property
    def count(self) -> int:
        """Features of a branch, K."""
        return int(self.features.shape[1])

    def truncated(self, count: int) -> Basis:
        """The same with the first `count` features of each branch."""
        return Basis(self.grid, self.branch, self.features[:, :count], self.weight, self.scale, self.floor)
