"""Nodes of a contour that inverts a Laplace transform over a window of times.

A function whose transform F has its singularities in a sector about the negative real axis is

    f(t) = 1/(2 pi i) integral of exp(z t) F(z) dz

along the hyperbola ``z = mu (1 + sin(i w - alpha))``, and the midpoint rule with a step h in w converges
geometrically (Weideman JAC, Trefethen LN 2007, Math Comp 76:1341). For a window [t0, L t0] and a sector of
half-angle delta three errors stand against each other: singularities of F to the left of the contour,
exp(-2 pi (pi/2 - alpha - delta)/h); growth of exp(z t) to its right, exp(mu L t0 - 2 pi alpha/h); and what is
cut off at the last node, exp(mu t0 (1 - sin(alpha) cosh(h N))). Here they are set equal, and alpha is the one
with the fewest nodes. Beside them stands the rounding of terms as large as exp(mu L t0 (1 - sin(alpha))).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: Windows are as wide as a power of this, so that many schedules share their nodes.
_STEP_OF_WIDTH = 2.0**0.25

#: Widest window; wider ranges of times take several.
WIDEST = 1e4

#: No contour comes below this error: terms of size one carry rounding of 1e-16 each.
SMALLEST_ERROR = 2e-14

#: Rounding of a sum, in parts of its largest term.
_ROUNDING = 4e-16

#: Widest sector for which there are nodes: beyond, an eigendecomposition is cheaper.
WIDEST_SECTOR = math.radians(75.0)


@dataclass(frozen=True)
class Nodes:
    """Nodes for a window of times.

    Parameters
    ----------
    z : ndarray of complex, shape (N,), 1/h
        Those of the upper half-plane; the others are their conjugates.
    weight : ndarray of complex, shape (N,), 1/h
        ``f(t)`` is the real part of the sum of ``weight * exp(z t) * F(z)``.
    error : float
        The largest error of ``exp(s t)``, for s in the sector and t in the window.
    """

    z: Complex
    weight: Complex
    error: float

    def scaled(self, begin: float, shift: float) -> Nodes:
        """For a window that begins at `begin` (h), with singularities left of `shift` (1/h)."""
        return Nodes(self.z / begin + shift, self.weight / begin, self.error)


def wide_enough(ratio: float) -> float:
    """The width of the window that serves times of a ratio."""
    steps = math.ceil(math.log(max(ratio, 1.0)) / math.log(_STEP_OF_WIDTH) - 1e-9)
    return _STEP_OF_WIDTH**steps


@lru_cache(maxsize=512)
def nodes(width: float, sector: float, error: float) -> Nodes:
    """Nodes for the window [1, width] (in units of its beginning).

    Parameters
    ----------
    width : float
        At least 1, at most `WIDEST`.
    sector : float, rad
        Half-angle, about the negative real axis, of what holds the singularities.
    error : float
        What the largest error of ``exp(s t)`` may be; where rounding does not allow that, the smallest that
        was found.

    Raises
    ------
    ValueError
        If `width` or `sector` is outside what is accepted.
    """
    if not 1.0 <= width <= WIDEST * 2.0:
        raise ValueError(f"width is {width!r}; accepted is 1 to {WIDEST:g}")
    if not 0.0 <= sector <= WIDEST_SECTOR:
        raise ValueError(f"sector is {sector!r}; accepted is 0 to {WIDEST_SECTOR:.3f}")
    best: Nodes | None = None
    wanted = max(error, SMALLEST_ERROR)
    for digits in np.arange(-math.log(wanted) - 3.5, 37.0, 0.5):
        found = _balanced(width, sector, float(digits))
        if found is None:
            continue
        if best is None or found.error < best.error:
            best = found
        if found.error <= wanted:
            break
    assert best is not None
    return best


def _balanced(width: float, sector: float, digits: float) -> Nodes | None:
    """The fewest nodes whose three errors are exp(-digits); None where rounding is larger for any of them."""
    alpha = np.linspace(0.02, math.pi / 2 - sector - 0.02, 160)
    h = 2.0 * math.pi * (math.pi / 2 - alpha - sector) / digits
    growth = 2.0 * math.pi * alpha / h - digits  # mu width
    possible = growth > 0.0
    possible &= growth * (1.0 - np.sin(alpha)) <= -math.log(_ROUNDING) - digits + math.log(4.0)
    if not possible.any():
        return None
    alpha, h, growth = alpha[possible], h[possible], growth[possible]
    mu = growth / width
    count = np.arccosh((digits / mu + 1.0) / np.sin(alpha)) / h
    at = int(np.argmin(count))
    number = math.ceil(count[at])
    return _hyperbola(width, sector, float(alpha[at]), float(h[at]), float(mu[at]), number)


def _hyperbola(width: float, sector: float, alpha: float, h: float, mu: float, number: int) -> Nodes:
    w = (np.arange(number) + 0.5) * h
    z = mu * (1.0 + np.sin(1j * w - alpha))
    weight = (h * mu / math.pi) * np.cos(1j * w - alpha)
    return Nodes(z, weight, _error(z, weight, width, sector))


def _error(z: Complex, weight: Complex, width: float, sector: float) -> float:
    """The largest error of exp(s t): analytic in s, it is largest on the boundary of the sector."""
    times = np.geomspace(1.0, width, 9) if width > 1.0 else np.ones(1)
    size = np.concatenate(([0.0], np.geomspace(1e-3 / width, 1e3, 80)))
    s = -size * np.exp(1j * sector)
    exact = np.exp(np.outer(times, s))
    term = 0.5 * weight * np.exp(np.outer(times, z))
    upper = 1.0 / (z[:, None] - s)
    lower = 1.0 / (np.conj(z)[:, None] - s)
    return float(np.max(np.abs(term @ upper + np.conj(term) @ lower - exact)))
