"""Numbers of many people at every time, in memory, or in a file of which little is in memory at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class NumberTable:
    """Observables of the people of a scenario.

    What was not put is 0.

    Parameters
    ----------
    times, observables, people : int
    path : Path, optional
        A file that is made, or has the right size from an earlier run; in memory if left out.
    """

    def __init__(self, times: int, observables: int, people: int, path: Path | None = None) -> None:
        # Percentiles are over the people, who therefore stand side by side.
        self.shape = times, observables, people
        self.path = path
        self._kept = np.zeros(self.shape) if path is None else None
        if path is not None and not (path.exists() and path.stat().st_size == self.size):
            with path.open("wb") as file:
                file.truncate(self.size)

    @property
    def size(self) -> int:
        """Bytes."""
        times, observables, people = self.shape
        return 8 * times * observables * people

    def put(self, first: int, values: Array) -> None:
        """Numbers of the people from `first` on, shape (b, T, O)."""
        # Opened for each part: pages of a file that stays mapped count as memory of the process.
        self._open("r+")[:, :, first : first + len(values)] = values.transpose(1, 2, 0)

    def at(self, first: int, end: int) -> Array:
        """Numbers at the times from `first` to `end`, shape (end - first, O, B)."""
        if self._kept is not None:
            return self._kept[first:end]
        assert self.path is not None
        _, observables, people = self.shape
        row = observables * people
        found = np.fromfile(self.path, count=(end - first) * row, offset=8 * first * row)
        return found.reshape(end - first, observables, people)

    def person(self, place: int) -> Array:
        """The curves of one of them, shape (T, O)."""
        return np.array(self._open("r")[:, :, place])

    def _open(self, mode: str) -> Array:
        if self._kept is not None or not self.size:
            return np.zeros(self.shape) if self._kept is None else self._kept
        return np.memmap(self.path, dtype=np.float64, mode=mode, shape=self.shape)  # type: ignore[call-overload,no-any-return]
