"""How many branches and features: decided by held-out solves.

The tail of the singular values says how well features can represent a trajectory, not how well a head finds
it. So every candidate solves tasks that training never saw, and the cheapest one that is good enough is
taken. What a solve costs depends on the number of features alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.family import Task
from pbpkc.engines.mipinn.fast import FastModel, NotSolved
from pbpkc.engines.mipinn.tasks import bound
from pbpkc.engines.mipinn.trained import TrainedModel
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.solve.reference import simulate
from pbpkc.solve.timeline import timeline

Array = NDArray[np.float64]

#: Smallest value that a relative error divides by, as a share of the curve's peak.
FLOOR = 1e-3


@dataclass(frozen=True)
class HeldOut:
    """A task with its reference curves.

    Parameters
    ----------
    task : Task
    times : array, shape (T,), h
    observables : array, shape (T, O)
    states : array, shape (T, S)
    """

    task: Task
    times: Array
    observables: Array
    states: Array


@dataclass(frozen=True)
class Errors:
    """What held-out solves say of a candidate.

    Parameters
    ----------
    branches, features : int
    median : float
        Of the relative error over tasks and times, of the worst observable.
    high : float
        95 % point over tasks of the largest relative error of a task, of the worst observable.
    by_observable : mapping of str to float
        Median of each.
    states : float
        Mean over tasks and states of the mean squared error, each state over its peak.
    failed : tuple of int
        Tasks that the head did not solve.
    """

    branches: int
    features: int
    median: float
    high: float
    by_observable: Mapping[str, float]
    states: float
    failed: tuple[int, ...]


def sampled(task: Task, compiled: CompiledModel, count: int = 40) -> Array:
    """Times at which a task is judged: dense after every event and even in between, h."""
    begin, end = task.regimen.begin, task.end
    marks = sorted({begin, *(e.time for e in task.regimen.events if e.time < end)})
    spread = [begin + (end - begin) * np.linspace(0.0, 1.0, count + 1)[1:]]
    for low, high in zip(marks, [*marks[1:], end], strict=True):
        spread.append(low + (high - low) * np.geomspace(1e-2, 1.0, 9)[:-1])
    return np.unique(np.concatenate(spread))


def judge_task(fast: FastModel, held: HeldOut) -> tuple[Array, Array]:
    """Relative errors of the observables (T, O), and of the states' squares over their peaks (S,).

    Raises
    ------
    NotSolved
        If the head finds no solution.
    """
    compiled, task = fast.compiled, held.task
    manifest = compiled.manifest
    segments = timeline(task.regimen, held.times, manifest["inputs"], compiled.state_names, p=task.p)
    y0 = np.array(compiled.initial_state(task.p), dtype=float)
    for start in task.regimen.starts:
        y0[start.state] = start.value
    y = fast.run(bound(compiled, task.p[None], derivatives=False), [segments], held.times, y0[None]).y[0]
    u = np.concatenate([s.inputs_at(held.times[s.samples]) for s in segments])
    with np.errstate(all="ignore"):
        seen = np.asarray(compiled.observe(held.times, y, task.p, u), dtype=float)
    peak = np.abs(held.observables).max(0)
    size = np.maximum(np.abs(held.observables), FLOOR * peak)
    error = np.abs(seen - held.observables) / np.where(size > 0.0, size, 1.0)
    top = np.abs(held.states).max(0)
    state = np.mean(((y - held.states) / np.where(top > 0.0, top, 1.0)) ** 2, axis=0)
    return error, state


def measure(
    compiled: CompiledModel,
    trained: TrainedModel,
    held: Sequence[HeldOut],
    branches: int,
    features: int,
    head: str,
    observables: Sequence[int],
) -> Errors:
    """Errors of one candidate on held-out tasks."""
    fast = FastModel(compiled, trained, None, np.zeros(0, dtype=np.intp), head)
    found, squares, failed = [], [], []
    for one in held:
        try:
            error, state = judge_task(fast, one)
        except NotSolved:
            failed.append(one.task.number)
            continue
        found.append(error[:, list(observables)])
        squares.append(state)
    if not found:
        nothing = {compiled.observable_names[o]: float("inf") for o in observables}
        return Errors(branches, features, np.inf, np.inf, nothing, np.inf, tuple(failed))
    pooled = np.concatenate(found)
    medians = np.median(pooled, axis=0)
    worst = np.array([e.max(0) for e in found])
    return Errors(
        branches,
        features,
        float(medians.max()),
        float(np.quantile(worst, 0.95, axis=0).max()),
        {compiled.observable_names[o]: float(m) for o, m in zip(observables, medians, strict=True)},
        float(np.mean(squares)),
        tuple(failed),
    )


def hold_out(compiled: CompiledModel, task: Task) -> HeldOut | str:
    """A task with its reference curves, or why it has none."""
    from pbpkc.engines.mipinn.snapshots import SOLVER

    times = sampled(task, compiled)
    run = simulate(compiled, task.p, task.regimen, times, SOLVER)
    if not run.outcome.ok:
        return run.outcome.reason
    return HeldOut(task, times, run.observables, run.y)


def choose(tried: Sequence[Errors], target: float) -> Errors:
    """The candidate with the fewest features, then branches, that is good enough; else the best.

    Good enough is a median error below `target`, the 95 % point of the largest below a hundred times that,
    and no task unsolved.
    """
    good = [e for e in tried if e.median <= target and e.high <= 100.0 * target and not e.failed]
    if good:
        return min(good, key=lambda e: (e.features, e.branches))
    return min(tried, key=lambda e: (len(e.failed), e.median, e.features))


Candidate = Callable[[int, int], TrainedModel]
