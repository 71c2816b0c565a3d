"""Warnings about the one line that differs from all its like: a slip that keeps every unit and balance.

Four clearances grow with the body and the fifth does not; three pathways of the liver follow the unbound
concentration and the fourth the total one; a process stands there twice. Each may be meant. Where several
lines agree and a single one does not, it rarely is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

import numpy as np

from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.evaluate import Dual, NotEvaluable, evaluate_definitions
from pbpkc.language.expression import Const, Expr, names_in
from pbpkc.language.model import Arrow, Definition, Model
from pbpkc.language.units import FLOW, MASS, VOLUME

#: A line is odd where at least this many of its like agree with each other.
LIKE_CONCENTRATION = 2
LIKE_SCALING = 4

_QUANTITIES = ("C", "Cp", "Cu", "Cout")


def odd_ones(model: Model) -> Iterator[Diagnostic]:
    """Warnings: ``repeated-process``, ``odd-concentration``, ``odd-scaling``."""
    yield from _repeated(model)
    yield from _concentrations(model)
    yield from _scaling(model)


def _written(model: Model) -> Iterator[Arrow]:
    yield from (arrow for arrow in model.arrows if arrow.kind in ("process", "flow"))


def _repeated(model: Model) -> Iterator[Diagnostic]:
    first: dict[tuple[object, ...], Arrow] = {}
    for arrow in _written(model):
        key = arrow.consumes, arrow.produces, arrow.reversible, model.definitions[arrow.rate].expr
        other = first.setdefault(key, arrow)
        if other is not arrow:
            labels = [Label(arrow.span, "again here")] if arrow.span else []
            labels += [Label(other.span, "first here")] if other.span else []
            yield Diagnostic(
                "repeated-process",
                f"'{arrow.name}' moves the same between the same places at the same rate as '{other.name}'",
                tuple(labels),
                help="leave one of them out; two equal pathways are one with twice the rate",
                severity="warning",
            )


def _concentrations(model: Model) -> Iterator[Diagnostic]:
    """What drives the processes out of one place: nearly always one and the same concentration."""
    nodes = {s.name: (s.node, s.species) for s in model.states}
    driven: dict[tuple[str | None, str | None], list[tuple[Arrow, str]]] = {}
    for arrow in _written(model):
        place = nodes[arrow.consumes[0][0]] if len(arrow.consumes) == 1 else (None, None)
        if place[0] is None or arrow.kind == "flow" or arrow.reversible:
            continue
        own = {f"{place[0]}.{place[1]}.{q}": q for q in _QUANTITIES}
        read = [own[name] for name in names_in(model.definitions[arrow.rate].expr) if name in own]
        if len(read) == 1:
            driven.setdefault(place, []).append((arrow, read[0]))
    for (node, species), arrows in driven.items():
        odd = _odd([q for _, q in arrows], LIKE_CONCENTRATION)
        if odd is None:
            continue
        arrow, quantity = arrows[odd]
        usual = next(q for i, (_, q) in enumerate(arrows) if i != odd)
        yield Diagnostic(
            "odd-concentration",
            f"'{arrow.name}' follows .{quantity}, the other {len(arrows) - 1} processes that take "
            f"{species} from '{node}' follow .{usual}",
            (Label(arrow.span),) if arrow.span else (),
            help=f"write .{usual}, if .{quantity} is not meant",
            severity="warning",
        )


def _scaling(model: Model) -> Iterator[Diagnostic]:
    """How clearances and volumes grow with the weight of a body: each kind nearly always alike."""
    for weight in model.definitions.values():
        if weight.kind != "covariate" or weight.unit.dimension != MASS or not isinstance(weight.expr, Const):
            continue
        for what, group in (("flow or clearance", _flows(model)), ("volume", _volumes(model))):
            powers = _powers(model, weight, group)
            odd = _odd(list(powers.values()), LIKE_SCALING)
            if odd is None:
                continue
            name = list(powers)[odd]
            usual = next(p for other, p in powers.items() if other != name)
            span = model.definitions[name].span
            own, others = (_grows(power, weight.name) for power in (powers[name], usual))
            yield Diagnostic(
                "odd-scaling",
                f"'{name}' {own}; every other {what} {others}",
                (Label(span),) if span else (),
                help="scale it like the others, if it is not meant to differ",
                severity="warning",
            )


def _grows(power: float, weight: str) -> str:
    if power == 0.0:
        return f"does not change with {weight}"
    return f"grows with {weight}" + ("" if power == 1.0 else f"^{power:.4g}")


def _flows(model: Model) -> list[Definition]:
    return [d for d in model.definitions.values() if d.kind == "param" and d.unit.dimension == FLOW]


def _volumes(model: Model) -> list[Definition]:
    # What is left of the body follows from all others: it is odd whenever one of them is.
    nodes = [n for n in model.nodes.values() if n.kind in ("blood", "tissue") and n.remainder is None]
    names = [n.volume for n in nodes if n.volume]
    found = [model.definitions[name] for name in names]
    return [d for d in found if d.unit.dimension == VOLUME]


def _powers(model: Model, weight: Definition, group: Iterable[Definition]) -> Mapping[str, float]:
    """Elasticities by the weight at the model's values, rounded: a power law has its exponent."""
    assert isinstance(weight.expr, Const)
    value = float(weight.expr.canonical)
    definitions: dict[str, Expr] = {name: d.expr for name, d in model.definitions.items()}
    lookup = evaluate_definitions(definitions, {weight.name: Dual(value, np.ones(1))})
    found: dict[str, float] = {}
    for definition in group:
        with suppress(NotEvaluable, ArithmeticError, ValueError, KeyError, RecursionError):
            result = lookup(definition.name)
            size = float(result)
            if size > 0.0:
                slope = float(result.grad[0]) if isinstance(result, Dual) else 0.0
                found[definition.name] = round(value * slope / size, 6)
    return found


def _odd(values: Sequence[Hashable], like: int) -> int | None:
    """The place of the only value that differs, where at least `like` others are all the same."""
    counts = Counter(values)
    if len(counts) != 2 or len(values) < like + 1:
        return None
    (_, many), (single, few) = counts.most_common()
    return values.index(single) if few == 1 and many >= like else None
