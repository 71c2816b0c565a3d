"""Changes of the text that repair a slip: what `slips` says in words, as edits.

A repair is safe where nothing else can have been meant. A unit that is missing is not such a one.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from pbpkc.language.diagnostics import Fix, Replacement
from pbpkc.language.source import SourceFile, Span
from pbpkc.language.spelling import only_meant
from pbpkc.language.syntax.stops import Place
from pbpkc.language.units import WORDS, UnitError

_ARROWS = {"=>": "->", "-->": "->", "→": "->", "⇒": "->", "<=>": "<->", "↔": "<->", "⇌": "<->", "⇔": "<->"}

#: Signs of word processors that mean one sign of the language wherever no text stands.
_SIGNS = {"\u2212": "-", "\u2013": "-", "\u00d7": "*", "\u00b7": "*", "\u22c5": "*", "\u00f7": "/"}


def rewritten_unit(span: Span, error: UnitError) -> tuple[Fix, ...]:
    """The repair of a unit word that is none: ``[hr]`` to ``[h]``."""
    if not error.word or not error.instead:
        return ()
    places = re.finditer(rf"(?<![A-Za-z%]){re.escape(error.word)}(?![A-Za-z%])", span.text)
    parts = tuple(
        Replacement(Span(span.file, span.start + m.start(), span.start + m.end()), error.instead)
        for m in places
    )
    return (Fix(f"write [{error.instead}]", parts, error.safe),) if parts else ()


def wrong_keyword(span: Span, words: Collection[str], near: str | None) -> tuple[Fix, ...]:
    """The repair of a word that is none of the language where one stands: ``Param``, ``tisue``."""
    if near is None:
        return ()
    meant = only_meant(span.text, words)
    instead = meant or near
    return (Fix(f"write '{instead}'", (Replacement(span, instead),), meant is not None),)


def repaired_slip(file: SourceFile, place: Place) -> tuple[Fix, ...]:
    """The repair of a slip of the pen at the place where a parse stopped, if it is a known one."""

    def fix(length: int, text: str, title: str, safe: bool = True, back: int = 0) -> tuple[Fix, ...]:
        span = Span(file, place.at - back, place.at + length)
        return (Fix(title, (Replacement(span, text),), safe),)

    if place.follows(r"\.\d") and not place.precedes(r"[\w.]"):
        return fix(0, "0", "write the digit in front of the point")
    if place.follows(r"\.(?![\w.])") and place.precedes(r"\d"):
        return fix(1, "", "leave the point out")
    if place.follows(r"\*") and place.precedes(r"\*"):
        return fix(1, "^", "write ^", back=1)
    arrow = place.follows("|".join(map(re.escape, sorted(_ARROWS, key=len, reverse=True))))
    if arrow and place.keyword in ("process", "flow", "circulation"):
        return fix(len(arrow[0]), _ARROWS[arrow[0]], f"write {_ARROWS[arrow[0]]}")
    if place.follows("//"):
        return fix(2, "#", "write #")
    if place.follows("/") and place.precedes("/"):
        return fix(1, "#", "write #", back=1)
    sign = _SIGNS.get(place.after[:1])
    if sign is not None:
        return fix(1, sign, f"write {sign}")
    if place.after and not place.after[0].isprintable() and place.after[0] != "\t":
        if place.after[0].isspace():
            return fix(1, " ", "write a plain blank")
        return fix(1, "", "leave it out")
    quoted = place.follows('[“”„]([^"“”„]*)[“”]')
    if quoted:
        return fix(len(quoted[0]), f'"{quoted[1]}"', 'write "..."')
    if place.follows("%") and place.precedes(r"\d\s*"):
        blank = "" if place.precedes(r"\s") else " "
        return fix(1, f"{blank}[%]", "write [%]")
    inside = place.follows(r"\[\s*([0-9.]+)\s+([^\]\d][^\]]*?)\s*\]")
    if inside and "NUMBER" in place.accepted:
        return fix(len(inside[0]), f"{inside[1]} [{inside[2]}]", f"write {inside[1]} [{inside[2]}]")
    bare = place.follows(r"[A-Za-z%]+(/[A-Za-z]+)*(?![\w^(.])")
    if bare and "UNIT" in place.accepted and all(word in WORDS for word in bare[0].split("/")):
        # `3 L` may also be a product whose sign was forgotten.
        return fix(len(bare[0]), f"[{bare[0]}]", f"write [{bare[0]}]", safe=False)
    return ()
