"""Sites: blood that leaves several tissues and meets where it is sampled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbpkc.language.binding.bind import Context
from pbpkc.language.binding.quantities import read_quantity, species_of
from pbpkc.language.binding.undeclared import undeclared
from pbpkc.language.expression import Expr, add, div, mul
from pbpkc.language.model import Definition
from pbpkc.language.source import Span
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import parse_unit

if TYPE_CHECKING:
    from pbpkc.language.binding.table import Table


def of_site(table: Table, site: str, rest: tuple[n.Part, ...], ref: n.Ref, context: Context) -> Expr:
    """``arm.APAP.Cp``: a concentration in the blood that meets at a site."""
    species, rest = species_of(table, rest, ref)
    if len(rest) != 1 or rest[0].name not in ("C", "Cout", "Cp", "Cu"):
        raise table.binder.fail(
            "no-meaning",
            f"'{ref.text}' has no meaning: a site is flowing blood",
            ref.span,
            help=f"write {site}.{species}.Cp, .C or .Cu",
        )
    quantity = rest[0].name
    name = f"{site}.{species}.{'C' if quantity == 'Cout' else quantity}"

    def make() -> Definition:
        if quantity in ("C", "Cout"):
            expr = _mixed(table, table.scope.sites[site], species, ref.span)
        else:
            c = of_site(
                table,
                site,
                (n.Part(species, None, span=ref.span), n.Part("C", None, span=ref.span)),
                ref,
                context,
            )
            bp = table.name(table.attribute(species, "bp", ref.span))
            expr = div(c, bp)
            if quantity == "Cu":
                expr = mul(table.name(table.attribute(species, "fup", ref.span)), expr)
        doc = table.scope.sites[site].doc
        return Definition(name, "concentration", expr, parse_unit("umol/L"), doc, derived=True, span=ref.span)

    return table.name(table.define(name, make, ref.span), ref.span)


def drained(table: Table, site: n.Site) -> list[tuple[str, Span]]:
    """The nodes whose blood meets at a site, each with its place."""
    nodes = []
    for ref in site.drains:
        node = table.indexed(ref.parts[0], Context())
        if node not in table.scope.where:
            raise undeclared(table, ref, node)
        block = table.scope.nodes.get(node)
        if block is None or len(ref.parts) > 1 or block.kind not in ("tissue", "blood"):
            raise table.binder.fail(
                "misplaced",
                f"a site drains tissues, and '{ref.text}' is none",
                ref.span,
                help="name tissues of a circulation",
            )
        table.read_names.add(node.split("<")[0])
        nodes.append((node, ref.span))
    return nodes


def _mixed(table: Table, site: n.Site, species: str, span: Span) -> Expr:
    """Blood leaving several tissues, mixed by flow: sum Q Cout / sum Q."""
    flows, carried = [], []
    for node, place in drained(table, site):
        flow = table.name(table.attribute(node, "outflow", place))
        flows.append(flow)
        carried.append(mul(flow, read_quantity(table, node, None, species, "Cout", span)))
    return div(add(*carried), add(*flows))
