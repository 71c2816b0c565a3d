"""What an expression costs to evaluate, roughly, in additions."""

from __future__ import annotations

import sympy as sp

#: Transcendental functions and powers that are not small whole numbers.
EXPENSIVE = 10
#: A division, next to a multiplication.
DIVISION = 3


def cost(expr: sp.Basic) -> int:
    """The weighted number of operations in an expression; 0 for a name or a number."""
    return own_cost(expr) + sum(cost(a) for a in expr.args)


def own_cost(expr: sp.Basic) -> int:
    """The cost of the outermost operation alone."""
    if expr.is_Atom:
        return 0
    if isinstance(expr, sp.Add | sp.Mul):
        # A sign costs nothing: -x + y is a subtraction.
        return len([a for a in expr.args if a != -1]) - 1
    if isinstance(expr, sp.Pow):
        if expr.exp.is_Integer and abs(int(expr.exp)) <= 4:
            return abs(int(expr.exp)) - 1 + (DIVISION if expr.exp.is_negative else 0)
        return EXPENSIVE
    if isinstance(expr, sp.Min | sp.Max | sp.Abs | sp.Piecewise | sp.core.relational.Relational):
        return 1
    if isinstance(expr, sp.Function):
        return EXPENSIVE
    return 0
