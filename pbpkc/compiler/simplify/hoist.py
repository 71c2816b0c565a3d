"""What does not change during a run is computed once, before it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import sympy as sp

from pbpkc.compiler.rewrite import all_names, moving_symbols, stand_in, unused_name
from pbpkc.compiler.simplify.cost import cost
from pbpkc.compiler.system import Assignment, System

# Below this cost a constant of its own is more to read than it saves: one product is left where it is.
_WORTH_IT = 4


def hoist_fixed_parts(system: System) -> System:
    """The `System` with the parts of curves and rates that read only parameters moved to the constants.

    A curve that reads nothing but parameters and constants becomes a constant under its own name. From
    ``vmax * BW^0.75 * C / (km + C)`` in a rate ``ugt`` the product ``vmax * BW^0.75`` becomes the constant
    ``ugt_factor``. The branches of a condition are left as they are: what stands there may be defined only
    when the condition holds.
    """
    moving = moving_symbols(system)
    fixed_curves = tuple(c for c in system.curves if c.symbol not in moving)
    curves = tuple(c for c in system.curves if c.symbol in moving)
    constants = [*system.constants, *fixed_curves]
    taken = all_names(system)
    made: dict[sp.Expr, sp.Symbol] = {}

    def hoist(expr: sp.Expr, reader: str) -> sp.Expr:
        def name_it(part: sp.Expr) -> sp.Symbol:
            if part not in made:
                kind = (
                    "factor"
                    if isinstance(part, sp.Mul)
                    else "term"
                    if isinstance(part, sp.Add)
                    else "constant"
                )
                identifier = unused_name(f"{re.sub(r'[^0-9A-Za-z]+', '_', reader).strip('_')}_{kind}", taken)
                name = unused_name(f"{reader}.{kind}", taken)
                taken.update((identifier, name))
                made[part] = stand_in(identifier, part)
                doc = f"what does not change during a run in {reader}"
                constants.append(Assignment(name, made[part], part, doc))
            return made[part]

        return _hoisted(expr, moving, name_it)

    return replace(
        system,
        curves=tuple(replace(c, expr=hoist(c.expr, c.name)) for c in curves),
        rates=tuple(replace(r, expr=hoist(r.expr, r.name)) for r in system.rates),
        constants=tuple(constants),
    )


def _hoisted(expr: sp.Expr, moving: frozenset[sp.Symbol], name_it: Callable[[sp.Expr], sp.Symbol]) -> sp.Expr:
    if expr.is_Atom or isinstance(expr, sp.Piecewise):
        return expr
    if isinstance(expr, sp.Add | sp.Mul):
        fixed = [a for a in expr.args if moving.isdisjoint(a.free_symbols)]
        if len(fixed) < len(expr.args):
            rest = [_hoisted(a, moving, name_it) for a in expr.args if a not in fixed]
            number = [a for a in fixed if a.is_Number]
            part = expr.func(*(a for a in fixed if not a.is_Number))
            if cost(part) >= _WORTH_IT:
                # The number goes along: one operation less in every evaluation, except for a mere sign.
                sign = [a for a in number if a == -1]
                part = name_it(expr.func(part, *(a for a in number if a != -1)))
                return expr.func(part, *sign, *rest)
            return expr.func(part, *number, *rest)
    if moving.isdisjoint(expr.free_symbols):
        return name_it(expr) if expr.free_symbols and cost(expr) >= _WORTH_IT else expr
    return expr.func(*(_hoisted(a, moving, name_it) for a in expr.args))
