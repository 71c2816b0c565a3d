"""What is found of people, part after part: rows of a table, numbers for percentiles, and a journal.

Beside an output FILE the folder FILE.partial holds the rows so far, the numbers of every observable at every
time, and a line for each finished part. A run that is stopped goes on behind the last whole line; the folder
goes when the run is done. Without an output there are only the numbers.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np

from pbpkc.experiment.whole_file import write_whole
from pbpkc.jobs.cohort import Cohort
from pbpkc.jobs.number_table import NumberTable
from pbpkc.jobs.people_parts import Part
from pbpkc.solve.rows_text import cells_text, rows_text

#: Numbers that are kept in memory where no output needs them on disk: 512 MB.
MOST_IN_MEMORY = 64_000_000

_KEY, _JOURNAL, _ROWS, _NUMBERS = "key.json", "finished.jsonl", "rows.csv", "numbers-*.f8"


class OtherRun(Exception):
    """The folder holds something else than the beginning of this run; the message says what to do."""


@dataclass(frozen=True)
class Finished:
    """What is known of a finished part beside its numbers; people are their places in the cohort.

    Parameters
    ----------
    cohort, first, count : int
        Whose numbers they are.
    size : int
        Bytes of all rows so far.
    failed : tuple of (int, str, str, float or None)
        Who has no whole curve, reason, suggestion, and the time that was reached, h.
    retried : tuple of int
        Whom a kernel did not finish.
    holes : tuple of (int, int, int, int)
        Numbers that do not exist although the solver finished: person, observable, how many, the first time.
    """

    cohort: int
    first: int
    count: int
    size: int = 0
    failed: tuple[tuple[int, str, str, float | None], ...] = ()
    retried: tuple[int, ...] = ()
    holes: tuple[tuple[int, int, int, int], ...] = ()


class PeopleStore:
    """What is found of the people of a run.

    Parameters
    ----------
    cohorts : sequence of Cohort
    factor : float
        The unit of time in h, for the rows.
    states : bool
        Whether the rows have a column for every state.
    folder : Path, optional
        Where rows, numbers and journal are kept; without it there are no rows.
    key : str
        Hash of all that they depend on.

    Raises
    ------
    OtherRun
        If the folder holds something else.
    OSError
        If it cannot be written.
    """

    def __init__(
        self,
        cohorts: Sequence[Cohort],
        factor: float,
        states: bool,
        folder: Path | None = None,
        key: str = "",
    ) -> None:
        self.cohorts, self.folder, self.finished = cohorts, folder, list[Finished]()
        self._factor, self._states = factor, states
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._lock: IO[bytes] | None = None
        place = folder
        if folder is None:
            numbers = sum(_numbers(one) for one in cohorts)
            if numbers > MOST_IN_MEMORY:
                self._temporary = tempfile.TemporaryDirectory(prefix="pbpkc-people-")
                place = Path(self._temporary.name)
        else:
            self._begin(folder, key)
        self.tables = tuple(
            NumberTable(
                one.times.size, len(one.compiled.observable_names), len(one),
                None if place is None else place / _NUMBERS.replace("*", str(c)),
            )
            for c, one in enumerate(cohorts)
        )  # fmt: skip

    @property
    def people(self) -> int:
        """How many are finished."""
        return sum(part.count for part in self.finished)

    @property
    def rows(self) -> Path:
        """The file of the rows so far."""
        assert self.folder is not None
        return self.folder / _ROWS

    def add(self, part: Part) -> None:
        """Keep a part, which stands behind those that were added before."""
        cohort, batch = part.cohort, part.batch
        c = next(c for c, one in enumerate(self.cohorts) if one is cohort)
        people, times = len(batch), cohort.times.size
        values = batch.observables.reshape(people, times, -1)
        self.tables[c].put(part.first, values)
        ok = np.array([outcome.ok for outcome in batch.outcomes])
        wrong = ~np.isfinite(values) & ok[:, None, None]
        some = np.argwhere(wrong.any(axis=1)).tolist() if wrong.any() else []
        holes = tuple(
            (part.first + b, o, int(wrong[b, :, o].sum()), int(np.argmax(wrong[b, :, o]))) for b, o in some
        )
        failed = tuple(
            (part.first + b, outcome.reason, outcome.suggestion,
             outcome.reached if np.isfinite(outcome.reached) else None)
            for b, outcome in ((b, batch.outcomes[b]) for b in np.flatnonzero(~ok).tolist())
        )  # fmt: skip
        done = Finished(c, part.first, people, 0, failed, tuple(part.retried), holes)
        if self.folder is not None:
            if self._states:
                assert batch.states is not None
                values = np.concatenate((values, batch.states.reshape(people, times, -1)), axis=2)
            ids = cohort.ids[part.first : part.first + people]
            leads = [cells_text((cohort.scenario, id)) for id in ids]
            moments = [repr(time / self._factor) for time in cohort.times.tolist()]
            with self.rows.open("ab") as file:
                file.write(rows_text(leads, moments, values))
                done = replace(done, size=file.tell())
            with (self.folder / _JOURNAL).open("a", encoding="utf-8") as journal:
                journal.write(json.dumps(list(vars(done).values()), ensure_ascii=False) + "\n")
        self.finished.append(done)

    def close(self) -> None:
        """Let go of the folder, and of what is only temporary."""
        if self._lock is not None:
            self._lock.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def remove(self) -> None:
        """Drop the folder; somebody else's files in it stay."""
        if self._lock is not None:
            self._lock.close()
        if self.folder is not None:
            remove_partial(self.folder)

    def _begin(self, folder: Path, key: str) -> None:
        self._look_at(folder, key)
        self._lock = _locked(folder / _KEY)

    def _look_at(self, folder: Path, key: str) -> None:
        known = _known(folder)
        if known is not None and known != key:
            lines = _lines(folder)
            many = sum(part.count for part in lines)
            raise OtherRun(
                f"'{folder}' holds {many} finished runs of a command with other options or inputs; repeat "
                "that command to go on with it, name another output, or begin anew with --fresh"
            )
        if known is None and folder.exists() and any(folder.iterdir()):
            raise OtherRun(
                f"'{folder}' holds files that no stopped run left there; move them, or name another output"
            )
        if known == key:
            _locked(folder / _KEY).close()  # before anything is cut
            if self._taken_over(folder):
                return
        remove_partial(folder)
        folder.mkdir(parents=True, exist_ok=True)
        compiled = self.cohorts[0].compiled
        names = (*compiled.observable_names, *(compiled.state_names if self._states else ()))
        head = cells_text(("scenario", "id", "time", *names)) + "\n"
        write_whole({folder / _ROWS: head, folder / _JOURNAL: "", folder / _KEY: json.dumps({"key": key})})

    def _taken_over(self, folder: Path) -> bool:
        """Go on behind what is there and whole."""
        lines = _lines(folder)
        places = [folder / _NUMBERS.replace("*", str(c)) for c in range(len(self.cohorts))]
        sizes = [8 * _numbers(one) for one in self.cohorts]
        with suppress(OSError):
            rows, journal = folder / _ROWS, folder / _JOURNAL
            there = rows.stat().st_size
            if not lines or [p.stat().st_size for p in places] != sizes or there < lines[-1].size:
                return False
            with rows.open("r+b") as file:
                file.truncate(lines[-1].size)
            text = "".join(json.dumps(list(vars(x).values()), ensure_ascii=False) + "\n" for x in lines)
            write_whole({journal: text})
            self.finished = lines
            return True
        return False


