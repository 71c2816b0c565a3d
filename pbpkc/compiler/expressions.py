"""Bound expressions to sympy, numbers exact and in canonical units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp

from pbpkc.compiler.choice import choice
from pbpkc.language.expression import Apply, Const, Expr, Name

_PLAIN: Mapping[str, Callable[..., Any]] = {
    "exp": sp.exp,
    "ln": sp.log,
    "sqrt": sp.sqrt,
    "sin": sp.sin,
    "cos": sp.cos,
    "abs": sp.Abs,
    "floor": sp.floor,
    "ceil": sp.ceiling,
    "min": sp.Min,
    "max": sp.Max,
    "pow": lambda a, b: a**b,
    "sub": lambda a, b: a - b,
    "neg": lambda a: -a,
    "lt": sp.Lt,
    "le": sp.Le,
    "gt": sp.Gt,
    "ge": sp.Ge,
    "and": sp.And,
    "or": sp.Or,
    "log10": lambda a: sp.log(a) / sp.log(10),
    "add": lambda *a: sp.Add(*a),
    "mul": lambda *a: sp.Mul(*a),
}


def to_sympy(expr: Expr, symbols: Mapping[str, Any]) -> sp.Expr:
    """The sympy form of a bound expression.

    Parameters
    ----------
    expr : Expr
    symbols : mapping of name to sympy expression
        For every name; an unknown term under ``unknown:NAME`` as an applied function's class.

    Raises
    ------
    ZeroDivisionError
        For a division by the number zero.
    """
    if isinstance(expr, Const):
        value = expr.canonical
        return sp.Rational(value.numerator, value.denominator)
    if isinstance(expr, Name):
        found: sp.Expr = symbols[expr.name]
        return found
    assert isinstance(expr, Apply)
    args = [to_sympy(a, symbols) for a in expr.args]
    if expr.op == "div":
        if args[1] == 0:
            raise ZeroDivisionError("division by zero")
        return args[0] / args[1]
    if expr.op == "if":
        return choice((args[1], args[0]), (args[2], True))
    if expr.op.startswith("unknown:"):
        return symbols[expr.op](*args)
    return _PLAIN[expr.op](*args)
