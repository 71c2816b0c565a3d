"""The texts an editor works on: open ones as they stand on the screen, others as on the disk."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import Parsed, parse_what_stands, read_source

#: Trees that are kept: a spec rarely reaches more files, and one of 10 kB takes a few MB.
MOST_KEPT = 40


def normal(text: str) -> str:
    """A text with newlines as line ends and without a byte-order mark, as the language reads it."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def same_file(path: Path) -> Path:
    """One path for one file, however it is reached."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a circle of links
        return path


class Texts:
    """Texts and their trees; each text is parsed once."""

    def __init__(self) -> None:
        self._open: dict[Path, SourceFile] = {}
        self._parsed: OrderedDict[SourceFile, Parsed] = OrderedDict()
        self._on_disk: dict[Path, tuple[tuple[int, int], SourceFile]] = {}

    def put(self, path: Path, text: str) -> SourceFile:
        """The state of a text that is open."""
        own = same_file(path)
        file = SourceFile(str(own), normal(text))
        self._open[own] = file
        return file

    def drop(self, path: Path) -> None:
        """Close a text: from now on the file on the disk holds."""
        self._open.pop(same_file(path), None)

    def is_open(self, path: Path) -> bool:
        """Whether an editor has this text."""
        return same_file(path) in self._open

    @property
    def opened(self) -> tuple[SourceFile, ...]:
        """All texts that are open."""
        return tuple(self._open.values())

    def source(self, path: Path) -> SourceFile:
        """A text.

        Raises
        ------
        SpecError
            For a file that cannot be read.
        """
        own = same_file(path)
        if own in self._open:
            return self._open[own]
        try:
            status = own.stat()
        except (OSError, ValueError):
            return read_source(own)
        stamp = (status.st_mtime_ns, status.st_size)
        kept = self._on_disk.get(own)
        if kept is None or kept[0] != stamp:
            kept = self._on_disk[own] = (stamp, read_source(own))
        return kept[1]

    def parsed(self, file: SourceFile) -> Parsed:
        """What of a text parses."""
        found = self._parsed.pop(file, None) or parse_what_stands(file)
        self._parsed[file] = found
        while len(self._parsed) > MOST_KEPT:
            self._parsed.popitem(last=False)
        return found
