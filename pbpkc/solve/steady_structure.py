"""Which states a steady state is sought in, and what stays as it was at the start.

What only receives (a sink, an integral that nothing reads) has no steady state and needs none: nothing else
depends on it. What remains can hold totals that no process changes, such as all of a receptor; they make
the equations of a steady state singular and are kept at their value of the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Singular values below this part of the largest are zero: weights of totals are small whole numbers.
_RANK = 1e-10


@dataclass(frozen=True)
class SteadyStructure:
    """What a steady state is sought in.

    Parameters
    ----------
    kept : ndarray of int, shape (R,)
        States that something reads.
    left : ndarray of int
        The others.
    stores : ndarray of int
        Those of `left` that are neither a sink nor a general state: what flows in there never leaves.
    totals : ndarray, shape (Q, R)
        Conserved totals of the kept states, orthonormal rows.
    names : tuple of str
        States that each total counts, in words.
    reads_time : bool
        Whether an equation of a kept state reads the time, so that there is no steady state.
    clocks : frozenset of str
        Species of whose last dose an equation of a kept state reads the time.
    """

    kept: NDArray[np.intp]
    left: NDArray[np.intp]
    stores: NDArray[np.intp]
    totals: Array
    names: tuple[str, ...]
    reads_time: bool
    clocks: frozenset[str]


def steady_structure(manifest: Mapping[str, Any]) -> SteadyStructure:
    """What a steady state of a model is sought in, from its manifest."""
    states = manifest["states"]
    size = len(states)
    readers: list[set[int]] = [set() for _ in range(size)]
    for row, col in zip(manifest["jacobian"]["rows"], manifest["jacobian"]["cols"], strict=True):
        readers[col].add(row)
    left: set[int] = set()
    while True:
        more = {i for i in range(size) if i not in left and not readers[i] - left}
        if not more:
            break
        left |= more
    kept = [i for i in range(size) if i not in left]
    stores = [i for i in sorted(left) if not states[i]["sink"] and states[i]["node"] is not None]
    names = [state["name"] for state in states]
    totals = _totals(manifest, names, kept, sorted(left))
    equations = manifest["depends"]["equations"]
    read = [equations[names[i]] for i in kept]
    clocks = {i["name"]: i["target"] for i in manifest["inputs"] if i["kind"] == "tad"}
    return SteadyStructure(
        np.array(kept, dtype=np.intp), np.array(sorted(left), dtype=np.intp), np.array(stores, dtype=np.intp),
        totals,
        tuple(_words(row, [names[i] for i in kept]) for row in totals),
        any(one["time"] for one in read),
        frozenset(clocks[name] for one in read for name in one["inputs"] if name in clocks),
    )  # fmt: skip


def _totals(manifest: Mapping[str, Any], names: list[str], kept: list[int], left: list[int]) -> Array:
    """Orthonormal rows of what is conserved within the kept states."""
    place = {name: i for i, name in enumerate(names)}
    rows = [entry["weights"] for entry in manifest["conserved"] if entry["species"] is None]
    basis = np.zeros((len(rows), len(names)))
    for row, weights in zip(basis, rows, strict=True):
        for name, weight in weights.items():
            row[place[name]] = float(Fraction(str(weight)))
    if not basis.size:
        return np.zeros((0, len(kept)))
    # Combinations of totals in which no state counts that is left out.
    _, sizes, turned = np.linalg.svd(basis[:, left].T, full_matrices=True)
    rank = int(np.sum(sizes > _RANK * max(1.0, sizes.max(initial=0.0))))
    inside = turned[rank:] @ basis[:, kept]
    _, sizes, rows_of = np.linalg.svd(inside, full_matrices=False)
    return np.asarray(rows_of[sizes > _RANK * max(1.0, sizes.max(initial=0.0))])


def _words(row: Array, names: list[str]) -> str:
    return " + ".join(name for name, weight in zip(names, row.tolist(), strict=True) if abs(weight) > _RANK)
