"""The layout of spec files: read, laid out anew, written back as they were found in all else."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from pbpkc.experiment.whole_file import write_whole
from pbpkc.language.diagnostics import InternalError
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.format_text import format_text
from pbpkc.language.syntax.parse import parse, source_of

_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Laid:
    """A spec before and after.

    Parameters
    ----------
    name : str
        The path as the user wrote it.
    before, after : bytes
        Of the file; line ends and a byte-order mark are those it had.
    """

    name: str
    before: bytes
    after: bytes

    @property
    def changed(self) -> bool:
        """Whether the layout is another."""
        return self.before != self.after

    def difference(self) -> str:
        """The lines that differ, as `diff -u` shows them; empty where none do."""
        before, after = (_lines(raw) for raw in (self.before, self.after))
        shown = list(unified_diff(before, after, self.name, self.name, lineterm=""))
        if self.changed and not shown:
            return f"{self.name}: line ends differ\n"
        return "".join(line + "\n" for line in shown)


def lay_out(name: str, raw: bytes) -> Laid:
    """A spec with the layout of `format_text`.

    Parameters
    ----------
    name : str
        For messages.
    raw : bytes
        UTF-8, with or without a byte-order mark, with any line ends.

    Raises
    ------
    SpecError
        Where it is no text, or does not parse.
    """
    source = source_of(name, raw)
    tree = parse(source)
    text = format_text(tree)
    if parse(SourceFile(name, text)) != tree:
        raise InternalError(f"the new layout of '{name}' would mean something else")
    ends = "\r\n" if 2 * raw.count(b"\r\n") > raw.count(b"\n") else "\n"
    mark = _MARK if raw.startswith(_MARK) else b""
    return Laid(name, raw, mark + text.replace("\n", ends).encode())


def write_laid(laid: Iterable[Laid]) -> None:
    """Write those that changed, all or none; the others are not touched.

    A link stays one: the file that it names is written.

    Raises
    ------
    OSError
        If one may not be written; no file has then changed.
    """
    files: dict[Path, bytes] = {}
    for one in laid:
        path = Path(one.name).resolve()
        if one.changed:
            if not os.access(path, os.W_OK):
                raise PermissionError(13, os.strerror(13), one.name)
            files[path] = one.after
    write_whole(files)


def spec_files(paths: Iterable[str]) -> list[str]:
    """Files as they are named; of a folder all specs below it, in order. No file comes twice."""
    found: dict[Path, str] = {}
    for path in paths:
        names = sorted(str(p) for p in Path(path).rglob("*.pbpk")) if os.path.isdir(path) else [path]
        for name in names:
            found.setdefault(Path(name).resolve(), name)
    return list(found.values())


def _lines(raw: bytes) -> list[str]:
    text = raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    return text.split("\n")[:-1] if text.endswith("\n") else text.split("\n")
