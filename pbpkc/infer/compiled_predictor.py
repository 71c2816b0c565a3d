"""Predictions from a compiled model and the solvers, for one subject."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.bind import bind
from pbpkc.experiment.events import BoundRegimen
from pbpkc.experiment.regimen import Regimen
from pbpkc.infer.predictor import Failure, Noise, Prediction
from pbpkc.language.diagnostics import SpecError
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.reference import simulate
from pbpkc.solve.sensitivity import simulate_with_sensitivities
from pbpkc.solve.trajectory import Trajectory

Array = NDArray[np.float64]


@dataclass
class CompiledPredictor:
    """A `Predictor` on the reference solver with exact forward sensitivities.

    Parameters
    ----------
    compiled : CompiledModel
    base : array, shape (P,)
        All leaf parameters of this subject, canonical units; the masked ones are replaced.
    columns : array of int, shape (k,)
        Where the masked parameters stand among them.
    regimen : Regimen
    time : array, shape (n,), h
    observable : array of int, shape (n,)
    order : array of int, shape (n,)
        Row of each observation in its file, which decides what a sample at the time of a dose sees.
    solver : SolverOptions
    """

    compiled: CompiledModel
    base: Array
    columns: NDArray[np.int64]
    regimen: Regimen
    time: Array
    observable: NDArray[np.int64]
    order: NDArray[np.int64]
    solver: SolverOptions
    # The last solve: changing what only the error model reads asks for the same one again.
    _last: tuple[bytes, Prediction | Failure] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    # Arguments of an error model that reads no masked parameter.
    _constant_noise: Noise | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = [self.compiled.parameter_names[column] for column in self.columns]
        self._read = tuple(name for name in names if name in self.regimen.reads)
        read = np.array([name in self.regimen.reads for name in names], dtype=bool)
        self._shapes: NDArray[np.bool_] = enters_prediction(self.compiled, self.columns) | read
        self._solved = self.columns[self._shapes]
        self._noise_varies = bool(np.isin(self.compiled.sparsity("d_noise_dp")[1], self.columns).any())

    @property
    def shapes_prediction(self) -> NDArray[np.bool_]:
        """Which masked parameters the equations, the start, the observables or the doses read, shape (k,)."""
        return self._shapes

    def predict(self, theta: Array) -> Prediction | Failure:
        """Predictions and their derivatives by the masked parameters."""
        p = self.all_parameters(theta)
        key = p[self._solved].tobytes()
        if self._last is None or self._last[0] != key:
            self._last = (key, self._solve(p))
        return self._last[1]

    def _solve(self, p: Array) -> Prediction | Failure:
        regimen = self.bound(p)
        if isinstance(regimen, Failure):
            return regimen
        try:
            found = simulate_with_sensitivities(
                self.compiled, p, regimen, self.time, self._solved.tolist(), self.solver, self.order
            )
        except ArithmeticError as error:
            return _arithmetic(error)
        if not found.outcome.ok:
            return _stopped(found)
        assert found.d_observables_dp is not None
        rows = np.arange(len(self.time))
        derivative = np.zeros((len(self.time), len(self.columns)))
        derivative[:, self._shapes] = found.d_observables_dp[rows, self.observable]
        return Prediction(found.observables[rows, self.observable], derivative)

    def noise(self, theta: Array) -> Noise:
        """Arguments of the error model of each observation."""
        if self._constant_noise is not None:
            return self._constant_noise
        p = self.all_parameters(theta)
        c = self.compiled.prepare(p)
        value = np.asarray(self.compiled.noise(p, c), dtype=float)[self.observable]
        slope = self.compiled.d_noise_dp_dense(p, self.columns.tolist(), c)[self.observable]
        noise = Noise(value[:, 0], value[:, 1], slope[:, 0], slope[:, 1])
        if not self._noise_varies:
            self._constant_noise = noise
        return noise

    def reference(self, theta: Array) -> Array | Failure:
        """Predictions of the reference solver without sensitivities, shape (n,)."""
        p = self.all_parameters(theta)
        regimen = self.bound(p)
        if isinstance(regimen, Failure):
            return regimen
        try:
            found = simulate(self.compiled, p, regimen, self.time, self.solver, order=self.order)
        except ArithmeticError as error:
            return _arithmetic(error)
        if not found.outcome.ok:
            return _stopped(found)
        values: Array = found.observables[np.arange(len(self.time)), self.observable]
        return values

    def bound(self, p: Array) -> BoundRegimen | Failure:
        """The doses in numbers, for all parameters, shape (P,)."""
        values = dict(zip(self.compiled.parameter_names, p.tolist(), strict=True))
        try:
            last = float(np.max(self.time, initial=-np.inf))
            return bind(self.regimen, values, self._read, last)
        except SpecError as error:
            return Failure(error.diagnostics[0].message, "narrow the bounds of the parameters it reads")

    @property
    def regimen_moves(self) -> bool:
        """Whether doses or their times depend on masked parameters."""
        return bool(self._read)

    def all_parameters(self, theta: Array) -> Array:
        """All leaf parameters, shape (P,), with the masked ones in their places."""
        p = self.base.copy()
        p[self.columns] = theta
        return p

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_last": None}


def enters_prediction(compiled: CompiledModel, columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which parameters the equations, the initial state or the observables read, shape (k,)."""
    read: set[int] = set()
    for quantity in ("d_rhs_dp", "d_observe_dp", "d_initial_dp"):
        read |= set(compiled.sparsity(quantity)[1].tolist())
    read |= set(compiled.held_parameters)  # where what is held begins
    return np.array([int(column) in read for column in columns], dtype=bool)


def _stopped(found: Trajectory) -> Failure:
    return Failure(found.outcome.reason, found.outcome.suggestion)


def _arithmetic(error: ArithmeticError) -> Failure:
    return Failure(f"the equations cannot be evaluated: {error}", "narrow the bounds of the parameters")
