"""pbpkc's reference: SciPy's LSODA on the generated numpy module, one subject after the other."""

from __future__ import annotations

import numpy as np

from pbpkc.solve.options import SolverOptions
from pbpkc.solve.reference import simulate
from pbpkc.solve.sensitivity import simulate_with_sensitivities
from pbpkc.studies.solvers.peers.problem import Array, Built, Problem
from pbpkc.studies.solvers.product.spec import compiled_spec


def build(problem: Problem) -> Built:
    """Ready to solve."""
    compiled, regimen = compiled_spec(problem)
    options = SolverOptions(rtol=problem.rtol, atol=problem.atol)

    def solve(p: Array) -> Array:
        return np.stack([simulate(compiled, one, regimen, problem.times, options).y for one in p])

    def sensitivities(p: Array) -> Array:
        runs = [
            simulate_with_sensitivities(compiled, one, regimen, problem.times, problem.sensitive, options)
            for one in p
        ]
        slopes = [run.d_observables_dp for run in runs]
        return np.array([found[:, problem.watched[0]] for found in slopes if found is not None])

    return Built(solve, "states", sensitivities)
