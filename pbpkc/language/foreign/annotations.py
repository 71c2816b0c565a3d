"""What stands in the lines of $PARAM, $CMT, $CAPTURE, $OMEGA beside names: options, descriptions, units."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pbpkc.language.diagnostics import Diagnostic, Label, SpecError
from pbpkc.language.foreign.mrgsolve_blocks import Block
from pbpkc.language.source import Span

_OPTION = re.compile(r"@(\w+)[ \t]*([^@\n]*)|>>[ \t]*([^\n]*)|\[[ \t]*([a-z_]+[ \t]*=[^\]\n]*)\]")
_UNIT = re.compile(r"^(?P<doc>.*?)[ \t]*[(\[](?P<unit>[^()\[\]]*(?:\([^()]*\))?[^()\[\]]*)[)\]][ \t]*$")


@dataclass(frozen=True)
class Line:
    """``NAME : value : description (unit)``; `value` and its span are None where the block has no values."""

    name: str
    value: str | None
    doc: str
    unit: str
    span: Span
    value_span: Span | None


def options(block: Block) -> tuple[dict[str, str], str]:
    """The ``@`` words of a block with what follows each, and the text without them."""
    found: dict[str, str] = {}

    def take(match: re.Match[str]) -> str:
        if match.group(1):
            word, rest = match.group(1), match.group(2).strip()
        else:
            word, _, rest = (match.group(3) or match.group(4)).partition("=")
            word, rest = word.strip(), rest.strip()
        if rest.upper() not in ("FALSE", "F"):
            found[word] = "" if rest.upper() in ("TRUE", "T") else rest
        return re.sub(r"[^\n]", " ", match.group())

    text = _OPTION.sub(take, block.text)
    # Names that follow an option on its line are its own, but `$PARAM @annotated CL : 1 : ...` is a line.
    return found, text


def split_unit(text: str) -> tuple[str, str]:
    """Description and unit of ``clearance (L/h)``."""
    found = _UNIT.match(text.strip())
    if found is None:
        return text.strip(), ""
    return found["doc"].strip(), found["unit"].strip()


def annotated_lines(block: Block, text: str, values: bool) -> Iterator[Line]:
    """The lines of an annotated block.

    Raises
    ------
    SpecError
        For a line that has not its parts.
    """
    at = 0
    for raw in text.split("\n"):
        begin = at
        at += len(raw) + 1
        if not raw.strip():
            continue
        lead = len(raw) - len(raw.lstrip())
        place = block.place(begin + lead, begin + len(raw.rstrip()))
        pieces = raw.split(":", 2 if values else 1)
        name = pieces[0].strip()
        if len(pieces) < 2 or not re.fullmatch(r"[A-Za-z_]\w*", name):
            form = "NAME : number : description (unit)" if values else "NAME : description (unit)"
            raise SpecError(
                [
                    Diagnostic(
                        "syntax",
                        f"this line of an annotated ${block.name} has not the parts it needs",
                        (Label(place),),
                        help=f"write {form}",
                    )
                ]
            )
        doc, unit = split_unit(pieces[-1] if len(pieces) > (2 if values else 1) else "")
        value, value_span = None, None
        if values:
            value = pieces[1]
            offset = begin + len(pieces[0]) + 1
            value_span = block.place(offset, offset + len(value))
        yield Line(name, value, doc, unit, place, value_span)


def words(block: Block, text: str) -> Iterator[tuple[str, Span]]:
    """The names of a plain list, parted by blanks or commas."""
    for match in re.finditer(r"[^\s,;]+", text):
        yield match.group(), block.place(match.start(), match.end())
