"""Walking over all expressions of a `System`: what it reads, and the same `System` with them changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import sympy as sp

from pbpkc.compiler.choice import substituted
from pbpkc.compiler.identifiers import TAKEN
from pbpkc.compiler.system import System

Change = Callable[[sp.Expr], sp.Expr]


def rewrite(system: System, change: Change) -> System:
    """The `System` with every expression replaced by ``change(expression)``.

    Defaults of unknown terms are left alone: they read their own arguments. Entries of `N` that
    become zero disappear.

    Parameters
    ----------
    system : System
    change : callable
        From an expression to an equal one (for every value of the symbols).
    """
    return replace(
        system,
        constants=tuple(replace(a, expr=change(a.expr)) for a in system.constants),
        curves=tuple(replace(a, expr=change(a.expr)) for a in system.curves),
        rates=tuple(replace(r, expr=change(r.expr)) for r in system.rates),
        N=changed_N(system.N, change),
        initial=tuple(change(e) for e in system.initial),
        outputs=tuple(
            replace(
                o,
                expr=change(o.expr),
                proportional=change(o.proportional),
                additive=change(o.additive),
                lloq=None if o.lloq is None else change(o.lloq),
            )
            for o in system.outputs
        ),
    )


def changed_N(N: Mapping[tuple[int, int], sp.Expr], change: Change) -> dict[tuple[int, int], sp.Expr]:
    """The entries of N after `change`, row by row, zeros left out."""
    entries = ((key, change(sp.sympify(N[key]))) for key in sorted(N))
    return {key: expr for key, expr in entries if expr != 0}


def final_expressions(system: System) -> Iterator[sp.Expr]:
    """Everything the outside asks for: rates, N, initial values, observables and their errors."""
    yield from fixed_expressions(system)
    yield from (r.expr for r in system.rates)
    yield from (o.expr for o in system.outputs)


def fixed_expressions(system: System) -> Iterator[sp.Expr]:
    """Those of `final_expressions` that read parameters and constants only."""
    yield from (sp.sympify(system.N[key]) for key in sorted(system.N))
    yield from system.initial
    for output in system.outputs:
        yield output.proportional
        yield output.additive
        if output.lloq is not None:
            yield output.lloq


def moving_symbols(system: System) -> frozenset[sp.Symbol]:
    """The symbols whose value changes during a run: states, time, inputs, and the curves that read them."""
    moving = {s.symbol for s in system.states} | {u.symbol for u in system.inputs} | {system.time}
    for curve in system.curves:
        if not moving.isdisjoint(curve.expr.free_symbols):
            moving.add(curve.symbol)
    return frozenset(moving)


def definitions(system: System) -> dict[sp.Symbol, sp.Expr]:
    """Constants and curves by symbol, in their order."""
    return {a.symbol: a.expr for a in (*system.constants, *system.curves)}


def inlined(expr: sp.Expr, values: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    """The expression with definitions put in place of their symbols, until none is left.

    Parameters
    ----------
    expr : sympy.Expr
    values : mapping of Symbol to Expr
        Without cycles.
    """
    while True:
        found = {s: values[s] for s in sorted_symbols(expr) if s in values}
        if not found:
            return expr
        expr = substituted(expr, found)


def sorted_symbols(expr: sp.Basic) -> list[sp.Symbol]:
    """The free symbols by name: a set's own order changes from run to run."""
    return sorted(expr.free_symbols, key=lambda s: str(s.name))


def stand_in(name: str, expr: sp.Expr) -> sp.Symbol:
    """A symbol for an expression that knows of its sign what the expression knows.

    Without that, powers and roots of the new symbol would no longer combine as those of the expression did.
    """
    for known in ("positive", "nonnegative", "real"):
        if getattr(expr, f"is_{known}"):
            return sp.Symbol(name, **{known: True})
    return sp.Symbol(name)


def unused_name(wanted: str, taken: Iterable[str]) -> str:
    """`wanted`, or with the smallest number behind it that makes it new."""
    names = set(taken)
    if wanted not in names:
        return wanted
    number = 2
    while f"{wanted}_{number}" in names:
        number += 1
    return f"{wanted}_{number}"


def all_names(system: System) -> set[str]:
    """Every symbol and function of the `System`, every name, and what generated code calls its own."""
    names = {str(system.time.name), *TAKEN}
    for group in (
        system.parameters,
        system.states,
        system.inputs,
        system.constants,
        system.curves,
        system.rates,
    ):
        for entry in group:
            names |= {entry.name, str(entry.symbol.name)}
    return names | {o.name for o in system.outputs} | {u.name for u in system.unknowns}
