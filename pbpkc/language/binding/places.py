"""Species and nodes as they stand in the `Model`."""

from __future__ import annotations

from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING

from pbpkc.language.binding.bind import Context, Unbound
from pbpkc.language.expression import Expr
from pbpkc.language.model import Node, Species
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import ONE

if TYPE_CHECKING:
    from pbpkc.language.binding.table import Table


def read_species(table: Table) -> dict[str, Species]:
    """The species of a spec, their attributes as names of definitions."""
    found = {}
    for name, block in table.scope.species.items():
        acids: list[Expr] = []
        bases: list[Expr] = []
        line = table.attributes.get(f"{name}.pka")
        if line is not None:
            with suppress(Unbound):
                acids, bases = _read_pka(table, line)
        prefix = f"{name}."
        attributes = {
            k[len(prefix) :]: k
            for k in table.definitions
            if k.startswith(prefix) and table.definitions[k].kind in ("attribute", "absent")
        }
        found[name] = Species(
            name,
            block.doc,
            tuple(r.text for r in block.carried),
            MappingProxyType(attributes),
            tuple(acids),
            tuple(bases),
            line is not None and not acids and not bases,
            span=block.span,
        )
    return found


def _read_pka(table: Table, line: n.Attribute) -> tuple[list[Expr], list[Expr]]:
    binder, call = table.binder, line.value
    help = "write pka = acid(9.4), base(8), acid(3.1, 9.4) or ampholyte(3.1, 9.4)"
    if (
        not isinstance(call, n.Call)
        or call.name not in ("acid", "base", "ampholyte", "neutral")
        or call.named
    ):
        raise binder.fail(
            "pka", "pka does not say whether it belongs to an acid or a base", line.span, help=help
        )
    values = [
        binder.bind_as(a, ONE, Context(unknowns=False, where="pka"), "a pKa is dimensionless")
        for a in call.args
    ]
    wanted = {"ampholyte": (2, 2), "neutral": (0, 0)}.get(call.name, (1, 3))
    if not wanted[0] <= len(values) <= wanted[1]:
        raise binder.fail(
            "pka",
            f"{call.name} takes {wanted[0] if wanted[0] == wanted[1] else '1 to 3'} values",
            line.span,
            help=help,
        )
    if call.name == "ampholyte":
        return values[:1], values[1:]
    return (values, []) if call.name == "acid" else ([], values)


def read_nodes(table: Table) -> dict[str, Node]:
    """The nodes of a spec."""
    found = {}
    for name, block in table.scope.nodes.items():
        key = f"{name}.volume"
        line = table.attributes.get(key)
        like_line = table.attributes.get(f"{name}.like")
        like = None
        if like_line is not None and isinstance(like_line.value, n.Ref):
            like = like_line.value.text
        remainder = None
        if line is not None and isinstance(line.value, n.Call) and line.value.name == "remainder":
            remainder = line.value.args[0].span.text
        vascular = f"{name}.vascular"
        found[name] = Node(
            name,
            block.kind,
            key if line is not None else None,
            like,
            block.doc,
            remainder,
            vascular if vascular in table.attributes else None,
            table.organism_of(name),
            span=block.span,
        )
    return found
