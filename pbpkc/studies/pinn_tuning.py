"""The search behind the defaults of the joint PINN: each choice changed alone, on tasks with known truth.

    python -m pbpkc.studies.pinn_tuning --design theophylline --tasks 2

prints the table of all settings tried. The error of a parameter is against the truth, and beside it stands
that of least squares on the same data; `off by` is the distance from the solver's optimum in standard errors.

The defaults of `PinnOptions` are the base, with 1000 epochs. With ``--epochs 200`` (6 minutes of processor
time, other work on the machine) no single change has more networks that agree with the solver at their own
parameters, and of those with as many none has a lower objective; two tasks tell no finer differences:

    setting               error %  least squares %  off by SE  objective above  converged  CPU s
    base                      5.4             5.72     0.0924           0.0135       2/2    10.3
    weight 30                 8.1             5.72      0.465            0.279       0/2     8.6
    weight 3000              14.1             5.72      0.904             1.29       1/2     7.8
    tighten 2                9.26             5.72      0.435             0.32       2/2     8.8
    weight 30, tighten 3     6.49             5.72     0.0973           0.0135       2/2     7.8
    fixed weight 1e4         6.07             5.72      0.104           0.0113       1/2     8.1
    fixed weight 1e6         22.7             5.72        4.3             28.7       0/2     8.2
    log-time residual        27.5             5.72       3.79             13.3       0/2    10.1
    floor 0.1                6.03             5.72     0.0978           0.0164       2/2    10.4
    floor 1                   6.1             5.72     0.0516          0.00432       1/2    10.2
    width 16                 5.65             5.72      0.242           0.0872       2/2     9.8
    depth 2                  5.97             5.72      0.101           0.0126       1/2     8.5
    32 points                6.68             5.72      0.162           0.0451       2/2     8.8
    rate 3e-3                4.84             5.72      0.179           0.0427       0/2    10.5
    parameter rate 5e-3         6             5.72      0.154           0.0658       2/2    10.5
    parameter rate 5e-2      5.57             5.72      0.108           0.0292       2/2     9.0
    no warm-up               6.48             5.72      0.143           0.0318       2/2     9.4
    Adam alone               61.9             5.72       9.55              350       0/2     6.9
    3 restarts               79.2             5.72       28.9             43.8       0/2     8.9

Adam in the place of L-BFGS stays far from the optimum, and of three networks the one with the smallest loss
was not the one near the truth.
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
    parser = argparse.ArgumentParser(
        prog="python -m pbpkc.studies.pinn_tuning", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--design", choices=list(DESIGNS), default="theophylline")
    parser.add_argument("--tasks", type=int, default=2, help="tasks of each setting [2]")
    parser.add_argument("--seed", type=int, default=1, help="of the tasks [1]")
    parser.add_argument("--epochs", type=int, help=f"of the base, the others in proportion [{BASE.epochs}]")
    parser.add_argument("--only", action="append", choices=list(VARIANTS), help="settings [all]; repeatable")
    chosen = parser.parse_args(arguments)
    settings = {name: VARIANTS[name] for name in chosen.only or VARIANTS}
    if chosen.epochs is not None:
        share = chosen.epochs / BASE.epochs
        settings = {name: replace(s, epochs=round(share * s.epochs)) for name, s in settings.items()}
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
