"""The joint PINN as a search of the fit.

Its estimate is reported as it is: no solver improves it. The reference solver only says what it is worth,
as for every method: objective, predictions and the exact information at that point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from pbpkc.engines.pinn.options import PinnOptions
from pbpkc.infer.objective import Objective
from pbpkc.infer.optimise import Optimum, SearchOptions, minimise
from pbpkc.infer.options import FitOptions
from pbpkc.infer.polish import LIMIT, bias
from pbpkc.infer.predictor import Failure
from pbpkc.infer.search import Heard, Searched

#: Fall of the objective that a step of Fisher scoring may still promise: a parameter is then about one
#: standard error from the optimum.
_SHORT = 1.0

_ONE_LOOK = SearchOptions(max_evaluations=1)


@dataclass(frozen=True)
class Pinn:
    """A `Search` that trains a network and the parameters together.

    Parameters
    ----------
    options : PinnOptions
    """

    options: PinnOptions = field(default_factory=PinnOptions)

    @property
    def name(self) -> str:
        """All of its options."""
        return "pinn " + ", ".join(f"{key} {value}" for key, value in asdict(self.options).items())

    def __call__(
        self, objective: Objective, options: FitOptions, seed: int, heard: Heard | None
    ) -> Sequence[Searched]:
        """One training."""
        # torch takes a second to load: only a fit that trains needs it.
        from pbpkc.engines.pinn.train import train

        tell = None if heard is None else lambda part: heard(options.starts * part)
        found = train(objective, self.options, seed, tell)
        start = objective.space.start
        if isinstance(found, Failure):
            return [Searched(start, Optimum(None, False, found.reason, found.suggestion, 0, 1, math.inf))]
        prediction = objective.predict(found.point)
        end = prediction if isinstance(prediction, Failure) else objective.at(found.point, prediction)
        if isinstance(end, Failure):
            reason = f"the solver has no value at the network's parameters: {end.reason}"
            return [Searched(start, Optimum(None, False, reason, end.suggestion, found.steps, 1, math.inf))]
        assert not isinstance(prediction, Failure)
        off = bias(
            objective.scoring, found.predictions, prediction.value, objective.predictor.noise(found.theta)
        )
        told = (
            f"the network lies up to {off.worst:.2g} standard deviations of the noise from the solver at its "
            f"own parameters (median {100.0 * off.relative:.2g} %)"
        )
        # What a solver would make of it is asked and not taken.
        space = objective.space
        onwards = minimise(objective, found.point, space.lower, space.upper, space.reach, _ONE_LOOK)
        helps = "train longer (--budget), or use another method"
        good = bool(np.isfinite(off.worst)) and off.worst <= LIMIT
        if good and not onwards.promise <= _SHORT:
            good = False
            told += f"; the objective would still fall by {onwards.promise:.2g} from there"
        optimum = Optimum(end, good, told, "" if good else helps, found.steps, 0, onwards.promise)
        return [Searched(found.start, optimum, (told,) if good else ())]
