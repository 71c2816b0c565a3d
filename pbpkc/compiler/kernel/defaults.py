"""The system in which the default of an unknown term stands in the place of its calls."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import sympy as sp

from pbpkc.compiler.analysed import AnalysedSystem
from pbpkc.compiler.choice import substituted
from pbpkc.compiler.differentiate import differentiate
from pbpkc.compiler.linear import linear_part
from pbpkc.compiler.rewrite import rewrite
from pbpkc.compiler.system import UnknownTerm


def with_defaults(analysed: AnalysedSystem) -> AnalysedSystem:
    """The equations as they run where nothing else is given for unknown terms.

    Only what a kernel is made of is worked out anew: the derivatives and the linear part. States, parameters
    and inputs stay in their places, a clock that only the term read among them.

    Parameters
    ----------
    analysed : AnalysedSystem
        Terms without a default stay as they are.
    """
    system = analysed.system
    written = [u for u in system.unknowns if u.default is not None]
    if not written:
        return analysed
    for term in written:
        system = rewrite(system, partial(_without_calls, term))
    system = replace(system, unknowns=tuple(u for u in system.unknowns if u.default is None))
    return replace(analysed, system=system, derivatives=differentiate(system), linear=linear_part(system))


def _without_calls(term: UnknownTerm, expr: sp.Expr) -> sp.Expr:
    """The expression with the default in the place of each call."""

    def value(*arguments: sp.Expr) -> sp.Expr:
        places = dict(zip(term.arguments, arguments, strict=True))
        return substituted(sp.sympify(term.default), places)

    expr = sp.sympify(expr)
    return expr.replace(term.function, value) if expr.has(term.function) else expr
