"""What a reference to a node means: amounts and concentrations."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pbpkc.language.binding.bind import Context
from pbpkc.language.binding.scope import NODE_ATTRIBUTES, QUANTITIES, SPACES
from pbpkc.language.diagnostics import respelt, similar
from pbpkc.language.expression import Expr, Name, add, div, mul
from pbpkc.language.model import Definition
from pbpkc.language.source import Span
from pbpkc.language.structure.coefficients import by_tissue, partition_word
from pbpkc.language.structure.spaces import (
    demand_space,
    enter,
    is_limited,
    no_tissue,
    read_space,
    space_volume,
    which_space,
)
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import AMOUNT, parse_unit

if TYPE_CHECKING:
    from pbpkc.language.binding.table import Table


def species_of(table: Table, rest: tuple[n.Part, ...], ref: n.Ref) -> tuple[str, tuple[n.Part, ...]]:
    """The species a reference names, or the only one there is; and what follows it."""
    if rest and rest[0].name in table.scope.species:
        table.read_names.add(rest[0].name)
        return rest[0].name, rest[1:]
    names = list(table.scope.species)
    if len(names) == 1:
        table.read_names.add(names[0])
        return names[0], rest
    if not names:
        raise table.binder.fail(
            "no-species",
            f"'{ref.text}' needs a species and none is declared",
            ref.span,
            help="declare one: species X { mw = 300 [g/mol] }",
        )
    if rest and rest[0].name not in (*QUANTITIES, *SPACES):
        near = similar(rest[0].name, [*names, *QUANTITIES])
        raise table.binder.fail(
            "unknown-name",
            f"'{rest[0].name}' is no species",
            rest[0].span,
            help=f"a similar name exists: '{near}'" if near else "species are " + ", ".join(names),
            fixes=respelt(rest[0].span, rest[0].name, [*names, *QUANTITIES]),
        )
    raise table.binder.fail(
        "which-species",
        f"'{ref.text}' leaves open which species is meant",
        ref.span,
        help=f"write {ref.parts[0].name}.{names[0]}" + (f".{rest[0].name}" if rest else ""),
    )


def of_node(table: Table, node: str, rest: tuple[n.Part, ...], ref: n.Ref, context: Context) -> Expr:
    """``liver.APAP.C``, ``liver.blood.APAP.C`` or ``liver.volume``: what stands behind the name of a node."""
    if len(rest) == 1 and rest[0].name in NODE_ATTRIBUTES:
        if rest[0].name == "like":
            raise table.binder.fail(
                "misplaced",
                "`like` names a tissue and cannot be read as a number",
                ref.span,
                help="numbers of a tissue are volume, flow, outflow, vascular",
            )
        return table.name(table.attribute(node, rest[0].name, ref.span), ref.span)
    space, rest = read_space(table, node, rest)
    if space is not None and [p.name for p in rest] == ["volume"]:
        if table.scope.nodes[node].kind != "tissue":
            raise no_tissue(table, node, ref)
        return table.name(space_volume(table, node, space, ref.span), ref.span)
    species, rest = species_of(table, rest, ref)
    if space is not None:
        demand_space(table, node, space, species, ref)
    if len(rest) != 1:
        place = node if space is None else f"{node}.{space}"
        readable = _readable(table, node, space, species)
        raise table.binder.fail(
            "no-quantity",
            f"'{ref.text}' does not say which quantity is meant",
            ref.span,
            help="write " + ", ".join(f"{place}.{species}.{q}" for q in readable),
        )
    quantity = rest[0].name
    if quantity not in QUANTITIES:
        near = similar(quantity, QUANTITIES)
        raise table.binder.fail(
            "unknown-quantity",
            f"'{quantity}' is no quantity of a node",
            rest[0].span,
            help=f"a similar one exists: '{near}'" if near else "quantities are A, C, Cp, Cu, Cout",
            fixes=respelt(rest[0].span, quantity, QUANTITIES),
        )
    if quantity == "Cu" and space is None and is_limited(table, node, species):
        raise which_space(table, node, species, ref, ".Cu")
    return read_quantity(table, node, space, species, quantity, ref.span)


def read_quantity(
    table: Table, node: str, space: str | None, species: str, quantity: str, span: Span | None
) -> Expr:
    """``.A .C .Cout .Cp .Cu`` of a species in a node or one of its spaces (language reference, nodes)."""
    place = node if space is None else f"{node}.{space}"
    whole = space is None and is_limited(table, node, species)
    if quantity == "A" and not whole:
        state = enter(table, node, space, species)
        if span is not None:
            table.read_states.setdefault(state, span)
        return Name(AMOUNT, state, span=span)
    readable = _readable(table, node, space, species)
    if quantity not in readable:
        raise table.binder.fail(
            "no-meaning",
            f".{quantity} has no meaning in '{place}', which {_why(table, node, space, quantity)}",
            span,
            help="here one can read " + ", ".join("." + q for q in readable),
        )
    name = f"{place}.{species}.{quantity}"
    if quantity == "A":
        return table.name(table.define(name, lambda: _total(table, name, node, species, span), span), span)

    def make() -> Definition:
        if whole:
            expr = _whole_concentration(table, node, species, quantity, span)
        else:
            expr = _concentration(table, node, space, species, quantity, span)
        return Definition(name, "concentration", expr, parse_unit("umol/L"), derived=True, span=span)

    return table.name(table.define(name, make, span), span)


def _why(table: Table, node: str, space: str | None, quantity: str) -> str:
    kind = table.scope.nodes[node].kind
    if space is not None:
        return "no blood leaves: blood leaves a tissue from its blood"
    return "has no volume" if kind == "lumen" and quantity in ("C", "Cout") else f"is a {kind}"


def _readable(table: Table, node: str, space: str | None, species: str) -> tuple[str, ...]:
    """The quantities that have a meaning in a node, or in a space of a tissue."""
    kind = table.scope.nodes[node].kind
    if space == "tissue":
        return tuple(q for q in QUANTITIES if q != "Cout")
    if space is None and is_limited(table, node, species):
        return tuple(q for q in QUANTITIES if q != "Cu")
    if kind == "sink" or (kind == "lumen" and f"{node}.volume" not in table.attributes):
        return ("A",)
    return QUANTITIES if kind in ("blood", "tissue") else ("A", "C", "Cout")


def _total(table: Table, name: str, node: str, species: str, span: Span | None) -> Definition:
    """The amount in both spaces of a tissue; `settle_totals` leaves out one that does not exist."""
    spaces = tuple(enter(table, node, space, species) for space in SPACES)
    table.totals[name] = (span, spaces)
    expr = add(*(Name(AMOUNT, state, span=span) for state in spaces))
    doc = f"{species} in both spaces of {node}"
    return Definition(name, "concentration", expr, parse_unit("umol"), doc, derived=True, span=span)


def _whole_concentration(table: Table, node: str, species: str, quantity: str, span: Span | None) -> Expr:
    """Of a permeability-limited tissue as a whole: its mean; blood leaves it as it is in its blood."""
    if quantity == "C":
        volume = table.name(table.attribute(node, "volume", span))
        return div(read_quantity(table, node, None, species, "A", span), volume)
    word = "C" if quantity == "Cout" else quantity
    return read_quantity(table, node, "blood", species, word, span)


def _concentration(
    table: Table, node: str, space: str | None, species: str, quantity: str, span: Span | None
) -> Expr:
    kind = table.scope.nodes[node].kind if space is None else space

    def attribute(word: str) -> Expr:
        return table.name(table.attribute(species, word, span))

    if quantity == "C":
        volume = (
            table.attribute(node, "volume", span) if space is None else space_volume(table, node, space, span)
        )
        return div(read_quantity(table, node, space, species, "A", span), table.name(volume))
    if kind in ("pool", "lumen") or (kind == "blood" and quantity == "Cout"):
        return read_quantity(table, node, space, species, "C", span)
    if kind == "blood":
        c = read_quantity(table, node, space, species, "C", span)
        return div(c, attribute("bp")) if quantity == "Cp" else div(mul(attribute("fup"), c), attribute("bp"))
    return _tissue_concentration(table, node, space, species, quantity, span, attribute)


def _tissue_concentration(
    table: Table,
    node: str,
    space: str | None,
    species: str,
    quantity: str,
    span: Span | None,
    attribute: Callable[[str], Expr],
) -> Expr:
    # Kb = kb = kp/BP = kpu*fup/BP; Cout = C/Kb, Cp = Cout/BP, Cu = fup*Cp, cancelled so that only
    # what is needed is demanded.
    word = partition_word(table, node, species, span)
    k = table.name(by_tissue(table, species, node, word, span))
    c = read_quantity(table, node, space, species, "C", span)
    match word, quantity:
        case "kb", "Cout":
            return div(c, k)
        case "kb", "Cp":
            return div(c, mul(k, attribute("bp")))
        case "kb", _:
            return div(mul(attribute("fup"), c), mul(k, attribute("bp")))
        case "kp", "Cout":
            return div(mul(attribute("bp"), c), k)
        case "kp", "Cp":
            return div(c, k)
        case "kp", _:
            return div(mul(attribute("fup"), c), k)
        case _, "Cout":
            return div(mul(attribute("bp"), c), mul(k, attribute("fup")))
        case _, "Cp":
            return div(c, mul(k, attribute("fup")))
    return div(c, k)
