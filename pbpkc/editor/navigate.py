"""Going from a name to its declaration and to everything that reads it; the outline of a text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pbpkc.editor.analysis import Analysis, analyse, used_path
from pbpkc.editor.occurrences import Occurrence, declared_at, kind_of, occurrences
from pbpkc.editor.texts import Texts, same_file
from pbpkc.editor.tokens import piece_at
from pbpkc.language.binding.namespaces import declared_names
from pbpkc.language.binding.scope import name_span
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.source import Span
from pbpkc.language.syntax import nodes as n

#: Files of a folder that are looked at for names: more are no folder of specs.
MOST_FILES = 500


def occurrence_at(analysis: Analysis, at: int) -> Occurrence | None:
    """The name at a place."""
    if not _readable(analysis):
        return None
    piece = piece_at(analysis.file.text, at)
    if piece is None or piece.kind != "name" or analysis.tree is None:
        return None
    every = occurrences(analysis.tree, analysis.scope)
    found = [o for o in every if o.span.start <= piece.start and piece.end <= o.span.end]
    return found[0] if found else None


def name_at(analysis: Analysis, at: int) -> str | None:
    """The declared name at a place, also in a statement that does not parse now."""
    piece = piece_at(analysis.file.text, at)
    if piece is None or piece.kind != "name":
        return None
    return piece.text if kind_of(analysis.scope, piece.text) else None


def definition(analysis: Analysis, at: int) -> list[Span]:
    """Where the name at a place is declared; the used file, for the text in quotes of a `use` line."""
    here = _used_file(analysis, at)
    if here is not None:
        return [here]
    one = occurrence_at(analysis, at)
    if one is not None and one.owner is not None and analysis.tree is not None:
        every = occurrences(analysis.tree, analysis.scope)
        return [o.span for o in every if o.declares and o.identity == one.identity]
    name = one.name if one is not None else name_at(analysis, at)
    if name is None:
        return []
    if "." in name:
        place = declared_at(analysis.scope, name)
        return [] if place is None else [place]
    return [o.span for o in everywhere(analysis.trees.values(), analysis, name) if o.declares]


def _used_file(analysis: Analysis, at: int) -> Span | None:
    for use in analysis.statements:
        if isinstance(use, n.Use) and use.span.start <= at <= use.span.end:
            piece = piece_at(analysis.file.text, at)
            path = used_path(use, analysis.file)
            tree = analysis.trees.get(str(path))
            if piece is not None and piece.kind == "text" and tree is not None:
                return Span(tree.file, 0, 0)
    return None


def everywhere(trees: Iterable[n.SyntaxTree], analysis: Analysis, name: str) -> list[Occurrence]:
    """All occurrences of a name of the spec in some trees."""
    return [
        o for tree in trees for o in occurrences(tree, analysis.scope) if o.name == name and o.owner is None
    ]


def _readable(analysis: Analysis) -> bool:
    """Whether the tree is of the text as it stands."""
    return analysis.tree is not None and analysis.tree.file.text == analysis.file.text


# ------------------------------------------------------------------ all files that a name reaches


@dataclass(frozen=True)
class Reach:
    """All occurrences of one thing, and the texts whose meaning depends on it.

    Parameters
    ----------
    occurrences : tuple of Occurrence
    programs : tuple of Analysis
        The texts, each with what it uses, in which the name stands.
    """

    occurrences: tuple[Occurrence, ...]
    programs: tuple[Analysis, ...]


def reach(analysis: Analysis, at: int, texts: Texts, folders: Sequence[Path]) -> Reach | None:
    """Everything that is meant by the name at a place: in this text, in what it uses, in what uses those.

    Parameters
    ----------
    analysis : Analysis
    at : int
    texts : Texts
    folders : sequence of Path
        Where further specs are looked for; the folder of the text is always one.
    """
    one = occurrence_at(analysis, at)
    if one is None or analysis.tree is None:
        return None
    if one.owner is not None:
        own = occurrences(analysis.tree, analysis.scope)
        return Reach(tuple(o for o in own if o.identity == one.identity), (analysis,))
    programs = [analysis]
    found = {_key(o): o for o in everywhere(analysis.trees.values(), analysis, one.name)}
    waiting = [p for p in _others(analysis, texts, folders) if one.name in p.scope.names()]
    growing = True
    while growing:
        growing = False
        files = {o.span.file.name for o in found.values()}
        for program in list(waiting):
            if files & set(program.trees):
                waiting.remove(program)
                programs.append(program)
                found |= {_key(o): o for o in everywhere(program.trees.values(), program, one.name)}
                growing = True
    return Reach(tuple(found.values()), tuple(programs))


def _key(one: Occurrence) -> tuple[str, int]:
    return one.span.file.name, one.span.start


def _others(analysis: Analysis, texts: Texts, folders: Sequence[Path]) -> list[Analysis]:
    """Other specs that use a file which this one reads too, or this one itself."""
    paths = {Path(file.name) for file in texts.opened}
    for folder in dict.fromkeys([*map(same_file, folders), Path(analysis.file.name).parent]):
        paths |= set(_specs_in(folder))
    found = []
    for path in sorted(paths):
        if str(path) == analysis.file.name or not _shares(path, analysis, texts):
            continue
        try:
            found.append(analyse(path, texts))
        except SpecError:
            continue
    return found


def _specs_in(folder: Path) -> list[Path]:
    found: list[Path] = []
    try:
        for path in folder.rglob("*.pbpk"):
            found.append(same_file(path))
            if len(found) >= MOST_FILES:
                break
    except OSError:
        pass
    return found


def _shares(path: Path, analysis: Analysis, texts: Texts) -> bool:
    """Whether a spec reaches one of the files of another; told from `use` lines alone."""
    waiting, seen = [path], set()
    while waiting:
        current = waiting.pop()
        if str(current) in seen:
            continue
        seen.add(str(current))
        if str(current) in analysis.trees:
            return True
        try:
            tree = texts.parsed(texts.source(current)).tree
        except SpecError:
            continue
        if tree is not None:
            uses = [s for s in tree.statements if isinstance(s, n.Use)]
            waiting.extend(p for p in (used_path(use, tree.file) for use in uses) if p is not None)
    return False


# ------------------------------------------------------------------ the outline


@dataclass(frozen=True)
class Entry:
    """A line of the outline: a name, what it is, the whole statement and the name in it."""

    name: str
    detail: str
    kind: str
    span: Span
    name_span: Span


def outline(analysis: Analysis) -> list[Entry]:
    """What a text declares, as it stands."""
    found = []
    for statement in analysis.statements if _readable(analysis) else ():
        names: list[tuple[str, Span]]
        if isinstance(statement, n.NodeBlock):
            names = [(m.name + (f"<{m.index}>" if m.index else ""), m.span) for m in statement.members]
        elif isinstance(statement, n.Circulation | n.ModelHead):
            names = [(statement.name, name_span(statement, statement.name))]
        else:
            names = [(name, name_span(statement, name)) for name in declared_names(statement)]
        for name, span in names:
            found.append(Entry(name, getattr(statement, "doc", ""), _kind(statement), statement.span, span))
    return found


def _kind(statement: n.Statement) -> str:
    match statement:
        case n.Value():
            return statement.keyword
        case n.NodeBlock():
            return statement.kind
        case _:
            return statement.span.text.split(None, 1)[0]
