"""SciPy's LSODA with the analytic Jacobian, both as plain Python functions."""

from __future__ import annotations

import numpy as np
from scipy.integrate import odeint

from pbpkc.studies.solvers.peers.problem import Array, Built, Problem
from pbpkc.studies.solvers.peers.subjects import preparation
from pbpkc.studies.solvers.peers.words import FLOATS


def build(problem: Problem) -> Built:
    """Ready to solve: one subject after the other, one call of `odeint` between two events."""
    equations, prepare = problem.equations(FLOATS), preparation(problem)
    size = len(problem.states)
    rows, columns = np.array(problem.rows), np.array(problem.columns)

    def solve(p: Array) -> Array:
        constants, starts = prepare(p)
        found = np.empty((len(p), len(problem.times), size))
        for i, (one, c) in enumerate(zip(p.tolist(), constants.tolist(), strict=True)):
            y = starts[i]
            for part in problem.stretches:
                u = part.u.tolist()

                def rhs(t: float, y: Array, one=one, u=u, c=c) -> tuple[float, ...]:
                    return equations.rhs(t, y.tolist(), one, u, c)  # type: ignore[no-any-return]

                def jacobian(t: float, y: Array, one=one, u=u, c=c) -> Array:
                    matrix = np.zeros((size, size))
                    matrix[rows, columns] = equations.jacobian(t, y.tolist(), one, u, c)
                    return matrix

                run = odeint(
                    rhs, y + part.jump, part.grid, Dfun=jacobian, tfirst=True, rtol=problem.rtol,
                    atol=problem.atol, mxstep=100_000,
                )  # fmt: skip
                found[i, part.samples], y = run[1 : 1 + part.times.size], run[-1]
        return found

    return Built(solve)
