"""What a head needs of a segment that does not depend on parameters, computed once for all subjects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.basis import Basis
from pbpkc.engines.mipinn.structure import Structure

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True)
class SegmentPlan:
    """Features and their integrals over a whole trained segment, for the states of a `Structure`.

    A shorter segment is solved on the whole length all the same and used up to its end: what would have come
    after the event that ends it does not act back. On a part of the length the features would hardly be
    independent.

    Parameters
    ----------
    length : float, h
    since : array, shape (Q,)
        Quadrature points, h since the segment began.
    scale, floor : array, shape (n,)
        As in `Basis`.
    phi : array, shape (n, K, Q)
        Features of each state at the quadrature points.
    slope : array, shape (n, K, Q)
        Their derivatives, 1/h.
    test : array, shape (n, K, Q)
        Test functions times quadrature weight: their product with a residual is its projection.
    root : array, shape (n, Q)
        Square root of quadrature weight times the weight of the basis.
    mass : array, shape (n, K)
        Projection of 1.
    stiffness : array, shape (n, K, K)
        Projection of the derivatives.
    coupling : array, shape (E, K, K)
        Projection, by the test functions of `structure.rows`, of the features of `structure.cols`.
    """

    structure: Structure
    length: float
    since: Array
    scale: Array
    floor: Array
    phi: Array
    slope: Array
    test: Array
    root: Array
    mass: Array
    stiffness: Array
    coupling: Array
    basis: Basis

    def features_at(self, since: Array) -> Array:
        """Features at other times, shape (n, K, m)."""
        branch = self.basis.branch[self.structure.states]
        values: Array = (self.basis.features @ self.basis.grid.values_at(since).T)[branch]
        return values

    def slopes_at(self, since: Array) -> Array:
        """Their derivatives at other times, shape (n, K, m), 1/h."""
        branch = self.basis.branch[self.structure.states]
        values: Array = (self.basis.features @ self.basis.grid.slopes_at(since).T)[branch]
        return values


def segment_plan(basis: Basis, structure: Structure) -> SegmentPlan:
    """Features and integrals of a segment."""
    grid = basis.grid
    branch = basis.branch[structure.states]
    since, weights = grid.quadrature()
    at, slope_at = grid.values_at(since), grid.slopes_at(since)
    phi = basis.features @ at.T
    slope = basis.features @ slope_at.T
    weight = np.maximum(basis.weight @ at.T, 0.0) * weights
    test = phi * weight[:, None, :]
    mass = test.sum(-1)
    stiffness = test @ np.swapaxes(slope, -1, -2)
    # A feature that is zero everywhere (a state that never moves in training) gets the coefficient zero.
    idle = ~np.any(phi, axis=-1)
    stiffness[idle[:, :, None] & np.eye(phi.shape[1], dtype=bool)] = 1.0
    coupling = test[branch[structure.rows]] @ np.swapaxes(phi[branch[structure.cols]], -1, -2)
    return SegmentPlan(
        structure, grid.length, since, basis.scale[structure.states],
        basis.floor[structure.states], phi[branch], slope[branch],
        test[branch], np.sqrt(weight)[branch], mass[branch], stiffness[branch], coupling, basis,
    )  # fmt: skip


def lifted(at: SegmentPlan, places: Index, y: list[Any]) -> tuple[list[Any], dict[int, Array]]:
    """Entries of y with some states at their floors where they lie below, and how far they did.

    Rates are evaluated at the floor and continued in a straight line.

    Parameters
    ----------
    at : SegmentPlan
    places : array of int
        States, among those of the structure, whose entries of `y` are curves.
    y : list
        Changed in place.

    Returns
    -------
    y : list
    below : dict of int to array
        For the places that were lifted somewhere: the difference to the floor, zero or negative.
    """
    below: dict[int, Array] = {}
    for place in places.tolist():
        floor, state = at.floor[place], int(at.structure.states[place])
        if floor == -np.inf:
            continue
        raised = np.maximum(y[state], floor)
        if (raised != y[state]).any():
            below[place] = y[state] - raised
            y[state] = raised
    return y, below
