"""Factors that the terms of a sum share are written once: ``Q*a - Q*b`` is ``Q*(a - b)``."""

from __future__ import annotations

from collections import Counter

import sympy as sp

from pbpkc.compiler.rewrite import rewrite
from pbpkc.compiler.system import System


def collect_factors(system: System) -> System:
    """The `System` with shared factors of sums collected, the most frequent first.

    Only factors that stand there are collected; nothing is expanded, and no polynomial is factored. Numbers
    are not collected: sympy multiplies them in again.
    """
    return rewrite(system, collected)


def collected(expr: sp.Expr) -> sp.Expr:
    """The expression with the shared factors of every sum in it collected."""
    if expr.is_Atom or not expr.has(sp.Add):
        return expr
    changed = [collected(a) if isinstance(a, sp.Basic) else a for a in expr.args]
    if tuple(changed) != expr.args:
        expr = expr.func(*changed)
    return _collected_sum(list(expr.args)) if isinstance(expr, sp.Add) else expr


def _collected_sum(terms: list[sp.Expr]) -> sp.Expr:
    count: Counter[sp.Expr] = Counter()
    for term in terms:
        count.update(_factors(term))
    if not count or max(count.values()) < 2:
        return sp.Add(*terms)
    # The tie is broken by the form alone, so that the result does not depend on the order of hashing.
    best = min(count, key=lambda f: (-count[f], f.sort_key()))
    with_it = [t for t in terms if best in _factors(t)]
    rest = [t for t in terms if best not in _factors(t)]
    inner = _collected_sum([_without(t, best) for t in with_it])
    product = sp.Mul(best, inner)
    if not rest:
        return product
    return sp.Add(product, _collected_sum(rest))


def _without(term: sp.Expr, factor: sp.Expr) -> sp.Expr:
    # Not `term / factor`: sympy leaves x**(g - 1) * x**(1 - g) as it stands.
    factors = list(sp.Mul.make_args(term))
    factors.remove(factor)
    return sp.Mul(*factors)


def _factors(term: sp.Expr) -> list[sp.Expr]:
    # Each power counts whole, 1/V and x**2 as themselves: taking x out of x**2 + x is no gain here.
    return [f for f in sp.Mul.make_args(term) if not f.is_number]
