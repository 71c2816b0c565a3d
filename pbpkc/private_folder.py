"""A folder of this user for what can be made again: generated code, the tables of the parser.

Only the user can write to it, so what is read back from it is as trustworthy as the program itself.
"""

from __future__ import annotations

import os
import tempfile
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def private_folder() -> Path:
    """The folder, mode 0700; where there is no home that can be written, one for this process alone."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    try:
        folder = (Path(base) if base else Path.home() / ".cache") / "pbpkc" / "generated"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
            raise PermissionError("the cache folder belongs to another user")
        folder.chmod(0o700)
        handle, probe = tempfile.mkstemp(dir=folder, suffix=".tmp")
        os.close(handle)
        os.unlink(probe)
        return folder
    except (OSError, RuntimeError):
        temporary = tempfile.TemporaryDirectory(prefix="pbpkc-")
        _temporary.append(temporary)  # removed when the process ends
        return Path(temporary.name)


_temporary: list[tempfile.TemporaryDirectory[str]] = []
