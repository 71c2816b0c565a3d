"""Log densities of priors, on the scale on which a parameter is estimated.

The mode of a density depends on the scale it is written on. Here it is the density of the *estimated*
quantity: of ln(theta) for a parameter declared ``scale log``, of theta itself otherwise. So a lognormal
prior on a log-scale parameter is a normal one with its mode at the median, whatever the unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import betainc, betaln, log_ndtr, ndtr

from pbpkc.language.model import Prior

_LOG_ROOT_2PI = 0.5 * math.log(2.0 * math.pi)
_ROUNDING = 1e-12


@dataclass(frozen=True)
class LogDensity:
    """Logarithm of a prior's density at one point, with its first and second derivative there.

    All three are by the estimated quantity (ln(theta) or theta); `value` is -inf outside the support, and
    the derivatives are then zero.
    """

    value: float
    slope: float
    curvature: float


def support(prior: Prior) -> tuple[float, float]:
    """Interval in which the prior's density is positive, before bounds truncate it (canonical units)."""
    arguments = prior.arguments
    if prior.family == "uniform":
        return arguments["low"], arguments["high"]
    if prior.family == "beta":
        return 0.0, 1.0
    if prior.family in ("lognormal", "halfnormal"):
        return 0.0, math.inf
    return -math.inf, math.inf


def log_density(prior: Prior, scale: str, low: float, high: float, point: float) -> LogDensity:
    """Log density of the estimated quantity under a prior that bounds truncate.

    Parameters
    ----------
    prior : Prior
        Arguments in canonical units.
    scale : {"log", "natural"}
    low, high : float
        Bounds on the natural scale; they truncate, and the density integrates to one between them.
    point : float
        ln(theta) where `scale` is ``"log"``, else theta.

    Returns
    -------
    LogDensity
        With the factor d(theta)/d(ln theta) = theta of the change of variable where `scale` is ``"log"``.

    Raises
    ------
    ValueError
        If the family is not one of the language, or the bounds leave nothing of the prior.
    """
    theta = math.exp(point) if scale == "log" else point
    start, end = support(prior)
    start, end = max(low, start), min(high, end)
    if not start < end:
        raise ValueError(
            f"low, high are {low!r}, {high!r}: the bounds leave nothing of the {prior.family} prior"
        )
    # exp(ln(bound)) may miss the bound by a rounding error, which must not cost the whole density.
    if not start - _ROUNDING * abs(start) <= theta <= end + _ROUNDING * abs(end):
        return LogDensity(-math.inf, 0.0, 0.0)
    theta = min(max(theta, start), end)
    mass = _log_mass(prior, low, high)
    value, first, second = _natural(prior, theta)
    if scale == "log":
        return LogDensity(value + point - mass, first * theta + 1.0, second * theta * theta + first * theta)
    return LogDensity(value - mass, first, second)


def _natural(prior: Prior, theta: float) -> tuple[float, float, float]:
    """Log density of theta and its first and second derivative by theta, not truncated."""
    a = prior.arguments
    if prior.family == "lognormal":
        s = a["sdlog"]
        u = math.log(theta / a["median"]) / s
        value = -math.log(theta * s) - _LOG_ROOT_2PI - 0.5 * u * u
        return value, -(1.0 + u / s) / theta, (1.0 + u / s - 1.0 / (s * s)) / (theta * theta)
    if prior.family == "normal":
        s = a["sd"]
        u = (theta - a["mean"]) / s
        return -math.log(s) - _LOG_ROOT_2PI - 0.5 * u * u, -u / s, -1.0 / (s * s)
    if prior.family == "halfnormal":
        s = a["sd"]
        u = theta / s
        return math.log(2.0 / s) - _LOG_ROOT_2PI - 0.5 * u * u, -u / s, -1.0 / (s * s)
    if prior.family == "beta":
        p, q = a["a"] - 1.0, a["b"] - 1.0
        rest = 1.0 - theta
        # An exponent of zero has no singularity at the end of the interval; 0 * log(0) would be nan.
        value = -float(betaln(a["a"], a["b"]))
        value += (p * math.log(theta) if p else 0.0) + (q * math.log(rest) if q else 0.0)
        first = (p / theta if p else 0.0) - (q / rest if q else 0.0)
        second = (-p / theta**2 if p else 0.0) - (q / rest**2 if q else 0.0)
        return value, first, second
    if prior.family == "uniform":
        return -math.log(a["high"] - a["low"]), 0.0, 0.0
    raise ValueError(
        f"prior.family is {prior.family!r}; accepted are lognormal, normal, uniform, beta, halfnormal"
    )


def _log_mass(prior: Prior, low: float, high: float) -> float:
    """Logarithm of the probability that the prior gives to the bounds."""
    a = prior.arguments
    start, end = support(prior)
    low, high = max(low, start), min(high, end)
    if prior.family == "lognormal":
        lower = (math.log(low / a["median"]) if low > 0.0 else -math.inf) / a["sdlog"]
        return _log_normal_mass(lower, math.log(high / a["median"]) / a["sdlog"])
    if prior.family == "normal":
        return _log_normal_mass((low - a["mean"]) / a["sd"], (high - a["mean"]) / a["sd"])
    if prior.family == "halfnormal":
        return math.log(2.0) + _log_normal_mass(low / a["sd"], high / a["sd"])
    if prior.family == "beta":
        return math.log(float(betainc(a["a"], a["b"], high) - betainc(a["a"], a["b"], low)))
    if prior.family == "uniform":
        return math.log((high - low) / (a["high"] - a["low"]))
    raise ValueError(
        f"prior.family is {prior.family!r}; accepted are lognormal, normal, uniform, beta, halfnormal"
    )


def _log_normal_mass(lower: float, upper: float) -> float:
    # In the upper tail 1 - ndtr loses all digits, so the interval is mirrored to the lower one.
    if lower > 0.0:
        lower, upper = -upper, -lower
    if upper < 0.0:
        top, bottom = float(log_ndtr(upper)), float(log_ndtr(lower))
        return top + math.log1p(-math.exp(bottom - top))
    return math.log(float(ndtr(upper) - ndtr(lower)))
