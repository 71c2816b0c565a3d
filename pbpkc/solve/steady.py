"""The steady state of doses given over and over: the state in which each interval ends as it begins.

One interval maps the state at its beginning to that at its end; the steady state is the fixed point of this
map. Newton's method finds it with the exact derivatives of the map (one step where the equations are
linear); where that fails, the doses are followed one by one first. The derivatives of the steady state by
the parameters follow from the implicit function theorem.

States that only receive are not part of it: they are what they were at the start. Totals that no process
changes keep the value they have there.

References
----------
Aprille TJ, Trick TN (1972) Proc IEEE 60:108 (Newton's method for periodic steady states).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.events import Steady
from pbpkc.solve.equations import StateEquations
from pbpkc.solve.equilibrium import Flow, demand_no_store, equilibrium
from pbpkc.solve.fixed_point import Bordered, NoSteadyState, Settled, Unsteady, growth
from pbpkc.solve.interval import Interval, IntervalMap
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.steady_structure import SteadyStructure, steady_structure
from pbpkc.solve.timeline import Held, Segment

Array = NDArray[np.float64]

#: Newton steps of one try.
NEWTON_STEPS = 15

#: Intervals that are followed one by one where Newton's method finds nothing at once.
INTERVALS = 400

#: A step below this many times rtol ends the search, and one that no longer shrinks below that many: the map
#: carries the error of the solver.
_SETTLED, _ROUNDING = 3.0, 1e3

#: Steps that one transition matrix serves.
_STEPS_OF_A_MATRIX = 8

#: What a steady state may fall below zero by, in parts of the size of a state.
_NEGATIVE = 1e-6


@dataclass
class SteadyStates:
    """Finds the steady states of a run.

    Parameters
    ----------
    states : StateEquations
    columns : tuple of int
        Parameters to differentiate by.
    weights : ndarray, shape (k,)
        Their sizes.
    names : tuple of str
        Theirs, as the regimen was bound with.
    options : SolverOptions
        Tolerances; the method is LSODA.
    atol : ndarray, shape (S,)
    """

    states: StateEquations
    columns: tuple[int, ...]
    weights: Array
    names: tuple[str, ...]
    options: SolverOptions
    atol: Array

    def __post_init__(self) -> None:
        self.structure: SteadyStructure = steady_structure(self.states.compiled.manifest)
        # Transition matrices are hundreds of equations, for which the other methods would need dense ones.
        self.options = replace(self.options, method="lsoda")

    def resting(self, start: Settled, held: Held) -> Settled:
        """The steady state without doses, with what is held.

        Raises
        ------
        Unsteady
            If there is none.
        """
        return self._constant(start, held, None)

    def settle(self, y: Array, s: Array, steady: Steady, start: Settled, held: Held) -> Settled:
        """The state when steady doses take the place of what is there, or are added to it.

        Parameters
        ----------
        y : ndarray, shape (S,)
        s : ndarray, shape (k, S)
        steady : Steady
        start : Settled
            The beginning of the run.
        held : Held
            Inputs that no dose moves.

        Raises
        ------
        Unsteady
            If there is no steady state.
        """
        if steady.period is None:
            found = self._constant(start, held, steady)
        else:
            found = self._periodic(start, held, steady)
        if not steady.adds:
            return found
        # What these doses alone add to a body without doses, on top of what is there.
        empty = self._constant(start, held, None)
        left = self.structure.left
        more, d_more = found.y - empty.y, found.s - empty.s
        more[left], d_more[:, left] = 0.0, 0.0
        return Settled(y + more, s + d_more)

    def _constant(self, start: Settled, held: Held, steady: Steady | None) -> Settled:
        """The steady state with constant infusions, or with none."""
        if steady is not None and self.structure.clocks:
            raise Unsteady(
                "a constant infusion has no last dose, and the equations read the time since it",
                "give the steady state by doses with an interval",
            )
        u, extra = held.u.copy(), np.zeros(self.states.size)
        d_rate = np.zeros((len(self.columns), self.states.size))
        inputs = self.states.compiled.manifest["inputs"]
        ports = {item["target"]: k for k, item in enumerate(inputs) if item["kind"] == "infusion"}
        for running in () if steady is None else steady.running:
            port = ports.get(self.states.compiled.state_names[running.state])
            if port is None:
                extra[running.state] += running.rate
            else:
                u[port] += running.rate
            if running.d_rate is not None:
                d_rate[:, running.state] += running.d_rate
        segment = Segment(0.0, 0.0, (), slice(0), u, np.zeros_like(u), extra, d_rate, held.d_u)
        flow = Flow(self.states, segment, self.structure)
        return equilibrium(flow, self.columns, start, self.options, self.atol)

    def _periodic(self, start: Settled, held: Held, steady: Steady) -> Settled:
        """The steady state of doses with an interval."""
        if self.structure.reads_time:
            raise Unsteady(
                "the equations read the time, so no interval of steady doses is like another",
                "write the doses that lead there, with `every` and `count`",
            )
        interval = Interval(
            self.states, self.columns, self.weights, self.names, self.structure, self.options, self.atol,
            steady, held,
        )  # fmt: skip
        try:
            # One interval tells how large each state becomes.
            y, last = _newton(interval, interval.follow(start.y), start.y)
        except _NotFound:
            y = _followed(interval, start.y)
            try:
                y, last = _newton(interval, y, start.y)
            except _NotFound as error:
                raise _no_steady_state(interval, y) from error
        size = max(interval.given, float(np.abs(y).max()))
        demand_no_store(self.states, self.structure, last.end - y, size)
        return _differentiated(interval, y, last, start)


class _NotFound(Exception):
    """Newton's method came to no steady state."""


