"""Blood flows of a circulation: one unknown per vessel, solved exactly.

The equations: inflow equals outflow at each node; vessels of the trunk carry the total; the vessel from
the trunk's end to a tissue carries the tissue's `flow`; the vessels leaving a tissue carry its `outflow`
together; `at` gives the flow of a path. Coefficients are 0 and 1, so elimination over fractions is exact
and each flow is a combination of what was written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

Vessel = tuple[str, str]
Combination = Mapping[str, Fraction]


@dataclass(frozen=True)
class Equation:
    """``sum of vessels = sum of given flows``; `where` names the node for messages."""

    vessels: Mapping[Vessel, int]
    given: Combination
    where: str


@dataclass(frozen=True)
class SolvedFlows:
    """What elimination found.

    Parameters
    ----------
    flows : mapping of vessel to combination of given flows
    undetermined : tuple of vessels
    free : int
        How many more flows would determine them.
    conditions : tuple of (node, combination)
        Combinations of given flows that must be zero: what is written more than once.
    """

    flows: Mapping[Vessel, Combination]
    undetermined: tuple[Vessel, ...]
    free: int
    conditions: tuple[tuple[str, Combination], ...]


def balance_equations(
    vessels: Sequence[Vessel],
    trunk: Sequence[str],
    total: str,
    supplies: Mapping[str, str],
    outflows: Mapping[str, str],
    paths: Mapping[Vessel, str],
) -> list[Equation]:
    """The equations of one circulation.

    Parameters
    ----------
    vessels : sequence of (source, target)
    trunk : sequence of str
        Nodes of the trunk in order.
    total : str
        The name that stands for the total flow.
    supplies, outflows : mapping of node to name
        Of its given `flow` and `outflow`.
    paths : mapping of vessel to name
        Flows given with `at`.
    """
    equations = []
    for vessel in pairwise(trunk):
        equations.append(Equation({vessel: 1}, {total: Fraction(1)}, vessel[1]))
    for vessel, name in paths.items():
        equations.append(Equation({vessel: 1}, {name: Fraction(1)}, vessel[1]))
    for node, name in supplies.items():
        equations.append(Equation({(trunk[-1], node): 1}, {name: Fraction(1)}, node))
    for node, name in outflows.items():
        equations.append(Equation({v: 1 for v in vessels if v[0] == node}, {name: Fraction(1)}, node))
    # Balances last: where the given flows contradict each other, a balance is what fails.
    inner = list(dict.fromkeys(n for v in vessels for n in v))
    for node in sorted(inner, key=lambda name: name in (trunk[0], trunk[-1])):
        row: dict[Vessel, int] = {}
        for vessel in vessels:
            if vessel[1] == node:
                row[vessel] = row.get(vessel, 0) + 1
            if vessel[0] == node:
                row[vessel] = row.get(vessel, 0) - 1
        equations.append(Equation({v: c for v, c in row.items() if c}, {}, node))
    return equations


def solve_flows(vessels: Sequence[Vessel], equations: Sequence[Equation]) -> SolvedFlows:
    """Gauss-Jordan elimination in exact fractions."""
    pivots: dict[Vessel, tuple[dict[Vessel, Fraction], dict[str, Fraction]]] = {}
    conditions: list[tuple[str, Combination]] = []
    for equation in equations:
        row = {v: Fraction(c) for v, c in equation.vessels.items()}
        given = dict(equation.given)
        for vessel, (other, other_given) in pivots.items():
            _subtract(row, given, row.get(vessel, Fraction(0)), other, other_given)
        if not row:
            left = {name: c for name, c in given.items() if c}
            if left:
                conditions.append((equation.where, left))
            continue
        pivot = next(v for v in vessels if v in row)
        scale = row[pivot]
        row = {v: c / scale for v, c in row.items()}
        given = {g: c / scale for g, c in given.items() if c}
        for other, other_given in pivots.values():
            _subtract(other, other_given, other.get(pivot, Fraction(0)), row, given)
        pivots[pivot] = (row, given)
    flows = {v: {g: c for g, c in given.items() if c} for v, (row, given) in pivots.items() if len(row) == 1}
    undetermined = tuple(v for v in vessels if v not in flows)
    return SolvedFlows(flows, undetermined, len(vessels) - len(pivots), tuple(conditions))


def _subtract(
    row: dict[Vessel, Fraction],
    given: dict[str, Fraction],
    factor: Fraction,
    other: Mapping[Vessel, Fraction],
    other_given: Mapping[str, Fraction],
) -> None:
    if not factor:
        return
    for vessel, c in other.items():
        value = row.get(vessel, Fraction(0)) - factor * c
        if value:
            row[vessel] = value
        else:
            row.pop(vessel, None)
    for name, c in other_given.items():
        given[name] = given.get(name, Fraction(0)) - factor * c
