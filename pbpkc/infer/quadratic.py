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
    The projected Newton method of Bertsekas DP (1982) SIAM J Control Optim 20:221-246.
    """
    d = np.zeros_like(gradient)
    value = 0.0
    scale = np.sqrt(np.maximum(np.diag(hessian), np.finfo(float).tiny))
    # Each step either holds another variable or solves for the free ones, so a few per variable suffice.
    for _ in range(20 + 5 * len(d)):
        slope = gradient + hessian @ d
        held = ((d <= lower) & (slope > 0.0)) | ((d >= upper) & (slope < 0.0))
        free = ~held
        if not free.any() or np.max(np.abs(slope[free]) / scale[free]) <= 1e-13 * np.max(
            np.abs(gradient) / scale
        ):
            break
        step = np.zeros_like(d)
        step[free] = -_solve(hessian[np.ix_(free, free)], slope[free])
        fraction = 1.0
        for _ in range(40):
            trial = np.clip(d + fraction * step, lower, upper)
            trial_value = float(gradient @ trial + 0.5 * trial @ hessian @ trial)
            if trial_value <= value + 1e-4 * float(slope @ (trial - d)):
                break
            fraction *= 0.5
        else:
            break
        if np.array_equal(trial, d):
            break
        d, value = trial, trial_value
    return d


def _solve(matrix: Array, right: Array) -> Array:
    """Solution of a symmetric positive system, scaled to a unit diagonal so that units do not matter."""
    scale = 1.0 / np.sqrt(np.maximum(np.diag(matrix), np.finfo(float).tiny))
    try:
        solution = np.linalg.solve(matrix * np.outer(scale, scale), scale * right)
    except np.linalg.LinAlgError:
        solution = np.linalg.lstsq(matrix * np.outer(scale, scale), scale * right, rcond=None)[0]
    return np.asarray(scale * solution)
