"""Independent tasks on several processes, with the same results for any number of them."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass

from pbpkc.scale.pool import Result, Task, Tasks


@dataclass(frozen=True)
class Processes:
    """Processes of this machine.

    Parameters
    ----------
    workers : int
        With 1, or a single task, everything is done in this process and in order.

    Notes
    -----
    Where no further process can be had, or a task cannot be sent to one, this process does the work.
    """

    workers: int

    def each_done(
        self, function: Callable[[Task], Result], tasks: Tasks[Task]
    ) -> Iterator[tuple[int, Result]]:
        """Results as they are finished; see `pbpkc.scale.pool.Pool`."""
        workers = min(self.workers, len(tasks))
        done: set[int] = set()
        if workers > 1 and _can_be_sent(function, tasks):
            with suppress(OSError, BrokenProcessPool):
                for index, result in elsewhere(function, tasks, workers):
                    done.add(index)
                    yield index, result
        for index in range(len(tasks)):
            if index not in done:
                yield index, function(tasks[index])


def elsewhere(
    function: Callable[[Task], Result], tasks: Tasks[Task], workers: int
) -> Iterator[tuple[int, Result]]:
    """Results as they are finished by other processes, for whoever wants to know where there are none.

    Raises
    ------
    OSError, BrokenProcessPool
        If there is no process to be had.
    Exception
        Whatever `function` raises.
    """
    # A started interpreter knows nothing of this one's threads; a forked copy of a process that has loaded
    # numerical libraries may hang in them.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting: dict[Future[Result], int] = {
            pool.submit(function, tasks[index]): index for index in range(len(tasks))
        }
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _can_be_sent(function: Callable[[Task], Result], tasks: Tasks[Task]) -> bool:
    # A pool can hang for ever on what it cannot send (its feeding thread dies with work still queued), so
    # that is tried first. Tasks of one kind are alike in this.
    try:
        pickle.dumps((function, tasks[0]))
    except (pickle.PicklingError, TypeError, AttributeError):
        return False
    return True
