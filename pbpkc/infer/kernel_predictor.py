"""Predictions from the differentiated kernel, several searches of one subject at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.events import BoundRegimen
from pbpkc.infer.compiled_predictor import CompiledPredictor
from pbpkc.infer.predictor import Failure, Prediction
from pbpkc.solve.equations import StateEquations
from pbpkc.solve.fixed_point import Unsteady
from pbpkc.solve.kernel import Kernel, KernelRuns, rosenbrock_kernel
from pbpkc.solve.options import absolute_tolerance
from pbpkc.solve.passage import Passage, initial_slopes, initial_states
from pbpkc.solve.schedule import NotScheduled, Schedule, schedule
from pbpkc.solve.timeline import Segment, timeline

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Plan:
    """A regimen as the kernel takes it, and the tolerances it sets, shape (S,).

    `entered` are the segments of a run whose beginning the reference has to find.
    """

    regimen: BoundRegimen
    schedule: Schedule
    atol: Array
    entered: tuple[Segment, ...] = ()


@dataclass
class KernelPredictor(CompiledPredictor):
    """A `CompiledPredictor` whose solves run in compiled code.

    What the kernel does not do, or does not finish, the reference solver does. It is picklable: another
    process loads the kernel again.
    """

    _kernel: Kernel | None = field(default=None, init=False, repr=False, compare=False)
    _plan: _Plan | None = field(default=None, init=False, repr=False, compare=False)

    def predict_many(self, lanes: Sequence[int], thetas: Sequence[Array]) -> list[Prediction | Failure]:
        """Predictions with derivatives at each theta, all of them in the lanes of one call."""
        p = np.array([self.all_parameters(theta) for theta in thetas])
        try:
            return self._together(p)
        except NotScheduled:
            return [super(KernelPredictor, self)._solve(one) for one in p]

    def _solve(self, p: Array) -> Prediction | Failure:
        try:
            return self._together(p[None])[0]
        except NotScheduled:
            return super()._solve(p)

    def _together(self, p: Array) -> list[Prediction | Failure]:
        """Predictions for parameters (B, P).

        Raises
        ------
        NotScheduled
            If the kernel cannot do what is done to the subject.
        """
        if self.regimen_moves or self.compiled.held_parameters:
            found: list[Prediction | Failure] = []
            for one in p:
                regimen = self.bound(one)
                if isinstance(regimen, Failure):
                    found.append(regimen)
                else:
                    found += self._run(one[None], self._planned(one, regimen))
            return found
        if self._plan is None:
            regimen = self.bound(p[0])
            if isinstance(regimen, Failure):
                return [regimen] * len(p)
            self._plan = self._planned(p[0], regimen)
        return self._run(p, self._plan)

    def _planned(self, p: Array, regimen: BoundRegimen) -> _Plan:
        compiled = self.compiled
        regimen = regimen.by([compiled.parameter_names[column] for column in self._solved])
        inputs = compiled.manifest["inputs"]
        segments = timeline(regimen, self.time, inputs, compiled.state_names, self.order, p=p)
        steady = any(event.steady is not None for event in segments[0].events)
        entered = segments if steady or regimen.rests or regimen.after is not None else ()
        if steady:
            if any(event.kind == "reset" for part in segments for event in part.events):
                raise NotScheduled("a run begins in a steady state of doses and is reset")
            segments = (replace(segments[0], events=(), held=()), *segments[1:])
        plan = schedule([(segments, self.time)], len(compiled.state_names), len(inputs), len(self._solved))
        atol = absolute_tolerance(self.solver, compiled.manifest["states"], regimen.smallest_dose)
        return _Plan(regimen, plan, atol, entered)

    def _run(self, p: Array, plan: _Plan) -> list[Prediction | Failure]:
        y0, ds0 = self._entered(p, plan) if plan.entered else self._starts(p, plan.regimen)
        runs = self.kernel.solve(
            p, y0, plan.schedule, np.zeros(len(p), dtype=np.int64), self.solver.rtol, plan.atol[None],
            self.solver.max_steps, states=False, ds0=ds0,
        )  # fmt: skip
        return [
            self._taken(runs, b) if runs.status[b] == 0 else super(KernelPredictor, self)._solve(p[b])
            for b in range(len(p))
        ]

    def _starts(self, p: Array, regimen: BoundRegimen) -> tuple[Array, Array]:
        """States at the start (B, S) and their derivatives (B, D, S)."""
        compiled, columns = self.compiled, self._solved.tolist()
        y0, ds0 = initial_states(compiled, p), initial_slopes(compiled, p, columns)
        for start in regimen.starts:
            y0[:, start.state] = start.value
            ds0[:, :, start.state] = 0.0 if start.d_value is None else start.d_value
        return y0, ds0

    def _entered(self, p: Array, plan: _Plan) -> tuple[Array, Array]:
        """The same where a run begins in a steady state or after another; nan where there is none."""
        compiled, columns = self.compiled, tuple(self._solved.tolist())
        y0 = np.full((len(p), len(compiled.state_names)), np.nan)
        ds0 = np.zeros((len(p), len(columns), y0.shape[1]))
        for b, one in enumerate(p):
            states = StateEquations(compiled, one)
            passage = Passage(states, plan.regimen, plan.entered, self.solver, plan.atol, columns)
            try:
                y0[b], ds0[b] = passage.start.y, passage.start.s
                if any(event.steady is not None for event in plan.entered[0].events):
                    y0[b], ds0[b] = passage.enter_with(y0[b], ds0[b], None, plan.entered[0])
            except Unsteady:
                y0[b] = np.nan  # the reference says why
        return y0, ds0

    def _taken(self, runs: KernelRuns, b: int) -> Prediction:
        """One subject's values at the observations."""
        part, rows = slice(runs.rows[b], runs.rows[b + 1]), np.arange(len(self.time))
        assert runs.observables is not None
        assert runs.d_observables is not None
        derivative = np.zeros((len(self.time), len(self.columns)))
        derivative[:, self._shapes] = runs.d_observables[part][rows, :, self.observable]
        return Prediction(runs.observables[part][rows, self.observable], derivative)

    @property
    def kernel(self) -> Kernel:
        """The kernel with derivatives by what the predictions read, loaded once.

        Raises
        ------
        NoKernel
            If there is none.
        """
        if self._kernel is None:
            self._kernel = rosenbrock_kernel(self.compiled.generated, tuple(self._solved.tolist()))
        return self._kernel

    def __getstate__(self) -> dict[str, object]:
        return {**super().__getstate__(), "_kernel": None, "_plan": None}
