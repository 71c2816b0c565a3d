"""The blocks of an mrgsolve file, with comments taken out of them and kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pbpkc.language.diagnostics import Diagnostic, Label, SpecError, similar
from pbpkc.language.foreign.model import Comment
from pbpkc.language.source import SourceFile, Span

#: Every spelling of a block that is read, and what it holds.
BLOCKS = {
    "PROB": "text", "PROBLEM": "text",
    "PARAM": "values", "PARAMETERS": "values", "FIXED": "values", "INPUT": "values",
    "THETA": "numbers",
    "CMT": "compartments", "COMPARTMENTS": "compartments", "INIT": "initials", "INITIAL": "initials",
    "GLOBAL": "global", "PREAMBLE": "global",
    "MAIN": "main", "PK": "main", "ODE": "ode", "DES": "ode", "TABLE": "table", "ERROR": "table",
    "CAPTURE": "capture",
    "OMEGA": "eta", "SIGMA": "eps",
    "SET": "set",
}  # fmt: skip

#: Blocks that are more than a set of differential equations, with what to do.
REFUSED = {
    "PKMODEL": "write the equations in $ODE: dxdt_CENT = -CL / V * CENT;",
    "ADVAN2": "write the equations in $ODE: dxdt_GUT = -KA * GUT; dxdt_CENT = KA * GUT - CL / V * CENT;",
    "ADVAN4": "write the equations in $ODE",
    "PRED": "a closed form in time has one dose only: write the equations in $ODE",
    "PLUGIN": "take the plugin and what needs it out of the file",
    "INCLUDE": "put the formulas of the included file into $MAIN or $ODE",
    "NMXML": "write the estimates into $THETA and $OMEGA",
    "NMEXT": "write the estimates into $THETA and $OMEGA",
    "EVENT": "doses belong to a scenario: leave the block out",
    "ENV": "it holds R code, which is never run: write the values into $PARAM",
    "BLOCK": "leave it out",
    "TRANSIT": "write the transit compartments in $ODE",
    "TYPEDEF": "declare the values as double",
    "NAMESPACE": "leave it out",
    "YAML": "write the values into $PARAM",
    "NAMES": "leave it out",
}

_HEADER = re.compile(r"^[ \t]*(?:\$([A-Za-z0-9_]+)|\[[ \t]*([A-Z][A-Za-z0-9_]*)[ \t]*\])", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One block: what it holds, its span behind the header, its text with comments blanked.

    Parameters
    ----------
    text : str
        As long as the span, so that an offset into it is an offset into the file.
    """

    name: str
    holds: str
    head: Span
    span: Span
    text: str

    def place(self, start: int, end: int) -> Span:
        """The span of a stretch of `text`."""
        return Span(self.span.file, self.span.start + start, self.span.start + end)


def looks_like(text: str) -> bool:
    """Whether a text has the blocks of an mrgsolve file."""
    found = {(m.group(1) or m.group(2)).upper() for m in _HEADER.finditer(text)}
    return bool(found & (BLOCKS.keys() | REFUSED.keys())) or "dxdt_" in text


def blocks(file: SourceFile) -> tuple[tuple[Block, ...], tuple[Comment, ...]]:
    """The blocks of a file in order, and its comments.

    Raises
    ------
    SpecError
        For a block that is no part of a system of differential equations, and for text outside of blocks.
    """
    problems: list[Diagnostic] = []
    comments: list[Comment] = []
    heads = list(_HEADER.finditer(file.text))
    if not heads:
        raise SpecError([_no_blocks(file)])
    before = Span(file, 0, heads[0].start())
    kept, found = _without_comments(before, "code")
    comments += found
    if kept.strip():
        at = len(kept) - len(kept.lstrip())
        line_end = (kept + "\n").index("\n", at)
        problems.append(
            Diagnostic(
                "outside-block",
                "there is text in front of the first block",
                (Label(Span(file, at, line_end)),),
                help="an mrgsolve model begins with a block: $PROB, $PARAM, $CMT",
            )
        )
    read: list[Block] = []
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        word = (head.group(1) or head.group(2)).upper()
        start = head.start() + len(head.group()) - len(head.group().lstrip())
        place = Span(file, start, head.end())
        span = Span(file, head.end(), following.start() if following else len(file.text))
        holds = _meaning(word)
        if holds is None:
            problems.append(_refused(word, place))
            continue
        text, found = _without_comments(span, "text" if holds == "text" else holds)
        comments += found
        read.append(Block(word, holds, place, span, text))
    if problems:
        raise SpecError(problems)
    return tuple(read), tuple(sorted(comments, key=lambda c: c.span.start))


def _meaning(word: str) -> str | None:
    if word in BLOCKS:
        return BLOCKS[word]
    # mrgsolve itself takes a block by the first letters of its name.
    starts = {held for name, held in BLOCKS.items() if len(word) >= 3 and name.startswith(word)}
    return starts.pop() if len(starts) == 1 else None


def _no_blocks(file: SourceFile) -> Diagnostic:
    return Diagnostic(
        "no-model",
        f"'{file.name}' has no block of an mrgsolve model",
        (Label(Span(file, 0, 0)),) if file.text else (),
        help="a model has at least $CMT and $ODE; say --from rxode2 for a model of rxode2 or nlmixr2",
    )


def _refused(word: str, place: Span) -> Diagnostic:
    if word in REFUSED:
        return Diagnostic(
            "not-a-model", f"${word} is more than a set of differential equations", (Label(place),),
            help=REFUSED[word],
        )  # fmt: skip
    near = similar(word, BLOCKS)
    return Diagnostic(
        "unknown-block",
        f"${word} is no block that is read",
        (Label(place),),
        help=f"a block with a similar name exists: ${near}"
        if near
        else "blocks are $PROB $PARAM $FIXED $INPUT $THETA $CMT $INIT $GLOBAL $MAIN $ODE $TABLE $CAPTURE "
        "$OMEGA $SIGMA $SET",
    )


_MARKS = {
    "code": re.compile(r"//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL),
    "list": re.compile(r"//[^\n]*|/\*.*?(?:\*/|\Z)|#[^\n]*", re.DOTALL),
}
_CODE = ("main", "ode", "table", "global", "code")


def _without_comments(span: Span, holds: str) -> tuple[str, list[Comment]]:
    text = span.text
    comments: list[Comment] = []
    if holds == "text":
        # The first line is the title, the others are kept as comments.
        at, lines = 0, []
        for line in text.split("\n"):
            if line.strip():
                lines.append((line, Span(span.file, span.start + at, span.start + at + len(line))))
            at += len(line) + 1
        for line, place in lines[1:]:
            comments += _lines(line, place)
        return text, comments

    def blank(match: re.Match[str]) -> str:
        place = Span(span.file, span.start + match.start(), span.start + match.end())
        comments.extend(_lines(match.group(), place))
        return re.sub(r"[^\n]", " ", match.group())

    return _MARKS["code" if holds in _CODE else "list"].sub(blank, text), comments


def _lines(text: str, place: Span) -> Iterator[Comment]:
    bare = text.removeprefix("/*").removesuffix("*/") if text.startswith("/*") else text.lstrip("/#")
    for line in bare.split("\n"):
        # Rules of dashes say nothing by themselves.
        shown = line.strip().strip("*").strip()
        if shown.strip("-=_/# "):
            yield Comment(shown, place)
