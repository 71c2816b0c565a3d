"""A saturable pathway by its clearance at low concentrations, Vmax / Km, and its Km.

Data far below Km determine the ratio and nothing else. With the ratio as a parameter of its own its profile
likelihood can be followed, whose ends do not rest on a linear theory that lets Km run to infinity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.predictor import Failure, Noise, Prediction, Predictor
from pbpkc.infer.problem import FitProblem, FitSubject
from pbpkc.infer.transform import FittedParameter
from pbpkc.language.units import Unit

Array = NDArray[np.float64]

#: The new parameter.
RATIO = "Vmax / Km"


@dataclass(frozen=True)
class ByRatio:
    """A predictor of (Km, Vmax) as one of (Km, Vmax / Km).

    Parameters
    ----------
    inner : Predictor
    km, vmax : int
        Their places; the ratio stands in that of Vmax.
    """

    inner: Predictor
    km: int
    vmax: int

    def natural(self, theta: Array) -> Array:
        """The parameters of the inner predictor."""
        values = np.array(theta, dtype=float)
        values[self.vmax] = theta[self.vmax] * theta[self.km]
        return values

    @property
    def shapes_prediction(self) -> NDArray[np.bool_]:
        """As of the inner one."""
        return self.inner.shapes_prediction

    def predict(self, theta: Array) -> Prediction | Failure:
        """Predictions, with derivatives by Km at a fixed ratio and by the ratio."""
        found = self.inner.predict(self.natural(theta))
        if isinstance(found, Failure):
            return found
        return Prediction(found.value, self._chain(found.derivative, theta))

    def noise(self, theta: Array) -> Noise:
        """As of the inner one."""
        found = self.inner.noise(self.natural(theta))
        return replace(
            found,
            d_proportional=self._chain(found.d_proportional, theta),
            d_additive=self._chain(found.d_additive, theta),
        )

    def reference(self, theta: Array) -> Array | Failure:
        """As of the inner one."""
        return self.inner.reference(self.natural(theta))

    def _chain(self, derivative: Array, theta: Array) -> Array:
        moved = derivative.copy()
        moved[:, self.km] += derivative[:, self.vmax] * theta[self.vmax]
        moved[:, self.vmax] *= theta[self.km]
        return moved


def by_ratio(problem: FitProblem, unit: Unit) -> FitProblem:
    """The problem with Vmax / Km in the place of Vmax; `unit` is that of the ratio."""
    names = [p.name for p in problem.parameters]
    km, vmax = names.index("Km"), names.index("Vmax")
    old, low = problem.parameters[vmax], problem.parameters[km]
    ratio = FittedParameter(
        RATIO, unit, old.low / low.high, old.high / low.low, old.start / low.start, "log",
        doc="clearance of the pathway at low concentrations",
    )  # fmt: skip
    parameters = tuple(ratio if i == vmax else p for i, p in enumerate(problem.parameters))

    def turned(subject: FitSubject) -> FitSubject:
        exact = None if subject.exact is None else ByRatio(subject.exact, km, vmax)
        return replace(
            subject,
            predictor=ByRatio(subject.predictor, km, vmax),
            exact=exact,
            remarks=None,
            identity=f"{subject.identity} by ratio",
        )

    return replace(problem, parameters=parameters, subjects=tuple(turned(s) for s in problem.subjects))
