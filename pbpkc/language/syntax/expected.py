"""What could be written at a place of a text: the keywords, and whether a name, a number or a unit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pbpkc.language.syntax.parse import accepted_behind, terminals
from pbpkc.language.syntax.statements import CONTINUING, enclosing_statement

_HEADER = "pbpk 1\n"


@dataclass(frozen=True)
class Expected:
    """What the grammar accepts at a place.

    Parameters
    ----------
    keywords : tuple of str
        In alphabetical order.
    kinds : frozenset of str
        Names of the other terminals: ``NAME``, ``NUMBER``, ``UNIT``, ``STRING``, ``LPAR``, ``PLUS`` ...
    statement : str
        The statement so far, from its first word.
    begins : bool
        A statement begins here.
    """

    keywords: tuple[str, ...]
    kinds: frozenset[str]
    statement: str
    begins: bool

    @property
    def an_expression(self) -> bool:
        """Whether an expression can begin here."""
        return {"NAME", "NUMBER", "LPAR"} <= self.kinds


def expected(text: str, at: int) -> Expected:
    """What the grammar accepts at a place.

    A statement is looked at by itself, so that what is wrong with others does not matter here.

    Parameters
    ----------
    text : str
    at : int
        Offset of the place, outside comments and texts in quotes.
    """
    begin, _ = enclosing_statement(text, at)
    statement = text[begin:at]
    accepted = accepted_behind(_HEADER + statement)
    end = _end_of_code(text, at)
    gap = text[end:at]
    if end > 0 and "\n" in gap and not re.search(r"\n[ \t]*\n", gap):
        # A new line may also go on with the statement above.
        above, _ = enclosing_statement(text, end - 1)
        accepted |= accepted_behind(_HEADER + text[above:end]) & {word.upper() for word in CONTINUING}
    if not re.sub(r"#[^\n]*", "", statement).strip():
        statement = ""
    words = {
        t.name: t.pattern.value
        for t in terminals()
        if t.pattern.type == "str" and t.pattern.value[0].isalpha()
    }
    keywords = sorted(words[name] for name in accepted if name in words)
    return Expected(tuple(keywords), frozenset(accepted - set(words)), statement, not statement)


def _end_of_code(text: str, before: int) -> int:
    """The end of what stands in front of a place, blanks and comments left off; 0 if there is nothing."""
    ends = (m.end() for m in re.finditer(r'"[^"\n]*"|#[^\n]*|\S', text[:before]) if m[0][0] != "#")
    return max(ends, default=0)
