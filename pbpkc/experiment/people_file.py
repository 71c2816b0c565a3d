"""Reading people from a CSV file, with the units that stand in the JSON file beside it."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.csv_table import (
    Cell,
    Table,
    cap,
    decode,
    formula_problem,
    read_table,
    require_column,
)
from pbpkc.experiment.people import People, beside_of, units_by_column
from pbpkc.language.diagnostics import Diagnostic, Label, SpecError, similar
from pbpkc.language.model import Model
from pbpkc.language.scenario.populations import VARIABLE
from pbpkc.language.source import SourceFile
from pbpkc.language.units import Unit, UnitError, canonical_text, parse_unit

Array = NDArray[np.float64]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def read_people(path: str | Path, model: Model) -> People:
    """The people of a file, as `pbpkc population -o FILE` writes it.

    Parameters
    ----------
    path : path
        A CSV file with a column ``id`` and a column for each quantity that differs; the units stand in
        ``path.json``, of which only ``columns`` is needed.
    model : Model
        Whose quantities the columns are.

    Returns
    -------
    People
        Columns in the units of the file. Values may lie outside the bounds of the model.

    Raises
    ------
    SpecError
        With everything that is wrong with the two files.
    """
    path = Path(path)
    content = _bytes(path)
    source = decode(content, str(path))
    plain = _plain(source.text)
    table = read_table(source if plain is None else SourceFile(source.name, plain.head))
    told = _beside(path, table, model)
    problems: list[Diagnostic] = []
    missing = require_column(table, "id", "a header")
    if missing is not None:
        raise SpecError([missing])
    places = [i for i, name in enumerate(table.names) if name != "id"]
    units: list[Unit] = []
    for place in places:
        found = _column(table, place, told, model)
        problems.append(found) if isinstance(found, Diagnostic) else units.append(found)
    if not places:
        problems.append(
            Diagnostic(
                "data-missing-column",
                "the file has no column beside 'id', so nothing sets its people apart",
                (Label(table.header[-1].span.end_point(), "header ends here"),),
                help="add a column of a covariate or a parameter",
            )
        )
    if plain is not None:
        ids, values = plain.ids, plain.values
    else:
        ids, values, wrong = _people(table, places)
        problems += wrong
    if problems:
        raise SpecError(cap(problems))
    provenance = {key: value for key, value in told.items() if key not in ("format", "columns")}
    provenance["sha256"] = hashlib.sha256(content).hexdigest()
    names = tuple(table.names[place] for place in places)
    return People(ids, names, tuple(units), values, provenance, str(path))


@dataclass(frozen=True)
class _Plain:
    """People of a text in which nothing is out of the ordinary: `head` is its first two lines."""

    head: str
    ids: tuple[str, ...]
    values: Array


def _plain(text: str) -> _Plain | None:
    """The people of a text without quotes, comments and blanks, and with nothing wrong in it; else None.

    Cells that know their place take most of the time of a large file and are of use only for messages.
    """
    if any(sign in text for sign in '"# \t'):
        return None
    lines = text.rstrip("\n").split("\n")
    names = lines[0].split(",")
    rows = [line.split(",") for line in lines[1:]]
    if names.count("id") != 1 or not rows or any(len(row) != len(names) for row in rows):
        return None
    place = names.index("id")
    ids = tuple(row.pop(place) for row in rows)
    if len(set(ids)) != len(ids) or any(not id or id[0] in "=+-@" for id in ids):
        return None
    if not all(_NUMBER.fullmatch(cell) for row in rows for cell in row):
        return None
    values = np.array([list(map(float, row)) for row in rows])
    return _Plain("\n".join(lines[:2]) + "\n", ids, values) if np.isfinite(values).all() else None


def _people(table: Table, places: Sequence[int]) -> tuple[tuple[str, ...], Array, list[Diagnostic]]:
    """Ids, numbers of the columns at `places`, and what is wrong with them."""
    id_place = table.names.index("id")
    problems: list[Diagnostic] = []
    ids: dict[str, Cell] = {}
    rows: list[list[float]] = []
    for cells in table.rows:
        problems += _identity(cells[id_place], ids)
        row = []
        for place in places:
            value = _number(cells[place])
            if value is None:
                problems.append(_no_number(cells[place], cells[id_place].text, table.names[place]))
            row.append(math.nan if value is None else value)
        rows.append(row)
    return tuple(ids), np.array(rows), problems


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SpecError(
            [Diagnostic("data-file", f"'{path}' cannot be read: {error.strerror or error}")]
        ) from error


def _beside(path: Path, table: Table, model: Model) -> Mapping[str, Any]:
    """The JSON file, as plain data with the text of a unit for each column."""
    beside = beside_of(path)
    names = [name for name in table.names if name != "id"]
    units = [model.definitions[n].unit.text if n in model.definitions else "unit" for n in names]
    example = json.dumps({"columns": units_by_column(names, units)}, ensure_ascii=False)
    help = f"write '{beside.name}' beside the file, for example {example}"
    try:
        told = json.loads(beside.read_text(encoding="utf-8"))
    except OSError:
        message = f"the units of '{path}' are not told: there is no '{beside}'"
        raise SpecError([Diagnostic("people-units", message, help=help)]) from None
    except ValueError:
        raise SpecError([Diagnostic("people-units", f"'{beside}' is no JSON text", help=help)]) from None
    columns = told.get("columns") if isinstance(told, dict) else None
    if not isinstance(columns, dict) or not all(isinstance(x, str | None) for x in columns.values()):
        message = f"'{beside}' has no 'columns' with the unit of each"
        raise SpecError([Diagnostic("people-units", message, help=help)])
    assert isinstance(told, dict)
    return told


def _column(table: Table, place: int, told: Mapping[str, Any], model: Model) -> Unit | Diagnostic:
    """The unit of a column, or what is wrong with it."""
    head = table.header[place]
    if table.names.index(head.text) != place:
        return Diagnostic(
            "data-duplicate-column",
            f"the column '{head.text}' stands twice in the header",
            (Label(head.span, "again here"), Label(table.header[table.names.index(head.text)].span)),
        )
    definition = model.definitions.get(head.text)
    if definition is None or definition.kind not in VARIABLE:
        names = [name for name, d in model.definitions.items() if d.kind in VARIABLE]
        near = similar(head.text, names)
        what = "is computed and cannot be given" if definition is not None else "is nothing of the model"
        return Diagnostic(
            "unknown-name",
            f"the column '{head.text}' {what}",
            (Label(head.span),),
            (f"one with a similar name exists: '{near}'",) if near else (),
            "columns are covariates, params, masked parameters and attributes; leave out what is none",
        )
    text = told["columns"].get(head.text)
    if text is None:
        return Diagnostic(
            "missing-unit",
            f"the unit of the column '{head.text}' is not told",
            (Label(head.span),),
            help=f'add "{head.text}": "{definition.unit.text}" to the columns of the JSON file',
        )
    try:
        unit = parse_unit(text)
    except UnitError as error:
        return Diagnostic("bad-unit", f"column '{head.text}': {error}", (Label(head.span),), help=error.help)
    if unit.dimension != definition.expr.dim:
        return Diagnostic(
            "unit-mismatch",
            f"the column '{head.text}' is in {unit}, and '{head.text}' in "
            f"[{canonical_text(definition.expr.dim)}]",
            (Label(head.span),),
            help=f"correct it in the JSON file: the spec writes {definition.unit}",
        )
    return unit


def _identity(cell: Cell, seen: dict[str, Cell]) -> list[Diagnostic]:
    if not cell.text:
        return [Diagnostic("data-id", "a person has no id", (Label(cell.span, "empty"),))]
    if formula := formula_problem(cell):
        return [formula]
    before = seen.setdefault(cell.text, cell)
    if before is cell:
        return []
    labels = (Label(cell.span, "again here"), Label(before.span, "first here"))
    return [Diagnostic("data-id", f"two people have the id '{cell.text}'", labels)]


def _number(cell: Cell) -> float | None:
    value = float(cell.text) if _NUMBER.fullmatch(cell.text) else math.nan
    return value if math.isfinite(value) else None


def _no_number(cell: Cell, id: str, name: str) -> Diagnostic:
    what = "has no value" if cell.text in ("", ".") else f"is '{cell.text}'"
    return Diagnostic(
        "data-number",
        f"'{name}' of person '{id}' {what}",
        (Label(cell.span),),
        help="write a number with a decimal point, in the unit of the column",
    )
