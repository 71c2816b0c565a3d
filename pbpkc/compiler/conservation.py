"""Conserved totals: weights w with w N = 0, in exact rational numbers.

With N apart from v, a total is conserved for every rate law, linear or not. The left null space of N is
found exactly; a basis whose weights are not negative is looked for by linear programmes, whose answers
are read as rational numbers and then checked exactly. Doses add to a total and are not counted.

In the total of a species an amount of it counts the same wherever it is: only different species weigh
differently. With weights of their own, three units in place of one would be no more than a change of weight.

References
----------
Heinrich R, Schuster S (1996) The Regulation of Cellular Systems, chapter 3 (conservation relations).
Schuster S, Höfer T (1991) J Chem Soc Faraday Trans 87:2561-2566 (non-negative ones as extreme rays).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

from sympy.polys.domains import QQ
from sympy.polys.matrices import DomainMatrix

from pbpkc.compiler.system import System
from pbpkc.compiler.totals import Column, Stoichiometry, stoichiometry

# The weights of a vertex are ratios of small determinants of N.
_LARGEST_DENOMINATOR = 10_000


@dataclass(frozen=True)
class ConservedTotal:
    """A sum of states that no arrow changes.

    Parameters
    ----------
    weights : tuple of (int, Fraction)
        State index and weight; the smallest whole numbers where `species` is None.
    species : str or None
        Whose total it is: every state of that species counts at least once, and all of them alike.
    """

    weights: tuple[tuple[int, Fraction], ...]
    species: str | None = None

    @property
    def non_negative(self) -> bool:
        """Whether no weight is negative."""
        return all(w > 0 for _, w in self.weights)

    def text(self, system: System) -> str:
        """The total as a sum of state names: ``gut.THEO + 2 plasma.DIMER``."""
        parts: list[str] = []
        for index, weight in self.weights:
            size = "" if abs(weight) == 1 else f"{abs(weight)} "
            sign = ("- " if weight < 0 else "+ ") if parts else ("-" if weight < 0 else "")
            parts.append(f"{sign}{size}{system.states[index].name}")
        return " ".join(parts)


@dataclass(frozen=True)
class Conservation:
    """What the arrows of a `System` leave unchanged.

    Parameters
    ----------
    basis : tuple of ConservedTotal
        Of the left null space of N with every arrow counted; not negative where possible.
    by_species : mapping of str to ConservedTotal or None
        For each species a total with non-negative weights in which every species counts the same in all its
        states, the open arrows not counted; None where there is no such total.
    open_arrows, symbolic_yields : tuple of int
        See `Stoichiometry`.
    rank : int
        Of N.
    """

    basis: tuple[ConservedTotal, ...]
    by_species: Mapping[str, ConservedTotal | None]
    open_arrows: tuple[int, ...]
    symbolic_yields: tuple[int, ...]
    rank: int


def conserved_totals(system: System) -> Conservation:
    """The conserved totals of a `System`.

    Arrows with a symbolic yield are not counted; they are listed in the result.
    """
    full = stoichiometry(system)
    vectors = null_space(full)
    basis = _non_negative_basis(full, vectors)
    closed = full.closed()
    by_species: dict[str, ConservedTotal | None] = {}
    for name in dict.fromkeys(s.species for s in system.states if s.species is not None):
        states = [i for i, s in enumerate(system.states) if s.species == name]
        weights = least_species_total(system, closed, states)
        by_species[name] = None if weights is None else ConservedTotal(weights, name)
    return Conservation(basis, by_species, full.open_arrows, full.symbolic_yields, full.size - len(vectors))


def alike(system: System) -> tuple[tuple[int, ...], ...]:
    """States that count alike in the total of a species: those of one species; a general state is alone."""
    groups: dict[str | int, list[int]] = {}
    for i, state in enumerate(system.states):
        groups.setdefault(i if state.species is None else state.species, []).append(i)
    return tuple(tuple(members) for members in groups.values())


def least_species_total(
    system: System, arrows: Stoichiometry, members: Sequence[int]
) -> tuple[tuple[int, Fraction], ...] | None:
    """The same as `least_total`, with one weight for all states of one species."""
    groups = alike(system)
    wanted = [g for g, states in enumerate(groups) if set(states) & set(members)]
    found = least_total(arrows.lumped(groups), wanted)
    if found is None:
        return None
    # Of a species that takes part, a state that no arrow touches stays out unless it was asked for.
    touched = {i for _, column in arrows.columns for i in column} | set(members)
    return tuple(sorted((i, weight) for g, weight in found for i in groups[g] if i in touched))


def null_space(arrows: Stoichiometry) -> list[list[Fraction]]:
    """A basis of all w with w N = 0, exactly; rows in reduced echelon form."""
    if not arrows.columns:
        return [[Fraction(int(i == j)) for j in range(arrows.size)] for i in range(arrows.size)]
    transposed = [
        [QQ(column[i].numerator, column[i].denominator) if i in column else QQ(0) for i in range(arrows.size)]
        for _, column in arrows.columns
    ]
    matrix = DomainMatrix(transposed, (len(transposed), arrows.size), QQ)
    rows = matrix.nullspace().to_Matrix().tolist()
    return [[Fraction(int(x.p), int(x.q)) for x in row] for row in rows]


def is_conserved(weights: Mapping[int, Fraction], arrows: Stoichiometry) -> bool:
    """Whether w N = 0 exactly."""
    return all(change(weights, column) == 0 for _, column in arrows.columns)


def change(weights: Mapping[int, Fraction], column: Column) -> Fraction:
    """What one unit of an arrow's rate adds to a total."""
    return sum((weights.get(i, Fraction(0)) * c for i, c in column.items()), Fraction(0))


