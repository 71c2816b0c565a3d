"""What an editor knows of one text: its statements, names, values and problems, also while it is broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from pbpkc.editor.texts import Texts
from pbpkc.jobs.remarks import remarks
from pbpkc.language.binding.scope import Scope
from pbpkc.language.diagnostics import Diagnostic, Label, SpecError
from pbpkc.language.evaluate import evaluate_definitions
from pbpkc.language.gather import locate
from pbpkc.language.model import Definition, Model
from pbpkc.language.resolve import examine
from pbpkc.language.source import SourceFile, Span
from pbpkc.language.syntax import nodes as n
from pbpkc.language.syntax.parse import Parsed


@dataclass(frozen=True)
class Analysis:
    """A text as far as it is understood.

    Parameters
    ----------
    file : SourceFile
    tree : SyntaxTree or None
        Of the statements that parse.
    scope : Scope
        What this text and the files it uses declare.
    trees : mapping of str to SyntaxTree
        By file name: this text's and those it uses.
    definitions : mapping of str to Definition
        What has a value; of a statement that is broken now, as it was last understood.
    model : Model or None
        The last one that was whole; `sound` says whether it is that of this text.
    problems : tuple of Diagnostic
        Each with its place in this text.
    sound : bool
    broken : frozenset of str
        Files with a syntax error.
    """

    file: SourceFile
    tree: n.SyntaxTree | None
    scope: Scope
    trees: Mapping[str, n.SyntaxTree]
    definitions: Mapping[str, Definition]
    model: Model | None
    problems: tuple[Diagnostic, ...]
    sound: bool = False
    broken: frozenset[str] = frozenset()
    values: Callable[[str], float] = field(init=False, repr=False, compare=False, default=lambda name: 0.0)

    def __post_init__(self) -> None:
        lookup = evaluate_definitions({k: d.expr for k, d in self.definitions.items()}, {})
        object.__setattr__(self, "values", lambda name: float(lookup(name)))

    def value(self, name: str) -> float | None:
        """The value of a definition in canonical units; None for what changes in time."""
        try:
            return self.values(name)
        except (KeyError, ValueError, ArithmeticError):
            return None

    @cached_property
    def statements(self) -> tuple[n.Statement, ...]:
        """The statements of this text."""
        return self.tree.statements if self.tree is not None else ()


def analyse(path: Path, texts: Texts, before: Analysis | None = None) -> Analysis:
    """What is known of a text.

    Parameters
    ----------
    path : Path
        Of a text that is open, or a file.
    texts : Texts
    before : Analysis, optional
        Of an earlier state of the same text: what is broken now is taken from there.

    Raises
    ------
    SpecError
        When there is no such text.
    """
    file = texts.source(path)
    parsed = texts.parsed(file)
    if parsed.tree is None:
        return _unreadable(file, parsed, before)
    broken: dict[str, tuple[Diagnostic, ...]] = {}
    trees = {file.name: parsed.tree}

    def read(used: Path) -> n.SyntaxTree:
        source = texts.source(used)
        found = texts.parsed(source)
        if found.problems:
            broken[source.name] = found.problems
        if found.tree is None:
            raise SpecError(found.problems)
        trees[source.name] = found.tree
        return found.tree

    try:
        examined = examine(parsed.tree, read)
        problems = examined.problems if examined.model is None else remarks(examined.model)
    except Exception as error:
        # Whatever it is, it is a fault of pbpkc, and must not end the editor's session.
        return replace(_unreadable(file, parsed, before), tree=parsed.tree, problems=(_fault(file, error),))
    if parsed.problems:
        broken[file.name] = parsed.problems
    if broken:
        # What is missing in a broken statement would be reported wherever it is read.
        problems = parsed.problems or tuple(d for found in broken.values() for d in found)
    model = examined.model if not broken else None
    kept = before.definitions if before is not None and model is None else {}
    return Analysis(
        file,
        parsed.tree,
        examined.scope,
        trees,
        {**kept, **examined.definitions},
        model or (before.model if before is not None else None),
        tuple(_in_text(d, parsed.tree, trees) for d in problems),
        model is not None,
        frozenset(broken),
    )


def _unreadable(file: SourceFile, parsed: Parsed, before: Analysis | None) -> Analysis:
    if before is not None:
        return replace(
            before, file=file, problems=parsed.problems, sound=False, broken=before.broken | {file.name}
        )
    return Analysis(file, None, Scope(), {}, {}, None, parsed.problems, False, frozenset({file.name}))


def _fault(file: SourceFile, error: Exception) -> Diagnostic:
    return Diagnostic(
        "internal",
        f"internal error: {type(error).__name__}: {error}",
        (Label(Span(file, 0, 0)),),
        help="this is a fault of pbpkc, not of your spec; please report it with the spec",
    )


def _in_text(problem: Diagnostic, tree: n.SyntaxTree, trees: Mapping[str, n.SyntaxTree]) -> Diagnostic:
    """A problem of a used file, marked where this text says `use`; the true place is a further label."""
    span = problem.span
    if problem.code == "no-state":
        # A file that others use is written in an editor as well, and nothing is wrong with it.
        return replace(problem, severity="note")
    if span is None or span.file.name == tree.file.name:
        return problem
    here = use_of(span.file.name, tree, trees)
    mark = here.span if here is not None else Span(tree.file, 0, 0)
    told = f"in {Path(span.file.name).name}, line {span.line}: {problem.message}"
    first = Label(span, problem.labels[0].text or "here")
    return replace(problem, message=told, labels=(Label(mark), first, *problem.labels[1:]), fixes=())


def use_of(name: str, tree: n.SyntaxTree, trees: Mapping[str, n.SyntaxTree]) -> n.Use | None:
    """The `use` line of a text through which a file comes in."""
    for statement in tree.statements:
        if isinstance(statement, n.Use) and name in reached(statement, tree.file, trees):
            return statement
    return None


def reached(use: n.Use, file: SourceFile, trees: Mapping[str, n.SyntaxTree]) -> frozenset[str]:
    """The files that come in through one `use` line, by name."""
    found: set[str] = set()
    waiting = [(use, file)]
    while waiting:
        statement, source = waiting.pop()
        path = used_path(statement, source)
        if path is None or str(path) in found:
            continue
        found.add(str(path))
        tree = trees.get(str(path))
        if tree is not None:
            waiting.extend((s, tree.file) for s in tree.statements if isinstance(s, n.Use))
    return frozenset(found)


def used_path(use: n.Use, file: SourceFile) -> Path | None:
    """The file that a `use` line names; None for one that the library does not have."""
    try:
        return locate(use.path, file).resolve()
    except (FileNotFoundError, OSError):
        return None
