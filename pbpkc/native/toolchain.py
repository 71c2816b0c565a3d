"""Which C compiler there is."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pbpkc.native.failure import NoCompiler
from pbpkc.native.limited import run_limited

#: Environment variable that turns compiled kernels off (`off`), or on as usual (`on`).
SWITCH = "PBPKC_NATIVE"

NO_COMPILER = (
    "no C compiler was found, so the SciPy solver is used; "
    "install gcc or clang, or `pip install 'pbpkc[native]'`"
)

# Looked for on the PATH in this order, after $CC and before the wheel.
_USUAL = ("gcc", "clang", "cc")

# A compiler that needs longer than this to say its version is not waited for.
_VERSION_SECONDS = 10.0


@dataclass(frozen=True)
class Toolchain:
    """A C compiler that said its version.

    Attributes
    ----------
    command : tuple of str
        The program by its absolute path, and what always stands behind it, such as `cc` behind zig.
    name : str
        What it is called: gcc, clang, cc, zig, or the program that $CC names.
    version : str
        All it says of its version.
    remark : str
        Where $CC is set and cannot be used: that, and which compiler stands in for it. Else empty.
    """

    command: tuple[str, ...]
    name: str
    version: str
    remark: str = ""

    @property
    def title(self) -> str:
        """The first line of what it says of its version."""
        return self.version.strip().partition("\n")[0].strip() or self.name

    @property
    def is_zig(self) -> bool:
        """Whether it is clang inside zig, some of whose options have other names."""
        return "ziglang" in self.command or Path(self.command[0]).stem == "zig"


def find_toolchain() -> Toolchain:
    """The compiler to use: $CC, then gcc, clang or cc, then the one in the wheel ziglang.

    $CC may hold arguments (`ccache gcc`); it is split as a shell would, but no shell sees it. What is found
    is remembered for this process, as long as the environment stays as it is.

    Raises
    ------
    NoCompiler
        If there is none, or `PBPKC_NATIVE` is `off`.
    ValueError
        If `PBPKC_NATIVE` is something else than `on` or `off`.
    """
    switch = os.environ.get(SWITCH, "").strip().lower()
    if switch not in ("", "on", "off"):
        raise ValueError(f"{SWITCH}={os.environ[SWITCH]}: accepted are on and off")
    if switch == "off":
        raise NoCompiler(f"compiled kernels are turned off by {SWITCH}=off")
    found = _found(os.environ.get("CC", "").strip(), os.environ.get("PATH", ""))
    if isinstance(found, str):
        raise NoCompiler(found)
    return found


@lru_cache(maxsize=8)
def _found(wished: str, path: str) -> Toolchain | str:
    """The compiler, or why there is none. `path` is only what the answer depends on."""
    refused = ""
    if wished:
        words = _words(wished)
        asked = _asked(words, Path(words[0]).name) if words else None
        if asked is not None:
            return asked
        silent = f"did not say its version within {_VERSION_SECONDS:g} s, as a compiler does"
        refused = f"CC={shlex.quote(wished)} {silent if words else 'names no compiler that can be run'}"
    for command, name in _candidates():
        asked = _asked(command, name, f"{refused}, so {name} is used" if refused else "")
        if asked is not None:
            return asked
    return f"{refused}, and {NO_COMPILER}" if refused else NO_COMPILER


def _words(wished: str) -> tuple[str, ...]:
    """The program that $CC names, by its absolute path, and its arguments; empty where there is none."""
    try:
        words = shlex.split(wished, posix=os.name != "nt")
    except ValueError:  # a quotation mark without its partner
        return ()
    program = shutil.which(words[0]) if words else None
    return (os.path.abspath(program), *words[1:]) if program else ()


def _candidates() -> Iterator[tuple[tuple[str, ...], str]]:
    for name in _USUAL:
        program = shutil.which(name)
        if program:
            yield (os.path.abspath(program),), name
    if importlib.util.find_spec("ziglang") is not None:
        yield (sys.executable, "-m", "ziglang", "cc"), "zig"


def _asked(command: tuple[str, ...], name: str, remark: str = "") -> Toolchain | None:
    """The compiler, if it says its version."""
    try:
        answer = run_limited((*command, "--version"), Path(tempfile.gettempdir()), _VERSION_SECONDS)
    except OSError:
        return None
    if answer.status != 0 or not answer.output.strip():
        return None
    return Toolchain(command, name, answer.output, remark)
