"""Weights that turn draws from a fast model's posterior into draws from the exact one.

Priors and the change of variables are the same in both, so a raw weight is the ratio of two likelihoods.
The largest weights are replaced by expected order statistics of the generalised Pareto distribution that
fits them, whose shape k tells whether the weights can be trusted.

References
----------
Vehtari A, Simpson D, Gelman A, Yao Y, Gabry J (2024) J Mach Learn Res 25(72):1-58.
Zhang J, Stephens MA (2009) Technometrics 51:316-325 (the fit of the Pareto distribution).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Weights in a tail below which no shape can be estimated.
_SHORTEST = 5


@dataclass(frozen=True)
class Weights:
    """Smoothed importance weights.

    Parameters
    ----------
    weight : array, shape (n,)
        Sum to one; 0 for draws that the exact model gives no likelihood.
    k : float
        Shape of the tail of the raw weights, nan where the tail is too short to tell; -inf for weights that
        are all the same.
    """

    weight: Array
    k: float

    @property
    def effective(self) -> float:
        """Effective number of draws, 1 / sum of squares."""
        return 1.0 / float(np.sum(self.weight**2))

    @property
    def trustworthy(self) -> bool:
        """Whether k is below min(1 - 1/log10(n), 0.7), the limit of Vehtari et al. (2024)."""
        return not self.k > min(1.0 - 1.0 / math.log10(max(len(self.weight), 11)), 0.7)


def pareto_smoothed(log_ratio: Array) -> Weights:
    """Weights from the logarithms of raw importance ratios.

    Parameters
    ----------
    log_ratio : array, shape (n,)
        -inf or nan where the exact model gives nothing.

    Raises
    ------
    ValueError
        If no ratio is finite.
    """
    there = np.isfinite(log_ratio)
    if not there.any():
        raise ValueError("log_ratio has no finite entry; at least one is needed")
    raw = np.where(there, np.exp(np.where(there, log_ratio, 0.0) - np.max(log_ratio[there])), 0.0)
    n = len(raw)
    tail = math.ceil(min(0.2 * n, 3.0 * math.sqrt(n)))
    order = np.argsort(raw, kind="stable")
    k = math.nan
    if tail >= _SHORTEST and tail < n:
        last = order[-tail:]
        cut = float(raw[order[-tail - 1]])
        excess = raw[last] - cut
        if excess[-1] <= 1e-12:
            k = -math.inf
        elif excess[0] > 0.0 or np.count_nonzero(excess) >= _SHORTEST:
            k, sigma = _pareto(np.maximum(excess, 1e-300))
            levels = (np.arange(tail) + 0.5) / tail
            smooth = cut + _quantile(levels, k, sigma)
            # No weight may be larger than the largest raw one.
            raw[last] = np.minimum(smooth, 1.0)
    return Weights(raw / np.sum(raw), k)


def _quantile(levels: Array, k: float, sigma: float) -> Array:
    if abs(k) < 1e-12:
        return -sigma * np.log1p(-levels)
    return np.asarray(sigma * np.expm1(-k * np.log1p(-levels)) / k)


def _pareto(x: Array) -> tuple[float, float]:
    """Shape and scale of a generalised Pareto distribution for sorted positive excesses, shape (m,).

    The estimator of Zhang and Stephens (2009); the shape is drawn towards 0.5 with the weight of ten
    observations, as Vehtari et al. (2024) do.
    """
    m = len(x)
    grid = 30 + int(math.sqrt(m))
    b = 1.0 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))
    b = b / (3.0 * x[int(m / 4 + 0.5) - 1]) + 1.0 / x[-1]
    k = np.mean(np.log1p(-b[:, None] * x), axis=1)
    likelihood = m * (np.log(-b / k) - k - 1.0)
    weight = 1.0 / np.sum(np.exp(likelihood - likelihood[:, None]), axis=1)
    kept = weight >= 10.0 * np.finfo(float).eps
    b, weight = b[kept], weight[kept] / np.sum(weight[kept])
    at = float(np.sum(b * weight))
    shape = float(np.mean(np.log1p(-at * x)))
    sigma = -shape / at
    return (m * shape + 10.0 * 0.5) / (m + 10.0), sigma
