"""Circulations: chains to vessels, vessels to flows, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from pbpkc.language.binding.bind import Context, Unbound
from pbpkc.language.diagnostics import Diagnostic, Label, respelt, similar
from pbpkc.language.evaluate import evaluate_definitions
from pbpkc.language.expression import Expr, Name, add, mul, number, sub
from pbpkc.language.model import Definition, Edge
from pbpkc.language.source import Span
from pbpkc.language.structure.flows import Combination, SolvedFlows, Vessel, balance_equations, solve_flows
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import FLOW, ONE, VOLUME, canonical_unit

if TYPE_CHECKING:
    from pbpkc.language.binding.table import Table

#: A remainder above this share of its total is worth a look (rule 9).
LARGE_REMAINDER = 0.15

#: Flows written twice must agree to this share of the total: only rounding may part them.
BALANCE_TOLERANCE = 1e-9


#: More vessels than this are a slip of the braces; a body has some fifty.
MOST_VESSELS = 1000

#: Evaluates what a callable binds, at the spec's own values; None where that failed and was reported.
NumberOf = Callable[[Callable[[], Expr]], float | None]


@dataclass
class Network:
    """One circulation as written: vessels in order, the trunk, what is given."""

    name: str
    node: n.Circulation
    trunk: list[str]
    vessels: list[Vessel]
    spans: dict[str, Span]
    known: set[Vessel] = field(default_factory=set)
    paths: dict[Vessel, n.SyntaxExpr] = field(default_factory=dict)
    solved: SolvedFlows | None = None


class Circulations:
    """The circulations of a spec; flows are solved when first read."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.networks: dict[str, Network] = {}
        self.home: dict[str, str] = {}  # node -> circulation
        for name, node in table.scope.circulations.items():
            try:
                self.networks[name] = self._read(name, node)
            except Unbound:
                continue
        for network in self.networks.values():
            self._solve(network)
        self._refuse_flows_elsewhere()

    def _refuse_flows_elsewhere(self) -> None:
        # Such a flow would be read by nothing, and the organ silently missing from the balance.
        if len(self.networks) < len(self.table.scope.circulations):
            return  # what is wrong with a circulation is reported already
        for node, block in self.table.scope.nodes.items():
            line = self.table.attributes.get(f"{node}.flow") or self.table.attributes.get(f"{node}.outflow")
            if line is not None and block.kind == "tissue" and node not in self.home:
                self.table.problems.append(
                    Diagnostic(
                        "no-vessel",
                        f"'{node}' has a flow, but no circulation leads through it",
                        (Label(line.span),),
                        help=f"write arterial -> {node} -> venous in the circulation, or leave the flow out",
                    )
                )

    # ---------------------------------------------------------------- reading

    def _read(self, name: str, node: n.Circulation) -> Network:
        network = Network(name, node, [], [], {})
        for position, chain in enumerate(node.chains):
            groups = [[self._place(ref, name, network) for ref in group] for group in chain.groups]
            if position == 0:
                if any(len(group) != 1 for group in groups):
                    raise self.table.binder.fail(
                        "trunk",
                        "the first path of a circulation is the trunk and does not branch",
                        chain.span,
                        help="write venous -> lung -> arterial first",
                    )
                network.trunk = [group[0] for group in groups]
            for sources, targets in pairwise(groups):
                for source in sources:
                    for target in targets:
                        self._vessel(network, (source, target), chain, position == 0)
        return network

    def _vessel(self, network: Network, vessel: Vessel, chain: n.Chain, trunk: bool) -> None:
        if vessel not in network.known:
            network.known.add(vessel)
            network.vessels.append(vessel)
            if len(network.vessels) > MOST_VESSELS:
                raise self.table.binder.fail(
                    "too-large",
                    f"this circulation has more than {MOST_VESSELS} vessels",
                    chain.span,
                    help="a path {a, b} -> {c, d} joins each with each",
                )
        if chain.at is not None:
            if trunk or vessel in network.paths:
                first = network.node.chains[0].span if trunk else network.paths[vessel].span
                raise self.table.binder.fail(
                    "flow-twice",
                    f"the flow from '{vessel[0]}' to '{vessel[1]}' is given twice",
                    chain.at.span,
                    others=(Label(first, "the trunk carries the whole flow" if trunk else "first here"),),
                    help="leave one `at` out",
                )
            network.paths[vessel] = chain.at

    def _place(self, ref: n.Ref, circulation: str, network: Network) -> str:
        binder, scope = self.table.binder, self.table.scope
        name = self.table.indexed(ref.parts[0], Context())
        block = scope.nodes.get(name)
        if block is None or len(ref.parts) > 1:
            near = similar(ref.text, scope.nodes)
            raise binder.fail(
                "unknown-name",
                f"there is no node '{ref.text}'",
                ref.span,
                help=f"a node with a similar name exists: '{near}'" if near else None,
                fixes=respelt(ref.span, ref.parts[0].name, scope.nodes),
            )
        if block.kind not in ("blood", "tissue"):
            raise binder.fail(
                "misplaced",
                f"'{name}' is a {block.kind}, and blood flows through blood and tissues only",
                ref.span,
                help="other nodes exchange through `flow` and `process` lines",
            )
        other = self.home.setdefault(name, circulation)
        if other != circulation:
            raise binder.fail(
                "misplaced",
                f"'{name}' is already part of the circulation '{other}'",
                ref.span,
                help="a node belongs to one circulation",
            )
        self.table.read_names.add(name.split("<")[0])
        network.spans.setdefault(name, ref.span)
        return name

    # ---------------------------------------------------------------- solving

    def _given(self, network: Network, word: str) -> Mapping[str, str]:
        given = {}
        for node in network.spans:
            line = self.table.attributes.get(f"{node}.{word}")
            if line is not None and not _is_remainder(line):
                given[node] = f"{node}.{word}"
        return given

    def _solve(self, network: Network) -> None:
        supplies, outflows = self._given(network, "flow"), self._given(network, "outflow")
        end = network.trunk[-1]
        if self._has_dead_ends(network):
            return
        for node in supplies:
            if (end, node) not in network.vessels:
                line = self.table.attributes[f"{node}.flow"]
                self.table.problems.append(
                    Diagnostic(
                        "no-vessel",
                        f"'{node}' has a flow, but no vessel leads from '{end}' to it",
                        (Label(line.span),),
                        help=f"write {end} -> {node} in the circulation, or give its outflow",
                    )
                )
                return
        paths = {vessel: f"at {vessel[0]} {vessel[1]}" for vessel in network.paths}
        equations = balance_equations(network.vessels, network.trunk, network.name, supplies, outflows, paths)
        network.solved = solve_flows(network.vessels, equations)
        if network.solved.undetermined:
            named = ", ".join(f"{a} -> {b}" for a, b in network.solved.undetermined)
            first, free = network.solved.undetermined[0][1], network.solved.free
            lacking = "one more flow" if free == 1 else f"{free} more flows"
            self.table.problems.append(
                Diagnostic(
                    "undetermined-flow",
                    f"the balance does not determine the flow of {named}",
                    (Label(network.spans[first]),),
                    (f"{lacking} would determine them",),
                    "give a `flow` or an `outflow` in the block of a tissue, or `at` behind a path",
                )
            )

    def _has_dead_ends(self, network: Network) -> bool:
        """Report nodes that blood only enters, or only leaves: one path that is missing is one problem."""
        left, reached = ({vessel[i] for vessel in network.vessels} for i in (0, 1))
        shut = [node for node in network.spans if node not in left]
        dry = [node for node in network.spans if node not in reached]
        if not shut and not dry:
            return False
        said = [f"no blood leaves {_listed(shut)}"] if shut else []
        said += [f"{'none' if shut else 'no blood'} arrives at {_listed(dry)}"] if dry else []
        source = shut[0] if shut else network.trunk[-1]
        target = dry[0] if dry else network.trunk[0]
        if source == target:
            target = network.trunk[0] if dry else network.trunk[-1]
        self.table.problems.append(
            Diagnostic(
                "unbalanced-flow",
                f"{', and '.join(said)}: a path is missing",
                tuple(Label(network.spans[node]) for node in dict.fromkeys((*shut, *dry))),
                (),
                f"add what is missing to the circulation, for example {source} -> {target}",
            )
        )
        return True

    def _combine(self, network: Network, combination: Combination, span: Span | None) -> Expr:
        plus: list[Expr] = []
        minus: list[Expr] = []
        for given, coefficient in combination.items():
            expr = self._given_flow(network, given, span)
            size = abs(coefficient)
            (plus if coefficient > 0 else minus).append(expr if size == 1 else mul(number(size), expr))
        if not plus and not minus:
            return mul(number(0), self._given_flow(network, network.name, span))
        head = add(*plus) if plus else mul(number(0), minus[0])
        return sub(head, add(*minus)) if minus else head

    def _given_flow(self, network: Network, given: str, span: Span | None) -> Expr:
        table = self.table
        flow = FLOW if table.time != ONE else VOLUME
        if given == network.name:
            if given not in table.scope.values:
                raise Unbound()
            definition = table.value(given, span)
            table.read_names.add(given)
            if definition.expr.dim != flow:
                raise table.binder.mismatch(
                    f"the total flow '{given}' of a circulation is a volume per time",
                    definition.expr,
                    flow,
                    network.node.span,
                )
            return table.name(definition, span)
        if given.startswith("at "):
            _, source, target = given.split(" ")
            syntax = network.paths[(source, target)]
            return table.binder.bind_as(
                syntax,
                flow,
                Context(unknowns=False, where="a flow"),
                "the flow of a path is a volume per time",
            )
        owner, word = given.rsplit(".", 1)
        return table.name(table.attribute(owner, word, span), span)

    def vessel_flow(self, network: Network, vessel: Vessel, span: Span | None) -> Definition:
        """The definition ``Q.source.target`` of a vessel's flow."""

        def make() -> Definition:
            if network.solved is None or vessel not in network.solved.flows:
                raise Unbound()
            expr = self._combine(network, network.solved.flows[vessel], span)
            return Definition(
                f"Q.{vessel[0]}.{vessel[1]}",
                "flow",
                expr,
                canonical_unit(expr.dim),
                f"blood flow from {vessel[0]} to {vessel[1]}",
                derived=True,
                span=span,
            )

        return self.table.define(f"Q.{vessel[0]}.{vessel[1]}", make, span)

    def _vessel_expression(self, network: Network, vessel: Vessel) -> Expr:
        return self.table.name(self.vessel_flow(network, vessel, None))

    def node_flow(self, node: str, word: str, span: Span | None) -> Definition | None:
        """`flow` or `outflow` of a node where it is not written; None where it is."""
        line = self.table.attributes.get(f"{node}.{word}")
        if line is not None and not _is_remainder(line):
            return None
        if node not in self.home or self.home[node] not in self.networks:
            return None
        network = self.networks[self.home[node]]
        if word == "flow":
            vessel = (network.trunk[-1], node)
            return self.vessel_flow(network, vessel, span) if vessel in network.vessels else None
        leaving = [v for v in network.vessels if v[0] == node]
        if len(leaving) == 1:
            return self.vessel_flow(network, leaving[0], span)

        def total() -> Definition:
            expr = add(*(self.table.name(self.vessel_flow(network, v, span)) for v in leaving))
            return Definition(
                f"{node}.outflow", "flow", expr, canonical_unit(expr.dim), derived=True, span=span
            )

        return self.table.define(f"{node}.outflow", total, span)

    # ---------------------------------------------------------------- results

    def edges(self) -> list[tuple[Network, Vessel, Edge]]:
        """Every vessel with the name of its flow."""
        found = []
        for network in self.networks.values():
            trunk = set(pairwise(network.trunk))
            for vessel in network.vessels:
                try:
                    flow = self.vessel_flow(network, vessel, network.spans[vessel[1]])
                except Unbound:
                    continue
                found.append((network, vessel, Edge(network.name, *vessel, flow.name, vessel in trunk)))
        return found

    def check_numbers(self) -> None:
        """Contradictory and negative flows and volumes, at the spec's own values."""
        table = self.table
        lookup = evaluate_definitions({k: d.expr for k, d in table.definitions.items()}, {})

        def number_of(make: Callable[[], Expr]) -> float | None:
            try:
                expr = make()
                return float(_evaluate(expr, lookup))
            except (Unbound, KeyError, ValueError, ArithmeticError):
                return None  # reported where it failed

        for network in self.networks.values():
            total = number_of(partial(self._given_flow, network, network.name, network.node.span))
            if total is None or network.solved is None:
                continue
            if not total > 0:
                self.table.problems.append(
                    Diagnostic(
                        "negative-flow",
                        f"the total flow '{network.name}' of a circulation is {total:.4g} L/h",
                        (Label(self.table.definitions[network.name].span or network.node.span),),
                        help="a total flow is above 0",
                    )
                )
                continue
            self._check_balances(network, total, number_of)
            self._check_signs(network, total, number_of)
            self._large_remainder(network, total, number_of)

    def _check_balances(self, network: Network, total: float, number_of: NumberOf) -> None:
        """Flows that contradict each other. One contradiction fails at several nodes: it is said once."""
        assert network.solved is not None
        said: list[Combination] = []
        # The node whose own flow and outflow do not fit is where to look first.
        own = {
            where: sum(f"{where}.{w}" in self.table.attributes for w in ("flow", "outflow"))
            for where in network.spans
        }
        for where, combination in sorted(network.solved.conditions, key=lambda c: -own[c[0]]):
            excess = number_of(partial(self._combine, network, combination, None))
            if (
                excess is None
                or abs(excess) <= BALANCE_TOLERANCE * abs(total)
                or any(_parallel(combination, c) for c in said)
            ):
                continue
            said.append(combination)
            lines = tuple(
                Label(self.table.attributes[f"{where}.{word}"].span, "given here")
                for word in ("flow", "outflow")
                if f"{where}.{word}" in self.table.attributes
            )
            self.table.problems.append(
                Diagnostic(
                    "unbalanced-flow",
                    f"the flows around '{where}' do not balance: {100 * abs(excess) / total:.4g} % of "
                    f"{network.name} is left over",
                    (Label(network.spans[where]), *lines),
                    self._shares(network, combination, total, number_of),
                    f"leave one of them out, or write flow = remainder({network.name})",
                )
            )

    def _check_signs(self, network: Network, total: float, number_of: NumberOf) -> None:
        """Negative flows; what enters and leaves a node on one way is one problem."""
        assert network.solved is not None
        said: list[Combination] = []
        for vessel, combination in network.solved.flows.items():
            value = number_of(partial(self._vessel_expression, network, vessel))
            if value is None or value >= 0 or any(_parallel(combination, c) for c in said):
                continue
            said.append(combination)
            node = vessel[1] if vessel[1] not in network.trunk else vessel[0]
            left = "the remainder" if self._is_left(node) else "the flow"
            self.table.problems.append(
                Diagnostic(
                    "negative-flow",
                    f"{left} from '{vessel[0]}' to '{vessel[1]}' is negative: {100 * value / total:.4g} % of "
                    f"{network.name}",
                    (Label(network.spans[node]),),
                    self._shares(network, combination, total, number_of),
                    "the given flows may not add up to more than the total; check them and the total",
                )
            )

    def _is_left(self, node: str) -> bool:
        line = self.table.attributes.get(f"{node}.flow")
        return line is not None and _is_remainder(line)

    def _shares(
        self, network: Network, combination: Combination, total: float, number_of: NumberOf
    ) -> tuple[str, ...]:
        """Both sides of a balance as shares of the total: the reader finds the odd one."""
        sides: dict[bool, list[tuple[str, float]]] = {True: [], False: []}
        for given, coefficient in combination.items():
            value = number_of(partial(self._given_flow, network, given, None))
            if value is not None:
                name = given.removeprefix("at ").replace(" ", " -> ") if given.startswith("at ") else given
                sides[coefficient > 0].append((name, 100 * value / total))
        if not (sides[True] and sides[False]):
            return ()
        return (f"{_side(sides[True])}, against {_side(sides[False])}",)

    def _large_remainder(self, network: Network, total: float, number_of: NumberOf) -> None:
        for node in network.spans:
            line = self.table.attributes.get(f"{node}.flow")
            if line is None or not _is_remainder(line):
                continue
            call = line.value
            assert isinstance(call, n.Call)
            if not (
                len(call.args) == 1 and isinstance(call.args[0], n.Ref) and call.args[0].text == network.name
            ):
                self.table.problems.append(
                    Diagnostic(
                        "remainder",
                        f"the remainder of the flows is taken from '{network.name}'",
                        (Label(call.span),),
                        help=f"write flow = remainder({network.name})",
                    )
                )
            vessel = (network.trunk[-1], node)
            if vessel not in network.vessels:
                self.table.problems.append(
                    Diagnostic(
                        "no-vessel",
                        f"no vessel leads from '{network.trunk[-1]}' to '{node}'",
                        (Label(line.span),),
                        help=f"write {network.trunk[-1]} -> {node} in the circulation",
                    )
                )
                continue
            value = number_of(partial(self._vessel_expression, network, vessel))
            if value is not None and value > LARGE_REMAINDER * total:
                self.table.problems.append(large_remainder(f"flow of '{node}'", value / total, line.span))


def large_remainder(what: str, share: float, span: Span) -> Diagnostic:
    """The warning that a remainder holds much of its total."""
    return Diagnostic(
        "large-remainder",
        f"the remainder is large: the {what} holds {100 * share:.1f} % of the total",
        (Label(span),),
        ("a remainder hides what was forgotten",),
        "check that no organ is missing",
        "warning",
    )


def _side(parts: list[tuple[str, float]]) -> str:
    listed = " + ".join(f"{name} {share:.4g} %" for name, share in parts)
    return listed if len(parts) == 1 else f"{listed} = {sum(share for _, share in parts):.4g} %"


def _parallel(a: Combination, b: Combination) -> bool:
    """Whether two combinations are the same but for a factor."""
    if set(a) != set(b) or not a:
        return False
    first = next(iter(a))
    return all(a[name] * b[first] == b[name] * a[first] for name in a)


def _is_remainder(line: n.Attribute) -> bool:
    return isinstance(line.value, n.Call) and line.value.name == "remainder"


def _evaluate(expr: Expr, lookup: Callable[[str], float]) -> float:
    from pbpkc.language.evaluate import evaluate

    if isinstance(expr, Name):
        return lookup(expr.name)
    return float(evaluate(expr, lookup))


def _listed(names: list[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
