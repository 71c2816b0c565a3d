"""Exact values of constant exponents."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import reduce

from pbpkc.language.evaluate import NotEvaluable
from pbpkc.language.expression import Apply, Const, Expr

#: Exponents of units beyond this are slips, and traps for exact arithmetic.
HIGHEST_EXPONENT = 99

#: Size of an exact number, for powers of powers.
_MOST_BITS = 10_000

_EXACT: Mapping[str, Callable[[Fraction, Fraction], Fraction]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.sub,
}


def evaluate_exact(expr: Expr) -> Fraction:
    """The exact value of a constant exponent.

    Raises
    ------
    NotEvaluable
        When it reads a name or is not rational.
    """
    if isinstance(expr, Const):
        return expr.canonical
    if isinstance(expr, Apply) and expr.op in _EXACT:
        args = [evaluate_exact(a) for a in expr.args]
        if expr.op == "div" and args[1] == 0:
            raise NotEvaluable("division by zero")
        return reduce(_EXACT[expr.op], args) if expr.op != "neg" else -args[0]
    if isinstance(expr, Apply) and expr.op == "pow":
        base, power = (evaluate_exact(a) for a in expr.args)
        digits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if power.denominator == 1 and base and digits * abs(power) <= _MOST_BITS:
            return base**power.numerator
    raise NotEvaluable("the exponent is no constant")
