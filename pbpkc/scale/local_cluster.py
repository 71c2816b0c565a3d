"""A scheduler and workers as processes of this machine, as a user starts them by hand."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pbpkc.scale.cluster_worker import ClusterError

#: Seconds that a scheduler may take to start.
_START_SECONDS = 60.0


@dataclass(frozen=True)
class LocalCluster:
    """Processes that belong together.

    Parameters
    ----------
    address : str
        Of the scheduler.
    scheduler : Popen
    workers : list of Popen
    folder : Path
        Where the workers keep what they need, and logs.
    """

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]
    folder: Path

    def add_worker(self) -> subprocess.Popen[bytes]:
        """Start a worker."""
        place = self.folder / f"worker-{len(self.workers)}"
        place.mkdir()
        # Without a nanny, which would start it again: what dies is gone, as a machine that fails.
        started = _dask(
            place / "log.txt", "worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
            "--host", "127.0.0.1", "--memory-limit", "0", "--local-directory", str(place),
        )  # fmt: skip
        self.workers.append(started)
        return started


@contextmanager
def local_cluster(workers: int = 2) -> Iterator[LocalCluster]:
    """A scheduler on a free port of 127.0.0.1, and workers of one thread.

    Raises
    ------
    ClusterError
        If it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="pbpkc-cluster-") as name:
        folder = Path(name)
        file = folder / "scheduler.json"
        scheduler = _dask(
            folder / "log.txt", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
            "--scheduler-file", str(file),
        )  # fmt: skip
        started: list[subprocess.Popen[bytes]] = []
        try:
            found = LocalCluster(_address(file, scheduler), scheduler, started, folder)
            for _ in range(workers):
                found.add_worker()
            yield found
        finally:
            for process in (*started, scheduler):
                process.kill()
            for process in (*started, scheduler):
                process.wait()


def _address(file: Path, scheduler: subprocess.Popen[bytes]) -> str:
    """What the scheduler wrote into its file."""
    until = time.monotonic() + _START_SECONDS
    while scheduler.poll() is None and time.monotonic() < until:
        # It may be looked at before it is whole.
        with suppress(OSError, ValueError, KeyError):
            return str(json.loads(file.read_text(encoding="utf-8"))["address"])
        time.sleep(0.05)
    raise ClusterError("no dask scheduler could be started on this machine")


def _dask(log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen([sys.executable, "-m", "dask", *arguments], stdout=file, stderr=file)
