"""Problems as an editor shows them: the text with notes and help, the other places beside it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lsprotocol import types

from pbpkc.editor.places import to_range, to_uri
from pbpkc.language.diagnostics import Diagnostic
from pbpkc.language.source import SourceFile, Span

SOURCE = "pbpkc"

_SEVERITY = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "note": types.DiagnosticSeverity.Information,
}


def to_editor(problems: Iterable[Diagnostic], file: SourceFile) -> list[types.Diagnostic]:
    """The problems of a text in the editor's form; those without a place stand at its beginning."""
    return [_report(problem, file) for problem in problems]


def told(problem: Diagnostic) -> str:
    """A problem as text: message, notes, help."""
    lines = [problem.message, *(f"note: {note}" for note in problem.notes)]
    if problem.help:
        lines.append(f"help: {problem.help}")
    return "\n".join(lines)


def _report(problem: Diagnostic, file: SourceFile) -> types.Diagnostic:
    span = problem.span or Span(file, 0, 0)
    others = [label for label in problem.labels[1:] if label.span != span]
    return types.Diagnostic(
        to_range(span),
        told(problem),
        _SEVERITY[problem.severity],
        problem.code,
        source=SOURCE,
        tags=[types.DiagnosticTag.Unnecessary] if problem.code == "unused" else None,
        related_information=[
            types.DiagnosticRelatedInformation(
                types.Location(to_uri(Path(label.span.file.name)), to_range(label.span)), label.text or "here"
            )
            for label in others
        ],
    )
