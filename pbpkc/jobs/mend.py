"""Safe repairs of a spec: what nobody can have meant otherwise is written anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pbpkc.experiment.whole_file import write_whole
from pbpkc.language.diagnostics import Diagnostic, Fix, SpecError
from pbpkc.language.resolve import examine
from pbpkc.language.source import SourceFile, Span
from pbpkc.language.syntax.nodes import SyntaxTree
from pbpkc.language.syntax.parse import parse, read_source
from pbpkc.resources import resource

#: A repair may uncover the next, for what does not parse hides what it means.
MOST_ROUNDS = 20


@dataclass(frozen=True)
class Mending:
    """One change that was made.

    Parameters
    ----------
    file : str
    line, column : int
        From 1, as the text stood when it was changed.
    before, after : str
    problem : Diagnostic
        That it removes.
    """

    file: str
    line: int
    column: int
    before: str
    after: str
    problem: Diagnostic

    def __str__(self) -> str:
        was = f"'{self.before}' -> '{self.after}'" if self.before else f"'{self.after}' put in"
        return f"{self.file}:{self.line}:{self.column}: {was} ({self.problem.code}: {self.problem.message})"

    def to_json(self) -> Mapping[str, object]:
        """As plain data."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "before": self.before,
            "after": self.after,
            "code": self.problem.code,
            "message": self.problem.message,
        }


def mend(path: str | Path) -> tuple[Mending, ...]:
    """Make every safe repair of a spec and of the files beside it that it uses.

    Comments, layout and line ends stay. A file in another folder, such as the shipped library, is never
    changed. Files are written whole, after the last repair; without a repair nothing is written.

    Parameters
    ----------
    path : path of a ``.pbpk`` file

    Returns
    -------
    tuple of Mending
        What was changed, in the order in which it was.

    Raises
    ------
    SpecError
        For a spec that cannot be read.
    OSError
        For one that cannot be written; nothing has then changed.
    """
    desk = _Desk(Path(path))
    made: list[Mending] = []
    for _ in range(MOST_ROUNDS):
        now = desk.repaired(desk.problems())
        if not now:
            break
        made += now
    if made:
        write_whole(desk.changed)
    return tuple(made)


class _Desk:
    """Texts that are being repaired, by path; what was not touched is read from the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.changed: dict[Path, bytes] = {}

    def problems(self) -> tuple[Diagnostic, ...]:
        try:
            return examine(self._tree(self.path), self._tree).problems
        except SpecError as error:
            return error.diagnostics

    def _tree(self, path: Path) -> SyntaxTree:
        if path not in self.changed:
            return parse(read_source(path))
        text, _ = _normal(self.changed[path].decode("utf-8"))
        return parse(SourceFile(str(path), text))

    def repaired(self, problems: Iterable[Diagnostic]) -> list[Mending]:
        """Make the safe fixes of problems, of several at one place the first."""
        made: list[Mending] = []
        taken: dict[Path, list[tuple[int, int, str]]] = {}
        for problem in problems:
            fix = next((f for f in problem.fixes if f.safe and self._allowed(f)), None)
            if fix is None or any(self._overlaps(taken, r.span) for r in fix.replacements):
                continue
            for one in fix.replacements:
                span = one.span
                taken.setdefault(Path(span.file.name), []).append((span.start, span.end, one.text))
                made.append(Mending(span.file.name, span.line, span.column, span.text, one.text, problem))
        for path, edits in taken.items():
            self._apply(path, edits)
        return made

    @staticmethod
    def _overlaps(taken: Mapping[Path, list[tuple[int, int, str]]], span: Span) -> bool:
        edits = taken.get(Path(span.file.name), ())
        return any(span.start <= end and start <= span.end for start, end, _ in edits)

    def _allowed(self, fix: Fix) -> bool:
        """Whether all of it stands in the spec's own folder, and not in the library that is shipped."""
        library = Path(str(resource("specs", "library"))).resolve()
        folders = {Path(r.span.file.name).resolve().parent for r in fix.replacements}
        return folders == {self.path.resolve().parent} and library not in folders

    def _apply(self, path: Path, edits: list[tuple[int, int, str]]) -> None:
        raw = (self.changed.get(path) or path.read_bytes()).decode("utf-8")
        _, places = _normal(raw)
        for start, end, text in sorted(edits, reverse=True):
            raw = raw[: places[start]] + text + raw[places[end] :]
        self.changed[path] = raw.encode("utf-8")


def _normal(raw: str) -> tuple[str, list[int]]:
    """A text as it is parsed, and where in the raw one each of its characters stands, and its end."""
    text: list[str] = []
    places: list[int] = []
    position = 1 if raw.startswith("\ufeff") else 0
    while position < len(raw):
        places.append(position)
        if raw[position] == "\r":
            text.append("\n")
            position += 2 if raw[position : position + 2] == "\r\n" else 1
        else:
            text.append(raw[position])
            position += 1
    return "".join(text), [*places, len(raw)]
