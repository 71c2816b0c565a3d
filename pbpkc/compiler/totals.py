"""The stoichiometry as exact rational columns, and what makes an arrow open or its yield symbolic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

from pbpkc.compiler.system import System

Column = Mapping[int, Fraction]


@dataclass(frozen=True)
class Stoichiometry:
    """N, arrow by arrow, in exact rational numbers.

    A `split` divides a product by a fraction that is not a number. It counts as two arrows, one for each
    product, since a total must be conserved for every value of the fraction.

    Parameters
    ----------
    size : int
        Number of states.
    columns : tuple of (int, mapping of int to Fraction)
        Rate index, and the change of each state; a split rate occurs more than once.
    open_arrows : tuple of int
        Rates that only bring (from `outside`) or only take (to `outside`), and equations written as `ode`.
    symbolic_yields : tuple of int
        Rates with a yield that is neither a number nor part of a split: they are left out of `columns`.
    """

    size: int
    columns: tuple[tuple[int, Column], ...]
    open_arrows: tuple[int, ...]
    symbolic_yields: tuple[int, ...]

    def closed(self) -> Stoichiometry:
        """The same without the open arrows."""
        left = tuple((r, c) for r, c in self.columns if r not in self.open_arrows)
        return Stoichiometry(self.size, left, self.open_arrows, self.symbolic_yields)

    def lumped(self, groups: Sequence[Sequence[int]]) -> Stoichiometry:
        """The same about groups of states that count alike; what moves within one changes nothing.

        Parameters
        ----------
        groups : sequence of sequence of int
            Every state belongs to exactly one; their positions are the indices of the result.
        """
        home = {i: g for g, members in enumerate(groups) for i in members}
        columns: list[tuple[int, Column]] = []
        for r, column in self.columns:
            sums: dict[int, Fraction] = {}
            for i, c in column.items():
                sums[home[i]] = sums.get(home[i], Fraction(0)) + c
            columns.append((r, {g: c for g, c in sums.items() if c}))
        return Stoichiometry(len(groups), tuple(columns), self.open_arrows, self.symbolic_yields)


def stoichiometry(system: System) -> Stoichiometry:
    """The columns of N as exact rational numbers.

    Parameters
    ----------
    system : System
        Floats in N are taken as the binary fractions they are.
    """
    by_rate: dict[int, dict[int, sp.Expr]] = {r: {} for r in range(len(system.rates))}
    for (i, r), coefficient in sorted(system.N.items()):
        by_rate[r][i] = sp.expand(sp.sympify(coefficient))
    columns: list[tuple[int, Column]] = []
    symbolic: list[int] = []
    for r, entries in by_rate.items():
        parts = _by_monomial(entries)
        changing = [column for monomial, column in parts.items() if monomial != 1]
        if all(_both_signs(column) for column in changing):
            # Each monomial's column must vanish by itself under the weights of a conserved total.
            columns.extend((r, column) for column in parts.values())
        else:
            symbolic.append(r)
    open_arrows = tuple(
        r for r in by_rate if _is_open(system, r, by_rate[r], [c for q, c in columns if q == r])
    )
    return Stoichiometry(len(system.states), tuple(columns), open_arrows, tuple(symbolic))


def _by_monomial(entries: Mapping[int, sp.Expr]) -> dict[sp.Expr, dict[int, Fraction]]:
    parts: dict[sp.Expr, dict[int, Fraction]] = {}
    for i, expr in entries.items():
        for term in sp.Add.make_args(expr):
            number, monomial = term.as_coeff_Mul()
            exact = sp.Rational(number)
            column = parts.setdefault(monomial, {})
            column[i] = column.get(i, Fraction(0)) + Fraction(int(exact.p), int(exact.q))
    kept = {m: {i: c for i, c in column.items() if c} for m, column in parts.items()}
    return {m: column for m, column in kept.items() if column}


def _both_signs(column: Column) -> bool:
    return min(column.values()) < 0 < max(column.values())


def _is_open(system: System, rate: int, entries: Mapping[int, sp.Expr], columns: list[Column]) -> bool:
    if system.rates[rate].kind == "ode":
        return True
    plain = [column for column in columns if column]
    return bool(entries) and bool(plain) and not any(_both_signs(column) for column in plain)
