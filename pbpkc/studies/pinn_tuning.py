"""The search behind the defaults of the joint PINN: each choice changed alone, on tasks with known truth.

    python -m pbpkc.studies.pinn_tuning --design theophylline --tasks 2

prints the table of all settings tried. The error of a parameter is against the truth, and beside it stands
that of least squares on the same data; `over` is the error against the solver's optimum in standard errors.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.pinn.options import PinnOptions
from pbpkc.engines.pinn.search import Pinn
from pbpkc.infer.fit import fit
from pbpkc.infer.options import FitOptions
from pbpkc.resources import resource
from pbpkc.studies.tasks import Design, Task, tasks

Array = NDArray[np.float64]

#: One dose by mouth; every parameter is determined.
DESIGNS = {
    "theophylline": Design(
        resource("specs", "theophylline_oral.pbpk"),
        "single",
        ("Cp",),
        (0.25, 0.5, 1, 2, 3.5, 5, 7, 9, 12, 24),
        ("ka", "cl", "v"),
        {"s": 0.3e-6},  # 0.3 mg/L in kg/L
    ),
    "paracetamol": Design(
        resource("specs", "paracetamol.pbpk"),
        "po_1g",
        ("Cp",),
        (0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8),
        ("vmax_ugt",),
        {"s_p": 0.05, "s_g": 0.05},
    ),
}

#: What the others change one choice of: a run that is short enough to try many.
BASE = PinnOptions(epochs=400, refine=3.0)

VARIANTS: dict[str, PinnOptions] = {
    "base": BASE,
    "weight 30": replace(BASE, weight=30.0),
    "weight 3000": replace(BASE, weight=3000.0),
    "tighten 2": replace(BASE, tighten=2.0),
    "weight 30, tighten 3": replace(BASE, weight=30.0, tighten=3.0),
    "fixed weight 1e4": replace(BASE, weighting="fixed", weight=1e4),
    "fixed weight 1e6": replace(BASE, weighting="fixed", weight=1e6),
    "log-time residual": replace(BASE, residual="log-time"),
    "floor 0.1": replace(BASE, floor=0.1),
    "floor 1": replace(BASE, floor=1.0),
    "width 16": replace(BASE, width=16),
    "depth 2": replace(BASE, depth=2),
    "32 points": replace(BASE, points=32),
    "rate 3e-3": replace(BASE, rate=3e-3),
    "parameter rate 5e-3": replace(BASE, parameter_rate=5e-3),
    "parameter rate 5e-2": replace(BASE, parameter_rate=5e-2),
    "no warm-up": replace(BASE, warm_up=0.0),
    "Adam alone": replace(BASE, epochs=1600, refine=0.0),
    "3 restarts": replace(BASE, restarts=3),
}


@dataclass(frozen=True)
class Row:
    """One setting over all tasks.

    Parameters
    ----------
    setting : str
    error, reference : float
        Median over tasks of the largest relative error of a parameter, of the network and of least squares.
    over : float
        Median over tasks of the largest distance from the optimum of least squares, in standard errors.
    excess : float
        Median objective above that optimum.
    converged : int
        Networks that agree with the solver at their own parameters, near its optimum.
    seconds : float
        Median CPU time of a fit.
    """

    setting: str
    error: float
    reference: float
    over: float
    excess: float
    converged: int
    seconds: float


def compare(given: Sequence[Task], settings: dict[str, PinnOptions]) -> Iterator[Row]:
    """A row for each setting, as soon as it is known."""
    options = FitOptions(starts=1)
    best = [fit(task.problem, options).fits[0] for task in given]
    reference = [_error(np.array(b.theta), task.truth) for b, task in zip(best, given, strict=True)]
    for name, setting in settings.items():
        errors, over, excess, seconds = (np.full(len(given), np.inf) for _ in range(4))
        converged = 0
        for i, (task, optimum) in enumerate(zip(given, best, strict=True)):
            began = time.process_time()
            found = fit(replace(task.problem, search=Pinn(setting)), options).fits[0]
            seconds[i] = time.process_time() - began
            if found.outcome == "failed":
                continue
            converged += found.outcome == "converged"
            theta, there = np.array(found.theta), np.array(optimum.theta)
            errors[i] = _error(theta, task.truth)
            spread = np.sqrt(np.diag(np.array(optimum.covariance)))
            over[i] = np.max(np.abs(np.log(theta / there)) / spread)
            excess[i] = found.subject.objective - optimum.subject.objective
        yield Row(
            setting=name,
            error=float(np.median(errors)),
            reference=float(np.median(reference)),
            over=float(np.median(over)),
            excess=float(np.median(excess)),
            converged=converged,
            seconds=float(np.median(seconds)),
        )


def _error(theta: Array, truth: Array) -> float:
    return float(np.max(np.abs(theta / truth - 1.0)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table of a design."""
    parser = argparse.ArgumentParser(prog="python -m pbpkc.studies.pinn_tuning", description=__doc__)
    parser.add_argument("--design", choices=list(DESIGNS), default="theophylline")
    parser.add_argument("--tasks", type=int, default=2, help="tasks of each setting [2]")
    parser.add_argument("--seed", type=int, default=1, help="of the tasks [1]")
    parser.add_argument("--epochs", type=int, help="in place of each setting's own")
    parser.add_argument("--only", action="append", choices=list(VARIANTS), help="settings [all]; repeatable")
    chosen = parser.parse_args(arguments)
    settings = {name: VARIANTS[name] for name in chosen.only or VARIANTS}
    if chosen.epochs is not None:
        settings = {name: replace(s, epochs=chosen.epochs) for name, s in settings.items()}
    given = tasks(DESIGNS[chosen.design], chosen.tasks, chosen.seed)
    print(
        f"{chosen.design}: {chosen.tasks} tasks, seed {chosen.seed}; relative errors of the worst parameter"
    )
    print("setting               error %  least squares %  off by SE  objective above  converged  CPU s")
    for row in compare(given, settings):
        print(
            f"{row.setting:20s} {100 * row.error:8.3g} {100 * row.reference:16.3g} {row.over:10.3g} "
            f"{row.excess:16.3g} {row.converged:7d}/{len(given)} {row.seconds:7.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
