"""What happens to a run where no equation is solved: at its beginning, and between its segments.

A run begins at given amounts, in the steady state without doses, or where another run ends. Between segments
there are doses, resets, and steady states of doses.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pbpkc.experiment.events import BoundAfter, BoundRegimen, Event
from pbpkc.solve.equations import SensitivityEquations, StateEquations
from pbpkc.solve.fixed_point import Settled, Unsteady
from pbpkc.solve.integrate import Integration, integrate
from pbpkc.solve.jumps import jumped, jumped_with
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.steady import SteadyStates
from pbpkc.solve.timeline import Segment, held_at_start, timeline

if TYPE_CHECKING:
    from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]


class Passage:
    """Beginning and events of a run.

    Parameters
    ----------
    states : StateEquations
    regimen : BoundRegimen
        Bound with the names of `columns`.
    segments : tuple of Segment
    options : SolverOptions
    atol : ndarray, shape (S,)
    columns : tuple of int
        Parameters to differentiate by.
    initial : array, shape (S,), optional
        State at the beginning in place of all else.

    Raises
    ------
    ValueError
        If `initial` has another length than the states.
    """

    def __init__(
        self,
        states: StateEquations,
        regimen: BoundRegimen,
        segments: tuple[Segment, ...],
        options: SolverOptions,
        atol: Array,
        columns: tuple[int, ...] = (),
        initial: ArrayLike | None = None,
    ) -> None:
        self.states, self.regimen, self.segments = states, regimen, segments
        self.options, self.atol, self.columns = options, atol, columns
        self.initial = None if initial is None else np.array(initial, dtype=float)
        if self.initial is not None and self.initial.shape != (states.size,):
            raise ValueError(f"initial has shape {self.initial.shape}; the model has {states.size} states")
        self.weights = sizes(states.p, columns)

    @cached_property
    def steady(self) -> SteadyStates:
        """What finds steady states."""
        return SteadyStates(
            self.states, self.columns, self.weights, self.regimen.names, self.options, self.atol
        )

    @cached_property
    def start(self) -> Settled:
        """The state before any event.

        Raises
        ------
        Unsteady
            If it is a steady state and there is none.
        """
        if self.initial is not None:
            return Settled(self.initial, np.zeros((len(self.columns), self.states.size)))
        if self.regimen.after is not None:
            found = self._end_of(self.regimen.after)
        else:
            found = given_start(self.states, self.columns)
            if self.regimen.rests:
                inputs = self.states.compiled.manifest["inputs"]
                found = self.steady.resting(found, held_at_start(self.regimen, inputs, self.states.p))
        y, s = found.y.copy(), found.s.copy()
        for start in self.regimen.starts:
            y[start.state] = start.value
            s[:, start.state] = 0.0 if start.d_value is None else start.d_value
        return Settled(y, s)

    def enter(self, y: Array, segment: Segment) -> Array:
        """The state after the events at the start of a segment.

        Raises
        ------
        Unsteady
            If one of them is a steady state that does not exist.
        """
        held = iter(segment.held)

        def settle(event: Event, y: Array) -> Array:
            assert event.steady is not None
            none = np.zeros((0, self.states.size))
            return self.steady.settle(y, none, event.steady, self.start, next(held)).y

        return jumped(y, segment, self.start.y, settle)

    def enter_with(self, y: Array, s: Array, before: Segment | None, segment: Segment) -> tuple[Array, Array]:
        """State (S,) and sensitivities (k, S) after the events at the start of a segment.

        Raises
        ------
        Unsteady
            As `enter`.
        """
        held = iter(segment.held)

        def settle(event: Event, y: Array, s: Array) -> tuple[Array, Array]:
            assert event.steady is not None
            found = self.steady.settle(y, s, event.steady, self.start, next(held))
            return found.y, found.s

        return jumped_with(self.states, y, s, before, segment, (self.start.y, self.start.s), settle)

    def _end_of(self, after: BoundAfter) -> Settled:
        """The end of the run before, with derivatives by the same parameters."""
        compiled, names = self.states.compiled, self.regimen.names
        p = self.states.p.copy()
        for name, value in after.overrides.items():
            if name in compiled.parameter_index:
                p[compiled.parameter_index[name]] = value
        moving = [k for k, name in enumerate(names) if name not in after.overrides]
        columns = tuple(self.columns[k] for k in moving)
        regimen = after.regimen.by([names[k] for k in moving])
        found = _followed(compiled, p, regimen, self.options, self.atol, columns)
        s = np.zeros((len(self.columns), self.states.size))
        s[moving] = found.s
        return Settled(found.y, s)


def given_start(states: StateEquations, columns: tuple[int, ...]) -> Settled:
    """The model's own initial values, with their derivatives."""
    module = states.module
    y = np.array(module.initial_state(states.p, states.c), dtype=float)
    s = np.zeros((len(columns), states.size))
    if columns:
        pattern = states.compiled.manifest["d_initial_dp"]
        entries = module.d_initial_dp(states.p, states.c, module.prepare_derivatives(states.p, states.c))
        place = {column: k for k, column in enumerate(columns)}
        for row, column, value in zip(pattern["rows"], pattern["cols"], entries.tolist(), strict=True):
            if column in place:
                s[place[column], row] += value
    return Settled(y, s)


