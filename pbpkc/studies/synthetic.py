"""The synthetic study: one, three and five unknowns, oral and intravenous, three levels of noise."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pbpkc.infer.objective import Objective
from pbpkc.infer.options import FitOptions
from pbpkc.infer.problem import FitProblem, FitSubject
from pbpkc.infer.result import SubjectFit
from pbpkc.infer.search import Heard, Search, Searched
from pbpkc.infer.subject import fit_subject
from pbpkc.infer.transform import ParameterSpace
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.studies.scores import Cell, Score
from pbpkc.studies.truths import NOISELESS_SD, Known, bounds, measured

#: Standard deviations of ln(dv).
NOISES = (0.0, 0.05, 0.10)


@dataclass(frozen=True)
class Case:
    """What is unknown and what is measured.

    Parameters
    ----------
    name, scenario : str
    mask, unmask : tuple of str
        As the command line has them: what makes exactly the unknowns unknown.
    times : tuple of float, h
    observables, noise : tuple of str
        What is measured, and the parameters that are its relative errors.
    noises : tuple of float
        Standard deviations of ln(dv) that are tried.
    why_apart : str
        Why no limit is set for this case; empty for those that limits are for.
    """

    name: str
    scenario: str
    mask: tuple[str, ...]
    unmask: tuple[str, ...]
    times: tuple[float, ...]
    observables: tuple[str, ...]
    noise: tuple[str, ...]
    noises: tuple[float, ...] = NOISES
    why_apart: str = ""


_ORAL = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 12.0)
_INTRAVENOUS = (0.1, 0.25, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0, 6.0, 9.0, 12.0)
_ERRORS = ("s_p = 5 [%]", "s_g = 5 [%]")
_MUSCLE = "APAP.kp.muscle in (0.1, 10) scale log"
_ADIPOSE = "APAP.kp.adipose in (0.1, 10) scale log"
_RENAL = ("clr_glu in (1, 100) [L/h] scale log", "clr_sul in (1, 100) [L/h] scale log")
_PLASMA = (("Cp",), ("s_p",))
_SULFATE = (("Cp", "Cs"), ("s_p", "s_g"))
_BOTH = (("Cp", "Cg", "Cs"), ("s_p", "s_g"))

#: Of specs/paracetamol.pbpk. Twelve samples until 12 h. The third unknown is absorption by mouth; by vein,
#: where there is none, a second pathway, which plasma alone does not tell from the first: its product is
#: measured too.
CASES = (
    Case("oral, 1 unknown", "po_1g", (), (*_ERRORS, "vmax_sult", "ka"), _ORAL, *_PLASMA),
    Case("oral, 3 unknown", "po_1g", (_MUSCLE,), (*_ERRORS, "vmax_sult"), _ORAL, *_PLASMA),
    Case("oral, 5 unknown", "po_1g", (_MUSCLE, *_RENAL), (*_ERRORS, "vmax_sult"), _ORAL, *_BOTH),
    Case("IV, 1 unknown", "iv_1g", (), (*_ERRORS, "vmax_sult", "ka"), _INTRAVENOUS, *_PLASMA),
    Case("IV, 3 unknown", "iv_1g", (_MUSCLE,), (*_ERRORS, "ka"), _INTRAVENOUS, *_SULFATE),
    Case("IV, 5 unknown", "iv_1g", (_MUSCLE, *_RENAL), (*_ERRORS, "ka"), _INTRAVENOUS, *_BOTH),
    Case(
        "IV, two tissues",
        "iv_1g",
        (_MUSCLE, _ADIPOSE),
        (*_ERRORS, "vmax_sult", "ka"),
        _INTRAVENOUS,
        *_PLASMA,
        noises=(0.05,),
        why_apart="Muscle and adipose tissue fill and empty alike: plasma hardly tells which of them holds "
        "more, "
        "and the likelihood has two optima, one near the truth with the tissues exchanged. Bounds and "
        "intervals "
        "by standard errors know one optimum only. No method is at fault, and none can help.",
    ),
)


@dataclass(frozen=True)
class Timed:
    """A search that says how much of the processor's time it took, in ms."""

    search: Search
    spent: list[float] = field(default_factory=list, compare=False)

    @property
    def name(self) -> str:
        """Of the search."""
        return self.search.name

    def __call__(
        self, objective: Objective, options: FitOptions, seed: int, heard: Heard | None
    ) -> Sequence[Searched]:
        """The searches, timed."""
        began = time.process_time()
        found = self.search(objective, options, seed, heard)
        self.spent.append(1e3 * (time.process_time() - began))
        return found


