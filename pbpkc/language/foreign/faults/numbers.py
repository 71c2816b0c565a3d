"""Numbers that look wrong by themselves: shares called percent, twins that differ by one digit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.foreign.model import OdeModel, Value
from pbpkc.language.foreign.quantities import factors
from pbpkc.language.foreign.terms import Num, Op, Sym, Term, walk
from pbpkc.language.source import Span


def numbers(model: OdeModel) -> Iterator[Diagnostic]:
    """Shares with a percent sign, and numbers that differ by a digit."""
    for value in model.values.values():
        yield from _percent(value)
    yield from _twins(model)


def _number(value: Value) -> Fraction | None:
    return value.term.value if isinstance(value.term, Num) else None


def _percent(value: Value) -> Iterator[Diagnostic]:
    number = _number(value)
    labelled = (
        "%" in value.unit or "%" in value.doc or re.search(r"\bper ?cent\b", f"{value.doc} {value.unit}")
    )
    if number is None or not labelled or not 0 < number < 1:
        return
    yield Diagnostic(
        "percent",
        f"'{value.name}' is {float(number):g} and called percent; as a share it is {100 * float(number):g} %",
        (Label(value.span),),
        help="in a spec [%] is a unit: write "
        f"{100 * float(number):g} [%] for the share, {float(number):g} [%] for less than one in a hundred",
        severity="warning",
    )


def _twins(model: OdeModel) -> Iterator[Diagnostic]:
    """One factor in front of one name, and elsewhere a number that differs from it by one digit."""
    found: dict[str, list[tuple[str, Span]]] = {}
    for local in (*model.locals.values(),):
        for text, span, beside in _literals(local.value):
            found.setdefault(beside, []).append((text, span))
    for ode in model.odes.values():
        for text, span, beside in _literals(ode):
            found.setdefault(beside, []).append((text, span))
    for beside, places in found.items():
        for i, (text, span) in enumerate(places):
            for other, place in places[:i]:
                if _differ_by_a_digit(text, other):
                    yield Diagnostic(
                        "near-numbers",
                        f"{text} multiplies '{beside}' here, and {other} does elsewhere: one digit differs",
                        (Label(span), Label(place, "the other")),
                        help="where one thing is meant, declare it once: $PARAM or ini({})",
                        severity="note",
                    )


def _literals(term: Term) -> Iterator[tuple[str, Span, str]]:
    for node in walk(term):
        if not isinstance(node, Op) or node.op not in "*/":
            continue
        top, _ = factors(node)
        numbers_ = [f for f in top if isinstance(f, Num) and f.span is not None]
        names = [f.name for f in top if isinstance(f, Sym)]
        if len(numbers_) == 1 and names and numbers_[0].span is not None:
            yield numbers_[0].span.text, numbers_[0].span, names[0]


def _differ_by_a_digit(one: str, other: str) -> bool:
    digits = [re.sub(r"\D", "", t).lstrip("0") for t in (one, other)]
    if one == other or len(one) != len(other) or len(digits[0]) < 3 or len(digits[0]) != len(digits[1]):
        return False
    places = [i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
    if len(places) == 1:
        return True
    swapped = len(places) == 2 and places[1] == places[0] + 1
    return swapped and one[places[0]] == other[places[1]] and one[places[1]] == other[places[0]]
