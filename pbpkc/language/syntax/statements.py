"""Where statements begin in a text that may not parse: to go on after an error, to find open brackets."""

from __future__ import annotations

import re
from collections.abc import Iterator

#: Words that begin a statement.
DECLARING = (
    "model",
    "use",
    "set",
    "covariate",
    "input",
    "param",
    "let",
    "function",
    "masked",
    "unknown",
    "species",
    "blood",
    "tissue",
    "lumen",
    "pool",
    "sink",
    "state",
    "ode",
    "start",
    "circulation",
    "flow",
    "process",
    "site",
    "observe",
    "population",
    "scenario",
    "check",
)

#: Words that continue the line above.
CONTINUING = ("rate", "split", "error", "lloq", "source")

_PIECE = re.compile(r'#[^\n]*|"[^"\n]*"|[(){};]|\n')
# A block whose brace stands on the next line is a mistake, but one statement all the same.
_CONTINUES = re.compile(r"(?:" + "|".join(CONTINUING) + r")\b|\{")
_BLANK = re.compile(r"(?:\s|#[^\n]*\n)*")
# A declaring word in the first column begins a statement even inside a bracket that was left open. `set`,
# `start` and `flow = ...` also stand in blocks.
_DECLARES = re.compile(
    r"(?:"
    + "|".join(w for w in DECLARING if w not in ("set", "start", "flow"))
    + r')\b[ \t]+["\w]|flow[ \t]+\w+[^=\n]*:'
)


def statement_starts(text: str, origin: int = 0) -> Iterator[int]:
    """Offsets at which statements begin, from one of them on."""
    yield origin
    braces = parentheses = 0
    # A long run of blank lines is looked through once, not from each of them.
    code, continues = origin, False
    for match in _PIECE.finditer(text, origin):
        piece, after = match[0], match.end()
        if piece == "{":
            braces += 1
        elif piece == "}":
            braces = max(0, braces - 1)
        elif piece == "(":
            parentheses += 1
        elif piece == ")":
            parentheses = max(0, parentheses - 1)
        elif piece in ("\n", ";"):
            if after > code:
                code = _end_of_blank(text, after)
                continues = _CONTINUES.match(text, code) is not None
            if braces == parentheses == 0 and not continues:
                yield after
            elif piece == "\n" and _DECLARES.match(text, after):
                braces = parentheses = 0
                yield after


def enclosing_statement(text: str, at: int, origin: int = 0) -> tuple[int, int]:
    """Beginning and end of the statement around a place, blanks in front of it left out.

    Parameters
    ----------
    text : str
    at : int
    origin : int
        Where some statement in front of the place begins; the search starts there.
    """
    begin, end = origin, len(text)
    for start in statement_starts(text, origin):
        if start > at:
            end = start
            break
        begin = start
    lead = _end_of_blank(text, begin)
    return (lead if lead <= min(at, end) else begin), end


def _end_of_blank(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    assert blank is not None
    return blank.end()


def blank(text: str, begin: int, end: int) -> str:
    """The text with a stretch made blank but for its line ends; every other place stays where it was."""
    return text[:begin] + re.sub(r"[^\n;]", " ", text[begin:end]) + text[end:]


def left_open(text: str, begin: int, end: int) -> tuple[int, str] | None:
    """The innermost bracket opened between two places and not closed there, with its offset."""
    stack: list[tuple[int, str]] = []
    for match in _PIECE.finditer(text, begin, end):
        if match[0] in "({":
            stack.append((match.start(), match[0]))
        elif match[0] in ")}" and stack and stack[-1][1] == {")": "(", "}": "{"}[match[0]]:
            stack.pop()
    return stack[-1] if stack else None
