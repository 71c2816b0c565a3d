"""Observables: what is measured, in which unit, with which error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbpkc.language.binding.bind import Context, Unbound
from pbpkc.language.diagnostics import respelt, similar
from pbpkc.language.expression import Expr, mul, names_in
from pbpkc.language.model import ErrorModel, Observable
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import AMOUNT, MASS, ONE, Dimension

if TYPE_CHECKING:
    from pbpkc.language.binding.table import Table


def read_observables(table: Table) -> tuple[Observable, ...]:
    """The observables of a spec, members of families one by one."""
    found = []
    for name, (node, indices) in table.scope.observes.items():
        try:
            found.append(_read_observable(table, name, node, Context(indices)))
        except Unbound:
            continue
    return tuple(found)


def _read_observable(table: Table, name: str, node: n.Observe, context: Context) -> Observable:
    binder = table.binder
    unit = binder.unit(node.unit)
    if unit.offset:
        binder.fail(
            "bad-unit",
            f"'{name}' cannot be observed in [{unit.text}]",
            node.unit.span,
            help="temperatures are in kelvin: in [K]",
        )
    expr = binder.bind(node.value, context)
    molar = None
    if expr.dim != unit.dimension and expr.dim * (MASS / AMOUNT) == unit.dimension:
        species = _observed_species(table, node, expr)
        molar = table.name(table.attribute(species, "mw", node.span))
        expr = mul(expr, molar)
    elif expr.dim != unit.dimension and not table.unit_free:
        raise binder.mismatch(
            f"the observable '{name}' is observed in {unit}", expr, unit.dimension, node.value.span
        )
    error = None
    if node.error is not None:
        error = _read_error(table, node.error, unit.dimension)
    lloq = None
    if node.lloq is not None:
        lloq = binder.bind_as(
            node.lloq,
            unit.dimension,
            Context(unknowns=False, where="an LLOQ"),
            "an LLOQ has the unit of its observable",
        )
    return Observable(name, expr, unit, error, lloq, node.doc, span=node.span)


def _observed_species(table: Table, node: n.Observe, expr: Expr) -> str:
    if node.molar is not None:
        if node.molar.name not in table.scope.species:
            near = similar(node.molar.name, table.scope.species)
            raise table.binder.fail(
                "unknown-name",
                f"there is no species '{node.molar.name}'",
                node.molar.span,
                help=f"a species with a similar name exists: '{near}'"
                if near
                else "species are " + ", ".join(table.scope.species),
                fixes=respelt(node.molar.span, node.molar.name, table.scope.species),
            )
        return node.molar.name
    seen: set[str] = set()
    names, species = names_in(expr), set()
    while names:
        name = names.pop()
        seen.add(name)
        if name in table.compartments:
            species.add(table.compartments[name].species)
        elif name in table.definitions:
            names |= names_in(table.definitions[name].expr) - seen
    if len(species) == 1:
        return species.pop()
    raise table.binder.fail(
        "which-species",
        "moles become mass with the molar mass of one species, and "
        + (f"this reads {len(species)}" if species else "this reads none"),
        node.value.span,
        help=f"say which: in [{node.unit.text}] as {sorted(species)[0] if species else 'SPECIES'}",
    )


#: Error models of one argument or none, with the number of their arguments.
ERROR_MODELS = {"prop": 1, "add": 1, "lognormal": 1, "given": 0}


def _read_error(table: Table, call: n.Call, dimension: Dimension) -> ErrorModel:
    binder, context = table.binder, Context(unknowns=False, where="an error model")
    named = dict(call.named)
    if call.name == "combined":
        if call.args or set(named) != {"prop", "add"}:
            raise binder.fail(
                "arguments",
                "these are not the arguments of combined",
                call.span,
                help="write combined(prop = a, add = b)",
            )
        prop = binder.bind_as(named["prop"], ONE, context, "a proportional error is dimensionless")
        added = binder.bind_as(
            named["add"], dimension, context, "an additive error has the unit of its observable"
        )
        return ErrorModel("combined", prop, added)
    if call.name not in ERROR_MODELS:
        near = similar(call.name, [*ERROR_MODELS, "combined"])
        raise binder.fail(
            "unknown-function",
            f"there is no error model '{call.name}'",
            call.span,
            help=f"a similar one exists: '{near}'"
            if near
            else "error models are prop(a), add(b), combined(prop = a, add = b), lognormal(s), given()",
            fixes=respelt(call.span, call.name, [*ERROR_MODELS, "combined"]),
        )
    if named or len(call.args) != ERROR_MODELS[call.name]:
        raise binder.fail(
            "arguments",
            f"{call.name} takes " + ("one argument" if ERROR_MODELS[call.name] else "no arguments"),
            call.span,
            help="error models are prop(a), add(b), combined(prop = a, add = b), lognormal(s), given()",
        )
    if call.name == "given":
        return ErrorModel("given")
    if call.name == "add":
        return ErrorModel(
            "add",
            None,
            binder.bind_as(
                call.args[0], dimension, context, "an additive error has the unit of its observable"
            ),
        )
    what = (
        "the spread of lognormal is dimensionless"
        if call.name == "lognormal"
        else "a proportional error is dimensionless"
    )
    return ErrorModel(call.name, binder.bind_as(call.args[0], ONE, context, what), None)
