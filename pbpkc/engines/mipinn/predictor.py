"""Stage 2: a subject's predictions from a trained model, in the place of the reference solver's."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.fast import FastModel, NotSolved, Unseen, Warm
from pbpkc.engines.mipinn.range_check import outside
from pbpkc.engines.mipinn.tasks import Bound, bound
from pbpkc.experiment.regimen import BoundRegimen
from pbpkc.infer.compiled_predictor import CompiledPredictor
from pbpkc.infer.predictor import Failure, Noise, Prediction
from pbpkc.solve.timeline import Segment, timeline

Array = NDArray[np.float64]


@dataclass
class FastPredictor:
    """A `Predictor` on a trained model.

    Parameters
    ----------
    exact : CompiledPredictor
        The same subject on the reference solver: its doses, samples, and the word at the optimum.
    fast : FastModel
        Differentiating by ``exact.columns`` where these shape the prediction. Shared by the subjects of a
        fit.
    """

    exact: CompiledPredictor
    fast: FastModel
    _last: tuple[bytes, Prediction | Failure] | None = field(
        default=None, init=False, repr=False, compare=False
    )
    _warm: Warm = field(default_factory=dict, init=False, repr=False, compare=False)
    _rest: Array | None = field(default=None, init=False, repr=False, compare=False)
    _line: tuple[BoundRegimen, tuple[Segment, ...]] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    @property
    def shapes_prediction(self) -> NDArray[np.bool_]:
        """As of the exact predictor."""
        return self.exact.shapes_prediction

    def predict(self, theta: Array) -> Prediction | Failure:
        """Predictions and their derivatives by the masked parameters."""
        p = self.exact.all_parameters(theta)
        solved = self.exact.columns[self.exact.shapes_prediction]
        key = p[solved].tobytes()
        if self._last is None or self._last[0] != key:
            self._last = (key, self._solve(p, solved))
        return self._last[1]

    def noise(self, theta: Array) -> Noise:
        """Arguments of the error model of each observation."""
        return self.exact.noise(theta)

    def reference(self, theta: Array) -> Array | Failure:
        """Predictions of the reference solver."""
        return self.exact.reference(theta)

    def demand_seen(self) -> None:
        """Refuse doses and times of a kind that training never saw, before any work is done.

        Raises
        ------
        Unseen
            Saying what training did see.
        """
        p = self.exact.base
        found = self._timeline(p, self.exact.columns[self.exact.shapes_prediction])
        if not isinstance(found, Failure):  # a dose without a value is told with the subject's fit
            self.fast.demand_seen(found[1])

    def remarks(self, theta: Array) -> tuple[str, ...]:
        """What a reader should know of the place of an estimate in the training range."""
        regimen = self.exact.bound(self.exact.all_parameters(theta))
        return (
            ()
            if isinstance(regimen, Failure)
            else outside(self.fast.trained, self.fast.compiled, self.exact.all_parameters(theta), regimen)
        )

    def _timeline(
        self, p: Array, solved: NDArray[np.int64]
    ) -> tuple[BoundRegimen, tuple[Segment, ...]] | Failure:
        if self._line is not None:
            return self._line
        regimen = self.exact.bound(p)
        if isinstance(regimen, Failure):
            return regimen
        compiled = self.fast.compiled
        regimen = regimen.by([compiled.parameter_names[column] for column in solved])
        line = timeline(
            regimen, self.exact.time, compiled.manifest["inputs"], compiled.state_names, self.exact.order
        )
        if not self.exact.regimen_moves:
            self._line = regimen, line
        return regimen, line

    def _begin(self, p: Array, solved: NDArray[np.int64], binding: Bound) -> tuple[Array, Array]:
        """The state before any dose (S,), and its derivatives (S, k)."""
        compiled = self.fast.compiled
        if len(compiled.sparsity("d_initial_dp")[0]):
            y0 = np.array(compiled.initial_state(p, binding.c), dtype=float)
            return y0, compiled.d_initial_dp_dense(p, solved.tolist(), binding.c, binding.dc)
        if self._rest is None:  # the same for all parameters
            self._rest = np.array(compiled.initial_state(p, binding.c), dtype=float)
        return self._rest.copy(), np.zeros((len(self._rest), len(solved)))

    def _solve(self, p: Array, solved: NDArray[np.int64]) -> Prediction | Failure:
        found = self._timeline(p, solved)
        if isinstance(found, Failure):
            return found
        regimen, line = found
        compiled, times = self.fast.compiled, self.exact.time
        binding = bound(compiled, p[None], derivatives=True)
        y0, dy0 = self._begin(p, solved, binding)
        for start in regimen.starts:
            y0[start.state] = start.value
            dy0[start.state] = 0.0 if start.d_value is None else start.d_value
        try:
            curve = self.fast.run(binding, [line], times, y0[None], dy0[None], self._warm)
        except (Unseen, NotSolved) as error:
            return Failure(str(error), "train on a family that holds it, or fit with --method least-squares")
        assert curve.dy is not None
        u = np.concatenate([s.inputs_at(times[s.samples]) for s in line])
        observer = self.fast.observer
        seen_values, columns = observer.values(binding, times, curve.y[0], u)
        rows, seen = np.arange(len(times)), observer.place[self.exact.observable]
        value = np.empty((len(times), len(seen_values)))
        for place, one in enumerate(seen_values):
            value[:, place] = one
        derivative = np.zeros((len(times), len(self.exact.columns)))
        derivative[:, self.exact.shapes_prediction] = observer.derivatives(
            binding, times, columns, u, curve.dy[0]
        )[rows, seen]
        return Prediction(value[rows, seen], derivative)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_last": None, "_line": None, "_warm": {}}
