"""A folder of this user for what can be made again: generated code, kernels, the tables of the parser.

Only the user can write to it, so what is read back from it is as trustworthy as the program itself.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def private_folder() -> Path:
    """The folder, mode 0700; where there is no home that can be written, one for this process alone."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    try:
        folder = (Path(base) if base else Path.home() / ".cache") / "pbpkc" / "generated"
        make_private(folder)
        handle, probe = tempfile.mkstemp(dir=folder, suffix=".tmp")
        os.close(handle)
        os.unlink(probe)
        return folder
    except (OSError, RuntimeError) as error:
        temporary = tempfile.TemporaryDirectory(prefix="pbpkc-")
        # Removed when the process ends.
        _temporary[Path(temporary.name)] = temporary, _told(error)
        return Path(temporary.name)


def make_private(folder: Path) -> None:
    """Make a folder that only this user can write, or see that it is one.

    Parameters
    ----------
    folder : Path
        Folders above it are made as usual.

    Raises
    ------
    PermissionError
        If it belongs to another user, or others can write to it: what lies in it may then be anybody's.
    OSError
        If it cannot be made, or is no folder.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if hasattr(os, "getuid"):
        known = folder.lstat()
        if not stat.S_ISDIR(known.st_mode):
            raise PermissionError(errno.EPERM, "it is a link", str(folder))
        if known.st_uid != os.getuid():
            raise PermissionError(errno.EPERM, "it belongs to another user", str(folder))
        if known.st_mode & 0o022:
            raise PermissionError(errno.EPERM, "others can write to it", str(folder))
    folder.chmod(0o700)


def why_temporary(folder: Path) -> str | None:
    """Why a private folder is there for this process alone; None where it stays.

    Parameters
    ----------
    folder : Path
        From `private_folder`.
    """
    found = _temporary.get(folder)
    return found[1] if found is not None else None


def _told(error: OSError | RuntimeError) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


_temporary: dict[Path, tuple[tempfile.TemporaryDirectory[str], str]] = {}
