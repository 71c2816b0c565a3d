"""Curves of single subjects from the rows of a NONMEM-style table."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pbpkc.experiment.csv_table import Cell, Table, cap, formula_problem, require_column
from pbpkc.language.diagnostics import Diagnostic, Label, SpecError

# NONMEM words that are read where the file has them, whatever their case.
_WORDS = ("AMT", "RATE", "EVID", "MDV", "CENS", "LLOQ", "SS", "ADDL")
# What an observation is of; one curve has one.
_KINDS = ("DVID", "CMT")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_LIMIT = re.compile(r"<\s*(.+)")
_BELOW = ("BLQ", "BQL", "BLOQ", "LLOQ", "<LLOQ")


@dataclass(frozen=True)
class Columns:
    """Which columns to read.

    Parameters
    ----------
    by : tuple of str, optional
        Columns whose values together tell one curve from another, the subject first. None: ``ID``, or where
        the file has no such column, one curve.
    time, concentration : str
        Headers.
    """

    by: tuple[str, ...] | None = None
    time: str = "TIME"
    concentration: str = "DV"


@dataclass(frozen=True)
class Sample:
    """One observation; a value below quantification holds its limit, nan where that is not known."""

    time: float
    concentration: float
    blq: bool
    cell: Cell
    time_cell: Cell


@dataclass(frozen=True)
class DoseRecord:
    """One dose row; `amount` and `rate` are None where the file does not say."""

    time: float
    amount: float | None
    rate: float | None
    repeats: bool
    cell: Cell


@dataclass(frozen=True)
class Profile:
    """The rows of one curve, in file order.

    Parameters
    ----------
    group : tuple of str
        Values of the `by` columns.
    samples : tuple of Sample
        Times as in the file, not decreasing.
    doses : tuple of DoseRecord
    missing : int
        Observation rows without a value, left out.
    """

    group: tuple[str, ...]
    samples: tuple[Sample, ...]
    doses: tuple[DoseRecord, ...]
    missing: int


@dataclass(frozen=True)
class _Row:
    key: tuple[str, ...]
    evid: int
    sample: Sample | None
    dose: DoseRecord | None
    cell: Cell
    kinds: Mapping[str, Cell]


def read_profiles(
    table: Table, columns: Columns, lloq: float | None
) -> tuple[tuple[str, ...], tuple[Profile, ...]]:
    """The curves of a table, and the names of the columns that tell them apart.

    Rows with EVID 0 (without that column: rows whose AMT is not positive) are observations, unless MDV is 1
    or the value is missing (``.`` or empty). EVID 1 and 4 are doses, EVID 2 is passed over, and EVID 3 and 4
    may only begin a curve. Below quantification are: values under `lloq` (or the column LLOQ), values with
    CENS 1, which hold their limit, ``<0.05``, ``BLQ``, and 0, since nothing is ever measured as 0. A curve
    without dose rows of its own takes those of its subject that belong to no other curve, so that analytes
    numbered in a column of their own share a dose.

    Raises
    ------
    SpecError
        With everything that is wrong: columns, cells, times that go backwards in a curve, several analytes in
        one curve.
    """
    by = columns.by if columns.by is not None else (("ID",) if "ID" in table.names else ())
    wanted = [(name, "--by") for name in by]
    wanted += [(columns.time, "--time"), (columns.concentration, "--conc")]
    problems = [p for name, option in wanted if (p := require_column(table, name, option))]
    if problems:
        raise SpecError(problems)
    # The names of these columns stand in the results as well as what is in them.
    problems += [p for name in by if (p := formula_problem(table.header[table.names.index(name)]))]
    reader = _Reader(table, columns, by, lloq, problems)
    rows = [row for cells in table.rows if (row := reader.row(cells))]
    if problems:
        raise SpecError(cap(problems))
    profiles = _collect(rows, reader.missing, problems)
    if problems:
        raise SpecError(cap(problems))
    if not profiles:
        end = table.rows[-1][-1].span.end_point()
        raise SpecError([Diagnostic("data-no-samples", "the data file has no observation", (Label(end),))])
    return by, profiles


class _Reader:
    """Reads rows and keeps what is wrong with them."""

    def __init__(
        self,
        table: Table,
        columns: Columns,
        by: tuple[str, ...],
        lloq: float | None,
        problems: list[Diagnostic],
    ) -> None:
        places = {name: i for i, name in enumerate(table.names)}
        upper = {name.upper(): i for i, name in enumerate(table.names)}
        self.by = [places[name] for name in by]
        self.time = places[columns.time]
        self.value = places[columns.concentration]
        self.kinds = {word: upper[word] for word in _KINDS if word in upper}
        self.words: Mapping[str, int] = {word: upper[word] for word in _WORDS if word in upper}
        self.lloq = lloq
        self.problems = problems
        self.missing: dict[tuple[str, ...], int] = {}
        self.seen: set[tuple[str, ...]] = set()

    def row(self, cells: tuple[Cell, ...]) -> _Row | None:
        key = tuple(cells[i].text for i in self.by)
        if key not in self.seen:
            self.seen.add(key)
            self.problems += [p for i in self.by if (p := formula_problem(cells[i]))]
        amount = self._word(cells, "AMT")
        evid = self._word(cells, "EVID") if "EVID" in self.words else None
        if evid is None:
            evid = 1.0 if amount is not None and amount > 0 else 0.0
        here = cells[self.words["EVID"]] if "EVID" in self.words else cells[self.time]
        if evid not in (0, 1, 2, 3, 4):
            self._problem("data-evid", f"EVID is {evid:g}; it is 0, 1, 2, 3 or 4", here)
            return None
        if evid == 2 or (evid == 0 and self._word(cells, "MDV") == 1):
            return None
        time = self._number(cells[self.time])
        if time is None:
            if cells[self.time].text in ("", "."):
                self._problem("data-missing-time", "the row has no time", cells[self.time])
            return None
        if evid == 0:
            sample = self._sample(cells, time, key)
            kinds = {word: cells[i] for word, i in self.kinds.items()}
            return _Row(key, 0, sample, None, here, kinds) if sample else None
        dose = None
        if evid in (1, 4):
            repeats = (self._word(cells, "SS") or 0) > 0 or (self._word(cells, "ADDL") or 0) > 0
            rate = self._word(cells, "RATE") or None
            dose = DoseRecord(time, amount, rate, repeats, cells[self.words.get("AMT", self.time)])
        return _Row(key, int(evid), None, dose, here, {})

    def _sample(self, cells: tuple[Cell, ...], time: float, key: tuple[str, ...]) -> Sample | None:
        cell, text = cells[self.value], cells[self.value].text
        if text in ("", "."):
            self.missing[key] = self.missing.get(key, 0) + 1
            return None
        own = self._word(cells, "LLOQ")
        limit = own if own is not None else self.lloq
        blq, value = False, math.nan
        if text.upper() in _BELOW:
            blq = True
        elif below := _LIMIT.fullmatch(text):
            number = self._number(Cell(below[1], cell.span))
            if number is None:
                return None
            blq, limit = True, number
        else:
            number = self._number(cell)
            if number is None:
                return None
            value = number
            if value < 0:
                self._problem("data-negative", f"the concentration is {cell.text}, below 0", cell)
                return None
            if self._word(cells, "CENS") == 1:
                blq, limit = True, value if value > 0 else limit
            elif value == 0 or (limit is not None and value < limit):
                blq = True
        if blq:
            value = limit if limit is not None else math.nan
        return Sample(time, value, blq, cell, cells[self.time])

    def _word(self, cells: tuple[Cell, ...], word: str) -> float | None:
        place = self.words.get(word)
        return None if place is None else self._number(cells[place])

    def _number(self, cell: Cell) -> float | None:
        if cell.text in ("", "."):
            return None
        if _NUMBER.fullmatch(cell.text):
            number = float(cell.text)
            if math.isfinite(number):
                return number
        self._problem("data-not-a-number", f"'{cell.text}' is not a number", cell)
        return None

    def _problem(self, code: str, message: str, cell: Cell) -> None:
        diagnostic = Diagnostic(code, message, (Label(cell.span),))
        # One cell is read for several purposes; it is wrong once.
        if diagnostic not in self.problems:
            self.problems.append(diagnostic)


def _collect(
    rows: list[_Row], missing: Mapping[tuple[str, ...], int], problems: list[Diagnostic]
) -> tuple[Profile, ...]:
    samples: dict[tuple[str, ...], list[Sample]] = {}
    doses: dict[tuple[str, ...], list[DoseRecord]] = {}
    kinds: dict[tuple[str, ...], Mapping[str, Cell]] = {}
    for row in rows:
        begun = row.key in samples or row.key in doses
        if row.evid in (3, 4) and begun:
            problems.append(
                Diagnostic(
                    "data-reset",
                    f"EVID {row.evid} resets the subject within a curve",
                    (Label(row.cell.span),),
                    help="name the column that numbers the occasions: --by ID,OCC",
                )
            )
        if row.dose:
            doses.setdefault(row.key, []).append(row.dose)
        if row.sample:
            curve = samples.setdefault(row.key, [])
            mixed = _mixed(kinds.setdefault(row.key, row.kinds), row.kinds)
            if mixed:
                problems.append(mixed)
                kinds[row.key] = {}  # further rows of the curve would only repeat it
            elif curve and row.sample.time < curve[-1].time:
                problems.append(_backwards(curve[-1], row.sample))
            curve.append(row.sample)
    profiles = []
    for key, curve in samples.items():
        own = doses.get(key)
        if own is None:
            shared = (d for k, d in doses.items() if k[:1] == key[:1] and k not in samples)
            own = [dose for records in shared for dose in records]
        profiles.append(Profile(key, tuple(curve), tuple(own), missing.get(key, 0)))
    return tuple(profiles)


def _mixed(first: Mapping[str, Cell], here: Mapping[str, Cell]) -> Diagnostic | None:
    for word, before in first.items():
        if before.text != here[word].text:
            return Diagnostic(
                "data-mixed",
                f"one curve has observations of {word} {before.text} and of {word} {here[word].text}",
                (Label(here[word].span), Label(before.span, "before")),
                help=f"name the column that tells them apart: --by ID,{word}",
            )
    return None


def _backwards(before: Sample, after: Sample) -> Diagnostic:
    return Diagnostic(
        "data-time-backwards",
        f"the time goes back from {before.time_cell.text} to {after.time_cell.text} within a curve",
        (Label(after.time_cell.span), Label(before.time_cell.span, "the sample before")),
        help="sort the rows of each curve by time, and name all columns that tell curves apart: --by ID,DVID",
    )
