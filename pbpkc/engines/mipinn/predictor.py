"""Stage 2: a subject's predictions from a trained model, in the place of the reference solver's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.fast import FastModel, NotSolved, Unseen, Warm
from pbpkc.engines.mipinn.kinds import unfollowed
from pbpkc.engines.mipinn.range_check import outside
from pbpkc.engines.mipinn.tasks import bound
from pbpkc.experiment.events import BoundRegimen
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
    _last: dict[int, tuple[bytes, Prediction | Failure]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _warm: dict[int, Warm] = field(default_factory=dict, init=False, repr=False, compare=False)
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
        return self.predict_many([0], [theta])[0]

    def predict_many(self, lanes: Sequence[int], thetas: Sequence[Array]) -> list[Prediction | Failure]:
        """The same at the thetas of several searches, solved side by side."""
        solved = self.exact.columns[self.exact.shapes_prediction]
        p = np.array([self.exact.all_parameters(theta) for theta in thetas])
        keys = [one[solved].tobytes() for one in p]
        new = [i for i, lane in enumerate(lanes) if self._last.get(lane, (b"",))[0] != keys[i]]
        # Event times that a parameter moves differ from search to search.
        if self.exact.regimen_moves or len(new) == 1:
            found = [self._solve(p[i : i + 1], [lanes[i]], solved)[0] for i in new]
        else:
            found = self._solve(p[new], [lanes[i] for i in new], solved) if new else []
        for i, one in zip(new, found, strict=True):
            self._last[lanes[i]] = (keys[i], one)
        return [self._last[lane][1] for lane in lanes]

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
        inputs = compiled.manifest["inputs"]
        line = timeline(regimen, self.exact.time, inputs, compiled.state_names, self.exact.order, p=p)
        why = unfollowed(line, inputs)
        if why:
            return Failure(f"{why}, which a trained model does not follow", "fit with --method least-squares")
        if not self.exact.regimen_moves:
            self._line = regimen, line
        return regimen, line

    def _begin(self, p: Array, solved: NDArray[np.int64]) -> tuple[Array, Array]:
        """The states before any dose (B, S), and their derivatives (B, S, k)."""
        compiled = self.fast.compiled
        if len(compiled.sparsity("d_initial_dp")[0]):
            y0 = np.array([compiled.initial_state(one) for one in p], dtype=float)
            return y0, np.array([compiled.d_initial_dp_dense(one, solved.tolist()) for one in p])
        if self._rest is None:  # the same for all parameters
            self._rest = np.array(compiled.initial_state(p[0]), dtype=float)
        return np.tile(self._rest, (len(p), 1)), np.zeros((len(p), len(self._rest), len(solved)))

    def _solve(self, p: Array, lanes: Sequence[int], solved: NDArray[np.int64]) -> list[Prediction | Failure]:
        """Predictions of parameters (B, P), whose events fall on the same times."""
        lines = []
        y0, dy0 = self._begin(p, solved)
        for i, one in enumerate(p):
            found = self._timeline(one, solved)
            if isinstance(found, Failure):
                return self._apart(p, lanes, solved, found)
            regimen, line = found
            lines.append(line)
            for start in regimen.starts:
                y0[i, start.state] = start.value
                dy0[i, start.state] = 0.0 if start.d_value is None else start.d_value
        compiled, times = self.fast.compiled, self.exact.time
        binding = bound(compiled, p, derivatives=True)
        warm = [self._warm.setdefault(lane, {}) for lane in lanes]
        try:
            curve = self.fast.run(binding, lines, times, y0, dy0, warm)
        except (Unseen, NotSolved) as error:
            failure = Failure(
                str(error), "train on a family that holds it, or fit with --method least-squares"
            )
            return self._apart(p, lanes, solved, failure)
        assert curve.dy is not None
        u = np.concatenate([s.inputs_at(times[s.samples]) for s in lines[0]])
        observer = self.fast.observer
        seen_values, columns = observer.values(binding, times, curve.y, u)
        rows, seen = np.arange(len(times)), observer.place[self.exact.observable]
        value = np.empty((len(p), len(times), len(seen_values)))
        for place, one_value in enumerate(seen_values):
            value[..., place] = one_value
        derivative = np.zeros((len(p), len(times), len(self.exact.columns)))
        derivative[..., self.exact.shapes_prediction] = observer.derivatives(
            binding, times, columns, u, curve.dy
        )[:, rows, seen]
        return [Prediction(value[i, rows, seen], derivative[i]) for i in range(len(p))]

    def _apart(
        self, p: Array, lanes: Sequence[int], solved: NDArray[np.int64], failure: Failure
    ) -> list[Prediction | Failure]:
        """One by one, so that a search that fails does not take others with it."""
        if len(p) == 1:
            return [failure]
        return [self._solve(p[i : i + 1], lanes[i : i + 1], solved)[0] for i in range(len(p))]

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_last": {}, "_line": None, "_warm": {}}
