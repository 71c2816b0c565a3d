"""Renaming: every file that the name reaches changes, or none, and nothing means anything else afterwards."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pbpkc.editor.analysis import Analysis, analyse
from pbpkc.editor.navigate import Reach, reach
from pbpkc.editor.occurrences import Occurrence, kind_of, occurrences
from pbpkc.editor.texts import Texts, same_file
from pbpkc.language.binding.scope import NODE_ATTRIBUTES, QUANTITIES, RESERVED
from pbpkc.language.diagnostics import Replacement
from pbpkc.language.scenario.data_block import WORDS as DATA_WORDS
from pbpkc.language.source import Span
from pbpkc.language.syntax import nodes as n
from pbpkc.resources import resource


class Refused(Exception):
    """A name that cannot be changed, or not into this; the message says why."""


def renamed(
    analysis: Analysis, at: int, new: str, texts: Texts, folders: Sequence[Path]
) -> list[Replacement]:
    """The changes that give the thing at a place another name.

    Parameters
    ----------
    analysis : Analysis
    at : int
        Offset in its text.
    new : str
    texts : Texts
    folders : sequence of Path
        Where specs are that may use the same files.

    Raises
    ------
    Refused
        For a word of the language, a name that exists, a file that ships with pbpkc or does not parse, and
        whenever the renamed specs would not be understood.
    """
    found = reach(analysis, at, texts, folders)
    if found is None:
        raise Refused("there is no name of the spec here")
    old = found.occurrences[0]
    _check_own(old)
    if new == old.name:
        return []
    _check_form(new)
    _check_files(found, folders)
    if old.owner is not None:
        _check_local(found, analysis, new)
    else:
        _check_global(found, new)
    changes = [_change(one, new, found) for one in found.occurrences]
    _check_meaning(found, changes, texts)
    return changes


def renamable(analysis: Analysis, at: int, texts: Texts, folders: Sequence[Path]) -> Span:
    """The name at a place, if it can be changed at all.

    Raises
    ------
    Refused
    """
    found = reach(analysis, at, texts, folders)
    if found is None:
        raise Refused("there is no name of the spec here")
    _check_own(found.occurrences[0])
    _check_files(found, folders)
    return next(
        o.span
        for o in found.occurrences
        if o.span.file.name == analysis.file.name and o.span.start <= at <= o.span.end
    )


def _check_own(one: Occurrence) -> None:
    if "." in one.name:
        raise Refused(f"'{one.name}' is declared in a file that is used under a name; rename it there")


def _check_form(new: str) -> None:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", new):
        raise Refused(f"'{new}' is no name: names are made of the letters A to Z, digits and _")


def _check_files(found: Reach, folders: Sequence[Path]) -> None:
    library = same_file(resource("specs", "library"))
    own = [same_file(folder) for folder in folders]
    for one in found.occurrences:
        path = Path(one.span.file.name)
        if path.is_relative_to(library) and not any(path.is_relative_to(folder) for folder in own):
            raise Refused(f"'{one.name}' also stands in {path.name}, which ships with pbpkc")
    for program in found.programs:
        for name in program.broken:
            raise Refused(f"{Path(name).name} does not parse; correct it first")


def _check_local(found: Reach, analysis: Analysis, new: str) -> None:
    """An argument or an index: it must not hide what its statement reads, and is a word like any other."""
    old = found.occurrences[0]
    assert old.owner is not None and analysis.tree is not None
    if new in RESERVED:
        raise Refused(f"'{new}' is a word of the language")
    for one in occurrences(analysis.tree, analysis.scope):
        inside = old.owner.start <= one.span.start < old.owner.end
        if inside and one.name == new:
            raise Refused(f"'{new}' already stands in this statement")


def _check_global(found: Reach, new: str) -> None:
    old = found.occurrences[0].name
    kinds = {kind_of(program.scope, old) for program in found.programs}
    if new in RESERVED and not kinds <= {"scenario", "population"}:
        raise Refused(f"'{new}' is a word of the language")
    if "species" in kinds and new in (*QUANTITIES, *NODE_ATTRIBUTES):
        raise Refused(f"no species can be called '{new}', for the word follows a dot elsewhere")
    if kinds & {"covariate", "input", "observe"} and new in DATA_WORDS:
        raise Refused(f"'{new}' is a word of data files")
    for program in found.programs:
        if new in program.scope.names():
            where = program.scope.where.get(new) or program.scope.family_where.get(new)
            place = f" in {Path(where.file.name).name}, line {where.line}" if where is not None else ""
            raise Refused(f"'{new}' is declared{place}")
        for tree in program.trees.values():
            for one in occurrences(tree, program.scope):
                if one.owner is not None and one.name == new and _reads(found, one.owner):
                    line = f"line {one.span.line} of {Path(one.span.file.name).name}"
                    raise Refused(f"'{new}' is an index or an argument where '{old}' is read: {line}")
        _check_headers(program, old)
        _check_composition(program, old)


def _check_composition(program: Analysis, old: str) -> None:
    """A tissue may have the composition that predicts kp from its name."""
    block = program.scope.nodes.get(old)
    if block is None or block.kind != "tissue" or any(a.ref.text == "like" for a in block.attributes):
        return
    for species in program.scope.species.values():
        for attribute in species.attributes:
            if isinstance(attribute.value, n.Call) and attribute.value.name == "auto":
                raise Refused(
                    f"kp of '{species.name}' is predicted from the composition of '{old}', which is found by "
                    f"this name; write `like = {old}` into the block of '{old}' first"
                )


def _reads(found: Reach, owner: Span) -> bool:
    return any(
        o.span.file.name == owner.file.name and owner.start <= o.span.start < owner.end
        for o in found.occurrences
    )


def _check_headers(program: Analysis, old: str) -> None:
    """A covariate without a dimension may be read from a column of its name that no line mentions."""
    if kind_of(program.scope, old) not in ("covariate", "input"):
        return
    for statement in program.statements:
        if not isinstance(statement, n.ScenarioBlock):
            continue
        for item in statement.items:
            if not isinstance(item, n.Data):
                continue
            told = any(isinstance(line, n.ColumnLine) and line.target.name == old for line in item.items)
            if not told and old in _headers(Path(program.file.name).parent / item.path):
                raise Refused(
                    f"the column '{old}' of {item.path} is read by its name; write `column {old} = {old}` "
                    f"into the data block of scenario '{statement.name}' first"
                )


def _headers(path: Path) -> list[str]:
    """The words of the first line of a data file that is no comment; none where it cannot be read."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            for _ in range(100):
                line = file.readline(100_000)
                if not line:
                    return []
                if line.strip() and not line.startswith("#"):
                    return [word.strip().strip('"') for word in re.split(r"[,;\t]", line)]
    except OSError:
        pass
    return []


