"""Passes from `System` to `System` that change how the equations are computed, not what they say.

Each pass is one function in one file. States, parameters, inputs, rates and observables keep their names,
number and order; only constants and curves come and go.
"""

from __future__ import annotations

from collections.abc import Callable

from pbpkc.compiler.simplify.aliases import read_through_aliases
from pbpkc.compiler.simplify.dead import drop_dead_definitions
from pbpkc.compiler.simplify.factors import collect_factors
from pbpkc.compiler.simplify.fold import fold_constants
from pbpkc.compiler.simplify.hoist import hoist_fixed_parts
from pbpkc.compiler.simplify.shared import share_subexpressions
from pbpkc.compiler.system import System

#: In this order: numbers first, since they decide what is left; what nobody reads goes before effort is
#: spent on it; factors before sharing, since a common factor changes which expressions are equal.
#: Nobody reads what sharing has made superfluous, hence the last one.
PASSES: tuple[Callable[[System], System], ...] = (
    fold_constants,
    read_through_aliases,
    drop_dead_definitions,
    collect_factors,
    hoist_fixed_parts,
    share_subexpressions,
    drop_dead_definitions,
)


def simplify(system: System) -> System:
    """The `System` after all passes of `PASSES`."""
    for simplification in PASSES:
        system = simplification(system)
    return system


__all__ = [
    "PASSES",
    "collect_factors",
    "drop_dead_definitions",
    "fold_constants",
    "hoist_fixed_parts",
    "read_through_aliases",
    "share_subexpressions",
    "simplify",
]
