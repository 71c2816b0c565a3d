"""LU factors of a sparse matrix, worked out before any number is known.

The order of elimination and the entries that fill in depend on the pattern alone, so the whole factorisation
is a list of operations without a loop or a condition. Pivots are taken from the diagonal in the order of
least fill (Markowitz 1957): the matrices here are I/(h gamma) - J, whose diagonal grows as the step shrinks,
and for flows between compartments it dominates each column at any step size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Entry = tuple[int, int]


@dataclass(frozen=True)
class SymbolicLU:
    """How a matrix of a given pattern is factorised, in place.

    Parameters
    ----------
    size : int
    order : tuple of int
        Pivots in their order.
    entries : tuple of (int, int)
        Entries off the diagonal that the factors hold, fill-in included.
    fill : tuple of (int, int)
        Those that the matrix itself does not have.
    operations : int
        Multiplications of one factorisation.
    """

    size: int
    order: tuple[int, ...]
    entries: tuple[Entry, ...]
    fill: tuple[Entry, ...]
    operations: int

    @property
    def place(self) -> dict[int, int]:
        """When each row is eliminated."""
        return {row: k for k, row in enumerate(self.order)}

    def below(self, pivot: int) -> list[int]:
        """Rows that a pivot is subtracted from, in the order of elimination."""
        place = self.place
        return sorted(
            (i for i, j in self.entries if j == pivot and place[i] > place[pivot]), key=place.__getitem__
        )

    def right(self, pivot: int) -> list[int]:
        """Columns that a pivot's row still has, in the order of elimination."""
        place = self.place
        return sorted(
            (j for i, j in self.entries if i == pivot and place[j] > place[pivot]), key=place.__getitem__
        )


def symbolic_lu(pattern: Sequence[Entry], size: int) -> SymbolicLU:
    """The factorisation of a pattern; the diagonal counts as full.

    Parameters
    ----------
    pattern : sequence of (int, int)
    size : int
        Rows and columns.
    """
    rows: list[set[int]] = [set() for _ in range(size)]
    columns: list[set[int]] = [set() for _ in range(size)]
    for i, j in pattern:
        if i != j:
            rows[i].add(j)
            columns[j].add(i)
    entries = {(i, j) for i, j in pattern if i != j}
    own = set(entries)
    left = set(range(size))
    order: list[int] = []
    operations = 0
    while left:
        pivot = min(left, key=lambda k: (len(rows[k]) * len(columns[k]), len(rows[k]) + len(columns[k]), k))
        order.append(pivot)
        left.remove(pivot)
        operations += len(columns[pivot]) * (1 + len(rows[pivot]))
        for i in columns[pivot]:
            rows[i].discard(pivot)
            for j in rows[pivot]:
                if i != j:
                    rows[i].add(j)
                    columns[j].add(i)
                    entries.add((i, j))
        for j in rows[pivot]:
            columns[j].discard(pivot)
    return SymbolicLU(size, tuple(order), tuple(sorted(entries)), tuple(sorted(entries - own)), operations)
