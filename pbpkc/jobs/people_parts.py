"""Many people solved part by part, so that a long run needs the memory of one part and can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pbpkc.jobs.cohort import Cohort
from pbpkc.jobs.simulate import SolvedBy
from pbpkc.native.failure import NoKernel
from pbpkc.solve.batch import Batch, BatchRecord, Subjects
from pbpkc.solve.batch_solve import TOO_FEW, WORTH_COMPILING, sample_of, solve_batch
from pbpkc.solve.options import SolverOptions

Places = NDArray[np.int64]

#: People of one part, at most: of a kernel, and of the reference, which takes a hundred times as long.
TOGETHER, TOGETHER_SLOW = 1000, 200

#: Numbers that the results of one part may have: 64 MB.
MOST_NUMBERS = 8_000_000

#: Told how many of how many runs are done.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Solving:
    """How people are solved.

    Parameters
    ----------
    options : SolverOptions
    states : bool
        Whether the states are kept.
    workers : int
        Threads of a kernel, processes of the reference; the result is the same for any number.
    runs : int
        How many there are in all scenarios, which ``auto`` decides by.
    """

    options: SolverOptions
    states: bool
    workers: int
    runs: int


@dataclass(frozen=True)
class Choice:
    """How the people of a scenario are solved.

    Parameters
    ----------
    cohort : Cohort
    options : SolverOptions
        Of every part: a kernel that did not stand its verification is no longer among the methods.
    record : BatchRecord
        Of those who were solved first, twice where a kernel is verified.
    size : int
        People of a part; the same for any number of workers.
    """

    cohort: Cohort
    options: SolverOptions
    record: BatchRecord
    size: int

    def solved_by(self, retried: Sequence[int] = ()) -> SolvedBy:
        """How it went; `retried` whom the kernel did not finish."""
        ids, record = self.cohort.ids, self.record
        found = SolvedBy(
            self.cohort.scenario, record.method, record.reason, retried=tuple(ids[b] for b in retried)
        )
        if record.verification is None:
            return found
        checked = tuple(ids[b] for b in record.verification.subjects)
        worst, accepted = record.verification.worst, record.verification.accepted
        return replace(found, checked=checked, worst=worst, accepted=accepted)

    def parts(self) -> range:
        """The first person of each part."""
        return range(0, len(self.cohort), self.size)


@dataclass(frozen=True)
class Part:
    """The people from `first` on of a cohort, solved."""

    cohort: Cohort
    first: int
    batch: Batch

    @property
    def retried(self) -> list[int]:
        """Whom a kernel did not finish, by their places in the cohort."""
        return [self.first + b for b in self.batch.record.retried]


def first_choice(cohort: Cohort, how: Solving) -> Choice:
    """What solves the people of a scenario, before that is verified."""
    asked = how.options.method
    if asked not in ("auto", "kernel", "linear"):
        record = BatchRecord("reference", f"the method {asked} was asked for", None, (), 0.0)
        return Choice(cohort, how.options, record, _size(cohort, how.states, TOGETHER_SLOW))
    if asked == "auto" and how.runs < WORTH_COMPILING:
        record = BatchRecord("reference", TOO_FEW, None, (), 0.0)
        options = replace(how.options, method="reference")
        return Choice(cohort, options, record, _size(cohort, how.states, TOGETHER_SLOW))
    some = subjects(cohort, np.array(_sample(cohort)[:1]), how)
    return _of_record(cohort, how, solve_batch(replace(some, checked=())).record)


def verified(one: Choice, how: Solving) -> Choice:
    """A choice after some people were solved by the reference too, or by it alone where they differ."""
    if one.record.method == "reference":
        return one
    chosen = _sample(one.cohort)
    some = subjects(one.cohort, np.array(chosen), replace(how, options=one.options))
    record = solve_batch(replace(some, checked=tuple(range(len(chosen))))).record
    if record.verification is not None:
        who = tuple(chosen[i] for i in record.verification.subjects)
        record = replace(record, verification=replace(record.verification, subjects=who))
    return _of_record(one.cohort, how, record)


def _sample(cohort: Cohort) -> tuple[int, ...]:
    return sample_of(len(cohort), len(cohort))


def _of_record(cohort: Cohort, how: Solving, record: BatchRecord) -> Choice:
    if record.method == "reference":
        options = replace(how.options, method="reference")
        return Choice(cohort, options, record, _size(cohort, how.states, TOGETHER_SLOW))
    # The method that was taken, and not another one for another part.
    options = replace(how.options, method=record.method)  # type: ignore[arg-type]
    return Choice(cohort, options, record, _size(cohort, how.states, TOGETHER))


def _size(cohort: Cohort, states: bool, most: int) -> int:
    columns = len(cohort.compiled.observable_names) + (len(cohort.compiled.state_names) if states else 0)
    return max(1, min(most, MOST_NUMBERS // max(1, cohort.times.size * columns)))


#: Gives how many parts are known, and what takes each further one.
Begin = Callable[[tuple[Choice, ...]], tuple[int, Callable[[Part], None]]]

#: As `solved`.
EachPart = Callable[["Sequence[Choice]", Solving, int, "Progress | None"], "Iterator[Part]"]


def subjects(cohort: Cohort, chosen: Places, how: Solving) -> Subjects:
    """Some people of a cohort, to be solved."""
    shared = len(cohort.plans) == 1
    plans = cohort.plans if shared else tuple(cohort.plans[k] for k in cohort.plan_of[chosen].tolist())
    plan_of = np.zeros(len(chosen), dtype=np.int64) if shared else np.arange(len(chosen), dtype=np.int64)
    return Subjects(
        cohort.compiled, cohort.p[chosen], plans, plan_of, how.options, how.states, how.workers, of=how.runs
    )


def solve_people(
    cohorts: Sequence[Cohort],
    how: Solving,
    begin: Begin,
    progress: Progress | None = None,
    each_part: EachPart | None = None,
) -> tuple[Choice, ...]:
    """Solve everyone, part after part, while a sample is solved by the reference to verify a kernel.

    Parameters
    ----------
    cohorts : sequence of Cohort
    how : Solving
    begin : callable (choices)
        Gives how many parts at the beginning are known already, and what takes each further part. Called once
        more where a kernel does not stand its verification: then the reference solves everyone anew.
    progress : callable, optional
    each_part : callable, optional
        In place of `solved`, for parts that are solved elsewhere.

    Returns
    -------
    tuple of Choice
        How each cohort was solved, with the verification.
    """
    choices = tuple(first_choice(one, how) for one in cohorts)
    while True:
        skip, take = begin(choices)
        check = _Beside(partial(_all_verified, choices, how))
        for part in (each_part or solved)(choices, how, skip, progress):
            take(part)
            if check.found is not None and not _alike(check.found, choices):
                break
        found = check.result()
        if _alike(found, choices):
            return found
        choices = found


def _all_verified(choices: Sequence[Choice], how: Solving) -> tuple[Choice, ...]:
    return tuple(verified(one, how) for one in choices)


def _alike(some: Sequence[Choice], others: Sequence[Choice]) -> bool:
    """Whether they lead to the same numbers."""
    return all(a.record.method == b.record.method for a, b in zip(some, others, strict=True))


class _Beside(threading.Thread):
    """Work beside this thread; when this one ends early, such as by Ctrl-C, nobody waits for it."""

    def __init__(self, work: Callable[[], tuple[Choice, ...]]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._error: BaseException | None = None
        self.found: tuple[Choice, ...] | None = None
        self.start()

    def run(self) -> None:
        """Do it."""
        try:
            self.found = self._work()
        except BaseException as error:
            self._error = error

    def result(self) -> tuple[Choice, ...]:
        """What was found, waited for; or raised there."""
        self.join()
        if self._error is not None:
            raise self._error
        assert self.found is not None
        return self.found


def solved(
    choices: Sequence[Choice], how: Solving, skip: int = 0, progress: Progress | None = None
) -> Iterator[Part]:
    """Part after part, scenario by scenario, the people in their order.

    Parameters
    ----------
    choices : sequence of Choice
    how : Solving
    skip : int
        Parts at the beginning that are known already.
    progress : callable, optional

    Notes
    -----
    While a part is made use of, a kernel solves the next one beside it.
    """
    todo = [(one, first) for one in choices for first in one.parts()]
    done = sum(min(one.size, len(one.cohort) - first) for one, first in todo[:skip])
    everyone = sum(len(one.cohort) for one in choices)

    def part(one: Choice, first: int, before: int) -> Part:
        def tell(some: int, of: int) -> None:
            if progress is not None:
                progress(before + some, everyone)

        chosen = np.arange(first, min(first + one.size, len(one.cohort)), dtype=np.int64)
        some = replace(subjects(one.cohort, chosen, how), checked=(), progress=tell)
        try:
            batch = solve_batch(replace(some, options=one.options))
        except NoKernel:
            if how.options.method != "auto":
                raise
            batch = solve_batch(some)
        return Part(one.cohort, first, batch)

    with ThreadPoolExecutor(1) as beside:
        waiting: Future[Part] | None = None
        try:
            for place, (one, first) in enumerate(todo[skip:], skip + 1):
                found = part(one, first, done) if waiting is None else waiting.result()
                waiting = None
                done += len(found.batch)
                # The reference holds Python's lock anyway, and in this thread Ctrl-C stops it at once.
                if place < len(todo) and todo[place][0].record.method != "reference":
                    waiting = beside.submit(part, *todo[place], done)
                yield found
        finally:
            if waiting is not None:
                waiting.cancel()
