"""How far a training has come, for whoever waits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """How far training has come.

    Parameters
    ----------
    done, total : float
    what : str
    """

    done: float
    total: float
    what: str
