"""scikit-sundae: CVODE of SUNDIALS, with right-hand side and Jacobian compiled by numba."""

from __future__ import annotations

import numba as nb
import numpy as np
from sksundae.cvode import CVODE

from pbpkc.studies.solvers.peers.jitted import compiled_words
from pbpkc.studies.solvers.peers.problem import Array, Built, Problem
from pbpkc.studies.solvers.peers.subjects import preparation

#: From so many states on the sparse solver (SuperLU) is the faster one.
_SPARSE_FROM = 60


def build(problem: Problem) -> Built:
    """Ready to solve: one solver for all, one start of it between two events."""
    prepare = preparation(problem)
    equations = problem.equations(compiled_words(nb.njit), in_place=True)
    fill_rhs, fill_jacobian = nb.njit(equations.rhs), nb.njit(equations.jacobian)
    size, entries = len(problem.states), len(problem.rows)
    rows, columns = np.array(problem.rows), np.array(problem.columns)
    sparse = size >= _SPARSE_FROM
    order = np.lexsort((rows, columns))  # by columns

    @nb.njit
    def fill_matrix(t, y, p, u, c, matrix):
        values = np.empty(entries)
        fill_jacobian(t, y, p, u, c, values)
        for k in range(entries):
            matrix[rows[k], columns[k]] = values[k]

    @nb.njit
    def fill_values(t, y, p, u, c, out):
        values = np.empty(entries)
        fill_jacobian(t, y, p, u, c, values)
        for k in range(entries):
            out[k] = values[order[k]]

    fill = fill_values if sparse else fill_matrix
    one, u, c = np.zeros(len(problem.parameters)), np.zeros(len(problem.inputs)), np.zeros(problem.constants)

    def rhs(t: float, y: Array, out: Array) -> None:
        fill_rhs(t, y, one, u, c, out)

    def jacobian(t: float, y: Array, dy: Array, out: Array) -> None:
        fill(t, y, one, u, c, out)

    pattern = np.zeros((size, size))
    pattern[rows, columns] = 1.0
    solver = CVODE(
        rhs, rtol=problem.rtol, atol=problem.atol, jacfn=jacobian, max_num_steps=100_000,
        linsolver="sparse" if sparse else "dense", **({"sparsity": pattern} if sparse else {}),
    )  # fmt: skip

    def solve(p: Array) -> Array:
        constants, starts = prepare(p)
        found = np.empty((len(p), len(problem.times), size))
        for i in range(len(p)):
            one[:], c[:], y = p[i], constants[i], starts[i]
            for part in problem.stretches:
                u[:] = part.u
                # A grid of two times would bring every step back.
                run = solver.solve(part.grid, y + part.jump).y
                found[i, part.samples], y = run[1 : 1 + part.times.size], run[-1]
        return found

    return Built(solve)
