"""Rows of a data file as numbers: what each is, and what of it cannot be read."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from pbpkc.experiment.csv_table import Cell, Table, formula_problem
from pbpkc.experiment.data_columns import Columns, WordColumn
from pbpkc.language.diagnostics import Diagnostic, Label, Severity
from pbpkc.language.source import Span

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")

#: Columns whose numbers are whole.
_WHOLE = ("CMT", "DVID", "EVID", "MDV", "ADDL", "SS", "CENS")

#: Problems of one kind that are shown one by one.
SHOWN = 3

Kind = Literal["dose", "observation", "other"]


class Problems:
    """Problems and remarks of the rows; those of one kind are shown a few times and then counted."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[Diagnostic]] = {}
        self._more: Counter[tuple[str, str]] = Counter()

    def add(
        self,
        code: str,
        message: str,
        span: Span | None,
        label: str = "",
        notes: Iterable[str] = (),
        help: str | None = None,
        severity: Severity = "error",
        kind: str = "",
        also: Label | None = None,
    ) -> None:
        """Note a problem. Those of the same code and `kind` are one kind."""
        key = (code, kind)
        shown = self._found.setdefault(key, [])
        if len(shown) < SHOWN:
            labels = [] if span is None else [Label(span, label)]
            labels += [] if also is None else [also]
            shown.append(Diagnostic(code, message, tuple(labels), tuple(notes), help, severity))
        else:
            self._more[key] += 1

    def all(self) -> list[Diagnostic]:
        """Everything found, the last shown of each kind saying how many more there are."""
        result: list[Diagnostic] = []
        for key, shown in self._found.items():
            more = self._more[key]
            if more:
                text = f"{more} more row{'s' if more > 1 else ''} like this"
                shown = [*shown[:-1], replace(shown[-1], notes=(*shown[-1].notes, text))]
            result.extend(shown)
        return result


@dataclass(frozen=True)
class Row:
    """One row in numbers.

    Parameters
    ----------
    order : int
        Place among the rows of the file.
    cells : tuple of Cell
    id : str
    kind : {"dose", "observation", "other"}
    numbers : dict of str to float
        By NONMEM word, as in the file; a missing value is left out.
    covariates : dict of str to float
        As in the file.
    measured : dict of str to float
        By observable, as in a wide file.
    """

    order: int
    cells: tuple[Cell, ...]
    id: str
    kind: Kind
    numbers: dict[str, float]
    covariates: dict[str, float]
    measured: dict[str, float] = field(default_factory=dict)

    @property
    def resets(self) -> bool:
        """Whether the row brings the body back to the start: EVID 3, or 4, which gives a dose as well."""
        return self.numbers.get("EVID") in (3.0, 4.0)

    @property
    def line(self) -> int:
        """Line of the file, from 1."""
        return self.cells[0].span.line

    def place(self, column: WordColumn | None) -> Span:
        """Where the value of a column stands; the whole row without one."""
        if column is None:
            return self.cells[0].span.to(self.cells[-1].span)
        return self.cells[column.index].span


def read_rows(table: Table, columns: Columns, problems: Problems) -> list[Row]:
    """The rows that are kept, in the order of the file."""
    rows: list[Row] = []
    for order, cells in enumerate(table.rows):
        if not _kept(cells, columns, problems):
            continue
        numbers: dict[str, float] = {}
        covariates: dict[str, float] = {}
        measured: dict[str, float] = {}
        readable = True
        for target, found in (
            (columns.words, numbers), (columns.covariates, covariates), (columns.measured, measured)
        ):  # fmt: skip
            for name, column in target.items():
                if name == "ID":
                    continue
                value = _number(cells[column.index], column, problems, name.partition("<")[0] in _WHOLE)
                if value is None:
                    readable = False
                elif not math.isnan(value):
                    found[name] = value
        identity = _identity(cells, columns, problems)
        if identity is None or not readable:
            continue
        row = Row(order, cells, identity, "other", numbers, covariates, measured)
        kind = _kind(row, columns, problems)
        if kind is not None:
            rows.append(replace(row, kind=kind))
    return rows


def _kept(cells: tuple[Cell, ...], columns: Columns, problems: Problems) -> bool:
    for column, low, high in columns.kept:
        value = _number(cells[column.index], column, problems, False)
        if value is None or math.isnan(value) or not low <= value <= high:
            return False
    return True


