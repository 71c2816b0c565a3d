"""Many subjects of one model, by a compiled kernel where that can be, and checked against the reference."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from pbpkc.native.failure import NoKernel
from pbpkc.scale.processes import Processes
from pbpkc.solve.batch import KERNEL_NAMES, Batch, BatchRecord, Plan, Subjects, Verification
from pbpkc.solve.batch_pieces import Courses, follow, given_starts, starts
from pbpkc.solve.batch_rest import Solver
from pbpkc.solve.contour import linear_kernel
from pbpkc.solve.kernel import KernelRuns, rosenbrock_kernel
from pbpkc.solve.options import SolverOptions, absolute_tolerance
from pbpkc.solve.reference import simulate
from pbpkc.solve.schedule import NotScheduled, schedule
from pbpkc.solve.timeline import Segment, timeline
from pbpkc.solve.trajectory import Outcome, SolverRecord, Trajectory

if TYPE_CHECKING:
    from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]

#: From this many subjects on, `auto` takes a compiled kernel: below, compiling costs more than it saves.
WORTH_COMPILING = 24

TOO_FEW = f"fewer than {WORTH_COMPILING} runs do not repay compiling a kernel"

#: Subjects of a run that are solved again by the reference: a share, at least and at most so many.
CHECKED_SHARE, CHECKED_LEAST, CHECKED_MOST = 0.002, 3, 12

#: What a kernel may differ from the reference, in relative tolerances, where a value is above
#: `CHECKED_FLOOR` of its curve's peak. Both have errors: the tests hold the kernel's own within 10.
CHECKED_FACTOR, CHECKED_FLOOR = 30.0, 1e-6

#: The reference that a kernel is compared with is solved this much tighter; where they differ by more than is
#: accepted, again and tighter still.
TIGHTER, TIGHTEST = 0.1, 0.001


#: ODEPACK keeps its state in one place for all threads.
_ONE_AT_A_TIME = threading.Lock()

#: Subjects that one process is given at a time.
_CHUNK = 16


def solve_batch(subjects: Subjects) -> Batch:
    """Solve many subjects of one model.

    Parameters
    ----------
    subjects : Subjects
        The method of their options says what solves them: ``auto`` takes a compiled kernel where there are
        many subjects and there is one, ``kernel`` and ``linear`` take theirs for any number, all others are
        the reference.

    Returns
    -------
    Batch
        A subject that fails has an outcome that says why, nan from there on; the others are whole.

    Raises
    ------
    NoKernel
        If the method is ``kernel`` or ``linear`` and there is none, or it cannot do what is asked.
    """
    began = time.process_time()
    method = subjects.options.method
    if method not in ("auto", "kernel", "linear"):
        return _by_reference(subjects, f"the method {method} was asked for", began)
    if method == "auto" and max(len(subjects), subjects.of) < WORTH_COMPILING:
        return _by_reference(subjects, TOO_FEW, began)
    try:
        runs = _by_kernels(subjects)
    except (NoKernel, NotScheduled) as error:
        if method != "auto":
            raise NoKernel(error.reason) from None
        return _by_reference(subjects, error.reason, began)
    verification = _verified(subjects, runs.found)
    if not verification.holds:
        reason = (
            f"the {KERNEL_NAMES[runs.method]} kernel differs from the reference by {verification.worst:.3g} "
            f"relative tolerances, accepted are {verification.accepted:g}"
        )
        batch = _by_reference(subjects, reason, began)
        return replace(batch, record=replace(batch.record, verification=verification))
    return _whole(subjects, runs, verification, began)


@dataclass(frozen=True)
class _Runs:
    """What a kernel found, which one, and why that one."""

    found: KernelRuns
    ready: _Ready
    method: Literal["kernel", "linear"]
    reason: str


def _by_kernels(subjects: Subjects) -> _Runs:
    """The linear kernel where the equations allow it and observables are enough, else the nonlinear one.

    Raises
    ------
    NoKernel, NotScheduled
        If none can do it, with the reason of the last that was tried.
    """
    method = subjects.options.method
    if subjects.compiled.stand_ins:
        name = subjects.compiled.stand_ins[0]
        raise NoKernel(f"a function of Python stands in for the unknown term '{name}'")
    # All states of a linear system cost it as much as stepping through time.
    if method == "linear" or (method == "auto" and not subjects.states):
        try:
            return _by_linear(subjects)
        except (NoKernel, NotScheduled):
            if method == "linear":
                raise
    ready = _ready(subjects)
    solver = _solver(subjects)
    found = follow(
        solver, ready.courses, ready.runs, ready.times, starts(solver, ready.courses),
        states=subjects.states, observables=True, progress=subjects.progress,
    )  # fmt: skip
    return _Runs(found, ready, "kernel", "the model has a compiled kernel")


def _solver(subjects: Subjects) -> Solver:
    """The nonlinear kernel.

    Raises
    ------
    NoKernel
    """
    kernel = rosenbrock_kernel(subjects.compiled.generated)
    options = subjects.options
    return Solver(subjects.compiled, kernel, options.rtol, options.max_steps, subjects.workers)


def _by_linear(subjects: Subjects) -> _Runs:
    ready = _ready(subjects)
    kernel, courses = linear_kernel(subjects.compiled), ready.courses
    sizes = len(subjects.compiled.state_names), len(subjects.compiled.manifest["inputs"])
    plan = schedule(list(zip(ready.runs, ready.times, strict=True)), *sizes, steady=True)
    if any(regimen.rests or regimen.after is not None for regimen in courses.regimens):
        # Where such a run begins the nonlinear kernel finds.
        y0 = starts(_solver(subjects), courses)
    else:
        y0 = given_starts(subjects.compiled, courses)
    found = kernel.solve(
        subjects.p, y0, plan, courses.which, subjects.options.rtol, states=subjects.states,
        threads=subjects.workers, progress=subjects.progress,
    )  # fmt: skip
    return _Runs(found, ready, "linear", "the equations are linear between events")


@dataclass(frozen=True)
class _Ready:
    """What is done to all subjects: segments and samples of each regimen."""

    courses: Courses
    runs: tuple[Sequence[Segment], ...]
    times: tuple[Array, ...]


def _ready(subjects: Subjects) -> _Ready:
    """What a kernel takes."""
    compiled, p, plans, plan_of = subjects.compiled, subjects.p, subjects.plans, subjects.plan_of
    manifest = compiled.manifest
    # Inputs that are held begin at values of the subject's own parameters.
    own = any(item["kind"] == "held" for item in manifest["inputs"])
    whose = list(range(len(p))) if own else [int(np.argmax(plan_of == k)) for k in range(len(plans))]
    used = [subjects.plan(b) if own else plans[k] for k, b in enumerate(whose)]
    runs = tuple(
        timeline(plan.regimen, plan.times, manifest["inputs"], compiled.state_names, plan.order, p=p[b])
        for plan, b in zip(used, whose, strict=True)
    )
    atol = [absolute_tolerance(subjects.options, manifest["states"], x.regimen.smallest_dose) for x in used]
    which = np.arange(len(p), dtype=np.int64) if own else plan_of
    courses = Courses(p, tuple(plan.regimen for plan in used), which, np.array(atol))
    return _Ready(courses, runs, tuple(plan.times for plan in used))


def sample_of(count: int, of: int) -> tuple[int, ...]:
    """Which of `count` subjects are solved twice, evenly spread, where there are `of` in all."""
    wanted = min(count, CHECKED_MOST, max(CHECKED_LEAST, int(CHECKED_SHARE * of)))
    return tuple(np.unique(np.linspace(0, count - 1, wanted).astype(int)).tolist()) if wanted else ()


def _verified(subjects: Subjects, found: KernelRuns) -> Verification:
    """Some subjects again, by the reference at a tighter tolerance."""
    good = np.flatnonzero(found.status == 0)
    if subjects.checked is None:
        chosen = good[list(sample_of(len(good), len(subjects)))]
    else:
        chosen = good[np.isin(good, subjects.checked)]
    worst = np.nan
    for b in chosen.tolist():
        differs = _difference(subjects, found, b, TIGHTER)
        # The reference errs too, at late times by many of its own tolerances: one that is not clearly better
        # condemns no kernel.
        if differs > CHECKED_FACTOR:
            differs = _difference(subjects, found, b, TIGHTEST)
        worst = np.fmax(worst, differs)
    return Verification(tuple(chosen.tolist()), float(worst), CHECKED_FACTOR)


def _difference(subjects: Subjects, found: KernelRuns, b: int, tighter: float) -> float:
    """Of one subject from the reference, in relative tolerances; nan where that has no numbers."""
    rtol = subjects.options.rtol
    tight = replace(subjects.options, method="lsoda", rtol=max(tighter * rtol, 1e-13))
    run = _alone(subjects.compiled, tight, [(subjects.p[b], subjects.plan(b))])[0]
    if not run.outcome.ok or not run.observables.size:
        return np.nan
    assert found.observables is not None
    own = found.observables[found.rows[b] : found.rows[b + 1]]
    if np.any(np.isfinite(own) != np.isfinite(run.observables)):
        return np.inf
    size = np.abs(run.observables)
    peak = np.nanmax(size, axis=0, initial=0.0)
    share = np.abs(own - run.observables) / (np.maximum(size, CHECKED_FLOOR * peak) + 1e-300)
    share[:, peak == 0.0] = 0.0
    return float(np.nanmax(share, initial=0.0) / rtol)


def _whole(subjects: Subjects, runs: _Runs, verification: Verification, began: float) -> Batch:
    """The kernel's results, what it did not finish by the reference."""
    found, ready = runs.found, runs.ready
    assert found.observables is not None
    seconds = (time.process_time() - began) / len(subjects)
    which = ready.courses.which
    segments = np.array([len(parts) for parts in ready.runs])[which]
    atol = [tuple(row.tolist()) for row in ready.courses.atol]
    counts = (which, found.steps, found.rejected, segments)
    solvers = [
        SolverRecord(runs.method, subjects.options.rtol, atol[run], steps, 8 * (steps + refused),
                     steps + refused, count, seconds)
        for run, steps, refused, count in zip(*(x.tolist() for x in counts), strict=True)
    ]  # fmt: skip
    outcomes = [Outcome(True, reached=reached) for reached in found.reached.tolist()]
    failed = np.flatnonzero(found.status != 0).tolist()
    for b in failed:
        run = _alone(subjects.compiled, subjects.options, [(subjects.p[b], subjects.plan(b))])[0]
        part = slice(found.rows[b], found.rows[b + 1])
        found.observables[part] = run.observables
        if found.states is not None:
            found.states[part] = run.y
        outcomes[b], solvers[b] = run.outcome, run.solver
    record = BatchRecord(runs.method, runs.reason, verification, tuple(failed), time.process_time() - began)
    return subjects.batch(found.states, found.observables, outcomes, solvers, record)


