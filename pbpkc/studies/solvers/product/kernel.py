"""pbpkc's nonlinear kernel: Rodas5P in C, subjects in lanes, one thread."""

from __future__ import annotations

from functools import cache

import numpy as np

from pbpkc.solve.kernel import Kernel, rosenbrock_kernel
from pbpkc.solve.passage import initial_states
from pbpkc.solve.schedule import Schedule, schedule
from pbpkc.solve.timeline import timeline
from pbpkc.studies.solvers.peers.problem import Array, Built, Problem
from pbpkc.studies.solvers.product.spec import compiled_spec


def build(problem: Problem) -> Built:
    """Ready to solve."""
    compiled, regimen = compiled_spec(problem)
    kernel = rosenbrock_kernel(compiled.generated)
    inputs = compiled.manifest["inputs"]
    times = problem.times
    atol = np.broadcast_to(np.asarray(problem.atol, dtype=float), (kernel.states,))[None].copy()

    def planned(p: Array, columns: tuple[int, ...] = ()) -> Schedule:
        names = [compiled.parameter_names[column] for column in columns]
        segments = timeline(regimen.by(names), times, inputs, compiled.state_names, p=p)
        return schedule([(segments, times)], kernel.states, kernel.inputs, len(columns))

    plan = planned(compiled.parameters())

    def solve(p: Array) -> Array:
        which = np.zeros(len(p), dtype=np.int64)
        found = kernel.solve(
            p, initial_states(compiled, p), plan, which, problem.rtol, atol, 20_000, observables=False
        )
        assert found.states is not None
        return found.states.reshape(len(p), times.size, kernel.states)

    columns = tuple(problem.sensitive)
    nobody = np.zeros(1, dtype=np.int64)

    @cache
    def along() -> tuple[Kernel, Schedule]:
        return rosenbrock_kernel(compiled.generated, columns), planned(compiled.parameters(), columns)

    def sensitivities(p: Array) -> Array:
        with_slopes, doses = along()
        ds0 = np.zeros((1, len(columns), kernel.states))
        if compiled.manifest["d_initial_dp"]["rows"]:
            ds0[0] = compiled.d_initial_dp_dense(p, list(columns)).T
        found = with_slopes.solve(
            p[None], initial_states(compiled, p[None]), doses, nobody, problem.rtol, atol, 20_000,
            states=False, ds0=ds0,
        )  # fmt: skip
        assert found.d_observables is not None
        return found.d_observables[:, :, problem.watched[0]]

    return Built(solve, "states", sensitivities)
