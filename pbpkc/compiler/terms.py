"""The right-hand side of each equation as a list of terms, one for each rate that changes the state."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from pbpkc.compiler.system import System

#: Kinds of rate that stand in an equation by their expression; the others stand there by their name.
CARRIED = ("circulation", "flow", "passive")


@dataclass(frozen=True)
class Term:
    """One term of an equation.

    Parameters
    ----------
    rate : int or None
        Index of the rate, None for a dose.
    negative : bool
        Whether it is subtracted.
    expr : Expr
        Without the sign: the yield times the rate's symbol, or times its expression where blood or a flow
        carries the substance, or it passes between the spaces of a tissue; for a dose the input's symbol.
    """

    rate: int | None
    negative: bool
    expr: sp.Expr


def equation_terms(system: System, state: int) -> tuple[Term, ...]:
    """The terms of dy/dt for one state: gains first, then losses, then doses."""
    terms: list[Term] = []
    for (i, r), coefficient in sorted(system.N.items()):
        if i != state:
            continue
        rate = system.rates[r]
        yields = sp.sympify(coefficient)
        negative = bool(yields.is_negative)
        body = rate.expr if rate.kind in CARRIED else rate.symbol
        terms.append(Term(r, negative, (-yields if negative else yields) * body))
    doses = [
        Term(None, False, u.symbol)
        for u in system.inputs
        if u.kind == "infusion" and u.target == system.states[state].name
    ]
    return (*(t for t in terms if not t.negative), *(t for t in terms if t.negative), *doses)
