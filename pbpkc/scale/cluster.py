"""Independent tasks on a dask cluster, found by the address of its scheduler.

The scheduler runs a task again whose worker died. What it gives up, or loses because it was started anew, is
sent again; a result counts once, by the index of its task.
"""

from __future__ import annotations

import logging
import pickle
import queue
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pbpkc.scale.cluster_worker import ClusterError, about, demand_same, work
from pbpkc.scale.pool import Result, Task, Tasks

if TYPE_CHECKING:
    from distributed import Client, Future

#: Seconds that a first answer of the scheduler may take.
ANSWER_SECONDS = 10.0

#: Seconds to wait for a worker, where none is said.
WAIT_SECONDS = 60.0

#: Tasks of one worker that are under way: one in work, one on the way there, one on the way back.
AHEAD = 3

#: How often a task is sent. The scheduler itself gives up a task at which several workers died.
SENT_AT_MOST = 2

#: The same, where the scheduler lost a result or was itself started anew.
LOST_AT_MOST = 20

#: Seconds between two looks at the cluster while there is no news.
LOOK_SECONDS = 1.0

_ADDRESS = re.compile(r"(?:[a-z]+://)?(?:\[[0-9a-fA-F:]+\]|[^\s:/\[\]]+):[0-9]{1,5}")


@contextmanager
def open_cluster(address: str, wait: float = WAIT_SECONDS) -> Iterator[Cluster]:
    """The cluster of a scheduler, for as long as the context lasts.

    Parameters
    ----------
    address : str
        Such as ``tcp://10.0.0.5:8786``.
    wait : float, s
        How long to wait for a worker, now or when all have died.

    Raises
    ------
    ValueError
        If the address is none, or dask is not installed.
    ClusterError
        If the scheduler cannot be reached, no worker comes, or one has other versions than this machine.
    """
    if not _ADDRESS.fullmatch(address):
        raise ValueError(
            f"the cluster is {address!r}; accepted is the address of a scheduler, such as tcp://10.0.0.5:8786"
        )
    if find_spec("distributed") is None:
        raise ValueError(
            "a cluster needs the package distributed, which is not installed; install it with "
            "pip install 'pbpkc[cluster]'"
        )
    with _quiet():
        client = _client(address)
        try:
            found = Cluster(client, address, wait)
            found.demand_usable()
            yield found
        finally:
            with suppress(Exception):
                client.close(timeout=2.0)


@dataclass(frozen=True)
class Cluster:
    """Workers of a dask scheduler.

    Parameters
    ----------
    client : distributed.Client
    address : str
    wait : float, s
        How long to wait for a worker when there is none.
    """

    client: Client
    address: str
    wait: float

    @property
    def workers(self) -> int:
        """Workers that are there now."""
        return len(self._threads())

    @property
    def text(self) -> str:
        """The address and who is there, in words."""
        threads = self._threads()
        many = f"{len(threads)} worker" + "s" * (len(threads) != 1)
        return f"cluster {self.address}: {many}, {sum(threads.values())} threads"

    def demand_usable(self) -> None:
        """Do nothing if there is a worker, and all have the versions of this machine.

        Raises
        ------
        ClusterError
        """
        try:
            self.client.wait_for_workers(1, timeout=self.wait)
        except TimeoutError:
            raise self._nobody() from None
        wanted = about()
        told = self.client.run(about, on_error="return")
        try:
            told |= {"scheduler": self.client.run_on_scheduler(about)}
        except Exception as error:  # whatever an interpreter without pbpkc makes of it
            told |= {"scheduler": error}
        for name, found in told.items():
            who = f"the scheduler {self.address}" if name == "scheduler" else f"the worker {name}"
            if isinstance(found, ImportError):
                raise ClusterError(f"{who} cannot import pbpkc ({found}): install it there")
            if isinstance(found, Exception):
                raise ClusterError(f"{who} cannot say what it is ({type(found).__name__}: {found})")
            demand_same(wanted, found, who)

    def each_done(
        self, function: Callable[[Task], Result], tasks: Tasks[Task]
    ) -> Iterator[tuple[int, Result]]:
        """Results as they are finished; see `pbpkc.scale.pool.Pool`.

        Only so many tasks are under way that all workers have something to do, and none is far ahead of the
        first that is not done: who takes results in order keeps few of them.

        Raises
        ------
        ClusterError
            If the scheduler is gone, no worker has come for `wait` seconds, or a task ends its workers.
        Exception
            Whatever `function` raises.
        """
        run = _Run(self, function, tasks)
        done: set[int] = set()
        first = sent = 0
        try:
            while len(done) < len(tasks):
                ahead = AHEAD * max(1, self.workers)
                while sent < min(len(tasks), first + ahead):
                    run.send(sent)
                    sent += 1
                index = run.heard()
                found = run.result(index)
                if found is None:
                    continue
                done.add(index)
                while first in done:
                    first += 1
                yield index, found[0]
        finally:
            run.stop()

    def look(self, since: float) -> bool:
        """Whether there is a worker.

        Parameters
        ----------
        since : float
            Of `time.monotonic`, when there was one.

        Raises
        ------
        ClusterError
            If the scheduler is gone, or nobody has come for too long.
        """
        if self.client.status in ("closed", "closing"):
            raise ClusterError(f"the scheduler {self.address} is gone: start it again and repeat the command")
        there = self.client.status == "running" and self.workers > 0
        if not there and time.monotonic() - since > self.wait:
            raise self._nobody()
        return there

    def _threads(self) -> dict[str, int]:
        # Between two connections there is nobody.
        with suppress(OSError, TimeoutError, AttributeError):
            return dict(self.client.nthreads())
        return {}

    def _nobody(self) -> ClusterError:
        return ClusterError(
            f"no worker has come to the scheduler {self.address} for {self.wait:g} s: "
            f"start one with `dask worker {self.address}`, or wait longer"
        )


