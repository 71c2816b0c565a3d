"""numbalsoda: LSODA in C++, with the equations and the whole loop over subjects compiled by numba."""

from __future__ import annotations

import numba as nb
import numpy as np

from pbpkc.studies.solvers.peers.jitted import compiled_words
from pbpkc.studies.solvers.peers.problem import Array, Built, Problem
from pbpkc.studies.solvers.peers.subjects import preparation

try:
    from numbalsoda import lsoda, lsoda_sig
except ImportError:  # where its Fortran part could not be compiled
    from numbalsoda_lsoda import lsoda, lsoda_sig


def build(problem: Problem) -> Built:
    """Ready to solve."""
    prepare = preparation(problem)
    rhs = nb.njit(problem.equations(compiled_words(nb.njit), in_place=True).rhs)
    size, wide, inputs, held = (
        len(problem.states), len(problem.parameters), len(problem.inputs), problem.constants,
    )  # fmt: skip

    @nb.cfunc(lsoda_sig)
    def derivative(t, y_, dy_, data_):
        data = nb.carray(data_, (wide + inputs + held,))
        rhs(
            t, nb.carray(y_, (size,)), data[:wide], data[wide : wide + inputs], data[wide + inputs :],
            nb.carray(dy_, (size,)),
        )  # fmt: skip

    address = derivative.address
    rtol, atol = problem.rtol, problem.atol
    grids = nb.typed.List([part.grid for part in problem.stretches])
    places = np.array([(part.samples.start, part.samples.stop) for part in problem.stretches])
    jumps = np.array([part.jump for part in problem.stretches])
    us = np.array([part.u for part in problem.stretches])
    length = len(problem.times)

    @nb.njit
    def loop(p, constants, starts, grids):
        found = np.empty((p.shape[0], length, size))
        data = np.empty(wide + inputs + held)
        for i in range(p.shape[0]):
            data[:wide], data[wide + inputs :] = p[i], constants[i]
            y = starts[i].copy()
            for g in range(len(grids)):
                data[wide : wide + inputs] = us[g]
                y += jumps[g]
                run, good = lsoda(address, y, grids[g], data, rtol, atol, 100000)
                if not good:
                    run[:] = np.nan
                first, last = places[g]
                found[i, first:last] = run[1 : 1 + last - first]
                y = run[-1].copy()
        return found

    def solve(p: Array) -> Array:
        constants, starts = prepare(p)
        return loop(np.ascontiguousarray(p), constants, starts, grids)  # type: ignore[no-any-return]

    return Built(solve)
