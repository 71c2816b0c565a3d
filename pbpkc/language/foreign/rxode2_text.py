"""Where the model stands in an R file: the texts of ini({}), model({}) and rxode2({}), without running R."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pbpkc.language.diagnostics import Diagnostic, Label, SpecError
from pbpkc.language.foreign.model import Comment
from pbpkc.language.source import SourceFile, Span

_CALL = re.compile(
    r"(?<![\w.])(rxode2|RxODE|rxode|rxode2::rxode2|rxode2::rxode|ini|model)[ \t]*\([ \t\n]*(\{|[\"'])"
)

#: R around a model that only says where it is or what it is about.
_AROUND = re.compile(
    r"""(library|require)[ \t]*\([^()\n]*\)
    | [A-Za-z.][\w.]*[ \t]*(<-|=)[ \t]*function[ \t]*\([^()]*\)[ \t]*\{?
    | function[ \t]*\([^()]*\)[ \t]*\{?
    | [A-Za-z.][\w.]*[ \t]*(<-|=)[ \t]*(?=[ \t\n)]*$)
    | (\#[^\n]*)
    | [{}();,]""",
    re.VERBOSE,
)

#: Facts about the model that nlmixr2lib writes in front of it.
_FACTS = re.compile(
    r"^[ \t]*(description|reference|vignette|units|covariateData|population|ddmore_id|depends|dosing"
    r"|paper_specific_etas|replicate_of|covariatesDataExcluded|covariatesDataExcludedReason|therapeuticArea"
    r"|other)[ \t]*(<-|=)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Part:
    """A stretch of model text with its comments blanked; as long as its span."""

    word: str  # "ini" or "code"
    span: Span
    text: str


@dataclass(frozen=True)
class Found:
    """The parts of a file.

    Parameters
    ----------
    name, title : str
        Of the model, empty where the file says none.
    """

    parts: tuple[Part, ...]
    comments: tuple[Comment, ...]
    name: str
    title: str
    time_unit: str


def looks_like(text: str) -> bool:
    """Whether a text has the equations of an rxode2 model."""
    return bool(re.search(r"\bd[ \t]*/[ \t]*dt[ \t]*\(", text) or re.search(r"\blinCmt[ \t]*\(", text))


def find_parts(file: SourceFile) -> Found:
    """The model texts of a file.

    Raises
    ------
    SpecError
        Where the file holds R that is more than a model, several models, or none.
    """
    bare, comments = _blank(file, strings=False)
    closed, _ = _blank(file, strings=True)
    parts: list[Part] = []
    outer = list(bare)
    for match in _CALL.finditer(closed):
        word = "ini" if match.group(1) == "ini" else "code"
        opened = match.end() - 1
        end = _closing(closed, opened) if bare[opened] == "{" else _closing_quote(file.text, opened)
        if end is None:
            raise SpecError(
                [
                    Diagnostic(
                        "syntax", f"'{match.group(1)}' opens and never closes",
                        (Label(Span(file, match.start(), match.end())),), help="close it with })",
                    )
                ]
            )  # fmt: skip
        parts.append(Part(word, Span(file, opened + 1, end), bare[opened + 1 : end]))
        for i in range(match.start(), end + 1):
            if outer[i] != "\n":
                outer[i] = " "
    if not parts:
        return Found((Part("code", Span(file, 0, len(file.text)), bare),), comments, "", "", "")
    rest = "".join(outer)
    facts, rest = _facts(rest, closed)
    _refuse_more(file, rest)
    models = [p for p in parts if p.word == "code"]
    if len(models) != 1:
        raise SpecError(
            [
                Diagnostic(
                    "several-models" if models else "no-model",
                    f"'{file.name}' holds {len(models)} models",
                    tuple(Label(Span(file, p.span.start, p.span.start)) for p in models[1:2]),
                    help="write the equations in model({}), one model a file",
                )
            ]
        )  # fmt: skip
    name = re.search(
        r"([A-Za-z.][\w.]*)[ \t]*(?:<-|=)[ \t]*(?:function|(?:rxode2::)?[rR]x(?:ode2?|ODE))", bare
    )
    return Found(
        tuple(parts),
        comments,
        name.group(1) if name else "",
        facts.get("description", ""),
        facts.get("time", ""),
    )


def _facts(rest: str, closed: str) -> tuple[dict[str, str], str]:
    """Take ``description <- "..."`` and its like out of the text around a model."""
    facts: dict[str, str] = {}
    while match := _FACTS.search(rest):
        at = match.end()
        while at < len(rest) and rest[at] in " \t\n":
            at += 1
        opening = re.compile(r"[\w.:]*\(").match(rest, at)
        if opening:
            close = _closing(closed, opening.end() - 1)
            end = len(rest) if close is None else close + 1
        elif rest[at : at + 1] in ('"', "'"):
            quote = _closing_quote(rest, at)
            end = len(rest) if quote is None else quote + 1
        else:
            end = (rest + "\n").index("\n", at)
        value = rest[at:end]
        facts[match.group(1)] = value.strip("\"' \n")
        time = re.search(r"time[ \t]*=[ \t]*[\"']([^\"']*)", value) if match.group(1) == "units" else None
        if time:
            facts["time"] = time.group(1)
        rest = rest[: match.start()] + re.sub(r"[^\n]", " ", rest[match.start() : end]) + rest[end:]
    return facts, rest


def _refuse_more(file: SourceFile, rest: str) -> None:
    problems = []
    at = 0
    for line in rest.split("\n"):
        left = re.sub(r"\s+", "", _AROUND.sub("", line))
        if left:
            lead = len(line) - len(line.lstrip())
            problems.append(
                Diagnostic(
                    "not-a-model",
                    "this R code is more than a model",
                    (Label(Span(file, at + lead, at + len(line.rstrip()))),),
                    help="R is never run: put the model alone into a file, from its first line to its last",
                )
            )
        at += len(line) + 1
    if problems:
        raise SpecError(problems[:5])


def _blank(file: SourceFile, strings: bool) -> tuple[str, tuple[Comment, ...]]:
    """The text with comments (and the insides of strings) exchanged for blanks."""
    text, out, comments = file.text, list(file.text), []
    at = 0
    while at < len(text):
        char = text[at]
        if char == "#":
            end = (text + "\n").index("\n", at)
            shown = text[at:end].lstrip("#").strip()
            if shown.strip("-=_/*# "):
                comments.append(Comment(shown, Span(file, at, end)))
            out[at:end] = " " * (end - at)
            at = end
        elif char in "\"'":
            closing = _closing_quote(text, at)
            # A text of several lines is a model in quotes, and its comments are comments.
            if closing is None or "\n" in text[at:closing]:
                at += 1
                continue
            if strings:
                out[at + 1 : closing] = " " * (closing - at - 1)
            at = closing + 1
        else:
            at += 1
    return "".join(out), tuple(comments)


def _closing(text: str, opened: int) -> int | None:
    depth = 0
    for at in range(opened, len(text)):
        if text[at] in "({[":
            depth += 1
        elif text[at] in ")}]":
            depth -= 1
            if depth == 0:
                return at
    return None


def _closing_quote(text: str, opened: int) -> int | None:
    at = text.find(text[opened], opened + 1)
    return at if at >= 0 else None
