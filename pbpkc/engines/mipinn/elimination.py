"""Block elimination of a sparse system whose blocks are small and dense, for many systems at once.

The states of a whole-body model hang together like a star: organs read arterial blood and feed venous blood.
States that do not read each other can be eliminated side by side; what is left after a few rounds is a core
of a handful of states. The order is decided once (`plan`), the numbers follow for every parameter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]


#: States that are solved together in the end: the cost of a few dense blocks is below that of a round.
DENSE = 1


@dataclass(frozen=True)
class Round:
    """States that are eliminated together.

    Parameters
    ----------
    states : array of int, shape (l,)
    diagonal : array of int, shape (l,)
        Slots of their diagonal blocks.
    right : array of int, shape (2, a)
        For each coupling of an eliminated equation to a state that stays: place among `states`, slot.
    right_state : array of int, shape (a,)
        The states that stay.
    right_starts : array of int
        Where runs of equal first entries of `right` begin.
    left : array of int, shape (2, b)
        For each equation that reads an eliminated state: place among `states`, slot.
    left_state : array of int, shape (b,)
        Those equations.
    left_starts : array of int
        Where runs of equal `left_state` begin.
    product : array of int, shape (2, c)
        Pairs (place in `left`, place in `right`) whose product is taken from a slot.
    target, target_starts : array of int
        That slot for each run of products, and where the runs begin.
    """

    states: Index
    diagonal: Index
    right: Index
    right_state: Index
    right_starts: Index
    left: Index
    left_state: Index
    left_starts: Index
    product: Index
    target: Index
    target_starts: Index


@dataclass(frozen=True)
class Plan:
    """An order of elimination.

    Parameters
    ----------
    slots : int
        Blocks to be held, those that elimination fills included.
    place : array of int, shape (E,)
        Slot of each coupling.
    rounds : tuple of Round
    core : array of int, shape (c,)
        States that stay.
    core_rows, core_cols, core_slots : array of int
        Blocks of the core: places among `core`, slot.
    """

    slots: int
    place: Index
    rounds: tuple[Round, ...]
    core: Index
    core_rows: Index
    core_cols: Index
    core_slots: Index


def plan(size: int, rows: Index, cols: Index, keep: NDArray[np.bool_]) -> Plan:
    """An order in which states are eliminated, those that read each other never in one round.

    Parameters
    ----------
    size : int
        Number of states.
    rows, cols : array of int, shape (E,)
        Couplings, the diagonal among them.
    keep : array of bool, shape (size,)
        States that have to stay in the core.
    """
    slot = {pair: k for k, pair in enumerate(zip(rows.tolist(), cols.tolist(), strict=True))}
    reads: dict[int, set[int]] = {i: set() for i in range(size)}  # equation -> states
    read_by: dict[int, set[int]] = {i: set() for i in range(size)}
    for i, j in slot:
        if i != j:
            reads[i].add(j)
            read_by[j].add(i)
    left = set(range(size))
    free = {i for i in left if not keep[i]}
    rounds: list[Round] = []
    while free and len(left) > DENSE:
        chosen = _independent(free, reads, read_by, left)
        if not chosen:
            break
        rounds.append(_round(chosen, reads, read_by, slot))
        for state in chosen:
            for i in read_by[state]:
                reads[i].discard(state)
                reads[i] |= reads[state] - {i}
            for j in reads[state]:
                read_by[j].discard(state)
                read_by[j] |= read_by[state] - {j}
        left -= set(chosen)
        free -= set(chosen)
    core = sorted(left)
    where = {state: k for k, state in enumerate(core)}
    blocks = sorted((where[i], where[j], s) for (i, j), s in slot.items() if i in where and j in where)
    table = np.array(blocks, dtype=np.intp).reshape(-1, 3)
    return Plan(
        len(slot), np.arange(len(rows)), tuple(rounds), np.array(core, dtype=np.intp), *table.T.copy()
    )


def _independent(
    free: set[int], reads: dict[int, set[int]], read_by: dict[int, set[int]], left: set[int]
) -> list[int]:
    """States that do not touch each other, those that cause least fill first."""

    def fill(state: int) -> int:
        return len(reads[state]) * len(read_by[state])

    # Near the end every elimination fills the whole core; a dense solve is then cheaper.
    limit = max(4, len(left))
    chosen: list[int] = []
    blocked: set[int] = set()
    for state in sorted(free, key=lambda s: (fill(s), s)):
        if state in blocked or fill(state) > limit:
            continue
        chosen.append(state)
        blocked |= reads[state] | read_by[state]
    return sorted(chosen)


def _round(
    chosen: list[int],
    reads: dict[int, set[int]],
    read_by: dict[int, set[int]],
    slot: dict[tuple[int, int], int],
) -> Round:
    right = [(k, slot[s, j], j) for k, s in enumerate(chosen) for j in sorted(reads[s])]
    leaving = sorted((i, k, slot[i, s]) for k, s in enumerate(chosen) for i in read_by[s])
    products = []
    for b, (i, k, _) in enumerate(leaving):
        for a, (k2, _, j) in enumerate(right):
            if k2 == k:
                products.append((slot.setdefault((i, j), len(slot)), b, a))
    products.sort()
    target, target_starts = np.unique([t for t, _, _ in products], return_index=True)
    rows, row_starts = np.unique([i for i, _, _ in leaving], return_index=True)
    return Round(
        states=np.array(chosen, dtype=np.intp),
        diagonal=np.array([slot[s, s] for s in chosen], dtype=np.intp),
        right=np.array([(k, s) for k, s, _ in right], dtype=np.intp).reshape(-1, 2).T,
        right_state=np.array([j for _, _, j in right], dtype=np.intp),
        right_starts=np.unique([k for k, _, _ in right], return_index=True)[1].astype(np.intp),
        left=np.array([(k, s) for _, k, s in leaving], dtype=np.intp).reshape(-1, 2).T,
        left_state=rows.astype(np.intp),
        left_starts=row_starts.astype(np.intp),
        product=np.array([(b, a) for _, b, a in products], dtype=np.intp).reshape(-1, 2).T,
        target=target.astype(np.intp),
        target_starts=target_starts.astype(np.intp),
    )


@dataclass(frozen=True)
class Eliminated:
    """The rounds carried out: inverses (..., l, K, K) and couplings to what stays (..., a, K, K) of each."""

    plan: Plan
    blocks: Array
    inverses: tuple[Array, ...]
    rights: tuple[Array, ...]

    def reduce(self, b: Array) -> tuple[Array, tuple[Array, ...]]:
        """Carry a right side, shape (..., n, K, m), through the rounds.

        Returns
        -------
        array, shape (..., n, K, m)
            Entries of the core are those of the core's system.
        tuple of array
            What `expand` needs, one (..., l, K, m) a round.
        """
        b = b.copy()
        parts = []
        for step, inverse in zip(self.plan.rounds, self.inverses, strict=True):
            part = inverse @ b[..., step.states, :, :]
            parts.append(part)
            if step.left.shape[1]:
                moved = self.blocks[..., step.left[1], :, :] @ part[..., step.left[0], :, :]
                b[..., step.left_state, :, :] -= np.add.reduceat(moved, step.left_starts, axis=-3)
        return b, tuple(parts)

    def expand(self, x: Array, parts: tuple[Array, ...]) -> Array:
        """Fill in the eliminated states, in place; `x` (..., n, K, m) holds the core's solution."""
        for step, right, part in zip(
            reversed(self.plan.rounds), reversed(self.rights), reversed(parts), strict=True
        ):
            value = part.copy()
            if step.right.shape[1]:
                moved = right @ x[..., step.right_state, :, :]
                starts = step.right_starts
                value[..., step.right[0][starts], :, :] -= np.add.reduceat(moved, starts, axis=-3)
            x[..., step.states, :, :] = value
        return x

    def core(self) -> Array:
        """The matrix of the core, shape (..., c K, c K)."""
        plan, k = self.plan, self.blocks.shape[-1]
        c = len(plan.core)
        dense = np.zeros((*self.blocks.shape[:-3], c, c, k, k))
        dense[..., plan.core_rows, plan.core_cols, :, :] = self.blocks[..., plan.core_slots, :, :]
        return np.moveaxis(dense, -2, -3).reshape(*self.blocks.shape[:-3], c * k, c * k)


def eliminate(plan: Plan, blocks: Array) -> Eliminated:
    """Carry out the rounds on blocks, shape (..., slots, K, K), which are overwritten."""
    inverses: list[Array] = []
    rights: list[Array] = []
    for step in plan.rounds:
        inverse = np.asarray(np.linalg.inv(blocks[..., step.diagonal, :, :]))
        right = inverse[..., step.right[0], :, :] @ blocks[..., step.right[1], :, :]
        if step.product.shape[1]:
            left = blocks[..., step.left[1], :, :]
            moved = left[..., step.product[0], :, :] @ right[..., step.product[1], :, :]
            blocks[..., step.target, :, :] -= np.add.reduceat(moved, step.target_starts, axis=-3)
        inverses.append(inverse)
        rights.append(right)
    return Eliminated(plan, blocks, tuple(inverses), tuple(rights))
