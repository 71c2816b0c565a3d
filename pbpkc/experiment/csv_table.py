"""A comma-separated file as cells that know their place."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pbpkc.language.diagnostics import Diagnostic, Label, SpecError, similar
from pbpkc.language.source import SourceFile, Span

# A file whose every line is wrong should not fill the screen.
MOST_PROBLEMS = 20

_CELL = re.compile(r'[ \t]*(?:"((?:[^"]|"")*)"|([^,]*?))[ \t]*(,|$)')
_FORMULA = ("=", "+", "-", "@")
_SIGNED = re.compile(r"[-+](\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_DELIMITERS = ((";", "semicolons"), ("\t", "tabs"), ("|", "bars"))


@dataclass(frozen=True)
class Cell:
    """The text of one cell, without quotes and outer blanks, and where it stands."""

    text: str
    span: Span


@dataclass(frozen=True)
class Table:
    """A header and the rows below it, each as long as the header."""

    source: SourceFile
    header: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The headers, in order."""
        return tuple(cell.text for cell in self.header)

    def place(self, name: str) -> int | None:
        """Index of the column with exactly this header, or None."""
        return self.names.index(name) if name in self.names else None


def decode(content: bytes, name: str) -> SourceFile:
    """The text of a data file: UTF-8, with or without a byte-order mark, any line ends.

    Raises
    ------
    SpecError
        If the bytes are not UTF-8 text.
    """
    text = content.decode("utf-8-sig", errors="replace")
    source = SourceFile(name, text.replace("\r\n", "\n").replace("\r", "\n"))
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        message = "the file is encoded as UTF-16"
    elif "\0" in text:
        message = "the file is binary, not text"
    elif "\ufffd" in text:
        message = "the file is not UTF-8 text"
    else:
        return source
    # Of a text in a single-byte encoding the line can be shown; of anything else it would be noise.
    at = source.text.find("\ufffd")
    labels = (
        (Label(Span(source, at, at + 1), "this byte"),) if message == "the file is not UTF-8 text" else ()
    )
    notes = () if labels else (f"file: {name}",)
    raise SpecError([Diagnostic("data-encoding", message, labels, notes, "save the file as CSV in UTF-8")])


def read_table(source: SourceFile) -> Table:
    """The cells of a comma-separated file; blank lines and lines that begin with ``#`` are left out.

    Raises
    ------
    SpecError
        If the file is empty or separated by something else, or rows do not fit the header.
    """
    lines: list[tuple[Cell, ...]] = []
    problems: list[Diagnostic] = []
    offset = 0
    for line in source.text.split("\n"):
        if line.strip() and not line.lstrip().startswith("#"):
            cells = _cells(source, line, offset)
            if cells is None:
                span = Span(source, offset, offset + len(line))
                problems.append(
                    Diagnostic("data-quotes", "a quote is not closed on its line", (Label(span),))
                )
            else:
                lines.append(cells)
        offset += len(line) + 1
    if not lines and not problems:
        start = Span(source, 0, 0)
        raise SpecError([Diagnostic("data-empty", "the data file is empty", (Label(start),))])
    if lines:
        problems += _check_delimiter(lines[0])
    if problems:
        raise SpecError(cap(problems))

    header, *rows = lines
    if not rows:
        end = header[-1].span.end_point()
        raise SpecError(
            [
                Diagnostic(
                    "data-empty", "the data file has a header and no rows", (Label(end, "nothing below"),)
                )
            ]
        )
    fitted = []
    for row in rows:
        # Spreadsheets like to end rows in empty cells.
        extra = row[len(header) :]
        if len(row) < len(header) or any(cell.text for cell in extra):
            problems.append(
                Diagnostic(
                    "data-row-length",
                    f"the row has {len(row)} cells and the header has {len(header)}",
                    (Label(row[0].span.to(row[-1].span)),),
                    help="write '.' for a missing value, and decimals with a point",
                )
            )
        fitted.append(row[: len(header)])
    if problems:
        raise SpecError(cap(problems))
    return Table(source, header, tuple(fitted))


def require_column(table: Table, name: str, option: str) -> Diagnostic | None:
    """What is wrong with the column an option names: it is absent, or stands there twice."""
    places = [i for i, header in enumerate(table.names) if header == name]
    if len(places) == 1:
        return None
    if places:
        first, second = (table.header[i].span for i in places[:2])
        return Diagnostic(
            "data-duplicate-column",
            f"the column '{name}' stands twice in the header",
            (Label(second, "again here"), Label(first, "first here")),
        )
    near = similar(name, table.names)
    notes = (f"a column with a similar name exists: '{near}'",) if near else ()
    return Diagnostic(
        "data-missing-column",
        f"the data file has no column '{name}'",
        (Label(table.header[-1].span.end_point(), "header ends here"),),
        (*notes, "the columns are " + ", ".join(table.names)),
        f"say which column it is with {option}" + (f" {near}" if near else ""),
    )


def formula_problem(cell: Cell) -> Diagnostic | None:
    """What is wrong with a name that a spreadsheet would run as a formula; None where nothing is.

    Names of subjects stand in every table that is written, as they were read, so that tables join. A
    spreadsheet that opens one takes ``=1+1`` for a formula, whose result would stand there in place of the
    name, and a formula from a stranger's file can do worse.
    """
    text = cell.text
    if len(text) < 2 or not text.startswith(_FORMULA) or _SIGNED.fullmatch(text):
        return None
    return Diagnostic(
        "data-formula",
        f"'{text}' would be run as a formula by a spreadsheet that opens the results",
        (Label(cell.span, f"begins with '{text[0]}'"),),
        help="begin names of subjects with a letter or a digit",
    )


def cap(problems: list[Diagnostic]) -> list[Diagnostic]:
    """The first problems, and how many more there are."""
    if len(problems) <= MOST_PROBLEMS:
        return problems
    rest = len(problems) - MOST_PROBLEMS
    return [
        *problems[:MOST_PROBLEMS],
        Diagnostic("data-more", f"{rest} more problems of the data file not shown"),
    ]


def _cells(source: SourceFile, line: str, offset: int) -> tuple[Cell, ...] | None:
    cells: list[Cell] = []
    position = 0
    while True:
        match = _CELL.match(line, position)
        # A quote inside an unquoted cell is text; at its start it opens one that must be closed.
        if match is None or (match[2] or "").startswith('"'):
            return None
        group = 1 if match[1] is not None else 2
        span = Span(source, offset + match.start(group), offset + match.end(group))
        cells.append(Cell(match[group].replace('""', '"') if group == 1 else match[group], span))
        if not match[3]:
            return tuple(cells)
        position = match.end()


def _check_delimiter(header: tuple[Cell, ...]) -> list[Diagnostic]:
    if len(header) > 1:
        return []
    cell = header[0]
    found = next((word for mark, word in _DELIMITERS if mark in cell.text), None)
    if found is None and len(cell.text.split()) > 1:
        found = "blanks"
    if found is None:
        return []
    return [
        Diagnostic(
            "data-delimiter",
            f"the data file is separated by {found}, not by commas",
            (Label(cell.span, "one cell"),),
            help="save the file with commas between cells and points in decimals",
        )
    ]