class _Run:
    """Tasks of one call that are under way.

    Parameters
    ----------
    cluster : Cluster
    function : callable
    tasks : sequence
    """

    def __init__(self, cluster: Cluster, function: Callable[[Task], Result], tasks: Tasks[Task]) -> None:
        self._cluster, self._tasks, self._wanted = cluster, tasks, about()
        self._function = pickle.dumps(function, protocol=5)
        # No other call has it: a result under a known name would be taken over by the scheduler.
        self._name = uuid.uuid4().hex
        # By the index of each task, with how often it was sent.
        self._flying: dict[int, tuple[Future, int]] = {}
        # Written to by a thread of the client.
        self._news: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()

    def send(self, index: int, times: int = 1) -> None:
        """Have a task done."""
        future = self._cluster.client.submit(
            work, self._function, pickle.dumps(self._tasks[index], protocol=5), self._wanted,
            key=f"pbpkc-{self._name}-{index}-{times}", pure=False,
        )  # fmt: skip
        self._flying[index] = future, times
        future.add_done_callback(lambda _: self._news.put((index, times)))

    def heard(self) -> int:
        """The next task of which there is news."""
        since = time.monotonic()
        while True:
            with suppress(queue.Empty):
                index, times = self._news.get(timeout=LOOK_SECONDS)
                if self._flying.get(index, (None, 0))[1] == times:
                    return index
            if self._cluster.look(since):
                since = time.monotonic()

    def result(self, index: int) -> tuple[Any] | None:
        """What a task gave; None if it is sent again.

        Raises
        ------
        ClusterError
            If it ended its workers time and again.
        Exception
            Whatever the task raised.
        """
        from distributed import KilledWorker

        future, times = self._flying[index]
        try:
            found = self._gathered(future)
        except ClusterError:
            raise
        except Exception as error:
            killed = isinstance(error, KilledWorker)
            if future.status == "error" and not killed:
                raise
            if times >= (SENT_AT_MOST if killed else LOST_AT_MOST):
                raise ClusterError(
                    f"the workers that took up part {index + 1} of {len(self._tasks)} of the work died one "
                    "after another: see what their machines say of it, for example of memory"
                    if killed
                    else f"the scheduler {self._cluster.address} lost a result {times} times ({error})"
                ) from None
            self._await_worker()
            self.send(index, times + 1)
            return None
        del self._flying[index]
        return (found,)

    def stop(self) -> None:
        """Give up what is under way."""
        with suppress(Exception):
            self._cluster.client.cancel([future for future, _ in self._flying.values()])

    def _gathered(self, future: Future) -> Any:
        since, patience = time.monotonic(), ANSWER_SECONDS
        while True:
            try:
                return future.result(timeout=patience)
            except TimeoutError:
                # Lost with its worker after it was done: the scheduler has it done again. Or it is long on
                # its way, and was cut short.
                if future.status == "error":
                    raise
                patience *= 2
                if self._cluster.look(since):
                    since = time.monotonic()

    def _await_worker(self) -> None:
        since = time.monotonic()
        while not self._cluster.look(since):
            time.sleep(LOOK_SECONDS / 10)


def _client(address: str) -> Client:
    """A connection to a scheduler.

    Raises
    ------
    ClusterError
        If there is none.
    """
    from distributed import Client

    try:
        return Client(address, timeout=ANSWER_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        told = "it does not answer" if isinstance(error, TimeoutError | OSError) else str(error)
        raise ClusterError(
            f"the scheduler {address} cannot be reached: {told}; look at the address that "
            "`dask scheduler` printed, and whether this machine may connect to it"
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """What dask would say of lost connections and large tasks is said by errors here, or no matter."""
    import dask
    import distributed  # noqa: F401  # puts its defaults among those that are set and taken back below

    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 GB"}):
            yield
    finally:
        logger.setLevel(level)
