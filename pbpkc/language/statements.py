"""Where statements begin in a text that may not parse: to go on after an error, to find open brackets."""

from __future__ import annotations

import re

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
_CONTINUES = re.compile(r"(?:\s|#[^\n]*\n)*(?:(?:" + "|".join(CONTINUING) + r")\b|\{)")
# A declaring word in the first column begins a statement even inside a bracket that was left open. `set`,
# `start` and `flow = ...` also stand in blocks.
_DECLARES = re.compile(
    r"(?:"
    + "|".join(w for w in DECLARING if w not in ("set", "start", "flow"))
    + r')\b[ \t]+["\w]|flow[ \t]+\w+[^=\n]*:'
)


def statement_starts(text: str) -> list[int]:
    """Offsets at which statements begin, the first one 0."""
    starts = [0]
    braces = parentheses = 0
    for match in _PIECE.finditer(text):
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
            if braces == parentheses == 0 and not _CONTINUES.match(text, after):
                starts.append(after)
            elif piece == "\n" and _DECLARES.match(text, after):
                braces = parentheses = 0
                starts.append(after)
    return starts


def enclosing_statement(text: str, at: int) -> tuple[int, int]:
    """Beginning and end of the statement around a place, blanks in front of it left out."""
    starts = statement_starts(text)
    begin = max(s for s in starts if s <= at)
    end = min((s for s in starts if s > at), default=len(text))
    lead = re.compile(r"(?:\s|#[^\n]*\n)*").match(text, begin, end)
    return (lead.end() if lead and lead.end() <= at else begin), end


def blank(text: str, begin: int, end: int) -> str:
    """The text with a stretch made blank; every other place stays where it was."""
    return text[:begin] + re.sub(r"[^\n]", " ", text[begin:end]) + text[end:]


def left_open(text: str, begin: int, end: int) -> tuple[int, str] | None:
    """The innermost bracket opened between two places and not closed there, with its offset."""
    stack: list[tuple[int, str]] = []
    for match in _PIECE.finditer(text, begin, end):
        if match[0] in "({":
            stack.append((match.start(), match[0]))
        elif match[0] in ")}" and stack and stack[-1][1] == {")": "(", "}": "{"}[match[0]]:
            stack.pop()
    return stack[-1] if stack else None
