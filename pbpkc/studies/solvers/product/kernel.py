"""pbpkc's nonlinear kernel: Rodas5P in C, subjects in lanes, one thread."""

from __future__ import annotations

from functools import cache

import numpy as np

from pbpkc.solve.kernel import Kernel, rosenbrock_kernel
from pbpkc.solve.passage import initial_slopes, initial_states
from pbpkc.solve.schedule import Schedule
from pbpkc.studies.solvers.peers.problem import Array, Built, Problem
from pbpkc.studies.solvers.product.spec import compiled_spec, planned


def build(problem: Problem) -> Built:
    """Ready to solve."""
    compiled, regimen = compiled_spec(problem)
    kernel = rosenbrock_kernel(compiled.generated)
    atol = np.broadcast_to(np.asarray(problem.atol, dtype=float), (kernel.states,))[None].copy()

    plan = planned(problem, compiled, regimen)

    def solve(p: Array) -> Array:
        which = np.zeros(len(p), dtype=np.int64)
        found = kernel.solve(
            p, initial_states(compiled, p), plan, which, problem.rtol, atol, 20_000, observables=False
        )
        assert found.states is not None
        return found.states.reshape(len(p), problem.times.size, kernel.states)

    columns = tuple(problem.sensitive)

    @cache
    def along() -> tuple[Kernel, Schedule]:
        return rosenbrock_kernel(compiled.generated, columns), planned(problem, compiled, regimen, columns)

    def sensitivities(p: Array) -> Array:
        with_slopes, doses = along()
        which = np.zeros(len(p), dtype=np.int64)
        found = with_slopes.solve(
            p, initial_states(compiled, p), doses, which, problem.rtol, atol, 20_000,
            states=False, ds0=initial_slopes(compiled, p, columns),
        )  # fmt: skip
        assert found.d_observables is not None
        watched = found.d_observables[..., problem.watched[0]]
        return watched.reshape(len(p), problem.times.size, len(columns))

    return Built(solve, "states", sensitivities)
