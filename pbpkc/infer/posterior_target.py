"""The posterior density of one subject's parameters, where a sampler walks on it.

Likelihood and priors are those of the fit. The density is looked at in two coordinates: z, the scaled
parameters without their bounds (`pbpkc.infer.unbounded`), and x, in which the posterior is round: the mode
of z at zero and the information there turned into the unit matrix. In x a sampler needs neither a mass
matrix nor more than a few steps to find its step size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.likelihood import evaluate
from pbpkc.infer.objective import scaled, scaled_noise
from pbpkc.infer.observations import Scoring
from pbpkc.infer.optimise import Evaluation, SearchOptions, minimise
from pbpkc.infer.predictor import Failure, Predictor
from pbpkc.infer.transform import ParameterSpace
from pbpkc.infer.unbounded import Unbounded

Array = NDArray[np.float64]

#: The mode only centres the sampler, so its last digits do not matter.
_MODE = SearchOptions(tolerance=1e-4, resolution=1e-3, max_evaluations=60)

#: Longest step of one iteration of the search for the mode in a bounded coordinate.
_REACH = 2.0

#: Where neither data nor priors say anything, a coordinate without bounds counts as known within this many
#: longest steps of a search: a matrix has to be inverted.
_FAR = 1e3


@dataclass(frozen=True)
class Density:
    """The posterior at one point.

    Parameters
    ----------
    z : array, shape (k,)
    point : array, shape (k,)
        The same, scaled.
    log_likelihood : float
    log_density : float
        Of the scaled parameters, up to a constant.
    value : float
        Log density of z, up to a constant.
    gradient : array, shape (k,)
        Of `value` by z, exact.
    precision : array, shape (k, k)
        Minus the second derivative of `value`, with the expected information of the data; positive
        semidefinite.
    """

    z: Array
    point: Array
    log_likelihood: float
    log_density: float
    value: float
    gradient: Array
    precision: Array


@dataclass
class Target:
    """The posterior density as a function of z.

    Parameters
    ----------
    space : ParameterSpace
        With priors.
    predictor : Predictor
    scoring : Scoring

    Attributes
    ----------
    evaluations, failures : int
        How often it was asked, and how often there was no answer.
    reason : str
        Why there was none, the last time.
    """

    space: ParameterSpace
    predictor: Predictor
    scoring: Scoring
    evaluations: int = field(default=0, init=False)
    failures: int = field(default=0, init=False)
    reason: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self.unbounded = Unbounded(self.space.lower, self.space.upper)

    def __call__(self, z: Array) -> Density | Failure:
        """The density at z, shape (k,)."""
        found = self._at(z)
        self.evaluations += 1
        if isinstance(found, Failure):
            self.failures += 1
            self.reason = found.reason
        return found

    def _at(self, z: Array) -> Density | Failure:
        placed = self.unbounded.place(z)
        theta = self.space.to_natural(placed.point)
        prediction = self.predictor.predict(theta)
        if isinstance(prediction, Failure):
            return prediction
        chain = self.space.chain(theta)
        found = evaluate(
            self.scoring, scaled(prediction, chain), scaled_noise(self.predictor.noise(theta), chain)
        )
        if isinstance(found, Failure):
            return found
        penalty, slope, bend = self.space.penalty(placed.point)
        log_density = -0.5 * (found.value + penalty)
        information = 0.5 * (found.curvature + np.diag(np.maximum(bend, 0.0)))
        return Density(
            z=z,
            point=placed.point,
            log_likelihood=-0.5 * found.value,
            log_density=log_density,
            value=log_density + placed.log_jacobian,
            gradient=-0.5 * (found.gradient + slope) * placed.slope + placed.log_slope,
            precision=information * np.outer(placed.slope, placed.slope) + np.diag(placed.bend),
        )

    def mode(self, point: Array) -> Density | Failure:
        """The density at its mode in z, looked for from a scaled point."""

        def descend(z: Array) -> Evaluation | Failure:
            found = self(z)
            if isinstance(found, Failure):
                return found
            return Evaluation(z, -2.0 * found.value, -2.0 * found.gradient, 2.0 * found.precision)

        k = self.space.size
        end = minimise(
            descend,
            self.unbounded.lift(point),
            np.full(k, -np.inf),
            np.full(k, np.inf),
            np.maximum(self._reach(), _REACH),
            _MODE,
        )
        if end.end is None:
            return Failure(f"the posterior has no value at the estimate: {end.reason}", end.suggestion)
        return self(end.end.point)

    def _reach(self) -> Array:
        free = ~np.isfinite(self.space.lower) & ~np.isfinite(self.space.upper)
        return np.where(free, self.space.reach, _REACH)

    def round(self, mode: Density) -> Round:
        """Coordinates in which the posterior is round at its mode."""
        floor = 1.0 / (_FAR * self._reach()) ** 2
        root = np.linalg.cholesky(mode.precision + np.diag(floor))
        return Round(mode.z, np.linalg.inv(root).T)


@dataclass(frozen=True)
class Round:
    """Coordinates x with z = centre + root x, root root' the covariance of the posterior at its mode.

    Parameters
    ----------
    centre : array, shape (k,)
    root : array, shape (k, k)
    """

    centre: Array
    root: Array

    def to_z(self, x: Array) -> Array:
        """The vector z of x, shape (k,)."""
        return self.centre + self.root @ x

    def slope(self, gradient: Array) -> Array:
        """A gradient by x for one by z, shape (k,)."""
        return gradient @ self.root


@dataclass
class Walk:
    """The density in round coordinates, which remembers where it has been."""

    target: Target
    round: Round
    _seen: dict[bytes, Density] = field(default_factory=dict)

    def __call__(self, x: Array) -> tuple[float, Array]:
        """Log density and its gradient by x, shape (k,); -inf where there is none."""
        found = self.at(x)
        if found is None:
            return -math.inf, np.zeros(len(x))
        return found.value, self.round.slope(found.gradient)

    def value(self, x: Array) -> float:
        """Log density alone."""
        return self(x)[0]

    def at(self, x: Array) -> Density | None:
        """Everything about the density at x, None where there is none."""
        key = x.tobytes()
        if key not in self._seen:
            found = self.target(self.round.to_z(x))
            if isinstance(found, Failure) or not math.isfinite(found.value):
                return None
            self._seen[key] = found
        return self._seen[key]

    def forget(self, kept: Array) -> None:
        """Keep what is known of some points, shape (n, k), alone."""
        keys = {x.tobytes() for x in kept}
        self._seen = {key: found for key, found in self._seen.items() if key in keys}