def _newton(interval: Interval, y: Array, start: Array) -> tuple[Array, IntervalMap]:
    """The steady state near a state, and the map there but for rounding.

    Transition matrices cost far more than following an interval, so each one serves as many steps as it
    helps.

    Raises
    ------
    _NotFound
        If it does not settle, or settles where nothing can be.
    """
    y = y.copy()
    try:
        for _ in range(NEWTON_STEPS):
            found = interval.map(y)
            if _settled(interval, y, found, start):
                if interval.columns:
                    found = interval.map(y)
                _demand_possible(interval, y, found)
                return y, found
    except Unsteady as error:
        if isinstance(error, NoSteadyState):
            raise
        raise _NotFound from error
    raise _NotFound


def _settled(interval: Interval, y: Array, found: IntervalMap, start: Array) -> bool:
    """Move a state towards the steady state with one matrix; whether it has come to rest.

    Raises
    ------
    _NotFound
        If it goes nowhere.
    """
    structure, kept, rtol = interval.structure, interval.structure.kept, interval.options.rtol
    end, last = found.end, np.inf
    for _ in range(_STEPS_OF_A_MATRIX):
        change = (end - y)[kept]
        _demand_no_closed_total(interval, change)
        size = interval.sizes(y)
        step = _bordered(interval, found, y).solve(change, structure.totals @ (start - y)[kept])
        if step is None or not np.all(np.isfinite(step)):
            raise _NotFound
        y[kept] += step
        moved = float(np.max(np.abs(step) / np.maximum(size, interval.sizes(y)), initial=0.0))
        if moved <= _SETTLED * rtol or (moved <= _ROUNDING * rtol and moved >= 0.5 * last):
            return True
        if moved > 1e12:
            raise _NotFound
        if moved > 0.2 * last:
            return False
        end, last = interval.follow(y), moved
    return False


def _demand_possible(interval: Interval, y: Array, found: IntervalMap) -> None:
    """Refuse a steady state below zero, or one that the doses lead away from."""
    kept, states = interval.structure.kept, interval.states.compiled.manifest["states"]
    held = np.array([states[i]["node"] is not None for i in kept.tolist()], dtype=bool)
    if np.any((y[kept] < -_NEGATIVE * interval.sizes(y)) & held):
        raise _NotFound
    if growth(found.by_state, len(interval.structure.totals), discrete=True) > 1.0 + 1e-6:
        raise _NotFound


def _followed(interval: Interval, y: Array) -> Array:
    """The state after many intervals, or after as many as it takes to change little."""
    kept = interval.structure.kept
    for _ in range(INTERVALS):
        after = interval.follow(y)
        moved = np.max(np.abs(after - y)[kept] / interval.sizes(after), initial=0.0)
        y = after
        if moved < 1e-4:
            break
    return y


def _bordered(interval: Interval, found: IntervalMap, y: Array) -> Bordered:
    size = interval.sizes(y)
    matrix = np.eye(len(size)) - found.by_state
    return Bordered(matrix, interval.structure, size, max(1e-13, 0.1 * interval.options.rtol))


def _differentiated(interval: Interval, y: Array, last: IntervalMap, start: Settled) -> Settled:
    """The steady state with its derivatives, and with what only receives as it was at the start."""
    structure, kept = interval.structure, interval.structure.kept
    settled, s = np.array(start.y), np.array(start.s)
    settled[kept] = y[kept]
    if len(interval.columns):
        step = _bordered(interval, last, y).solve(
            last.by_parameter[:, kept].T, structure.totals @ start.s[:, kept].T
        )
        if step is None:
            raise _no_steady_state(interval, y)
        s[:, kept] = step.T
    return Settled(settled, s)


def _demand_no_closed_total(interval: Interval, change: Array) -> None:
    """Refuse doses into a total that nothing takes away."""
    totals = interval.structure.totals
    if not len(totals):
        return
    gained = np.abs(totals @ change)
    if gained.max() > 1e-6 * interval.given:
        name = interval.structure.names[int(np.argmax(gained))]
        raise NoSteadyState(
            f"there is no steady state: every interval adds to {name}, and nothing takes it away",
            "let something leave the body, or give a single dose",
        )


def _no_steady_state(interval: Interval, y: Array) -> Unsteady:
    """What still changes after many intervals."""
    kept = interval.structure.kept
    after = interval.follow(y)
    change = (after - y)[kept] / interval.sizes(after)
    worst = int(np.argmax(np.abs(change)))
    name = interval.states.compiled.state_names[kept[worst]]
    if abs(change[worst]) < 1e-6:
        return Unsteady(
            f"no stable steady state was found: doses do not determine '{name}'",
            "look for a state that nothing empties",
        )
    how = "rises" if change[worst] > 0.0 else "falls"
    return Unsteady(
        f"there is no steady state: after {INTERVALS} intervals '{name}' still {how} by "
        f"{100.0 * abs(change[worst]):.2g} % in each",
        "look for a dose above what can be eliminated, or for what nothing takes away",
    )
