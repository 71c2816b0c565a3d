"""What a fit asks of a model: predictions at the observations, with exact derivatives.

The fit knows nothing of compartments. It sees a `Predictor`, which may stand on the reference solver, on a
compiled kernel or on a closed form. A solve that fails is a `Failure`, never an exception.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Failure:
    """A computation that gave no result: why, and what may help."""

    reason: str
    suggestion: str = ""

    def __str__(self) -> str:
        return f"{self.reason}; {self.suggestion}" if self.suggestion else self.reason


@dataclass(frozen=True)
class Prediction:
    """Predictions at the observations.

    Parameters
    ----------
    value : array, shape (n,)
        In each observation's unit.
    derivative : array, shape (n, k)
        By the masked parameters on their natural scale, canonical units.
    """

    value: Array
    derivative: Array


@dataclass(frozen=True)
class Noise:
    """Arguments of the residual error model at each observation.

    Parameters
    ----------
    proportional : array, shape (n,)
        Dimensionless; the standard deviation of ln(dv) where the error is lognormal.
    additive : array, shape (n,)
        In the observation's unit.
    d_proportional, d_additive : array, shape (n, k)
        By the masked parameters on their natural scale.
    """

    proportional: Array
    additive: Array
    d_proportional: Array
    d_additive: Array


class Predictor(Protocol):
    """A model with one subject's doses and sampling times bound to it.

    All methods take `theta`, shape (k,): the masked parameters in canonical units, in the order of the
    fit. `predict` and `noise` are asked hundreds of times, `reference` once at the end. A predictor has to
    be picklable when more than one process fits.
    """

    def predict(self, theta: Array) -> Prediction | Failure:
        """Predictions with derivatives."""
        ...

    def noise(self, theta: Array) -> Noise:
        """Arguments of the error model; costs no solve."""
        ...

    def reference(self, theta: Array) -> Array | Failure:
        """Predictions alone, shape (n,), from the reference solver."""
        ...

    @property
    def shapes_prediction(self) -> NDArray[np.bool_]:
        """Which masked parameters enter the prediction at all, shape (k,).

        The others are read by the error model alone, so changing them needs no new solve. True is always
        safe.
        """
        ...


@runtime_checkable
class SideBySide(Protocol):
    """A `Predictor` that answers several questions of one subject in less time than one after another."""

    def predict_many(self, lanes: Sequence[int], thetas: Sequence[Array]) -> list[Prediction | Failure]:
        """Predictions with derivatives at each theta; a lane is a search, which moves slowly."""
        ...
