"""The blocks of the language reference, as its tests read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "grammar" / "README.md"


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the line of the page it begins on."""

    language: str
    text: str
    line: int

    @property
    def first(self) -> str:
        return self.text.split("\n", 1)[0]

    def __str__(self) -> str:
        return f"line{self.line}"


def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def blocks() -> list[Block]:
    """All of the page, in its order."""
    found, lines = [], page().split("\n")
    start = None
    for number, line in enumerate(lines, 1):
        if not line.startswith("```"):
            continue
        if start is None:
            start = number
        else:
            found.append(Block(lines[start - 1][3:].strip(), "\n".join(lines[start : number - 1]), start + 1))
            start = None
    assert start is None, f"the block of line {start} is not closed"
    return found
