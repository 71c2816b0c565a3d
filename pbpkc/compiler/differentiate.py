"""All first derivatives of a `System`: by states, by leaf parameters, and of everything it gives out.

Constants are a straight-line program of the parameters, so their derivatives are one too (forward
mode) and nothing is expanded. Curves are differentiated through by the chain rule.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from pbpkc.compiler.gradient import Gradients
from pbpkc.compiler.system import Assignment, Input, StateVariable, System
from pbpkc.compiler.vanishing import Vanishing

Entries = Mapping[tuple[int, int], sp.Expr]
Partials = Mapping[sp.Symbol, sp.Expr]


@dataclass(frozen=True)
class Derivatives:
    """Structurally non-zero first derivatives, keys (row, column) in row-major order.

    Parameters
    ----------
    constants : tuple of Assignment
        d(constant)/d(leaf parameter): a straight-line program that reads parameters, constants and
        its own earlier entries.
    constant_entries : tuple of (int, int)
        (index of the constant, index of the parameter) of each entry of `constants`.
    constants_by : mapping
        The symbol that holds d(constant)/d(parameter), by (constant's symbol, parameter's index).
    rates_by, outputs_by : tuple of mapping
        For each rate and each observable: the partial derivative, curves substituted, by each state,
        input, leaf parameter and constant symbol it reads. `jacobian`, `d_rhs_dp` and `d_rhs_du` are sums
        of these.
    yields_by : mapping of (int, int) to mapping
        The same for those entries of N that are no numbers.
    jacobian : mapping
        d(dy_i/dt)/dy_j in parameters, constants, curves, states, t and u.
    rates_dp, outputs_dp : tuple of tuple of int
        For each rate and each observable: the parameters that change it. One that reads a parameter
        in ways that cancel (weight in CL/V) is not changed by it.
    d_rhs_dp : mapping
        d(dy_i/dt)/dp_k; reads derivative constants too.
    d_rhs_du : mapping
        d(dy_i/dt)/du_k, infusions among them.
    d_observe_dy, d_observe_dp, d_observe_du : mapping
        Rows are observables.
    d_noise_dp : mapping
        Row ``2*o`` is the proportional part of observable `o`, row ``2*o + 1`` the additive part.
    d_initial_dp : mapping
        Rows are states.
    """

    constants: tuple[Assignment, ...]
    constant_entries: tuple[tuple[int, int], ...]
    constants_by: Mapping[tuple[sp.Symbol, int], sp.Symbol]
    rates_by: tuple[Partials, ...]
    outputs_by: tuple[Partials, ...]
    yields_by: Mapping[tuple[int, int], Partials]
    rates_dp: tuple[tuple[int, ...], ...]
    outputs_dp: tuple[tuple[int, ...], ...]
    jacobian: Entries
    d_rhs_dp: Entries
    d_rhs_du: Entries
    d_observe_dy: Entries
    d_observe_dp: Entries
    d_observe_du: Entries
    d_noise_dp: Entries
    d_initial_dp: Entries


def differentiate(system: System) -> Derivatives:
    """The first derivatives of a `System`.

    Parameters
    ----------
    system : System
        Its `constants` and `curves` in an order in which they can be evaluated.

    Raises
    ------
    InternalError
        If an expression contains a function that has no derivative here.
    """
    gradients = Gradients(system.unknowns, steady_symbols(system))
    vanishing = Vanishing(system)
    constants, constants_by = _constants(system, gradients, vanishing)
    chain = _Chain(system, gradients, vanishing, constants_by)
    rates = tuple(chain.partials(r.expr) for r in system.rates)
    outputs = tuple(chain.partials(o.expr) for o in system.outputs)
    yields = {key: partials for key in sorted(system.N) if (partials := chain.partials(system.N[key]))}
    rates_dp = [chain.by_parameter(p) for p in rates]
    outputs_dp = [chain.by_parameter(p) for p in outputs]
    noise = [chain.partials(e) for o in system.outputs for e in (o.proportional, o.additive)]
    initial = [chain.partials(e) for e in system.initial]
    return Derivatives(
        constants=tuple(a for a, _ in constants),
        constant_entries=tuple(key for _, key in constants),
        constants_by=constants_by,
        rates_by=rates,
        outputs_by=outputs,
        yields_by=yields,
        rates_dp=tuple(tuple(row) for row in rates_dp),
        outputs_dp=tuple(tuple(row) for row in outputs_dp),
        jacobian=_jacobian(system, rates),
        d_rhs_dp=_d_rhs_dp(system, rates_dp, yields, chain),
        d_rhs_du=_d_rhs_du(system, rates, yields),
        d_observe_dy=_by(system.states, outputs),
        d_observe_dp=_rows(outputs_dp),
        d_observe_du=_by(system.inputs, outputs),
        d_noise_dp=_rows([chain.by_parameter(p) for p in noise]),
        d_initial_dp=_rows([chain.by_parameter(p) for p in initial]),
    )


def steady_symbols(system: System) -> frozenset[sp.Symbol]:
    """What does not change on the way: parameters and constants."""
    return frozenset(p.symbol for p in system.parameters) | {c.symbol for c in system.constants}


class _Chain:
    """The chain rule through curves, and from constants to leaf parameters."""

    def __init__(
        self,
        system: System,
        gradients: Gradients,
        vanishing: Vanishing,
        constants_by: Mapping[tuple[sp.Symbol, int], sp.Symbol],
    ) -> None:
        self._gradients = gradients
        self._vanishing = vanishing
        self._curves: dict[sp.Symbol, Partials] = {}
        self._parameters = {p.symbol: k for k, p in enumerate(system.parameters)}
        self._constants: defaultdict[sp.Symbol, list[tuple[int, sp.Symbol]]] = defaultdict(list)
        for (symbol, k), derivative in constants_by.items():
            self._constants[symbol].append((k, derivative))
        # A curve or an observable may read a rate by its name.
        named = [(a.symbol, a.expr) for a in system.curves] + [(r.symbol, r.expr) for r in system.rates]
        for symbol, expr in named:
            self._curves[symbol] = self.partials(expr)

    def partials(self, expr: sp.Expr) -> Partials:
        """Partial derivatives by states, inputs, parameters and constants, curves substituted."""
        terms: defaultdict[sp.Symbol, list[sp.Expr]] = defaultdict(list)
        for symbol, slope in self._gradients.of(sp.sympify(expr)).items():
            if symbol in self._curves:
                for inner, inner_slope in self._curves[symbol].items():
                    terms[inner].append(slope * inner_slope)
            else:
                terms[symbol].append(slope)
        return {s: d for s, parts in terms.items() if (d := sp.Add(*parts)) != 0}

    def by_parameter(self, partials: Partials) -> dict[int, sp.Expr]:
        """Total derivatives by parameter index from partial ones."""
        terms: defaultdict[int, list[sp.Expr]] = defaultdict(list)
        for symbol, slope in partials.items():
            if symbol in self._parameters:
                terms[self._parameters[symbol]].append(slope)
            for k, derivative in self._constants.get(symbol, ()):
                terms[k].append(slope * derivative)
        return {k: sp.Add(*terms[k]) for k in sorted(terms) if not self._vanishing(terms[k])}


def _constants(
    system: System, gradients: Gradients, vanishing: Vanishing
) -> tuple[list[tuple[Assignment, tuple[int, int]]], dict[tuple[sp.Symbol, int], sp.Symbol]]:
    parameters = {p.symbol: k for k, p in enumerate(system.parameters)}
    reads: dict[sp.Symbol, set[int]] = {}
    by: dict[tuple[sp.Symbol, int], sp.Symbol] = {}
    program: list[tuple[Assignment, tuple[int, int]]] = []
    taken = _symbol_names(system)
    for index, constant in enumerate(system.constants):
        gradient = gradients.of(sp.sympify(constant.expr))
        columns: set[int] = set()
        for symbol in gradient:
            columns |= {parameters[symbol]} if symbol in parameters else reads.get(symbol, set())
        reads[constant.symbol] = set()
        for k in sorted(columns):
            parameter = system.parameters[k]
            terms = [
                slope if symbol == parameter.symbol else slope * by[symbol, k]
                for symbol, slope in gradient.items()
                if symbol == parameter.symbol or (symbol, k) in by
            ]
            if vanishing(terms):
                continue
            value = sp.Add(*terms)
            name = _new_name(f"d_{constant.symbol.name}_d_{parameter.symbol.name}", taken)
            by[constant.symbol, k] = sp.Symbol(name, real=True)
            vanishing.define(by[constant.symbol, k], value)
            reads[constant.symbol].add(k)
            assignment = Assignment(f"{constant.name} by {parameter.name}", by[constant.symbol, k], value)
            program.append((assignment, (index, k)))
    return program, by


def _jacobian(system: System, rates: tuple[Partials, ...]) -> Entries:
    terms: defaultdict[tuple[int, int], list[sp.Expr]] = defaultdict(list)
    columns = {s.symbol: j for j, s in enumerate(system.states)}
    for (i, r), coefficient in system.N.items():
        for symbol, slope in rates[r].items():
            if symbol in columns:
                terms[i, columns[symbol]].append(coefficient * slope)
    return _collected(terms)


def _d_rhs_dp(
    system: System,
    rates_dp: list[dict[int, sp.Expr]],
    yields: Mapping[tuple[int, int], Partials],
    chain: _Chain,
) -> Entries:
    terms: defaultdict[tuple[int, int], list[sp.Expr]] = defaultdict(list)
    for (i, r), coefficient in system.N.items():
        for k, slope in rates_dp[r].items():
            terms[i, k].append(coefficient * slope)
        for k, slope in chain.by_parameter(yields.get((i, r), {})).items():
            terms[i, k].append(slope * system.rates[r].expr)
    return _collected(terms)


def _d_rhs_du(
    system: System, rates: tuple[Partials, ...], yields: Mapping[tuple[int, int], Partials]
) -> Entries:
    terms: defaultdict[tuple[int, int], list[sp.Expr]] = defaultdict(list)
    columns = {u.symbol: k for k, u in enumerate(system.inputs)}
    for (i, r), coefficient in system.N.items():
        for symbol, slope in rates[r].items():
            if symbol in columns:
                terms[i, columns[symbol]].append(coefficient * slope)
        for symbol, slope in yields.get((i, r), {}).items():
            if symbol in columns:
                terms[i, columns[symbol]].append(slope * system.rates[r].expr)
    places = {s.name: i for i, s in enumerate(system.states)}
    for k, u in enumerate(system.inputs):
        if u.kind == "infusion":
            terms[places[u.target], k].append(sp.Integer(1))
    return _collected(terms)


def _by(entries: Sequence[StateVariable | Input], outputs: tuple[Partials, ...]) -> Entries:
    columns = {s.symbol: j for j, s in enumerate(entries)}
    return _rows([{columns[s]: d for s, d in partials.items() if s in columns} for partials in outputs])


def _rows(rows: list[dict[int, sp.Expr]]) -> Entries:
    return {(i, k): row[k] for i, row in enumerate(rows) for k in sorted(row)}


def _collected(terms: Mapping[tuple[int, int], list[sp.Expr]]) -> Entries:
    return {key: d for key in sorted(terms) if (d := sp.Add(*terms[key])) != 0}


def _symbol_names(system: System) -> set[str]:
    groups = (system.parameters, system.states, system.inputs, system.constants, system.curves, system.rates)
    return {system.time.name} | {entry.symbol.name for group in groups for entry in group}


def _new_name(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    taken.add(name)
    return name
