"""What of a model a head has to solve, and how its equations hang together.

Only states that an observable depends on matter. Of these, an equation that is linear with coefficients
constant in time needs no quadrature, and a state that only such equations read can be eliminated before any
iteration. All of this is read from the manifest and from trial evaluations of the generated code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True)
class Structure:
    """States and couplings that a head solves. Indices below are among `states`, but for `states` itself.

    Parameters
    ----------
    states : array of int, shape (n,)
        Indices in y, increasing.
    rows, cols : array of int, shape (E,)
        Couplings: equation `rows` reads state `cols`. The diagonal is always there.
    entries : array of int, shape (E,)
        Position of each coupling among the generated Jacobian's values, -1 for a diagonal that is none.
    curved : array of bool, shape (n,)
        Equations that need quadrature: not linear, or with coefficients that change in time.
    steering : array of bool, shape (n,)
        States that a curved equation reads: they need values at the quadrature points.
    """

    states: Index
    rows: Index
    cols: Index
    entries: Index
    curved: NDArray[np.bool_]
    steering: NDArray[np.bool_]

    @property
    def size(self) -> int:
        """Number of states, n."""
        return len(self.states)

    @property
    def core(self) -> NDArray[np.bool_]:
        """States that take part in the iteration: curved equations and what they read, shape (n,)."""
        return self.curved | self.steering


def needed_states(compiled: CompiledModel, observables: Sequence[int]) -> Index:
    """States that the observables depend on, directly or through equations."""
    rows, cols = compiled.sparsity("jacobian")
    seen, read = compiled.sparsity("d_observe_dy")
    wanted = set(read[np.isin(seen, np.asarray(observables, dtype=int))].tolist())
    todo = list(wanted)
    while todo:
        row = todo.pop()
        for col in cols[rows == row].tolist():
            if col not in wanted:
                wanted.add(col)
                todo.append(col)
    return np.array(sorted(wanted), dtype=np.intp)


def structure(compiled: CompiledModel, states: Index) -> Structure:
    """The couplings among some states, which are closed under what their equations read.

    Parameters
    ----------
    compiled : CompiledModel
    states : array of int
        As `needed_states` gives them, or all.
    """
    rows, cols = compiled.sparsity("jacobian")
    place = np.full(len(compiled.state_names), -1)
    place[states] = np.arange(len(states))
    inside = np.flatnonzero(place[rows] >= 0)
    pairs = {(int(place[rows[e]]), int(place[cols[e]])): int(e) for e in inside}
    for i in range(len(states)):
        pairs.setdefault((i, i), -1)
    keys = sorted(pairs)
    r = np.array([i for i, _ in keys], dtype=np.intp)
    c = np.array([j for _, j in keys], dtype=np.intp)
    linear = np.isin(states, np.array(compiled.manifest["linear"]["states"], dtype=int))
    curved = ~linear
    steering = np.zeros(len(states), dtype=bool)
    # A curved equation may still read most states with constant coefficients: the liver's arteries, say.
    steering[c[curved[r] & _varies(compiled, np.array([pairs[k] for k in keys]))]] = True
    return Structure(states, r, c, np.array([pairs[k] for k in keys], dtype=np.intp), curved, steering)


def _varies(compiled: CompiledModel, entries: Index) -> NDArray[np.bool_]:
    """Which values of the Jacobian change with states, inputs or time, seen at trial points."""
    generator = np.random.default_rng(0)
    p = compiled.parameters()
    count = 7
    y = 10.0 ** generator.uniform(-3.0, 3.0, (count, len(compiled.state_names)))
    u = 10.0 ** generator.uniform(-1.0, 2.0, (count, len(compiled.input_names)))
    t = 10.0 ** generator.uniform(-1.0, 2.0, count)
    values = compiled.jacobian(t, y, p, u)
    varies = ~np.all((values == values[:1]) | np.isnan(values), axis=0)
    return np.where(entries >= 0, varies[entries], False)
