"""Observables and their derivatives from curves of the few states they read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.tasks import Bound
from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]
Index = NDArray[np.intp]


class Observer:
    """The generated observables, evaluated where only some states are curves.

    Parameters
    ----------
    compiled : CompiledModel
    observables : sequence of int
        Those that are measured.
    columns : array of int, shape (k,)
        Parameters to differentiate by.
    """

    def __init__(self, compiled: CompiledModel, observables: Sequence[int], columns: Index) -> None:
        self.compiled, self.count = compiled, len(columns)
        wanted = np.asarray(observables, dtype=int)
        self.place = np.full(len(compiled.observable_names), -1)
        self.place[wanted] = np.arange(len(wanted))
        self.observables = wanted.tolist()
        rows, cols = compiled.sparsity("d_observe_dy")
        chosen = np.flatnonzero(np.isin(rows, wanted))
        self._by_state = [(int(e), int(self.place[rows[e]]), int(cols[e])) for e in chosen]
        self.states = sorted({col for _, _, col in self._by_state})
        rows, cols = compiled.sparsity("d_observe_dp")
        position = {int(c): k for k, c in enumerate(columns)}
        self._by_parameter = [
            (e, int(self.place[rows[e]]), position[int(cols[e])])
            for e in range(len(rows))
            if int(cols[e]) in position and self.place[rows[e]] >= 0
        ]

    def values(self, bound: Bound, t: Array, y: Array, u: Array) -> tuple[list[Any], list[Any]]:
        """The observables along runs, entry by entry, and the y they were read from.

        Parameters
        ----------
        bound : Bound
            B tasks.
        t : array, shape (T,), h
        y : array, shape (B, T, S)
        u : array, shape (T, K)

        Returns
        -------
        values : list
            Of each observable a float, (B, 1), (T,) or (B, T).
        columns : list
        """
        columns: list[Any] = [0.0] * y.shape[-1]
        for state in self.states:
            columns[state] = y[..., state]
        found = bound.evaluate("observe", t, columns, self._inputs(u))
        return [found[o] for o in self.observables], columns

    def derivatives(self, bound: Bound, t: Array, columns: list[Any], u: Array, dy: Array) -> Array:
        """Derivatives of the observables, shape (B, T, O, k), from those of the states, (B, T, S, k)."""
        inputs = self._inputs(u)
        total = np.zeros((*dy.shape[:2], len(self.observables), self.count))
        found = bound.evaluate("d_observe_dy", t, columns, inputs)
        for entry, place, state in self._by_state:
            slope = found[entry]
            total[:, :, place] += (slope[..., None] if np.ndim(slope) else slope) * dy[:, :, state]
        if self._by_parameter:
            found = bound.evaluate("d_observe_dp", t, columns, inputs)
            for entry, place, k in self._by_parameter:
                total[:, :, place, k] += found[entry]
        return total

    @staticmethod
    def _inputs(u: Array) -> list[Any]:
        return [u[:, k] for k in range(u.shape[1])]
