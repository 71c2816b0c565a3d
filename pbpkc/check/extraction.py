"""Clearance by an organ from the blood that reaches it, against its blood flow.

An organ cannot clear more blood than flows through it. A rate that reads the concentration in its own tissue
obeys that by itself, whatever the intrinsic clearance: the tissue runs empty first. One that takes from the
tissue at the concentration in another vessel does not, and drives the amount below zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.evaluate import NotEvaluable, evaluate_definitions
from pbpkc.language.expression import Expr, names_in
from pbpkc.language.model import Arrow, Model
from pbpkc.language.units import AMOUNT_RATE, VOLUME

#: The concentration at which rates are taken, umol/L: low, so that what saturates has its full clearance.
PROBE = 1e-3

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
