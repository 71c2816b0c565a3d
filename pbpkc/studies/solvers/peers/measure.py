"""Measure one method on one problem; run as a program in the environment of the method.

``python -m pbpkc.studies.solvers.peers.measure MODULE FOLDER OUT OPTIONS`` imports the module, lets its
`build` make the method ready, and writes OUT.json and OUT.npz. OPTIONS is `Plan` as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pbpkc.studies.solvers.peers.problem import Array, Built, Problem, read_problem
from pbpkc.studies.solvers.peers.subjects import observer


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Parameters
    ----------
    sizes : tuple of int
        Numbers of subjects, rising; none if only the time to the first solution is wanted.
    slope_sizes : tuple of int
        The same for the sensitivities.
    budget : float
        Processor seconds that one size may take; a larger one is not tried.
    repeats : int
        Most repetitions of one size, of which the fastest counts.
    checked : int
        Subjects whose curves are kept.
    """

    sizes: tuple[int, ...]
    slope_sizes: tuple[int, ...]
    budget: float
    repeats: int
    checked: int


def measure(build: Callable[[Problem], Built], problem: Problem, plan: Plan) -> tuple[dict[str, Any], Any]:
    """The figures of a method, and the curves of the checked subjects.

    Returns
    -------
    dict
        ``first``, processor seconds until the first subject is solved; ``cells``, a list of subjects, seconds
        and repetitions; ``slope_cells``, the same of the sensitivities, empty where the method has none;
        ``rss``, MB at the most; ``note``.
    dict of str to ndarray
        ``curves`` (E, T, W) and, where there are some, ``sensitivities`` (T, k).
    """
    before = _peak_memory()
    began = _clock()
    built = build(problem)
    built.solve(problem.p[:1])
    clock = built.clock or time.process_time
    first = _clock() - began + (built.clock() if built.clock is not None else 0.0)
    if not plan.sizes:
        return {"first": first}, {}
    cells = _cells(built.solve, problem.p, plan.sizes, plan, clock)
    arrays: dict[str, Array] = {}
    checked = problem.p[: plan.checked]
    found = built.solve(checked)
    arrays["curves"] = observer(problem)(checked, found) if built.gives == "states" else found
    peak = _peak_memory()
    slope_cells: list[tuple[int, float, int]] = []
    if built.sensitivities is not None:
        arrays["sensitivities"] = built.sensitivities(problem.p[:1])[0]
        slope_cells = _cells(built.sensitivities, problem.p, plan.slope_sizes, plan, clock)
    return {
        "first": first,
        "cells": cells,
        "slope_cells": slope_cells,
        "rss": peak,
        "rss_before": before,
        "gives": built.gives,
        "note": built.note,
        "python": platform.python_version(),
    }, arrays


def _cells(
    work: Callable[[Array], Array],
    p: Array,
    sizes: tuple[int, ...],
    plan: Plan,
    clock: Callable[[], float],
) -> list[tuple[int, float, int]]:
    """Subjects, seconds and repetitions; a size is tried if the one before says that it fits the budget."""
    cells: list[tuple[int, float, int]] = []
    for size in sizes:
        if cells and cells[-1][1] * size / cells[-1][0] > plan.budget:
            break
        cells.append((size, *_fastest(partial(work, p[:size]), plan, clock)))
    return cells


def _clock() -> float:
    """Processor time of this process and of compilers that it has waited for, s."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def _fastest(work: Callable[[], object], plan: Plan, clock: Callable[[], float]) -> tuple[float, int]:
    """Processor seconds of the fastest of some repetitions, and how many there were.

    What is over in less than the clock can tell is done several times between two looks at it.
    """
    best, done, spent, inside = np.inf, 0, 0.0, 1
    # Twice at least: the first time something may be compiled for this number of subjects.
    while done < plan.repeats and (done < 2 or spent < plan.budget):
        began = clock()
        for _ in range(inside):
            work()
        took = clock() - began
        spent += took
        best = min(best, took / inside)
        done += 1
        if took < 0.01:
            inside = max(2 * inside, int(inside * 0.02 / max(took, 1e-4)))
    return float(best), done


def _peak_memory() -> float:
    """Most memory that this process has held, MB.

    The kernel's ru_maxrss begins with that of the process it was forked from, so /proc comes first.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    import resource  # not on every system

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


def main() -> None:
    """Measure as the command line says; a failure is written as ``reason``."""
    name, folder, out, options = sys.argv[1:5]
    told = json.loads(options)
    plan = Plan(
        tuple(told["sizes"]), tuple(told["slope_sizes"]), told["budget"], told["repeats"], told["checked"]
    )
    arrays: dict[str, Array] = {}
    try:
        module = importlib.import_module(name)
        figures, arrays = measure(module.build, read_problem(Path(folder)), plan)
    except Exception as error:
        figures = {"reason": f"{type(error).__name__}: {error}"[:400]}
    np.savez(f"{out}.npz", **arrays)  # type: ignore[arg-type]
    Path(f"{out}.json").write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
