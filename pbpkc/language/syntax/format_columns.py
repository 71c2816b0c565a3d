"""Columns: what an author set below each other stays so, while everything else stands one blank apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pbpkc.language.syntax.format_lines import Cell, Line

#: Columns that still move after so many rounds are given up.
_MOST_ROUNDS = 8

#: Lines have so many of these that two in one column mean little, unless the lines follow each other.
_MANY = ("value", "text", "unit")


@dataclass(frozen=True)
class _Place:
    """A cell: the number of its line, and its own in the line."""

    line: int
    cell: int


def in_columns(lines: Sequence[Line]) -> list[list[int]]:
    """The column in which each cell of each line begins, from 0.

    Cells of one kind that begin in one column of neighbouring lines (up to an empty one) are meant to if
    there are more blanks in front of one of them than belong there; numbers also if they end in one. They
    stay below each other, as far left as the longest line lets them.

    Returns
    -------
    list of list of int
        For lines that stand like this it is where they stand already.
    """
    for _ in range(_MOST_ROUNDS):
        columns = [c for paragraph in _paragraphs(lines) for c in _placed(paragraph, _groups(paragraph))]
        again = [_moved(line, starts) for line, starts in zip(lines, columns, strict=True)]
        if again == list(lines):
            return columns
        lines = again
    return [c for line in lines for c in _placed([line], {})]


def _paragraphs(lines: Sequence[Line]) -> list[list[Line]]:
    found: list[list[Line]] = []
    for line in lines:
        if not found or line.apart:
            found.append([])
        found[-1].append(line)
    return found


def _groups(lines: Sequence[Line]) -> Mapping[_Place, tuple[str, frozenset[_Place]]]:
    """For each cell that stands in a column: whether cells begin or end in it, and which they are."""
    found: dict[_Place, tuple[str, frozenset[_Place]]] = {}
    for side in ("start", "end"):
        for places in _below_each_other(lines, side):
            places = [p for p in places if p not in found]
            cells = [lines[p.line].cells[p.cell] for p in places]
            if len(places) > 1 and any(c.blanks > c.gap for c in cells):
                found |= dict.fromkeys(places, (side, frozenset(places)))
    return found


def _below_each_other(lines: Sequence[Line], side: str) -> Iterator[list[_Place]]:
    """Cells of one kind that begin or end in one column; values only of lines that follow each other."""
    members: defaultdict[tuple[str, int], list[_Place]] = defaultdict(list)
    ranks = _ranks(lines)
    for number, line in enumerate(lines):
        for index, cell in enumerate(line.cells):
            if index == 0 or cell.gap == 0 or cell.start is None:
                continue
            if side == "end" and not cell.text[0].isdigit():
                continue
            column = cell.start + (len(cell.text) if side == "end" else 0)
            members[cell.kind, column].append(_Place(number, index))
    for (kind, _), places in members.items():
        chain: list[_Place] = []
        for place in places:
            indent, rank = ranks[place.line]
            if chain and kind in _MANY and ranks[chain[-1].line] != (indent, rank - 1):
                yield chain
                chain = []
            chain.append(place)
        yield chain


def _ranks(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """How far each line is moved in, and its number among those alike; comments and `}` do not count."""
    counts: defaultdict[int, int] = defaultdict(int)
    found: list[tuple[int, int]] = []
    for line in lines:
        counts[line.indent] += line.cells[0].kind not in ("comment", "}")
        found.append((line.indent, counts[line.indent]))
    return found


def _placed(lines: Sequence[Line], groups: Mapping[_Place, tuple[str, frozenset[_Place]]]) -> list[list[int]]:
    """Where cells begin, each as far left as the one in front of it and its column allow."""
    starts: list[list[int]] = [[] for _ in lines]

    def free(place: _Place) -> int:
        line = lines[place.line]
        if place.cell == 0:
            return line.indent
        before = line.cells[place.cell - 1]
        return starts[place.line][-1] + len(before.text) + line.cells[place.cell].gap

    def kept(place: _Place) -> int:
        line = lines[place.line]
        start, first = line.cells[place.cell].start, line.cells[0].start
        assert start is not None and first is not None
        return start + line.indent - first

    waiting = True
    while waiting:
        waiting = False
        for number, line in enumerate(lines):
            while (index := len(starts[number])) < len(line.cells):
                place = _Place(number, index)
                side, members = groups.get(place, ("start", frozenset((place,))))
                if any(len(starts[m.line]) < m.cell for m in members):
                    waiting = True
                    break
                if len(members) == 1:
                    starts[number].append(free(place))
                    continue
                width = {m: len(lines[m.line].cells[m.cell].text) if side == "end" else 0 for m in members}
                column = max(max(free(m), kept(m)) + width[m] for m in members)
                for m in members:
                    starts[m.line].append(column - width[m])
    return starts


def _moved(line: Line, starts: Sequence[int]) -> Line:
    """The line as it stands once it is written like this."""
    cells: list[Cell] = []
    end = 0
    for cell, start in zip(line.cells, starts, strict=True):
        cells.append(replace(cell, start=start, blanks=start - end if cells else 0))
        end = start + len(cell.text)
    return replace(line, cells=tuple(cells))
