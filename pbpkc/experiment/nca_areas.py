"""Areas under a sampled curve and under its first moment."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.nca_options import AUCMethod

FloatArray = NDArray[np.float64]

# Below this logarithm of the ratio of neighbours the closed form of the moment loses digits to
# cancellation; the series, with these terms, is exact to rounding there.
_SERIES_BELOW = 0.5
_SERIES = tuple((-1.0) ** k / (math.factorial(k) * (k + 2)) for k in range(14))


# What overflows is infinite, and the figures say so.
@np.errstate(over="ignore", invalid="ignore")
def areas(time: FloatArray, concentration: FloatArray, method: AUCMethod) -> tuple[float, float]:
    """AUC and AUMC from the first to the last sample.

    On an interval of length h from (t1, c1) to (t2, c2), the linear rule is the trapezoid of c and of t c:
    ``AUC = h (c1 + c2)/2`` and ``AUMC = h (t1 c1 + t2 c2)/2``. The logarithmic rule integrates the
    exponential through both points, with x = ln(c1/c2): ``AUC = h (c1 - c2)/x`` and
    ``AUMC = h (t1 c1 - t2 c2)/x + h^2 (c1 - c2)/x^2``.

    Parameters
    ----------
    time, concentration : ndarray, shape (T,)
        Increasing times, and concentrations that are not negative.
    method : {"linear", "linear_up_log_down"}
        See `NCAOptions`.

    Returns
    -------
    auc, aumc : float
        In concentration x time and concentration x time^2; 0 for a single sample.

    References
    ----------
    Yamaoka K, Nakagawa T, Uno T (1978) J Pharmacokinet Biopharm 6:547-558.
    Purves RD (1992) J Pharmacokinet Biopharm 20:211-226.
    """
    h = np.diff(time)
    c1, c2 = concentration[:-1], concentration[1:]
    t1, t2 = time[:-1], time[1:]
    auc = h * (c1 + c2) / 2
    aumc = h * (t1 * c1 + t2 * c2) / 2
    if method == "linear_up_log_down":
        x = np.zeros_like(h)
        falls = (c2 < c1) & (c2 > 0)
        x[falls] = np.log(c1[falls]) - np.log(c2[falls])
        # Neighbours that differ by rounding may have one logarithm; there the rules agree.
        falls = x > 0
        auc[falls], aumc[falls] = _exponential(t1[falls], h[falls], c1[falls], x[falls])
    return _sum(auc), _sum(aumc)


def _sum(parts: FloatArray) -> float:
    try:
        return math.fsum(parts)
    except OverflowError:
        return math.inf


def _exponential(
    t1: FloatArray, h: FloatArray, c1: FloatArray, x: FloatArray
) -> tuple[FloatArray, FloatArray]:
    # With c(u) = c1 exp(-x u) for u in (0, 1), AUC is h c1 times the integral of exp(-x u), and the moment
    # about t1 is h^2 c1 times the integral of u exp(-x u). The textbook form in c1 - c2 loses all digits on
    # dense simulated curves, where x is tiny.
    auc = h * c1 * (-np.expm1(-x) / x)
    series = np.polynomial.polynomial.polyval(x, _SERIES)
    closed = (-np.expm1(-x) - x * np.exp(-x)) / (x * x)
    return auc, t1 * auc + h * h * c1 * np.where(x < _SERIES_BELOW, series, closed)
