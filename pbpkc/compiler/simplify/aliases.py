"""Definitions that only give another name to something are read through."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from pbpkc.compiler.rewrite import rewrite
from pbpkc.compiler.system import System


def read_through_aliases(system: System) -> System:
    """The `System` without definitions of the form ``a = b``; who read a reads b.

    In blood, for example, ``.Cout`` is ``.C``.
    """
    target: dict[sp.Symbol, sp.Symbol] = {}
    for definition in (*system.constants, *system.curves):
        if isinstance(definition.expr, sp.Symbol):
            target[definition.symbol] = target.get(definition.expr, definition.expr)
    if not target:
        return system
    changed = rewrite(system, lambda expr: expr.xreplace(target))
    return replace(
        changed,
        constants=tuple(a for a in changed.constants if a.symbol not in target),
        curves=tuple(a for a in changed.curves if a.symbol not in target),
    )
