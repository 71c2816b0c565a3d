"""One interval of steady doses as a map: the state at its end, and its derivatives.

The derivatives by the state at the beginning, the state transition matrix, are solved along with the states:
``dF/dt = J F`` from the identity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.events import BoundRegimen, Event, Steady
from pbpkc.solve.equations import SensitivityEquations, StateEquations
from pbpkc.solve.fixed_point import Unsteady
from pbpkc.solve.integrate import integrate
from pbpkc.solve.jumps import jumped, jumped_with
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.steady_structure import SteadyStructure
from pbpkc.solve.timeline import Held, Segment, timeline

Array = NDArray[np.float64]

#: Part of the tolerance, in parts of a state, that an entry of the transition matrix is resolved to.
NEGLIGIBLE = 1e-2


@dataclass(frozen=True)
class IntervalMap:
    """One interval: the state at its end (S,), by the state (R, R), by the parameters (k, S)."""

    end: Array
    by_state: Array
    by_parameter: Array


@dataclass
class Interval:
    """One interval of steady doses as a map of states.

    Parameters
    ----------
    states : StateEquations
    columns : tuple of int
        Parameters to differentiate by.
    weights : ndarray, shape (k,)
        Their sizes.
    names : tuple of str
        Theirs, as the regimen was bound with.
    structure : SteadyStructure
    options : SolverOptions
    atol : ndarray, shape (S,)
    steady : Steady
    held : Held
        Inputs that no dose moves; they stay as they are.
    """

    states: StateEquations
    columns: tuple[int, ...]
    weights: Array
    names: tuple[str, ...]
    structure: SteadyStructure
    options: SolverOptions
    atol: Array
    steady: Steady
    held: Held

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """The interval cut where something happens."""
        assert self.steady.period is not None
        begins = Event(0.0, "steady", steady=replace(self.steady, adds=False))
        regimen = BoundRegimen((begins, *self.steady.events), names=self.names)
        manifest = self.states.compiled.manifest
        return timeline(
            regimen, np.zeros(0), manifest["inputs"], self.states.compiled.state_names,
            end=self.steady.period, held=self.held,
        )  # fmt: skip

    @cached_property
    def given(self) -> float:
        """The most that one dose of an interval gives."""
        assert self.steady.period is not None
        amounts = [abs(e.value) for e in self.steady.events if e.kind == "bolus"]
        amounts += [abs(e.value) * self.steady.period for e in self.steady.events if e.kind == "start"]
        return max(amounts, default=0.0)

    def sizes(self, y: Array) -> Array:
        """Size of each kept state, shape (R,); not below what the absolute tolerance resolves."""
        kept = np.abs(y[self.structure.kept])
        largest = max(self.given, float(kept.max(initial=0.0)))
        resolved = self.atol[self.structure.kept] / self.options.rtol
        return np.maximum(kept, np.maximum(resolved, 1e-9 * largest if largest > 0.0 else 1.0))

    def follow(self, y: Array) -> Array:
        """The state at the end of the interval, without derivatives.

        Raises
        ------
        Unsteady
            If the solver does not reach it.
        """
        for segment in self.segments:
            y = jumped(y, segment)
            part = integrate(
                self.states.on(segment), y, segment.t1 - segment.t0, np.empty(0), self.options, self.atol
            )
            if part.reason:
                raise Unsteady(f"within an interval of steady doses: {part.reason}", part.suggestion)
            y = part.last
        return y

    def map(self, y: Array) -> IntervalMap:
        """The state at the end of the interval and its derivatives.

        Raises
        ------
        Unsteady
            If the solver does not reach it.
        """
        n, k, kept = self.states.size, len(self.columns), self.structure.kept
        # A column is scaled by the size of its state and is good to a part of the size of each row, which is
        # what a steady state needs: entries that carry next to nothing need no digits of their own.
        size = self.sizes(y)
        weights = np.concatenate((self.weights, size))
        enough = np.array(self.atol)
        enough[kept] = np.maximum(enough[kept], NEGLIGIBLE * self.options.rtol * size)
        atol = np.concatenate((np.tile(self.atol, k + 1), np.tile(enough, len(kept))))
        equations = SensitivityEquations(self.states.compiled, self.states.p, self.columns, weights)
        s = np.zeros((len(weights), n))
        s[k + np.arange(len(kept)), kept] = 1.0
        before: Segment | None = None
        for segment in self.segments:
            y, s = jumped_with(self.states, y, s, before, segment)
            together = np.concatenate((y, (s * weights[:, None]).ravel()))
            part = integrate(
                equations.on(segment), together, segment.t1 - segment.t0, np.empty(0), self.options,
                atol,
            )  # fmt: skip
            if part.reason:
                raise Unsteady(f"within an interval of steady doses: {part.reason}", part.suggestion)
            y, s = part.last[:n], part.last[n:].reshape(-1, n) / weights[:, None]
            before = segment
        if self.steady.d_period is not None and before is not None:
            slope = self.states.on(before).rhs(before.t1 - before.t0, y)
            s[:k] += np.outer(self.steady.d_period, slope)
        return IntervalMap(y, s[k:, kept].T, s[:k])
