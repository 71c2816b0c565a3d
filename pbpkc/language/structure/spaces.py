"""Permeability-limited tissue: its two spaces, and what passes between them by itself.

For a species with `ps` a tissue is two well-stirred spaces: its blood, of the volume `vascular`, and its
tissue, the rest of `volume`. Blood arrives in the one and leaves it as it is; the other is reached through
PS (Cu_b - Cu_t) and by the arrows that name it. Where `ps` is written as the number 0 nothing passes by
itself, and the tissue space is there only if an arrow, a dose or a start touches it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from pbpkc.language.binding.attributes import is_absent
from pbpkc.language.binding.bind import Unbound
from pbpkc.language.binding.scope import NODE_ATTRIBUTES, QUANTITIES, SPACES
from pbpkc.language.diagnostics import Diagnostic, Label, respelt, similar
from pbpkc.language.expression import Name, mul, number, sub
from pbpkc.language.model import Arrow, Definition
from pbpkc.language.source import Span
from pbpkc.language.structure.coefficients import by_tissue, permeability_line
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import canonical_unit

if TYPE_CHECKING:
    from pbpkc.language.binding.table import Table


@dataclass(frozen=True)
class Compartment:
    """Where the amount of one species stands.

    `space` is "blood" or "tissue" in a tissue that is permeability-limited for the species, else None.
    """

    node: str
    space: str | None
    species: str

    @property
    def place(self) -> str:
        """``venous`` or ``liver.blood``."""
        return self.node if self.space is None else f"{self.node}.{self.space}"

    @property
    def name(self) -> str:
        """The name of its state: ``liver.blood.APAP``."""
        return f"{self.place}.{self.species}"


def is_limited(table: Table, node: str, species: str) -> bool:
    """Whether a species has two spaces in a node."""
    block = table.scope.nodes.get(node)
    return (
        block is not None and block.kind == "tissue" and permeability_line(table, species, node) is not None
    )


def read_space(table: Table, node: str, rest: tuple[n.Part, ...]) -> tuple[str | None, tuple[n.Part, ...]]:
    """The space that follows the name of a node in a reference, if one does; and what follows it.

    Raises
    ------
    Unbound
        After reporting a misspelt space of a tissue.
    """
    if rest and rest[0].name in SPACES:
        return rest[0].name, rest[1:]
    block = table.scope.nodes.get(node)
    if rest and block is not None and block.kind == "tissue":
        name = rest[0].name
        others = (*table.scope.species, *QUANTITIES, *NODE_ATTRIBUTES)
        near = similar(name, (*SPACES, *others))
        if near in SPACES and name not in others:
            raise table.binder.fail(
                "unknown-name",
                f"'{name}' is no space of '{node}'",
                rest[0].span,
                help=f"a space with a similar name exists: '{node}.{near}'",
                fixes=respelt(rest[0].span, name, SPACES),
            )
    return None, rest


def enter(table: Table, node: str, space: str | None, species: str) -> str:
    """The name of a state, its parts remembered in the table."""
    found = Compartment(node, space, species)
    table.compartments[found.name] = found
    return found.name


def compartment(table: Table, node: str, space: str | None, species: str, ref: n.Ref) -> str:
    """The state that is meant by a node, perhaps a space, and a species.

    Raises
    ------
    Unbound
        After reporting a space that is not there, or one that is not named.
    """
    limited = is_limited(table, node, species)
    if space is not None:
        demand_space(table, node, space, species, ref)
    elif limited:
        raise which_space(table, node, species, ref, "")
    elif species in table.misread:
        raise Unbound()  # its `ps` may be among what was not understood
    return enter(table, node, space, species)


def demand_space(table: Table, node: str, space: str, species: str, ref: n.Ref) -> None:
    """Report a space where a species has only one."""
    kind = table.scope.nodes[node].kind
    if is_limited(table, node, species):
        return
    if species in table.misread:
        raise Unbound()
    if kind != "tissue":
        raise no_tissue(table, node, ref)
    raise table.binder.fail(
        "no-space",
        f"'{species}' has one space in '{node}', where blood and tissue are in equilibrium",
        ref.span,
        help=f"write {node}.{species}, or give '{species}' a permeability there: ps.{node} = 2 [L/h]",
    )


def no_tissue(table: Table, node: str, ref: n.Ref) -> Unbound:
    """The problem of a space in what is no tissue."""
    kind = table.scope.nodes[node].kind
    return table.binder.fail(
        "no-space",
        f"'{node}' is {kind if kind == 'blood' else f'a {kind}'} and has no spaces",
        ref.span,
        help="`.blood` and `.tissue` are the spaces of a tissue",
    )


def which_space(table: Table, node: str, species: str, ref: n.Ref, quantity: str) -> Unbound:
    """The problem of a tissue whose space is not named; `quantity` is ``.Cu`` where one is read."""
    line = permeability_line(table, species, node)
    assert line is not None
    behind = f".{species}{quantity}" if len(ref.parts) > 1 else ""
    return table.binder.fail(
        "which-space",
        f"'{species}' has two spaces in '{node}', and '{ref.text}' does not say which is meant",
        ref.span,
        others=(Label(line.span, "its permeability"),),
        help="write " + " or ".join(f"{node}.{space}{behind}" for space in SPACES),
    )


def space_volume(table: Table, node: str, space: str, span: Span | None) -> Definition:
    """``liver.vascular``, or ``liver.tissue.volume``: what is left of the tissue's volume."""
    key = f"{node}.vascular"
    if key not in table.attributes and key not in table.failed and node not in table.misread:
        table.failed.add(key)  # said once, however many concentrations need it
        raise table.binder.fail(
            "missing-attribute",
            f"'{node}' has no vascular, the volume of its blood, which a permeability-limited tissue needs",
            span,
            help=f"write it in the block of '{node}': vascular = 5 [%], of its volume",
        )
    if space == "blood":
        return table.attribute(node, "vascular", span)

    def rest() -> Definition:
        whole = table.name(table.attribute(node, "volume", span))
        expr = sub(whole, table.name(table.attribute(node, "vascular", span)))
        doc = f"'{node}' without its blood"
        return Definition(name, "volume", expr, canonical_unit(expr.dim), doc, derived=True, span=span)

    name = f"{node}.tissue.volume"
    return table.define(name, rest, span)