def initial_states(compiled: CompiledModel, p: Array) -> Array:
    """The model's own initial values of subjects with parameters (B, P), shape (B, S)."""
    # Where no parameter moves them, one subject's are everybody's.
    some = p if compiled.manifest["d_initial_dp"]["rows"] else p[0]
    with np.errstate(all="ignore"):
        start = compiled.initial_state(some, compiled.prepare(some))
    return np.array(np.broadcast_to(start, (len(p), len(compiled.state_names))), dtype=float)


def initial_slopes(compiled: CompiledModel, p: Array, columns: Sequence[int]) -> Array:
    """Their derivatives by the parameters of `columns`, shape (B, k, S)."""
    if not compiled.manifest["d_initial_dp"]["rows"]:
        return np.zeros((len(p), len(columns), len(compiled.state_names)))
    return np.array([compiled.d_initial_dp_dense(one, columns).T for one in p])


def sizes(p: Array, columns: tuple[int, ...]) -> Array:
    """The size of each of some parameters, 1 for one that is zero."""
    found = np.abs(p[list(columns)])
    return np.where(found > 0.0, found, 1.0)


def refusal(error: Unsteady, size: int, samples: int) -> Integration:
    """A segment that is not entered because there is no steady state to begin it with."""
    nothing = np.full(size, np.nan)
    return Integration(
        np.full((samples, size), np.nan), nothing, 0.0, error.reason, error.suggestion, 0, 0, 0
    )


def _followed(
    compiled: CompiledModel,
    p: Array,
    regimen: BoundRegimen,
    options: SolverOptions,
    atol: Array,
    columns: tuple[int, ...],
) -> Settled:
    """The end of a run.

    Raises
    ------
    Unsteady
        If it has no end.
    """
    states = StateEquations(compiled, p)
    segments = timeline(
        regimen, np.zeros(0), compiled.manifest["inputs"], compiled.state_names, end=regimen.end, p=p
    )
    passage = Passage(states, regimen, segments, options, atol, columns)
    n, weights = states.size, passage.weights
    y, s = passage.start.y, passage.start.s
    with_parameters = SensitivityEquations(compiled, p, columns, weights) if columns else None
    before: Segment | None = None
    for segment in segments:
        y, s = passage.enter_with(y, s, before, segment)
        length = segment.t1 - segment.t0
        if with_parameters is None:
            part = integrate(states.on(segment), y, length, np.empty(0), options, atol)
        else:
            part = integrate(
                with_parameters.on(segment), np.concatenate((y, (s * weights[:, None]).ravel())), length,
                np.empty(0), options, np.tile(atol, len(columns) + 1),
            )  # fmt: skip
        if part.reason:
            raise Unsteady(f"in the run before: {part.reason}", part.suggestion)
        y, s, before = part.last[:n], part.last[n:].reshape(-1, n) / weights[:, None], segment
    if regimen.d_end is not None and before is not None:
        s = s + np.outer(regimen.d_end, states.on(before).rhs(before.t1 - before.t0, y))
    return Settled(y, s)
