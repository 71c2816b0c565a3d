"""How many numbers one instruction of this machine takes."""

from __future__ import annotations

import platform
from functools import lru_cache

from pbpkc.native.processor import first_core


@lru_cache(maxsize=1)
def lanes() -> int:
    """Doubles in a vector register: 8 with AVX-512, 4 with AVX2, else 2 (SSE2, NEON).

    Where the processor does not tell, two: every 64-bit processor has them.
    """
    flags = _flags()
    if "avx512f" in flags and "avx512dq" in flags:
        return 8
    return 4 if "avx2" in flags else 2


def _flags() -> frozenset[str]:
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return frozenset()
    return frozenset(first_core().get("flags", "").split())
