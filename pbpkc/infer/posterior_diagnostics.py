"""What draws are worth: convergence of chains, effective number of draws, quantiles with weights."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[np.float64]


def split_r_hat(draws: Array) -> float:
    """Rank-normalised split R-hat of one quantity, the larger of that of location and that of spread.

    Parameters
    ----------
    draws : array, shape (m, n)
        m chains of n draws, at least 4.

    Returns
    -------
    float
        1 where chains agree; above 1.01 they do not. nan for draws that are all the same.

    References
    ----------
    Vehtari A, Gelman A, Simpson D, Carpenter B, Buerkner PC (2021) Bayesian Anal 16:667-718.
    """
    halves = _halves(draws)
    folded = np.abs(halves - np.median(halves))
    return max(_r_hat(_ranked(halves)), _r_hat(_ranked(folded)))


def bulk_ess(draws: Array) -> float:
    """Effective number of draws of one quantity in the bulk of its distribution (Vehtari et al. 2021).

    Autocorrelations of rank-normalised split chains, summed over Geyer's initial monotone sequence (1992,
    Stat Sci 7:473-483).

    Parameters
    ----------
    draws : array, shape (m, n)

    Returns
    -------
    float
        At most m n log10(m n). nan for draws that are all the same.
    """
    chains = _ranked(_halves(draws))
    m, n = chains.shape
    centred = chains - chains.mean(axis=1, keepdims=True)
    # Zero padding makes the circular correlation of the transform a plain one.
    spectrum = np.abs(np.fft.rfft(centred, 2 * n, axis=1)) ** 2
    covariance = np.fft.irfft(spectrum, axis=1)[:, :n] / n
    within = float(np.mean(covariance[:, 0])) * n / (n - 1)
    if not within > 0.0:
        return math.nan
    between = float(np.var(chains.mean(axis=1), ddof=1)) if m > 1 else 0.0
    variance = within * (n - 1) / n + between
    rho = 1.0 - (within - np.mean(covariance, axis=0)) / variance
    rho[0] = 1.0
    pairs = rho[: n - n % 2].reshape(-1, 2).sum(axis=1)
    end = int(np.argmax(pairs < 0.0)) if (pairs < 0.0).any() else len(pairs)
    tau = -1.0 + 2.0 * float(np.sum(np.minimum.accumulate(pairs[:end])))
    return float(m * n / max(tau, 1.0 / math.log10(m * n)))


def weighted_quantiles(values: Array, weights: Array, levels: Array) -> Array:
    """Quantiles of a weighted sample, shape (q,), interpolated between the middles of the weights.

    Parameters
    ----------
    values, weights : array, shape (n,)
        Weights need not sum to one.
    levels : array, shape (q,), in (0, 1)
    """
    order = np.argsort(values, kind="stable")
    w = weights[order] / np.sum(weights)
    return np.interp(levels, np.cumsum(w) - 0.5 * w, values[order])


def thinned(count: int, wanted: int) -> NDArray[np.int64]:
    """Indices of at most `wanted` of `count` draws, evenly spread."""
    if wanted >= count:
        return np.arange(count, dtype=np.int64)
    return np.unique(np.round(np.linspace(0, count - 1, wanted)).astype(np.int64))


def _halves(draws: Array) -> Array:
    n = draws.shape[1] // 2
    return np.concatenate([draws[:, :n], draws[:, -n:]])


def _ranked(chains: Array) -> Array:
    # Half a second to load, which a check or a fit without a posterior need not wait for.
    from scipy.stats import rankdata

    ranks = rankdata(chains).reshape(chains.shape)
    return np.asarray(ndtri((ranks - 0.375) / (chains.size + 0.25)))


def _r_hat(chains: Array) -> float:
    n = chains.shape[1]
    within = float(np.mean(np.var(chains, axis=1, ddof=1)))
    between = n * float(np.var(chains.mean(axis=1), ddof=1))
    if not within > 0.0:
        return math.nan
    return math.sqrt((between / within + n - 1) / n)