def _change(one: Occurrence, new: str, found: Reach) -> Replacement:
    """The new name; a column that has its header from the old one keeps it."""
    line = _column_line(one, found)
    if line is not None and line.header is None:
        end = line.target.span.end
        return Replacement(Span(one.span.file, one.span.start, end), f"{new} = {line.target.name}")
    return Replacement(one.span, new)


def _column_line(one: Occurrence, found: Reach) -> n.ColumnLine | None:
    for program in found.programs:
        tree = program.trees.get(one.span.file.name)
        for statement in tree.statements if tree is not None else ():
            if isinstance(statement, n.ScenarioBlock) and statement.span.start <= one.span.start:
                for item in statement.items:
                    for line in item.items if isinstance(item, n.Data) else ():
                        if isinstance(line, n.ColumnLine) and line.target.span.start == one.span.start:
                            return line
    return None


def _check_meaning(found: Reach, changes: Sequence[Replacement], texts: Texts) -> None:
    """The specs are read again as they would be: no problem may be new, and none may go."""
    after = Texts()
    for file in texts.opened:
        after.put(Path(file.name), file.text)
    for name, text in applied(changes).items():
        after.put(Path(name), text)
    for program in found.programs:
        again = analyse(Path(program.file.name), after)
        # What is usual is told by names of organs, so other warnings may come and go.
        before, now = (
            sorted(d.code for d in one.problems if d.severity == "error" or d.code == "unused")
            for one in (program, again)
        )
        if before != now or again.sound != program.sound:
            errors = [d.message for d in again.problems if d.severity == "error"]
            told = errors[0] if errors else "its meaning would change"
            raise Refused(f"{Path(program.file.name).name} would not be understood any more: {told}")


def applied(changes: Sequence[Replacement]) -> Mapping[str, str]:
    """The texts with changes made, by file name."""
    files = {change.span.file.name: change.span.file.text for change in changes}
    for change in sorted(changes, key=lambda c: c.span.start, reverse=True):
        name = change.span.file.name
        text = files[name]
        files[name] = text[: change.span.start] + change.text + text[change.span.end :]
    return files
