"""Names of used files under a name of their own: ``use "body.pbpk" as mother``.

What a file declares is renamed while it is brought in, ``liver`` to ``mother.liver``, with everything in it
that reads those names. A reference of the file that uses it, ``mother.liver.X.C``, has the parts ``mother``
and ``liver`` joined to one. So the stages that follow see names with dots in them, and nothing else is new.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from pbpkc.language.syntax import nodes as n

#: Attributes of a species that may be given by tissue, of which the last part names one.
_BY_TISSUE = ("kp", "kb", "kpu", "ps")

_Node = TypeVar("_Node")


def body_of(name: str) -> str:
    """The namespace that a name stands in: ``mother`` of ``mother.liver``, empty for a plain name."""
    return name.rpartition(".")[0]


def namespaces_of(name: str) -> tuple[str, ...]:
    """The namespaces around a name, the innermost first, the spec itself (empty) last."""
    found = [body_of(name)]
    while found[-1]:
        found.append(body_of(found[-1]))
    return tuple(found)


def declared_names(statement: n.Statement) -> tuple[str, ...]:
    """The names a statement declares (without indices)."""
    match statement:
        case n.NodeBlock():
            return tuple(m.name for m in statement.members)
        case n.Value() | n.Masked() | n.StateLine() | n.Observe():
            return (statement.member.name,)
        case n.Function() | n.UnknownTerm() | n.SpeciesBlock() | n.FlowLine() | n.Process() | n.Site():
            return (statement.name,)
        case n.Population() | n.ScenarioBlock():
            return (statement.name,)
    return ()


def joined(statement: n.Statement, aliases: Collection[str]) -> n.Statement:
    """The statement with namespaces joined to the names behind them."""
    return _Joining(frozenset(aliases)).node(statement, frozenset()) if aliases else statement


def under(statements: Iterable[n.Statement], alias: str) -> list[n.Statement]:
    """Statements of a used file with what they declare, and what they read of it, under a namespace."""
    found = list(statements)
    kinds = {name: type(s) for s in found for name in declared_names(s)}
    # A circulation shares its name with a param, which `without` may have left out.
    kinds |= {s.name: n.Circulation for s in found if isinstance(s, n.Circulation)}
    renaming = _Renaming(alias, kinds)
    return [renaming.node(s, frozenset()) for s in found]


class _Rewriting:
    """Walks a statement and gives it anew where a name in it changes; `hidden` are indices and arguments."""

    def node(self, value: _Node, hidden: frozenset[str]) -> _Node:
        """Anything of a tree, with its names changed."""
        changed: Any = self._changed(value, hidden)
        return changed  # type: ignore[no-any-return]

    def _changed(self, value: object, hidden: frozenset[str]) -> object:
        match value:
            case tuple():
                parts = tuple(self._changed(v, hidden) for v in value)
                return value if all(a is b for a, b in zip(parts, value, strict=True)) else parts
            case n.Ref():
                return self.ref(value, hidden)
            case n.Attribute():
                # `like` names a composition, and no node.
                return value if value.ref.text == "like" else self._attribute(value, hidden)
            case n.Call() if value.name == "auto":
                return value  # its argument names a method
            case n.Reduce():
                return self._fields(value, hidden | {b.name for b in value.over})
            case n.Function() | n.UnknownTerm():
                inner = {a if isinstance(a, str) else a.name for a in value.arguments}
                return self.named(self._fields(value, hidden | inner))
            case n.Syntax():
                over = {b.name for b in getattr(value, "over", ())}
                return self.named(self._fields(value, hidden | over))
        return value

    def _fields(self, value: n.Syntax, hidden: frozenset[str]) -> n.Syntax:
        new: dict[str, Any] = {}
        for field in fields(value):
            old = getattr(value, field.name)
            changed = old if field.name == "span" else self._changed(old, hidden)
            if changed is not old:
                new[field.name] = changed
        return replace(value, **new) if new else value

    def _attribute(self, value: n.Attribute, hidden: frozenset[str]) -> n.Attribute:
        return replace(value, ref=self.attribute(value.ref), value=self.node(value.value, hidden))

    def ref(self, ref: n.Ref, hidden: frozenset[str]) -> n.Ref:
        """A reference anew."""
        raise NotImplementedError

    def attribute(self, ref: n.Ref) -> n.Ref:
        """The left side of an attribute, ``kp.liver``, anew."""
        raise NotImplementedError

    def named(self, value: n.Syntax) -> n.Syntax:
        """A construct with the name that it declares, or that it has beside references, anew."""
        return value


@dataclass(frozen=True)
class _Joining(_Rewriting):
    """``mother . liver . X`` to ``mother.liver . X``."""

    aliases: frozenset[str]

    def ref(self, ref: n.Ref, hidden: frozenset[str]) -> n.Ref:
        return self._joined(ref, 0)

    def attribute(self, ref: n.Ref) -> n.Ref:
        return self._joined(ref, 1)

    def _joined(self, ref: n.Ref, first: int) -> n.Ref:
        parts = list(ref.parts)
        at = first
        while at + 1 < len(parts):
            here, behind = parts[at], parts[at + 1]
            if here.index is None and here.name in self.aliases:
                name, span = f"{here.name}.{behind.name}", here.span.to(behind.span)
                parts[at : at + 2] = [n.Part(name, behind.index, span=span)]
            else:
                at += 1
        return ref if len(parts) == len(ref.parts) else n.Ref(tuple(parts), span=ref.span)


@dataclass(frozen=True)
class _Renaming(_Rewriting):
    """``liver`` to ``mother.liver``."""

    alias: str
    kinds: Mapping[str, type]

    def _under(self, name: str) -> str:
        return f"{self.alias}.{name}" if name in self.kinds else name

    def _part(self, part: n.Part) -> n.Part:
        return replace(part, name=self._under(part.name)) if part.name in self.kinds else part

    def ref(self, ref: n.Ref, hidden: frozenset[str]) -> n.Ref:
        first, *rest = ref.parts
        plain = not rest and first.index is None
        parts = [first if plain and first.name in hidden else self._part(first), *self._behind(first, rest)]
        return replace(ref, parts=tuple(parts))

    def attribute(self, ref: n.Ref) -> n.Ref:
        word, *rest = ref.parts
        return replace(ref, parts=(word, *map(self._part, rest)))

    def _behind(self, first: n.Part, rest: list[n.Part]) -> list[n.Part]:
        # Behind a species stands an attribute and perhaps a tissue, elsewhere perhaps a species: no other
        # word behind a dot is a name of the spec.
        if rest and rest[0].name in _BY_TISSUE:
            return [rest[0], *map(self._part, rest[1:])]
        return [self._part(p) if self.kinds.get(p.name) is n.SpeciesBlock else p for p in rest]

    def named(self, value: n.Syntax) -> n.Syntax:
        match value:
            case n.Member():
                return replace(value, name=self._under(value.name))
            case n.Observe() if value.molar is not None:
                return replace(value, molar=self._part(value.molar))
            case n.Call() | n.Function() | n.UnknownTerm() | n.SpeciesBlock() | n.Circulation():
                return replace(value, name=self._under(value.name))
            case n.FlowLine() | n.Process() | n.Site():
                return replace(value, name=self._under(value.name))
        return value
