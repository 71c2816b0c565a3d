"""Expressions written in the language's own notation, with the names of the spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

from pbpkc.compiler.system import System

_FUNCTIONS: dict[type[sp.Basic], str] = {
    sp.exp: "exp",
    sp.log: "ln",
    sp.sin: "sin",
    sp.cos: "cos",
    sp.Abs: "abs",
    sp.floor: "floor",
    sp.ceiling: "ceil",
    sp.Min: "min",
    sp.Max: "max",
    sp.sign: "sign",
}
_RELATIONS: dict[type[sp.Basic], str] = {
    sp.Lt: "<",
    sp.Le: "<=",
    sp.Gt: ">",
    sp.Ge: ">=",
    sp.Eq: "=",
    sp.Ne: "!=",
}

# How tightly an operator binds; a looser one inside a tighter one stands in brackets.
_SUM, _PRODUCT, _POWER, _ATOM = 1, 2, 3, 4


def exact_number(value: sp.Expr) -> str:
    """A number so that nothing is lost: a decimal where that is exact, else a fraction; floats by repr."""
    if isinstance(value, sp.Rational):
        exact = Fraction(int(value.p), int(value.q))
        if exact.denominator == 1:
            return str(exact.numerator)
        try:
            decimal = repr(float(exact))
        except OverflowError:
            decimal = ""
        return decimal if decimal and Fraction(decimal) == exact else f"{exact.numerator}/{exact.denominator}"
    if isinstance(value, sp.Float):
        return repr(float(value))
    return str(value)


@dataclass(frozen=True)
class Notation:
    """How the symbols of one `System` are written, and in which order.

    Parameters
    ----------
    names : mapping of Symbol to str
    ranks : mapping of Symbol to int
        Factors and terms stand in this order: parameters, constants, inputs, curves, states.
    """

    names: Mapping[sp.Symbol, str]
    ranks: Mapping[sp.Symbol, int]

    def text(self, expr: sp.Basic) -> str:
        """The expression as text: ``vmax * liver.C / (km + liver.C)``."""
        return self._text(expr)[0]

    def ordered(self, parts: Iterable[sp.Basic]) -> list[sp.Basic]:
        """Factors or terms in reading order: numbers, then by the ranks of what they read."""
        return sorted(parts, key=self._key)

    def terms(self, expr: sp.Expr) -> list[tuple[bool, sp.Expr]]:
        """The terms of a sum in reading order as (negative, term without its sign), positive ones first."""
        signed = [
            (t.could_extract_minus_sign() and not isinstance(t, sp.Add), t) for t in sp.Add.make_args(expr)
        ]
        plus = self.ordered(t for negative, t in signed if not negative)
        minus = self.ordered(-t for negative, t in signed if negative)
        return [(False, t) for t in plus] + [(True, t) for t in minus]

    def fraction(self, expr: sp.Expr) -> tuple[list[sp.Expr], list[sp.Expr]]:
        """The factors above and below the line of a product, each in reading order."""
        number, _ = expr.as_coeff_Mul()
        above: list[sp.Expr] = []
        below: list[sp.Expr] = []
        whole = exact_number(number)
        for factor in sp.Mul.make_args(expr):
            if factor.is_Rational and "/" in whole:
                above += [sp.Integer(factor.p)] if factor.p != 1 else []
                below.append(sp.Integer(factor.q))
            elif isinstance(factor, sp.Pow) and factor.exp.is_Rational and factor.exp.is_negative:
                below.append(1 / factor)
            else:
                above.append(factor)
        return self.ordered(above), self.ordered(below)

    def _key(self, part: sp.Basic) -> tuple[bool, list[int], str]:
        ranks = sorted(self.ranks.get(s, -1) for s in part.free_symbols)
        return (not part.is_number, ranks, self.text(part))

    def _text(self, expr: sp.Basic) -> tuple[str, int]:
        if isinstance(expr, sp.Symbol):
            return self.names.get(expr, str(expr.name)), _ATOM
        if expr.is_Number:
            text = exact_number(expr)
            return text, _SUM if text.startswith("-") else _PRODUCT if "/" in text else _ATOM
        if isinstance(expr, sp.Add):
            parts = ""
            for negative, term in self.terms(expr):
                sign = (" - " if negative else " + ") if parts else ("-" if negative else "")
                parts += sign + self._inside(term, _PRODUCT if negative else _SUM)
            return parts, _SUM
        if isinstance(expr, sp.Mul):
            return self._product(expr)
        if isinstance(expr, sp.Pow):
            return self._power(expr)
        if isinstance(expr, sp.Piecewise):
            return self._condition(list(expr.args)), _ATOM
        if type(expr) in _RELATIONS:
            return f" {_RELATIONS[type(expr)]} ".join(self.text(a) for a in expr.args), _SUM
        if isinstance(expr, sp.And | sp.Or):
            word = " and " if isinstance(expr, sp.And) else " or "
            return word.join(sorted(self.text(a) for a in expr.args)), _SUM
        name = _FUNCTIONS.get(type(expr), str(expr.func))
        arguments = self.ordered(expr.args) if isinstance(expr, sp.Min | sp.Max) else expr.args
        return f"{name}({', '.join(self.text(a) for a in arguments)})" if expr.args else str(expr), _ATOM

    def _inside(self, expr: sp.Basic, least: int) -> str:
        text, binds = self._text(expr)
        return text if binds >= least else f"({text})"

    def _product(self, expr: sp.Mul) -> tuple[str, int]:
        if expr.could_extract_minus_sign():
            return "-" + self._inside(-expr, _PRODUCT), _SUM
        above, below = self.fraction(expr)
        top = " * ".join(self._inside(f, _PRODUCT) for f in above) or "1"
        if not below:
            return top, _PRODUCT
        bottom = " * ".join(self._inside(f, _PRODUCT if len(below) > 1 else _POWER) for f in below)
        return f"{top} / {bottom}" if len(below) == 1 else f"{top} / ({bottom})", _PRODUCT

    def _power(self, expr: sp.Pow) -> tuple[str, int]:
        if expr.exp.is_Rational and expr.exp.is_negative:
            return f"1 / {self._inside(1 / expr, _POWER)}", _PRODUCT
        if expr.exp == sp.Rational(1, 2):
            return f"sqrt({self.text(expr.base)})", _ATOM
        return f"{self._inside(expr.base, _ATOM)}^{self._inside(expr.exp, _ATOM)}", _POWER

    def _condition(self, branches: list[sp.Basic]) -> str:
        value, condition = branches[0]
        if condition == sp.true:
            return self.text(value)
        rest = self._condition(branches[1:]) if len(branches) > 1 else "undefined"
        return f"if({self.text(condition)}, {self.text(value)}, {rest})"


def notation(system: System) -> Notation:
    """The notation of a `System`: the spec's names for parameters, states, definitions and inputs."""
    names: dict[sp.Symbol, str] = {system.time: "t"}
    for group in (
        system.parameters,
        system.constants,
        system.inputs,
        system.curves,
        system.states,
        system.rates,
    ):
        names |= {entry.symbol: entry.name for entry in group}
    return Notation(names, {symbol: rank for rank, symbol in enumerate(names)})


def arrow_text(system: System, rate: int, written: Notation) -> str:
    """Who loses and who gains in one rate: ``2 A + B -> C``, ``outside`` for the missing end."""
    entries = [(i, sp.sympify(e)) for (i, r), e in sorted(system.N.items()) if r == rate]
    losing = [_amount(system, i, -e, written) for i, e in entries if e.is_negative]
    gaining = [_amount(system, i, e, written) for i, e in entries if not e.is_negative]
    arrow = "<->" if system.rates[rate].reversible else "->"
    return f"{' + '.join(losing) or 'outside'} {arrow} {' + '.join(gaining) or 'outside'}"


def _amount(system: System, state: int, coefficient: sp.Expr, written: Notation) -> str:
    name = system.states[state].name
    if coefficient == 1:
        return name
    text = written.text(coefficient)
    return f"({text}) {name}" if coefficient.is_Add else f"{text} {name}"
