"""A solution that can be evaluated anywhere, with the integrator's own steps."""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pbpkc.experiment.events import BoundRegimen
from pbpkc.solve.equations import StateEquations
from pbpkc.solve.fixed_point import Unsteady
from pbpkc.solve.integrate import Integration, integrate
from pbpkc.solve.options import SolverOptions, absolute_tolerance
from pbpkc.solve.passage import Passage, refusal
from pbpkc.solve.reference import outcome, parameter_array, record
from pbpkc.solve.timeline import Segment, timeline
from pbpkc.solve.trajectory import Outcome, SolverRecord

if TYPE_CHECKING:
    from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]


@dataclass(frozen=True)
class DenseStep:
    """One step of the integrator.

    Parameters
    ----------
    begin, end : float, h
    segment : Segment
        Whose inputs hold in the step.
    interpolate : callable
        States at times of the step, (m,) in h since ``segment.t0``, as (S, m).
    """

    begin: float
    end: float
    segment: Segment
    interpolate: Callable[[Array], Array] = field(repr=False)

    def states(self, time: ArrayLike) -> Array:
        """The states at times of this step, shape (m, S)."""
        return np.asarray(self.interpolate(np.atleast_1d(np.asarray(time, dtype=float)) - self.segment.t0)).T


@dataclass(frozen=True)
class DenseSolution:
    """A run as the integrator's steps, in order of time.

    Parameters
    ----------
    steps : tuple of DenseStep
    equations : StateEquations
        The model with its parameters.
    begin : float, h
    last_event : float, h
        When something last happened to the individual.
    outcome : Outcome
    solver : SolverRecord
    """

    steps: tuple[DenseStep, ...]
    equations: StateEquations = field(repr=False)
    begin: float
    last_event: float
    outcome: Outcome
    solver: SolverRecord

    @property
    def end(self) -> float:
        """Where the last step ends (h)."""
        return self.steps[-1].end if self.steps else self.begin

    def states(self, time: ArrayLike) -> Array:
        """The states at any times of the run, shape (m, S), just after an event at that time.

        Raises
        ------
        ValueError
            If a time lies outside the run.
        """
        return self._at(time)[0]

    def observables(self, time: ArrayLike) -> Array:
        """The observables at any times of the run, shape (m, O), each in its unit.

        Raises
        ------
        ValueError
            If a time lies outside the run.
        """
        y, u = self._at(time)
        at = np.atleast_1d(np.asarray(time, dtype=float))
        return self.observe(at, y, u)

    def observe(self, time: Array, y: Array, u: Array) -> Array:
        """The observables of states (m, S) and inputs (m, K), shape (m, O)."""
        with np.errstate(all="ignore"):
            return np.asarray(self.equations.module.observe(time, y, self.equations.p, u, self.equations.c))

    def _at(self, time: ArrayLike) -> tuple[Array, Array]:
        at = np.atleast_1d(np.asarray(time, dtype=float))
        if not self.steps:
            raise ValueError(f"the run has no times: {self.outcome.reason}")
        if at.size and not (np.all(at >= self.begin) and np.all(at <= self.end)):
            raise ValueError(f"time must lie in the run, {self.begin!r} to {self.end!r} h")
        begins = np.array([step.begin for step in self.steps])
        places = np.searchsorted(begins, at, side="right") - 1
        y = np.empty((at.size, self.equations.size))
        u = np.empty((at.size, self.steps[0].segment.u.size))
        for place in np.unique(places):
            here = places == place
            y[here] = self.steps[place].states(at[here])
            u[here] = self.steps[place].segment.inputs_at(at[here])
        return y, u


def simulate_dense(
    compiled: CompiledModel,
    p: ArrayLike,
    regimen: BoundRegimen,
    end: float,
    options: SolverOptions | None = None,
) -> DenseSolution:
    """A run that can be evaluated at any time.

    Parameters
    ----------
    compiled : CompiledModel
    p : array, shape (P,), canonical units
    regimen : BoundRegimen
    end : float, h
        Later than ``regimen.begin``.
    options : SolverOptions, optional

    Returns
    -------
    DenseSolution
        Each step with the polynomial its method defines: LSODA's and BDF's have the order of the step,
        Radau's is a cubic and less accurate than the steps themselves.

    Raises
    ------
    ValueError
        If `p` does not fit or `end` is not behind the beginning.
    """
    if not end > regimen.begin:
        raise ValueError(f"end is {end!r} h; it must be later than {regimen.begin!r} h, where the run begins")
    options = options or SolverOptions()
    began = clock.process_time()
    manifest = compiled.manifest
    p = parameter_array(compiled, p)
    equations = StateEquations(compiled, p)
    atol = absolute_tolerance(options, manifest["states"], regimen.smallest_dose)
    steps: list[DenseStep] = []
    found: list[Integration] = []
    reached = regimen.begin
    segments = timeline(regimen, np.empty(0), manifest["inputs"], compiled.state_names, end=end, p=p)
    passage = Passage(equations, regimen, segments, options, atol)
    y: Array | None = None
    for segment in segments:
        try:
            y = passage.enter(passage.start.y if y is None else y, segment)
        except Unsteady as error:
            found.append(refusal(error, equations.size, 0))
            reached = segment.t0
            break
        part = integrate(
            equations.on(segment), y, segment.t1 - segment.t0, np.empty(0), options, atol, keep_path=True
        )
        steps += [
            DenseStep(segment.t0 + s.begin, segment.t0 + s.end, segment, s.interpolate) for s in part.path
        ]
        found.append(part)
        reached, y = segment.t0 + part.reached, part.last
        if part.reason:
            break
    return DenseSolution(
        tuple(steps), equations, regimen.begin, segments[-1].t0, outcome(found, reached, equations),
        record(options, atol, found, clock.process_time() - began),
    )  # fmt: skip
