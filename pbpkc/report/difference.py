"""How two models differ in meaning, whatever their texts look like."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pbpkc.language.expression import Const, Expr, to_text
from pbpkc.language.model import (
    Arrow,
    DataBlock,
    Definition,
    Dose,
    Model,
    Node,
    Observable,
    Population,
    Scenario,
    Species,
    State,
    Unknown,
)
from pbpkc.language.normal_form import normal_form
from pbpkc.language.show import (
    arrow_cells,
    change_text,
    dose_text,
    expression_text,
    prior_text,
    quantity_text,
    range_text,
)
from pbpkc.language.units import Unit

What = Literal["added", "removed", "changed"]

#: What is compared of one thing: by label, what must be equal, and how it is shown.
Aspects = Mapping[str, tuple[Hashable, str]]


@dataclass(frozen=True)
class Change:
    """One difference.

    Parameters
    ----------
    section : str
        ``parameters``, ``equations`` ...
    name : str
    what : {"added", "removed", "changed"}
    aspect : str
        What of it has changed (``value``, ``prior``, ``rate``); empty where all of it came or went.
    before, after : str
        Empty where there is none.
    """

    section: str
    name: str
    what: What
    aspect: str
    before: str
    after: str

    def to_json(self) -> Mapping[str, Any]:
        """As plain data."""
        return dict(vars(self))


def differences(before: Model, after: Model) -> tuple[Change, ...]:
    """What the second model says otherwise than the first, section by section.

    Titles, descriptions, sources, comments, order, the names of used files and the unit a value is written in
    are no differences; numbers are compared exactly, in canonical units.

    Parameters
    ----------
    before, after : Model

    Returns
    -------
    tuple of Change
        Empty where both mean the same.
    """
    found: list[Change] = []
    for section, describe in _SECTIONS.items():
        found += _compared(section, dict(describe(before)), dict(describe(after)))
    return tuple(found)


def _compared(section: str, before: Mapping[str, Aspects], after: Mapping[str, Aspects]) -> Iterator[Change]:
    for name in dict.fromkeys([*before, *after]):
        if name not in after:
            yield Change(section, name, "removed", "", _whole(before[name]), "")
        elif name not in before:
            yield Change(section, name, "added", "", "", _whole(after[name]))
        else:
            for aspect in dict.fromkeys([*before[name], *after[name]]):
                old, new = (side.get(aspect, (None, "")) for side in (before[name], after[name]))
                if old[0] != new[0]:
                    yield Change(section, name, "changed", aspect, old[1] or "none", new[1] or "none")


def _whole(aspects: Aspects) -> str:
    return "; ".join(text for _, text in aspects.values() if text)


# ------------------------------------------------------------------ what is compared


def _rounded(*numbers: float) -> tuple[float, ...]:
    """Numbers without the last digit of double precision, in which 10 ug/L and 0.01 mg/L may differ."""
    return tuple(float(f"{x:.14g}") for x in numbers)


def _head(model: Model) -> Iterator[tuple[str, Aspects]]:
    yield (
        "model",
        {
            "organism": (model.organism, model.organism or ""),
            "time": (_same_unit(model.time_unit), str(model.time_unit)),
        },
    )


def _same_unit(unit: Unit) -> Hashable:
    return unit.factor, unit.offset, unit.dimension


def _definitions(*kinds: str) -> Callable[[Model], Iterator[tuple[str, Aspects]]]:
    def described(model: Model) -> Iterator[tuple[str, Aspects]]:
        for definition in model.definitions.values():
            if definition.kind in kinds and not definition.derived:
                yield definition.name, _definition(definition)

    return described


def _definition(one: Definition) -> Aspects:
    found: dict[str, tuple[Hashable, str]] = {"kind": (one.kind, "" if one.kind == "attribute" else one.kind)}
    mask = one.mask
    if mask is None:
        found["value"] = (normal_form(one.expr), expression_text(one.expr))
    else:
        if mask.prior is not None:
            arguments = sorted(mask.prior.arguments.items())
            prior = (mask.prior.family, tuple((word, _rounded(value)) for word, value in arguments))
            found["prior"] = (prior, prior_text(mask.prior, one.unit))
        found["bounds"] = (_rounded(mask.low, mask.high), range_text(mask.low, mask.high, one.unit))
        found["scale"] = (mask.scale, f"scale {mask.scale}")
    if one.bounds is not None:
        found["bounds"] = (_rounded(*one.bounds), range_text(*one.bounds, one.unit))
    if one.hold:
        found["hold"] = (one.hold, f"hold {one.hold}")
    return found


def _unknowns(model: Model) -> Iterator[tuple[str, Aspects]]:
    for unknown in model.unknowns.values():
        yield unknown.name, _unknown(unknown)


def _unknown(one: Unknown) -> Aspects:
    arguments = ", ".join(f"{a.name} in {range_text(a.low, a.high, a.unit)}" for a in one.arguments)
    shapes = ", ".join(f"{direction} in {argument}" for direction, argument in one.shapes)
    anchors = "; ".join(
        f"at ({', '.join(quantity_text(x, a.unit) for x, a in zip(at, one.arguments, strict=True))}) = "
        + quantity_text(value, one.unit)
        for at, value in one.anchors
    )
    limits = [(a.name, _rounded(a.low, a.high), a.unit.dimension) for a in one.arguments]
    return {
        "arguments": (tuple(limits), f"({arguments}) -> {one.unit}"),
        "range": (
            _rounded(*one.range) if one.range else None,
            range_text(*one.range, one.unit) if one.range else "",
        ),
        "direction": (frozenset(one.shapes), shapes),
        "anchors": (frozenset((_rounded(*at), _rounded(value)) for at, value in one.anchors), anchors),
        "default": (normal_form(one.default), to_text(one.default) if one.default else ""),
    }


def _nodes(model: Model) -> Iterator[tuple[str, Aspects]]:
    for node in model.nodes.values():
        yield node.name, _node(node)


def _node(one: Node) -> Aspects:
    return {"kind": (one.kind, one.kind), "like": (one.like, f"like {one.like}" if one.like else "")}


def _flows(model: Model) -> Iterator[tuple[str, Aspects]]:
    for edge in model.edges:
        expr = model.definitions[edge.flow].expr
        trunk = ", trunk" if edge.trunk else ""
        yield (
            f"{edge.source} -> {edge.target}",
            {
                "circulation": (edge.circulation, edge.circulation + trunk),
                "flow": (normal_form(expr), to_text(expr)),
            },
        )


def _species(model: Model) -> Iterator[tuple[str, Aspects]]:
    for species in model.species.values():
        yield species.name, _one_species(species)


def _one_species(one: Species) -> Aspects:
    groups = [f"acid {to_text(e)}" for e in one.acids] + [f"base {to_text(e)}" for e in one.bases]
    pka = tuple(map(normal_form, one.acids)), tuple(map(normal_form, one.bases)), one.neutral
    return {
        "carried by": (frozenset(one.carried_by), ", ".join(one.carried_by)),
        "pka": (pka, ", ".join(groups) or ("neutral" if one.neutral else "")),
    }


def _states(model: Model) -> Iterator[tuple[str, Aspects]]:
    for state in model.states:
        yield state.name, _state(state)


def _state(one: State) -> Aspects:
    return {
        "unit": (_same_unit(one.unit), str(one.unit)),
        "start": (_unless(one.start, 0), f"start {to_text(one.start)}" if one.start is not None else ""),
    }


def _processes(model: Model) -> Iterator[tuple[str, Aspects]]:
    for arrow in model.arrows:
        # What blood carries follows from the vessels, and what passes by itself from `ps`.
        if arrow.kind in ("process", "flow", "ode"):
            yield arrow.name, _arrow(model, arrow)


def _arrow(model: Model, one: Arrow) -> Aspects:
    rate = model.definitions[one.rate].expr
    ends = (
        frozenset(one.consumes),
        frozenset((state, normal_form(share)) for state, share in one.produces),
        one.reversible,
    )
    return {
        "arrow": (ends, arrow_cells(model, one)[2]),
        "rate": (normal_form(rate), f"rate {to_text(rate)}"),
    }


def _observables(model: Model) -> Iterator[tuple[str, Aspects]]:
    for observable in model.observables:
        yield observable.name, _observable(observable)


def _observable(one: Observable) -> Aspects:
    error = one.error
    parts = [e for e in (error.proportional, error.additive) if e is not None] if error else []
    key = (error.kind, normal_form(error.proportional), normal_form(error.additive)) if error else None
    return {
        "value": (normal_form(one.expr), to_text(one.expr)),
        "unit": (_same_unit(one.unit), f"in {one.unit}"),
        "error": (key, f"error {error.kind}({', '.join(map(to_text, parts))})" if error else ""),
        "lloq": (normal_form(one.lloq), f"lloq {to_text(one.lloq)}" if one.lloq is not None else ""),
    }


# ------------------------------------------------------------------ experiments


def _scenarios(model: Model) -> Iterator[tuple[str, Aspects]]:
    for scenario in model.scenarios.values():
        yield scenario.name, dict(_scenario(scenario))


def _scenario(one: Scenario) -> Iterator[tuple[str, tuple[Hashable, str]]]:
    for word, pairs in (("set", one.sets), ("start", one.starts)):
        for name, value in pairs:
            yield f"{word} {name}", (normal_form(value), f"{word} {name} = {to_text(value)}")
    yield from _listed("dose", one.doses, _dose_key, dose_text)
    yield from _listed("reset", one.resets, normal_form, lambda e: f"reset at {to_text(e)}")
    yield from _listed(
        "change",
        one.changes,
        lambda c: (c.name, *map(normal_form, (c.value, c.at, c.lasting, c.every)), c.count, c.hold),
        change_text,
    )
    if one.rests:
        yield "start steady", (True, "start steady")
    if one.after is not None:
        yield "start after", (one.after, f"start after {one.after}")
    if one.run is not None:
        yield "run", (normal_form(one.run), f"run {to_text(one.run)}")
    if one.data is not None:
        yield from _data(one.data)


def _listed(
    word: str, items: Iterable[Any], key: Callable[[Any], Hashable], text: Callable[[Any], str]
) -> Iterator[tuple[str, tuple[Hashable, str]]]:
    """Items without a name, in an order of their own, so that the same ones meet."""
    for index, item in enumerate(sorted(items, key=lambda i: repr(key(i))), 1):
        yield f"{word} {index}", (key(item), text(item))


def _dose_key(one: Dose) -> Hashable:
    exprs = (one.amount, one.over, one.rate, one.every, one.mw)
    # What is left out is written: at 0, no lag, all of it.
    left_out = (_unless(one.at, 0), _unless(one.lag, 0), _unless(one.fraction, 1))
    return (one.species, one.state, *map(normal_form, exprs), *left_out, one.count, one.steady)


def _unless(expr: Expr | None, default: int) -> Hashable:
    """The form of an expression; None where it is the value that holds without it."""
    return None if isinstance(expr, Const) and expr.canonical == default else normal_form(expr)


def _data(block: DataBlock) -> Iterator[tuple[str, tuple[Hashable, str]]]:
    yield "data", (block.path, f'data "{block.path}"')
    for column in block.columns:
        unit = column.unit
        key = (column.header, _same_unit(unit) if unit else None, normal_form(column.factor))
        factor = f" * {to_text(column.factor, 2)}" if column.factor is not None else ""
        shown = f"column {column.target} = {column.header}" + (f" {unit}" if unit else "") + factor
        yield f"column {column.target}", (key, shown)
    for word, number, dose in block.dose_rows:
        yield f"{word} {number} dose", (_dose_key(dose), f"{word} {number} {dose_text(dose)}")
    for word, number, name, unit in block.observe_rows:
        shown = f"{word} {number} observe {name}" + (f" {unit}" if unit else "")
        yield f"{word} {number} observe", ((name, _same_unit(unit) if unit else None), shown)
    for name, low, high in block.keep:
        yield f"keep {name}", ((low, high), f"keep {name} in ({low:g}, {high:g})")


def _populations(model: Model) -> Iterator[tuple[str, Aspects]]:
    for people in model.populations.values():
        yield people.name, dict(_population(people, model))


def _population(people: Population, model: Model) -> Iterator[tuple[str, tuple[Hashable, str]]]:
    for one in people.variations:
        arguments = tuple(sorted((word, normal_form(value)) for word, value in one.arguments.items()))
        shown = ", ".join(f"{word} = {to_text(value)}" for word, value in one.arguments.items())
        varied = model.definitions[one.name]
        text, bounds = f"{one.name} ~ {one.family}({shown})", None
        if (one.low, one.high) not in (
            varied.bounds,
            (varied.mask.low, varied.mask.high) if varied.mask else None,
        ):
            bounds = _rounded(one.low, one.high)
            text += f" in {range_text(one.low, one.high, varied.unit)}"
        yield one.name, ((one.family, arguments, bounds), text)
    for pair in people.correlations:
        a, b = sorted((pair.left, pair.right))
        yield f"correlate {a}, {b}", (normal_form(pair.value), f"correlate {a}, {b} = {to_text(pair.value)}")


def _checks(model: Model) -> Iterator[tuple[str, Aspects]]:
    for rule in model.demands:
        yield rule, {"": (rule, rule)}
    for check in model.checks:
        shown = range_text(check.low, check.high, check.unit)
        yield to_text(check.expr), {"bounds": (_rounded(check.low, check.high), f"in {shown}")}


#: Sections in the order in which they are told.
_SECTIONS: Mapping[str, Callable[[Model], Iterable[tuple[str, Aspects]]]] = {
    "head": _head,
    "parameters": _definitions("covariate", "input", "param", "masked"),
    "curves": _definitions("let"),
    "unknown terms": _unknowns,
    "nodes": _nodes,
    "attributes": _definitions("attribute", "absent"),
    "species": _species,
    "blood flows": _flows,
    "states": _states,
    "processes": _processes,
    "observables": _observables,
    "scenarios": _scenarios,
    "populations": _populations,
    "checks": _checks,
}
