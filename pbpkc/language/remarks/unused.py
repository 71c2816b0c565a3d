"""Declarations that change nothing, as warnings."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.expression import Apply, names_in, walk
from pbpkc.language.model import State
from pbpkc.language.source import Span
from pbpkc.language.syntax import nodes as n

if TYPE_CHECKING:
    from pbpkc.language.binding.table import Table


def warn_unused(table: Table, states: Collection[State]) -> None:
    """Report what the spec declares and nothing reads, reaches or calls, in ``table.problems``.

    Used files bring more than a model reads, so theirs are left alone.
    """
    own = table.gathered.own
    said: set[str] = set()
    for name, span, what in _idle(table, states):
        if name in own and name not in said:
            said.add(name)
            table.problems.append(
                Diagnostic("unused", what, (Label(span),), help="remove it, or use it", severity="warning")
            )


def _idle(table: Table, states: Collection[State]) -> Iterator[tuple[str, Span, str]]:
    """Names that nothing uses, families without their index, with a sentence that says so."""
    scope, read = table.scope, _read(table)
    for name, (node, _) in scope.values.items():
        base = name.split("<")[0]
        # A covariate may be there for the data.
        if base not in read and not (isinstance(node, n.Value) and node.keyword == "covariate"):
            yield base, node.span, f"nobody reads '{base}'"
    for name, block in scope.nodes.items():
        base = name.split("<")[0]
        if base not in read:
            yield base, block.span, f"nothing reaches '{base}'"
    for name, function in scope.functions.items():
        if name not in table.binder.called:
            yield name, function.span, f"nobody calls '{name}'"
    for name, term in scope.unknowns.items():
        if name not in table.binder.called:
            yield name, term.span, f"nobody calls '{name}'"
    for name, site in scope.sites.items():
        if name not in read:
            yield name, site.span, f"nothing is read at '{name}'"
    present = {s.species for s in states}
    present |= {o.molar.name for o, _ in scope.observes.values() if o.molar is not None}  # `as S`
    for name, species in scope.species.items():
        if name not in present and name not in read:
            yield name, species.span, f"'{name}' is nowhere: no arrow, dose or circulation brings it anywhere"


def _read(table: Table) -> set[str]:
    """Names that something reads."""
    read = set(table.read_names)
    for definition in table.definitions.values():
        for name in names_in(definition.expr):
            read.add(name.split(".")[0].split("<")[0])
        called = {e.op for e in walk(definition.expr) if isinstance(e, Apply)}
        read |= {op.removeprefix("unknown:") for op in called if op.startswith("unknown:")}
    return read
