"""A spec and the files it uses, as one list of statements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pbpkc.language.binding.namespaces import declared_names, joined, under
from pbpkc.language.diagnostics import Diagnostic, Label, SpecError, respelt, similar
from pbpkc.language.source import SourceFile, Span
from pbpkc.language.syntax import nodes as n
from pbpkc.language.syntax.parse import parse, read_source
from pbpkc.language.syntax.syntax_errors import has_header
from pbpkc.resources import resource


@dataclass(frozen=True)
class Gathered:
    """Everything a spec says, with used files brought in.

    Parameters
    ----------
    head : ModelHead or None
        Of the main file.
    organism : Part or None
        The main file's, else the first used file's that names one.
    statements : tuple of Statement
        Used files first, in the order of their `use` lines; scenarios, populations and checks of the
        main file alone.
    own : frozenset of str
        Names of the main file's own declarations (a top-level `set` may not touch them).
    files : tuple of SourceFile
        The main file first.
    namespaces : mapping of str to Use
        The lines that brought files in under a name, by that name (``mother``, ``mother.drug``).
    organisms : mapping of str to str
        Of each namespace whose file names one.
    """

    head: n.ModelHead | None
    organism: n.Part | None
    statements: tuple[n.Statement, ...]
    own: frozenset[str]
    files: tuple[SourceFile, ...]
    namespaces: Mapping[str, n.Use] = field(default_factory=dict)
    organisms: Mapping[str, str] = field(default_factory=dict)


_STAYS_BEHIND = (n.ScenarioBlock, n.Population, n.CheckRule, n.CheckValue, n.ModelHead, n.Use)


#: Gives the tree of a used file; raises `SpecError`.
Reader = Callable[[Path], n.SyntaxTree]


def read_tree(path: Path) -> n.SyntaxTree:
    """The tree of a file as it stands on the disk."""
    return parse(read_source(path))


def gather(tree: n.SyntaxTree, read: Reader = read_tree) -> Gathered:
    """Bring in the files a tree uses.

    Parameters
    ----------
    tree : SyntaxTree
    read : callable, optional
        Gives the tree of a used file: an editor has texts that are not saved yet.

    Raises
    ------
    SpecError
        For a file that cannot be read or parsed, a `without` name that is not there, a language
        version other than 1.
    """
    gathered, problems = gather_what_stands(tree, read)
    if problems:
        raise SpecError(problems)
    return gathered


def gather_what_stands(tree: n.SyntaxTree, read: Reader = read_tree) -> tuple[Gathered, list[Diagnostic]]:
    """What could be brought in, and what is wrong with the rest."""
    gathering = _Gathering(read)
    statements = gathering.main(tree)
    heads = [s for s in tree.statements if isinstance(s, n.ModelHead)]
    for extra in heads[1:]:
        gathering.problems.append(
            Diagnostic(
                "duplicate-name",
                "a file has one `model` line",
                (Label(extra.span, "again here"), Label(heads[0].span, "first here")),
                help="leave one of them out",
            )
        )
    own = frozenset(name for s in tree.statements for name in declared_names(s))
    organisms = gathering.organisms
    found = Gathered(
        heads[0] if heads else None,
        organisms.pop("", None),
        tuple(statements),
        own,
        tuple(gathering.files),
        gathering.namespaces,
        {prefix: part.name for prefix, part in organisms.items()},
    )
    return found, gathering.problems


class _Gathering:
    """Reads a file and those it uses. `prefix` is the namespace that a file is brought into."""

    def __init__(self, read: Reader) -> None:
        self.read = read
        self.problems: list[Diagnostic] = []
        self.files: list[SourceFile] = []
        self.organisms: dict[str, n.Part] = {}
        self.namespaces: dict[str, n.Use] = {}
        self._seen: set[tuple[str, Path]] = set()
        self._open: list[Path] = []  # files whose `use` lines are being followed

    def main(self, tree: n.SyntaxTree) -> list[n.Statement]:
        """The statements of the spec and of all files it uses."""
        path = Path(tree.file.name).resolve()
        self._seen.add(("", path))
        self._open.append(path)
        return self._bring(tree, "", True)

    def _bring(self, tree: n.SyntaxTree, prefix: str, main: bool) -> list[n.Statement]:
        if tree.file not in self.files:
            self.files.append(tree.file)
        self._check_version(tree)
        for statement in tree.statements:
            if isinstance(statement, n.ModelHead) and statement.organism is not None:
                self.organisms.setdefault(prefix, statement.organism)
        found: list[n.Statement] = []
        for statement in tree.statements:
            if isinstance(statement, n.Use):
                found.extend(self._use(statement, tree.file, prefix))
        begin = f"{prefix}." if prefix else ""
        aliases = {name[len(begin) :] for name in self.namespaces if name.startswith(begin)}
        for statement in tree.statements:
            if (main and not isinstance(statement, n.Use)) or not isinstance(statement, _STAYS_BEHIND):
                found.append(joined(statement, aliases))
        return found

    def _check_version(self, tree: n.SyntaxTree) -> None:
        if tree.version == "1":
            return
        header = has_header(tree.file.text)
        labels = (Label(Span(tree.file, header.end() - len(tree.version), header.end())),) if header else ()
        self.problems.append(
            Diagnostic(
                "version",
                f"'{tree.file.name}' asks for version {tree.version} of the language",
                labels,
                help="this pbpkc reads version 1: write `pbpk 1`",
            )
        )

    def _use(self, statement: n.Use, file: SourceFile, prefix: str) -> list[n.Statement]:
        inner = prefix
        if statement.alias is not None:
            inner = f"{prefix}.{statement.alias}" if prefix else statement.alias
            if inner in self.namespaces:
                self._twice(inner, statement)
                return []
            self.namespaces[inner] = statement
        missing = Diagnostic(
            "missing-file",
            f"there is no file '{statement.path}' that can be read",
            (Label(statement.span),),
            help='paths are relative to the file that says `use`; "library/..." is the shipped library',
        )
        try:
            path = locate(statement.path, file)
        except FileNotFoundError:
            self.problems.append(missing)
            return []
        place = path.resolve()
        if place == self._open[-1] or (statement.alias is not None and place in self._open):
            self._circle(statement)
            return []
        if (inner, place) in self._seen:
            return []
        self._seen.add((inner, place))
        self._open.append(place)
        try:
            used = self._bring(self.read(path), inner, False)
        except SpecError as error:
            codes = {d.code for d in error.diagnostics}
            if "cannot-read" in codes:
                self.problems.append(missing)
            elif "no-header" in codes:
                # What else a file holds that is no spec is not for a message.
                self.problems.append(
                    Diagnostic(
                        "no-header",
                        f"'{statement.path}' is no spec: it does not begin with `pbpk`",
                        (Label(statement.span),),
                        help="name a file whose first line is `pbpk 1`",
                    )
                )
            else:
                self.problems.extend(error.diagnostics)
            return []
        finally:
            self._open.pop()
        kept = list(_without(used, statement, self.problems))
        return kept if statement.alias is None else under(kept, statement.alias)

    def _twice(self, name: str, statement: n.Use) -> None:
        self.problems.append(
            Diagnostic(
                "duplicate-name",
                f"the namespace '{name}' is used for two files",
                (Label(statement.span, "again here"), Label(self.namespaces[name].span, "first here")),
                help="give each its own name behind `as`",
            )
        )

    def _circle(self, statement: n.Use) -> None:
        self.problems.append(
            Diagnostic(
                "cycle",
                f"'{statement.path}' uses itself"
                + (f" as '{statement.alias}', again and again" if statement.alias else ""),
                (Label(statement.span),),
                help="a file cannot be a part of itself; leave one `use` out",
            )
        )


def locate(path: str, file: SourceFile) -> Path:
    """Where a used file stands: beside the file that says `use`, or in the shipped library.

    Raises
    ------
    FileNotFoundError
        For a file that the library does not have.
    """
    if path.startswith("library/"):
        return resource("specs", *path.split("/"))
    return Path(file.name).parent / path


def _without(used: list[n.Statement], statement: n.Use, problems: list[Diagnostic]) -> Iterable[n.Statement]:
    leave = {ref.text: ref for ref in statement.without}
    available = {name for s in used for name in declared_names(s)}
    for name, ref in leave.items():
        if name not in available:
            near = similar(name, available)
            problems.append(
                Diagnostic(
                    "unknown-name",
                    f"'{statement.path}' declares no '{name}'",
                    (Label(ref.span),),
                    help=f"a declaration with a similar name exists there: '{near}'"
                    if near
                    else "leave it out of the `without` list",
                    fixes=respelt(ref.span, name, available),
                )
            )
    for s in used:
        if isinstance(s, n.NodeBlock):
            members = tuple(m for m in s.members if m.name not in leave)
            if members:
                yield n.NodeBlock(s.kind, members, s.doc, s.attributes, span=s.span)
        elif not set(declared_names(s)) & set(leave):
            yield s