def _number(cell: Cell, column: WordColumn, problems: Problems, whole: bool) -> float | None:
    """The number of a cell, nan for a missing one, None for a cell that is no number."""
    text = cell.text
    if text in ("", "."):
        return math.nan
    header = column.header.text
    if not _NUMBER.match(text):
        if re.fullmatch(r"[-+]?\d+,\d+", text):
            help = "write decimals with a point"
        elif text.upper() in ("NA", "NAN", "NULL", "NONE", "-"):
            help = "write '.' for a missing value, or leave the cell empty"
        elif re.fullmatch(r"<\s*\d.*", text):
            help = "write the limit into a column LLOQ and 1 into a column CENS"
        else:
            help = "write a number such as 0.5 or 1.2e-3, or '.' for a missing value"
        problems.add(
            "data-not-a-number",
            f"'{text}' in column '{header}' is not a number",
            cell.span,
            help=help,
            kind=header,
        )
        return None
    value = float(text)
    if not math.isfinite(value):
        problems.add(
            "data-not-a-number",
            f"'{text}' in column '{header}' is too large for a number",
            cell.span,
            kind=header,
        )
        return None
    if whole and value != math.floor(value):
        problems.add(
            "data-not-whole", f"{text} in column '{header}' is not a whole number", cell.span, kind=header
        )
        return None
    return value


def _identity(cells: tuple[Cell, ...], columns: Columns, problems: Problems) -> str | None:
    column = columns.get("ID")
    if column is None:
        return None
    text = cells[column.index].text
    if text in ("", "."):
        problems.add("data-no-id", "the row does not say whose it is", cells[column.index].span, "no ID")
        return None
    if formula := formula_problem(cells[column.index]):
        problems.add(formula.code, formula.message, formula.span, formula.labels[0].text, help=formula.help)
        return None
    # 1, 1.0 and 01 are one person, as in NONMEM; any other text is a name.
    if _NUMBER.match(text) and float(text) == math.floor(float(text)):
        return str(int(float(text)))
    return text


def _kind(row: Row, columns: Columns, problems: Problems) -> Kind | None:
    """What a row is; None if it cannot be used."""
    numbers = row.numbers

    def refuse(word: str, message: str, code: str, help: str | None = None) -> None:
        problems.add(code, message, row.place(columns.get(word)), help=help, kind=f"{word}{message}")

    if "TIME" not in numbers:
        refuse("TIME", "the row has no time", "data-no-time")
        return None
    evid = numbers.get("EVID")
    amount = numbers.get("AMT", 0.0)
    if evid is None:
        # A constant infusion at steady state has no amount.
        constant = numbers.get("SS", 0.0) != 0.0 and numbers.get("RATE", 0.0) != 0.0
        evid = 1.0 if amount != 0.0 or constant else 0.0
    if evid not in (0, 1, 2, 3, 4):
        refuse(
            "EVID", f"EVID {evid:.0f} means nothing", "data-evid",
            "write 0 for an observation, 1 for a dose, 2 for covariates alone, 3 for a reset, "
            "4 for a reset and a dose",
        )  # fmt: skip
        return None
    if numbers.get("CMT", 0.0) < 0.0:
        refuse("CMT", f"CMT {numbers['CMT']:.0f} would turn a compartment off, which no model here does",
               "data-compartment", "leave the row out, and say in the model when a process runs")  # fmt: skip
        return None
    steady = numbers.get("SS", 0.0)
    if steady not in (0, 1, 2) and evid in (1, 4):
        refuse("SS", f"SS {steady:.0f} is not one of 0, 1 and 2", "data-steady",
               "write 1 for a steady state in place of what is there, 2 for one on top of it")  # fmt: skip
        return None
    if evid in (0, 2, 3) and amount != 0.0:
        what = {0: "an observation", 2: "a row of covariates", 3: "a reset"}[int(evid)]
        refuse("AMT", f"a row of EVID {evid:.0f}, {what}, has a dose amount", "data-evid",
               "write EVID 1 for a dose, EVID 4 for a reset and a dose, or AMT 0")  # fmt: skip
        return None
    return "dose" if evid in (1, 4) else "observation" if evid == 0 else "other"
