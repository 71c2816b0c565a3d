"""Why there is no compiled kernel, and what is told of it."""

from __future__ import annotations

import warnings
from functools import lru_cache


class NoKernel(Exception):
    """There is no compiled library; the work is done without.

    Attributes
    ----------
    reason : str
        One sentence without a full stop, which can be shown to the user.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoCompiler(NoKernel):
    """No compiler was found, or compiled kernels are turned off."""


class BuildFailure(NoKernel):
    """A compiler is there, but no library that can be loaded came of it."""


class CompilerHangs(BuildFailure):
    """The compiler did not end within its time; nothing else will be asked of it in this process."""


class KernelNote(UserWarning):
    """Something about compiled kernels that a user can act on; results do not depend on it."""


@lru_cache(maxsize=256)
def tell_once(text: str) -> None:
    """Give a `KernelNote`, once in this process, and only in the process that the user started.

    Parameters
    ----------
    text : str
        One sentence.
    """
    # Not for runs that compile nothing: it takes a hundredth of a second to import.
    import multiprocessing

    if multiprocessing.parent_process() is None:
        warnings.warn(text, KernelNote, stacklevel=2)
