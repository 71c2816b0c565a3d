"""Processes, flows and vessels: who loses, who gains, and at what rate."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from pbpkc.language.binding.bind import Context, Unbound
from pbpkc.language.binding.quantities import read_quantity, species_of
from pbpkc.language.binding.scope import Indices
from pbpkc.language.diagnostics import Label, respelt, similar
from pbpkc.language.expression import Expr, add, mul, number, sub
from pbpkc.language.model import Arrow, Definition
from pbpkc.language.source import Span
from pbpkc.language.structure.spaces import compartment, enter, is_limited, read_space
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import AMOUNT, FLOW, ONE, VOLUME, Dimension, canonical_text, canonical_unit

if TYPE_CHECKING:
    from pbpkc.language.binding.table import Table


def rate_definition(table: Table, name: str) -> Definition:
    """The rate of a process or flow line, with its unit checked against the states it moves."""
    node, indices = table.scope.processes[name]
    if isinstance(node, n.FlowLine):
        return _flow_rate(table, name, node, indices)
    context = Context(indices, where="a rate")
    wanted = _moved_dimension(table, node, context) / table.time
    expr = table.binder.bind_as(
        node.rate,
        wanted,
        context,
        f"the rate of '{name}' is an amount per time"
        if wanted == AMOUNT / table.time
        else f"the rate of '{name}' has the unit of its states per time",
    )
    return Definition(name, "rate", expr, canonical_unit(expr.dim), node.doc, span=node.span)


def _flow_rate(table: Table, name: str, node: n.FlowLine, indices: Indices) -> Definition:
    context = Context(indices, where="a flow")
    flow = FLOW if table.time != ONE else VOLUME
    ends: list[str | None] = []
    for ref in (node.left, node.right):
        try:
            ends.append(_end(table, ref, context))
        except Unbound:
            continue
    q = table.binder.bind_as(node.at, flow, context, f"the flow '{name}' is a volume per time")
    if len(ends) < 2:
        raise Unbound()
    left, right = ends
    if (left is None and right is None) or ((left is None or right is None) and node.arrow == "<->"):
        raise table.binder.fail(
            "outside",
            f"the flow '{name}' exchanges with the outside",
            node.span,
            help="a flow joins two nodes, or leaves one",
        )
    if left is None:
        raise table.binder.fail(
            "outside",
            f"the flow '{name}' comes from outside, where there is no concentration",
            node.span,
            help="write a process with its rate",
        )
    rate = mul(q, _cout(table, left, node.left))
    if node.arrow == "<->":
        assert right is not None
        rate = mul(q, sub(_cout(table, left, node.left), _cout(table, right, node.right)))
    return Definition(name, "rate", rate, canonical_unit(rate.dim), node.doc, span=node.span)


def _cout(table: Table, state: str, ref: n.Ref) -> Expr:
    if state in table.scope.states:
        raise table.binder.fail(
            "misplaced",
            f"'{state}' is a state without a volume, and a flow carries a concentration",
            ref.span,
            help="write a process with its rate",
        )
    found = table.compartments[state]
    return read_quantity(table, found.node, found.space, found.species, "Cout", ref.span)


def _end(table: Table, ref: n.Ref, context: Context) -> str | None:
    """The state at an arrow's end; None for `outside`.

    Raises
    ------
    Unbound
        After reporting what stands there instead of a state.
    """
    try:
        state = _find_end(table, ref, context)
    except Unbound:
        table.lost_end = True
        raise
    if state is not None:
        table.touched.add(state)
    return state


def _find_end(table: Table, ref: n.Ref, context: Context) -> str | None:
    first = ref.parts[0].name
    if first == "outside":
        return None
    binder, scope = table.binder, table.scope
    if first in scope.sites:
        raise binder.fail(
            "misplaced",
            f"'{first}' is a site, where blood is sampled; nothing can be put or taken there",
            ref.span,
            help="name the tissue or the blood itself",
        )
    name = table.indexed(ref.parts[0], context)
    table.read_names.add(first)
    if name in scope.states and len(ref.parts) == 1:
        return name
    if name not in scope.nodes:
        near = similar(ref.text, [*scope.nodes, *scope.states])
        raise binder.fail(
            "unknown-name",
            f"'{ref.text}' is no node and no state",
            ref.span,
            help=f"a name with a similar spelling exists: '{near}'" if near else "declare it",
            fixes=respelt(ref.span, ref.parts[0].name, [*scope.nodes, *scope.states]),
        )
    space, rest = read_space(table, name, ref.parts[1:])
    species, rest = species_of(table, rest, ref)
    if rest:
        raise binder.fail(
            "no-state",
            f"'{ref.text}' is a quantity; an arrow joins nodes",
            ref.span,
            help=f"write {name}.{species}" if space is None else f"write {name}.{space}.{species}",
        )
    return compartment(table, name, space, species, ref)


def _state_dimension(table: Table, state: str) -> Dimension:
    return table.state_units[state].dimension if state in table.state_units else AMOUNT


def _moved_dimension(table: Table, node: n.Process, context: Context) -> Dimension:
    terms = [*node.left, *node.right]
    refs = [t.ref for t in terms] + ([node.otherwise] if node.otherwise else [])
    found: list[tuple[str, Dimension, n.Ref]] = []
    failed = False
    for ref in refs:
        try:
            state = _end(table, ref, context)
        except Unbound:
            failed = True  # the other ends are looked at all the same
            continue
        if state is not None:
            found.append((state, _state_dimension(table, state), ref))
    if failed:
        raise Unbound()
    if not found:
        raise table.binder.fail(
            "outside",
            f"the process '{node.name}' has the outside on both sides",
            node.span,
            help="an arrow moves something: name a state or a node on one side",
        )
    for state, dimension, ref in found[1:]:
        if dimension != found[0][1] and not table.unit_free:
            units = [table.binder.shown(d) for d in (found[0][1], dimension)]
            factor = canonical_text(found[0][1] / dimension)
            raise table.binder.fail(
                "unit-mismatch",
                f"'{found[0][0]}' is in {units[0]} and '{state}' in {units[1]}, and one rate moves both",
                ref.span,
                notes=(f"they differ by the factor [{factor}]",),
                help="declare the states in one unit, or write two processes",
            )
    return found[0][1]


def read_arrows(table: Table) -> Iterator[Arrow]:
    """Every arrow: processes and flows as written, odes, and blood for each species it carries."""
    for name, (node, indices) in table.scope.processes.items():
        if name in table.failed:
            continue
        try:
            yield (
                _flow(table, name, node, indices)
                if isinstance(node, n.FlowLine)
                else _process(table, name, node, indices)
            )
        except Unbound:
            continue
    for ode, indices in table.scope.odes:
        try:
            yield _ode(table, ode, indices)
        except Unbound:
            continue
    yield from _vessels(table)


def _flow(table: Table, name: str, node: n.FlowLine, indices: Indices) -> Arrow:
    rate = table.rate(name, node.span)
    context = Context(indices)
    left, right = _end(table, node.left, context), _end(table, node.right, context)
    assert left is not None
    produces: tuple[tuple[str, Expr], ...] = ((right, number(1)),) if right else ()
    return Arrow(
        name,
        "flow",
        rate.name,
        node.arrow == "<->",
        ((left, Fraction(1)),),
        produces,
        right is None,
        node.doc,
        span=node.span,
    )


def _process(table: Table, name: str, node: n.Process, indices: Indices) -> Arrow:
    rate = table.rate(name, node.span)
    context = Context(indices, unknowns=False, where="a split")
    consumes: dict[str, Fraction] = {}
    produces: dict[str, list[Expr]] = {}
    is_open = False
    for term in (*node.left, *node.right):
        if term.count == 0:
            raise table.binder.fail(
                "bad-number",
                "the number in front of a state is above 0",
                term.span,
                help="leave the state out",
            )
    for term in node.left:
        state = _end(table, term.ref, context)
        if state is None:
            is_open = True
        else:
            consumes[state] = consumes.get(state, Fraction(0)) + term.count
    share: Expr | None = None
    if node.split is not None:
        share = table.binder.bind_as(node.split, ONE, context, "a split is a fraction")
        if len(node.right) != 1:
            raise table.binder.fail(
                "split",
                "a process that splits has one product",
                node.span,
                help="the share goes to it, the rest to what stands after `else`",
            )
    for term in node.right:
        state = _end(table, term.ref, context)
        amount: Expr = number(term.count)
        if state is None:
            is_open = True
        else:
            produces.setdefault(state, []).append(
                mul(share, amount) if share and term.count != 1 else share or amount
            )
    if share is not None and node.otherwise is not None:
        rest = sub(number(1), share)
        count = node.right[0].count
        state = _end(table, node.otherwise, context)
        if state is None:
            is_open = True
        else:
            produces.setdefault(state, []).append(rest if count == 1 else mul(rest, number(count)))
    # A net rate may be negative, and then takes from the right side.
    givers = [t.ref for t in node.left]
    if node.arrow == "<->":
        givers += [t.ref for t in node.right] + ([node.otherwise] if node.otherwise else [])
    for ref in givers:
        state = _end(table, ref, context)
        place = "" if state is None or state in table.scope.states else table.compartments[state].node
        if place and table.scope.nodes[place].kind == "sink":
            raise table.binder.fail(
                "sink",
                f"'{place}' is a sink, and nothing leaves a sink",
                ref.span,
                help="declare it as a pool or a lumen",
            )
    return Arrow(
        name,
        "process",
        rate.name,
        node.arrow == "<->",
        tuple(consumes.items()),
        tuple((s, add(*c)) for s, c in produces.items()),
        is_open,
        node.doc,
        span=node.span,
    )


def _ode(table: Table, node: n.Ode, indices: Indices) -> Arrow:
    context = Context(indices, unknowns=False, where="an ode")
    state = table.indexed(node.target.parts[0], context)
    if state not in table.scope.states or len(node.target.parts) > 1:
        near = similar(node.target.text, table.scope.states)
        raise table.binder.fail(
            "unknown-name",
            f"'{node.target.text}' is no state",
            node.target.span,
            help=f"a state with a similar name exists: '{near}'"
            if near
            else "declare it: state x = 1 [1]; amounts in nodes change by arrows",
            fixes=respelt(node.target.span, node.target.parts[0].name, table.scope.states),
        )
    table.read_names.add(node.target.parts[0].name)
    wanted = _state_dimension(table, state) / table.time
    name = f"ode {state}"

    def make() -> Definition:
        expr = table.binder.bind_as(
            node.value, wanted, context, f"the ode of '{state}' has its unit per time"
        )
        return Definition(name, "rate", expr, canonical_unit(expr.dim), derived=True, span=node.span)

    if name in table.definitions:
        first = table.definitions[name].span
        raise table.binder.fail(
            "duplicate-name",
            f"'{state}' has two odes",
            node.span,
            others=(Label(first, "first here"),) if first else (),
            help="write one, with the sum of both",
        )
    rate = table.define(name, make, node.span)
    return Arrow(name, "ode", rate.name, True, (), ((state, number(1)),), True, span=node.span)


def carriers(table: Table) -> dict[str, list[str]]:
    """Species carried by each circulation."""
    carried: dict[str, list[str]] = {}
    for name, block in table.scope.species.items():
        for ref in block.carried:
            if ref.text not in table.scope.circulations:
                near = similar(ref.text, table.scope.circulations)
                table.lost_end = True
                table.binder.fail(
                    "unknown-name",
                    f"there is no circulation '{ref.text}'",
                    ref.span,
                    help=f"a circulation with a similar name exists: '{near}'"
                    if near
                    else f"declare it: circulation {ref.text} {{ venous -> lung -> arterial }}",
                    fixes=respelt(ref.span, ref.text, table.scope.circulations),
                )
                continue
            carried.setdefault(ref.text, []).append(name)
            table.read_names.add(name)
    return carried


def flowing(table: Table, node: str, species: str) -> str:
    """The state that the blood of a node belongs to."""
    return enter(table, node, "blood" if is_limited(table, node, species) else None, species)


def _vessels(table: Table) -> Iterator[Arrow]:
    carried = carriers(table)
    for network, (source, target), edge in table.circulations.edges():
        for species in carried.get(network.name, []):
            name = f"flow.{source}.{target}.{species}"
            span = network.spans[source]

            def make(
                source: str = source,
                species: str = species,
                flow: str = edge.flow,
                name: str = name,
                span: Span = span,
            ) -> Definition:
                q = table.definitions[flow]
                rate = mul(table.name(q), read_quantity(table, source, None, species, "Cout", span))
                return Definition(name, "rate", rate, canonical_unit(rate.dim), derived=True, span=span)

            try:
                rate = table.define(name, make, span)
            except Unbound:
                continue
            yield Arrow(
                name,
                "circulation",
                rate.name,
                False,
                ((flowing(table, source, species), Fraction(1)),),
                ((flowing(table, target, species), number(1)),),
                span=span,
            )
