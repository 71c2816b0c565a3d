"""What this machine's processor says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def first_core() -> Mapping[str, str]:
    """What the system tells of the first core, by name in lower case; empty where it tells nothing."""
    found: dict[str, str] = {}
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if not line.strip():  # the other cores are like the first
                    break
                name, _, value = line.partition(":")
                found[name.strip().lower()] = value.strip()
    except OSError:
        return {}
    return found
