"""What depends on the parameters alone, for all subjects at once: as cheap as numpy makes it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pbpkc.studies.solvers.peers.problem import Array, Problem
from pbpkc.studies.solvers.peers.words import ARRAYS


def preparation(problem: Problem) -> Callable[[Array], tuple[Array, Array]]:
    """A function from p (N, P) to the constants (N, C) and the initial states (N, S)."""
    equations = problem.equations(ARRAYS)

    def prepare(p: Array) -> tuple[Array, Array]:
        columns = list(p.T)
        constants = equations.prepare(columns)
        start = equations.initial(columns, constants)
        return _stacked(constants, len(p)), _stacked(start, len(p))

    return prepare


def observer(problem: Problem) -> Callable[[Array, Array], Array]:
    """A function from p (N, P) and states (N, T, S) to the watched observables (N, T, W)."""
    equations = problem.equations(ARRAYS)
    inputs = np.zeros((len(problem.times), len(problem.inputs)))
    for one in problem.stretches:
        inputs[one.samples] = one.u

    def observe(p: Array, y: Array) -> Array:
        columns = [column[:, None] for column in p.T]
        constants = equations.prepare(columns)
        # A state a column: the last axis of y first.
        found = equations.observe(
            problem.times, list(np.moveaxis(y, 2, 0)), columns, list(inputs.T), constants
        )
        shape = y.shape[:2]
        return np.stack([np.broadcast_to(found[k], shape) for k in problem.watched], axis=2)

    return observe


def _stacked(columns: tuple[Array | float, ...], n: int) -> Array:
    filled = [np.broadcast_to(np.asarray(column, dtype=float), (n,)) for column in columns]
    return np.ascontiguousarray(np.stack(filled, axis=1)) if filled else np.zeros((n, 0))
