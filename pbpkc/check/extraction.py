"""Clearance by an organ from the blood that reaches it, against its blood flow.

An organ cannot clear more blood than flows through it. A rate that reads the concentration in its own tissue
obeys that by itself, whatever the intrinsic clearance: the tissue runs empty first. One that takes from the
tissue at the concentration in another vessel does not, and drives the amount below zero.

A clearance that is drawn out of a blood vessel stands for organs that are elsewhere: it is compared with the
flow through the vessel, and one that is called hepatic with the blood flow of the liver.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pbpkc.body.organs import organ_of
from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.evaluate import NotEvaluable, evaluate_definitions
from pbpkc.language.expression import Expr, names_in
from pbpkc.language.model import Arrow, Model
from pbpkc.language.units import AMOUNT_RATE, VOLUME

#: The concentration at which rates are taken, umol/L: low, so that what saturates has its full clearance.
PROBE = 1e-3

#: Processes that are said to be the liver's.
_HEPATIC = re.compile(r"hepat|liver", re.IGNORECASE)

#: Rounding of a well-stirred clearance that comes close to the flow.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Extraction:
    """What an organ takes of a species from the blood that reaches it.

    Parameters
    ----------
    node, species : str
    clearance, flow : float, L/h
        Of blood.
    arrows : tuple of Arrow
        That take it.
    """

    node: str
    species: str
    clearance: float
    flow: float
    arrows: tuple[Arrow, ...]


def extractions(model: Model) -> tuple[Extraction, ...]:
    """What each tissue takes of each species by rates that read the blood elsewhere.

    The rates are taken at the spec's own values, with `PROBE` in the blood that they read, in vessels or
    as it leaves another tissue, and nothing in the tissue itself. Tissues without such a rate are left out.
    """
    found = []
    for node in model.nodes.values():
        if node.kind != "tissue":
            continue
        into = [e for e in model.edges if e.target == node.name]
        for species in model.species.values() if into else ():
            if into[0].circulation not in species.carried_by:
                continue
            own = {s.name for s in model.states if (s.node, s.species) == (node.name, species.name)}
            arrows = [
                a
                for a in model.arrows
                if a.kind == "process"
                and any(state in own for state, _ in a.consumes)
                and not any(state in own for state, _ in a.produces)
            ]
            one = _extraction(model, node.name, species.name, own, tuple(arrows), [e.flow for e in into])
            if one is not None:
                found.append(one)
    return tuple(found)


def extraction_above_flow(model: Model) -> tuple[Diagnostic, ...]:
    """A warning (``extraction``) for each tissue that clears more blood than reaches it."""
    return tuple(_told(one) for one in extractions(model) if one.clearance > one.flow * (1 + _ROUNDING))


def clearance_above_flow(model: Model) -> tuple[Diagnostic, ...]:
    """A warning (``extraction``) where more leaves a blood vessel for good than its blood flow can bring."""
    found: list[Diagnostic] = []
    for node in model.nodes.values():
        into = [e for e in model.edges if e.target == node.name] if node.kind == "blood" else []
        for species in model.species.values() if into else ():
            taken = _taken_from_blood(model, node.name, species.name)
            total = _value(model, [e.flow for e in into])
            hepatic = {a: c for a, c in taken.items() if _HEPATIC.search(f"{a.name} {a.doc}")}
            livers = [n.name for n in model.nodes.values() if organ_of(n.name, n.kind) == "liver"]
            to_liver = [
                e.flow for e in model.edges if e.target in livers and e.circulation == into[0].circulation
            ]
            flow = _value(model, to_liver) if len(livers) == 1 else 0.0
            if hepatic and flow and sum(hepatic.values()) > flow * (1 + _ROUNDING):
                found.append(_of_vessel(node.name, species.name, hepatic, flow, f"'{livers[0]}'"))
            elif total and sum(taken.values()) > total * (1 + _ROUNDING):
                found.append(_of_vessel(node.name, species.name, taken, total, f"'{node.name}'"))
    return tuple(found)


def _of_vessel(node: str, species: str, taken: Mapping[Arrow, float], flow: float, organ: str) -> Diagnostic:
    names = ", ".join(f"'{a.name}'" for a in taken)
    clearance = sum(taken.values())
    return Diagnostic(
        "extraction",
        f"{names} {'clear' if len(taken) > 1 else 'clears'} {clearance:.4g} L/h of '{species}' from the "
        f"blood in '{node}', and the blood flow of {organ} is {flow:.4g} L/h",
        tuple(Label(a.span) for a in taken if a.span),
        (
            f"{clearance / flow:.3g} times what flows there: no organ clears more blood than arrives; "
            "breakdown in the blood itself may",
        ),
        "let the arrow start in the organ and read the concentration there, or check clearance and unit",
        "warning",
    )


def _taken_from_blood(model: Model, node: str, species: str) -> dict[Arrow, float]:
    """Clearances of blood, L/h, of the processes that take a species from a vessel for good."""
    state = next((s.name for s in model.states if (s.node, s.species) == (node, species)), None)
    sinks = {s.name for s in model.states if s.sink}
    own = {s.name for s in model.states if s.species == species}
    definitions = {name: d.expr for name, d in model.definitions.items()}
    found: dict[Arrow, float] = {}
    for arrow in model.arrows if state is not None else ():
        count = dict(arrow.consumes).get(state or "")
        stays = any(made in own and made not in sinks for made, _ in arrow.produces)
        if arrow.kind != "process" or not count or stays or definitions[arrow.rate].dim != AMOUNT_RATE:
            continue
        states = {s.name: 0.0 for s in model.states}
        try:
            states[state or ""] = PROBE * _amount_at_one(definitions, states, state or "", node, species)
            lookup = evaluate_definitions(definitions, {**states, "t": 0.0}, _no_unknown)
            found[arrow] = float(lookup(arrow.rate)) * float(count) / PROBE
        except (NotEvaluable, KeyError, ValueError, ArithmeticError):
            continue
    return found


def _value(model: Model, names: list[str]) -> float:
    """The sum of some definitions; 0 where it has no value before a run."""
    try:
        lookup = evaluate_definitions({name: d.expr for name, d in model.definitions.items()}, {})
        return sum(float(lookup(name)) for name in names)
    except (NotEvaluable, KeyError, ValueError, ArithmeticError):
        return 0.0


def _told(one: Extraction) -> Diagnostic:
    names = ", ".join(f"'{a.name}'" for a in one.arrows)
    return Diagnostic(
        "extraction",
        f"{names} {'take' if len(one.arrows) > 1 else 'takes'} '{one.species}' from '{one.node}' with a "
        f"clearance of {one.clearance:.4g} L/h of the blood that reaches it, and its blood flow is "
        f"{one.flow:.4g} L/h",
        tuple(Label(a.span) for a in one.arrows if a.span),
        (
            f"an extraction of {one.clearance / one.flow:.3g}: no organ takes more than arrives, and "
            "the amount in it would become negative",
        ),
        f"read the concentration in '{one.node}' itself, or check the clearance and its unit",
        "warning",
    )


def _extraction(
    model: Model, node: str, species: str, own: set[str], arrows: tuple[Arrow, ...], flows: list[str]
) -> Extraction | None:
    definitions = {name: d.expr for name, d in model.definitions.items()}
    states = {s.name: 0.0 for s in model.states}
    foreign: dict[str, str] = {}  # state of the species elsewhere in the blood, by name, with its node
    for state in model.states:
        circulating = any(state.node in (e.source, e.target) for e in model.edges)
        if state.species == species and state.name not in own and circulating and state.node:
            foreign[state.name] = state.node
    behind = {a.name: _behind(a.rate, definitions) & foreign.keys() for a in arrows}
    reading = tuple(a for a in arrows if behind[a.name])
    if not reading:
        return None
    try:
        for name in sorted(set().union(*behind.values())):
            states[name] = PROBE * _amount_at_one(definitions, states, name, foreign[name], species)
        lookup = evaluate_definitions(definitions, {**states, "t": 0.0}, _no_unknown)
        taken = sum(
            float(lookup(a.rate)) * float(sum(count for state, count in a.consumes if state in own))
            for a in reading
            if definitions[a.rate].dim == AMOUNT_RATE
        )
        flow = sum(float(lookup(name)) for name in flows)
    except (NotEvaluable, KeyError, ValueError, ArithmeticError):
        return None
    return Extraction(node, species, taken / PROBE, flow, reading) if flow > 0 else None


def _amount_at_one(
    definitions: Mapping[str, Expr], states: Mapping[str, float], state: str, node: str, species: str
) -> float:
    """The amount at which the blood that leaves a node holds 1 umol/L."""
    for word in ("Cout", "C"):
        name = f"{node}.{species}.{word}"
        if name in definitions:
            lookup = evaluate_definitions(definitions, {**states, state: 1.0, "t": 0.0}, _no_unknown)
            return 1.0 / float(lookup(name))
    volume = f"{node}.volume"
    if volume in definitions and definitions[volume].dim == VOLUME:
        return float(evaluate_definitions(definitions, {})(volume))
    raise NotEvaluable(f"'{node}' has no concentration")


def _behind(name: str, definitions: Mapping[str, Expr]) -> set[str]:
    """Everything a definition reads, through others."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        for other in names_in(definitions[current]) if current in definitions else ():
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return seen


def _no_unknown(op: str, args: list[float]) -> float:
    raise NotEvaluable(f"'{op}' has no value here")
