"""One compiled library on disk, with what is known of it beside it.

A library counts only with its record, and only if its bytes are those that the record names: a file that was
cut short would take the whole process down when it is loaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path

FORMAT = 1
SUFFIX = ".dll" if sys.platform == "win32" else ".so"

#: Names of our files in the folder: a library, its record, a lock; and a folder that something is built in.
OURS = re.compile(r"kernel-([0-9a-f]{40})\.(?:so|dll|json|lock)")
BUILDING = re.compile(r"build-[A-Za-z0-9_]+")


@dataclass(frozen=True)
class Record:
    """What is known of a compiled library.

    Attributes
    ----------
    key : str
        Digest of all that it depends on.
    sha256 : str
        Of the library.
    model : str
        Whose it is, as whoever asked for it said.
    compiler : str
        First line of the compiler's version.
    command : tuple of str
        The compiler.
    flags : tuple of str
    text_bytes, library_bytes : int
    seconds : float
        What the build took.
    """

    key: str
    sha256: str
    model: str
    compiler: str
    command: tuple[str, ...]
    flags: tuple[str, ...]
    text_bytes: int
    library_bytes: int
    seconds: float

    def to_json(self) -> str:
        """The text of the record's file."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"


def library_path(folder: Path, key: str) -> Path:
    """Where the library of a key stands in a folder."""
    return folder / f"kernel-{key}{SUFFIX}"


def record_path(folder: Path, key: str) -> Path:
    """Where the record of a key stands in a folder; its time of change is that of the last use."""
    return folder / f"kernel-{key}.json"


def lock_path(folder: Path, key: str) -> Path:
    """The file that whoever builds this key holds locked."""
    return folder / f"kernel-{key}.lock"


def read_record(path: Path) -> Record | None:
    """The record in a file, or None where it is missing or broken."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            return None
        content["command"], content["flags"] = tuple(content["command"]), tuple(content["flags"])
        record = Record(**content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return (
        record
        if all(_is_sound(field.name, getattr(record, field.name)) for field in fields(Record))
        else None
    )


def _is_sound(name: str, value: object) -> bool:
    if isinstance(value, tuple):
        return all(isinstance(word, str) for word in value)
    if name in ("text_bytes", "library_bytes", "seconds"):
        return isinstance(value, int | float)
    return isinstance(value, str)


def whole_library(folder: Path, key: str) -> Path | None:
    """The library of a key, if it is there and as it was made; its time of last use is now."""
    record = read_record(record_path(folder, key))
    path = library_path(folder, key)
    if record is None or record.key != key or digest(path) != record.sha256:
        return None
    with contextlib.suppress(OSError):
        os.utime(record_path(folder, key))
    return path


def discard(folder: Path, key: str) -> None:
    """Remove a library and its record."""
    # The record first: without it the library counts no more.
    for path in (record_path(folder, key), library_path(folder, key)):
        with contextlib.suppress(OSError):
            path.unlink()


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal; empty where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
