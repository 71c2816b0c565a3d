"""Where independent tasks are done: on processes of this machine, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
_Task_co = TypeVar("_Task_co", covariant=True)


class Tasks(Protocol[_Task_co]):
    """Tasks by their indices, each of which may be made when it is asked for."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __getitem__(self, index: int, /) -> _Task_co:
        """One of them."""
        ...


class Pool(Protocol):
    """Does tasks, whatever the machine: `pbpkc.scale.processes.Processes`, `pbpkc.scale.cluster.Cluster`."""

    @property
    def workers(self) -> int:
        """How many tasks are done at a time, as far as that is known."""
        ...

    def each_done(
        self, function: Callable[[Task], Result], tasks: Tasks[Task]
    ) -> Iterator[tuple[int, Result]]:
        """Results as they are finished, each with the index of its task, and each index once.

        Parameters
        ----------
        function : callable
            Of a module, or a `functools.partial` of one, so that another process can be told its name. Its
            result depends on the task alone, so that a task can be done again.
        tasks : sequence

        Raises
        ------
        Exception
            Whatever `function` raises.
        """
        ...


def in_order(done: Iterator[tuple[int, Result]]) -> Iterator[Result]:
    """Results in the order of their tasks; what is early waits.

    Parameters
    ----------
    done : iterator of (int, result)
        As a pool gives them.
    """
    early: dict[int, Result] = {}
    place = 0
    for index, result in done:
        early[index] = result
        while place in early:
            yield early.pop(place)
            place += 1
