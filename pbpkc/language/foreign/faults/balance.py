"""Mass: terms that leave one compartment and enter none, or enter from nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.foreign.arrows import Arrow
from pbpkc.language.foreign.model import OdeModel
from pbpkc.language.foreign.polynomial import ONE, Expander, Sum, split_product
from pbpkc.language.foreign.quantities import flow_factor
from pbpkc.language.foreign.terms import names_in, reached


def balance(model: OdeModel, arrows: Sequence[Arrow], expander: Expander) -> Iterator[Diagnostic]:
    """Arrows with one end, arrows that make mass, equal terms of one sign, inputs that are curves of time."""
    open_ = [a for a in arrows if (not a.sources or not a.targets) and not a.gap]
    yield from _same_side(open_, expander)
    for arrow in arrows:
        if arrow.gap or arrow.span is None:
            continue
        if arrow.sources and arrow.targets:
            yield from _yield(arrow)
            continue
        yield from _one_end(arrow, open_, model, expander)
    for name, ode in model.odes.items():
        if "t" in reached(names_in(ode), model.terms):
            # A dose by a closed form works once; an equation that reads time as data does is told the same.
            yield Diagnostic(
                "input-in-time",
                f"the equation of '{name}' reads the time: what enters by it enters once",
                (Label(model.ode_spans[name]),),
                help="a dose is an event of a scenario: leave the closed form out, and dose a compartment",
                severity="warning",
            )


def _one_end(
    arrow: Arrow, open_: Sequence[Arrow], model: OdeModel, expander: Expander
) -> Iterator[Diagnostic]:
    assert arrow.span is not None
    label = (Label(arrow.span),)
    notes = _partner(arrow, open_, model, expander)
    if arrow.sources:
        source = arrow.sources[0][0]
        if flow_factor(arrow.rate, model) is not None:
            yield Diagnostic(
                "leaves-to-nowhere", f"a flow carries '{source}' away, and no compartment receives it", label,
                notes,
                "add the term to the compartment that the blood reaches, with the other sign", "warning",
            )  # fmt: skip
            return
        yield Diagnostic(
            "leaves-to-nowhere", f"this term leaves '{source}' and enters no compartment", label, notes,
            "as elimination that is meant; to account for all mass, let it enter a compartment", "note",
        )  # fmt: skip
        return
    target = arrow.targets[0][0]
    moved = [s for s in model.compartments if s in _names(arrow, model) and s != target]
    if flow_factor(arrow.rate, model) is not None and moved:
        yield Diagnostic(
            "enters-from-nowhere", f"a flow brings this into '{target}', and it leaves no compartment", label,
            notes,
            f"take the term from '{moved[0]}', with the other sign", "warning",
        )  # fmt: skip
        return
    yield Diagnostic(
        "enters-from-nowhere", f"this term enters '{target}' and leaves no compartment", label, notes,
        "for a turnover, an effect or a running total that is meant", "note",
    )  # fmt: skip


def _names(arrow: Arrow, model: OdeModel) -> set[str]:
    return reached(names_in(arrow.rate), model.terms)


def _partner(arrow: Arrow, open_: Sequence[Arrow], model: OdeModel, expander: Expander) -> tuple[str, ...]:
    """The term of another equation that differs from this one by a factor of parameters alone."""
    mine = expander.expand(arrow.rate)
    moving = frozenset(model.compartments)
    if len(mine) != 1:
        return ()
    ((product, coefficient),) = mine.items()
    driver, rest = split_product(product, moving, expander.reads)
    if not driver:
        return ()
    for other in open_:
        if other is arrow or bool(other.sources) == bool(arrow.sources):
            continue
        theirs = expander.expand(other.rate)
        if len(theirs) != 1:
            continue
        ((their_product, their_coefficient),) = theirs.items()
        their_driver, their_rest = split_product(their_product, moving, expander.reads)
        end = (other.sources or other.targets)[0][0]
        if their_driver == driver and end != (arrow.sources or arrow.targets)[0][0]:
            ratio = _ratio(rest, coefficient, their_rest, their_coefficient)
            verb = "leaves" if other.sources else "enters"
            return (f"a term that {verb} '{end}' is {ratio} times this one",)
    return ()


def _ratio(rest: object, coefficient: Fraction, theirs: object, their_coefficient: Fraction) -> str:
    powers: dict[str, Fraction] = {}
    for factor, power in (*theirs,):  # type: ignore[misc]
        powers[factor] = powers.get(factor, Fraction(0)) + power
    for factor, power in (*rest,):  # type: ignore[misc]
        powers[factor] = powers.get(factor, Fraction(0)) - power
    number = their_coefficient / coefficient
    top = [f if p == 1 else f"{f}^{p}" for f, p in sorted(powers.items()) if p > 0]
    bottom = [f if p == -1 else f"{f}^{-p}" for f, p in sorted(powers.items()) if p < 0]
    if number != 1 or not top:
        top.insert(0, f"{float(number):.6g}")
    return " * ".join(top) + "".join(f" / {b}" for b in bottom)


def _yield(arrow: Arrow) -> Iterator[Diagnostic]:
    lost, gained = (sum((n for _, n in ends), Fraction(0)) for ends in (arrow.sources, arrow.targets))
    # Binding joins two amounts to one of a complex; what one source gives away twice is made.
    if lost >= gained or len(arrow.sources) > 1:
        return
    assert arrow.span is not None
    sources = ", ".join(f"'{n}'" for n, _ in arrow.sources)
    targets = " and ".join(f"'{n}'" for n, _ in arrow.targets)
    labels = (Label(arrow.span, "leaves here"), *(Label(s, "enters here") for s in arrow.target_spans))
    yield Diagnostic(
        "mass-made",
        f"this term leaves {sources} {_times(lost)} and enters {targets}, {_times(gained)} together",
        labels,
        help="what enters is what leaves: give each target its share",
        severity="warning",
    )


def _times(count: Fraction) -> str:
    return "once" if count == 1 else "twice" if count == 2 else f"{float(count):g} times"


def _same_side(open_: Sequence[Arrow], expander: Expander) -> Iterator[Diagnostic]:
    """One and the same term in two equations with one sign: probably a sign is wrong."""
    seen: dict[tuple[str, bool], Arrow] = {}
    for arrow in open_:
        written = expander.expand(arrow.rate)
        if not written or arrow.span is None or _plain(written):
            continue
        key = _key(written), bool(arrow.sources)
        first = seen.setdefault(key, arrow)
        if first is arrow or first.span is None:
            continue
        verb = "leaves" if arrow.sources else "enters"
        ends = [(a.sources or a.targets)[0][0] for a in (first, arrow)]
        if ends[0] != ends[1]:
            yield Diagnostic(
                "same-sign",
                f"the same term {verb} '{ends[0]}' and '{ends[1]}'",
                (Label(arrow.span), Label(first.span, "the same here")),
                help="what leaves one compartment enters the other: give one of the two the other sign",
                severity="warning",
            )


def _plain(sum_: Sum) -> bool:
    return set(sum_) == {ONE}


def _key(sum_: Sum) -> str:
    return repr(sorted(sum_.items()))
