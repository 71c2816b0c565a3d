"""Which names are flows and which are volumes: by unit, description, and how they are called."""

from __future__ import annotations

import re
from fractions import Fraction

from pbpkc.language.foreign.model import OdeModel
from pbpkc.language.foreign.terms import Num, Op, Sym, Term, names_in
from pbpkc.language.units import FLOW, VOLUME, Unit, UnitError, parse_unit

#: Words of other tools' annotations, as the language writes them.
_WORDS = (
    (r"\blit(er|re)s?\b|\bl\b", "L"), (r"\bml\b", "mL"), (r"\bhours?\b|\bhrs?\b|\bH\b", "h"),
    (r"\bmins?\b|\bminutes?\b", "min"), (r"\bsec(ond)?s?\b", "s"), (r"\bdays?\b", "d"), (r"\b[µμ]", "u"),
    (r"\bmcg\b", "ug"), (r"\bKG\b", "kg"), (r"\bpercent\b", "%"), (r"\*\*", "^"),
    (r"\b(unitless|fraction|dimensionless|none|-)\b", "1"),
)  # fmt: skip


def read_unit(text: str) -> Unit | None:
    """The unit of an annotation, None where it is none of the language."""
    if not text:
        return None
    for pattern, word in _WORDS:
        text = re.sub(pattern, word, text)
    # kg^-1 and powers with a sign are told by division.
    text = re.sub(r"[ *.]([A-Za-z]+)\^\(?-([0-9.]+)\)?", r"/\1^\2", text.strip())
    text = re.sub(r"\^1(?![0-9.])", "", text)
    try:
        return parse_unit(text)
    except UnitError:
        return None


def unit_of(name: str, model: OdeModel) -> Unit | None:
    """The annotated unit of a value or a compartment."""
    if name in model.values:
        return read_unit(model.values[name].unit)
    if name in model.compartments:
        return read_unit(model.compartments[name].unit)
    return None


def _doc(name: str, model: OdeModel) -> str:
    return model.values[name].doc.lower() if name in model.values else ""


def is_flow(name: str, model: OdeModel, depth: int = 0) -> bool:
    """Whether a name is a blood flow: annotated so, called Q..., or a sum or share of flows."""
    unit, doc = unit_of(name, model), _doc(name, model)
    if unit is not None:
        return (
            unit.dimension == FLOW
            and bool(re.match(r"[Qq]|CO$|co$", name) or ("flow" in doc or "cardiac output" in doc))
            and "clear" not in doc
        )
    if name in model.locals and depth < 8:
        value = model.locals[name].value
        if name in model.curves:
            return False
        inner = flow_of(value, model, depth + 1)
        if inner:
            return True
    if re.match(r"[Qq](?!_?10)", name):
        return not re.search(r"fraction|share|per ?cent|%", doc) and not _is_share(name, model)
    return bool(re.fullmatch(r"CO|cardiac_?output", name, re.IGNORECASE)) and name not in model.compartments


def _is_share(name: str, model: OdeModel) -> bool:
    """QLC = 0.25: a part of cardiac output and no flow, by the habit of closing its name with C."""
    if name not in model.values:
        return False
    term = model.values[name].term
    return isinstance(term, Num) and 0 <= term.value <= 1 and len(name) > 1


def flow_of(term: Term, model: OdeModel, depth: int = 0) -> bool:
    """Whether a term of leaf values is a flow: one in a product, or a sum of them."""
    match term:
        case Sym():
            return is_flow(term.name, model, depth)
        case Op(op="neg"):
            return flow_of(term.args[0], model, depth)
        case Op(op="+" | "-"):
            return all(flow_of(a, model, depth) for a in term.args)
        case Op(op="*"):
            return sum(flow_of(a, model, depth) for a in term.args) == 1
        case Op(op="/"):
            return flow_of(term.args[0], model, depth) and not any(
                is_volume(n, model) for n in names_in(term.args[1])
            )
    return False


def factors(term: Term) -> tuple[list[Term], list[Term]]:
    """Numerator and denominator of a product as it is written."""
    if isinstance(term, Op) and term.op == "*":
        pairs = [factors(a) for a in term.args]
        return [*pairs[0][0], *pairs[1][0]], [*pairs[0][1], *pairs[1][1]]
    if isinstance(term, Op) and term.op == "/":
        (top, bottom), (low, high) = factors(term.args[0]), factors(term.args[1])
        return [*top, *high], [*bottom, *low]
    if isinstance(term, Op) and term.op == "neg":
        return factors(term.args[0])
    return [term], []


def flow_factor(term: Term, model: OdeModel) -> Term | None:
    """The one factor of a transport term that is a flow."""
    found = [f for f in factors(term)[0] if not names_in(f) & model.curves and flow_of(f, model)]
    return found[0] if len(found) == 1 else None


def is_volume(name: str, model: OdeModel) -> bool:
    """Whether a name is a volume: annotated so, or called V... and not a rate of metabolism."""
    if name in model.curves or name in model.compartments:
        return False
    unit, doc = unit_of(name, model), _doc(name, model)
    if unit is not None:
        return unit.dimension == VOLUME
    if re.match(r"v_?max|vm(?![a-z])", name, re.IGNORECASE) or "velocity" in doc:
        return False
    return bool(re.match(r"[Vv](?![a-z]*el)", name)) or "volume" in doc


def decimal(value: Fraction) -> bool:
    """Whether a number can be written with finitely many digits."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1
