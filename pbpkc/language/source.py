"""Source text and places in it: what every diagnostic points at."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class SourceFile:
    r"""One text that was read.

    Parameters
    ----------
    name : str
        The path as the user wrote it; it stands in messages.
    text : str
        The content, newlines normalised to ``\n`` and without a byte-order mark.
    """

    name: str
    text: str

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        starts = [0]
        starts.extend(i + 1 for i, char in enumerate(self.text) if char == "\n")
        return tuple(starts)

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, of a character offset."""
        line = bisect_right(self._starts, offset) - 1
        return line + 1, offset - self._starts[line] + 1

    @property
    def line_count(self) -> int:
        """How many lines there are; a text that ends with a newline has an empty last one."""
        return len(self._starts)

    def line_start(self, number: int) -> int:
        """The offset at which a line (from 1) begins."""
        return self._starts[number - 1]

    def line(self, number: int) -> str:
        """The text of one line (from 1), without its newline; empty past the end."""
        lines = self._starts
        if not 1 <= number <= len(lines):
            return ""
        end = lines[number] - 1 if number < len(lines) else len(self.text)
        return self.text[lines[number - 1] : end]


@dataclass(frozen=True)
class Span:
    """A stretch of a source file, as character offsets ``start <= offset < end``."""

    file: SourceFile
    start: int
    end: int

    @property
    def line(self) -> int:
        """First line, from 1."""
        return self.file.position(self.start)[0]

    @property
    def column(self) -> int:
        """First column, from 1."""
        return self.file.position(self.start)[1]

    @property
    def text(self) -> str:
        """The marked source text."""
        return self.file.text[self.start : self.end]

    def end_point(self) -> Span:
        """The place just behind this span: where something missing is marked."""
        return Span(self.file, self.end, self.end)

    def to(self, other: Span) -> Span:
        """From the start of this span to the end of another in the same file."""
        return Span(self.file, min(self.start, other.start), max(self.end, other.end))

    def __repr__(self) -> str:
        return f"{self.file.name}:{self.line}:{self.column}"
