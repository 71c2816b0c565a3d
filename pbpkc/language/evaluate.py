"""Numbers from bound expressions: floats, or values with exact derivatives.

The equations of a model are evaluated by generated code. This evaluator serves what stands around
them: bounds, remainders, doses, lags, horizons.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from pbpkc.language.expression import Apply, Const, Expr, Name, names_in


@dataclass(frozen=True, slots=True)
class Dual:
    """A value with its gradient (forward-mode differentiation).

    Parameters
    ----------
    value : float
    grad : ndarray, shape (P,)
    """

    value: float
    grad: np.ndarray

    def __add__(self, other: Any) -> Dual:
        o = as_dual(other, self)
        return Dual(self.value + o.value, self.grad + o.grad)

    __radd__ = __add__

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.grad)

    def __sub__(self, other: Any) -> Dual:
        return self + (-as_dual(other, self))

    def __rsub__(self, other: Any) -> Dual:
        return as_dual(other, self) + (-self)

    def __mul__(self, other: Any) -> Dual:
        o = as_dual(other, self)
        return Dual(self.value * o.value, self.grad * o.value + self.value * o.grad)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Dual:
        o = as_dual(other, self)
        return Dual(self.value / o.value, (self.grad - self.value / o.value * o.grad) / o.value)

    def __rtruediv__(self, other: Any) -> Dual:
        return as_dual(other, self) / self

    def __pow__(self, other: Any) -> Dual:
        o = as_dual(other, self)
        value = _power(self.value, o.value)
        grad = (
            o.value * self.value ** (o.value - 1.0) * self.grad
            if self.value or o.value >= 1
            else 0 * self.grad
        )
        if np.any(o.grad):
            grad = grad + value * math.log(self.value) * o.grad
        return Dual(value, grad)

    def __rpow__(self, other: Any) -> Dual:
        return as_dual(other, self) ** self

    def __float__(self) -> float:
        return self.value


def as_dual(value: Any, like: Dual) -> Dual:
    """A constant as a `Dual` with zero gradient of the same length."""
    return value if isinstance(value, Dual) else Dual(float(value), np.zeros_like(like.grad))


def _power(base: Any, exponent: Any) -> Any:
    # Python makes a complex number of (-8)^0.5; here that is an error like the logarithm of -8.
    value = base**exponent
    if isinstance(value, complex):
        raise ValueError(f"{float(base):.6g} has no real power {float(exponent):.6g}")
    return value


def _chain(function: Callable[[float], float], slope: Callable[[float], float]) -> Callable[[Any], Any]:
    def apply(x: Any) -> Any:
        if isinstance(x, Dual):
            return Dual(function(x.value), slope(x.value) * x.grad)
        return function(x)

    return apply


_UNARY: Mapping[str, Callable[[Any], Any]] = {
    "exp": _chain(math.exp, math.exp),
    "ln": _chain(math.log, lambda x: 1.0 / x),
    "log10": _chain(math.log10, lambda x: 1.0 / (x * math.log(10.0))),
    "sqrt": _chain(math.sqrt, lambda x: 0.5 / math.sqrt(x)),
    "sin": _chain(math.sin, math.cos),
    "cos": _chain(math.cos, lambda x: -math.sin(x)),
    "abs": _chain(abs, lambda x: math.copysign(1.0, x)),
    "floor": _chain(math.floor, lambda x: 0.0),
    "ceil": _chain(math.ceil, lambda x: 0.0),
    "neg": lambda x: -x,
}

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}


class NotEvaluable(ValueError):
    """The expression reads something that has no number here; the message names it."""


def reason(error: Exception) -> str:
    """Why a number could not be computed, in words."""
    if isinstance(error, ZeroDivisionError):
        return "a division by zero"
    if isinstance(error, OverflowError):
        return "a number beyond 1e308"
    if isinstance(error, ValueError) and "domain" in str(error):
        return "a logarithm or a root that does not exist"
    return str(error)


def evaluate(
    expr: Expr, lookup: Callable[[str], Any], call: Callable[[str, list[Any]], Any] | None = None
) -> Any:
    """The value of an expression in canonical units.

    Parameters
    ----------
    expr : Expr
    lookup : callable
        Gives the value (float or `Dual`, canonical units) of a name; raises `KeyError` for one it
        does not have.
    call : callable, optional
        Gives the value of an operator that is no arithmetic (``unknown:f``, ``auto:METHOD``, the
        figures of a check), from its name and argument values.

    Raises
    ------
    NotEvaluable
        For a name or an operator without a value.
    ArithmeticError, ValueError
        As Python raises them (division by zero, logarithm of a negative number).
    """
    if isinstance(expr, Const):
        return float(expr.canonical)
    if isinstance(expr, Name):
        try:
            return lookup(expr.name)
        except KeyError as error:
            raise NotEvaluable(f"'{expr.name}' has no value here") from error
    assert isinstance(expr, Apply)
    op = expr.op
    if op == "if":
        return evaluate(expr.args[1] if evaluate(expr.args[0], lookup, call) else expr.args[2], lookup, call)
    return applied(op, [evaluate(a, lookup, call) for a in expr.args], call)


def applied(op: str, args: list[Any], call: Callable[[str, list[Any]], Any] | None = None) -> Any:
    """The value of an operator (but ``if``) on values; raises as `evaluate` does."""
    if op in _UNARY:
        return _UNARY[op](args[0])
    if op in _COMPARE:
        return _COMPARE[op](float(args[0]), float(args[1]))
    match op:
        case "add":
            return sum(args[1:], args[0])
        case "mul":
            product = args[0]
            for factor in args[1:]:
                product = product * factor
            return product
        case "sub":
            return args[0] - args[1]
        case "div":
            return args[0] / args[1]
        case "pow":
            return _power(args[0], args[1])
        case "min":
            return min(args, key=float)
        case "max":
            return max(args, key=float)
        case "and":
            return all(args)
        case "or":
            return any(args)
    if call is None:
        raise NotEvaluable(f"'{op}' has no value here")
    return call(op, args)


def no_names(name: str) -> float:
    """The `lookup` of an expression that reads no name."""
    raise KeyError(name)


def evaluate_definitions(
    definitions: Mapping[str, Expr],
    overrides: Mapping[str, Any],
    call: Callable[[str, list[Any]], Any] | None = None,
    value: Callable[..., Any] = evaluate,
) -> Callable[[str], Any]:
    """A memoised lookup over definitions, some of them replaced by values.

    Parameters
    ----------
    definitions : mapping of name to Expr
    overrides : mapping of name to float or Dual
    call : callable, optional
        As in `evaluate`.
    value : callable (expr, lookup, call)
        What evaluates a definition.

    Returns
    -------
    callable
        For use as `lookup`; a name neither defined nor overridden raises `KeyError`.
    """
    values: dict[str, Any] = dict(overrides)

    def lookup(name: str) -> Any:
        if name not in values:
            # What it reads comes first, innermost first: a long chain of definitions needs no deep stack.
            # What cannot be computed may never be asked for, in the branch of an `if` that is not taken.
            for other in _read_before(name):
                with suppress(ArithmeticError, ValueError, KeyError, RecursionError):
                    values[other] = value(definitions[other], lookup, call)
            values[name] = value(definitions[name], lookup, call)
        return values[name]

    def _read_before(name: str) -> list[str]:
        order: dict[str, None] = {}
        open_names = [(name, iter(sorted(names_in(definitions[name]))))]
        inside = {name}
        while open_names:
            current, others = open_names[-1]
            other = next(
                (
                    o
                    for o in others
                    if o in definitions and o not in values and o not in order and o not in inside
                ),
                None,
            )
            if other is None:
                open_names.pop()
                inside.discard(current)
                order[current] = None
            else:
                inside.add(other)
                open_names.append((other, iter(sorted(names_in(definitions[other])))))
        order.pop(name)
        return list(order)

    return lookup
