"""What is asked of a compiler: the flags, and the key by which the result is found again."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from pbpkc.native.processor import first_core
from pbpkc.native.toolchain import Toolchain

# No -ffast-math: a value that is not a number has to stay one, and infinities too.
_FLAGS = ("-ffp-contract=fast", "-fno-math-errno", "-fPIC", "-shared", "-std=gnu11", "-pthread")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VALUE = re.compile(r"[A-Za-z0-9_.+-]*")


@dataclass(frozen=True)
class BuildOrder:
    """A text, the compiler, and all that decides what it makes of the text.

    Attributes
    ----------
    text : str
    toolchain : Toolchain
    flags : tuple of str
        Everything between the compiler and the name of the text.
    name : str
        Of the model, for people; the result does not depend on it.
    """

    text: str
    toolchain: Toolchain
    flags: tuple[str, ...]
    name: str = ""

    @property
    def key(self) -> str:
        """Hexadecimal digest of everything that the library depends on."""
        told = [self.flags, self.toolchain.command, self.toolchain.version, _processor()]
        digest = hashlib.sha256(json.dumps(told).encode())
        digest.update(self.text.encode())
        return digest.hexdigest()[:40]


def order(
    text: str,
    toolchain: Toolchain,
    defines: Mapping[str, int | str] | None = None,
    *,
    name: str = "",
    optimise: int = 3,
) -> BuildOrder:
    """The order to compile a text for this processor.

    Parameters
    ----------
    text : str
        C11 with GNU extensions.
    toolchain : Toolchain
    defines : mapping of str to int or str, optional
        Macros; a value is a number or a name.
    name : str
        Of the model, shown by `pbpkc cache`.
    optimise : int
        0 to 3, of -O.

    Raises
    ------
    ValueError
        If a macro or its value is no name or number, or `optimise` is out of range.
    """
    if optimise not in range(4):
        raise ValueError(f"optimise: {optimise} is not one of 0, 1, 2 and 3")
    macros = []
    for macro, value in sorted((defines or {}).items()):
        if not _NAME.fullmatch(macro) or not _VALUE.fullmatch(str(value)):
            raise ValueError(f"defines: {macro}={value} is not a name and a number or another name")
        macros.append(f"-D{macro}={value}")
    flags = (f"-O{optimise}", *_for_this_processor(toolchain), *_FLAGS, *macros)
    return BuildOrder(text, toolchain, flags, name)


def _for_this_processor(toolchain: Toolchain) -> tuple[str, ...]:
    """The flag that allows every instruction of this processor."""
    machine = platform.machine().lower()
    if toolchain.is_zig or machine in ("aarch64", "arm64"):
        return ("-mcpu=native",)
    # Elsewhere compilers disagree on the name of the flag, and do without.
    return ("-march=native",) if machine in ("x86_64", "amd64", "i686", "i386") else ()


#: What of a core decides which code it runs.
_TELLING = frozenset({"flags", "features", "model name", "cpu family", "model", "cpu part"})


@lru_cache(maxsize=1)
def _processor() -> str:
    """What decides whether code for this processor runs on another: system, model and instruction sets."""
    told = [sys.platform, platform.machine()]
    core = first_core()
    if core:
        told += [value for name, value in core.items() if name in _TELLING]
    else:
        # Not enough to tell two processors of one make apart; the name of the machine does that.
        told += [platform.processor(), platform.node()]
    return "\n".join(told)
