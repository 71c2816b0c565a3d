"""What a `System` says at some points: the numbers that generated code has to give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from pbpkc.check.traced import Array, Traced, Tracer, UnknownValue
from pbpkc.compiler.system import System, UnknownTerm


@dataclass(frozen=True)
class Points:
    """n points: t (n,) in h, y (n, S), p (n, P), u (n, K)."""

    t: Array
    y: Array
    p: Array
    u: Array

    def __len__(self) -> int:
        return len(self.t)

    def chosen(self, rows: Array) -> Points:
        """Some of the points."""
        return Points(self.t[rows], self.y[rows], self.p[rows], self.u[rows])


@dataclass(frozen=True)
class Expected:
    """One quantity at n points, dense, and the sum of the absolute terms behind each number.

    Parameters
    ----------
    value, size : ndarray, shape (n, rows) or (n, rows, columns)
    """

    value: Array
    size: Array


@dataclass(frozen=True)
class Reference:
    """What the equations give at some points.

    Parameters
    ----------
    points : Points
    quantities : mapping of str to Expected
        ``rhs rates observe initial_state noise lloq constants defaults``, and ``jacobian d_rhs_dp
        d_observe_dy d_observe_dp d_initial_dp d_noise_dp d_constants`` (by leaf parameters).
    unknowns : mapping of str to callable
        What stood in for unknown terms; a term that is not named had its default.
    arguments : mapping of str to ndarray, shape (n, number of arguments)
        For each term with a default, where the quantity ``defaults`` has its value and partial
        derivatives.
    decisions : mapping of str to ndarray of bool
        Where each condition held.
    """

    points: Points
    quantities: Mapping[str, Expected]
    unknowns: Mapping[str, TrialFunction]
    arguments: Mapping[str, Array]
    decisions: Mapping[str, Array]


class TrialFunction:
    """A smooth function in place of an unknown term: every argument changes it everywhere.

    A default may be constant, so that its derivatives would hide errors. The value is
    ``1.5 + sum_k w_k (1 + q_k**2)**(1/4)`` with ``q_k = x_k / h_k + 1/4``, where h_k is the width of the
    argument's range, so that neither it nor its derivatives have a symmetry in which a wrong sign could
    hide. Far outside the range it grows as a square root: a function that levels off there would leave
    automatic differentiation a small difference of large terms, whose rounding looks like an error. Here
    the derivative is one product. It takes floats, numpy arrays and torch tensors.
    """

    def __init__(self, term: UnknownTerm) -> None:
        widths = [high - low for low, high in term.argument_ranges]
        self._widths = [float(w) if np.isfinite(w) and w > 0 else 1.0 for w in widths]
        self._weights = [0.6 / (k + 1.5) for k in range(len(widths))]

    def __call__(self, *arguments: Any) -> Any:
        """The value."""
        value: Any = 1.5
        for x, h, w in zip(arguments, self._widths, self._weights, strict=True):
            q = x / h + 0.25
            value = value + w * (1.0 + q * q) ** 0.25
        return value

    def partials(self, *arguments: Any) -> tuple[Any, ...]:
        """Derivatives by each argument."""
        found = []
        for x, h, w in zip(arguments, self._widths, self._weights, strict=True):
            q = x / h + 0.25
            found.append(0.5 * w / h * q / (1.0 + q * q) ** 0.75)
        return tuple(found)


def reference_values(
    system: System, points: Points, unknowns: Mapping[str, TrialFunction] | None = None, slopes: bool = True
) -> Reference:
    """All quantities of a `System` at some points, by plain evaluation.

    Parameters
    ----------
    system : System
    points : Points
        In the order of the system's states, parameters and inputs.
    unknowns : mapping of str to TrialFunction, optional
        In place of unknown terms; others take their default.
    slopes : bool
        Whether derivatives are computed too.

    Raises
    ------
    ValueError
        If an unknown term has neither a default nor a function here.
    """
    given = dict(unknowns or {})
    states, parameters, inputs = len(system.states), len(system.parameters), len(system.inputs)
    directions = states + parameters + inputs if slopes else 0
    with np.errstate(all="ignore"):
        tracer = Tracer(
            _leaves(system, points, slopes),
            len(points),
            directions,
            {u.function.__name__: _unknown_value(u, given.get(u.name)) for u in system.unknowns},
        )
        constants = [tracer.define(a.symbol, a.expr) for a in system.constants]
        for curve in system.curves:
            tracer.define(curve.symbol, curve.expr)
        rates = [tracer.define(r.symbol, r.expr) for r in system.rates]
        quantities = {
            "constants": _columns(constants, len(points)),
            "rates": _columns(rates, len(points)),
        }
        groups = {
            ("rhs", "jacobian", "d_rhs_dp", "d_rhs_du"): _right_hand_side(system, tracer, rates),
            ("observe", "d_observe_dy", "d_observe_dp", "d_observe_du"): [
                tracer.of(o.expr) for o in system.outputs
            ],
            ("initial_state", "", "d_initial_dp", ""): [tracer.of(e) for e in system.initial],
            ("noise", "", "d_noise_dp", ""): [
                tracer.of(e) for o in system.outputs for e in (o.proportional, o.additive)
            ],
            ("lloq", "", "", ""): [
                tracer.constant(np.nan) if o.lloq is None else tracer.of(o.lloq) for o in system.outputs
            ],
            ("constants", "", "d_constants", ""): constants,
        }
        for (name, by_state, by_parameter, by_input), rows in groups.items():
            quantities[name] = _columns(rows, len(points))
            if by_state and slopes:
                quantities[by_state] = _slopes(rows, slice(0, states), (len(points), 0, states))
            if by_parameter and slopes:
                span = slice(states, states + parameters)
                quantities[by_parameter] = _slopes(rows, span, (len(points), 0, parameters))
            if by_input and slopes:
                span = slice(states + parameters, directions)
                quantities[by_input] = _slopes(rows, span, (len(points), 0, inputs))
    arguments, quantities["defaults"] = _defaults(system, given, len(points))
    return Reference(points, quantities, given, arguments, tracer.decisions)


def _leaves(system: System, points: Points, slopes: bool) -> dict[sp.Symbol, Traced]:
    n, states = len(points), len(system.states)
    behind = states + len(system.parameters)
    width = behind + len(system.inputs) if slopes else 0
    none = np.zeros((n, width))

    def leaf(value: Array, direction: int | None) -> Traced:
        slope = none
        if direction is not None and slopes:
            slope = np.zeros((n, width))
            slope[:, direction] = 1.0
        return Traced(value, np.abs(value), slope, slope)

    known = {system.time: leaf(points.t, None)}
    known |= {s.symbol: leaf(points.y[:, k], k) for k, s in enumerate(system.states)}
    known |= {p.symbol: leaf(points.p[:, k], states + k) for k, p in enumerate(system.parameters)}
    known |= {u.symbol: leaf(points.u[:, k], behind + k) for k, u in enumerate(system.inputs)}
    return known


def _right_hand_side(system: System, tracer: Tracer, rates: list[Traced]) -> list[Traced]:
    rows = [tracer.constant(0.0) for _ in system.states]
    for (i, r), coefficient in sorted(system.N.items()):
        rows[i] = rows[i] + tracer.of(coefficient) * rates[r]
    index = {s.name: i for i, s in enumerate(system.states)}
    for u in system.inputs:
        if u.kind == "infusion":
            rows[index[u.target]] = rows[index[u.target]] + tracer.of(u.symbol)
    return rows


def _unknown_value(term: UnknownTerm, function: TrialFunction | None) -> UnknownValue:
    if function is not None:
        return lambda *arguments: (function(*arguments), function.partials(*arguments))
    if term.default is None:
        raise ValueError(f"unknowns: the unknown term '{term.name}' has no default and no function was given")

    def default(*arguments: Array) -> tuple[Array, tuple[Array, ...]]:
        traced = _traced_default(term, np.stack(arguments, axis=1))
        return traced.value, tuple(traced.slope.T)

    return default


def _traced_default(term: UnknownTerm, arguments: Array) -> Traced:
    n, m = arguments.shape
    known = {}
    for k, symbol in enumerate(term.arguments):
        slope = np.tile(np.eye(m)[k], (n, 1))
        known[symbol] = Traced(arguments[:, k], np.abs(arguments[:, k]), slope, slope)
    return Tracer(known, n, m).of(term.default)


def _defaults(
    system: System, given: Mapping[str, TrialFunction], n: int
) -> tuple[dict[str, Array], Expected]:
    """Defaults where nothing else stands in: arguments within their ranges, values and partials."""
    arguments: dict[str, Array] = {}
    values, sizes = [np.zeros((n, 0))], [np.zeros((n, 0))]
    rng = np.random.default_rng(0)
    for term in system.unknowns:
        if term.name in given or term.default is None:
            continue
        limits = [r if np.all(np.isfinite(r)) and r[0] < r[1] else (0.0, 1.0) for r in term.argument_ranges]
        arguments[term.name] = np.stack([rng.uniform(low, high, n) for low, high in limits], axis=1)
        traced = _traced_default(term, arguments[term.name])
        values += [traced.value[:, None], traced.slope]
        sizes += [traced.size[:, None], traced.slope_size]
    return arguments, Expected(np.concatenate(values, axis=1), np.concatenate(sizes, axis=1))


def _columns(rows: list[Traced], n: int) -> Expected:
    if not rows:
        return Expected(np.zeros((n, 0)), np.zeros((n, 0)))
    return Expected(np.stack([r.value for r in rows], axis=1), np.stack([r.size for r in rows], axis=1))


def _slopes(rows: list[Traced], span: slice, empty: tuple[int, ...]) -> Expected:
    if not rows:
        return Expected(np.zeros(empty), np.zeros(empty))
    return Expected(
        np.stack([r.slope[:, span] for r in rows], axis=1),
        np.stack([r.slope_size[:, span] for r in rows], axis=1),
    )