def _by_reference(subjects: Subjects, reason: str, began: float) -> Batch:
    """Each subject by itself."""
    rows = subjects.rows()
    observables = np.full((rows[-1], len(subjects.compiled.observable_names)), np.nan)
    states = np.full((rows[-1], len(subjects.compiled.state_names)), np.nan) if subjects.states else None
    tasks = [
        tuple((subjects.p[b], subjects.plan(b)) for b in range(first, min(first + _CHUNK, len(subjects))))
        for first in range(0, len(subjects), _CHUNK)
    ]
    found: dict[int, tuple[Outcome, SolverRecord]] = {}
    work = partial(_alone, subjects.compiled, subjects.options)
    for index, runs in Processes(subjects.workers).each_done(work, tasks):
        for b, run in enumerate(runs, index * _CHUNK):
            part = slice(rows[b], rows[b + 1])
            observables[part] = run.observables
            if states is not None:
                states[part] = run.y
            found[b] = run.outcome, run.solver
        if subjects.progress is not None:
            subjects.progress(len(found), len(subjects))
    outcomes, solvers = zip(*(found[b] for b in range(len(subjects))), strict=True)
    record = BatchRecord("reference", reason, None, (), time.process_time() - began)
    return subjects.batch(states, observables, outcomes, solvers, record)


def _alone(
    compiled: CompiledModel, options: SolverOptions, subjects: Sequence[tuple[Array, Plan]]
) -> list[Trajectory]:
    found = []
    for p, x in subjects:
        if np.all(np.isfinite(p)):
            with _ONE_AT_A_TIME:
                found.append(simulate(compiled, p, x.regimen, x.times, options, order=x.order))
        else:
            found.append(_impossible(compiled, p, x, options))
    return found


def _impossible(compiled: CompiledModel, p: Array, plan: Plan, options: SolverOptions) -> Trajectory:
    """No curves for parameters that are no numbers."""
    names = [
        n for n, value in zip(compiled.parameter_names, p.tolist(), strict=True) if not np.isfinite(value)
    ]
    size = plan.times.size
    return Trajectory(
        plan.times, np.full((size, len(compiled.state_names)), np.nan),
        np.full((size, len(compiled.observable_names)), np.nan), compiled.state_names,
        compiled.observable_names,
        Outcome(False, f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} no finite number",
                "look at the values of this subject", plan.regimen.begin),
        SolverRecord(options.integrator, options.rtol, (), 0, 0, 0, 0, 0.0),
    )  # fmt: skip
