"""A cache of a test's own, programs that stand in for compilers, and a small text."""

from __future__ import annotations

import ctypes
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pbpkc.native import failure, folder, library, toolchain
from pbpkc.native.library import Function
from pbpkc.private_folder import private_folder

GCC = shutil.which("gcc") or shutil.which("cc") or ""

needs_gcc = pytest.mark.skipif(not GCC, reason="no C compiler on this machine")

#: sqrt(x) + SHIFT, and whether a value that is not a number stays one.
TEXT = """\
#include <math.h>
#ifndef SHIFT
#define SHIFT 0
#endif
double shifted_root(double x) { return sqrt(x) + SHIFT; }
int is_nan(double x) { return x != x; }
"""

FUNCTIONS = (
    Function("shifted_root", (ctypes.c_double,), ctypes.c_double),
    Function("is_nan", (ctypes.c_double,), ctypes.c_int),
)


def forget() -> None:
    """Let this process know of no kernel, no compiler, no cache folder, and have told nothing."""
    private_folder.cache_clear()
    folder._made.cache_clear()
    toolchain._found.cache_clear()
    failure.tell_once.cache_clear()
    for memory in (library._loaded, library._failed, library._hanging):
        memory.clear()  # type: ignore[attr-defined]


@contextmanager
def own_cache(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of kernels in a cache that nothing else uses; no $CC, kernels on."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("PBPKC_NATIVE", raising=False)
    forget()
    yield place / "cache" / "pbpkc" / "generated" / "kernels"
    forget()


def program(path: Path, text: str) -> Path:
    """A shell script that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def counting_compiler(path: Path, log: Path) -> Path:
    """gcc that writes a line into `log` for each compilation."""
    return program(
        path, f'case "$*" in *--version*) ;; *) echo compiled >> "{log}" ;; esac\nexec "{GCC}" "$@"'
    )
