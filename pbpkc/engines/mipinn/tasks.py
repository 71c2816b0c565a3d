"""One parameter vector, or several side by side, with the generated code bound to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Bound:
    """Generated code with parameters of B tasks.

    For one task everything that does not vary in time is a float, which is what makes a solve cheap. So is
    for several what is the same in all of them; the rest are arrays of shape (B, 1), against curves of shape
    (B, Q).

    Parameters
    ----------
    compiled : CompiledModel
    p : array, shape (B, P)
    """

    compiled: CompiledModel
    p: Array
    columns: list[Any]
    c: tuple[Any, ...]
    dc: tuple[Any, ...] | None

    @property
    def count(self) -> int:
        """Number of tasks, B."""
        return len(self.p)

    def only(self, i: int) -> Bound:
        """The same for one of the tasks."""
        return self if self.count == 1 else bound(self.compiled, self.p[i : i + 1], self.dc is not None)

    def entries(self, values: Array) -> list[Any]:
        """The last axis of (B, m) as entries that go beside the parameters."""
        return _entries(values)

    def evaluate(self, quantity: str, t: Any, y: list[Any], u: list[Any]) -> tuple[Any, ...]:
        """A quantity of the generated module, entry by entry: a float, (B, 1) or (B, Q)."""
        values: tuple[Any, ...] = self.compiled.module.columns(
            quantity, t, y, self.columns, u, self.c, self.dc if quantity.endswith("_dp") else None
        )
        return values


def bound(compiled: CompiledModel, p: Array, derivatives: bool) -> Bound:
    """Bind parameters, shape (B, P)."""
    module = compiled.module
    if len(p) == 1:
        one = p[0]
        c = module.prepare(one)
        dc = module.prepare_derivatives(one, c) if derivatives else None
        return Bound(compiled, p, one.tolist(), c, dc)
    c = module.prepare(p)
    dc = module.prepare_derivatives(p, c) if derivatives else None
    return Bound(compiled, p, _entries(p), _tall(c, len(p)), None if dc is None else _tall(dc, len(p)))


def _entries(values: Array) -> list[Any]:
    """The last axis of (B, m): floats where the tasks agree, else (B, 1)."""
    entries: list[Any] = values[0].tolist()
    for k in np.flatnonzero((values != values[0]).any(axis=0)).tolist():
        entries[k] = values[:, k : k + 1]
    return entries


def _tall(values: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """Floats or (B,) as floats where the tasks agree, else (B, 1)."""
    together = np.empty((len(values), count))
    for k, value in enumerate(values):
        together[k] = value
    return tuple(_entries(together.T))


def stacked(values: Sequence[Any], shape: tuple[int, int]) -> Array:
    """Entries that are floats, (B, 1) or (B, Q), as one array, shape (B, len(values), Q)."""
    result = np.empty((shape[0], len(values), shape[1]))
    for k, value in enumerate(values):
        result[:, k] = value
    return result


def constants(values: Sequence[Any], count: int) -> Array:
    """Entries that are floats or (B, 1) as one array, shape (B, len(values))."""
    if count == 1:
        return np.array([values], dtype=float)
    result = np.empty((len(values), count, 1))
    for k, value in enumerate(values):
        result[k] = value
    return result[..., 0].T
