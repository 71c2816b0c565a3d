"""Derivatives by finite differences: what a fit had before exact sensitivities, kept as a baseline.

A solver's answer has an error that jumps with its steps, so a difference over a step `h` is wrong by that
error over `h` and, from the curvature, by a multiple of `h` (forward) or `h^2` (central). SciPy's default
step is made for functions that are right to their last digit. On a solver it divides the solver's error by
1e-7, which is the most common way to make a solver-based fit fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.objective import Objective
from pbpkc.infer.options import FitOptions
from pbpkc.infer.predictor import Failure, Noise, Prediction, Predictor
from pbpkc.infer.search import Heard, MultiStart, Searched
from pbpkc.infer.transform import ParameterSpace

Array = NDArray[np.float64]

#: Step on the scaled parameter, a relative one where it is a logarithm. Forward differences over it are
#: within 5e-4 of the exact derivatives, relative to the largest, at any rtol down to 1e-6 (paracetamol; at
#: SciPy's step 7e-3 at rtol 1e-10, 0.2 at 1e-8, 2 at 1e-6). Central ones are within 2e-7 at rtol 1e-10, but
#: a fit reaches the same estimate in as many iterations, with nearly twice the solves.
SOUND_STEP = 1e-3

#: Part of the longest step of a search that a natural-scale parameter near zero is differenced over.
_FLOOR = 1e-2


@dataclass(frozen=True)
class Scheme:
    """How derivatives are taken.

    Parameters
    ----------
    kind : {"forward", "central"}
    step : float
        On the scaled parameter: absolute for a logarithm, times the parameter's size on a natural scale.
        0: SciPy's default, ``sqrt(eps) max(1, |x|)`` for the scaled parameter x, away from zero.

    Raises
    ------
    ValueError
        If a choice is not one of those listed.
    """

    kind: Literal["central", "forward"] = "forward"
    step: float = SOUND_STEP

    def __post_init__(self) -> None:
        if self.kind not in ("central", "forward"):
            raise ValueError(f"kind is {self.kind!r}; accepted are 'central' and 'forward'")
        if not 0.0 <= self.step <= 0.1:
            raise ValueError(f"step is {self.step!r}; accepted is 0 to 0.1")

    def steps(self, space: ParameterSpace, point: Array) -> Array:
        """Signed step of each scaled parameter, shape (k,)."""
        if self.step == 0.0:
            sign = np.where(point < 0.0, -1.0, 1.0)
            default: Array = np.sqrt(np.finfo(float).eps) * sign * np.maximum(1.0, np.abs(point))
            return default
        size = np.where(space.log, 1.0, np.maximum(np.abs(point), _FLOOR * space.reach))
        found: Array = self.step * size
        return found


#: Over a step that the solver's error cannot spoil, and over SciPy's own.
SOUND, SCIPY_DEFAULT = Scheme(), Scheme("forward", 0.0)


@dataclass
class DifferencePredictor:
    """A `Predictor` whose derivatives are differences of another's reference predictions.

    Parameters
    ----------
    exact : Predictor
    space : ParameterSpace
        Gives scale and bounds; no step leaves the bounds.
    scheme : Scheme
    """

    exact: Predictor
    space: ParameterSpace
    scheme: Scheme = SOUND
    _last: tuple[bytes, Prediction | Failure] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        self._shapes: NDArray[np.bool_] = np.asarray(self.exact.shapes_prediction, dtype=bool)

    @property
    def shapes_prediction(self) -> NDArray[np.bool_]:
        """As of the exact predictor."""
        return self._shapes

    def predict(self, theta: Array) -> Prediction | Failure:
        """Predictions, and their differences by the masked parameters."""
        key = theta[self._shapes].tobytes()
        if self._last is None or self._last[0] != key:
            self._last = (key, self._differences(theta))
        return self._last[1]

    def _differences(self, theta: Array) -> Prediction | Failure:
        here = self.exact.reference(theta)
        if isinstance(here, Failure):
            return here
        space, point = self.space, self.space.to_scaled(theta)
        chain, steps = space.chain(theta), self.scheme.steps(space, point)
        derivative = np.zeros((len(here), len(theta)))
        for i in np.flatnonzero(self._shapes).tolist():
            ends = [(point[i], here)]
            for sign in (1.0, -1.0):
                target = point[i] + sign * steps[i]
                if not space.lower[i] <= target <= space.upper[i]:
                    continue
                if self.scheme.kind == "forward" and len(ends) == 2:
                    break  # the second side is for a bound in the way of the first
                there = self._beside(point, i, target)
                if isinstance(there, Failure):
                    return there
                ends.append((target, there))
            # Both sides: the middle drops out. One side, at a bound: from the middle.
            (a, first), (b, last) = ends[-2], ends[-1]
            if a != b:
                derivative[:, i] = (last - first) / ((b - a) * chain[i])
        return Prediction(here, derivative)

    def _beside(self, point: Array, i: int, target: float) -> Array | Failure:
        moved = point.copy()
        moved[i] = target
        return self.exact.reference(self.space.to_natural(moved))

    def noise(self, theta: Array) -> Noise:
        """Arguments of the error model, whose derivatives cost no solve and stay exact."""
        return self.exact.noise(theta)

    def reference(self, theta: Array) -> Array | Failure:
        """Predictions of the reference solver."""
        return self.exact.reference(theta)


@dataclass(frozen=True)
class WithDifferences:
    """A `Search` that sees differences in place of exact derivatives.

    The estimate is judged like any other afterwards: simulated by the reference solver, with the exact
    information.

    Parameters
    ----------
    scheme : Scheme
    search : MultiStart
    """

    scheme: Scheme = SOUND
    search: MultiStart = field(default_factory=MultiStart)

    @property
    def name(self) -> str:
        """The search and how its derivatives are taken."""
        step = repr(self.scheme.step) if self.scheme.step else "sqrt(eps) max(1, |x|)"
        return f"{self.search.name}, {self.scheme.kind} differences over {step}"

    def __call__(
        self, objective: Objective, options: FitOptions, seed: int, heard: Heard | None
    ) -> Sequence[Searched]:
        """The searches of `search` on the differences."""
        predictor = DifferencePredictor(objective.predictor, objective.space, self.scheme)
        seen = Objective(objective.space, predictor, objective.scoring)
        return self.search(seen, options, seed, heard)