def passive_exchange(table: Table, reasons: dict[str, str]) -> Iterator[Arrow]:
    """What passes between the spaces of a tissue by itself, wherever the species is in one of them.

    Both of its ends are then states, and `reasons` says so.
    """
    for node in table.scope.nodes:
        for species in table.scope.species:
            line = permeability_line(table, species, node)
            if line is None or is_absent(line) or not is_limited(table, node, species):
                continue
            blood, tissue = (enter(table, node, space, species) for space in SPACES)
            if blood not in reasons and tissue not in reasons:
                continue
            for state in (blood, tissue):
                reasons.setdefault(state, f"'{species}' passes between the spaces of '{node}'")
            try:
                rate = _passive_rate(table, node, species, line.span)
            except Unbound:
                continue
            yield Arrow(
                rate.name,
                "passive",
                rate.name,
                True,
                ((blood, Fraction(1)),),
                ((tissue, number(1)),),
                doc=rate.doc,
                span=line.span,
            )


def _passive_rate(table: Table, node: str, species: str, span: Span) -> Definition:
    from pbpkc.language.binding.quantities import read_quantity

    def make() -> Definition:
        ps = table.name(by_tissue(table, species, node, "ps", span))
        blood, tissue = (read_quantity(table, node, space, species, "Cu", span) for space in SPACES)
        rate = mul(ps, sub(blood, tissue))
        doc = f"passage of {species} between the spaces of {node}"
        return Definition(name, "rate", rate, canonical_unit(rate.dim), doc, derived=True, span=span)

    name = f"passive.{node}.{species}"
    return table.define(name, make, span)


def settle_totals(table: Table, states: dict[str, str]) -> None:
    """Amounts of whole tissues hold the spaces that exist; one without any is reported."""
    for name, (span, spaces) in table.totals.items():
        there = [state for state in spaces if state in states]
        definition = table.definitions.get(name)
        if definition is None or len(there) == len(spaces):
            continue
        if not there:
            if not table.lost_end:
                table.problems.append(no_state(table, spaces[0], span))
            continue
        table.definitions[name] = Definition(
            name,
            definition.kind,
            Name(definition.expr.dim, there[0], span=definition.expr.span),
            definition.unit,
            definition.doc,
            derived=True,
            span=definition.span,
        )


def no_state(table: Table, state: str, span: Span | None) -> Diagnostic:
    """The problem of an amount that nothing carries, moves or starts."""
    found = table.compartments[state]
    return Diagnostic(
        "no-state",
        f"there is no '{found.species}' in '{found.place}': "
        "no blood carries it there, no arrow, dose or start touches it",
        () if span is None else (Label(span),),
        help=f"write `species {found.species} carried by ...`, or an arrow to '{found.place}'",
    )
