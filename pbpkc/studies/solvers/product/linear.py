"""pbpkc's linear kernel: transfer functions on a contour, the watched observables alone, one thread."""

from __future__ import annotations

from functools import cache

import numpy as np

from pbpkc.solve.contour import LinearKernel, linear_kernel
from pbpkc.solve.passage import initial_slopes, initial_states
from pbpkc.solve.schedule import Schedule
from pbpkc.studies.solvers.peers.problem import Array, Built, Problem
from pbpkc.studies.solvers.product.spec import compiled_spec, planned


def build(problem: Problem) -> Built:
    """Ready to solve."""
    compiled, regimen = compiled_spec(problem)
    kernel = linear_kernel(compiled)
    plan = planned(problem, compiled, regimen)
    columns = tuple(problem.sensitive)
    watched = list(problem.watched)

    def solve(p: Array) -> Array:
        found = kernel.solve(
            p, initial_states(compiled, p), plan, np.zeros(len(p), dtype=np.int64), problem.rtol, states=False
        )
        assert found.observables is not None
        return found.observables.reshape(len(p), problem.times.size, -1)[:, :, watched]

    @cache
    def along() -> tuple[LinearKernel, Schedule]:
        return linear_kernel(compiled, columns), planned(problem, compiled, regimen, columns)

    def sensitivities(p: Array) -> Array:
        with_slopes, doses = along()
        which = np.zeros(len(p), dtype=np.int64)
        found = with_slopes.solve(
            p, initial_states(compiled, p), doses, which, problem.rtol,
            states=False, ds0=initial_slopes(compiled, p, columns),
        )  # fmt: skip
        assert found.d_observables is not None
        watched = found.d_observables[..., problem.watched[0]]
        return watched.reshape(len(p), problem.times.size, len(columns))

    return Built(solve, "watched", sensitivities)