@dataclass(frozen=True)
class Fitted:
    """A fit with the time that it took, ms of the processor."""

    fit: SubjectFit
    cpu_ms: float
    search_ms: float


def fit_one(problem: FitProblem, subject: FitSubject, start: Sequence[float], options: FitOptions) -> Fitted:
    """The fit of one subject from its own start."""
    timed = Timed(problem.search)
    parameters = tuple(replace(p, start=float(s)) for p, s in zip(problem.parameters, start, strict=True))
    alone = replace(problem, subjects=(subject,), parameters=parameters, search=timed)
    began = time.process_time()
    fit = fit_subject(alone, subject, options)
    return Fitted(fit, 1e3 * (time.process_time() - began), sum(timed.spent))


def run_cell(
    problem: FitProblem,
    compiled: CompiledModel,
    known: Sequence[Known],
    case: Case,
    noise: float,
    method: Callable[[FitProblem], FitProblem],
    seed: int,
    options: FitOptions,
    from_truth: bool = True,
    heard: Callable[[int], None] | None = None,
) -> Cell:
    """Fit the tasks of a cell with one method.

    Parameters
    ----------
    problem : FitProblem
        On the exact model.
    compiled : CompiledModel
    known : sequence of Known
    case : Case
    noise : float
    method : callable
        The problem as the method sees it.
    seed : int
        Of the data.
    options : FitOptions
    from_truth : bool
        Whether each task is searched from its truth too, to know the optimum.
    heard : callable, optional
        Called with the number of tasks done.

    Returns
    -------
    Cell
        ``lowest`` of a score is the lowest objective that this method met from any start, the truth among
        them; `together` lowers it to that of several methods.
    """
    subjects = tuple(measured(one, compiled, case.noise, noise, seed, case.name) for one in known)
    ready = method(replace(problem, subjects=subjects))
    space = ParameterSpace(problem.parameters)
    once = replace(options, starts=1)
    scores = []
    for done, (one, subject) in enumerate(zip(known, ready.subjects, strict=True)):
        person = one.person
        found = fit_one(ready, subject, person.start.tolist(), options)
        best = fit_one(ready, subject, person.truth.tolist(), once).fit if from_truth else None
        scores.append(score(found, one, bounds(one, space, noise or NOISELESS_SD), best))
        if heard is not None:
            heard(done + 1)
    return Cell(case.name, space.names, noise, ready.method, tuple(scores))


def score(found: Fitted, known: Known, bound: np.ndarray, from_truth: SubjectFit | None) -> Score:
    """A fit against its truth; `from_truth` is the same with its search begun at the truth, where made."""
    fit, person = found.fit, known.person
    k = len(person.truth)
    estimate = np.array(fit.theta) if fit.theta else np.full(k, np.nan)
    units = [row.estimate for row in fit.estimates]
    inside: list[bool] = []
    for row, value, given in zip(fit.estimates, estimate.tolist(), units, strict=True):
        factor = value / given  # canonical units in one unit of the table
        truth = float(person.truth[len(inside)]) / factor
        inside.append(row.ci_low <= truth <= row.ci_high)
    objectives = [one.subject.objective for one in (fit, from_truth) if one and one.theta]
    return Score(
        task=person.number,
        truth=tuple(person.truth.tolist()),
        start=tuple(person.start.tolist()),
        estimate=tuple(estimate.tolist()),
        bound=tuple(bound.tolist()),
        error=tuple(np.log(estimate / person.truth).tolist()),
        covered=tuple(inside) if inside else (False,) * k,
        limited=any(row.at_bound != "no" for row in fit.estimates),
        objective=fit.subject.objective,
        lowest=min(objectives, default=float("nan")),
        polished=fit.polished,
        bias=fit.bias,
        outside=any("training range" in note for note in fit.notes),
        outcome=fit.outcome,
        cpu_ms=found.cpu_ms,
        search_ms=found.search_ms,
        evaluations=sum(one.evaluations for one in fit.starts),
    )


def together(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """Cells of the same tasks by several methods, each score with the lowest objective of all of them."""
    lowest: dict[int, float] = {}
    for cell in cells:
        for one in cell.scores:
            met = math.inf if math.isnan(one.lowest) else one.lowest
            lowest[one.task] = min(lowest.get(one.task, math.inf), met)
    return tuple(
        replace(cell, scores=tuple(replace(s, lowest=lowest[s.task]) for s in cell.scores)) for cell in cells
    )
