"""Compile the loop of `cvode_driver.c` on the equations of a problem, and call it."""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.studies.solvers.peers.problem import Array, Built, Problem
from pbpkc.studies.solvers.peers.subjects import preparation


def compiled_loop(problem: Problem, dense: bool, libraries: Sequence[str], options: Sequence[str]) -> Built:
    """Ready to solve.

    Parameters
    ----------
    problem : Problem
    dense : bool
        Dense matrices in place of sparse ones.
    libraries, options : sequence of str
        For the linker and the compiler.

    Raises
    ------
    ValueError
        If it cannot be compiled, with the first thing that the compiler says.
    """
    prepare = preparation(problem)
    size = len(problem.states)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "loop.so"
        command = [
            os.environ.get("CC", "cc"), "-O3", "-march=native", "-shared", "-fPIC", "-o", str(target),
            *options, *(["-DDENSE"] if dense else []), f'-DEQUATIONS="{problem.folder / "equations.c"}"',
            str(Path(__file__).with_name("cvode_driver.c")), *libraries, "-lm",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if "error" in line.lower()] or [done.stderr]
            raise ValueError(f"the C compiler says: {said[0][:200]}")
        library = ctypes.CDLL(str(target))
    rows, columns = np.array(problem.rows), np.array(problem.columns)
    order = np.lexsort((rows, columns))
    place = np.empty(len(rows), dtype=np.intc)
    place[order] = np.arange(len(rows))
    if dense:
        place = (columns * size + rows).astype(np.intc)
    pointers = np.searchsorted(columns[order], np.arange(size + 1)).astype(np.intc)
    held_rows = rows[order].astype(np.intc)
    jump = np.ascontiguousarray([part.jump for part in problem.stretches])
    u = np.ascontiguousarray([part.u for part in problem.stretches])
    grids = [part.grid for part in problem.stretches]
    grid = np.concatenate(grids)
    grid_from = np.concatenate(([0], np.cumsum([len(one) for one in grids]))).astype(np.intc)
    taken = np.array([part.times.size for part in problem.stretches], dtype=np.intc)

    def solve(p: Array) -> Array:
        constants, starts = prepare(p)
        p = np.ascontiguousarray(p)
        found = np.full((len(p), len(problem.times), size), np.nan)
        library.solve_all(
            len(p), len(problem.times), _at(p), p.shape[1], _at(constants), constants.shape[1], _at(starts),
            len(grids), _at(jump), _at(u), u.shape[1], _at(grid), _at(grid_from), _at(taken),
            ctypes.c_double(problem.rtol), ctypes.c_double(problem.atol), _at(pointers), _at(held_rows),
            _at(place), _at(found),
        )  # fmt: skip
        return found

    return Built(solve)


def _at(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
