"""The state in which nothing changes any more, with constant inputs.

The equations are followed for ever longer times from a given state, which leads to the steady state that is
stable and within reach; Newton's method then finds it to the last digits, with the exact Jacobian. Its
derivatives by the parameters follow from the implicit function theorem.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.solve.equations import StateEquations
from pbpkc.solve.fixed_point import Bordered, Settled, Unsteady, growth
from pbpkc.solve.integrate import integrate
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.steady_structure import SteadyStructure
from pbpkc.solve.timeline import Segment

Array = NDArray[np.float64]

#: Times the equations are followed for before each try, h: from a minute to ten thousand years.
HORIZONS = tuple(10.0**k for k in range(-2, 9))

#: Newton steps of one try. It begins near a solution, or is not to find one.
NEWTON_STEPS = 12

#: A Newton step below this part of each state is rounding.
ROUNDING = 1e-12

#: How far Newton's method may go from where it begins, in parts of each state: not to another solution.
NEAR = 0.5

#: An amount below this part of the largest is none.
VANISHED = 1e-25

#: A change below this part of the largest state is none.
NOTHING = 1e-9

#: A deviation that grows more slowly than this (1/h, in parts of the fastest rate) is rounding.
NEUTRAL = 1e-9


@dataclass(frozen=True)
class Flow:
    """The equations with constant inputs.

    Parameters
    ----------
    states : StateEquations
    segment : Segment
        Its inputs hold for ever.
    structure : SteadyStructure
    """

    states: StateEquations
    segment: Segment
    structure: SteadyStructure

    def slope(self, y: Array) -> Array:
        """dy/dt, shape (S,)."""
        return self.states.on(self.segment).rhs(0.0, y)

    def jacobian(self, y: Array) -> Array:
        """Of the kept states, shape (R, R)."""
        states, kept = self.states, self.structure.kept
        values = states.module.jacobian(self.segment.t0, y, states.p, self.segment.u, states.c)
        full = np.zeros((states.size, states.size))
        full[states.rows, states.cols] = values
        return full[np.ix_(kept, kept)]

    def by_parameters(self, y: Array, columns: tuple[int, ...]) -> Array:
        """d(dy/dt)/dp, shape (k, S)."""
        states = self.states
        found = np.zeros((len(columns), states.size))
        if not columns:
            return found
        pattern = states.compiled.manifest["d_rhs_dp"]
        derivatives = states.module.prepare_derivatives(states.p, states.c)
        values = states.module.d_rhs_dp(
            self.segment.t0, y, states.p, self.segment.u, states.c, derivatives
        ).tolist()
        place = {column: k for k, column in enumerate(columns)}
        for row, column, value in zip(pattern["rows"], pattern["cols"], values, strict=True):
            if column in place:
                found[place[column], row] += value
        if self.segment.d_rate is not None:
            found += self.segment.d_rate
        if self.segment.d_u is not None and np.any(self.segment.d_u):
            pattern = states.compiled.manifest["d_rhs_du"]
            by_input = states.module.d_rhs_du(self.segment.t0, y, states.p, self.segment.u, states.c)
            for row, column, value in zip(pattern["rows"], pattern["cols"], by_input.tolist(), strict=True):
                found[:, row] += self.segment.d_u[:, column] * value
        return found


def equilibrium(
    flow: Flow, columns: tuple[int, ...], start: Settled, options: SolverOptions, atol: Array
) -> Settled:
    """The steady state that is reached from a start.

    Parameters
    ----------
    flow : Flow
    columns : tuple of int
        Parameters to differentiate by.
    start : Settled
        Its conserved totals, and the states that only receive, are those of the steady state.
    options : SolverOptions
    atol : ndarray, shape (S,)

    Raises
    ------
    Unsteady
        If the equations read the time, what flows into a state never leaves it, or nothing is reached.
    """
    structure, kept = flow.structure, flow.structure.kept
    if structure.reads_time:
        raise Unsteady(
            "the equations read the time, so they have no steady state",
            "let the run begin elsewhere, or make the rates independent of t",
        )
    y, reached = start.y, 0.0
    for horizon in (0.0, *HORIZONS):
        if horizon > reached:
            part = integrate(flow.states.on(flow.segment), y, horizon - reached, np.empty(0), options, atol)
            if part.reason:
                raise Unsteady(f"on the way to the steady state: {part.reason}", part.suggestion)
            y, reached = part.last, horizon
        found = _newton(flow, y, start.y, atol)
        if found is not None:
            break
    else:
        slope = np.abs(flow.slope(y)[kept]) / np.maximum(np.abs(y[kept]), 1e-300)
        worst = flow.states.compiled.state_names[kept[int(np.argmax(slope))]]
        raise Unsteady(
            f"there is no steady state: '{worst}' still changes after {reached:.0e} h",
            "look for what is made and never lost, or for a rate that swings for ever",
        )
    settled = np.array(start.y)
    # What the linear algebra leaves of an amount that is not there.
    settled[kept] = np.where(np.abs(found[kept]) < VANISHED * np.abs(found).max(), 0.0, found[kept])
    demand_no_store(flow.states, structure, flow.slope(settled), float(np.abs(settled).max()))
    matrix = flow.jacobian(settled)
    by_parameters = flow.by_parameters(settled, columns)[:, kept] + start.s[:, kept] @ matrix.T
    step = _bordered(matrix, settled, flow.structure).solve(
        -by_parameters.T, np.zeros((len(structure.totals), len(columns)))
    )
    if step is None:
        raise _not_determined(flow, matrix, settled)
    s = np.array(start.s)
    s[:, kept] += step.T
    return Settled(settled, s)


def _newton(flow: Flow, y: Array, start: Array, atol: Array) -> Array | None:
    """The steady state near a state, if it is stable."""
    structure, kept = flow.structure, flow.structure.kept
    origin, y = y, y.copy()
    last = np.inf
    for _ in range(NEWTON_STEPS):
        slope = flow.slope(y)[kept]
        if not np.all(np.isfinite(slope)):
            return None
        missing = structure.totals @ (start - y)[kept]
        matrix = flow.jacobian(y)
        step = _bordered(matrix, y, structure).solve(-slope, missing)
        if step is None or not np.all(np.isfinite(step)):
            return None
        y[kept] += step
        size = np.maximum(_sizes(y[kept]), atol[kept])
        # What has all but vanished may vanish.
        allowed = NEAR * np.maximum(size, _sizes(origin[kept])) + 10.0 * atol[kept]
        if np.any(np.abs(y - origin)[kept] > allowed):
            return None
        change = float(np.max(np.abs(step) / size, initial=0.0))
        if change <= ROUNDING or (change <= 1e-9 and change >= 0.5 * last):
            fastest = float(np.abs(np.linalg.eigvals(matrix)).max(initial=0.0))
            stable = growth(matrix, len(structure.totals), discrete=False) <= NEUTRAL * fastest
            return y if stable else None
        last = change
    return None


def _bordered(matrix: Array, y: Array, structure: SteadyStructure) -> Bordered:
    return Bordered(matrix, structure, _sizes(y[structure.kept]), 1e-14)


def _sizes(kept: Array) -> Array:
    largest = float(np.abs(kept).max(initial=0.0))
    return np.maximum(np.abs(kept), 1e-9 * largest if largest > 0.0 else 1.0)


def demand_no_store(states: StateEquations, structure: SteadyStructure, change: Array, size: float) -> None:
    """Refuse a compartment that only fills.

    Parameters
    ----------
    states : StateEquations
    structure : SteadyStructure
    change : ndarray, shape (S,)
        What each state gains, in an hour or an interval.
    size : float
        Of the largest state.

    Raises
    ------
    Unsteady
        Naming the first one.
    """
    for state in structure.stores.tolist():
        if abs(change[state]) > NOTHING * size:
            raise Unsteady(
                f"there is no steady state: '{states.compiled.state_names[state]}' only fills",
                "let something leave it, or declare its node as a sink",
            )


def _not_determined(flow: Flow, matrix: Array, y: Array) -> Unsteady:
    place = _bordered(matrix, y, flow.structure).weakest()
    name = flow.states.compiled.state_names[flow.structure.kept[place]]
    return Unsteady(
        f"the steady state is not unique: nothing determines '{name}'",
        "look for a rate that is zero, or for a state that nothing fills or empties",
    )
