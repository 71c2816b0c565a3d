"""A C text as a loaded library whose functions can be called."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pbpkc.native.build import TIME_LIMIT, build_in, build_order
from pbpkc.native.entry import discard
from pbpkc.native.failure import BuildFailure, CompilerHangs, tell_once
from pbpkc.native.folder import process_folder, tell_alone
from pbpkc.native.order import BuildOrder, order
from pbpkc.native.toolchain import Toolchain, find_toolchain


@dataclass(frozen=True)
class Function:
    """How a function of a text is called.

    Attributes
    ----------
    name : str
    arguments : tuple of types of ctypes
        `ctypes.c_void_p` for an array: its address, `array.ctypes.data`.
    result : type of ctypes or None
        None for void.
    """

    name: str
    arguments: tuple[Any, ...]
    result: Any = None


def compiled_library(
    text: str,
    *,
    name: str,
    functions: Sequence[Function] = (),
    defines: Mapping[str, int | str] | None = None,
    optimise: int = 3,
    time_limit: float = TIME_LIMIT,
) -> ctypes.CDLL:
    """The library of a C text, compiled if it is not in the user's cache, and loaded.

    Parameters
    ----------
    text : str
        C11 with GNU extensions, written by pbpkc; it is run.
    name : str
        Of the model it belongs to, for `pbpkc cache`.
    functions : sequence of Function
        What is declared. A call of a declared function releases Python's lock, so threads run side by side.
    defines : mapping of str to int or str, optional
        Macros; a value is a number or a name.
    optimise : int
        0 to 3, of -O.
    time_limit : float
        For the compiler, s.

    Returns
    -------
    ctypes.CDLL
        Of one text and one set of options always the same in a process.

    Raises
    ------
    NoKernel
        If there is no compiler, or it makes nothing that can be loaded; the reason is one sentence. A failure
        is remembered for this process: a compiler that hangs is not tried with every text.
    """
    toolchain = find_toolchain()
    if toolchain.remark:
        tell_once(toolchain.remark)
    if toolchain in _hanging:
        raise CompilerHangs(_hanging[toolchain])
    wanted = order(text, toolchain, defines, name=name, optimise=optimise)
    key = wanted.key
    if key in _failed:
        raise BuildFailure(_failed[key])
    if key not in _loaded:
        try:
            _loaded[key] = _built_and_loaded(wanted, time_limit)
        except CompilerHangs as failure:
            _hanging[toolchain] = failure.reason
            raise
        except BuildFailure as failure:
            _failed[key] = failure.reason
            raise
    library = _loaded[key]
    for function in functions:
        declared = getattr(library, function.name)
        declared.argtypes, declared.restype = list(function.arguments), function.result
    return library


#: Libraries of this process, and what could not be had, by the key of the order. A library stays loaded as
#: long as the process lives, whatever becomes of its file.
_loaded: dict[str, ctypes.CDLL] = {}
_failed: dict[str, str] = {}
_hanging: dict[Toolchain, str] = {}


def _built_and_loaded(wanted: BuildOrder, time_limit: float) -> ctypes.CDLL:
    path = build_order(wanted, time_limit)
    with contextlib.suppress(OSError):
        return load(path)
    # As it was made, and yet not to be loaded: made on another system, in a folder that several share.
    discard(path.parent, wanted.key)
    path = build_order(wanted, time_limit)
    with contextlib.suppress(OSError):
        return load(path)
    # Some disks hold nothing that may be run.
    discard(path.parent, wanted.key)
    try:
        library = load(build_in(process_folder(), wanted, time_limit))
    except OSError as error:
        raise BuildFailure(f"the compiled kernel cannot be loaded: {error}") from error
    tell_alone(f"{path.parent}: nothing in it can be loaded as a program")
    return library


def load(path: Path) -> ctypes.CDLL:
    """The library in a file, loaded into this process.

    Raises
    ------
    OSError
        If it is no library for this system.
    """
    return ctypes.CDLL(str(path))
