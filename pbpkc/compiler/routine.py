"""Straight-line code for some expressions: what it unpacks, its lines in order, what it gives back.

This stands between mathematics and layout: every line is text, every decision (which definitions are
needed, what is computed once, how a symbol is written) is made; the templates only place it.
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sympy as sp
from sympy.core.function import AppliedUndef

from pbpkc.compiler.gradient import partial_name
from pbpkc.compiler.printing import TextPrinter
from pbpkc.compiler.repeats import Step, share_repeats
from pbpkc.compiler.system import System

#: Names a generated module uses for itself; a symbol of the spec that is called so gets an underscore.
WORDS = frozenset(keyword.kwlist) | {
    "t", "y", "p", "u", "c", "dc", "self", "build", "Module", "NumpyModule", "TorchModule", "UnknownTerm",
    "STATES", "PARAMETERS", "INPUTS", "OBSERVABLES", "exp", "log", "sqrt", "sin", "cos", "tan", "tanh",
    "absolute", "sign", "floor", "ceil", "minimum", "maximum", "where", "power", "power_log", "power_slope",
    "nan", "inf",
}  # fmt: skip

_WIDTH = 96


@dataclass(frozen=True)
class Definition:
    """A named intermediate value: its symbol, its expression, a short comment."""

    symbol: sp.Symbol
    expr: sp.Expr
    comment: str = ""


@dataclass(frozen=True)
class _Call:
    """How an unknown term, or its partials, is called: the text, names of what it gives, which one."""

    text: str
    words: tuple[str, ...]
    index: int


@dataclass(frozen=True)
class Line:
    """One line of code and its comment (empty for none)."""

    text: str
    comment: str = ""


@dataclass(frozen=True)
class Routine:
    """A method of the generated module.

    Parameters
    ----------
    name : str
    arguments : tuple of str
        Of ``t y p u c dc``, those it takes.
    doc : str
        One line.
    unpacked : tuple of str
        Lines that give names to entries of its arguments.
    lines : tuple of Line
    results : tuple of Line
        Each an expression.
    """

    name: str
    arguments: tuple[str, ...]
    doc: str
    unpacked: tuple[str, ...]
    lines: tuple[Line, ...]
    results: tuple[Line, ...]


class RoutineWriter:
    """Writes the routines of one `System`.

    Parameters
    ----------
    system : System
    derivative_constants : sequence of Symbol
        Symbols of the entries of `dc`.
    """

    def __init__(self, system: System, derivative_constants: Sequence[sp.Symbol]) -> None:
        self._taken = set(WORDS)
        self.printer = TextPrinter({system.time: "t"})
        self._source: dict[sp.Symbol, tuple[str, int]] = {}
        groups: tuple[tuple[str, list[sp.Symbol]], ...] = (
            ("y", [s.symbol for s in system.states]),
            ("p", [s.symbol for s in system.parameters]),
            ("u", [s.symbol for s in system.inputs]),
            ("c", [s.symbol for s in system.constants]),
            ("dc", list(derivative_constants)),
            ("", [s.symbol for s in system.curves] + [s.symbol for s in system.rates]),
        )
        for group, symbols in groups:
            for index, symbol in enumerate(symbols):
                self.printer.name(symbol, self._new_name(symbol.name))
                if group:
                    self._source[symbol] = (group, index)
        self._everywhere = frozenset(self._taken)
        self._calls: dict[str, _Call] = {}
        for u in system.unknowns:
            function, names = u.function.__name__, tuple(str(a.name) for a in u.arguments)
            text = f"self.unknowns[{json.dumps(u.name)}]"
            self._calls[function] = _Call(text, (f"{function}_value",), 0)
            for k, argument in enumerate(names):
                words = tuple(f"{function}_by_{a}" for a in names)
                self._calls[partial_name(u.name, argument)] = _Call(f"{text}.partials", words, k)

    def symbol(self, wanted: str) -> sp.Symbol:
        """A new symbol for an intermediate value of this routine, written `wanted` or nearly so."""
        symbol = sp.Symbol(self._new_name(wanted), real=True)
        self.printer.name(symbol, symbol.name)
        return symbol

    def write(
        self,
        name: str,
        arguments: tuple[str, ...],
        doc: str,
        results: Sequence[tuple[sp.Expr, str]],
        definitions: Sequence[Definition] = (),
        share: bool = False,
    ) -> Routine:
        """The routine that computes `results` from `definitions`, of which it keeps the needed ones.

        It ends the routine: afterwards names of intermediate values are free again.

        Parameters
        ----------
        name : str
        arguments : tuple of str
            Of ``t y p u c dc``.
        doc : str
            One line.
        results : sequence of (expression, comment)
        definitions : sequence of Definition
            In an order in which they can be evaluated.
        share : bool
            Whether expressions that occur several times are computed once, under a new name.
        """
        wanted = [sp.sympify(e) for e, _ in results]
        steps, outputs = self._called_once(_needed(wanted, definitions), wanted)
        if share:
            steps, outputs = share_repeats(steps, outputs, self.symbol)
        reads: set[sp.Symbol] = set()
        for expr in (*(e for s in steps for e in s.exprs), *outputs):
            reads |= expr.free_symbols
        reads -= {symbol for s in steps for symbol in s.symbols}
        self._taken = set(self._everywhere)
        return Routine(
            name=name,
            arguments=arguments,
            doc=doc,
            unpacked=self._unpacked(reads),
            lines=tuple(Line(self._step_text(s), s.comment) for s in steps),
            results=tuple(
                Line(self.printer.text(e), comment) for e, (_, comment) in zip(outputs, results, strict=True)
            ),
        )

    def _new_name(self, wanted: str) -> str:
        wanted = re.sub(r"\W+", "_", wanted, flags=re.ASCII)
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}_" if wanted in WORDS and number == 2 else f"{wanted}_{number}"
        self._taken.add(name)
        return name

    def _step_text(self, step: Step) -> str:
        values = ", ".join(self.printer.text(e) for e in step.exprs)
        names = ", ".join(self.printer.text(s) for s in step.symbols)
        if step.call is None:
            return f"{names} = {values}"
        if step.call.endswith(".partials") and len(step.symbols) == 1:
            names = f"({names},)"
        return f"{names} = {step.call}({values})"

    def _unpacked(self, reads: set[sp.Symbol]) -> tuple[str, ...]:
        found = sorted(
            (self._source[s] + (self.printer.text(s),) for s in reads if s in self._source),
            key=lambda entry: ("yudcp".index(entry[0][0]), entry),
        )
        return tuple(_unpacking(found))

    def _called_once(
        self, definitions: Sequence[Definition], outputs: Sequence[sp.Expr]
    ) -> tuple[list[Step], list[sp.Expr]]:
        """Each call of an unknown term on a line of its own: it may be a network, and reads poorly inline."""
        steps: list[Step] = []
        known: dict[tuple[str, tuple[sp.Expr, ...]], tuple[sp.Symbol, ...]] = {}

        def lift(expr: sp.Basic) -> sp.Basic:
            if not expr.has(AppliedUndef):
                return expr
            arguments = tuple(lift(a) for a in expr.args)
            if not isinstance(expr, AppliedUndef):
                return expr.func(*arguments)
            call = self._calls[expr.func.__name__]
            if (call.text, arguments) not in known:
                known[call.text, arguments] = tuple(self.symbol(w) for w in call.words)
                steps.append(Step(known[call.text, arguments], arguments, call=call.text))
            return known[call.text, arguments][call.index]

        for d in definitions:
            expr = lift(sp.sympify(d.expr)) if self._calls else sp.sympify(d.expr)
            steps.append(Step((d.symbol,), (expr,), d.comment))
        return steps, [lift(e) for e in outputs] if self._calls else list(outputs)


def _needed(results: Sequence[sp.Expr], definitions: Sequence[Definition]) -> list[Definition]:
    wanted: set[sp.Basic] = set().union(*(e.free_symbols for e in results))
    kept = []
    for definition in reversed(definitions):
        if definition.symbol in wanted:
            wanted |= sp.sympify(definition.expr).free_symbols
            kept.append(definition)
    return kept[::-1]


def _unpacking(entries: Sequence[tuple[str, int, str]]) -> Iterable[str]:
    """Lines ``a, b = y[0], y[1]`` that stay short, one argument a line."""
    names: list[str] = []
    values: list[str] = []
    for position, (group, index, name) in enumerate(entries):
        names.append(name)
        values.append(f"{group}[{index}]")
        following = entries[position + 1] if position + 1 < len(entries) else None
        length = sum(map(len, (*names, *values))) + 2 * len(names + values)
        if following is None or following[0] != group or length + len(following[2]) + 10 > _WIDTH:
            yield f"{', '.join(names)} = {', '.join(values)}"
            names, values = [], []
