"""What a reference to a node means: amounts and concentrations, partition, blood at a site."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pbpkc.language import nodes as n
from pbpkc.language.attributes import predicted
from pbpkc.language.bind import Context, Unbound
from pbpkc.language.diagnostics import Label, similar
from pbpkc.language.expression import Expr, Name, add, div, mul
from pbpkc.language.gather import not_yet
from pbpkc.language.model import Definition
from pbpkc.language.scope import NODE_ATTRIBUTES, PARTITION, QUANTITIES, name_span
from pbpkc.language.source import Span
from pbpkc.language.units import AMOUNT, parse_unit

if TYPE_CHECKING:
    from pbpkc.language.table import Table


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
    if rest and rest[0].name not in (*QUANTITIES, "blood", "tissue"):
        near = similar(rest[0].name, [*names, *QUANTITIES])
        raise table.binder.fail(
            "unknown-name",
            f"'{rest[0].name}' is no species",
            rest[0].span,
            help=f"a similar name exists: '{near}'" if near else "species are " + ", ".join(names),
        )
    raise table.binder.fail(
        "which-species",
        f"'{ref.text}' leaves open which species is meant",
        ref.span,
        help=f"write {ref.parts[0].name}.{names[0]}" + (f".{rest[0].name}" if rest else ""),
    )


def of_node(table: Table, node: str, rest: tuple[n.Part, ...], ref: n.Ref, context: Context) -> Expr:
    """``liver.APAP.C`` or ``liver.volume``: what stands behind the name of a node."""
    if len(rest) == 1 and rest[0].name in NODE_ATTRIBUTES:
        if rest[0].name == "like":
            raise table.binder.fail(
                "misplaced",
                "`like` names a tissue and cannot be read as a number",
                ref.span,
                help="numbers of a tissue are volume, flow, outflow, vascular",
            )
        return table.name(table.attribute(node, rest[0].name, ref.span), ref.span)
    if rest[0].name in ("blood", "tissue"):
        table.problems.append(not_yet(f"permeability-limited tissue (`.{rest[0].name}`)", ref))
        raise Unbound()
    species, rest = species_of(table, rest, ref)
    if len(rest) != 1:
        raise table.binder.fail(
            "no-quantity",
            f"'{ref.text}' does not say which quantity is meant",
            ref.span,
            help="write " + ", ".join(f"{node}.{species}.{q}" for q in _readable(table, node)),
        )
    quantity = rest[0].name
    if quantity not in QUANTITIES:
        near = similar(quantity, QUANTITIES)
        raise table.binder.fail(
            "unknown-quantity",
            f"'{quantity}' is no quantity of a node",
            rest[0].span,
            help=f"a similar one exists: '{near}'" if near else "quantities are A, C, Cp, Cu, Cout",
        )
    return read_quantity(table, node, species, quantity, ref.span)


def read_quantity(table: Table, node: str, species: str, quantity: str, span: Span | None) -> Expr:
    """``.A .C .Cout .Cp .Cu`` of a species in a node (language reference, equations)."""
    kind = table.scope.nodes[node].kind
    state = f"{node}.{species}"
    if quantity == "A":
        if span is not None:
            table.read_states.setdefault(state, span)
        return Name(AMOUNT, state, span=span)
    if quantity not in _readable(table, node):
        reason = "has no volume" if kind == "lumen" and quantity in ("C", "Cout") else f"is a {kind}"
        raise table.binder.fail(
            "no-meaning",
            f".{quantity} has no meaning in '{node}', which {reason}",
            span,
            help="here one can read " + ", ".join("." + q for q in _readable(table, node)),
        )
    definition = table.define(
        f"{state}.{quantity}", lambda: _concentration(table, node, species, quantity, span), span
    )
    return table.name(definition, span)


def _readable(table: Table, node: str) -> tuple[str, ...]:
    """The quantities that have a meaning in a node."""
    kind = table.scope.nodes[node].kind
    if kind == "sink" or (kind == "lumen" and f"{node}.volume" not in table.attributes):
        return ("A",)
    return QUANTITIES if kind in ("blood", "tissue") else ("A", "C", "Cout")


def _concentration(table: Table, node: str, species: str, quantity: str, span: Span | None) -> Definition:
    name = f"{node}.{species}.{quantity}"
    kind = table.scope.nodes[node].kind

    def attribute(word: str) -> Expr:
        return table.name(table.attribute(species, word, span))

    if quantity == "C":
        volume = table.name(table.attribute(node, "volume", span))
        expr = div(read_quantity(table, node, species, "A", span), volume)
    elif kind in ("pool", "lumen") or (kind == "blood" and quantity == "Cout"):
        expr = read_quantity(table, node, species, "C", span)
    elif kind == "blood":
        c = read_quantity(table, node, species, "C", span)
        expr = div(c, attribute("bp")) if quantity == "Cp" else div(mul(attribute("fup"), c), attribute("bp"))
    else:
        expr = _tissue_concentration(table, node, species, quantity, span, attribute)
    return Definition(name, "concentration", expr, parse_unit("umol/L"), derived=True, span=span)


def _tissue_concentration(
    table: Table, node: str, species: str, quantity: str, span: Span | None, attribute: Callable[[str], Expr]
) -> Expr:
    # Kb = kb = kp/BP = kpu*fup/BP; Cout = C/Kb, Cp = Cout/BP, Cu = fup*Cp, cancelled so that only
    # what is needed is demanded.
    word = partition_word(table, node, species, span)
    k = table.name(partition(table, species, node, word, span))
    c = read_quantity(table, node, species, "C", span)
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


def partition_word(table: Table, node: str, species: str, span: Span | None) -> str:
    """Which of kp, kb, kpu holds for a species in a tissue; a specific one goes before a general one."""
    for suffix in (f".{node}", ""):
        words = [w for w in PARTITION if f"{species}.{w}{suffix}" in table.attributes]
        if len(words) > 1:
            lines = [table.attributes[f"{species}.{w}{suffix}"] for w in words]
            where = f" for '{node}'" if suffix else ""
            raise table.binder.fail(
                "partition",
                f"'{species}' has {' and '.join(words)}{where}; one is enough",
                lines[1].span,
                others=(Label(lines[0].span, "the other"),),
                help="kp is tissue to plasma, kb tissue to blood, kpu tissue to unbound plasma",
            )
        if words:
            return words[0]
    if species in table.misread:
        raise Unbound()
    # All tissues that lack one are named at once, and the same text is said once.
    lacking = [
        t
        for t in table.circulations.home
        if table.scope.nodes[t].kind == "tissue" and not _has_partition(table, species, t)
    ]
    block = table.scope.species[species]
    raise table.binder.fail(
        "partition",
        f"'{species}' has no partition coefficient for " + ", ".join(f"'{t}'" for t in lacking or [node]),
        name_span(block, species),
        notes=("blood carries it into every tissue of its circulation",) if block.carried else (),
        help=f"write kp.{(lacking or [node])[0]} = 1.2, or kp = 1.2 for all that have no own one, "
        "or kp = auto(rodgers_rowland)",
    )


def _has_partition(table: Table, species: str, node: str) -> bool:
    return any(f"{species}.{w}{suffix}" in table.attributes for w in PARTITION for suffix in (f".{node}", ""))


def partition(table: Table, species: str, node: str, word: str, span: Span | None) -> Definition:
    """``APAP.kp.liver``: the specific value, or the general one under the tissue's name."""
    key = f"{species}.{word}.{node}"
    if key in table.attributes:
        return table.attribute(species, f"{word}.{node}", span)
    general = table.attributes.get(f"{species}.{word}")
    if general is None:
        raise table.binder.fail("missing-attribute", f"species '{species}' has no {word}", span)
    if isinstance(general.value, n.Call) and general.value.name == "auto":
        call = general.value

        def predict() -> Definition:
            return Definition(
                key,
                "attribute",
                predicted(table, species, word, call),
                parse_unit("1"),
                "",
                general.source,
                derived=True,
                span=general.span,
            )

        return table.define(key, predict, span)

    def share() -> Definition:
        expr = table.name(table.attribute(species, word, span))
        return Definition(
            key, "attribute", expr, parse_unit("1"), "", general.source, derived=True, span=general.span
        )

    return table.define(key, share, span)


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
            raise table._unknown(ref, node)
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
        carried.append(mul(flow, read_quantity(table, node, species, "Cout", span)))
    return div(add(*carried), add(*flows))
