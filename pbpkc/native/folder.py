"""Where compiled libraries are kept: the user's cache, or else a folder of this process."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

from pbpkc.native.failure import tell_once
from pbpkc.private_folder import make_private, private_folder, why_temporary


def kernel_folder() -> Path:
    """The folder of this user's kernels, which only he can write.

    Where there is none that stays and can be trusted, the folder of this process; that is told once.

    Raises
    ------
    OSError
        If not even a temporary folder can be made.
    """
    above = private_folder()
    folder = above / "kernels"
    trouble = why_temporary(above)
    try:
        make_private(folder)
    except OSError as error:
        trouble, folder = f"{folder}: {error.strerror}", process_folder()
    if trouble:
        tell_alone(trouble)
    return folder


def tell_alone(trouble: str) -> None:
    """Say, once, that kernels do not outlive this process, and why."""
    tell_once(f"compiled kernels are kept for this process alone ({trouble})")


def process_folder() -> Path:
    """A folder that is removed when this process ends.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    return Path(_made().name)


@lru_cache(maxsize=1)
def _made() -> tempfile.TemporaryDirectory[str]:
    # A library that is loaded cannot be removed on Windows; the system's own cleaning does that.
    return tempfile.TemporaryDirectory(prefix="pbpkc-kernels-", ignore_cleanup_errors=True)
