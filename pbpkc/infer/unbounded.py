"""The scaled parameters as vectors without bounds, which a sampler can move through freely.

A parameter between two finite bounds goes through a logistic function, one with a single bound through an
exponential, any other stays as it is. A density changes by the Jacobian of the map, which is told with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, logit

Array = NDArray[np.float64]

#: A point at a bound would lie at infinity; it is moved inside by this fraction of the interval (of one
#: unit of the scale where only one bound is finite).
INSIDE = 1e-3


@dataclass(frozen=True)
class Placed:
    """A vector without bounds seen on the scaled parameters.

    Parameters
    ----------
    point : array, shape (k,)
        Scaled parameters.
    slope : array, shape (k,)
        d(point)/d(z).
    log_jacobian : float
        Sum of ln|slope|.
    log_slope : array, shape (k,)
        Derivative of `log_jacobian` by z.
    bend : array, shape (k,)
        Minus its second derivative, never negative.
    """

    point: Array
    slope: Array
    log_jacobian: float
    log_slope: Array
    bend: Array


@dataclass(frozen=True)
class Unbounded:
    """The map between vectors z without bounds and scaled parameters.

    Parameters
    ----------
    lower, upper : array, shape (k,)
        Bounds of the scaled parameters; -inf and inf where there is none.
    """

    lower: Array
    upper: Array

    @cached_property
    def _both(self) -> NDArray[np.bool_]:
        return np.isfinite(self.lower) & np.isfinite(self.upper)

    @cached_property
    def _one(self) -> NDArray[np.bool_]:
        return np.isfinite(self.lower) ^ np.isfinite(self.upper)

    @cached_property
    def _edge(self) -> Array:
        """The finite bound where there is one alone, else 0."""
        return np.where(self._one, np.where(np.isfinite(self.lower), self.lower, self.upper), 0.0)

    @cached_property
    def _away(self) -> Array:
        """1 where that bound is the lower one, -1 where it is the upper."""
        return np.where(np.isfinite(self.lower), 1.0, -1.0)

    @cached_property
    def _low(self) -> Array:
        return np.where(self._both, self.lower, 0.0)

    @cached_property
    def _width(self) -> Array:
        return np.where(self._both, np.where(self._both, self.upper, 1.0) - self._low, 1.0)

    @cached_property
    def _all_both(self) -> bool:
        return bool(self._both.all())

    @cached_property
    def _log_width(self) -> float:
        return float(np.sum(np.log(self._width)))

    def place(self, z: Array) -> Placed:
        """Scaled parameters of a vector z, shape (k,), with the Jacobian of the map."""
        s, rest = expit(z), expit(-z)
        if self._all_both:
            # What nearly every spec declares, and asked for thousands of times.
            slope = self._width * s * rest
            log_jacobian = float(self._log_width + np.sum(log_expit(z) + log_expit(-z)))
            return Placed(self._low + self._width * s, slope, log_jacobian, rest - s, 2.0 * s * rest)
        # Beyond e^700 there are no numbers.
        grown = np.exp(np.where(self._one, np.minimum(z, 700.0), 0.0))
        point = np.where(
            self._both,
            self._low + self._width * s,
            np.where(self._one, self._edge + self._away * grown, z),
        )
        slope = np.where(self._both, self._width * s * rest, np.where(self._one, self._away * grown, 1.0))
        log_slopes = np.where(
            self._both,
            np.log(self._width) + log_expit(z) + log_expit(-z),
            np.where(self._one, z, 0.0),
        )
        return Placed(
            point,
            slope,
            float(np.sum(log_slopes)),
            np.where(self._both, rest - s, np.where(self._one, 1.0, 0.0)),
            np.where(self._both, 2.0 * s * rest, 0.0),
        )

    def lift(self, point: Array) -> Array:
        """The vector z of a scaled point, shape (k,), which is moved a little inside its bounds."""
        share = np.clip((point - self._low) / self._width, INSIDE, 1.0 - INSIDE)
        distance = np.maximum(self._away * (point - self._edge), INSIDE)
        return np.where(
            self._both,
            logit(np.where(self._both, share, 0.5)),
            np.where(self._one, np.log(np.where(self._one, distance, 1.0)), point),
        )
