"""What a worker of a cluster does: say what it is, and do a task that was sent to it as bytes."""

from __future__ import annotations

import pickle
import platform
import sys
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

#: Packages that the numbers come from; all machines must have the same.
NUMBERS_FROM = ("pbpkc", "numpy", "scipy")


class ClusterError(OSError):
    """A cluster that cannot be used, in one sentence; the user can do something about it."""


#: One task at a time in each worker: SciPy's integrators keep global state, and a kernel takes all threads.
_BUSY = threading.Lock()


def about() -> dict[str, str]:
    """What the numbers of this process depend on: Python and packages, by name."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"Python": ".".join(platform.python_version_tuple()[:2])}
    for name in NUMBERS_FROM:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def demand_same(wanted: Mapping[str, str], found: Mapping[str, str], who: str) -> None:
    """Do nothing where two machines have the same versions.

    Raises
    ------
    ClusterError
        Which differ.
    """
    wrong = [
        f"{name} {found.get(name, 'none')} where this machine has {version}"
        for name, version in wanted.items()
        if found.get(name) != version
    ]
    if wrong:
        raise ClusterError(
            f"{who} has {', and '.join(wrong)}: install the same versions there, "
            "so that the numbers are the same"
        )


def work(function: bytes, task: bytes, wanted: dict[str, str]) -> Any:
    """The result of a task.

    Parameters
    ----------
    function, task : bytes
        Pickled. A model is in the former, which is unpacked once for all tasks that have the same.
    wanted : dict of str to str
        Versions of the machine that asks: a worker may come when others have been looked at already.

    Raises
    ------
    ClusterError
        If this worker has other versions, or cannot read what it was sent.
    Exception
        Whatever the function raises.
    """
    who = f"the worker {address()}"
    demand_same(wanted, about(), who)
    with _BUSY:
        try:
            do, one = _unpacked(function), pickle.loads(task)
        except (ImportError, AttributeError) as error:
            raise ClusterError(
                f"{who} cannot read what it was sent ({error}): install the same pbpkc there"
            ) from None
        return do(one)


def no_kernel(reason: str) -> ClusterError:
    """That this worker has no kernel where the machine that asked has one."""
    return ClusterError(
        f"the worker {address()} has no kernel, which this machine has: {reason}; install a C compiler "
        "there, or take --solver reference for all"
    )


@lru_cache(maxsize=4)
def _unpacked(function: bytes) -> Callable[[Any], Any]:
    found: Callable[[Any], Any] = pickle.loads(function)
    return found


def address() -> str:
    """The worker that this is, empty where it is none."""
    worker = _worker()
    return "" if worker is None else str(worker.address)


def threads() -> int:
    """Threads that a task of this worker may use."""
    worker = _worker()
    return 1 if worker is None else int(worker.state.nthreads)


def _worker() -> Any:
    # Whoever has not loaded it is no worker.
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        return distributed.get_worker()
    except ValueError:
        return None
