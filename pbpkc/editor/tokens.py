"""The pieces of a text that may be broken: comments, texts in quotes, units, numbers, names, signs."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

#: What a piece may be, tried in this order. A text or a unit that never ends reaches to the line's end.
PIECES: tuple[tuple[str, str], ...] = (
    ("comment", r"#[^\n]*"),
    ("text", r'"[^"\n]*"?'),
    ("unit", r"\[[^\]\n]*\]?"),
    ("number", r"[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"),
    ("name", r"[A-Za-z_][A-Za-z0-9_]*"),
    ("sign", r"<->|->|<=|>=|\.\.|[^\w\s]"),
    ("other", r"\w+"),
)

_PIECE = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in PIECES))


@dataclass(frozen=True)
class Piece:
    """A stretch of a text: ``start <= offset < end``."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """Just behind it."""
        return self.start + len(self.text)


def pieces(text: str, start: int = 0, end: int | None = None) -> Iterator[Piece]:
    """The pieces of a text or of a part of it, blanks left out."""
    for match in _PIECE.finditer(text, start, len(text) if end is None else end):
        assert match.lastgroup is not None
        yield Piece(match.lastgroup, match[0], match.start())


def line_bounds(text: str, at: int) -> tuple[int, int]:
    """Beginning and end of the line around a place. No piece goes over the end of a line."""
    end = text.find("\n", at)
    return text.rfind("\n", 0, at) + 1, len(text) if end < 0 else end


def piece_at(text: str, at: int) -> Piece | None:
    """The piece that holds a place, or ends there; a name goes before its neighbours."""
    here = [p for p in pieces(text, *line_bounds(text, at)) if p.start <= at <= p.end]
    return next((p for p in here if p.kind == "name"), here[-1] if here else None)


def path_at(text: str, at: int) -> tuple[list[Piece], int]:
    """The names of the dotted reference around a place, and which of them it is.

    ``si<1>.APAP.A`` has three names; indices are passed over. The list is empty where no name stands.
    """
    line = [p for p in pieces(text, *line_bounds(text, at)) if p.kind != "comment"]
    here = next((i for i, p in enumerate(line) if p.kind == "name" and p.start <= at <= p.end), None)
    if here is None:
        return [], 0
    first = here
    while (back := _before_dot(line, first)) is not None:
        first = back
    names = [line[first]]
    last = first
    while (forth := _behind_dot(line, last)) is not None:
        last = forth
        names.append(line[last])
    starts = [p.start for p in names]
    return names, max(0, bisect_right(starts, line[here].start) - 1)


def _before_dot(line: list[Piece], index: int) -> int | None:
    """The name in front of the dot in front of a name."""
    if index < 2 or line[index - 1].text != ".":
        return None
    index -= 2
    if line[index].text == ">":
        while index > 0 and line[index].text != "<":
            index -= 1
        index -= 1
    return index if index >= 0 and line[index].kind == "name" else None


def _behind_dot(line: list[Piece], index: int) -> int | None:
    """The name behind the dot behind a name."""
    index += 1
    if index < len(line) and line[index].text == "<" and line[index].start == line[index - 1].end:
        while index < len(line) and line[index].text != ">":
            index += 1
        index += 1
    if index + 1 < len(line) and line[index].text == "." and line[index + 1].kind == "name":
        return index + 1
    return None
