"""The lines of a text as cells: tokens and comments, each with the blanks that belong in front of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

from pbpkc.language.syntax.parse import tokens
from pbpkc.language.syntax.statements import CONTINUING

#: Words in front of which an author may leave two blanks, so that the clause stands apart.
_CLAUSES = frozenset((*CONTINUING, "in", "at", "scale", "hold"))

#: What a value ends with; a sign behind it has two sides.
_VALUE_ENDS = frozenset(("NAME", "NUMBER", "UNIT", "SUB", "RPAR"))

_TIGHT_BEFORE = frozenset((")", ",", ";", ".", "..", "^"))
_TIGHT_BEHIND = frozenset(("(", ".", "..", "^"))

#: Blanks by which a block or a clause on a line of its own is moved in.
INDENT = 2
_BETWEEN = re.compile(r"#[^\n]*|\n|;")
_BETWEEN_KINDS = {"#": "COMMENT", "\n": "NEWLINE", ";": "SEMICOLON"}


@dataclass(frozen=True)
class Cell:
    """A token or a comment of a line.

    Parameters
    ----------
    text : str
    kind : str
        What may stand under it in a column: ``value``, ``text``, ``unit``, ``comment``, or a word or sign of
        the language.
    gap : int
        Blanks that belong in front of it where it stands in no column.
    start : int or None
        The column it begins in, from 0; None for one that has just come to this line.
    blanks : int
        In front of it as it stands.
    """

    text: str
    kind: str
    gap: int
    start: int | None
    blanks: int


@dataclass(frozen=True)
class Line:
    """A line that is not empty.

    Parameters
    ----------
    cells : tuple of Cell
        At least one.
    indent : int
        Blanks in front of the first.
    apart : bool
        Whether an empty line goes before it.
    """

    cells: tuple[Cell, ...]
    indent: int
    apart: bool


def lines_of(text: str) -> tuple[Line, ...]:
    """The lines of a text that parses, broken where its author broke them.

    Statements of different kinds on one line are parted. An empty line stays where one is, several become
    one, and none stays at the ends of a block.

    Parameters
    ----------
    text : str
        That of a `SourceFile`.
    """
    reader = _Reader()
    lines = [reader.line(line) for line in _broken(_parted(_marks(text)))]
    return tuple(_comments_indented(lines))


# ------------------------------------------------------------------ marks


@dataclass(frozen=True)
class _Mark:
    """A token, a comment, a line end or a semicolon; an added line end has no text."""

    kind: str
    text: str
    start: int


def _marks(text: str) -> Iterator[_Mark]:
    done = 0
    for token in tokens(text):
        assert token.start_pos is not None and token.end_pos is not None
        yield from _between(text, done, token.start_pos)
        yield _Mark(str(token.type), str(token), token.start_pos)
        done = token.end_pos
    yield from _between(text, done, len(text))


def _between(text: str, start: int, end: int) -> Iterator[_Mark]:
    for match in _BETWEEN.finditer(text, start, end):
        shown = match[0] if match[0] == "\n" else match[0].rstrip()
        yield _Mark(_BETWEEN_KINDS[match[0][0]], shown, match.start())


def _parted(marks: Iterable[_Mark]) -> Iterator[_Mark]:
    """The marks without idle semicolons; one between statements of two kinds becomes a line end."""
    braces = parentheses = 0
    word, fresh = "", True  # the first word of a statement outside of blocks
    last = "NEWLINE"
    for mark, after in pairwise([*marks, _Mark("NEWLINE", "\n", -1)]):
        if mark.kind == "SEMICOLON":
            idle = after.kind in ("NEWLINE", "COMMENT", "SEMICOLON", "RBRACE") or last in (
                "NEWLINE",
                "LBRACE",
            )
            if idle or parentheses:
                continue
            if not braces and after.text != word:
                mark = _Mark("NEWLINE", "", after.start)
        elif fresh and not braces and not parentheses and mark.kind not in ("NEWLINE", "COMMENT"):
            fresh = False
            if mark.text not in CONTINUING:
                word = mark.text
        braces += (mark.kind == "LBRACE") - (mark.kind == "RBRACE")
        parentheses += (mark.kind == "LPAR") - (mark.kind == "RPAR")
        fresh = fresh or (mark.kind in ("NEWLINE", "SEMICOLON") and not parentheses)
        last = mark.kind
        yield mark


@dataclass
class _Broken:
    """The marks of one line."""

    begins: int | None  # its offset in the text; None where it was a part of another
    apart: bool = False
    marks: list[_Mark] = field(default_factory=list)


def _broken(marks: Iterable[_Mark]) -> list[_Broken]:
    """Marks by lines that are not empty."""
    lines = [_Broken(0)]
    empty = False
    for mark in marks:
        if mark.kind != "NEWLINE":
            if not lines[-1].marks and len(lines) > 1:
                ends = lines[-2].marks[-1].kind == "LBRACE" or mark.kind == "RBRACE"
                lines[-1].apart = empty and not ends
            lines[-1].marks.append(mark)
            continue
        begins = mark.start + 1 if mark.text else None
        empty = not lines[-1].marks
        if empty:
            lines[-1].begins = begins
        else:
            lines.append(_Broken(begins))
    return lines if lines[-1].marks else lines[:-1]


# ------------------------------------------------------------------ cells


@dataclass
class _Block:
    """A brace that is open."""

    indent: int  # of the line that it stands in
    group: bool  # of parallel vessels, not of items


class _Reader:
    """Lines to cells, from the first on; it remembers what is open."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._parentheses = 0
        self._before = [_Mark("", "", 0), _Mark("", "", 0)]
        self._vessels = False  # whether the statement is a circulation
        self._shift = 0  # by which the line that opened the parentheses has moved

    def line(self, line: _Broken) -> Line:
        """The cells of a line."""
        first = line.marks[0]
        was = 0 if line.begins is None else first.start - line.begins
        indent = self._indent(first, was)
        if not self._parentheses:
            self._shift = indent - was
            if not self._blocks:
                self._vessels = first.kind == "CIRCULATION"
        cells: list[Cell] = []
        end = first.start
        for mark in line.marks:
            blanks = mark.start - end
            end = mark.start + len(mark.text)
            cells.append(
                Cell(
                    re.sub(r"\s", "", mark.text) if mark.kind == "SUB" else mark.text,
                    _column_kind(mark),
                    self._gap(mark, blanks),
                    None if line.begins is None else mark.start - line.begins,
                    blanks,
                )
            )
            if mark.kind != "COMMENT":
                self._pass(mark, indent)
        return Line(tuple(cells), indent, line.apart)

    def _indent(self, first: _Mark, was: int) -> int:
        inner = self._blocks[-1].indent + INDENT if self._blocks else 0
        if self._parentheses:
            # What stands below its like inside of parentheses goes on doing so.
            return max(inner + INDENT, was + self._shift)
        if first.kind == "RBRACE":
            return self._blocks[-1].indent
        return inner + INDENT * (first.text in CONTINUING)

    def _gap(self, mark: _Mark, blanks: int) -> int:
        before = self._before[-1]
        group = bool(self._blocks) and self._blocks[-1].group
        if mark.kind == "COMMENT":
            return 2
        if mark.text in _TIGHT_BEFORE or before.text in _TIGHT_BEHIND or mark.kind == "SUB":
            return 0
        if before.kind == "SIGN" or (group and (before.kind == "LBRACE" or mark.kind == "RBRACE")):
            return 0
        if mark.kind == "LPAR":
            # `exp(`, `if(`, but `in (` and `dose DRUG (2 [mg/kg] * BW)`.
            called = before.kind == "NAME" and self._before[-2].kind != "DOSE"
            return 0 if called or before.kind == "IF" else 1
        if mark.text in _CLAUSES and mark.kind != "NAME":
            return min(max(blanks, 1), 2)
        return 1

    def _pass(self, mark: _Mark, indent: int) -> None:
        """Remember a token that is no comment."""
        if mark.kind == "LBRACE":
            self._blocks.append(_Block(indent, group=self._vessels and bool(self._blocks)))
        elif mark.kind == "RBRACE":
            self._blocks.pop()
        self._parentheses += (mark.kind == "LPAR") - (mark.kind == "RPAR")
        sign = mark.kind == "MINUS" and self._before[-1].kind not in _VALUE_ENDS
        self._before = [self._before[-1], replace(mark, kind="SIGN") if sign else mark]


def _column_kind(mark: _Mark) -> str:
    match mark.kind:
        case "NAME" | "NUMBER" | "LPAR" | "MINUS" | "IF":
            return "value"
        case "STRING":
            return "text"
        case "UNIT" | "COMMENT":
            return mark.kind.lower()
    return "clause" if mark.text in _CLAUSES else mark.text


def _comments_indented(lines: list[Line]) -> list[Line]:
    """A comment on a line of its own stands like the line below it, and inside of a block that ends there."""
    indent = 0
    found: list[Line] = []
    for line in reversed(lines):
        if line.cells[0].kind == "comment":
            line = replace(line, indent=indent)
        else:
            indent = line.indent + INDENT * (line.cells[0].text == "}")
        found.append(line)
    return found[::-1]
