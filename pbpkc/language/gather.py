"""A spec and the files it uses, as one list of statements."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from pbpkc.language import nodes as n
from pbpkc.language.diagnostics import Diagnostic, Label, SpecError, respelt, similar
from pbpkc.language.parse import parse, read_source
from pbpkc.language.source import SourceFile, Span
from pbpkc.language.syntax_errors import has_header
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
    """

    head: n.ModelHead | None
    organism: n.Part | None
    statements: tuple[n.Statement, ...]
    own: frozenset[str]
    files: tuple[SourceFile, ...]


_STAYS_BEHIND = (n.ScenarioBlock, n.Population, n.CheckRule, n.CheckValue, n.ModelHead, n.Use)


def declared_names(statement: n.Statement) -> tuple[str, ...]:
    """The names a statement declares (without indices)."""
    if isinstance(statement, n.NodeBlock):
        return tuple(m.name for m in statement.members)
    if isinstance(statement, n.Value | n.Masked | n.StateLine | n.Observe):
        return (statement.member.name,)
    if isinstance(
        statement,
        n.Function
        | n.UnknownTerm
        | n.SpeciesBlock
        | n.FlowLine
        | n.Process
        | n.Site
        | n.Population
        | n.ScenarioBlock,
    ):
        return (statement.name,)
    return ()


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
    problems: list[Diagnostic] = []
    seen: dict[Path, bool] = {}
    files: list[SourceFile] = []
    organisms: list[n.Part] = []

    def bring(tree: n.SyntaxTree, main: bool) -> list[n.Statement]:
        files.append(tree.file)
        if tree.version != "1":
            header = has_header(tree.file.text)
            labels = (
                (Label(Span(tree.file, header.end() - len(tree.version), header.end())),) if header else ()
            )
            problems.append(
                Diagnostic(
                    "version",
                    f"'{tree.file.name}' asks for version {tree.version} of the language",
                    labels,
                    help="this pbpkc reads version 1: write `pbpk 1`",
                )
            )
        found: list[n.Statement] = []
        for statement in tree.statements:
            if isinstance(statement, n.ModelHead) and statement.organism is not None:
                organisms.append(statement.organism)
            if isinstance(statement, n.Use):
                found.extend(use(statement, tree.file))
        found.extend(
            s
            for s in tree.statements
            if (main and not isinstance(s, n.Use)) or not isinstance(s, _STAYS_BEHIND)
        )
        return found

    def use(statement: n.Use, file: SourceFile) -> list[n.Statement]:
        label = (Label(statement.span),)
        if statement.alias is not None:
            problems.append(not_yet(f"`use ... as {statement.alias}` (namespaces)", statement))
            return []
        missing = Diagnostic(
            "missing-file",
            f"there is no file '{statement.path}' that can be read",
            label,
            help='paths are relative to the file that says `use`; "library/..." is the shipped library',
        )
        try:
            path = locate(statement.path, file)
        except FileNotFoundError:
            problems.append(missing)
            return []
        if path.resolve() in seen:
            return []
        seen[path.resolve()] = True
        try:
            used = bring(read(path), main=False)
        except SpecError as error:
            if any(d.code == "cannot-read" for d in error.diagnostics):
                problems.append(missing)
            else:
                problems.extend(error.diagnostics)
            return []
        return list(_without(used, statement, problems))

    seen[Path(tree.file.name).resolve()] = True
    statements = bring(tree, main=True)
    heads = [s for s in tree.statements if isinstance(s, n.ModelHead)]
    for extra in heads[1:]:
        problems.append(
            Diagnostic(
                "duplicate-name",
                "a file has one `model` line",
                (Label(extra.span, "again here"), Label(heads[0].span, "first here")),
                help="leave one of them out",
            )
        )
    own = frozenset(name for s in tree.statements for name in declared_names(s))
    main_organism = heads[0].organism if heads else None
    organism = main_organism or (organisms[0] if organisms else None)
    head = heads[0] if heads else None
    return Gathered(head, organism, tuple(statements), own, tuple(files)), problems


def not_yet(what: str, node: n.Syntax) -> Diagnostic:
    """The refusal of a construct that the language has and this version does not."""
    return Diagnostic(
        "not-yet",
        f"not yet supported: {what}",
        (Label(node.span),),
        ("it is part of the language, and a later version brings it",),
        "leave it out for now",
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
    leave = {ref.parts[0].name: ref for ref in statement.without}
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
