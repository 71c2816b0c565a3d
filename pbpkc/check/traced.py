"""Numbers of sympy expressions by plain recursion, with derivatives and the size of their terms.

This is the other opinion against which generated code is checked. It shares nothing with the
printers or with symbolic differentiation: it walks the expression with floats, carries derivatives
along (forward mode), and beside each number the sum of the absolute values of the terms behind it,
against which rounding has to be judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from sympy.core.function import AppliedUndef

from pbpkc.language.diagnostics import InternalError

Array = NDArray[Any]


@dataclass(frozen=True)
class Traced:
    """A number at n points with derivatives in m directions.

    Parameters
    ----------
    value, size : ndarray, shape (n,)
        `size` is the sum of absolute terms, carried through products, quotients and functions to
        first order; a few rounding errors times it bound the error of `value`.
    slope, slope_size : ndarray, shape (n, m)
    """

    value: Array
    size: Array
    slope: Array
    slope_size: Array

    def __add__(self, other: Traced) -> Traced:
        return Traced(
            self.value + other.value,
            self.size + other.size,
            self.slope + other.slope,
            self.slope_size + other.slope_size,
        )

    def __mul__(self, other: Traced) -> Traced:
        a, b = self, other
        return Traced(
            a.value * b.value,
            a.size * b.size,
            a.slope * b.value[:, None] + b.slope * a.value[:, None],
            a.slope_size * b.size[:, None] + b.slope_size * a.size[:, None],
        )


#: Value and partial derivatives of an unknown term from its arguments, each of shape (n,).
UnknownValue = Callable[..., tuple[Array, tuple[Array, ...]]]


class Tracer:
    """Evaluates expressions at n points.

    Parameters
    ----------
    known : mapping of Symbol to Traced
        Values of leaf symbols; `define` adds to them.
    points, directions : int
        n and m.
    unknowns : mapping of str to callable, optional
        For each unknown term its value and partial derivatives.

    Attributes
    ----------
    decisions : dict
        For each condition of ``if``, ``min``, ``max`` and ``abs`` met so far, where it held: bool
        array (n,).
    """

    def __init__(
        self,
        known: Mapping[sp.Symbol, Traced],
        points: int,
        directions: int,
        unknowns: Mapping[str, UnknownValue] | None = None,
    ) -> None:
        self._known: dict[sp.Basic, Traced] = dict(known)
        self._points, self._directions = points, directions
        self._unknowns = dict(unknowns or {})
        self.decisions: dict[str, Array] = {}

    def define(self, symbol: sp.Symbol, expr: sp.Expr) -> Traced:
        """Evaluate `expr` and let `symbol` stand for it."""
        self._known[symbol] = self.of(expr)
        return self._known[symbol]

    def of(self, expr: sp.Expr) -> Traced:
        """The expression at all points.

        Raises
        ------
        InternalError
            If it reads a symbol without value or a function that is not known here.
        """
        expr = sp.sympify(expr)
        found = self._known.get(expr)
        if found is None:
            found = self._known[expr] = self._compute(expr)
        return found

    def constant(self, number: float) -> Traced:
        """A number, the same at all points."""
        value = np.full(self._points, number)
        zero = np.zeros((self._points, self._directions))
        return Traced(value, np.abs(value), zero, zero)

    def _compute(self, expr: sp.Expr) -> Traced:
        if expr.is_Number or expr.is_NumberSymbol:
            return self.constant(float(expr))
        if isinstance(expr, sp.Add):
            parts = [self.of(a) for a in expr.args]
            total = parts[0]
            for part in parts[1:]:
                total = total + part
            return total
        if isinstance(expr, sp.Mul):
            parts = [self.of(a) for a in expr.args]
            product = parts[0]
            for part in parts[1:]:
                product = product * part
            return product
        if isinstance(expr, sp.Pow):
            return self._power(expr)
        if isinstance(expr, sp.Piecewise):
            return self._piecewise(expr)
        if isinstance(expr, (sp.Min, sp.Max)):
            return self._extreme(expr)
        if isinstance(expr, AppliedUndef):
            return self._unknown(expr)
        if type(expr) in _FUNCTIONS:
            x = self.of(expr.args[0])
            if isinstance(expr, (sp.Abs, sp.sign)):
                self.decisions[f"{expr.args[0]} > 0"] = x.value > 0.0
            return _through(x, *_FUNCTIONS[type(expr)](x.value))
        raise InternalError(f"the expression '{expr}' cannot be evaluated")

    def _power(self, expr: sp.Pow) -> Traced:
        base = self.of(expr.base)
        if expr.exp.is_Integer:
            whole = int(expr.exp)
            first = whole * base.value ** float(whole - 1)
            second = whole * (whole - 1) * base.value ** float(whole - 2)
            return _through(base, base.value ** float(whole), first, second)
        exponent = self.of(expr.exp)
        # By the convention of generated code, a negative base of such a power counts as zero.
        x, n = np.maximum(base.value, 0.0), exponent.value
        inside = np.where(x > 0.0, x, 1.0)
        value = x**n
        by_base = np.where(base.value > 0.0, n * inside ** (n - 1.0), 0.0)
        by_exponent = np.where(x > 0.0, value * np.log(inside), 0.0)
        size = np.abs(value) + np.abs(by_base) * base.size + np.abs(by_exponent) * exponent.size
        # How uncertain the two factors are: one more term for each derivative of them.
        doubt = 1.0 + (np.abs(n) + 1.0) * np.where(x > 0.0, base.size / inside, 1.0)
        doubt = doubt + (np.abs(np.log(inside)) + 1.0) * exponent.size
        return Traced(
            value,
            size,
            by_base[:, None] * base.slope + by_exponent[:, None] * exponent.slope,
            (np.abs(by_base) * doubt)[:, None] * base.slope_size
            + (np.abs(by_exponent) * doubt)[:, None] * exponent.slope_size,
        )

    def _piecewise(self, expr: sp.Piecewise) -> Traced:
        result = self.constant(np.nan)
        for value, condition in reversed(expr.args):
            result = _select(self._holds(condition), self.of(value), result)
        return result

    def _extreme(self, expr: sp.Expr) -> Traced:
        args = sorted(expr.args, key=sp.default_sort_key)
        result = self.of(args[-1])
        for arg in reversed(args[:-1]):
            other = self.of(arg)
            first = other.value <= result.value if isinstance(expr, sp.Min) else other.value >= result.value
            self.decisions[f"{arg} taken in {expr}"] = first
            result = _select(first, other, result)
        return result

    def _holds(self, condition: sp.Basic) -> Array:
        if condition in (sp.true, sp.false):
            return np.full(self._points, condition == sp.true)
        if isinstance(condition, sp.And):
            return np.asarray(np.logical_and.reduce([self._holds(a) for a in condition.args]))
        if isinstance(condition, sp.Or):
            return np.asarray(np.logical_or.reduce([self._holds(a) for a in condition.args]))
        if isinstance(condition, sp.Not):
            return ~self._holds(condition.args[0])
        left, right = self.of(condition.args[0]).value, self.of(condition.args[1]).value
        holds = _RELATIONS[type(condition)](left, right)
        self.decisions[str(condition)] = holds
        return holds

    def _unknown(self, expr: AppliedUndef) -> Traced:
        arguments = [self.of(a) for a in expr.args]
        value, partials = self._unknowns[expr.func.__name__](*(a.value for a in arguments))
        result = self.constant(0.0)
        value = np.broadcast_to(value, (self._points,))
        size, slope, slope_size = np.abs(value), result.slope, result.slope_size
        for partial, argument in zip(partials, arguments, strict=True):
            partial = np.broadcast_to(partial, (self._points,))
            size = size + np.abs(partial) * argument.size
            slope = slope + partial[:, None] * argument.slope
            slope_size = slope_size + np.abs(partial)[:, None] * argument.slope_size
        return Traced(value, size, slope, slope_size)


def _through(x: Traced, value: Array, first: Array, second: Array) -> Traced:
    """A function of one argument, from its value and its first two derivatives there."""
    steep = np.abs(first) + np.abs(second) * x.size
    return Traced(
        value,
        np.abs(value) + np.abs(first) * x.size,
        first[:, None] * x.slope,
        steep[:, None] * x.slope_size,
    )


def _select(condition: Array, a: Traced, b: Traced) -> Traced:
    rows = condition[:, None]
    return Traced(
        np.where(condition, a.value, b.value),
        np.where(condition, a.size, b.size),
        np.where(rows, a.slope, b.slope),
        np.where(rows, a.slope_size, b.slope_size),
    )


def _flat(x: Array) -> Array:
    return np.zeros_like(x)


_FUNCTIONS: Mapping[type, Callable[[Array], tuple[Array, Array, Array]]] = {
    sp.exp: lambda x: (np.exp(x), np.exp(x), np.exp(x)),
    sp.log: lambda x: (np.log(x), 1.0 / x, -1.0 / x**2),
    sp.sin: lambda x: (np.sin(x), np.cos(x), -np.sin(x)),
    sp.cos: lambda x: (np.cos(x), -np.sin(x), -np.cos(x)),
    sp.tan: lambda x: (np.tan(x), 1.0 / np.cos(x) ** 2, 2.0 * np.tan(x) / np.cos(x) ** 2),
    sp.tanh: lambda x: (np.tanh(x), 1.0 / np.cosh(x) ** 2, -2.0 * np.tanh(x) / np.cosh(x) ** 2),
    sp.Abs: lambda x: (np.abs(x), np.sign(x), _flat(x)),
    sp.sign: lambda x: (np.sign(x), _flat(x), _flat(x)),
    sp.floor: lambda x: (np.floor(x), _flat(x), _flat(x)),
    sp.ceiling: lambda x: (np.ceil(x), _flat(x), _flat(x)),
}

_RELATIONS: Mapping[type, Callable[[Array, Array], Array]] = {
    sp.StrictLessThan: np.less,
    sp.LessThan: np.less_equal,
    sp.StrictGreaterThan: np.greater,
    sp.GreaterThan: np.greater_equal,
    sp.Equality: np.equal,
    sp.Unequality: np.not_equal,
}
