"""What is computed more than once is computed once, and given a name."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import sympy as sp

from pbpkc.compiler.rewrite import (
    all_names,
    changed_N,
    final_expressions,
    moving_symbols,
    sorted_symbols,
    stand_in,
    unused_name,
)
from pbpkc.compiler.simplify.cost import cost
from pbpkc.compiler.system import Assignment, System

# A name of its own must save at least this much, and be more than one product or one sum.
_LEAST_SAVING = 4
_LEAST_COST = 2


def share_subexpressions(system: System) -> System:
    """The `System` in which equal subexpressions are computed once.

    An expression that is the whole of one earlier definition is read from there; definitions themselves are
    never merged, so that each quantity of the spec keeps its name. What else occurs at least twice and saves
    enough becomes a new definition: among the constants if it reads only those and
    parameters, else among the curves. A power of one name is called after it (``BW_pow_3_4``), the others
    ``x0``, ``x1``, ...; `doc` says who reads them. Occurrences inside the branches of a condition do not
    count: what stands there may be defined only when the condition holds.
    """
    named = _read_from_definitions(system)
    wanted = _repeated(named)
    if not wanted:
        return named
    return _Sharing(named, wanted).run()


# ------------------------------------------------------------- definitions that exist already


def _read_from_definitions(system: System) -> System:
    # Two definitions may say the same by chance (two organs with one flow). Each keeps its own name and
    # expression, and neither lends its name to others.
    count = Counter(a.expr for a in (*system.constants, *system.curves))
    known: dict[sp.Expr, sp.Symbol] = {}

    def change(expr: sp.Expr) -> sp.Expr:
        return _replaced(expr, known)

    def assign(definition: Assignment) -> Assignment:
        expr = definition.expr if definition.expr in known else _inside(definition.expr, known)
        if not expr.is_Atom and count[definition.expr] == 1:
            known.setdefault(expr, definition.symbol)
        return replace(definition, expr=expr)

    constants = tuple(assign(a) for a in system.constants)
    # Start, N and errors see the constants only, so they come before the curves are known.
    N = changed_N(system.N, change)
    initial = tuple(change(e) for e in system.initial)
    outputs = tuple(
        replace(
            o,
            proportional=change(o.proportional),
            additive=change(o.additive),
            lloq=None if o.lloq is None else change(o.lloq),
        )
        for o in system.outputs
    )
    curves = tuple(assign(a) for a in system.curves)
    return replace(
        system,
        constants=constants,
        curves=curves,
        N=N,
        initial=initial,
        rates=tuple(replace(r, expr=change(r.expr)) for r in system.rates),
        outputs=tuple(replace(o, expr=change(o.expr)) for o in outputs),
    )


def _replaced(expr: sp.Basic, known: dict[sp.Expr, sp.Symbol]) -> sp.Basic:
    if expr.is_Atom:
        return expr
    return known[expr] if expr in known else _inside(expr, known)


def _inside(expr: sp.Basic, known: dict[sp.Expr, sp.Symbol]) -> sp.Basic:
    changed = [_replaced(a, known) for a in expr.args]
    return expr if tuple(changed) == expr.args else expr.func(*changed)


# ------------------------------------------------------------- definitions to be made


def _repeated(system: System) -> set[sp.Expr]:
    """The subexpressions worth a name. A part of a repeated expression counts once with it."""
    count: Counter[sp.Expr] = Counter()

    def visit(expr: sp.Basic) -> None:
        if expr.is_Atom or isinstance(expr, sp.Piecewise):
            return
        if isinstance(expr, sp.Expr):
            count[expr] += 1
            if count[expr] > 1:
                return
        for argument in expr.args:
            visit(argument)

    for definition in (*system.constants, *system.curves):
        # The whole of a definition has a name already.
        for part in [] if isinstance(definition.expr, sp.Piecewise) else definition.expr.args:
            visit(part)
    for expr in final_expressions(system):
        visit(expr)
    return {
        e
        for e, n in count.items()
        if n > 1 and e.free_symbols and cost(e) >= _LEAST_COST and (n - 1) * cost(e) >= _LEAST_SAVING
    }


@dataclass
class _Sharing:
    """One walk through the program in its order, which names each wanted expression where it is met first."""

    system: System
    wanted: set[sp.Expr]
    names: dict[sp.Expr, sp.Symbol] = field(default_factory=dict)
    readers: dict[sp.Symbol, list[str]] = field(default_factory=dict)
    constants: list[Assignment] = field(default_factory=list)
    curves: list[Assignment] = field(default_factory=list)

    def run(self) -> System:
        system = self.system
        self.taken = all_names(system)
        self.moving = set(moving_symbols(system))
        for constant in system.constants:
            self.constants.append(replace(constant, expr=self.whole(constant.expr, constant.name)))
        N = changed_N(system.N, lambda e: self.change(e, "the yields"))
        initial = tuple(
            self.change(e, f"the start of {s.name}")
            for e, s in zip(system.initial, system.states, strict=True)
        )
        outputs = tuple(
            replace(
                o,
                proportional=self.change(o.proportional, o.name),
                additive=self.change(o.additive, o.name),
                lloq=None if o.lloq is None else self.change(o.lloq, o.name),
            )
            for o in system.outputs
        )
        for curve in system.curves:
            self.curves.append(replace(curve, expr=self.whole(curve.expr, curve.name)))
        rates = tuple(replace(r, expr=self.change(r.expr, r.name)) for r in system.rates)
        outputs = tuple(replace(o, expr=self.change(o.expr, o.name)) for o in outputs)
        return replace(
            system,
            constants=self.documented(self.constants),
            curves=self.documented(self.curves),
            N=N,
            initial=initial,
            rates=rates,
            outputs=outputs,
        )

    def whole(self, expr: sp.Basic, reader: str) -> sp.Basic:
        """The expression of a definition, which is not replaced as a whole by a shared one."""
        changed = [self.change(a, reader) for a in expr.args]
        return expr if tuple(changed) == expr.args else expr.func(*changed)

    def change(self, expr: sp.Basic, reader: str) -> sp.Basic:
        """The expression reading shared definitions, which are made when they are met."""
        if expr.is_Atom:
            return expr
        if expr in self.names:
            symbol = self.names[expr]
        elif expr in self.wanted:
            # Parts first, so that numbers follow the order of the definitions.
            inner = expr.func(*(self.change(a, reader) for a in expr.args))
            name = self.name(expr)
            symbol = stand_in(name, expr)
            self.names[expr] = symbol
            moves = not self.moving.isdisjoint(inner.free_symbols)
            if moves:
                self.moving.add(symbol)
            (self.curves if moves else self.constants).append(Assignment(name, symbol, inner))
        else:
            changed = [self.change(a, reader) for a in expr.args]
            return expr if tuple(changed) == expr.args else expr.func(*changed)
        readers = self.readers.setdefault(symbol, [])
        if reader not in readers:
            readers.append(reader)
        return symbol

    def name(self, expr: sp.Expr) -> str:
        """A name that says what it is where that is short, else the next of x0, x1, ..."""
        if isinstance(expr, sp.Pow) and expr.base.is_Symbol and expr.exp.is_Rational and expr.exp.is_positive:
            power = str(expr.exp).replace("/", "_")
            name = unused_name(f"{sorted_symbols(expr)[0].name}_pow_{power}", self.taken)
        else:
            number = 0
            while f"x{number}" in self.taken:
                number += 1
            name = f"x{number}"
        self.taken.add(name)
        return name

    def documented(self, assignments: list[Assignment]) -> tuple[Assignment, ...]:
        return tuple(
            replace(a, doc="shared by " + ", ".join(self.readers[a.symbol]))
            if a.symbol in self.readers
            else a
            for a in assignments
        )