def remove_partial(folder: Path) -> None:
    """Drop what a stopped run left; somebody else's files stay.

    Raises
    ------
    OtherRun
        If that run is not stopped.
    """
    if (folder / _KEY).exists():
        _locked(folder / _KEY).close()
    if folder.is_dir():
        for file in (*folder.glob(_NUMBERS), folder / _ROWS, folder / _JOURNAL, folder / _KEY):
            file.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()


def _locked(path: Path) -> IO[bytes]:
    """A file, held as long as it is open: two runs that write the same rows would spoil them.

    Raises
    ------
    OtherRun
        If another process holds it. The system lets go of it when a process dies.
    """
    file = path.open("rb")
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise OtherRun(
                f"another run is writing '{path.parent}'; wait for it, or name another output"
            ) from None
        except OSError:
            pass  # some network file systems have no locks
    return file


def _numbers(cohort: Cohort) -> int:
    return cohort.times.size * len(cohort.compiled.observable_names) * len(cohort)


def _known(folder: Path) -> str | None:
    """The key of what a folder holds."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads((folder / _KEY).read_text(encoding="utf-8"))["key"])
    return None


def _lines(folder: Path) -> list[Finished]:
    """The whole lines of a journal; the last one may be cut short."""
    found: list[Finished] = []
    with suppress(OSError, ValueError, TypeError):
        for line in (folder / _JOURNAL).read_text(encoding="utf-8").split("\n"):
            cohort, first, count, size, failed, retried, holes = json.loads(line)
            found.append(
                Finished(
                    cohort, first, count, size, tuple(map(tuple, failed)), tuple(retried),
                    tuple(map(tuple, holes)),
                )
            )  # fmt: skip
    return found
