"""The mean of the curves of all forms, each weighted by what the data say for it.

Where the data do not tell forms apart, their curves agree where data looked, and a mean over forms is
nearer to the truth than the curve that was learned without any: a form has two or three coefficients, and a
curve made for any shape pays for its freedom with noise. The weight of a form is exp(-BIC / 2) over the sum
of all, the approximate probability of the form where each was as likely before (Raftery 1995). The variance
is that of the mixture: the forms' own, and between the forms. It knows of no form that was not tried.

References
----------
Raftery AE (1995) Sociol Methodol 25:111. Hoeting JA et al. (1999) Stat Sci 14:382, equation 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.jobs.discover_form import Tried
from pbpkc.jobs.visited import band
from pbpkc.language.model import Unknown

Array = NDArray[np.float64]

#: Of the standard normal distribution, 97.5 %.
_NORMAL = 1.959963984540054


@dataclass(frozen=True)
class Average:
    """The weighted mean over forms, along the first argument.

    Parameters
    ----------
    weights : tuple of (title, float)
        Largest first; they add up to 1.
    at, value, low, high : ndarray, shape (m,)
        The argument over what was visited, the mean and its 95 % band; canonical.
    """

    weights: tuple[tuple[str, float], ...]
    at: Array
    value: Array
    low: Array
    high: Array


def averaged(tried: Sequence[Tried], unknown: Unknown) -> Average | None:
    """The mean over the forms that count; None where there is none."""
    counted = [t for t in tried if not t.reason and math.isfinite(t.bic)]
    if not counted:
        return None
    bic = np.array([t.bic for t in counted])
    weights = np.exp(-0.5 * (bic - bic.min()))
    weights /= weights.sum()
    values = np.array([t.value for t in counted])
    value = weights @ values
    variance = weights @ (np.array([t.spread for t in counted]) ** 2 + (values - value) ** 2)
    low, high = band(value, _NORMAL * np.sqrt(variance), unknown)
    titles = zip((t.title for t in counted), weights.tolist(), strict=True)
    return Average(tuple(sorted(titles, key=lambda w: -w[1])), counted[0].at, value, low, high)
