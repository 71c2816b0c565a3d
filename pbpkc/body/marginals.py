"""One quantity that differs between people: its distribution, truncated exactly, as a map from normal scores.

A score z of the standard normal distribution goes to the value whose probability below it, within the
bounds, is Phi(z). So correlated scores give correlated values (a Gaussian copula), and a uniform or
quasi-random number serves as well as a drawn one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincc, betainccinv, betaincinv, log_ndtr, ndtr, ndtri_exp

from pbpkc.language.model import Prior

Array = NDArray[np.float64]

_LOG_HALF = math.log(0.5)


@dataclass(frozen=True)
class Marginal:
    """A distribution with the bounds that truncate it.

    Parameters
    ----------
    name : str
        Of a definition.
    prior : Prior
        Arguments in canonical units.
    low, high : float
        Canonical units; may be infinite.

    Raises
    ------
    ValueError
        If the family is not one of the language, or the bounds leave nothing of it.
    """

    name: str
    prior: Prior
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        low, high = self.range
        if not low < high:
            raise ValueError(
                f"low, high are {self.low!r}, {self.high!r}: the bounds leave nothing of the "
                f"{self.prior.family} distribution of '{self.name}'"
            )

    @property
    def range(self) -> tuple[float, float]:
        """Where values lie, canonical units: the bounds within the support of the distribution."""
        a = self.prior.arguments
        match self.prior.family:
            case "lognormal" | "halfnormal":
                low, high = 0.0, math.inf
            case "normal":
                low, high = -math.inf, math.inf
            case "uniform":
                low, high = a["low"], a["high"]
            case "beta":
                low, high = 0.0, 1.0
            case family:
                raise ValueError(
                    f"prior.family is {family!r}; accepted are lognormal, normal, uniform, beta, halfnormal"
                )
        return max(low, self.low), min(high, self.high)

    @property
    def kept(self) -> float:
        """The share of the distribution that lies within the bounds, in (0, 1]."""
        a, (low, high) = self.prior.arguments, self.range
        match self.prior.family:
            case "uniform":
                return (high - low) / (a["high"] - a["low"])
            case "beta":
                return float(betainc(a["a"], a["b"], high) - betainc(a["a"], a["b"], low))
        start, end = self._standard()
        # In the upper tail 1 - Phi loses all digits, so the interval is mirrored to the lower one.
        if start > 0.0:
            start, end = -end, -start
        share = float(ndtr(end) - ndtr(start))
        return 2.0 * share if self.prior.family == "halfnormal" else share

    def _standard(self) -> tuple[float, float]:
        """The ends of the range as scores of the normal distribution that the family is made of."""
        a, (low, high) = self.prior.arguments, self.range
        if self.prior.family == "lognormal":
            low, high = (math.log(x) if x > 0.0 else -math.inf for x in (low, high))
            middle, sd = math.log(a["median"]), a["sdlog"]
        else:
            middle, sd = a.get("mean", 0.0), a["sd"]
        return (low - middle) / sd, (high - middle) / sd

    def from_scores(self, scores: ArrayLike) -> Array:
        """The values at scores of the standard normal distribution, in canonical units and the same shape.

        Rising in the score and within the bounds. Accurate in both tails, also where the bounds leave only a
        tail of the distribution.
        """
        z = np.asarray(scores, dtype=float)
        a, (low, high) = self.prior.arguments, self.range
        match self.prior.family:
            case "lognormal":
                value = a["median"] * np.exp(a["sdlog"] * truncated_scores(z, *self._standard()))
            case "normal" | "halfnormal":
                value = a.get("mean", 0.0) + a["sd"] * truncated_scores(z, *self._standard())
            case "uniform":
                value = low * ndtr(-z) + high * ndtr(z)
            case _:
                value = _beta(z, a["a"], a["b"], low, high)
        return np.clip(value, low, high)


def truncated_scores(z: Array, low: float, high: float) -> Array:
    """Quantiles of the standard normal distribution between two bounds.

    Parameters
    ----------
    z : array
        Scores: the quantile at probability Phi(z) of what the bounds leave is given back.
    low, high : float
        May be infinite.

    Returns
    -------
    ndarray, of the shape of `z`

    Notes
    -----
    Phi(t) = Phi(low) Phi(-z) + Phi(high) Phi(z), and the same of the upper tail by symmetry; both are sums of
    positive terms, so nothing cancels. The smaller tail is inverted, in logarithms.
    """
    if low == -math.inf and high == math.inf:
        return z
    left, right = log_ndtr(-z), log_ndtr(z)
    below = np.logaddexp(log_ndtr(low) + left, log_ndtr(high) + right)
    above = np.logaddexp(log_ndtr(-low) + left, log_ndtr(-high) + right)
    found: Array = np.where(
        below < _LOG_HALF,
        ndtri_exp(np.minimum(below, _LOG_HALF)),
        -ndtri_exp(np.minimum(above, _LOG_HALF)),
    )
    return np.clip(found, low, high)


def _beta(z: Array, a: float, b: float, low: float, high: float) -> Array:
    """Quantiles of a beta distribution between two bounds, from the smaller tail."""
    left, right = ndtr(-z), ndtr(z)
    below = betainc(a, b, low) * left + betainc(a, b, high) * right
    above = betaincc(a, b, low) * left + betaincc(a, b, high) * right
    found: Array = np.where(
        below < above,
        betaincinv(a, b, np.minimum(below, 1.0)),
        betainccinv(a, b, np.minimum(above, 1.0)),
    )
    return found
