"""The objective of one subject as a function of the scaled parameters.

It is minus twice the log likelihood; maximum a posteriori adds minus twice the log density of the priors.
Parameters that only the error model reads are moved to their best values for the predictions at hand each
time the objective is asked, because that needs no solve: the search then runs on the likelihood profiled
over them, and a poor first sigma costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.likelihood import evaluate
from pbpkc.infer.observations import Scoring
from pbpkc.infer.optimise import Evaluation, SearchOptions, minimise
from pbpkc.infer.predictor import Failure, Noise, Prediction, Predictor, SideBySide
from pbpkc.infer.residual_scale import best_scale
from pbpkc.infer.transform import ParameterSpace

Array = NDArray[np.float64]

# The profile over the error model is exact enough when the search above it cannot tell the difference.
_PROFILE = SearchOptions(tolerance=1e-11, resolution=1e-9, max_evaluations=60)


@dataclass
class Objective:
    """Minus twice the log likelihood, with priors where `space` has them.

    Parameters
    ----------
    space : ParameterSpace
    predictor : Predictor
    scoring : Scoring
    held : tuple of int
        Parameters that stay where they are asked for, even if only the error model reads them.

    Attributes
    ----------
    solves : int
        Predictions asked for so far.
    """

    space: ParameterSpace
    predictor: Predictor
    scoring: Scoring
    held: tuple[int, ...] = ()
    solves: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        # Indices of what only the error model reads.
        only = np.flatnonzero(~np.asarray(self.predictor.shapes_prediction, dtype=bool))
        self._noise_only = np.setdiff1d(only, self.held)

    def predict(self, point: Array) -> Prediction | Failure:
        """Predictions at a scaled point, derivatives by the natural parameters."""
        self.solves += 1
        return self.predictor.predict(self.space.to_natural(point))

    def __call__(self, point: Array) -> Evaluation | Failure:
        """The objective at a scaled point, profiled over the parameters of the error model."""
        return self._evaluated(point, self.predict(point))

    def many(
        self, together: SideBySide, lanes: Sequence[int], points: Sequence[Array]
    ) -> list[Evaluation | Failure]:
        """The objective at several scaled points, each of another search; `together` is the predictor."""
        self.solves += len(points)
        found = together.predict_many(lanes, [self.space.to_natural(point) for point in points])
        return [self._evaluated(point, one) for point, one in zip(points, found, strict=True)]

    def _evaluated(self, point: Array, prediction: Prediction | Failure) -> Evaluation | Failure:
        if isinstance(prediction, Failure):
            return prediction
        if len(self._noise_only):
            point = self._profile(point, prediction)
        return self.at(point, prediction)

    def at(self, point: Array, prediction: Prediction) -> Evaluation | Failure:
        """The objective at a scaled point for predictions already made there."""
        theta = self.space.to_natural(point)
        chain = self.space.chain(theta)
        found = evaluate(
            self.scoring, scaled(prediction, chain), scaled_noise(self.predictor.noise(theta), chain)
        )
        if isinstance(found, Failure):
            return found
        penalty, slope, bend = self.space.penalty(point)
        return Evaluation(
            point,
            found.value + penalty,
            found.gradient + slope,
            # A prior's tail may bend the wrong way; the search needs a matrix that is not negative.
            found.curvature + np.diag(np.maximum(bend, 0.0)),
        )

    def _profile(self, point: Array, prediction: Prediction) -> Array:
        """The point with the parameters of the error model at their best for fixed predictions."""
        free = self._noise_only
        space = self.space
        if len(free) == 1 and (scaled_at := self._closed_form(point, prediction, int(free[0]))) is not None:
            return scaled_at

        def inner(values: Array) -> Evaluation | Failure:
            full = point.copy()
            full[free] = values
            found = self.at(full, prediction)
            if isinstance(found, Failure):
                return found
            return Evaluation(values, found.value, found.gradient[free], found.curvature[np.ix_(free, free)])

        best = minimise(inner, point[free], space.lower[free], space.upper[free], space.reach[free], _PROFILE)
        if best.end is None:
            return point
        full = point.copy()
        full[free] = best.end.point
        return full

    def _closed_form(self, point: Array, prediction: Prediction, free: int) -> Array | None:
        """The point with the one parameter of the error model at its best, if that has a closed form."""
        space, parameter = self.space, self.space.parameters[free]
        if parameter.prior is not None and (space.with_priors or parameter.counted):
            return None
        theta = space.to_natural(point)
        best = best_scale(self.scoring, prediction, self.predictor.noise(theta), free, float(theta[free]))
        if best is None:
            return None
        full = point.copy()
        # Towards both sides the likelihood falls, so a bound is best where it lies outside.
        full[free] = np.clip(parameter.to_scaled(best), space.lower[free], space.upper[free])
        return full


def scaled(prediction: Prediction, chain: Array) -> Prediction:
    """The same prediction with derivatives by the scaled parameters."""
    return Prediction(prediction.value, prediction.derivative * chain)


def scaled_noise(noise: Noise, chain: Array) -> Noise:
    """The same error model with derivatives by the scaled parameters."""
    return Noise(noise.proportional, noise.additive, noise.d_proportional * chain, noise.d_additive * chain)
