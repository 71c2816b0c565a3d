"""From C text to a shared library on disk, compiled once and found again."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from pbpkc.native.cache import prune
from pbpkc.native.entry import (
    SUFFIX,
    Record,
    digest,
    library_path,
    lock_path,
    record_path,
    whole_library,
)
from pbpkc.native.failure import BuildFailure, CompilerHangs
from pbpkc.native.folder import kernel_folder, process_folder, tell_alone
from pbpkc.native.limited import Finished, run_limited
from pbpkc.native.lock import one_at_a_time
from pbpkc.native.order import BuildOrder, order
from pbpkc.native.toolchain import SWITCH, Toolchain

#: A compiler that needs longer is taken to hang, s.
TIME_LIMIT = 120.0

# What a compiler says of a full disk, and how much of an error is told.
_NO_SPACE = "No space left on device"
_MOST_LINES, _MOST_CHARACTERS = 3, 300


def build(
    text: str,
    toolchain: Toolchain,
    defines: Mapping[str, int | str] | None = None,
    *,
    name: str = "",
    optimise: int = 3,
    time_limit: float = TIME_LIMIT,
) -> Path:
    """A shared library of the text, from the user's cache or newly compiled.

    Parameters
    ----------
    text : str
        C11 with GNU extensions, written by pbpkc; it is compiled under a file name of our own.
    toolchain : Toolchain
    defines : mapping of str to int or str, optional
        Macros; a value is a number or a name.
    name : str
        Of the model, for `pbpkc cache`.
    optimise : int
        0 to 3, of -O.
    time_limit : float
        For the compiler, s.

    Returns
    -------
    Path
        The library, whole. Many processes may ask for one text at once: one compiles, the others wait.

    Raises
    ------
    BuildFailure
        If the compiler cannot be started, refuses the text, makes nothing, or has no room for it;
        `CompilerHangs` if it does not end within its time.
    """
    return build_order(order(text, toolchain, defines, name=name, optimise=optimise), time_limit)


def build_order(wanted: BuildOrder, time_limit: float = TIME_LIMIT) -> Path:
    """As `build`, for an order that was made before."""
    try:
        folder = kernel_folder()
        try:
            return build_in(folder, wanted, time_limit)
        except OSError as error:
            tell_alone(f"{folder}: {error.strerror}")
            return build_in(process_folder(), wanted, time_limit)
    except OSError as error:
        raise BuildFailure(f"there is no place for a compiled kernel: {error.strerror or error}") from error


def build_in(folder: Path, wanted: BuildOrder, time_limit: float) -> Path:
    """As `build_order`, in a given folder; an OSError is about the folder."""
    key = wanted.key
    path = whole_library(folder, key)
    if path is None:
        with one_at_a_time(lock_path(folder, key), time_limit):
            # Another process may have built it meanwhile.
            path = whole_library(folder, key) or _built(folder, wanted, time_limit)
    return path


def _built(folder: Path, wanted: BuildOrder, time_limit: float) -> Path:
    """The library, newly compiled; an OSError is about the folder."""
    with tempfile.TemporaryDirectory(prefix="build-", dir=folder, ignore_cleanup_errors=True) as temporary:
        place = Path(temporary)
        (place / "kernel.c").write_text(wanted.text, encoding="utf-8")
        made = place / f"kernel{SUFFIX}"
        # Bare names: what the compiler writes of them into the library is then the same everywhere.
        command = (*wanted.toolchain.command, *wanted.flags, "-o", made.name, "kernel.c", "-lm")
        began = time.perf_counter()
        _demand_done(_compiled(command, place, time_limit, wanted), made, wanted, time_limit)
        record = Record(
            key=wanted.key,
            sha256=digest(made),
            model=wanted.name,
            compiler=wanted.toolchain.title,
            command=wanted.toolchain.command,
            flags=wanted.flags,
            text_bytes=len(wanted.text.encode()),
            library_bytes=made.stat().st_size,
            seconds=round(time.perf_counter() - began, 3),
        )
        (place / "kernel.json").write_text(record.to_json(), encoding="utf-8")
        # The library first: it counts only with its record. Two processes that come here at once leave a
        # pair that belongs together, or one that does not, which is then built again.
        os.replace(made, library_path(folder, wanted.key))
        os.replace(place / "kernel.json", record_path(folder, wanted.key))
    with contextlib.suppress(OSError):
        prune(folder, keep=wanted.key)
    return library_path(folder, wanted.key)


def _compiled(command: tuple[str, ...], place: Path, seconds: float, wanted: BuildOrder) -> Finished:
    try:
        # Its own temporary files go where they are removed, also if it is killed.
        return run_limited(command, place, seconds, {"TMPDIR": str(place)})
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        raise BuildFailure(
            f"the C compiler {_shown(wanted.toolchain)} cannot be started: {error.strerror}"
        ) from error


def _demand_done(finished: Finished, made: Path, wanted: BuildOrder, time_limit: float) -> None:
    compiler = f"the C compiler {_shown(wanted.toolchain)}"
    if finished.status is None:
        raise CompilerHangs(
            f"{compiler} did not end within {time_limit:g} s and was stopped; {SWITCH}=off goes without it"
        )
    if _NO_SPACE in finished.output:
        raise OSError(errno.ENOSPC, _NO_SPACE)
    if finished.status != 0:
        raise BuildFailure(f"{compiler} failed ({_first_errors(finished)})")
    if not made.is_file() or made.stat().st_size == 0:
        raise BuildFailure(f"{compiler} reported no error, but wrote no library")


def _shown(toolchain: Toolchain) -> str:
    return shlex.join(toolchain.command)


def _first_errors(finished: Finished) -> str:
    """The first lines that say error, else the first lines, on one line."""
    lines = [line.strip() for line in finished.output.splitlines() if line.strip()]
    told = [line for line in lines if "error" in line.lower()] or lines
    text = "; ".join(told[:_MOST_LINES])
    # What a program prints is not obeyed by the terminal.
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    if len(text) > _MOST_CHARACTERS:
        text = text[:_MOST_CHARACTERS] + "..."
    return text or f"exit status {finished.status}"
