"""Independent tasks on several processes, with the same results for any number of them."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


def each_done(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Iterator[tuple[int, Result]]:
    """Results as they are finished, each with the index of its task.

    Parameters
    ----------
    function : callable
        Of a module, so that a process can be told its name; its result depends on the task alone.
    tasks : sequence
    workers : int
        With 1, or a single task, everything is done in this process and in order.

    Raises
    ------
    Exception
        Whatever `function` raises.

    Notes
    -----
    Where no further process can be had, or a task cannot be sent to one, this process does the work.
    """
    workers = min(workers, len(tasks))
    if workers < 2 or not _can_be_sent(function, tasks):
        for index, task in enumerate(tasks):
            yield index, function(task)
        return
    done: set[int] = set()
    with suppress(OSError, BrokenProcessPool):
        for index, result in _elsewhere(function, tasks, workers):
            done.add(index)
            yield index, result
    for index, task in enumerate(tasks):
        if index not in done:
            yield index, function(task)


def _elsewhere(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Iterator[tuple[int, Result]]:
    # A started interpreter knows nothing of this one's threads; a forked copy of a process that has loaded
    # numerical libraries may hang in them.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting: dict[Future[Result], int] = {
            pool.submit(function, task): index for index, task in enumerate(tasks)
        }
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _can_be_sent(function: Callable[[Task], Result], tasks: Sequence[Task]) -> bool:
    # A pool can hang for ever on what it cannot send (its feeding thread dies with work still queued), so
    # that is tried first. Tasks of one kind are alike in this.
    try:
        pickle.dumps((function, tasks[0]))
    except (pickle.PicklingError, TypeError, AttributeError):
        return False
    return True
