"""What the system refused, with the file that the user named and what to do about it."""

from __future__ import annotations

import errno
from pathlib import Path

#: What the system said, and what helps. `{folder}` is the folder of the file.
_HELP = {
    errno.EACCES: "change the permissions of it and of the folder '{folder}', or name another place",
    errno.EPERM: "the system allows nothing to be written in '{folder}'; name another place",
    errno.EROFS: "'{folder}' is on a disk that is only read; name another place",
    errno.ENOSPC: "free space on the disk of '{folder}', or use another disk",
    errno.EDQUOT: "your share of the disk of '{folder}' is used up; free some, or use another disk",
    errno.EISDIR: "a folder has this name; name a file",
    errno.ENOTDIR: "'{folder}' is no folder; name another place",
    errno.EEXIST: "something else has this name; move it away, or name another place",
    errno.ENAMETOOLONG: "name a shorter one",
}


def told(error: OSError) -> str:
    """The message for an error of the system: what was wrong, with which file, and what to do.

    Parameters
    ----------
    error : OSError
    """
    if not error.filename:
        return f"error: {error.strerror or error}"
    message = f"error: {error.strerror}: '{error.filename}'"
    advice = _advice(error.errno, Path(str(error.filename)))
    return f"{message}\n  = help: {advice}" if advice else message


def _advice(number: int | None, path: Path) -> str:
    folder = path.absolute().parent
    if number == errno.ENOENT:
        if not folder.exists():
            return f"the folder '{folder}' does not exist; make it, or name another place"
        return "look at its name; where it was to be written, its folder takes no files: name another place"
    return _HELP.get(number or 0, "").format(folder=folder)
