"""pbpkc's linear kernel: transfer functions on a contour, the watched observables alone, one thread."""

from __future__ import annotations

import numpy as np

from pbpkc.solve.contour import linear_kernel
from pbpkc.solve.passage import initial_states
from pbpkc.solve.schedule import schedule
from pbpkc.solve.timeline import timeline
from pbpkc.studies.solvers.peers.problem import Array, Built, Problem
from pbpkc.studies.solvers.product.spec import compiled_spec


def build(problem: Problem) -> Built:
    """Ready to solve."""
    compiled, regimen = compiled_spec(problem)
    kernel = linear_kernel(compiled)
    segments = timeline(
        regimen, problem.times, compiled.manifest["inputs"], compiled.state_names, p=compiled.parameters()
    )
    plan = schedule([(segments, problem.times)], len(compiled.state_names), len(compiled.manifest["inputs"]))
    watched = list(problem.watched)

    def solve(p: Array) -> Array:
        found = kernel.solve(
            p, initial_states(compiled, p), plan, np.zeros(len(p), dtype=np.int64), problem.rtol, states=False
        )
        assert found.observables is not None
        return found.observables.reshape(len(p), problem.times.size, -1)[:, :, watched]

    return Built(solve, "watched")
