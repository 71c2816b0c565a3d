"""Values of the expressions of a `System` at given points: for counterexamples and time scales.

This is not the generated code. It walks the expressions, and so needs no text to be executed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from pbpkc.compiler.choice import substituted
from pbpkc.compiler.gradient import Gradients, partial_name, power_log, power_slope
from pbpkc.compiler.system import System, UnknownTerm

Values = NDArray[np.float64]

_FUNCTIONS: dict[type[sp.Basic], Callable[..., Values]] = {
    sp.exp: np.exp,
    sp.log: np.log,
    sp.sin: np.sin,
    sp.cos: np.cos,
    sp.Abs: np.abs,
    sp.floor: np.floor,
    sp.ceiling: np.ceil,
    sp.sign: np.sign,
    power_log: lambda base, n: np.where(base > 0, base**n * np.log(np.where(base > 0, base, 1.0)), 0.0),
    power_slope: lambda base, n: np.where((base > 0) | (n >= 1), n * np.maximum(base, 0.0) ** (n - 1.0), 0.0),
    sp.Lt: np.less,
    sp.Le: np.less_equal,
    sp.Gt: np.greater,
    sp.Ge: np.greater_equal,
    sp.Not: np.logical_not,
}
_FOLDS: dict[type[sp.Basic], Callable[[Values, Values], Values]] = {
    sp.Add: np.add,
    sp.Mul: np.multiply,
    sp.Min: np.minimum,
    sp.Max: np.maximum,
    sp.And: np.logical_and,
    sp.Or: np.logical_or,
}


@dataclass
class Evaluation:
    """Values at one or many points, each expression computed once.

    Parameters
    ----------
    system : System
    leaves : mapping of Symbol to float or array, shape (n,)
        Parameters, states, inputs and time in canonical units; all of one shape or scalars.
    """

    system: System
    leaves: Mapping[sp.Symbol, float | Values]
    _known: dict[sp.Basic, Values] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._definitions = {a.symbol: a.expr for a in (*self.system.constants, *self.system.curves)}
        self._unknowns = {str(u.function): u for u in self.system.unknowns}

    def value(self, expr: sp.Basic) -> Values:
        """The value of an expression; nan or infinite where it has none.

        Raises
        ------
        ValueError
            For a symbol that is neither a leaf nor a definition of the system, and for an unknown term
            without a default.
        """
        with np.errstate(all="ignore"):
            return self._value(expr)

    def _value(self, expr: sp.Basic) -> Values:
        if expr not in self._known:
            self._known[expr] = np.asarray(self._computed(expr))
        return self._known[expr]

    def _computed(self, expr: sp.Basic) -> Values | float:
        if isinstance(expr, sp.Symbol):
            if expr in self.leaves:
                return np.asarray(self.leaves[expr], dtype=float)
            if expr in self._definitions:
                return self._value(self._definitions[expr])
            raise ValueError(f"symbol {expr} has no value in the system {self.system.name}")
        if not expr.args or (expr.is_number and not expr.atoms(sp.core.function.AppliedUndef)):
            number = bool(expr) if expr in (sp.true, sp.false) else float(expr)
            return np.asarray(number)
        if isinstance(expr, sp.Pow):
            raised: Values = np.power(self._value(expr.base).astype(float), self._value(expr.exp))
            return raised
        if isinstance(expr, sp.Piecewise):
            return self._piecewise(expr)
        if isinstance(expr, sp.core.function.AppliedUndef):
            return self._unknown(expr)
        arguments = [self._value(a) for a in expr.args]
        fold = _FOLDS.get(expr.func)
        if fold is not None:
            result = arguments[0]
            for argument in arguments[1:]:
                result = fold(result, argument)
            return result
        function = _FUNCTIONS.get(expr.func)
        if function is None:
            raise ValueError(f"the function {expr.func} is not one of the language")
        computed: Values = function(*arguments)
        return computed

    def _piecewise(self, expr: sp.Piecewise) -> Values:
        result: Values = np.asarray(np.nan)
        for value, condition in reversed(expr.args):
            result = np.where(self._value(condition), self._value(value), result)
        return result

    def _unknown(self, expr: sp.Expr) -> Values:
        name = str(expr.func)
        for function, term in self._unknowns.items():
            if term.default is None:
                continue
            if name == function:
                return self._default(term, term.default, expr)
            for argument in term.arguments:
                if name == partial_name(term.name, str(argument.name)):
                    return self._default(term, self._slope(term.default, argument), expr)
        raise ValueError(f"the unknown term '{name}' has no default to evaluate")

    def _slope(self, default: sp.Expr, argument: sp.Symbol) -> sp.Expr:
        return Gradients(self.system.unknowns).of(default).get(argument, sp.Integer(0))

    def _default(self, term: UnknownTerm, body: sp.Expr, call: sp.Expr) -> Values:
        return self._value(substituted(body, dict(zip(term.arguments, call.args, strict=True))))


def nominal_leaves(system: System) -> dict[sp.Symbol, float]:
    """Parameters at their values, and what is held too; other inputs 0, time 0; states are left out."""
    leaves: dict[sp.Symbol, float] = {p.symbol: p.value for p in system.parameters}
    start = {p.name: p.value for p in system.parameters}
    leaves |= {u.symbol: start[u.target] if u.kind == "held" else 0.0 for u in system.inputs}
    leaves[system.time] = 0.0
    return leaves
