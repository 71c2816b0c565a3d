"""A program run without a shell, for a limited time, with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# What a compiler says beyond this helps nobody.
_MOST_OUTPUT = 65_536

# How long the end of the output is waited for after the end of the program, s.
_LAST_WORDS = 1.0


@dataclass(frozen=True)
class Finished:
    """How a program ended.

    Attributes
    ----------
    status : int or None
        Its exit status, negative for a signal; None where its time was over and it was ended.
    output : str
        The first 64 KiB of what it wrote to both of its outputs.
    """

    status: int | None
    output: str


def run_limited(
    command: Sequence[str], folder: Path, seconds: float, environment: Mapping[str, str] | None = None
) -> Finished:
    """The end of a program, which came by itself or when its time was over.

    Parameters
    ----------
    command : sequence of str
        The program, by its absolute path, and its arguments, which it gets as they are.
    folder : Path
        Where it runs.
    seconds : float
        Its time. Then it is killed with everything that it started.
    environment : mapping of str to str, optional
        What it sees beside the environment of this process.

    Raises
    ------
    OSError
        If it cannot be started.
    """
    process = subprocess.Popen(
        list(command),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "LC_ALL": "C", **(environment or {})},
        # A group of its own, which can be ended as a whole: gcc is several processes.
        start_new_session=True,
    )
    heard = bytearray()
    # Not into a file: on a full disk, what the compiler says of it would be lost.
    listener = threading.Thread(target=_listen, args=(process, heard), daemon=True)
    listener.start()
    status: int | None
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        status = None
    finally:
        # Also where this process is interrupted meanwhile: Ctrl-C does not reach another group.
        if process.returncode is None:
            _kill(process)
    # The pipe stays open as long as any child of the program lives, and wrappers such as sccache leave a
    # server behind, which is not waited for.
    listener.join(_LAST_WORDS)
    return Finished(status, bytes(heard).decode(errors="replace"))


def _listen(process: subprocess.Popen[bytes], heard: bytearray) -> None:
    """Take all that is said, so that the program is never held up, and keep its beginning."""
    assert process.stdout is not None
    with process.stdout as stream:
        while said := os.read(stream.fileno(), 65_536):
            heard.extend(said[: _MOST_OUTPUT - len(heard)])


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
