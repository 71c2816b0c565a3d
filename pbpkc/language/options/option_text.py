"""A setting that was typed as an option, read with the parser of the spec.

The parser needs a whole line, so the typed text is put behind the beginning of one. What it then says is
moved back: messages mark the typed text, at the option's name, and never what was put before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pbpkc.language.diagnostics import Diagnostic, Label, SpecError
from pbpkc.language.source import SourceFile, Span
from pbpkc.language.syntax import nodes as n
from pbpkc.language.syntax.parse import parse

#: Stands where a line needs a name; a diagnostic never shows it.
PLACEHOLDER = "value_here"

#: A number, alone or with a unit that was typed without brackets.
BARE = re.compile(r"\s*([+-]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*((?:[^\W\d_]|%|°|1/)[^\[\]]*?|)\s*")

_HEADER = "pbpk 1\n"
#: How the parser begins a hint that shows a whole line of a spec; an option is no such line.
_LINE_HINT = "such a line is written"


class OptionError(SpecError):
    """What was typed for a run does not fit the spec, which may be as it should."""


@dataclass(frozen=True)
class OptionText:
    """A typed text, and the part of it that is read as a spec would read it.

    Parameters
    ----------
    option : str
        ``--set``; stands where a message names a file.
    text : str
        As shown in messages.
    offset : int
        Where in it the part begins that is parsed.
    name : str
        Of what is set, in place of the placeholder in messages.
    usage : str
        Help for a text that cannot be read.
    """

    option: str
    text: str
    offset: int
    name: str
    usage: str

    @property
    def whole(self) -> Span:
        """The typed text as a place."""
        return Span(SourceFile(self.option, self.text), 0, len(self.text))

    def problem(
        self, code: str, message: str, help: str | None = None, notes: tuple[str, ...] = ()
    ) -> OptionError:
        """One problem that marks the part that was read."""
        place = Span(SourceFile(self.option, self.text), min(self.offset, len(self.text)), len(self.text))
        return OptionError([Diagnostic(code, message, (Label(place),), notes, help)])

    def expression(self) -> n.SyntaxExpr:
        """The part as an expression.

        Raises
        ------
        OptionError
            If it is none.
        """
        node = self._statement(f"let {PLACEHOLDER} = ")
        assert isinstance(node, n.Value)
        return node.value

    def masked(self, before: str) -> n.Masked:
        """The part as what follows ``masked NAME`` in a spec; `before` is what it leaves out.

        Raises
        ------
        OptionError
            If it is not.
        """
        node = self._statement(f"masked {PLACEHOLDER} {before}")
        assert isinstance(node, n.Masked)
        return node

    def _statement(self, lead: str) -> n.Statement:
        part = self.text[self.offset :]
        if "\n" in part.strip() or ";" in part:
            raise self.problem("usage", f"{self.option} takes one setting a time", self.usage)
        try:
            statements = parse(SourceFile(self.option, f"{_HEADER}{lead}{part}\n")).statements
        except SpecError as error:
            # The first slip explains the rest of so short a text.
            raise OptionError(self.moved(error.diagnostics[:1])) from None
        return statements[0]

    def moved(self, problems: Iterable[Diagnostic]) -> list[Diagnostic]:
        """Problems of the line that was parsed, told of the typed text."""
        return [
            replace(
                problem,
                message=problem.message.replace(PLACEHOLDER, self.name),
                labels=tuple(replace(label, span=self._moved(label.span)) for label in problem.labels),
                help=self.usage if (problem.help or "").startswith(_LINE_HINT) else problem.help,
                fixes=(),  # there is no file to be changed
            )
            for problem in problems
        ]

    def _moved(self, span: Span) -> Span:
        # The parsed line ends with the typed part and a line end; what stood before it has no place.
        shift = len(span.file.text) - 1 - len(self.text)
        start, end = (min(max(0, at - shift), len(self.text)) for at in (span.start, span.end))
        return Span(self.whole.file, start, end)


def with_brackets(option: str, before: str, rest: str, name: str, usage: str) -> OptionText:
    """The text with brackets around a unit that has none, the part behind `before` to be parsed."""
    bare = BARE.fullmatch(rest)
    shown = f"{bare[1].removeprefix('+')} [{bare[2]}]" if bare and bare[2] else rest.strip()
    return OptionText(option, before + shown, len(before), name, usage)
