"""What an inversion costs: the trained model against least squares on exact solves, in one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pbpkc.infer.options import FitOptions
from pbpkc.infer.problem import FitProblem, FitSubject
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.studies.synthetic import Case, fit_one
from pbpkc.studies.truths import Known, exact_of, measured

#: Relative tolerances of the exact solver that are tried: the fastest one that finds the optimum counts.
TOLERANCES = (1e-6, 1e-8, 1e-10)

#: A fit is made so often, and the shortest time of each task counts: other work on the machine only adds.
REPEATS = 2

#: Of ln(dv).
NOISE = 0.05


@dataclass(frozen=True)
class Cost:
    """Time of inversions with three starts.

    Parameters
    ----------
    case : str
    masked : int
    method : str
    rtol : float
        Of the exact solver; for the trained model of the reference solver that has the last word.
    tasks : int
    cpu_ms, search_ms : float
        Medians over tasks: the whole fit with its verdict, and the searches alone.
    evaluations : float
        Median over tasks, of all three searches.
    gap : float
        Largest distance of the objective from the lowest of all methods.
    """

    case: str
    masked: int
    method: str
    rtol: float
    tasks: int
    cpu_ms: float
    search_ms: float
    evaluations: float
    gap: float


@dataclass(frozen=True)
class Costs:
    """The table of one case.

    Parameters
    ----------
    rows : tuple of Cost
    yardstick_ms : float
        Processor time of a million additions in Python while the table was made, the shortest of some: what
        this machine was worth then.
    """

    rows: tuple[Cost, ...]
    yardstick_ms: float


def yardstick() -> float:
    """Processor time of a million additions in Python, ms."""
    began = time.process_time()
    total = 0
    for k in range(1_000_000):
        total += k
    return 1e3 * (time.process_time() - began)


@dataclass(frozen=True)
class Way:
    """A method at a tolerance, and how it sees a problem."""

    method: str
    rtol: float
    make: Callable[[FitProblem], FitProblem]


def cost(
    problem: FitProblem,
    compiled: CompiledModel,
    known: Sequence[Known],
    case: Case,
    ways: Sequence[Way],
    seed: int,
    options: FitOptions,
    heard: Callable[[float], None] | None = None,
) -> Costs:
    """Time the same inversions in several ways.

    Parameters
    ----------
    problem, compiled, known, case, seed, options
        As for a cell of the synthetic study.
    ways : sequence of Way
    heard : callable, optional
        Told which part is done, from 0 to 1.
    """
    spent = np.full((len(ways), len(known), 2), np.inf)
    objective = np.full((len(ways), len(known)), np.inf)
    asked = np.zeros((len(ways), len(known)))
    done = 0
    machine = yardstick()
    for w, way in enumerate(ways):
        subjects = tuple(
            _at(measured(one, compiled, case.noise, NOISE, seed, case.name), way.rtol) for one in known
        )
        ready = way.make(replace(problem, subjects=subjects))
        for t, (one, subject) in enumerate(zip(known, ready.subjects, strict=True)):
            for _ in range(REPEATS):
                found = fit_one(ready, subject, one.person.start.tolist(), options)
                spent[w, t] = np.minimum(spent[w, t], (found.cpu_ms, found.search_ms))
            machine = min(machine, yardstick())
            objective[w, t] = found.fit.subject.objective
            asked[w, t] = sum(s.evaluations for s in found.fit.starts)
            done += 1
            if heard is not None:
                heard(done / (len(ways) * len(known)))
    gap = objective - objective.min(axis=0)
    return Costs(
        tuple(
            Cost(
                case.name, len(problem.parameters), way.method, way.rtol, len(known),
                float(np.median(spent[w, :, 0])), float(np.median(spent[w, :, 1])),
                float(np.median(asked[w])), float(gap[w].max()),
            )
            for w, way in enumerate(ways)
        ),
        machine,
    )  # fmt: skip


def _at(subject: FitSubject, rtol: float) -> FitSubject:
    predictor = exact_of(subject)
    return replace(subject, predictor=replace(predictor, solver=replace(predictor.solver, rtol=rtol)))
