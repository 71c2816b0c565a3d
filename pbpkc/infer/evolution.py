"""CMA-ES as a search: the covariance matrix adaptation evolution strategy of Hansen.

It asks for values alone, never for derivatives, and looks at many points of the box before it settles, so
it stands for the global searches that are run on such models. It approaches an optimum linearly; the last
digits are left to a few steps of Fisher scoring.

References
----------
Hansen N, Ostermeier A (2001) Evol Comput 9:159-195. Implementation: package cma (Hansen, Akimoto, Baudis).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.objective import Objective
from pbpkc.infer.optimise import Optimum, SearchOptions, minimise
from pbpkc.infer.options import FitOptions
from pbpkc.infer.predictor import Failure, Noise, Prediction, Predictor
from pbpkc.infer.search import Heard, Searched
from pbpkc.infer.starts import FACTOR

Array = NDArray[np.float64]

#: Evaluations of one search for each parameter that shapes the prediction, and at least.
EVALUATIONS_EACH, EVALUATIONS_LEAST = 150, 200

#: Spread of the first population on a log scale: a third of the factor that other searches start within, so
#: that nearly all of it lies in their box.
_SPREAD = math.log(FACTOR) / 3.0

#: The strategy ends when its values agree within this: Fisher scoring does the rest in a few steps.
_SETTLED = 1e-2

#: What a point is worth whose prediction fails: more than any that has one, without being infinite.
_WORTHLESS = 1e20

_FINISH = SearchOptions(max_evaluations=60)


@dataclass(frozen=True)
class Evolution:
    """CMA-ES from the start of the spec, then Fisher scoring from the best point it saw.

    Parameters
    ----------
    evaluations : int, optional
        Solves of the strategy, at most; `EVALUATIONS_EACH` for each parameter, at least
        `EVALUATIONS_LEAST`, where not given.
    population : int, optional
        Points of a generation; ``4 + 3 ln(k)`` where not given.

    Raises
    ------
    ValueError
        If a number is too small.
    """

    evaluations: int | None = None
    population: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("evaluations", 10), ("population", 3)):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise ValueError(f"{name} is {value!r}; accepted is an integer of at least {least}")

    @property
    def name(self) -> str:
        """The strategy with its numbers."""
        return f"cma-es (evaluations {self.evaluations}, population {self.population}), then fisher-scoring"

    def __call__(
        self, objective: Objective, options: FitOptions, seed: int, heard: Heard | None
    ) -> Sequence[Searched]:
        """One search."""
        space = objective.space
        free = np.flatnonzero(np.asarray(objective.predictor.shapes_prediction, dtype=bool))
        values = Objective(space, _Values(objective.predictor), objective.scoring)
        budget = self.evaluations or max(EVALUATIONS_LEAST, EVALUATIONS_EACH * len(free))
        best, worth, reason = space.start, math.inf, Failure("no evaluation")
        asked = failed = 0
        strategy = self._strategy(objective, free, seed)
        while len(free) and asked < budget and not strategy.stop():
            points, values_here = strategy.ask(), []
            for candidate in points:
                point = space.start.copy()
                point[free] = candidate[: len(free)]
                found = values(space.clip(point))
                asked += 1
                value = _WORTHLESS
                if isinstance(found, Failure):
                    failed, reason = failed + 1, found
                elif math.isfinite(found.value):
                    value = found.value
                    if value < worth:
                        best, worth = found.point, value
                values_here.append(value)
            strategy.tell(points, values_here)
            if heard is not None:
                heard(options.starts * min(1.0, asked / budget))
        if len(free) and math.isinf(worth):
            found_none = f"none of {asked} evaluations succeeded: {reason.reason}"
            return [
                Searched(
                    space.start,
                    Optimum(None, False, found_none, reason.suggestion, asked, failed, math.inf),
                )
            ]
        finish = minimise(objective, best, space.lower, space.upper, space.reach, _FINISH)
        told = f"after {asked} evaluations of CMA-ES, {finish.evaluations} of Fisher scoring: {finish.reason}"
        return [
            Searched(
                space.start,
                replace(
                    finish,
                    reason=told,
                    evaluations=asked + finish.evaluations,
                    failures=failed + finish.failures,
                ),
            )
        ]

    def _strategy(self, objective: Objective, free: NDArray[np.int64], seed: int) -> Any:
        import cma

        space = objective.space
        width = np.where(space.log, _SPREAD, 0.5 * space.reach)[free]
        start, low, high = space.start[free], space.lower[free], space.upper[free]
        # The strategy is not made for one dimension: a second one that nothing depends on helps it out.
        more = max(0, 2 - len(free))
        pad = np.ones(more)
        generator = np.random.default_rng(seed)
        return cma.CMAEvolutionStrategy(
            np.concatenate((start, 0.0 * pad)),
            1.0,
            {
                "CMA_stds": np.concatenate((width, pad)),
                "bounds": [
                    _open(np.concatenate((low, -10.0 * pad))),
                    _open(np.concatenate((high, 10.0 * pad))),
                ],
                # Its own generator: nothing global is seeded or read.
                "randn": lambda *shape: generator.standard_normal(shape),
                "seed": math.nan,
                "tolfun": _SETTLED,
                "tolfunhist": _SETTLED,
                "verbose": -9,
                "verb_log": 0,
                "signals_filename": "",
                **({} if self.population is None else {"popsize": self.population}),
            },
        )


class _Values:
    """Predictions without derivatives, which the strategy does not read."""

    def __init__(self, exact: Predictor) -> None:
        self.exact = exact

    @property
    def shapes_prediction(self) -> NDArray[np.bool_]:
        return self.exact.shapes_prediction

    def predict(self, theta: Array) -> Prediction | Failure:
        found = self.exact.reference(theta)
        if isinstance(found, Failure):
            return found
        return Prediction(found, np.zeros((len(found), len(theta))))

    def noise(self, theta: Array) -> Noise:
        return self.exact.noise(theta)

    def reference(self, theta: Array) -> Array | Failure:
        return self.exact.reference(theta)


def demand_cma() -> None:
    """Check that the package of the strategy is there.

    Raises
    ------
    ValueError
        If it is not, with what to install.
    """
    if find_spec("cma") is None:
        raise ValueError(
            "the method cma-es needs the package cma, which is not installed: pip install 'pbpkc[fit]'"
        )


def _open(values: Array) -> list[float | None]:
    """Bounds as the strategy reads them: None where there is none."""
    return [float(v) if math.isfinite(v) else None for v in values]