def least_total(arrows: Stoichiometry, members: Sequence[int]) -> tuple[tuple[int, Fraction], ...] | None:
    """The smallest non-negative conserved total that counts each of the given states at least once.

    Parameters
    ----------
    arrows : Stoichiometry
    members : sequence of int
        State indices.

    Returns
    -------
    tuple of (int, Fraction), or None
        State index and weight of the states with a weight; None if there is no such total.
    """
    import numpy as np
    from scipy.optimize import linprog

    size = arrows.size
    wanted = set(members)
    result = linprog(
        np.ones(size),
        A_eq=np.array(
            [[float(c.get(i, 0)) for i in range(size)] for _, c in arrows.columns] or np.zeros((1, size))
        ),
        b_eq=np.zeros(max(1, len(arrows.columns))),
        bounds=[(1.0 if i in wanted else 0.0, None) for i in range(size)],
        method="highs-ds",
    )
    if result.status != 0:
        return None
    weights = {i: _snapped(w) for i, w in enumerate(result.x)}
    weights = {i: w for i, w in weights.items() if w}
    if not is_conserved(weights, arrows) or any(weights.get(i, 0) < 1 for i in wanted):
        weights = _repaired(arrows, [i for i, w in enumerate(result.x) if w > 1e-7], members, result.x)
    return tuple(sorted(weights.items())) if weights else None


def _snapped(value: float) -> Fraction:
    return Fraction(float(value)).limit_denominator(_LARGEST_DENOMINATOR)


def _repaired(
    arrows: Stoichiometry, support: list[int], members: Sequence[int], found: Sequence[float]
) -> dict[int, Fraction]:
    """An exact total on the support of a found one whose numbers were not simple fractions."""
    inside = set(support)
    unit = tuple((-1, {i: Fraction(1)}) for i in range(arrows.size) if i not in inside)
    vectors = null_space(Stoichiometry(arrows.size, arrows.columns + unit, (), ()))
    if not vectors:
        return {}
    # Echelon rows: the leading entries are free, so copying them from the found total gives its neighbour.
    total = [Fraction(0)] * arrows.size
    for row in vectors:
        lead = next(
            i for i, x in enumerate(row) if x and all(not other[i] for other in vectors if other is not row)
        )
        total = [t + _snapped(found[lead]) / row[lead] * x for t, x in zip(total, row, strict=True)]
    if min(total) < 0 or any(total[i] <= 0 for i in members):
        return {}
    scale = max([Fraction(1), *(1 / total[i] for i in members)])
    return {i: w * scale for i, w in enumerate(total) if w}


def _non_negative_basis(arrows: Stoichiometry, vectors: list[list[Fraction]]) -> tuple[ConservedTotal, ...]:
    """A basis of the null space, made of non-negative totals as far as there are any."""
    chosen: list[list[Fraction]] = []
    if vectors:
        for i in range(arrows.size):
            if len(chosen) == len(vectors):
                break
            if not any(v[i] for v in vectors):
                continue  # no total at all counts this state
            weights = least_total(arrows, [i])
            if weights is None:
                continue
            row = [dict(weights).get(j, Fraction(0)) for j in range(arrows.size)]
            if _independent([*chosen, row]):
                chosen.append(row)
    for vector in vectors:
        if len(chosen) == len(vectors):
            break
        if _independent([*chosen, vector]):
            chosen.append(vector)
    return tuple(ConservedTotal(_primitive(row)) for row in chosen)


def _independent(rows: list[list[Fraction]]) -> bool:
    matrix = DomainMatrix(
        [[QQ(x.numerator, x.denominator) for x in row] for row in rows], (len(rows), len(rows[0])), QQ
    )
    return int(matrix.rank()) == len(rows)


def _primitive(row: Sequence[Fraction]) -> tuple[tuple[int, Fraction], ...]:
    """The weights as the smallest whole numbers, the first one positive."""
    scale = lcm(*(x.denominator for x in row if x))
    common = gcd(*(int(x * scale) for x in row if x))
    sign = 1 if next(x for x in row if x) > 0 else -1
    return tuple((i, sign * x * scale / common) for i, x in enumerate(row) if x)
