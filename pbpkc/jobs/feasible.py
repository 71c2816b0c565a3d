"""What a setting must leave true of a body: volumes above zero, flows that are not negative.

A spec is held to this when it is read. A run's ``--set`` and a scenario's ``set`` come later, and can leave
nothing for an organ that takes what others leave over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from pbpkc.language.binding.magnitudes import ATTRIBUTE_RANGES
from pbpkc.language.binding.scope import split_owner
from pbpkc.language.diagnostics import Diagnostic
from pbpkc.language.evaluate import NotEvaluable, evaluate_definitions
from pbpkc.language.evaluate_many import Many, evaluate_many
from pbpkc.language.model import Model

_Number = Callable[[str], float | None]


def infeasible(model: Model, values: Mapping[str, float], cause: str) -> list[Diagnostic]:
    """Why a model cannot be run with these settings; empty if it can.

    Parameters
    ----------
    model : Model
    values : mapping of definition name to float
        What was set, canonical units.
    cause : str
        Who set it: stands in messages.
    """
    lookup = evaluate_definitions({name: d.expr for name, d in model.definitions.items()}, values)

    def number(name: str) -> float | None:
        try:
            return float(lookup(name))
        except (NotEvaluable, KeyError, ValueError, ArithmeticError):
            return None  # has no value before the run, such as a predicted partition coefficient

    return [
        *_volumes(model, number, values, cause),
        *_blood_in_tissues(model, number, cause),
        *_flows(model, number, cause),
        *_attributes(model, number, values, cause),
    ]


def doubtful(model: Model, values: Mapping[str, float | Many], count: int) -> NDArray[np.bool_]:
    """Of whom `infeasible` may have something to say.

    Parameters
    ----------
    model : Model
    values : mapping of definition name to float or Many
        What was set, canonical units.
    count : int
        How many people.

    Returns
    -------
    ndarray of bool, shape (B,)
        False where there is nothing to say for certain.
    """
    definitions = {name: d.expr for name, d in model.definitions.items()}
    lookup = evaluate_definitions(definitions, values, value=evaluate_many)

    def column(name: str) -> Many | None:
        try:
            found = lookup(name)
        except (NotEvaluable, KeyError, ValueError, ArithmeticError):
            return None
        return found if isinstance(found, Many) else Many.of(np.full(count, float(found)))

    doubt = np.zeros(count, dtype=bool)
    with np.errstate(invalid="ignore"):
        for holds in _conditions(model, column, values):
            doubt |= ~holds
    return doubt


def _conditions(
    model: Model, column: Callable[[str], Many | None], values: Mapping[str, object]
) -> Iterator[NDArray[np.bool_]]:
    """What must hold of each person, or cannot be told before the run."""
    for node in model.nodes.values():
        whole = column(node.volume) if node.volume else None
        blood = column(node.vascular) if node.vascular else None
        if whole is not None:
            yield (whole.values > 0) | whole.none
        if whole is not None and blood is not None:
            inside = (blood.values > 0) & (blood.values < whole.values)
            yield inside | blood.none | whole.none
    for name in dict.fromkeys(edge.circulation for edge in model.edges):
        if (total := column(name)) is not None:
            yield (total.values > 0) | total.none
    for name in dict.fromkeys(edge.flow for edge in model.edges):
        if (flow := column(name)) is not None:
            yield (flow.values >= 0) | flow.none
    for name in values:
        owner, word = split_owner(name, model.species)
        kind = word.split(".")[0]
        if owner and kind in ATTRIBUTE_RANGES and (one := column(name)) is not None:
            allowed = ATTRIBUTE_RANGES[kind]
            low = one.values >= 0 if allowed.zero else one.values > 0
            yield (low & (one.values <= allowed.high)) | one.none


def _volumes(model: Model, number: _Number, values: Mapping[str, float], cause: str) -> Iterable[Diagnostic]:
    for node in model.nodes.values():
        value = number(node.volume) if node.volume else None
        if value is None or value > 0:
            continue
        if node.volume in values:
            yield Diagnostic(
                "negative-volume",
                f"{cause}: the volume of '{node.name}' is not positive: {value:.4g} L",
                help="a volume is above 0",
            )
        else:
            yield Diagnostic(
                "negative-remainder",
                f"{cause}: the volume left for '{node.name}' is {value:.4g} L",
                help="check the volume that was set, and the total it is part of",
            )


def _blood_in_tissues(model: Model, number: _Number, cause: str) -> Iterable[Diagnostic]:
    for node in model.nodes.values():
        blood, whole = (number(n) if n else None for n in (node.vascular, node.volume))
        if blood is None or whole is None or not whole > 0 or 0 < blood < whole:
            continue
        yield Diagnostic(
            "out-of-bounds",
            f"{cause}: the blood in '{node.name}' is {blood:.4g} L, and its volume {whole:.4g} L",
            help="the vascular volume is a part of the volume: check the one that was set",
        )


def _flows(model: Model, number: _Number, cause: str) -> Iterable[Diagnostic]:
    seen: set[float] = set()
    for name in dict.fromkeys(edge.circulation for edge in model.edges):
        total = number(name)
        if total is not None and not total > 0:
            yield Diagnostic(
                "negative-flow",
                f"{cause}: the flow of the circulation '{name}' is {total:.4g} L/h",
                help="it is above 0",
            )
            return
    for edge in model.edges:
        value = number(edge.flow)
        # What flows into an organ flows out of it: the same number is one problem.
        if value is not None and value < 0 and value not in seen:
            seen.add(value)
            yield Diagnostic(
                "negative-flow",
                f"{cause}: the flow from '{edge.source}' to '{edge.target}' is negative: {value:.4g} L/h",
                help="check the flow that was set, and the total it is part of",
            )


def _attributes(
    model: Model, number: _Number, values: Mapping[str, float], cause: str
) -> Iterable[Diagnostic]:
    for name in values:
        owner, word = split_owner(name, model.species)
        if not owner or word.split(".")[0] not in ATTRIBUTE_RANGES:
            continue
        value, allowed = number(name), ATTRIBUTE_RANGES[word.split(".")[0]]
        if value is None or allowed.holds(value):
            continue
        unit = model.definitions[name].unit
        shown = f"{value / float(unit.factor):.4g}" + ("" if unit.text == "1" else f" {unit}")
        yield Diagnostic(
            "out-of-bounds",
            f"{cause}: '{name}' is {shown}",
            help=allowed.rule,
        )
