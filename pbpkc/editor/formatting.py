"""The canonical layout of an open text."""

from __future__ import annotations

from pbpkc.editor.analysis import Analysis
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.format_text import format_text
from pbpkc.language.syntax.parse import parse_what_stands


def formatted(analysis: Analysis) -> str | None:
    """A text as `pbpkc format` writes it; None where it does not parse or has that layout already."""
    if analysis.tree is None or analysis.file.name in analysis.broken:
        return None
    text = format_text(analysis.tree)
    again = parse_what_stands(SourceFile(analysis.file.name, text))
    if again.problems or again.tree != analysis.tree:
        return None
    return text if text != analysis.file.text else None
