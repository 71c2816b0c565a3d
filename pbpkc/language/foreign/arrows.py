"""Arrows recovered from equations: what leaves one compartment and enters another.

Each equation is a sum of terms. Equal terms of opposite sign in two equations are one arrow. A bracket is
opened only where a piece of it finds its counterpart: ``Q * (Cart - Cliver)``. Where a compartment loses one
term and others gain its parts (``QC`` against ``QL + QK``), the parts are arrows; what is left over is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations

from pbpkc.language.foreign.constants import NoNumber, followed, value_of
from pbpkc.language.foreign.model import OdeModel
from pbpkc.language.foreign.polynomial import (
    Expander,
    Product,
    Sum,
    added,
    scaled,
    signature,
    split_product,
    total,
)
from pbpkc.language.foreign.quantities import decimal, flow_factor
from pbpkc.language.foreign.terms import Num, Op, Sym, Term
from pbpkc.language.source import Span

#: A loss and gains whose sizes differ by more than this are taken for different things.
_NEAR = 0.65

#: Brackets within brackets are opened this far, and into so many terms; what is larger stays one term.
_DEEPEST, _MOST_PIECES = 12, 200


@dataclass(frozen=True)
class Arrow:
    """``sources -> targets`` at a rate; without one of them the world outside.

    Parameters
    ----------
    rate : Term
        Per unit of the first compartment.
    sources, targets : tuple of (str, Fraction)
        Compartments with how much of the rate each loses or gains.
    signed : bool
        Whether the rate can have either sign.
    span : Span or None
        Of the term in the equation that loses, or gains where none loses.
    gap : tuple of Term
        For what is left between a loss and its gains: the loss and the gains.
    """

    rate: Term
    sources: tuple[tuple[str, Fraction], ...]
    targets: tuple[tuple[str, Fraction], ...]
    signed: bool = False
    span: Span | None = None
    target_spans: tuple[Span, ...] = ()
    gap: tuple[Term, ...] = ()


@dataclass(frozen=True)
class Item:
    """One term of an equation with its sign."""

    compartment: str
    sign: int
    term: Term
    sum: Sum  # with the sign
    signed: bool  # whether the term can have either sign, its parameters taken as positive
    span: Span | None


def recover(model: OdeModel) -> tuple[tuple[Arrow, ...], Expander]:
    """The arrows that together are the equations of a model.

    Returns
    -------
    tuple of Arrow
        In the order of the equations. Their sum is exactly the equations.
    Expander
        Knows every term as a sum of products of leaf values.
    """
    expander = Expander(model.terms)
    make = _maker(expander, model)
    items = [
        make(name, sign, term, term.span)
        for name, ode in model.odes.items()
        for sign, term in top_terms(ode, model)
    ]
    items = [i for i in items if i.sum]
    whole, items = _matched(items)
    items = _opened(items, make, expander, model)
    pieces, items = _matched(items)
    shared, items = _shared(items, expander, model)
    multiples, items = _matched(items, multiples=True)
    arrows = [*whole, *pieces, *shared, *multiples, *(_open(i) for i in items)]
    order = {name: place for place, name in enumerate(model.odes)}

    def place(arrow: Arrow) -> tuple[int, int]:
        first = (arrow.sources or arrow.targets)[0][0]
        return (arrow.span.start if arrow.span else 0, order[first])

    return tuple(sorted(arrows, key=place)), expander


Maker = Callable[[str, int, Term, "Span | None"], Item]


def _maker(expander: Expander, model: OdeModel) -> Maker:
    # A parameter that is a difference, as a remaining flow is, makes no rate of either sign.
    shallow = Expander({n: t for n, t in model.terms.items() if n in model.curves})

    def make(compartment: str, sign: int, term: Term, span: Span | None) -> Item:
        signs = {c > 0 for c in shallow.expand(term).values()}
        written = scaled(expander.expand(term), Fraction(sign))
        return Item(compartment, sign, term, written, len(signs) > 1, span)

    return make


# ------------------------------------------------------------------ terms of an equation


def top_terms(term: Term, model: OdeModel, sign: int = 1) -> list[tuple[int, Term]]:
    """The terms of a sum with their signs; a name that stands for a sum of moving terms is not opened."""
    if isinstance(term, Op):
        if term.op == "neg":
            return top_terms(term.args[0], model, -sign)
        if term.op in "+-":
            right = sign if term.op == "+" else -sign
            return [*top_terms(term.args[0], model, sign), *top_terms(term.args[1], model, right)]
        if term.op in "*/":
            inner, rest = _sign_of(term)
            return [(sign * inner, rest)]
    if isinstance(term, Num) and term.value < 0:
        return [(-sign, Num(-term.value, term.integer, term.span))]
    return [(sign, term)]


def _sign_of(term: Term) -> tuple[int, Term]:
    """A product without the minus of its first factor: ``-k * A`` is read as ``(-k) * A``."""
    if isinstance(term, Op) and term.op == "neg":
        sign, rest = _sign_of(term.args[0])
        return -sign, rest
    if isinstance(term, Num) and term.value < 0:
        return -1, Num(-term.value, term.integer, term.span)
    if isinstance(term, Op) and term.op in "*/":
        sign, left = _sign_of(term.args[0])
        if sign > 0:
            return 1, term
        if isinstance(left, Num) and left.value == 1 and term.op == "*":
            return -1, term.args[1]
        return -1, Op(term.op, (left, *term.args[1:]), term.span)
    return 1, term


def pieces(term: Term, model: OdeModel, sign: int = 1, depth: int = 0) -> list[tuple[int, Term]]:
    """The terms of a term with its brackets opened, and the sums that names stand for."""
    found: list[tuple[int, Term]] = []
    for own, part in top_terms(term, model, sign):
        opened = _opened_once(part, model) if depth < _DEEPEST else None
        if opened is None:
            found.append((own, part))
        else:
            found += pieces(opened, model, own, depth + 1)
    return found if len(found) <= _MOST_PIECES else [(sign, term)]


def _opened_once(term: Term, model: OdeModel) -> Term | None:
    """A product with one of its sums multiplied out; None where it has none."""
    if isinstance(term, Sym):
        value = model.locals[term.name].value if term.name in model.curves else None
        return _spanned(value, term.span) if value is not None and _is_sum(value) else None
    if not isinstance(term, Op) or term.op not in "*/":
        return None
    left, right = term.args
    if term.op == "*" and _is_sum(right):
        return _distributed(right, lambda part: Op("*", (left, part), term.span))
    if _is_sum(left):
        return _distributed(left, lambda part: Op(term.op, (part, right), term.span))
    opened = _opened_once(left, model)
    if opened is not None and _is_sum(opened):
        return _distributed(opened, lambda part: Op(term.op, (part, right), term.span))
    if term.op == "*":
        opened = _opened_once(right, model)
        if opened is not None and _is_sum(opened):
            return _distributed(opened, lambda part: Op("*", (left, part), term.span))
    return None


def _is_sum(term: Term) -> bool:
    return isinstance(term, Op) and term.op in ("+", "-", "neg")


def _distributed(sum_: Term, make: Callable[[Term], Term]) -> Term:
    assert isinstance(sum_, Op)
    if sum_.op == "neg":
        return Op("neg", (make(sum_.args[0]),), sum_.span)
    return Op(sum_.op, tuple(make(a) for a in sum_.args), sum_.span)


def _spanned(term: Term, span: Span | None) -> Term:
    return replace(term, span=span) if span is not None else term


# ------------------------------------------------------------------ matching


def _matched(items: Sequence[Item], *, multiples: bool = False) -> tuple[list[Arrow], list[Item]]:
    """Arrows of terms that occur with both signs, and the terms that do not.

    With `multiples` twice a term is that term with a number in front. That comes last: a share of a flow,
    0.25 times QC, is a multiple of QC as well, and another flow.
    """
    groups: dict[tuple[str, Fraction], list[Item]] = {}
    for item in items:
        known, scale = signature(item.sum)
        groups.setdefault((known, Fraction(1) if multiples else abs(scale)), []).append(item)
    arrows, rest = [], []
    for group in groups.values():
        made = _arrow(group)
        if made is None:
            rest += group
        elif made:
            arrows += made
    kept = {id(i) for i in rest}
    return arrows, [i for i in items if id(i) in kept]


def _arrow(group: Sequence[Item]) -> list[Arrow] | None:
    written = _written(group)
    # In units of the rate as it is written, which may be the negative of another's.
    unit = signature(written.sum)[1] * written.sign
    net: dict[str, Fraction] = {}
    for item in group:
        share = signature(item.sum)[1] / unit
        net[item.compartment] = net.get(item.compartment, Fraction(0)) + share
    net = {name: n for name, n in net.items() if n}
    if not net:
        return []  # a compartment gains and loses the same
    losers = {n: -v for n, v in net.items() if v < 0}
    gainers = {n: v for n, v in net.items() if v > 0}
    if not losers or not gainers or not all(map(decimal, net.values())):
        return None
    gains = tuple(i.span for i in group if i.compartment in gainers and i.span is not None)
    return [
        Arrow(
            written.term, tuple(losers.items()), tuple(gainers.items()), written.signed, written.span, gains
        )
    ]


def _written(group: Sequence[Item]) -> Item:
    """The term that is shown as the rate: a name where one stands for it, else the shortest of the losses."""
    named = [i for i in group if isinstance(i.term, Sym)]
    own = [i for i in group if i.sign < 0]
    return min(named or own or group, key=lambda i: (abs(signature(i.sum)[1]), _length(i)))


def _length(item: Item) -> int:
    return item.span.end - item.span.start if item.span else 0


def _opened(items: Sequence[Item], make: Maker, expander: Expander, model: OdeModel) -> list[Item]:
    """Brackets opened where a piece of them has its counterpart among the pieces of others."""
    parts: dict[int, list[Item]] = {}
    for place, item in enumerate(items):
        parts[place] = [
            make(item.compartment, sign, term, term.span or item.span)
            for sign, term in pieces(item.term, model, item.sign)
        ]
    signs: dict[tuple[str, Fraction], set[tuple[str, bool]]] = {}
    for own in parts.values():
        for part in own:
            if part.sum:
                known, scale = signature(part.sum)
                signs.setdefault((known, abs(scale)), set()).add((part.compartment, scale > 0))
    moving = frozenset(model.compartments)

    def drivers(part: Item) -> set[object]:
        return {split_product(p, moving, expander.reads)[0] for p in part.sum}

    sides: dict[object, set[tuple[str, bool]]] = {}
    for own in parts.values():
        for part in own:
            for driver in drivers(part):
                if driver:
                    sides.setdefault(driver, set()).add((part.compartment, part.sign > 0))

    # A driver alone pairs transport by flows; anything else needs its exact counterpart.
    def shares(part: Item) -> bool:
        return flow_factor(part.term, model) is not None and any(
            paired(sides.get(d, set()), part, part.sign > 0) for d in drivers(part) if d
        )

    def paired(found: set[tuple[str, bool]], part: Item, positive: bool) -> bool:
        return any(name != part.compartment and sign != positive for name, sign in found)

    result = []
    for place, item in enumerate(items):
        own = [p for p in parts[place] if p.sum]
        meets = len(own) > 1 and any(
            paired(signs[_key(p)], p, signature(p.sum)[1] > 0) or shares(p) for p in own
        )
        result += own if meets else [item]
    return result


def _key(item: Item) -> tuple[str, Fraction]:
    known, scale = signature(item.sum)
    return known, abs(scale)


# ------------------------------------------------------------------ losses that others gain in parts


def _shared(items: list[Item], expander: Expander, model: OdeModel) -> tuple[list[Arrow], list[Item]]:
    """Arrows from a compartment whose loss is the sum of what others gain of it."""
    moving = frozenset(model.compartments)
    drivers: dict[object, list[Item]] = {}
    for item in items:
        found = {split_product(p, moving, expander.reads)[0] for p in item.sum}
        if len(found) == 1 and (driver := found.pop()):
            drivers.setdefault(driver, []).append(item)
    arrows: list[Arrow] = []
    used: set[int] = set()
    known = known_values(model)
    for group in drivers.values():
        losses = [i for i in group if i.sign < 0]
        sources = {i.compartment for i in losses}
        gains = [i for i in group if i.sign > 0 and i.compartment not in sources]
        if len(sources) != 1 or not gains:
            continue
        covered, gap = _covering(losses, gains, expander, model, known)
        if covered is None:
            continue
        source = sources.pop()
        ends = ((source, Fraction(1)),)
        for gain in gains:
            spans = (gain.span,) if gain.span else ()
            arrows.append(Arrow(gain.term, ends, ((gain.compartment, Fraction(1)),), False, gain.span, spans))
        used |= {id(i) for i in (*covered, *gains)}
        if gap:
            rate: Term = covered[0].term
            for item in covered[1:]:
                rate = Op("+", (rate, item.term))
            for gain in gains:
                rate = Op("-", (rate, gain.term))
            parts = tuple(i.term for i in (*covered, *gains))
            arrows.append(Arrow(rate, ((source, Fraction(1)),), (), True, covered[0].span, (), parts))
    return arrows, [i for i in items if id(i) not in used]


def _covering(
    losses: list[Item], gains: list[Item], expander: Expander, model: OdeModel, known: Mapping[str, float]
) -> tuple[list[Item] | None, bool]:
    """The losses that are these gains, and whether something is left between them."""
    wanted = total([g.sum for g in gains])
    subsets = [list(s) for n in range(1, min(len(losses), 6) + 1) for s in combinations(losses, n)]
    for subset in subsets:
        if not added(total([i.sum for i in subset]), wanted):
            return subset, False
    if not all(flow_factor(g.term, model) is not None for g in gains):
        return None, False
    size = _size(wanted, expander, model, known)
    if size is None or size <= 0:
        return None, False
    near = []
    for subset in subsets:
        lost = _size(total([i.sum for i in subset]), expander, model, known)
        if lost is not None and abs(-lost - size) <= _NEAR * size:
            near.append((abs(-lost - size), len(subset), subset))
    return (min(near, key=lambda n: n[:2])[2], True) if near else (None, False)


def known_values(model: OdeModel) -> dict[str, float]:
    """The numbers of leaf values and of all locals that follow from them."""
    leaves = {name: value_of(value.term, {}) for name, value in model.values.items()}
    return followed({n: local.value for n, local in model.locals.items() if n not in model.curves}, leaves)


def _size(sum_: Sum, expander: Expander, model: OdeModel, known: Mapping[str, float]) -> float | None:
    """The value of the coefficients of a sum whose products share one driver."""
    moving = frozenset(model.compartments)
    bare: dict[Product, Fraction] = {}
    for product, coefficient in sum_.items():
        rest = split_product(product, moving, expander.reads)[1]
        bare[rest] = bare.get(rest, Fraction(0)) + coefficient
    try:
        return expander.value(bare, known)
    except (NoNumber, ArithmeticError, ValueError):
        return None


def _open(item: Item) -> Arrow:
    """A term without a counterpart: to or from the world outside."""
    ends = ((item.compartment, Fraction(1)),)
    if item.sign < 0:
        return Arrow(item.term, ends, (), item.signed, item.span)
    return Arrow(item.term, (), ends, item.signed, item.span)
