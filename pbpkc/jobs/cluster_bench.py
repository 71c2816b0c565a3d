"""A population on a cluster one of whose workers dies half-way, compared with a run on this machine alone."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pbpkc.jobs.people_stream import StreamedPeople, stream_people
from pbpkc.jobs.population import population
from pbpkc.jobs.simulate_people import prepare_people
from pbpkc.scale.cluster import Cluster, open_cluster
from pbpkc.scale.local_cluster import LocalCluster, local_cluster
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.percentiles import percentiles_csv

if TYPE_CHECKING:
    from pbpkc.jobs.loaded import LoadedModel

#: Told done and all, and what is done.
Hear = Callable[[float, float, str], None]

_LEVELS = (5.0, 25.0, 50.0, 75.0, 95.0)


@dataclass(frozen=True)
class ClusterBench:
    """What the comparison found.

    Parameters
    ----------
    people, times, parts : int
    method : str
        What solved them.
    seconds_here, seconds_there : float
        Wall time of the solves with the tables: on one thread of this machine, and on the cluster with its
        loss.
    bytes : int
        Of the table of all curves.
    sha256_here, sha256_there : str
        Of the table and the percentiles.
    workers, workers_left : int
    lost_with_the_worker : int
        Parts that were in its hands: waiting, in work, or done and not yet fetched.
    """

    people: int
    times: int
    parts: int
    method: str
    seconds_here: float
    seconds_there: float
    bytes: int
    sha256_here: str
    sha256_there: str
    workers: int
    workers_left: int
    lost_with_the_worker: int

    @property
    def same_bytes(self) -> bool:
        """Whether the two runs gave the same tables."""
        return self.sha256_here == self.sha256_there


def cluster_bench(
    loaded: LoadedModel,
    scenario: str,
    count: int,
    points: int,
    workers: int,
    folder: Path,
    hear: Hear | None = None,
) -> ClusterBench:
    """Run a population here and on a cluster of this machine, and kill a worker half-way.

    Parameters
    ----------
    loaded : LoadedModel
        With a population block.
    scenario : str
    count : int
        People.
    points : int
        Times at which each is looked at.
    workers : int
        Of the cluster, at least 2.
    folder : Path
        For the tables, which are removed.
    hear : callable (done, all, word), optional

    Raises
    ------
    ClusterError
        If the cluster does not start, or fails.
    """
    prepared = prepare_people(loaded, population(loaded, count, 0, None), [scenario], None, points)
    tell = hear or (lambda done, total, word: None)

    def run(name: str, pool: Cluster | None, heard: Callable[[int, int], None]) -> tuple[float, _Found]:
        began = time.perf_counter()
        found = stream_people(
            loaded, prepared, SolverOptions(), False, 1, folder / f"{name}.partial", heard, None, pool
        )
        try:
            seconds = time.perf_counter() - began
            return seconds, _found(loaded, found)
        finally:
            found.store.close()
            found.store.remove()

    seconds_here, here = run("here", None, lambda done, total: tell(done, total, "on this machine"))
    with local_cluster(workers) as own, open_cluster(own.address) as pool:
        pool.client.wait_for_workers(workers, timeout=pool.wait)
        loss = _Loss(own, pool)

        def heard(done: int, total: int) -> None:
            tell(done, total, "on the cluster")
            if 2 * done >= total:
                loss.strike()

        seconds_there, there = run("there", pool, heard)
        left = sum(worker.poll() is None for worker in own.workers)
    return ClusterBench(
        count, points, here.parts, here.method, seconds_here, seconds_there, here.size, here.sha256,
        there.sha256, workers, left, loss.parts or 0,
    )  # fmt: skip


@dataclass(frozen=True)
class _Found:
    """Of one run."""

    parts: int
    method: str
    size: int
    sha256: str


def _found(loaded: LoadedModel, people: StreamedPeople) -> _Found:
    digest = hashlib.sha256()
    with people.store.rows.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
        size = file.tell()
    digest.update(percentiles_csv(people.percentiles(_LEVELS), loaded.model.time_unit).encode())
    return _Found(len(people.store.finished), people.solved_by[0].method, size, digest.hexdigest())


class _Loss:
    """The death of the first worker, once."""

    def __init__(self, own: LocalCluster, pool: Cluster) -> None:
        self._own, self._client = own, pool.client
        self.parts: int | None = None

    def strike(self) -> None:
        """Kill it, unless that was done, and count what it had."""
        if self.parts is not None:
            return
        victim = self._own.workers[0]
        pids = self._client.run(os.getpid)
        where = next(name for name, pid in pids.items() if pid == victim.pid)
        has = len(self._client.processing()[where]) + len(self._client.has_what()[where])
        victim.kill()
        victim.wait()
        self.parts = has
