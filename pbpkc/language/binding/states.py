"""The states of a model: what is carried, moved, dosed, started or declared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pbpkc.language.binding.bind import Unbound
from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.expression import Expr
from pbpkc.language.model import Arrow, State
from pbpkc.language.source import Span
from pbpkc.language.structure.arrows import carriers, flowing
from pbpkc.language.structure.spaces import no_state, settle_totals
from pbpkc.language.units import parse_unit

if TYPE_CHECKING:
    from pbpkc.language.binding.table import Table
    from pbpkc.language.scenario.scenarios import ScenarioReader


def read_starts(table: Table, reader: ScenarioReader) -> dict[str, Expr]:
    """Initial amounts and values from `start` lines, by state."""
    starts: dict[str, Expr] = {}
    spans: dict[str, Span] = {}
    for line in table.scope.starts:
        try:
            state, value = reader.start(line, "a `start` line gives it an initial amount")
        except Unbound:
            continue
        if state in starts:
            table.problems.append(
                Diagnostic(
                    "duplicate-name",
                    f"'{state}' is started twice",
                    (Label(line.span, "again here"), Label(spans[state], "first here")),
                    help="leave one of them out",
                )
            )
        starts[state], spans[state] = value, line.span
    return starts


def reasons_of_states(
    table: Table, arrows: Iterable[Arrow], scenario_reasons: dict[str, str]
) -> dict[str, str]:
    """Why each state exists, by its name: carried, moved, dosed, started or declared."""
    reasons: dict[str, str] = {}
    for circulation, carried in carriers(table).items():
        for node, home in table.circulations.home.items():
            if home == circulation:
                for name in carried:
                    reasons[flowing(table, node, name)] = f"'{name}' is carried by {circulation}"
    for arrow in arrows:
        if arrow.kind == "circulation":
            continue
        for state in [s for s, _ in arrow.consumes] + [s for s, _ in arrow.produces]:
            reasons.setdefault(state, f"{arrow.kind} '{arrow.name}' touches it")
    for state, reason in scenario_reasons.items():
        reasons.setdefault(state, reason)
    for name in table.scope.states:
        reasons[name] = "declared with `state`"
    return reasons


def list_states(table: Table, reasons: dict[str, str], starts: dict[str, Expr]) -> tuple[State, ...]:
    """The states in the order of the spec; what is read and does not exist is reported."""
    for state, span in table.read_states.items():
        # Where an end of an arrow is not known, what it would have touched is not known either.
        if state not in reasons and state not in table.touched and not table.lost_end:
            table.problems.append(no_state(table, state, span))
    settle_totals(table, reasons)
    node_order = {name: i for i, name in enumerate(table.scope.nodes)}
    species_order = {name: i for i, name in enumerate(table.scope.species)}
    state_order = {name: i for i, name in enumerate(table.scope.states)}

    def key(state: str) -> tuple[int, int, int, str]:
        if state in state_order:
            return 2, state_order[state], 0, ""
        found = table.compartments[state]
        sink = int(table.scope.nodes[found.node].kind == "sink")
        return sink, species_order[found.species], node_order[found.node], found.space or ""

    found = []
    for name in sorted(reasons, key=key):
        if name in state_order:
            line = table.scope.states[name]
            if name not in table.state_values:
                continue
            value = table.state_values[name]
            found.append(
                State(name, table.state_units[name], starts.get(name, value), reasons[name], span=line.span)
            )
            continue
        compartment = table.compartments[name]
        block = table.scope.nodes[compartment.node]
        found.append(
            State(
                name,
                parse_unit("umol"),
                starts.get(name),
                reasons[name],
                compartment.node,
                compartment.species,
                block.kind == "sink",
                compartment.space,
                span=block.span,
            )
        )
    if not found and not table.problems.any_error:
        table.problems.append(
            Diagnostic(
                "no-state",
                "the model has no state: nothing is carried, moved or dosed",
                help="a file that only describes a body is brought into another by `use`",
            )
        )
    return tuple(found)
