"""Who reads what: parameters, states and inputs behind every equation and observable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sympy as sp

from pbpkc.compiler.system import System


@dataclass(frozen=True)
class Reads:
    """What a quantity reads, through constants and curves.

    Parameters
    ----------
    parameters, states, inputs, unknowns : tuple of str
        Names, in the order of the `System`. Who reads a held input also reads its parameter, which is its
        value until something changes it.
    time : bool
        Whether it reads the time itself.
    """

    parameters: tuple[str, ...]
    states: tuple[str, ...]
    inputs: tuple[str, ...]
    unknowns: tuple[str, ...]
    time: bool


@dataclass(frozen=True)
class Dependencies:
    """The dependency graph of a `System`.

    Parameters
    ----------
    equations, rates, observables, initial : mapping of str to Reads
        By name: what the right-hand side, the rate, the observable (its value, not its error) or the
        initial value reads itself.
    influence : mapping of str to tuple of str
        For each observable the parameters that can change it at some time, through the states it reads,
        the states those read, and so on. A parameter that is not here cannot be seen in it.
    """

    equations: Mapping[str, Reads]
    rates: Mapping[str, Reads]
    observables: Mapping[str, Reads]
    initial: Mapping[str, Reads]
    influence: Mapping[str, tuple[str, ...]]


def dependencies(system: System) -> Dependencies:
    """The dependency graph of a `System`."""
    graph = _Graph(system)
    of_equation: dict[str, list[sp.Basic]] = {s.name: [] for s in system.states}
    for (i, r), coefficient in sorted(system.N.items()):
        of_equation[system.states[i].name] += [sp.sympify(coefficient), system.rates[r].expr]
    infused = {u.target: u.name for u in system.inputs if u.kind == "infusion"}
    equations = {name: graph.reads(parts, infused.get(name)) for name, parts in of_equation.items()}
    observables = {o.name: graph.reads([o.expr]) for o in system.outputs}
    initial = {s.name: graph.reads([e]) for s, e in zip(system.states, system.initial, strict=True)}
    order = [p.name for p in system.parameters]
    influence: dict[str, tuple[str, ...]] = {}
    for name, direct in observables.items():
        states = _closure(direct.states, equations)
        seen = set(direct.parameters)
        for state in states:
            seen |= {*equations[state].parameters, *initial[state].parameters}
        influence[name] = tuple(p for p in order if p in seen)
    rates = {r.name: graph.reads([r.expr]) for r in system.rates}
    return Dependencies(equations, rates, observables, initial, influence)


class _Graph:
    """Leaves behind expressions, each definition looked through once."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._behind: dict[sp.Basic, frozenset[sp.Basic]] = {}
        leaves = {p.name: p.symbol for p in system.parameters}
        for u in system.inputs:
            if u.kind == "held":
                self._behind[u.symbol] = frozenset({u.symbol, leaves[u.target]})
        for definition in (*system.constants, *system.curves):
            self._behind[definition.symbol] = self.leaves(definition.expr)

    def leaves(self, expr: sp.Basic) -> frozenset[sp.Basic]:
        found: set[sp.Basic] = {call.func for call in expr.atoms(sp.core.function.AppliedUndef)}
        for symbol in expr.free_symbols:
            found |= self._behind.get(symbol, {symbol})
        return frozenset(found)

    def reads(self, parts: Iterable[sp.Basic], infusion: str | None = None) -> Reads:
        found: set[sp.Basic] = set()
        for part in parts:
            found |= self.leaves(part)
        system = self._system
        called = {str(f) for f in found if isinstance(f, sp.core.function.UndefinedFunction)}
        return Reads(
            tuple(p.name for p in system.parameters if p.symbol in found),
            tuple(s.name for s in system.states if s.symbol in found),
            tuple(u.name for u in system.inputs if u.symbol in found or u.name == infusion),
            tuple(u.name for u in system.unknowns if u.name in called),
            system.time in found,
        )


def _closure(start: Iterable[str], equations: Mapping[str, Reads]) -> set[str]:
    reached: set[str] = set()
    waiting = list(start)
    while waiting:
        state = waiting.pop()
        if state not in reached:
            reached.add(state)
            waiting.extend(equations[state].states)
    return reached
