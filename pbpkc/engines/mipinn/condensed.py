"""Linear equations that the unknowns do not touch, condensed once and used for every estimate.

A search moves a few parameters, and these stand in the equations of a few states. All other equations are
linear blocks that stay as they are from one estimate to the next: their elimination, which is most of the
work of a whole-body model, is kept until one of their numbers changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.elimination import Eliminated, Plan, eliminate, plan

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True)
class Order:
    """What is eliminated when.

    Parameters
    ----------
    outer : Plan
        Of all states; its core are the inner states.
    inner : Plan
        Of the inner states, by their places in ``outer.core``; its core takes part in the iteration.
    kept, moving : array of int
        Couplings of an outer state, and those between inner ones.
    moving_slots : array of int
        Slots of the latter in the inner plan.
    outside : array of int
        The outer states.
    core : array of int
        States of the innermost core.
    """

    outer: Plan
    inner: Plan
    kept: Index
    moving: Index
    moving_slots: Index
    outside: Index
    core: Index


def order(size: int, rows: Index, cols: Index, core: NDArray[np.bool_], touched: NDArray[np.bool_]) -> Order:
    """The order of elimination.

    Parameters
    ----------
    size : int
        Number of states, n.
    rows, cols : array of int, shape (E,)
        Couplings, the diagonal among them.
    core : array of bool, shape (n,)
        States of the iteration.
    touched : array of bool, shape (n,)
        States whose equations may change, or whose coefficients are asked for.
    """
    outer = plan(size, rows, cols, core | touched)
    within = outer.core
    inside = np.zeros(size, dtype=bool)
    inside[within] = True
    inner = plan(len(within), outer.core_rows, outer.core_cols, core[within])
    where = np.full(size, -1)
    where[within] = np.arange(len(within))
    slot = {
        pair: k for k, pair in enumerate(zip(outer.core_rows.tolist(), outer.core_cols.tolist(), strict=True))
    }
    moves = inside[rows] & inside[cols]
    moving = np.flatnonzero(moves)
    slots = [slot[int(where[rows[e]]), int(where[cols[e]])] for e in moving.tolist()]
    return Order(
        outer, inner, np.flatnonzero(~moves), moving, np.array(slots, dtype=np.intp),
        np.flatnonzero(~inside), within[inner.core],
    )  # fmt: skip


@dataclass(frozen=True)
class Outside:
    """The outer states eliminated: what that leaves in the blocks between inner states, (B, slots, K, K)."""

    gone: Eliminated
    left: Array


def eliminate_outside(at: Order, blocks: Array) -> Outside:
    """Eliminate the outer states from blocks (B, E, K, K); those between inner states are ignored."""
    b, _, k, _ = blocks.shape
    every = np.zeros((b, at.outer.slots, k, k))
    every[:, at.kept] = blocks[:, at.kept]
    gone = eliminate(at.outer, every)
    left = np.zeros((b, at.inner.slots, k, k))
    left[:, : len(at.outer.core_slots)] = every[:, at.outer.core_slots]
    return Outside(gone, left)


@dataclass(frozen=True)
class Condensed:
    """A system whose outer and inner states are eliminated."""

    at: Order
    outside: Outside
    inside: Eliminated

    def matrix(self) -> Array:
        """Of the core, shape (B, c K, c K)."""
        return self.inside.core()

    def reduce(self, right: Array) -> tuple[Array, Parts]:
        """Carry a right side (B, n, K, m) to the core: its system's (B, c K, m), and what `expand` needs."""
        at = self.at
        b, _, k, m = right.shape
        if len(at.outside) and np.any(right[:, at.outside]):
            right, outer = self.outside.gone.reduce(right)
        else:
            outer = None
        within, inner = self.inside.reduce(right[:, at.outer.core])
        return within[:, at.inner.core].reshape(b, len(at.core) * k, m), Parts(outer, inner)

    def expand(self, x: Array, parts: Parts, whole: bool) -> Array:
        """All coefficients (B, n, K, m) from those of the core (B, c K, m).

        Without `whole` those of the outer states stay zero.
        """
        at = self.at
        k = self.outside.left.shape[-1]
        b, _, m = x.shape
        within = np.empty((b, len(at.outer.core), k, m))
        within[:, at.inner.core] = x.reshape(b, len(at.core), k, m)
        full = np.zeros((b, len(at.outer.core) + len(at.outside), k, m))
        full[:, at.outer.core] = self.inside.expand(within, parts.inner)
        if whole and len(at.outside):
            outer = parts.outer
            if outer is None:
                outer = tuple(np.zeros((b, len(r.states), k, m)) for r in at.outer.rounds)
            full = self.outside.gone.expand(full, outer)
        return full


@dataclass(frozen=True)
class Parts:
    """Right sides on their way, round by round; `outer` is None where they are zero."""

    outer: tuple[Array, ...] | None
    inner: tuple[Array, ...]


def condense(at: Order, outside: Outside, blocks: Array) -> Condensed:
    """Eliminate the inner states from blocks (B, E, K, K), of which those of outer states are ignored."""
    within = outside.left.copy()
    within[:, at.moving_slots] += blocks[:, at.moving]
    return Condensed(at, outside, eliminate(at.inner, within))
