"""Which column of a data file means what: the header against the lines of a `data` block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pbpkc.experiment.csv_table import Cell, Table
from pbpkc.language.diagnostics import Diagnostic, Label, similar
from pbpkc.language.evaluate import NotEvaluable, evaluate
from pbpkc.language.expression import Expr
from pbpkc.language.model import Column, DataBlock, Model
from pbpkc.language.units import AMOUNT, MASS, ONE, Dimension, Unit, canonical_text, canonical_unit

#: NONMEM's words and what they are, as notes of the reader's messages.
WORDS: Mapping[str, str] = {
    "ID": "individual", "TIME": "time", "AMT": "dose amount", "RATE": "infusion rate", "DV": "measured value",
    "CMT": "compartment number", "DVID": "observation number", "EVID": "kind of event",
    "MDV": "missing value", "II": "interval between doses", "ADDL": "additional doses", "SS": "steady state",
    "LAG": "lag", "F": "bioavailable fraction", "CENS": "censored", "LLOQ": "limit of quantification",
    "SD": "standard deviation",
}  # fmt: skip


#: Value of a name of the model.
Lookup = Callable[[str], Any]


@dataclass(frozen=True)
class WordColumn:
    """A column of the file and what to do with its numbers.

    Parameters
    ----------
    name : str
        NONMEM word or covariate.
    index : int
        Place in a row.
    header : Cell
    unit : Unit or None
        Of the numbers in the file; None for those without one.
    factor : float
        Of ``column ... * factor``, canonical.
    factor_expr : Expr or None
        The same as written, with its dimension.
    """

    name: str
    index: int
    header: Cell
    unit: Unit | None = None
    factor: float = 1.0
    factor_expr: Expr | None = None

    @property
    def dimension(self) -> Dimension:
        """Of a number of this column after its factor."""
        unit = ONE if self.unit is None else self.unit.dimension
        return unit if self.factor_expr is None else unit * self.factor_expr.dim

    def canonical(self, number: float) -> float:
        """A number of this column in canonical units."""
        if self.unit is None:
            return number * self.factor
        return (number * float(self.unit.factor) + float(self.unit.offset)) * self.factor


@dataclass(frozen=True)
class Columns:
    """The columns that are read.

    Parameters
    ----------
    words : mapping of str to WordColumn
        NONMEM words found in the file or named in the block.
    covariates : mapping of str to WordColumn
        Inputs too.
    measured : mapping of str to WordColumn
        Of a wide file: observables that have a column of their own.
    kept : tuple of (WordColumn, low, high)
        Rows outside these bounds are left out.
    """

    words: Mapping[str, WordColumn]
    covariates: Mapping[str, WordColumn]
    kept: tuple[tuple[WordColumn, float, float], ...] = ()
    measured: Mapping[str, WordColumn] = field(default_factory=dict)

    def get(self, word: str) -> WordColumn | None:
        """The column of a word, None where the file has none."""
        return self.words.get(word)


@dataclass
class Matching:
    """Where problems and remarks go while columns are matched."""

    problems: list[Diagnostic] = field(default_factory=list)
    notes: list[Diagnostic] = field(default_factory=list)


def match_columns(
    model: Model, block: DataBlock, table: Table, lookup: Lookup, scored: bool
) -> tuple[Columns, list[Diagnostic], list[Diagnostic]]:
    """Match the header of a file with a data block.

    Parameters
    ----------
    model : Model
    block : DataBlock
    table : Table
    lookup : callable
        Value of a name of the model, for factors.
    scored : bool
        Whether measured values are needed.

    Returns
    -------
    columns : Columns
    problems, notes : list of Diagnostic
    """
    found = Matching()
    lines: dict[str, Column] = {}
    for line in block.columns:
        if line.target in lines:
            found.problems.append(
                _at(line, "data-column-twice", f"the column of '{line.target}' is told twice")
            )
        lines.setdefault(line.target, line)
    words: dict[str, WordColumn] = {}
    for word in WORDS:
        column = _place(lines.get(word), word, table, lookup, found)
        if column is not None:
            words[word] = column
    covariates = {d.name: d for d in model.definitions.values() if d.kind in ("covariate", "input") or d.hold}
    observables = {o.name for o in model.observables}
    matched: dict[str, WordColumn] = {}
    measured: dict[str, WordColumn] = {}
    for name, line in lines.items():
        if name in WORDS:
            continue
        if (name.endswith(">") and name.partition("<")[0] in WORDS) or name in observables:
            column = _place(line, name, table, lookup, found)
            if column is not None:
                (measured if name in observables else words)[name] = column
            continue
        definition = covariates.get(name)
        if definition is None:
            found.problems.append(_unknown_target(line, covariates))
            continue
        column = _covariate(line, definition.unit, definition.expr.dim, table, lookup, found)
        if column is not None:
            matched[name] = column
    _required(block, table, words, scored and not observables & lines.keys(), found)
    _units(model, block, words, lines, found)
    kept = _kept(block, table, words, found)
    told = {name: d for name, d in covariates.items() if d.kind != "input"}
    _remarks(table, {**words, **measured}, matched, told, kept, found)
    return Columns(words, matched, kept, measured), found.problems, found.notes


def _place(
    line: Column | None, word: str, table: Table, lookup: Lookup, found: Matching
) -> WordColumn | None:
    header = word if line is None else line.header
    places = [i for i, cell in enumerate(table.header) if cell.text == header]
    if len(places) > 1:
        first, second = (table.header[i].span for i in places[:2])
        found.problems.append(
            Diagnostic(
                "data-duplicate-column",
                f"the column '{header}' stands twice in the header",
                (Label(second, "again here"), Label(first, "first here")),
            )
        )
    if not places:
        if line is not None:
            found.problems.append(_missing(header, table, f"column {word} = {header}", line))
        return None
    factor = 1.0
    if line is not None and line.factor is not None:
        try:
            factor = float(evaluate(line.factor, lookup))
        except (NotEvaluable, ArithmeticError, ValueError) as error:
            found.problems.append(_at(line, "data-factor", f"the factor of '{word}' has no value: {error}"))
    return WordColumn(
        word, places[0], table.header[places[0]], None if line is None else line.unit, factor,
        None if line is None else line.factor,
    )  # fmt: skip


def _covariate(
    line: Column, unit: Unit, dimension: Dimension, table: Table, lookup: Lookup, found: Matching
) -> WordColumn | None:
    if line.header not in table.names:
        near = similar(line.header, table.names)
        found.notes.append(
            _note(
                "data-no-covariate",
                f"the data file has no column '{line.header}', so '{line.target}' has the model's value for "
                "everyone",
                Label(table.header[-1].span.end_point(), "header ends here"),
                f"a column with a similar name exists: '{near}'" if near else None,
            )
        )
        return None
    column = _place(line, line.target, table, lookup, found)
    if column is None:
        return None
    if column.unit is None and not dimension.is_one and line.factor is None:
        found.problems.append(_no_unit(line.target, line.header, f"[{unit.text}]", column, line))
    elif column.dimension != dimension:
        found.problems.append(
            _at(
                line,
                "data-unit",
                f"column '{line.header}' is in [{canonical_text(column.dimension)}] after its factor and "
                f"'{line.target}' in [{canonical_text(dimension)}]",
            )
        )
    return column


def _required(
    block: DataBlock, table: Table, words: Mapping[str, WordColumn], scored: bool, found: Matching
) -> None:
    """Columns without which the block means nothing."""
    named = {line.target for line in block.columns}
    needed = {"ID", "TIME"}
    if scored:
        needed.add("DV")
    if block.dose_rows:
        needed.add("AMT")
    needed |= {word for word, _, _ in block.dose_rows} | {word for word, *_ in block.observe_rows}
    for word in WORDS:
        if word in needed and word not in words and word not in named:
            found.problems.append(_missing(word, table, f"column {word} = HEADER", None))


def _units(
    model: Model,
    block: DataBlock,
    words: Mapping[str, WordColumn],
    lines: Mapping[str, Column],
    found: Matching,
) -> None:
    """Units of TIME, AMT and what follows from them."""
    time, amount = words.get("TIME"), words.get("AMT")
    clock = model.time_unit.dimension
    if time is not None:
        _demand(time, lines, clock, f"[{model.time_unit.text}]", found)
    for word in ("II", "LAG"):
        column = words.get(word)
        if column is not None and column.unit is not None:
            _demand(column, lines, clock, f"[{model.time_unit.text}]", found)
    dimensional = any(not _dose_dimension(model, dose.state).is_one for _, _, dose in block.dose_rows)
    if amount is not None and amount.unit is None and amount.factor_expr is None and dimensional:
        found.problems.append(_no_unit("AMT", amount.header.text, "[mg]", amount, lines.get("AMT")))
    rate = words.get("RATE")
    if rate is not None and rate.unit is not None and amount is not None and amount.unit is not None:
        given = rate.dimension * clock
        if given not in (amount.dimension, MASS, AMOUNT):
            per_time = f"{amount.unit.text}/{model.time_unit.text}"
            found.problems.append(_wrong_unit(rate, lines["RATE"], per_time))
    fraction = words.get("F")
    if fraction is not None and not fraction.dimension.is_one:
        found.problems.append(_wrong_unit(fraction, lines["F"], "1"))


def _dose_dimension(model: Model, state: str) -> Dimension:
    return next(s.unit.dimension for s in model.states if s.name == state)


def _demand(
    column: WordColumn, lines: Mapping[str, Column], dimension: Dimension, example: str, found: Matching
) -> None:
    line = lines.get(column.name)
    if column.unit is None and column.factor_expr is None and not dimension.is_one:
        found.problems.append(_no_unit(column.name, column.header.text, example, column, line))
    elif column.dimension != dimension and line is not None:
        found.problems.append(_wrong_unit(column, line, example.strip("[]")))


def _kept(
    block: DataBlock, table: Table, words: Mapping[str, WordColumn], found: Matching
) -> tuple[tuple[WordColumn, float, float], ...]:
    kept = []
    for name, low, high in block.keep:
        column = words.get(name)
        if column is None and name in table.names:
            place = table.names.index(name)
            column = WordColumn(name, place, table.header[place])
        if column is None:
            found.problems.append(_missing(name, table, "keep HEADER in (low, high)", None))
        else:
            kept.append((column, low, high))
    return tuple(kept)


def _remarks(
    table: Table,
    words: Mapping[str, WordColumn],
    matched: Mapping[str, WordColumn],
    covariates: Mapping[str, Any],
    kept: tuple[tuple[WordColumn, float, float], ...],
    found: Matching,
) -> None:
    """Covariates without a column, columns without a use."""
    told = {note.message for note in found.notes}
    for name, definition in covariates.items():
        if name in matched or any(f"'{name}' has the model's value" in message for message in told):
            continue
        unit = "" if definition.unit.text == "1" else f" [{definition.unit.text}]"
        has = name in table.names
        found.notes.append(
            _note(
                "data-no-covariate",
                f"no column is told for covariate '{name}', so it has the model's value for everyone",
                Label(table.header[table.names.index(name)].span, "not read") if has else None,
                None,
                f"add the line: column {name}{unit}" if has else None,
            )
        )
    used = {c.index for c in (*words.values(), *matched.values(), *(column for column, _, _ in kept))}
    unused = [cell for i, cell in enumerate(table.header) if i not in used and cell.text]
    if unused:
        found.notes.append(
            _note(
                "data-unused-column",
                f"columns not used: {', '.join(cell.text for cell in unused)}",
                Label(unused[0].span),
            )
        )


def _missing(header: str, table: Table, line_text: str, line: Column | None) -> Diagnostic:
    near = similar(header, [name for name in table.names if name not in WORDS])
    labels = [Label(table.header[-1].span.end_point(), "header ends here")]
    if line is not None and line.span is not None:
        labels.append(Label(line.span, "asked for here"))
    word = line_text.split()[1] if line_text.startswith("column") else header
    return Diagnostic(
        "data-missing-column",
        f"the data file has no column '{header}'" + (f" ({WORDS[header]})" if header in WORDS else ""),
        tuple(labels),
        (*((f"a column with a similar name exists: '{near}'",) if near else ()),
         "the columns are " + ", ".join(table.names)),
        f"if it has another header, add the line: column {word} = {near or 'HEADER'}"
        if header in WORDS else "name a header of the file",
    )  # fmt: skip


def _no_unit(target: str, header: str, example: str, column: WordColumn, line: Column | None) -> Diagnostic:
    labels = [Label(column.header.span, "in which unit")]
    if line is not None and line.span is not None:
        labels.append(Label(line.span, "told here, without a unit"))
    renamed = "" if header == target else f" = {header}"
    return Diagnostic(
        "data-no-unit",
        f"the unit of column '{header}' is not told",
        tuple(labels),
        ("a number with a dimension has no meaning without its unit",),
        f"{'write' if line is not None else 'add the line, with the unit of the file'}: "
        f"column {target}{renamed} {example}",
    )


def _wrong_unit(column: WordColumn, line: Column, wanted: str) -> Diagnostic:
    unit = (
        canonical_unit(column.dimension).text
        if column.factor_expr is not None
        else (column.unit.text if column.unit is not None else "1")
    )
    return _at(line, "data-unit", f"{column.name} is told in [{unit}], which is no unit like [{wanted}]")


def _unknown_target(line: Column, covariates: Mapping[str, Any]) -> Diagnostic:
    name = line.target
    near = similar(name, [*WORDS, *covariates])
    return _at(
        line, "data-unknown-target", f"'{name}' is neither a word of the data format nor a covariate",
        f"a similar name exists: {near}" if near else "words are " + " ".join(WORDS),
    )  # fmt: skip


def _at(line: Column, code: str, message: str, help: str | None = None) -> Diagnostic:
    return Diagnostic(code, message, (Label(line.span),) if line.span else (), help=help)


def _note(
    code: str, message: str, label: Label | None = None, note: str | None = None, help: str | None = None
) -> Diagnostic:
    return Diagnostic(
        code,
        message,
        () if label is None else (label,),
        () if note is None else (note,),
        help,
        severity="note",
    )
