"""Values of a spec outside what is usual of a body or a substance, as warnings.

Volumes are compared per kg of body weight, flows as shares of cardiac output, so that a body of any size is
judged. What is compared is the spec at its own values: masked parameters at the median of their prior.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pbpkc.body.organs import REST, organ_of, plain, split_name
from pbpkc.body.usual_values import (
    ALL_VOLUMES,
    LEAST_BP,
    SMALL_MOLECULE,
    SPECIES,
    VASCULAR,
    VENOUS_TO_ARTERIAL,
    Usual,
    UsualBody,
    usual_body,
)
from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.evaluate import NotEvaluable, evaluate_definitions
from pbpkc.language.model import Definition, Model, Node
from pbpkc.language.source import Span
from pbpkc.language.units import FLOW, MASS, ONE, VOLUME, Dimension, measured

_WEIGHTS = ("bw", "wt", "weight", "bodyweight", "bodymass")
_HEMATOCRITS = ("hct", "hematocrit", "haematocrit")
_FILTRATIONS = ("gfr", "glomerularfiltration", "glomerularfiltrationrate")

#: What `arterial` and `venous` blood is where the blood of the organs is theirs.
_VESSELS = {"arterial": "large arteries", "venous": "large veins"}

#: Slips that are worth naming: prefixes of units, minutes for hours, per cent.
_SLIPS = (1000.0, 60.0, 100.0, 1e6, 10.0)


def unusual_values(model: Model) -> tuple[Diagnostic, ...]:
    """A warning for each value that no source would lead one to expect.

    Parameters
    ----------
    model : Model

    Returns
    -------
    tuple of Diagnostic
        With the code ``unusual``; each names the range and its source. Empty where nothing is recognised: no
        body weight, no organ with a known name, no dimensions.
    """
    values = _Numbers(model)
    found: list[Diagnostic] = []
    for body in _bodies(model, values):
        found += _of_body(body, values)
    found += _too_large(model, values)
    found += _of_species(model, values)
    found += _of_blood_in_tissues(model, values)
    return tuple(dict.fromkeys(found))


class _Numbers:
    """The numbers of a spec that need no state, in canonical units."""

    def __init__(self, model: Model) -> None:
        self.definitions = model.definitions
        self._lookup = evaluate_definitions({k: d.expr for k, d in model.definitions.items()}, {})

    def get(self, name: str | None, dimension: Dimension) -> float | None:
        """The value of a definition of this dimension; None where there is no such or it has no value."""
        definition = self.definitions.get(name) if name else None
        if definition is None or definition.expr.dim != dimension:
            return None
        try:
            return float(self._lookup(definition.name))
        except (NotEvaluable, KeyError, ValueError, ArithmeticError):
            return None

    def shown(self, name: str) -> str:
        """A value in the unit it was written in."""
        definition = self.definitions[name]
        unit = definition.unit
        return measured(f"{(self._lookup(name) - float(unit.offset)) / float(unit.factor):.4g}", unit.text)


# ------------------------------------------------------------------ bodies


@dataclass(frozen=True)
class _Body:
    """One body of a spec, with what it is compared with.

    `total` is the name of the definition of its cardiac output, `organs` maps an organ to its nodes.
    """

    model: Model
    usual: UsualBody
    name: str
    weight: float
    assumed: bool  # the weight is the sum of the volumes
    organs: Mapping[str, tuple[Node, ...]]
    circulations: tuple[str, ...]


def _bodies(model: Model, values: _Numbers) -> Iterator[_Body]:
    names = dict.fromkeys(split_name(name)[0] for name in model.nodes)
    for name in names:
        nodes = [node for node in model.nodes.values() if split_name(node.name)[0] == name]
        organs: dict[str, tuple[Node, ...]] = {}
        for node in nodes:
            organ = organ_of(node.name, node.kind)
            if organ is not None:
                organs[organ] = (*organs.get(organ, ()), node)
        own = {node.name for node in nodes}
        circulations = tuple(
            dict.fromkeys(e.circulation for e in model.edges if e.source in own and e.target in own)
        )
        given = _weight(model, values, name)
        weight = _all_volumes(nodes, values) if given is None else values.get(given.name, MASS)
        if weight is None or not weight > 0 or not organs:
            continue
        usual = usual_body(model.organism, weight)
        if usual is not None:
            yield _Body(model, usual, name, weight, given is None, organs, circulations)


def _named(model: Model, body: str, words: tuple[str, ...], doc: str) -> list[Definition]:
    """Values of a body with one of these names, or with these words in their description."""
    found: list[Definition] = []
    for definition in model.definitions.values():
        owner, _ = split_name(definition.name)
        if definition.kind in ("covariate", "param", "masked") and owner == body and not definition.derived:
            if plain(definition.name) in words:
                found.insert(0, definition)
            elif doc in definition.doc.lower():
                found.append(definition)
    return found


def _weight(model: Model, values: _Numbers, body: str) -> Definition | None:
    """What says the weight of a body."""
    named = _named(model, body, _WEIGHTS, "body weight")
    return next((d for d in named if values.get(d.name, MASS) is not None), None)


def body_weight(model: Model) -> str | None:
    """The name of the body weight of a model with one body; None where it has none, or several."""
    found = [
        definition.name
        for name in dict.fromkeys(split_name(node)[0] for node in model.nodes)
        if (definition := _weight(model, _Numbers(model), name)) is not None
    ]
    return found[0] if len(found) == 1 else None


def _all_volumes(nodes: Sequence[Node], values: _Numbers) -> float | None:
    """The volume of a whole body, 1 kg a litre; None where some of it may stand elsewhere."""
    if not any(plain(n.name) in REST for n in nodes if n.kind == "tissue"):
        return None
    return _sum_of_volumes(nodes, values)


def _sum_of_volumes(nodes: Sequence[Node], values: _Numbers) -> float | None:
    """Blood and tissues together, L; None where one of them has no volume."""
    volumes = [values.get(n.volume, VOLUME) for n in nodes if n.kind in ("blood", "tissue")]
    return sum(v for v in volumes if v is not None) if volumes and None not in volumes else None


def _too_large(model: Model, values: _Numbers) -> Iterator[Diagnostic]:
    """Bodies with more in them than they weigh."""
    for name in dict.fromkeys(split_name(node)[0] for node in model.nodes):
        weight = _weight(model, values, name)
        nodes = [n for n in model.nodes.values() if split_name(n.name)[0] == name]
        kg, litres = values.get(weight.name if weight else None, MASS), _sum_of_volumes(nodes, values)
        if weight is None or not kg or litres is None or ALL_VOLUMES.holds(litres / kg):
            continue
        what = f"the blood and tissues are {litres:.4g} L together, and '{weight.name}' is"
        yield _told(what, values.shown(weight.name), "", ALL_VOLUMES.source, weight.span, "")


def _of_body(body: _Body, values: _Numbers) -> Iterator[Diagnostic]:
    usual, model = body.usual, body.model
    if not body.assumed:
        for definition in _named(model, body.name, _WEIGHTS, "body weight")[:1]:
            yield from _compared(
                usual.weight, body.weight, "kg", f"'{definition.name}' is", definition, values, usual.called
            )
    apart = any(n.vascular for n in model.nodes.values() if split_name(n.name)[0] == body.name)
    for organ, nodes in body.organs.items():
        held = _VESSELS.get(organ, organ) if apart else organ
        if held in usual.volumes:
            yield from _volume(body, held, nodes, values)
        if organ in usual.flows and len(nodes) == 1:
            yield from _flow(body, organ, nodes[0], values)
    yield from _blood(body, values)
    for name in body.circulations:
        total = values.get(name, FLOW)
        if total is not None:
            yield from _compared(
                usual.cardiac_output,
                total / body.weight**0.75,
                "L/h/kg^0.75",
                f"the blood flow '{name}' is",
                model.definitions[name],
                values,
                _whose(body),
            )
    for definition in _named(model, body.name, _HEMATOCRITS, "hematocrit"):
        value = values.get(definition.name, ONE)
        if value is not None:
            what = f"the hematocrit '{definition.name}' is"
            yield from _compared(usual.hematocrit, value, "", what, definition, values, usual.called)
    for definition in _named(model, body.name, _FILTRATIONS, "glomerular filtration"):
        value = values.get(definition.name, FLOW)
        if value is not None:
            yield from _compared(
                usual.filtration,
                value / body.weight**0.75,
                "L/h/kg^0.75",
                f"the glomerular filtration '{definition.name}' is",
                definition,
                values,
                _whose(body),
            )


def _whose(body: _Body) -> str:
    weight = f"{body.weight:.3g} kg"
    return f"{body.usual.called} of {weight}" + (" (the sum of the volumes)" if body.assumed else "")


def _volume(body: _Body, organ: str, nodes: tuple[Node, ...], values: _Numbers) -> Iterator[Diagnostic]:
    parts = [values.get(n.volume, VOLUME) for n in nodes]
    first = body.model.definitions.get(nodes[0].volume or "")
    if first is None or None in parts:
        return
    total = sum(p for p in parts if p is not None)
    named = f"'{nodes[0].name}'" if len(nodes) == 1 else f"the {len(nodes)} parts of the {organ}"
    yield from _compared(
        body.usual.volumes[organ],
        total / body.weight,
        "L/kg",
        f"the volume of {named} is" if len(nodes) == 1 else f"{named} have together",
        first,
        values,
        _whose(body),
        measured(f"{total:.4g}", "L") if len(nodes) > 1 else None,
    )


def _flow(body: _Body, organ: str, node: Node, values: _Numbers) -> Iterator[Diagnostic]:
    """What leaves an organ, as a share of the flow of its circulation; of the liver its own supply too."""
    model = body.model
    edges = [e for e in model.edges if node.name in (e.source, e.target)]
    if not edges or any(e.trunk for e in edges):
        return
    total = values.get(edges[0].circulation, FLOW)
    leaving = [values.get(e.flow, FLOW) for e in edges if e.source == node.name]
    if not total or None in leaving:
        return
    out = sum(f for f in leaving if f is not None)
    written = next(
        (
            d
            for w in ("outflow", "flow")
            if (d := model.definitions.get(f"{node.name}.{w}")) and not d.derived
        ),
        None,
    )
    arriving = [e for e in edges if e.target == node.name]
    portal = organ == "liver" and len(arriving) > 1
    if portal and written is not None and written.name.endswith(".flow"):
        supply = values.get(written.name, FLOW)
        if supply is not None:
            yield from _share(body, "hepatic artery", f"'{written.name}' is", supply, total, written, values)
    definition = written if not portal else None
    what = f"the blood flow of '{node.name}' is"
    yield from _share(body, organ, what, out, total, definition, values, node.span)


def _share(
    body: _Body,
    organ: str,
    what: str,
    flow: float,
    total: float,
    definition: Definition | None,
    values: _Numbers,
    span: Span | None = None,
) -> Iterator[Diagnostic]:
    yield from _compared(
        body.usual.flows[organ],
        flow / total,
        "of the cardiac output",
        what,
        definition,
        values,
        body.usual.called,
        measured(f"{flow:.4g}", "L/h") if definition is None else None,
        span,
    )


def _blood(body: _Body, values: _Numbers) -> Iterator[Diagnostic]:
    """All blood in vessels together, and arteries against veins."""
    nodes = [n for n in body.model.nodes.values() if n.kind == "blood" and split_name(n.name)[0] == body.name]
    parts = [values.get(n.volume, VOLUME) for n in nodes]
    if not {"arterial", "venous"} <= set(body.organs) or None in parts:
        return
    total = sum(p for p in parts if p is not None)
    first = body.model.definitions[nodes[0].volume or ""]
    yield from _compared(
        body.usual.volumes["blood"],
        total / body.weight,
        "L/kg",
        "all blood outside the tissues is",
        first,
        values,
        _whose(body),
        measured(f"{total:.4g}", "L"),
    )
    artery, vein = (
        sum(values.get(n.volume, VOLUME) or 0.0 for n in body.organs[side]) for side in ("arterial", "venous")
    )
    if artery > 0 and vein > 0 and vein / artery < VENOUS_TO_ARTERIAL.accepted[0]:
        spans = [body.model.definitions[body.organs[s][0].volume or ""].span for s in ("arterial", "venous")]
        yield Diagnostic(
            "unusual",
            f"there is more blood in the arteries, {artery:.4g} L, than in the veins, {vein:.4g} L",
            tuple(Label(s) for s in spans if s),
            (f"usual are 1 to 2.4 times as much in veins ({VENOUS_TO_ARTERIAL.source})",),
            "check whether the two volumes are swapped: mass is conserved all the same",
            "warning",
        )


# ------------------------------------------------------------------ substances and tissues


def _of_species(model: Model, values: _Numbers) -> Iterator[Diagnostic]:
    for species in model.species.values():
        for word, name in species.attributes.items():
            definition = model.definitions.get(name)
            if definition is None:
                continue
            value = values.get(name, definition.expr.dim)
            usual = SPECIES.get(word.split(".")[0])
            if word == "mw" and "logp" in species.attributes:
                usual = SMALL_MOLECULE
            if value is None:
                continue
            what = f"{word} of '{species.name}' is"
            if usual is not None and not usual.holds(value):
                yield _told(what, values.shown(name), "", usual.source, definition.span, "")
            if word == "bp":
                yield from _blood_to_plasma(model, what, value, definition, values)


def _blood_to_plasma(
    model: Model, what: str, value: float, definition: Definition, values: _Numbers
) -> Iterator[Diagnostic]:
    """A ratio that blood cannot have: its plasma alone makes 1 - hematocrit."""
    least = LEAST_BP.low
    for name in dict.fromkeys(d.name for d in _named(model, "", _HEMATOCRITS, "hematocrit")):
        hematocrit = values.get(name, ONE)
        if hematocrit is not None and 0 < hematocrit < 1:
            least = min(least, 1 - hematocrit) if hematocrit > 0.6 else 1 - hematocrit
    if value < least * (1 - 1e-9) or value > LEAST_BP.high:
        note = f"usual are {least:.3g} to {LEAST_BP.high:.3g} ({LEAST_BP.source})"
        yield _told(what, values.shown(definition.name), "", note, definition.span, "")


def _of_blood_in_tissues(model: Model, values: _Numbers) -> Iterator[Diagnostic]:
    for node in model.nodes.values():
        blood, whole = (values.get(name, VOLUME) for name in (node.vascular, node.volume))
        if not blood or not whole or node.vascular is None or VASCULAR.holds(blood / whole):
            continue
        what = f"the blood in '{node.name}' is"
        note = (
            f"usual are {VASCULAR.low:g} to {VASCULAR.high:g} of the volume of a tissue ({VASCULAR.source})"
        )
        shown, hint = f"{blood / whole:.3g} of its volume", _hint(VASCULAR, blood / whole)
        yield _told(what, shown, "", note, model.definitions[node.vascular].span, hint)


# ------------------------------------------------------------------ words


def _compared(
    usual: Usual,
    value: float,
    unit: str,
    what: str,
    definition: Definition | None,
    values: _Numbers,
    whose: str,
    shown: str | None = None,
    span: Span | None = None,
) -> Iterator[Diagnostic]:
    """A warning where a value (in `unit`) is unusual of `whose`; `shown` is it as people write it."""
    if usual.holds(value):
        return
    written = shown or (values.shown(definition.name) if definition is not None else "")
    relative = measured(f"{value:.3g}", unit or "1")
    low, high = (measured(f"{x:.3g}", unit or "1") for x in usual.accepted)
    published = f"{usual.low:.3g}" if usual.low == usual.high else f"{usual.low:.3g} to {usual.high:.3g}"
    note = f"usual of {whose}: {low.split(' ')[0]} to {high}; published {published} ({usual.source})"
    place = definition.span if definition is not None and definition.span else span
    yield _told(what, written, relative if unit and unit != "kg" else "", note, place, _hint(usual, value))


def _hint(usual: Usual, value: float) -> str:
    """The factor of a known slip that would make a value usual."""
    for factor in _SLIPS:
        for by, word in ((1 / factor, f"1/{factor:g}"), (factor, f"{factor:g} times")):
            low, high = usual.low / min(usual.margin, 1.5), usual.high * min(usual.margin, 1.5)
            if low <= value * by <= high:
                return f"; {word} of it would be usual" if by < 1 else f"; {word} as much would be usual"
    return ""


def _told(what: str, written: str, relative: str, note: str, span: Span | None, hint: str) -> Diagnostic:
    text = f"{what} {written}" + (f", {relative}" if relative and relative != written else "")
    return Diagnostic(
        "unusual",
        text,
        (Label(span),) if span else (),
        (note,),
        "check the number and its unit" + hint,
        "warning",
    )
