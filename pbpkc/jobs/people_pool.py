"""Parts of a population solved where a pool says, such as by the workers of a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pbpkc.jobs.people_parts import Choice, EachPart, Part, Progress, Solving, solved, subjects
from pbpkc.native.failure import NoKernel
from pbpkc.scale.cluster_worker import no_kernel, threads
from pbpkc.scale.pool import Pool, in_order
from pbpkc.solve.batch import Batch, Plan, Subjects
from pbpkc.solve.batch_solve import solve_batch
from pbpkc.solve.contour import linear_kernel
from pbpkc.solve.kernel import rosenbrock_kernel
from pbpkc.solve.options import SolverOptions

if TYPE_CHECKING:
    from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]
Places = NDArray[np.int64]


def parts_by(pool: Pool | None) -> EachPart:
    """What gives part after part as `pbpkc.jobs.people_parts.solved` does: that, or the same by a pool.

    The latter raises `ClusterError` if the pool is a cluster that fails, or if a worker cannot solve as this
    machine does.
    """
    return solved if pool is None else partial(_solved_by, pool)


@dataclass(frozen=True)
class _Scenario:
    """What all parts of a scenario have in common.

    Parameters
    ----------
    compiled : CompiledModel
        With the text of its kernel, which each machine compiles once.
    plans : tuple of Plan
        One, if it is the same for all people; else each part has its own.
    options : SolverOptions
    states : bool
    runs : int
        As in `Solving`.
    method : str
        What solved the first people.
    """

    compiled: CompiledModel
    plans: tuple[Plan, ...]
    options: SolverOptions
    states: bool
    runs: int
    method: str


@dataclass(frozen=True)
class _Task:
    """A part: whose scenario, parameters (B, P), and plans with whose they are (B,)."""

    scenario: int
    p: Array
    plans: tuple[Plan, ...]
    plan_of: Places


class _Tasks:
    """The parts from one on; the numbers of each are put together when it is sent."""

    def __init__(self, choices: Sequence[Choice], how: Solving, skip: int) -> None:
        self.choices, self._how = choices, how
        self.places = [(c, first) for c, one in enumerate(choices) for first in one.parts()][skip:]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int, /) -> _Task:
        some = self.subjects(index)
        shared = len(self.choices[self.places[index][0]].cohort.plans) == 1
        return _Task(self.places[index][0], some.p, () if shared else some.plans, some.plan_of)

    def subjects(self, index: int) -> Subjects:
        """The people of a part, to be solved here."""
        c, first = self.places[index]
        one = self.choices[c]
        chosen = np.arange(first, min(first + one.size, len(one.cohort)), dtype=np.int64)
        return replace(subjects(one.cohort, chosen, replace(self._how, options=one.options)), checked=())


def _solved_by(
    pool: Pool, choices: Sequence[Choice], how: Solving, skip: int, progress: Progress | None
) -> Iterator[Part]:
    tasks = _Tasks(choices, how, skip)
    everyone = sum(len(one.cohort) for one in choices)
    done = everyone - sum(min(choices[c].size, len(choices[c].cohort) - first) for c, first in tasks.places)
    scenarios = tuple(
        _Scenario(
            one.cohort.compiled, one.cohort.plans if len(one.cohort.plans) == 1 else (), one.options,
            how.states, how.runs, one.record.method,
        )
        for one in choices
    )  # fmt: skip
    for index, batch in enumerate(in_order(pool.each_done(partial(_solve, scenarios), tasks))):
        c, first = tasks.places[index]
        done += len(batch)
        if progress is not None:
            progress(done, everyone)
        yield Part(choices[c].cohort, first, batch)


def _solve(scenarios: tuple[_Scenario, ...], task: _Task) -> Batch:
    """What a worker does.

    Raises
    ------
    ClusterError
        If it has no kernel.
    NoKernel
        If the kernel cannot do what is asked, as on any machine.
    """
    one = scenarios[task.scenario]
    try:
        if one.method == "kernel":
            rosenbrock_kernel(one.compiled.generated)
        elif one.method == "linear":
            linear_kernel(one.compiled)
    except NoKernel as error:
        raise no_kernel(error.reason) from None
    return solve_batch(
        Subjects(
            one.compiled, task.p, task.plans or one.plans, task.plan_of, one.options, one.states,
            # A worker may start no processes of its own.
            1 if one.method == "reference" else threads(), of=one.runs, checked=(),
        )
    )  # fmt: skip
