"""The words of generated equations for numba."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pbpkc.studies.solvers.peers.words import FLOATS


def compiled_words(njit: Callable[[Any], Any]) -> Mapping[str, Any]:
    """The words for floats, those that are written in Python compiled."""
    return {
        name: njit(word) if getattr(word, "__module__", "").endswith("peers.words") else word
        for name, word in FLOATS.items()
    }
