"""pbpkc's linear kernel: transfer functions on a contour, the watched observables alone, one thread."""

from __future__ import annotations

from functools import cache

import numpy as np

from pbpkc.solve.contour import LinearKernel, linear_kernel
from pbpkc.solve.passage import initial_states
from pbpkc.solve.schedule import Schedule, schedule
from pbpkc.solve.timeline import timeline
from pbpkc.studies.solvers.peers.problem import Array, Built, Problem
from pbpkc.studies.solvers.product.spec import compiled_spec


def build(problem: Problem) -> Built:
    """Ready to solve."""
    compiled, regimen = compiled_spec(problem)
    kernel = linear_kernel(compiled)
    inputs, names = compiled.manifest["inputs"], compiled.state_names

    def planned(columns: tuple[int, ...] = ()) -> Schedule:
        along = regimen.by([compiled.parameter_names[column] for column in columns])
        segments = timeline(along, problem.times, inputs, names, p=compiled.parameters())
        return schedule([(segments, problem.times)], len(names), len(inputs), len(columns))

    plan, columns, nobody = planned(), tuple(problem.sensitive), np.zeros(1, dtype=np.int64)
    watched = list(problem.watched)

    def solve(p: Array) -> Array:
        found = kernel.solve(
            p, initial_states(compiled, p), plan, np.zeros(len(p), dtype=np.int64), problem.rtol, states=False
        )
        assert found.observables is not None
        return found.observables.reshape(len(p), problem.times.size, -1)[:, :, watched]

    @cache
    def along() -> tuple[LinearKernel, Schedule]:
        return linear_kernel(compiled, columns), planned(columns)

    def sensitivities(p: Array) -> Array:
        with_slopes, doses = along()
        ds0 = np.zeros((1, len(columns), len(names)))
        if compiled.manifest["d_initial_dp"]["rows"]:
            ds0[0] = compiled.d_initial_dp_dense(p, list(columns)).T
        found = with_slopes.solve(
            p[None], initial_states(compiled, p[None]), doses, nobody, problem.rtol, states=False, ds0=ds0
        )
        assert found.d_observables is not None
        return found.d_observables[:, :, problem.watched[0]]

    return Built(solve, "watched", sensitivities)
