"""Places of a text in an editor's counting: lines from 0, columns in UTF-16 code units, files as URIs."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from lsprotocol import types

from pbpkc.language.source import SourceFile, Span


def to_position(file: SourceFile, offset: int) -> types.Position:
    """The editor's position of a character offset."""
    line, column = file.position(offset)
    before = file.text[offset - column + 1 : offset]
    return types.Position(line - 1, _units(before))


def to_offset(file: SourceFile, position: types.Position) -> int:
    """The character offset of an editor's position; one behind the end of a line is the end of it."""
    if position.line >= file.line_count:
        return len(file.text)
    text = file.line(position.line + 1)
    start = file.line_start(position.line + 1)
    units = 0
    for index, char in enumerate(text):
        if units >= position.character:
            return start + index
        units += _units(char)
    return start + len(text)


def to_range(span: Span) -> types.Range:
    """The editor's range of a span."""
    return types.Range(to_position(span.file, span.start), to_position(span.file, span.end))


def whole(file: SourceFile) -> types.Range:
    """The range of a whole text."""
    return to_range(Span(file, 0, len(file.text)))


def _units(text: str) -> int:
    # Characters beyond the basic plane count twice.
    return len(text) + sum(char > "\uffff" for char in text)


def to_path(uri: str) -> Path:
    """The file of a URI; a text that is no file has its URI as name."""
    parts = urlsplit(uri)
    if parts.scheme != "file":
        return Path(uri)
    host = f"//{parts.netloc}" if parts.netloc else ""
    return Path(host + url2pathname(unquote(parts.path) if "%" in parts.path else parts.path))


def to_uri(path: Path) -> str:
    """The URI of a file."""
    return path.as_uri() if path.is_absolute() else path.resolve().as_uri()
