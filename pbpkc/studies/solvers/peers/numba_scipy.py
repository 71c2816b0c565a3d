"""SciPy's LSODA with right-hand side and Jacobian compiled by numba."""

from __future__ import annotations

import numba as nb
import numpy as np
from scipy.integrate import odeint

from pbpkc.studies.solvers.peers.jitted import compiled_words
from pbpkc.studies.solvers.peers.problem import Array, Built, Problem
from pbpkc.studies.solvers.peers.subjects import preparation


def build(problem: Problem) -> Built:
    """Ready to solve: one subject after the other, one call of `odeint` between two events."""
    prepare = preparation(problem)
    equations = problem.equations(compiled_words(nb.njit), in_place=True)
    fill_rhs, fill_jacobian = nb.njit(equations.rhs), nb.njit(equations.jacobian)
    size, entries = len(problem.states), len(problem.rows)
    # Transposed, as Fortran holds a matrix.
    place = np.array(problem.columns) * size + np.array(problem.rows)

    @nb.njit
    def rhs(t, y, p, u, c):
        out = np.empty(size)
        fill_rhs(t, y, p, u, c, out)
        return out

    @nb.njit
    def jacobian(t, y, p, u, c):
        values, matrix = np.empty(entries), np.zeros(size * size)
        fill_jacobian(t, y, p, u, c, values)
        matrix[place] = values
        return matrix.reshape(size, size)

    def solve(p: Array) -> Array:
        constants, starts = prepare(p)
        found = np.empty((len(p), len(problem.times), size))
        for i in range(len(p)):
            y, one, c = starts[i], np.ascontiguousarray(p[i]), constants[i]
            for part in problem.stretches:
                run = odeint(
                    rhs, y + part.jump, part.grid, (one, part.u, c), Dfun=jacobian, col_deriv=True,
                    tfirst=True, rtol=problem.rtol, atol=problem.atol, mxstep=100_000,
                )  # fmt: skip
                found[i, part.samples], y = run[1 : 1 + part.times.size], run[-1]
        return found

    return Built(solve)
