"""Exact first derivatives of one expression by every symbol in it.

sympy's own `diff` gives distributions for ``min`` and ``max``, complex parts for ``abs`` and NaN at an
empty compartment for ``c**n`` by ``n``. Here each derivative is the one-sided limit that the generated
code also takes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import sympy as sp
from sympy.core.function import AppliedUndef

from pbpkc.compiler.choice import choice
from pbpkc.compiler.system import UnknownTerm
from pbpkc.language.diagnostics import InternalError

Gradient = Mapping[sp.Symbol, sp.Expr]

_ZERO, _ONE = sp.Integer(0), sp.Integer(1)

# A quotient's numerator is multiplied out only when it stays this short; `(u'v - uv')/v**2` is then one
# term for Michaelis-Menten and Hill, whose sign can be read off and which does not cancel.
_SHORT = 4


class power_log(sp.Function):  # type: ignore[misc]
    """``b**n * log(b)``, the derivative of ``b**n`` by `n`; 0 where `b` is 0 or negative.

    It has the name it gets in generated code.
    """

    nargs = 2


class power_slope(sp.Function):  # type: ignore[misc]
    """``n * b**(n - 1)``, the derivative of ``b**n`` by `b`.

    Where `b` is 0 or negative and `n` below 1 it is 0, the slope from below: a negative base counts as 0.
    From above there is none; an empty compartment is where a model starts, and every derivative after that
    moment is the exact one. It has the name it gets in generated code.
    """

    nargs = 2


def partial_name(unknown: str, argument: str) -> str:
    """Name of the partial derivative of an unknown term by one of its arguments."""
    return f"d_{unknown}_d_{argument}"


class Gradients:
    """Gradients of expressions, each computed once.

    Parameters
    ----------
    unknowns : tuple of UnknownTerm
        Their partial derivatives become applied functions named by `partial_name`.
    steady : set of Symbol
        Parameters and constants. What is made of them alone is not 0 on the way.
    """

    def __init__(
        self, unknowns: tuple[UnknownTerm, ...] = (), steady: frozenset[sp.Symbol] = frozenset()
    ) -> None:
        self._unknowns = {u.function.__name__: u for u in unknowns}
        self._steady = steady
        self._known: dict[sp.Basic, Gradient] = {}

    def of(self, expr: sp.Expr) -> Gradient:
        """Partial derivatives of `expr`, the structurally non-zero ones, by symbol.

        Raises
        ------
        InternalError
            If the expression contains a function that has no derivative here.
        """
        found = self._known.get(expr)
        if found is None:
            found = {s: d for s, d in self._compute(expr).items() if d != 0}
            self._known[expr] = found
        return found

    def _compute(self, expr: sp.Expr) -> Gradient:
        if isinstance(expr, sp.Symbol):
            return {expr: _ONE}
        if expr.is_Atom:
            return {}
        if isinstance(expr, sp.Add):
            return _sum([self.of(a) for a in expr.args])
        if isinstance(expr, sp.Mul):
            return self._product(expr)
        if isinstance(expr, sp.Pow):
            return self._power(expr)
        if isinstance(expr, sp.Piecewise):
            return self._branches([(value, condition) for value, condition in expr.args])
        if isinstance(expr, (sp.Min, sp.Max)):
            return self._branches(_extreme_branches(expr))
        if isinstance(expr, sp.Abs):
            return _scaled(self.of(expr.args[0]), sp.sign(expr.args[0]))
        if isinstance(expr, (sp.sign, sp.floor, sp.ceiling, sp.Heaviside)):
            return {}
        if isinstance(expr, AppliedUndef):
            return self._unknown(expr)
        if isinstance(expr, sp.Function) and not isinstance(expr, (power_log, power_slope)):
            return _sum([_scaled(self.of(a), expr.fdiff(k + 1)) for k, a in enumerate(expr.args)])
        raise InternalError(f"no derivative of '{expr.func}' is known")

    def _product(self, expr: sp.Mul) -> Gradient:
        quotient = self._quotient(expr)
        if quotient is not None:
            return quotient
        parts = []
        for k, factor in enumerate(expr.args):
            gradient = self.of(factor)
            if gradient:
                parts.append(_scaled(gradient, sp.Mul(*expr.args[:k], *expr.args[k + 1 :])))
        return _sum(parts)

    def _quotient(self, expr: sp.Mul) -> Gradient | None:
        below = [a for a in expr.args if isinstance(a, sp.Pow) and a.exp == -1 and isinstance(a.base, sp.Add)]
        if len(below) != 1:
            return None
        bottom, top = below[0].base, sp.Mul(*(a for a in expr.args if a is not below[0]))
        of_top, of_bottom = self.of(top), self.of(bottom)
        if not any(s in of_top for s in of_bottom):
            return None
        result: dict[sp.Symbol, sp.Expr] = {}
        for s in _in_order([of_top, of_bottom]):
            up, down = of_top.get(s, _ZERO), of_bottom.get(s, _ZERO)
            if down == 0:
                result[s] = up / bottom
                continue
            short = sp.expand_mul(up * bottom - top * down) if len(bottom.args) <= _SHORT else None
            if short is not None and len(sp.Add.make_args(short)) <= 2:
                result[s] = short / bottom**2
            else:
                result[s] = up / bottom - top * down / bottom**2
        return result

    def _power(self, expr: sp.Pow) -> Gradient:
        base, exponent = expr.base, expr.exp
        parts = []
        if self.of(base):
            steep = self._may_be_steep(base, exponent)
            slope = power_slope(base, exponent) if steep else exponent * base ** (exponent - 1)
            parts.append(_scaled(self.of(base), slope))
        if self.of(exponent):
            slope = expr * sp.log(base) if base.is_number else power_log(base, exponent)
            parts.append(_scaled(self.of(exponent), slope))
        return _sum(parts)

    def _may_be_steep(self, base: sp.Expr, exponent: sp.Expr) -> bool:
        """Whether the slope of a power may be infinite where a model passes: an exponent below 1 at 0."""
        if exponent.is_Integer or (exponent.is_number and exponent >= 1) or base.is_number:
            return False
        return not base.free_symbols <= self._steady

    def _branches(self, branches: list[tuple[sp.Expr, sp.Basic]]) -> Gradient:
        # The jump at a condition's edge has no derivative; each side has its own.
        gradients = [self.of(value) for value, _ in branches]
        conditions = [condition for _, condition in branches]
        return {
            s: choice(*((g.get(s, _ZERO), c) for g, c in zip(gradients, conditions, strict=True)))
            for s in _in_order(gradients)
        }

    def _unknown(self, expr: AppliedUndef) -> Gradient:
        unknown = self._unknowns.get(expr.func.__name__)
        if unknown is None:
            raise InternalError(f"'{expr.func}' is applied but no unknown term has that name")
        return _sum(
            [
                _scaled(self.of(value), sp.Function(partial_name(unknown.name, argument.name))(*expr.args))
                for argument, value in zip(unknown.arguments, expr.args, strict=True)
            ]
        )


def ordered_args(expr: sp.Basic) -> list[sp.Basic]:
    """Arguments of a commutative operator in an order that is the same in every run."""
    return sorted(expr.args, key=sp.default_sort_key)


def _extreme_branches(expr: sp.Expr) -> list[tuple[sp.Expr, sp.Basic]]:
    # At a tie the first argument wins, as in the generated code.
    args = ordered_args(expr)
    compare = sp.Le if isinstance(expr, sp.Min) else sp.Ge
    branches: list[tuple[sp.Expr, sp.Basic]] = [
        (a, sp.And(*(compare(a, b) for b in args[k + 1 :]))) for k, a in enumerate(args[:-1])
    ]
    return [*branches, (args[-1], sp.true)]


def _in_order(gradients: list[Gradient]) -> list[sp.Symbol]:
    return list(dict.fromkeys(s for g in gradients for s in g))


def _scaled(gradient: Gradient, factor: sp.Expr) -> Gradient:
    return {s: factor * d for s, d in gradient.items()}


def _sum(gradients: list[Gradient]) -> Gradient:
    if len(gradients) == 1:
        return gradients[0]
    terms: defaultdict[sp.Symbol, list[sp.Expr]] = defaultdict(list)
    for gradient in gradients:
        for s, d in gradient.items():
            terms[s].append(d)
    return {s: sp.Add(*d) for s, d in terms.items()}
