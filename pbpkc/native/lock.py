"""One process at a time, where the system can do that."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PAUSE = 0.01  # s


@contextmanager
def one_at_a_time(path: Path, seconds: float) -> Iterator[None]:
    """Do something while no other process does it.

    This only saves work: what is done inside must be right also when two processes do it at once. They do
    where the system has no such locks, where the file cannot be made, and when the time is over.

    Parameters
    ----------
    path : Path
        A file that is made, held locked, and removed. The system unlocks it when a process dies.
    seconds : float
        How long another process is waited for.
    """
    handle = _locked(path, seconds)
    try:
        yield
    finally:
        if handle is not None:
            # Removed while it is held: whoever waits for this file gets the lock of one that is gone, looks
            # again at what is there, and finds it done.
            with contextlib.suppress(OSError):
                path.unlink()
            os.close(handle)


def _locked(path: Path, seconds: float) -> int | None:
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return None
    end = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            if time.monotonic() > end:
                break
            time.sleep(_PAUSE)
        except OSError:  # some network file systems have no locks
            break
    os.close(handle)
    return None
