"""What is kept of compiled libraries: listing, clearing, and a limit of size."""

from __future__ import annotations

import contextlib
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from pbpkc.native.entry import BUILDING, OURS, SUFFIX, Record, discard, library_path, read_record, record_path

#: Beyond this, those that were not used for longest are removed, bytes.
LIMIT = 500_000_000

# What a build that was killed has left is removed after this; no build takes as long, s.
_LEFT_OVER = 3600.0


@dataclass(frozen=True)
class Kept:
    """A compiled library in the cache.

    Attributes
    ----------
    key : str
    record : Record or None
        None where it is missing or does not fit its library, which is then built again when it is needed.
    size : int
        Of the library and its record, bytes.
    last_used : float
        Seconds since 1970.
    """

    key: str
    record: Record | None
    size: int
    last_used: float


@dataclass(frozen=True)
class Cleared:
    """What was removed: how many libraries, and how many bytes in all."""

    count: int
    size: int


def kept(folder: Path) -> tuple[Kept, ...]:
    """The libraries in a folder, the one used last first.

    Parameters
    ----------
    folder : Path
        One that is not there holds none.
    """
    keys = {match[1] for path in _files(folder) if (match := OURS.fullmatch(path.name))}
    found = (_kept(folder, key) for key in keys)
    return tuple(sorted((one for one in found if one is not None), key=lambda one: (-one.last_used, one.key)))


def clear(folder: Path) -> Cleared:
    """Remove all libraries, and what builds have left behind; files that are not ours stay.

    A process that has loaded one keeps it; one that is just building loses its build at worst, and goes on
    without a kernel.

    Raises
    ------
    OSError
        If something of ours cannot be removed.
    """
    count = size = 0
    for path in _files(folder):
        if OURS.fullmatch(path.name) and not path.is_dir():
            size += path.lstat().st_size
            count += path.suffix == SUFFIX
            path.unlink(missing_ok=True)
        elif BUILDING.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
            size += sum(inner.lstat().st_size for inner in path.rglob("*") if not inner.is_dir())
            shutil.rmtree(path, ignore_errors=True)
    return Cleared(count, size)


def prune(folder: Path, keep: str, limit: int = LIMIT) -> None:
    """Remove those that were used least recently until the rest is within the limit.

    Parameters
    ----------
    folder : Path
    keep : str
        The key of one that stays in any case.
    limit : int
        Bytes.
    """
    there = kept(folder)
    total = sum(one.size for one in there)
    for one in reversed(there):
        if total <= limit:
            break
        if one.key != keep:
            discard(folder, one.key)
            total -= one.size
    old = time.time() - _LEFT_OVER
    for path in _files(folder):
        with contextlib.suppress(OSError):
            if path.lstat().st_mtime > old:
                continue
            if BUILDING.fullmatch(path.name):
                shutil.rmtree(path)
            elif OURS.fullmatch(path.name) and path.suffix == ".lock":
                path.unlink()


def _kept(folder: Path, key: str) -> Kept | None:
    sizes, last_used = {}, 0.0
    for path in (library_path(folder, key), record_path(folder, key)):
        with contextlib.suppress(OSError):
            known = path.lstat()
            sizes[path] = known.st_size
            last_used = max(last_used, known.st_mtime)
    if not sizes:  # only a lock
        return None
    record = read_record(record_path(folder, key))
    if record is not None and record.library_bytes != sizes.get(library_path(folder, key)):
        record = None
    return Kept(key, record, sum(sizes.values()), last_used)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
