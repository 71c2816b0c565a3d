"""Choices between values, as sympy knows them but for one thing: a comparison of choices stays one.

Of ``if(if(a < b, x, y) < z, u, v)`` sympy makes a choice between the conditions ``x < z`` and ``y < z``, an
`ITE`, twice as many for each further choice in the comparison. Nothing that reads expressions knows those,
and twenty would fill a memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp
from sympy.functions.elementary.piecewise import ExprCondPair


class _Branch(ExprCondPair):  # type: ignore[misc]
    """A value and its condition, taken as they are."""

    def __new__(cls, value: Any, condition: Any) -> _Branch:
        made: _Branch = sp.Tuple.__new__(cls, sp.sympify(value), sp.sympify(condition))
        return made


class Choice(sp.Piecewise):  # type: ignore[misc]
    """A `Piecewise` with a condition that compares choices."""

    def __new__(cls, *branches: Any, **_: Any) -> Any:
        """The choice; `choice` of the branches where that is something simpler."""
        return choice(*branches)


def choice(*branches: Any) -> sp.Expr:
    """The value of the first branch whose condition holds.

    Parameters
    ----------
    *branches : pairs of a value and a condition

    Returns
    -------
    sympy expression
        A `Piecewise`, or the value where only one is left.
    """
    kept: list[_Branch] = []
    for value, condition in branches:
        branch = _Branch(value, condition)
        if branch.cond == sp.false:
            continue
        if kept and kept[-1].expr == branch.expr:
            branch = _Branch(branch.expr, sp.Or(kept.pop().cond, branch.cond))
        kept.append(branch)
        if branch.cond == sp.true:
            break
    if not any(b.cond.has(sp.Piecewise) for b in kept):
        return sp.Piecewise(*((b.expr, b.cond) for b in kept))
    if kept[0].cond == sp.true:
        return kept[0].expr
    made: sp.Expr = sp.Basic.__new__(Choice, *kept)
    return made


def substituted(expr: sp.Expr, values: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    """The expression with others in place of symbols; comparisons of what becomes a choice stay comparisons.

    Parameters
    ----------
    expr : sympy.Expr
    values : mapping of Symbol to Expr
    """
    if not expr.has(sp.Piecewise):
        return expr.xreplace(values)
    known: dict[sp.Basic, sp.Basic] = dict(values)

    def changed(part: sp.Basic) -> sp.Basic:
        found = known.get(part)
        if found is None:
            if isinstance(part, sp.Piecewise):
                found = choice(*((changed(value), changed(condition)) for value, condition in part.args))
            else:
                args = [changed(a) for a in part.args]
                same = all(a is b for a, b in zip(args, part.args, strict=True))
                found = part if same else part.func(*args)
            known[part] = found
        return found

    return changed(expr)
