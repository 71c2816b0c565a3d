"""Where names stand in a tree: each declaration and each reading, with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from pbpkc.editor.words import PLACES
from pbpkc.language.binding.namespaces import joined
from pbpkc.language.binding.scope import Scope, name_span
from pbpkc.language.scenario.data_block import WORDS as DATA_WORDS
from pbpkc.language.source import Span
from pbpkc.language.syntax import nodes as n

#: Attributes whose value is a word of its own and no name of the spec.
_WORD_VALUES = ("like",)


@dataclass(frozen=True)
class Occurrence:
    """A name at a place.

    Parameters
    ----------
    name : str
        Without an index.
    span : Span
        Of the name alone.
    declares : bool
    owner : Span or None
        Of the statement or sum to which a running index or an argument belongs; None for a name of the spec.
    """

    name: str
    span: Span
    declares: bool = False
    owner: Span | None = None

    @property
    def identity(self) -> tuple[str, Span | None]:
        """What all occurrences of one thing have in common."""
        return self.name, self.owner


#: Kind of a declared name: ``param``, ``tissue``, ``species``, ``observe``, ``scenario`` ...
Kinds = Callable[[str], str]


def kind_of(scope: Scope, name: str) -> str:
    """What a name was declared as; empty for one that was not."""
    member = name if name in scope.where else _first_member(scope, name)
    if member in scope.values:
        node = scope.values[member][0]
        return "masked" if isinstance(node, n.Masked) else node.keyword
    if member in scope.nodes:
        return scope.nodes[member].kind
    if member in scope.processes:
        return "process" if isinstance(scope.processes[member][0], n.Process) else "flow"
    tables: tuple[tuple[str, Mapping[str, object]], ...] = (
        ("function", scope.functions),
        ("unknown", scope.unknowns),
        ("species", scope.species),
        ("state", scope.states),
        ("site", scope.sites),
        ("observe", scope.observes),
        ("scenario", scope.scenarios),
        ("circulation", scope.circulations),
    )
    found = next((kind for kind, table in tables if member in table), "")
    if not found and any(p.name == name for p in scope.populations):
        return "population"
    return found


def _first_member(scope: Scope, name: str) -> str:
    if name not in scope.family_where:
        return name
    return next((m for m in scope.where if m.startswith(name + "<")), name)


def occurrences(tree: n.SyntaxTree, scope: Scope) -> list[Occurrence]:
    """Every name of a tree that means something declared, in reading order.

    Parameters
    ----------
    tree : SyntaxTree
    scope : Scope
        Decides which words behind a dot are names.
    """
    known: dict[str, str] = {}

    def kind(name: str) -> str:
        if name not in known:
            known[name] = kind_of(scope, name)
        return known[name]

    statements = [joined(s, scope.namespaces) for s in tree.statements]
    found = [o for s in statements for o in _Statement(s, kind).occurrences()]
    return sorted(found, key=lambda o: o.span.start)


def joined_path(scope: Scope, path: Sequence[str], index: int) -> tuple[list[str], int]:
    """``mother, liver, X`` as ``mother.liver, X``, and the place of one of the words in it."""
    found: list[str] = []
    at = index
    for word in path:
        if found and found[-1] in scope.namespaces:
            found[-1] += f".{word}"
            at -= len(found) <= at
        else:
            found.append(word)
    return found, at


def declared_at(scope: Scope, name: str) -> Span | None:
    """Where a name is declared that another file is brought in with: ``mother.liver``, the word alone."""
    span = scope.where.get(name) or scope.family_where.get(name)
    if span is None and name in scope.circulations:
        span = name_span(scope.circulations[name], name)
    word = name.rpartition(".")[2]
    return _begin(span, word) if span is not None and span.text.startswith(word) else span


def names_at(part: n.Part | n.Member) -> Span:
    """The name of a part, its index left off."""
    return _begin(part.span, part.name)


def _begin(span: Span, name: str) -> Span:
    return Span(span.file, span.start, span.start + len(name))


class _Statement:
    """The occurrences of one statement; `local` maps running indices and arguments to their owner."""

    def __init__(self, statement: n.Statement, kind: Kinds) -> None:
        self.statement, self.kind = statement, kind
        self.local: dict[str, Span] = {}
        self._holder: n.Syntax = statement

    def occurrences(self) -> Iterator[Occurrence]:
        node = self.statement
        yield from self._bindings(getattr(node, "over", ()), node.span)
        match node:
            case n.Function():
                yield self._own(node.name)
                yield from self._arguments(node)
            case n.UnknownTerm():
                yield self._own(node.name)
                for argument in node.arguments:
                    self.local[argument.name] = node.span
                    yield Occurrence(argument.name, _begin(argument.span, argument.name), True, node.span)
                for shape in node.shapes:
                    end = shape.span.end
                    place = Span(shape.span.file, end - len(shape.argument), end)
                    if shape.argument in self.local:
                        yield Occurrence(shape.argument, place, False, node.span)
            case n.SpeciesBlock() | n.Circulation() | n.FlowLine() | n.Process() | n.Site():
                yield self._own(node.name)
            case n.Population() | n.ScenarioBlock():
                yield self._own(node.name)
            case n.Value() | n.Masked() | n.StateLine() | n.Observe():
                yield from self._member(node.member)
            case n.NodeBlock():
                for member in node.members:
                    yield from self._member(member)
            case _:
                pass
        yield from self._fields(node)

    # ---------------------------------------------------------------- declared names

    def _own(self, name: str) -> Occurrence:
        return Occurrence(name, name_span(self.statement, name), True)

    def _member(self, member: n.Member) -> Iterator[Occurrence]:
        yield Occurrence(member.name, names_at(member), True)
        yield from self._index(member)

    def _arguments(self, node: n.Function) -> Iterator[Occurrence]:
        text, start = node.span.text, node.span.start
        head = text.index("(", name_span(node, node.name).end - start)
        for match in re.compile(r"#[^\n]*|[A-Za-z_]\w*").finditer(text, head, text.index(")", head)):
            if match[0] in node.arguments:
                self.local[match[0]] = node.span
                place = Span(node.span.file, start + match.start(), start + match.end())
                yield Occurrence(match[0], place, True, node.span)

    def _bindings(self, over: tuple[n.Binding, ...], owner: Span) -> Iterator[Occurrence]:
        for binding in over:
            self.local[binding.name] = owner
            yield Occurrence(binding.name, _begin(binding.span, binding.name), True, owner)

    # ---------------------------------------------------------------- readings

    def _inside(self, node: object) -> Iterator[Occurrence]:
        match node:
            case tuple():
                for item in node:
                    yield from self._inside(item)
            case n.Ref():
                yield from self._ref(node)
            case n.Call():
                yield from self._name(node.name, _begin(node.span, node.name))
                yield from self._inside((node.args, tuple(value for _, value in node.named)))
            case n.Reduce():
                outside = dict(self.local)
                yield from self._bindings(node.over, node.span)
                yield from self._inside(node.expr)
                self.local = outside
            case n.Attribute():
                # The first word is the attribute's own; `kp.liver` names a tissue behind it.
                for part in node.ref.parts[1:]:
                    yield from self._part(part)
                if _is_word_call(node):
                    yield from self._arguments_of(node.value)
                elif node.ref.text not in _WORD_VALUES:
                    yield from self._inside(node.value)
            case n.Member() | n.Part():
                if not (isinstance(self._holder, n.ColumnLine) and node.name in DATA_WORDS):
                    yield from self._part(node)
            case n.Binding():
                pass  # declared with its owner
            case n.Syntax():
                yield from self._fields(node)
            case _:
                pass

    def _fields(self, node: n.Syntax) -> Iterator[Occurrence]:
        for field in fields(node):
            value, key = getattr(node, field.name), (type(node), field.name)
            self._holder = node
            if key in _WORD_CALLS:
                yield from self._arguments_of(value)
            elif key not in _NOT_READ:
                yield from self._inside(value)

    def _arguments_of(self, value: object) -> Iterator[Occurrence]:
        """What a call reads whose name is a word of the language, like a distribution."""
        if isinstance(value, n.Call) and value.name != "auto":
            yield from self._inside((value.args, tuple(v for _, v in value.named)))

    def _name(self, name: str, span: Span) -> Iterator[Occurrence]:
        owner = self.local.get(name)
        if owner is not None or self.kind(name):
            yield Occurrence(name, span, False, owner)

    def _part(self, part: n.Part | n.Member) -> Iterator[Occurrence]:
        yield from self._name(part.name, names_at(part))
        yield from self._index(part)

    def _ref(self, ref: n.Ref) -> Iterator[Occurrence]:
        first, *rest = ref.parts
        if rest and first.name in self.local:
            return  # an argument has no parts; it is reported elsewhere
        yield from self._part(first)
        owner = self.kind(first.name)
        for part in rest:
            kind = self.kind(part.name)
            follows = kind == "observe" if owner == "scenario" else kind in ("species", *PLACES)
            if follows and part.name not in self.local:
                yield Occurrence(part.name, names_at(part))
            yield from self._index(part)

    def _index(self, part: n.Part | n.Member) -> Iterator[Occurrence]:
        """The running indices in ``<i+1>``."""
        if part.index is None:
            return
        begin = names_at(part).end
        for match in re.compile(r"[A-Za-z_]\w*").finditer(part.span.file.text, begin, part.span.end):
            if match[0] in self.local:
                place = Span(part.span.file, match.start(), match.end())
                yield Occurrence(match[0], place, False, self.local[match[0]])


#: Fields that are declared names, or words of the language.
_NOT_READ: frozenset[tuple[type, str]] = frozenset(
    {
        (n.Value, "member"),
        (n.Value, "hold"),
        (n.Masked, "member"),
        (n.Masked, "scale"),
        (n.StateLine, "member"),
        (n.Observe, "member"),
        (n.NodeBlock, "members"),
        (n.ModelHead, "organism"),
        (n.CheckRule, "rules"),
        (n.DoseRow, "column"),
        (n.ObserveRow, "column"),
    }
)

#: Fields that hold a call whose name is a distribution or an error model.
_WORD_CALLS: frozenset[tuple[type, str]] = frozenset(
    {(n.Masked, "prior"), (n.Vary, "prior"), (n.Observe, "error")}
)


def _is_word_call(attribute: n.Attribute) -> bool:
    value = attribute.value
    return isinstance(value, n.Call) and (attribute.ref.text == "pka" or value.name in ("auto", "remainder"))
