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
    ``ugt.factor``. The branches of a condition are left as they are: what stands there may be defined only
    when the condition holds.
    """
    moving = moving_symbols(system)
    fixed_curves = tuple(c for c in system.curves if c.symbol not in moving)
    curves = tuple(c for c in system.curves if c.symbol in moving)
    constants = [*system.constants, *fixed_curves]
    taken = all_names(system)
    readers = _readers(system, curves, moving)
    made: dict[sp.Expr, sp.Symbol] = {}

    def name_it(part: sp.Expr) -> sp.Symbol:
        if part not in made:
            identifier, name = _names(part, readers[part], taken)
            taken.update((identifier, name))
            made[part] = stand_in(identifier, part)
            doc = f"what does not change during a run in {', '.join(readers[part])}"
            constants.append(Assignment(name, made[part], part, doc))
        return made[part]

    return replace(
        system,
        curves=tuple(replace(c, expr=_hoisted(c.expr, moving, name_it)) for c in curves),
        rates=tuple(replace(r, expr=_hoisted(r.expr, moving, name_it)) for r in system.rates),
        constants=tuple(constants),
    )


def _readers(
    system: System, curves: tuple[Assignment, ...], moving: frozenset[sp.Symbol]
) -> dict[sp.Expr, list[str]]:
    """For each part that will be moved the names of the curves and rates it stands in."""
    readers: dict[sp.Expr, list[str]] = {}
    entries = [(c.name, c.expr) for c in curves] + [(r.name, r.expr) for r in system.rates]
    for reader, expr in entries:

        def note(part: sp.Expr, name: str = reader) -> sp.Expr:
            names = readers.setdefault(part, [])
            if name not in names:
                names.append(name)
            return part

        _hoisted(expr, moving, note)
    return readers


def _names(part: sp.Expr, readers: list[str], taken: set[str]) -> tuple[str, str]:
    """The identifier and the name of a part: after its reader, or x0, x1, ... where it has several."""
    if len(readers) > 1:
        number = 0
        while f"x{number}" in taken:
            number += 1
        return f"x{number}", f"x{number}"
    kind = (
        "term" if isinstance(part, sp.Add) else "factor" if isinstance(part, sp.Mul | sp.Pow) else "constant"
    )
    identifier = re.sub(r"[^0-9A-Za-z]+", "_", readers[0]).strip("_")
    return unused_name(f"{identifier}_{kind}", taken), unused_name(f"{readers[0]}.{kind}", taken)


def _hoisted(expr: sp.Expr, moving: frozenset[sp.Symbol], name_it: Callable[[sp.Expr], sp.Expr]) -> sp.Expr:
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
