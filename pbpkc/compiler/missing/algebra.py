"""Bound expressions written as arithmetic, and their values on arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.language.expression import Apply, Const, Expr
from pbpkc.language.units import ONE, Dimension, canonical_unit

Array = NDArray[np.float64]


def number(value: float, dimension: Dimension = ONE) -> Const:
    """A constant in canonical units."""
    return Const(dimension, Fraction(value), canonical_unit(dimension))


def plus(*terms: Expr) -> Expr:
    """Sum of expressions of one dimension."""
    return terms[0] if len(terms) == 1 else Apply(terms[0].dim, "add", terms)


def minus(a: Expr, b: Expr) -> Expr:
    """Difference of two expressions of one dimension."""
    return Apply(a.dim, "sub", (a, b))


def times(*factors: Expr) -> Expr:
    """Product."""
    dimension = ONE
    for factor in factors:
        dimension = dimension * factor.dim
    return factors[0] if len(factors) == 1 else Apply(dimension, "mul", factors)


def over(a: Expr, b: Expr) -> Expr:
    """Quotient."""
    return Apply(a.dim / b.dim, "div", (a, b))


def power(base: Expr, exponent: float | Expr) -> Expr:
    """A dimensionless base to an exponent."""
    raised = exponent if isinstance(exponent, Expr) else number(exponent)
    return Apply(ONE, "pow", (base, raised))


def applied(function: str, *arguments: Expr) -> Expr:
    """A function whose value has the dimension of its first argument (``exp``, ``ln``, ``min``, ``max``)."""
    return Apply(arguments[0].dim, function, arguments)


def where(small: Expr, large: Expr, yes: Expr, no: Expr) -> Expr:
    """`yes` where ``small <= large``, else `no`."""
    return Apply(yes.dim, "if", (Apply(ONE, "le", (small, large)), yes, no))


_FOLDS: Mapping[str, Callable[[Any, Any], Any]] = {
    "add": np.add,
    "mul": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
}

_PLAIN: Mapping[str, Callable[..., Any]] = {
    "sub": np.subtract,
    "div": np.divide,
    "neg": np.negative,
    "pow": np.power,
    "exp": np.exp,
    "ln": np.log,
    "log10": np.log10,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "abs": np.abs,
    "floor": np.floor,
    "ceil": np.ceil,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "if": np.where,
}


def on_arrays(expr: Expr, values: Mapping[str, Any]) -> Any:
    """The value of an expression whose names have numbers or arrays, all canonical units.

    Raises
    ------
    KeyError
        For a name without a value.
    """
    if isinstance(expr, Const):
        return float(expr.canonical)
    if not isinstance(expr, Apply):
        return values[expr.name]  # type: ignore[attr-defined]  # the third kind of node
    arguments = [on_arrays(a, values) for a in expr.args]
    fold = _FOLDS.get(expr.op)
    if fold is None:
        return _PLAIN[expr.op](*arguments)
    result = arguments[0]
    for argument in arguments[1:]:
        result = fold(result, argument)
    return result
