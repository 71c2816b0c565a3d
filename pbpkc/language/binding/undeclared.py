"""Names that nothing declares: the problem of each, with what may have been meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbpkc.language.binding.bind import Unbound
from pbpkc.language.binding.namespaces import body_of
from pbpkc.language.diagnostics import Label, respelt, similar
from pbpkc.language.syntax import nodes as n

if TYPE_CHECKING:
    from pbpkc.language.binding.table import Table


def undeclared(table: Table, node: n.Ref | n.Part | n.Member, name: str) -> Unbound:
    """Report a name that is not there, and give the exception to raise; silent where that is known."""
    base = name.split("<")[0]
    if base in table.scope.broken or table.scope.full:
        return Unbound()
    if base in table.scope.family_where:
        return _not_a_member(table, node, name, base)
    if base in table.scope.where and base != name:
        return table.binder.fail(
            "bad-index",
            f"'{base}' is no family and takes no index",
            node.span,
            others=(Label(table.scope.where[base], "declared here"),),
            help=f"write {base}",
        )
    if base in table.gathered.namespaces:
        return table.binder.fail(
            "no-quantity",
            f"'{base}' is a namespace, and '{name}' names nothing in it",
            node.span,
            help=f"write what is meant of its file: {base}.liver",
        )
    near = similar(base, table.scope.names())
    others: tuple[Label, ...] = ()
    if near and near in table.scope.where:
        others = (Label(table.scope.where[near], "declared here"),)
    return table.binder.fail(
        "unknown-name",
        f"'{name}' is not declared",
        node.span,
        others=others,
        help=f"a name with a similar spelling exists: '{near}'"
        if near
        else f"the file that is used as '{body_of(base)}' declares no such name"
        if body_of(base) in table.gathered.namespaces
        else f"declare it, for example: param {base} = 1 [1/h]",
        fixes=respelt(node.span, base, table.scope.names()),
    )


def _not_a_member(table: Table, node: n.Ref | n.Part | n.Member, name: str, base: str) -> Unbound:
    label = (Label(table.scope.family_where[base], "the family"),)
    size = table.scope.families.get(base)
    if name == base:
        return table.binder.fail(
            "bad-index",
            f"'{base}' is a family and needs an index",
            node.span,
            others=label,
            help=f"write {base}<1>",
        )
    declared = f"; the family is declared as {base}<{','.join(map(str, size))}>" if size else ""
    return table.binder.fail(
        "bad-index",
        f"there is no '{name}' in the family '{base}'{declared}",
        node.span,
        others=label,
        help="an index lies within the declared range",
    )
