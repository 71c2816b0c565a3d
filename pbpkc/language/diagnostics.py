"""Problems in specs and data as values, and how they are shown.

A problem states a fact, marks the text it is about, and says what to change. A stage collects all
it can see and raises one `SpecError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from pbpkc.language.source import Span
from pbpkc.language.spelling import only_meant

#: Longer lines are shown in part.
_WIDEST = 300

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Label:
    """A marked stretch of text with a word on it."""

    span: Span
    text: str = ""


@dataclass(frozen=True)
class Replacement:
    """A stretch of text and what stands there instead; an empty stretch is an insertion."""

    span: Span
    text: str


@dataclass(frozen=True)
class Fix:
    """A change that a program may make because of a diagnostic.

    Parameters
    ----------
    title : str
        What it does, for a menu: ``write 'clint'``.
    replacements : tuple of Replacement
        They do not overlap.
    safe : bool
        Whether it may be made without asking: there is one thing that can have been meant.
    """

    title: str
    replacements: tuple[Replacement, ...]
    safe: bool = False

    def to_json(self) -> Mapping[str, object]:
        """The change as plain data; `start` and `end` are character offsets into the file."""
        return {
            "title": self.title,
            "safe": self.safe,
            "replacements": [
                {
                    "file": r.span.file.name,
                    "line": r.span.line,
                    "column": r.span.column,
                    "start": r.span.start,
                    "end": r.span.end,
                    "text": r.text,
                }
                for r in self.replacements
            ],
        }


@dataclass(frozen=True)
class Diagnostic:
    """One problem, or one remark.

    Parameters
    ----------
    code : str
        Stable short name, for example ``unknown-name``.
    message : str
        States the fact; it stands alone.
    labels : tuple of Label
        The first is where the problem is; others show what it collides with.
    notes : tuple of str
        Context.
    help : str, optional
        What to change.
    severity : {"error", "warning", "note"}
    fixes : tuple of Fix
        Changes that would remove the problem.
    """

    code: str
    message: str
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: str | None = None
    severity: Severity = "error"
    fixes: tuple[Fix, ...] = ()

    @property
    def span(self) -> Span | None:
        """Where the problem is, if it has a place."""
        return self.labels[0].span if self.labels else None

    def render(self) -> str:
        """The problem as plain text: heading, place, marked lines, notes, help."""
        lines = [f"{self.severity}[{self.code}]: {self.message}"]
        for index, label in enumerate(self.labels):
            lines.extend(_render_label(label, first=index == 0))
        lines.extend(f"  note: {note}" for note in self.notes)
        if self.help:
            lines.append(f"  help: {self.help}")
        return "\n".join(lines)

    def to_json(self) -> Mapping[str, object]:
        """The problem as plain data, for ``--format json``."""
        span = self.span
        return {
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
            "file": span.file.name if span else None,
            "line": span.line if span else None,
            "column": span.column if span else None,
            "text": span.text if span else None,
            "labels": [
                {
                    "file": label.span.file.name,
                    "line": label.span.line,
                    "column": label.span.column,
                    "text": label.text,
                }
                for label in self.labels
            ],
            "notes": list(self.notes),
            "help": self.help,
            "fixes": [fix.to_json() for fix in self.fixes],
        }


class Problems(list[Diagnostic]):
    """Diagnostics in the order in which they were found, none of them twice.

    The members of a family fail together: a problem that differs from an earlier one at the same place
    in an index alone is not said again.
    """

    def __init__(self, problems: Iterable[Diagnostic] = ()) -> None:
        super().__init__()
        self._seen: set[tuple[str, str, Span | None]] = set()
        self.extend(problems)

    def append(self, problem: Diagnostic) -> None:
        """Add a problem that is not there yet."""
        key = problem.code, re.sub(r"<[^<>]*>", "", problem.message), problem.span
        if key not in self._seen:
            self._seen.add(key)
            super().append(problem)

    def extend(self, problems: Iterable[Diagnostic]) -> None:
        """Add those that are not there yet."""
        for problem in problems:
            self.append(problem)

    @property
    def any_error(self) -> bool:
        """Whether one of them is an error."""
        return any(p.severity == "error" for p in self)


class SpecError(Exception):
    """All the problems one stage found in a spec or a data file."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        # One wrong line read in ten places is one problem.
        self.diagnostics = tuple(dict.fromkeys(diagnostics))
        super().__init__("\n\n".join(d.render() for d in self.diagnostics))


class InternalError(Exception):
    """A promise inside pbpkc was broken; the user is asked for a report."""


def in_reading_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Diagnostics file by file, as a reader of the text meets them; those without a place come first."""
    found = list(diagnostics)
    files = list(dict.fromkeys(d.span.file.name for d in found if d.span))
    return sorted(found, key=lambda d: (files.index(d.span.file.name), d.span.start) if d.span else (-1, 0))


def raise_if_errors(diagnostics: Iterable[Diagnostic]) -> None:
    """Raise one `SpecError` with all errors, in reading order, if there is one."""
    errors = [d for d in diagnostics if d.severity == "error"]
    if errors:
        raise SpecError(in_reading_order(errors))


def similar(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like a misspelt name, or None."""
    pool = sorted(set(candidates))
    folded = {c.lower(): c for c in pool}
    if name.lower() in folded:
        return folded[name.lower()]
    found = get_close_matches(name, pool, n=1, cutoff=0.6)
    return found[0] if found else None


def respelt(span: Span, name: str, candidates: Iterable[str]) -> tuple[Fix, ...]:
    """The fix of a misspelt name that a span begins with; it is safe where only one can have been meant."""
    pool = {c.split("<")[0] for c in candidates}  # a family by its name
    near = similar(name, pool)
    where = Span(span.file, span.start, span.start + len(name))
    if near is None or name in pool or where.text != name:
        return ()
    meant = only_meant(name, pool)
    if (meant or near).rpartition(".")[0] != name.rpartition(".")[0]:
        return ()  # in a used file a name stands without the namespace that it is brought into
    return (Fix(f"write '{meant or near}'", (Replacement(where, meant or near),), meant is not None),)


def printable(text: str) -> str:
    """A text with a mark for each character that a terminal would obey or hide, of the same length."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _render_label(label: Label, first: bool) -> list[str]:
    span = label.span
    line, column = span.line, span.column
    source = span.file.line(line)
    width = max(1, min(span.end - span.start, len(source) - column + 1))
    indent = column - 1
    if len(source) > _WIDEST:
        # Of a long line the part around the place is shown.
        cut = max(0, min(indent - _WIDEST // 3, len(source) - _WIDEST))
        source = ("..." if cut else "") + source[cut : cut + _WIDEST] + "..." * (cut + _WIDEST < len(source))
        indent += (3 if cut else 0) - cut
        width = min(width, max(1, len(source) - indent))
    # Tabs would shift the marker, so they are shown as one blank each.
    shown = printable(source.replace("\t", " "))
    gutter = str(line)
    blank = " " * len(gutter)
    arrow = "-->" if first else ":::"
    mark = ("^" if first else "-") * width
    return [
        f"{blank}{arrow} {span.file.name}:{line}:{column}",
        f"{blank} |",
        f"{gutter} | {shown}",
        f"{blank} | {' ' * indent}{mark}{' ' + label.text if label.text else ''}",
    ]
