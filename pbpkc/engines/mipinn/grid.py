"""The time grid of a segment: elements that grow from its beginning, and polynomials on them.

After an event a body answers on all of its time scales at once, the fastest first, so elements grow
geometrically. On each element a function is the polynomial through Chebyshev-Lobatto points; neighbours share
their ends, which makes every function on the grid continuous.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Growth of neighbouring elements and degree on each. With ratio 4 troughs of whole-body models are off by
#: 5 % of themselves; ratio 2 and degree 8 stay below 1e-5.
RATIO = 2.0
DEGREE = 8

#: Length of the first element in terms of the fastest time scale.
FIRST = 3.0

#: Share of a segment below which an element is not made shorter, whatever the time scales say.
SHORTEST = 1e-9


@dataclass(frozen=True)
class Grid:
    """Elements of a segment, in hours since it began.

    Parameters
    ----------
    edges : array, shape (M + 1,)
        From 0, increasing.
    degree : int
    """

    edges: Array
    degree: int = DEGREE

    @property
    def length(self) -> float:
        """Where the last element ends, h."""
        return float(self.edges[-1])

    @property
    def elements(self) -> int:
        """Number of elements, M."""
        return len(self.edges) - 1

    @cached_property
    def nodes(self) -> Array:
        """Where functions are held by value, shape (M degree + 1,)."""
        x = _lobatto(self.degree)
        width = np.diff(self.edges)
        inner = self.edges[:-1, None] + 0.5 * (x[None, 1:] + 1.0) * width[:, None]
        inner[:, -1] = self.edges[1:]
        return np.concatenate(([0.0], inner.ravel()))

    def values_at(self, since: Array) -> Array:
        """The matrix that takes values at the nodes to values at other times, shape (m, N)."""
        return self._matrix(since, _lagrange(self.degree))

    def slopes_at(self, since: Array) -> Array:
        """The matrix that takes values at the nodes to derivatives at other times, shape (m, N), 1/h."""
        element = self._element(since)
        width = np.diff(self.edges)[element]
        return self._matrix(since, _lagrange(self.degree, True)) * (2.0 / width)[:, None]

    def quadrature(self) -> tuple[Array, Array]:
        """Gauss points and weights, `degree` + 1 an element."""
        x, w = np.polynomial.legendre.leggauss(self.degree + 1)
        half = 0.5 * np.diff(self.edges)
        points = self.edges[:-1, None] + half[:, None] * (x + 1.0)
        return points.ravel(), (half[:, None] * w).ravel()

    def _element(self, since: Array) -> NDArray[np.intp]:
        place = np.searchsorted(self.edges, since, side="right") - 1
        return np.clip(place, 0, self.elements - 1)

    def _matrix(self, since: Array, polynomial: _Polynomials) -> Array:
        since = np.asarray(since, dtype=float)
        element = self._element(since)
        low, high = self.edges[element], self.edges[element + 1]
        local = polynomial.at(2.0 * (since - low) / (high - low) - 1.0)
        matrix = np.zeros((len(since), len(self.nodes)))
        columns = element[:, None] * self.degree + np.arange(self.degree + 1)
        np.put_along_axis(matrix, columns, local, axis=1)
        return matrix


def geometric(length: float, fastest: float, ratio: float = RATIO, degree: int = DEGREE) -> Grid:
    """Elements that grow by a ratio from three of the fastest time scale.

    Parameters
    ----------
    length : float, h
    fastest : float, h
        Shortest time scale of the model.
    """
    if not length > 0.0:
        raise ValueError(f"length is {length!r}; accepted is a positive number of hours")
    first = min(max(FIRST * fastest, SHORTEST * length), length)
    count = max(1, int(np.ceil(np.log1p((ratio - 1.0) * length / first) / np.log(ratio) - 1e-9)))
    widths = ratio ** np.arange(count)
    edges = np.concatenate(([0.0], np.cumsum(widths)))
    return Grid(edges * (length / edges[-1]), degree)


@dataclass(frozen=True)
class _Polynomials:
    """Lagrange's polynomials on the Lobatto points (or their slopes), by Chebyshev coefficients."""

    coefficients: Array

    def at(self, x: Array) -> Array:
        """Values of all polynomials, shape (m, degree + 1)."""
        values: Array = np.polynomial.chebyshev.chebvander(x, len(self.coefficients) - 1) @ self.coefficients
        return values


@lru_cache(maxsize=8)
def _lagrange(degree: int, slopes: bool = False) -> _Polynomials:
    basis = np.linalg.inv(np.polynomial.chebyshev.chebvander(_lobatto(degree), degree))
    return _Polynomials(np.asarray(np.polynomial.chebyshev.chebder(basis) if slopes else basis, dtype=float))


def _lobatto(degree: int) -> Array:
    return -np.cos(np.pi * np.arange(degree + 1) / degree)
