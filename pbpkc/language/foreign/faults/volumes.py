"""Volumes: a concentration with another compartment's volume, and volumes that hold nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.foreign.arrows import top_terms
from pbpkc.language.foreign.model import OdeModel
from pbpkc.language.foreign.quantities import factors, is_volume
from pbpkc.language.foreign.terms import Op, Sym, Term, names_in, walk
from pbpkc.language.source import Span

#: Letters that a volume, an amount or a compartment has in front of the name of its place.
_VOLUME = re.compile(r"^(vol(ume)?|[Vv])_?")
_AMOUNT = re.compile(r"^(AMT|Amt|amt|CMT|cmt|A|C|X|M)_?(?=[A-Z0-9a-z]{2})|_?(AMT|amt)$")


@dataclass(frozen=True)
class Concentration:
    """An amount divided by a volume, somewhere in the formulas."""

    compartment: str
    volume: str
    span: Span | None


def volumes(model: OdeModel) -> Iterator[Diagnostic]:
    """Concentrations with another compartment's volume, and volumes that are summed and hold nothing."""
    found = _concentrations(model)
    told: set[tuple[str, str]] = set()
    swapped = _swapped(found)
    for one in found:
        owner = swapped.get((one.compartment, one.volume)) or _owner(one.volume, model)
        if owner is None or owner == one.compartment or (one.compartment, one.volume) in told:
            continue
        # A share of a place, as of liver cells, may have its place's volume.
        strength = _owner_strength(one.volume, one.compartment)
        if (one.compartment, one.volume) not in swapped and strength >= _owner_strength(one.volume, owner):
            continue
        told.add((one.compartment, one.volume))
        yield Diagnostic(
            "foreign-volume",
            f"'{one.compartment}' is divided by '{one.volume}', the volume of '{owner}'",
            (Label(one.span),) if one.span else (),
            help=f"a concentration is an amount by its own volume: divide '{one.compartment}' by its own",
            severity="warning",
        )
    yield from _two_volumes(found, told, model)
    yield from _empty(model, found)


def _swapped(found: list[Concentration]) -> dict[tuple[str, str], str]:
    """Whose volumes are whose where two of one letter are swapped: ``ART / VV`` beside ``VEN / VA``.

    One letter alone says too little. Two that both fit the other compartment, and not their own, do.
    """
    swapped: dict[tuple[str, str], str] = {}
    for one, other in combinations(found, 2):
        mine, its = one.compartment.lower(), other.compartment.lower()
        if mine[0] == its[0] and mine[0] in "acmx":
            mine, its = (
                mine[1:].lstrip("_"),
                its[1:].lstrip("_"),
            )  # both are amounts: AA and AV, A_ART and A_VEN
        straight = _begins(one.volume, mine) or _begins(other.volume, its)
        crossed = _begins(one.volume, its) and _begins(other.volume, mine)
        if crossed and not straight and one.compartment != other.compartment:
            swapped[one.compartment, one.volume] = other.compartment
            swapped[other.compartment, other.volume] = one.compartment
    return swapped


def _begins(volume: str, place: str) -> bool:
    """Whether the one letter that a volume is called by begins the name of a place."""
    letter = _VOLUME.sub("", volume).lower().replace("_", "")
    return len(letter) == 1 and place.startswith(letter)


def _concentrations(model: OdeModel) -> list[Concentration]:
    terms = [
        *(local.value for local in model.locals.values()),
        *model.odes.values(),
        *(t for _, t in model.outputs),
    ]
    found: dict[tuple[str, str], Concentration] = {}
    for term in terms:
        for node in walk(term):
            if not isinstance(node, Op) or node.op != "/":
                continue
            top, bottom = factors(node)
            held = [f.name for f in top if isinstance(f, Sym) and f.name in model.compartments]
            by = [
                f.name
                for f in bottom
                if isinstance(f, Sym) and is_volume(f.name, model) and not _sum_of_volumes(f.name, model)
            ]
            if len(held) == 1 and len(by) == 1:
                found.setdefault((held[0], by[0]), Concentration(held[0], by[0], node.span))
    return list(found.values())


