"""The smallest value of a convex quadratic within a box: the inner problem of each step of the search."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def minimise_in_box(gradient: Array, hessian: Array, lower: Array, upper: Array) -> Array:
    """The d that minimises gradient.d + d.hessian.d/2 subject to lower <= d <= upper.

    Parameters
    ----------
    gradient : array, shape (k,)
    hessian : array, shape (k, k)
        Positive definite.
    lower, upper : array, shape (k,)
        lower <= 0 <= upper.

    Returns
    -------
    array, shape (k,)
        Variables held by the box lie exactly on it.

    References
    ----------
    The primal active-set method for bounds, Nocedal J, Wright SJ (2006) Numerical Optimization, section 16.5.
    """
    d = np.zeros_like(gradient)
    scale = np.sqrt(np.maximum(np.diag(hessian), np.finfo(float).tiny))
    tolerance = 1e-13 * float(np.max(np.abs(gradient) / scale, initial=0.0))
    # Most often the box does not matter, and the first solve is the last.
    held = np.zeros(len(d), dtype=bool)
    # Each pass holds another variable or lets one go, so a few per variable suffice.
    for _ in range(20 + 5 * len(d)):
        free = ~held
        target = d.copy()
        if free.any():
            right = gradient[free] + hessian[np.ix_(free, held)] @ d[held]
            target[free] = -_solve(hessian[np.ix_(free, free)], right)
        low, high = free & (target < lower), free & (target > upper)
        if low.any() or high.any():
            # As far as the first bound, which then holds its variable.
            limit = np.where(low, lower, upper)
            across = low | high
            fractions = np.full(len(d), np.inf)
            fractions[across] = (limit[across] - d[across]) / (target[across] - d[across])
            first = int(np.argmin(fractions))
            d = d + fractions[first] * (target - d)
            d[first] = limit[first]
            held[first] = True
            continue
        d = target
        if not held.any():
            break
        slope = (gradient + hessian @ d) / scale
        # A bound holds against the slope; a variable that would rather leave it is let go.
        push = np.where(held, np.where(d <= lower, -slope, slope), -np.inf)
        loosest = int(np.argmax(push))
        if not push[loosest] > tolerance:
            break
        held[loosest] = False
    return d


def _solve(matrix: Array, right: Array) -> Array:
    """Solution of a symmetric positive system, scaled to a unit diagonal so that units do not matter."""
    scale = 1.0 / np.sqrt(np.maximum(np.diag(matrix), np.finfo(float).tiny))
    try:
        solution = np.linalg.solve(matrix * np.outer(scale, scale), scale * right)
    except np.linalg.LinAlgError:
        solution = np.linalg.lstsq(matrix * np.outer(scale, scale), scale * right, rcond=None)[0]
    return np.asarray(scale * solution)
