"""Unknown terms: typed functions whose form is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbpkc.language.binding.bind import Context, Unbound
from pbpkc.language.diagnostics import Label
from pbpkc.language.expression import Expr, Name, names_in
from pbpkc.language.model import Argument, Unknown
from pbpkc.language.scenario.priors import read_bounds
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import ONE

if TYPE_CHECKING:
    from pbpkc.language.binding.table import Table


def read_unknowns(table: Table) -> dict[str, Unknown]:
    """The unknown terms of a spec; the binder learns the units of their arguments and results."""
    binder = table.binder
    for name, node in table.scope.unknowns.items():
        try:
            binder.unknown_units[name] = (
                tuple(binder.unit(a.unit).dimension for a in node.arguments),
                binder.unit(node.unit).dimension,
            )
        except Unbound:
            binder.unknown_units[name] = ((ONE,) * len(node.arguments), ONE)
    found: dict[str, Unknown] = {}
    for name, node in table.scope.unknowns.items():
        try:
            found[name] = _read_unknown(table, node)
        except Unbound:
            continue
    return found


def _read_unknown(table: Table, node: n.UnknownTerm) -> Unknown:
    binder = table.binder
    unit = binder.unit(node.unit)
    arguments = []
    for argument in node.arguments:
        own = binder.unit(argument.unit)
        low, high = read_bounds(argument.bounds, own.dimension, binder, Context())
        arguments.append(Argument(argument.name, own, low, high))
    names = [a.name for a in arguments]
    ranges = [read_bounds(pair, unit.dimension, binder, Context()) for pair in node.ranges]
    for word, again in (("range", node.ranges), ("default", node.defaults)):
        if len(again) > 1:
            raise binder.fail(
                "duplicate-name",
                f"`{word}` of '{node.name}' is said twice",
                again[1].span,
                others=(Label(again[0].span, "first here"),),
                help="leave one of them out",
            )
    for shape in node.shapes:
        if shape.argument not in names:
            raise binder.fail(
                "unknown-name",
                f"'{shape.argument}' is no argument of '{node.name}'",
                shape.span,
                help="its arguments are " + ", ".join(names),
            )
    anchors = []
    for anchor in node.anchors:
        if len(anchor.arguments) != len(arguments):
            have = f"{len(arguments)} argument" + "s" * (len(arguments) != 1)
            raise binder.fail(
                "arguments",
                f"'{node.name}' has {have}, and this anchor gives {len(anchor.arguments)}",
                anchor.span,
                help="an anchor gives each argument a value: at (0 [umol/L]) = 1",
            )
        at = tuple(
            binder.constant(x, a.unit.dimension, f"the anchor has the unit of '{a.name}'")
            for x, a in zip(anchor.arguments, arguments, strict=True)
        )
        anchors.append(
            (at, binder.constant(anchor.value, unit.dimension, f"the anchor has the unit of '{node.name}'"))
        )
    default = None
    if node.defaults:
        local: dict[str, Expr] = {a.name: Name(a.unit.dimension, a.name) for a in arguments}
        context = Context(local=local, unknowns=False, where="the default of an unknown")
        default = binder.bind_as(
            node.defaults[0], unit.dimension, context, f"the default of '{node.name}' has its unit"
        )
        extra = names_in(default) - set(names)
        if extra:
            raise binder.fail(
                "default",
                f"the default of '{node.name}' reads '{sorted(extra)[0]}', which is no argument",
                node.defaults[0].span,
                help="a default is an expression of the arguments alone",
            )
    shapes = tuple((s.direction, s.argument) for s in node.shapes)
    return Unknown(
        node.name,
        tuple(arguments),
        unit,
        ranges[0] if ranges else None,
        shapes,
        tuple(anchors),
        default,
        node.doc,
        span=node.span,
    )