def _owner(volume: str, model: OdeModel) -> str | None:
    """The compartment whose place a volume is called after, or described as."""
    scores = {c: _owner_strength(volume, c) for c in model.compartments}
    best = max(scores.values(), default=0.0)
    winners = [c for c, s in scores.items() if s == best]
    if best >= 0.5 and len(winners) == 1:
        return winners[0]
    doc = model.values[volume].doc.lower() if volume in model.values else ""
    told = [
        c.name
        for c in model.compartments.values()
        if c.doc and len(c.doc) > 3 and re.search(rf"\b{re.escape(_place(c.doc))}\b", doc)
    ]
    return told[0] if len(told) == 1 and best < 0.5 else None


def _place(doc: str) -> str:
    """``amount in venous blood`` without what says that it is an amount."""
    return re.sub(r"\b(amount|drug|mass|compartment|in|of|the|tissue)\b", " ", doc.lower()).strip()


def _owner_strength(volume: str, compartment: str) -> float:
    """How far the name of a volume is that of a compartment, from 0 to 1."""
    place = _VOLUME.sub("", volume).lower().replace("_", "")
    held = _AMOUNT.sub("", compartment).lower().replace("_", "")
    plain = compartment.lower().replace("_", "")
    if not place:
        return 0.0
    if place in (held, plain):
        return 1.0
    for name in (held, plain):
        short, long = sorted((place, name), key=len)
        if len(short) >= 2 and long.startswith(short):
            return 0.5 + 0.5 * len(short) / len(long)
    return 0.0


def _two_volumes(
    found: list[Concentration], told: set[tuple[str, str]], model: OdeModel
) -> Iterator[Diagnostic]:
    first: dict[str, Concentration] = {}
    for one in found:
        before = first.setdefault(one.compartment, one)
        pair = {(one.compartment, one.volume), (before.compartment, before.volume)}
        if before.volume == one.volume or pair & told or one.span is None:
            continue
        yield Diagnostic(
            "two-volumes",
            f"'{one.compartment}' is divided by '{before.volume}' and elsewhere by '{one.volume}'",
            (Label(one.span), *((Label(before.span, "the other"),) if before.span else ())),
            help="a compartment has one volume: divide by it wherever its concentration is meant",
            severity="warning",
        )


def _sum_of_volumes(name: str, model: OdeModel) -> bool:
    return name in model.locals and len(_summed(model.locals[name].value, model)) >= 3


def _summed(term: Term, model: OdeModel) -> list[str]:
    """The volumes that a term adds up, one each."""
    names = []
    for _, part in top_terms(term, model):
        own = [n for n in names_in(part) if is_volume(n, model)]
        if len(own) != 1:
            return []
        names.append(own[0])
    return names


def _empty(model: OdeModel, found: list[Concentration]) -> Iterator[Diagnostic]:
    """A volume that counts in a sum of volumes and that no compartment has."""
    used = {one.volume for one in found}
    # Volumes are often scaled by a total first: what such a value is made of counts as used with it.
    grown = True
    while grown:
        more = {
            n
            for name in used
            if name in model.locals
            for n in names_in(model.locals[name].value)
            if is_volume(n, model) and not _sum_of_volumes(n, model)
        }
        grown = not more <= used
        used |= more
    for name, local in model.locals.items():
        parts = _summed(local.value, model)
        if name in model.curves or len(parts) < 3 or len(set(parts) & used) < 2:
            continue
        for volume in parts:
            if volume not in used and not names_in(_value(volume, model)) & used:
                yield Diagnostic(
                    "empty-volume",
                    f"'{volume}' counts in '{name}', and no compartment has this volume",
                    (Label(local.span),),
                    help="give it a compartment, or leave it out of the sum",
                    severity="warning",
                )


def _value(name: str, model: OdeModel) -> Term:
    return model.locals[name].value if name in model.locals else Sym(name)
