"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path


def write_whole(files: Mapping[Path, str | bytes | Path]) -> None:
    """Write files so that a reader sees the old files or the new ones, never a part of one.

    Parameters
    ----------
    files : mapping of Path to str, bytes or Path
        Text is written as UTF-8 with the line ends it has; a Path is a finished file on the same disk, which
        is renamed.
        All are written under temporary names first; only when every one is on disk are they renamed.

    Raises
    ------
    OSError
        If a directory does not exist or cannot be written; no file has then changed. It names the file that
        was to be written, not the temporary one.
    """
    written: list[tuple[str, Path]] = []
    finished: list[tuple[Path, Path]] = []
    try:
        for path, text in files.items():
            with _named(path):
                if isinstance(text, Path):
                    os.chmod(text, _mode(path))
                    finished.append((text, path))
                    continue
                handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
                written.append((temporary, path))
                with os.fdopen(handle, "wb") as file:
                    file.write(text if isinstance(text, bytes) else text.encode())
                os.chmod(temporary, _mode(path))
        for temporary, path in written:
            with _named(path):
                os.replace(temporary, path)
        for whole, path in finished:
            with _named(path):
                whole.replace(path)
    except BaseException:
        for temporary, _ in written:
            Path(temporary).unlink(missing_ok=True)
        raise


def _mode(path: Path) -> int:
    """Who may read and write a file: as before, for a new one as the user's mask says.

    A temporary file by itself is for its owner only.
    """
    with suppress(FileNotFoundError):
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Let an error of the system name a file; of a temporary one, or of none, it would tell nothing."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
