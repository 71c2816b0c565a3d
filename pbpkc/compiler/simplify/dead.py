"""Definitions that nobody reads are dropped."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from pbpkc.compiler.rewrite import final_expressions
from pbpkc.compiler.system import Assignment, System


def drop_dead_definitions(system: System) -> System:
    """The `System` with only those constants and curves that a rate, N, a start or an observable reads.

    A definition counts as read when another one that is read reads it. Parameters, states, inputs, rates and
    observables stay whether they are read or not: their places in the arrays are the user's.
    """
    read: set[sp.Symbol] = set()
    for expr in final_expressions(system):
        read |= expr.free_symbols
    # Each definition reads earlier ones only, so one walk backwards meets every reader first.
    curves = _alive(system.curves, read)
    constants = _alive(system.constants, read)
    return replace(system, constants=constants, curves=curves)


def _alive(definitions: tuple[Assignment, ...], read: set[sp.Symbol]) -> tuple[Assignment, ...]:
    kept: list[Assignment] = []
    for definition in reversed(definitions):
        if definition.symbol in read:
            read |= definition.expr.free_symbols
            kept.append(definition)
    return tuple(reversed(kept))
