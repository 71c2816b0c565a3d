"""A fast model made right at one point.

A fast model errs by nearly the same share over the small region that a posterior covers. One solve of the
exact model in its middle takes that share away, and what is left for importance weights is small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.predictor import Failure, Noise, Prediction, Predictor

Array = NDArray[np.float64]

#: A fast prediction further off than this factor is no small error of the exact one; there the difference
#: is added and the prediction not stretched.
_STRETCH = 2.0


@dataclass(frozen=True)
class Anchored:
    """A fast `Predictor` whose predictions are multiplied and shifted, so that one point is exact.

    Parameters
    ----------
    fast : Predictor
    factor, shift : array, shape (n,)
    """

    fast: Predictor
    factor: Array
    shift: Array

    @property
    def shapes_prediction(self) -> NDArray[np.bool_]:
        """As of the fast model."""
        return self.fast.shapes_prediction

    def predict(self, theta: Array) -> Prediction | Failure:
        """Fast predictions, corrected, with their derivatives."""
        found = self.fast.predict(theta)
        if isinstance(found, Failure):
            return found
        return Prediction(self.factor * found.value + self.shift, self.factor[:, None] * found.derivative)

    def noise(self, theta: Array) -> Noise:
        """As of the fast model."""
        return self.fast.noise(theta)

    def reference(self, theta: Array) -> Array | Failure:
        """As of the fast model."""
        return self.fast.reference(theta)


def anchored(fast: Predictor, exact: Predictor, theta: Array) -> Predictor | Failure:
    """A fast model that is exact at theta, shape (k,).

    Returns
    -------
    Predictor or Failure
        A failure where one of the two has no prediction there.
    """
    here, there = fast.predict(theta), exact.reference(theta)
    if isinstance(here, Failure):
        return here
    if isinstance(there, Failure):
        return there
    y = here.value
    near = (y > 0.0) & (there < _STRETCH * y) & (there > y / _STRETCH)
    factor = np.where(near, there / np.where(near, y, 1.0), 1.0)
    return Anchored(fast, factor, np.where(near, 0.0, there - y))
