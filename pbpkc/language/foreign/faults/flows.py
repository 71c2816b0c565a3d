"""Flows: what a node receives and what it passes on, and remainders that hide a table that does not close."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.foreign.arrows import Arrow, known_values, top_terms
from pbpkc.language.foreign.constants import NoNumber, value_of
from pbpkc.language.foreign.model import OdeModel
from pbpkc.language.foreign.polynomial import Expander, Sum, added, scaled, total
from pbpkc.language.foreign.quantities import flow_factor, flow_of, is_volume
from pbpkc.language.foreign.term_text import term_text
from pbpkc.language.foreign.terms import Op, Sym, Term, names_in

#: A remainder above this share of its total hides organs that the model does not name.
LARGE = 0.15

#: Two sums of flows that differ by less are equal up to the digits in which flows are given.
_EQUAL = 1e-6


def flows(model: OdeModel, arrows: Sequence[Arrow], expander: Expander) -> Iterator[Diagnostic]:
    """Nodes whose flows do not close, losses that are not the sum of their gains, large remainders."""
    known = known_values(model)
    yield from _gaps(model, arrows, expander, known)
    yield from _nodes(model, arrows, expander, known)
    yield from _remainders(model, known)


def _gaps(
    model: OdeModel, arrows: Sequence[Arrow], expander: Expander, known: Mapping[str, float]
) -> Iterator[Diagnostic]:
    for arrow in arrows:
        if not arrow.gap or arrow.span is None:
            continue
        source = arrow.sources[0][0]
        factors = [flow_factor(t, model) for t in arrow.gap]
        if any(f is None for f in factors):
            continue
        flows_ = [f for f in factors if f is not None]
        sizes = [_value(f, known) for f in flows_]
        count = len(arrow.gap) - _gains(arrow, arrows)
        out, arrive = sizes[:count], sizes[count:]
        message = f"'{source}' gives off {_sum_text(flows_[:count])}, and {_sum_text(flows_[count:])} arrive"
        given, received = (sum(s for s in side if s is not None) for side in (out, arrive))
        closes = False
        if None not in sizes and given:
            closes = abs(received - given) <= _EQUAL * abs(given)
            share = "all" if closes else f"{100 * received / given:.4g} %"
            message += f": {share} of it" + (", with these values" if closes else "")
        yield Diagnostic(
            "flow-sum", message, (Label(arrow.span),),
            help="let one of them be the rest of the others; the spec keeps the difference as a process, "
            "which is 0 with these values"
            if closes
            else "let the flows that leave and those that arrive be the same; the spec keeps the difference "
            "as a process of its own", severity="note" if closes else "warning",
        )  # fmt: skip


def _gains(gap: Arrow, arrows: Sequence[Arrow]) -> int:
    rates = [a.rate for a in arrows if a.targets and a.sources == gap.sources]
    return sum(1 for term in gap.gap if any(term is r for r in rates))


def _nodes(
    model: OdeModel, arrows: Sequence[Arrow], expander: Expander, known: Mapping[str, float]
) -> Iterator[Diagnostic]:
    leaving: dict[str, list[Term]] = {}
    arriving: dict[str, list[Term]] = {}
    passing = {n for a in arrows if a.targets for n, _ in a.sources}
    for arrow in arrows:
        if len(arrow.sources) != 1 or len(arrow.targets) != 1:
            continue
        flow = flow_factor(arrow.rate, model)
        # What only collects, as urine does, is reached by no blood flow.
        if flow is None or arrow.targets[0][0] not in passing:
            continue
        leaving.setdefault(arrow.sources[0][0], []).append(flow)
        arriving.setdefault(arrow.targets[0][0], []).append(flow)
        if arrow.signed:
            leaving.setdefault(arrow.targets[0][0], []).append(flow)
            arriving.setdefault(arrow.sources[0][0], []).append(flow)
    gaps = {a.sources[0][0] for a in arrows if a.gap}
    for node in model.compartments:
        if node not in leaving or node not in arriving or node in gaps:
            continue
        out, into = (total([expander.expand(f) for f in side[node]]) for side in (leaving, arriving))
        if not added(out, scaled(into, _MINUS)):
            continue
        sizes = [_size(s, expander, known) for s in (out, into)]
        if None in sizes or sizes[0] is None or sizes[1] is None:
            continue
        if abs(sizes[0] - sizes[1]) <= _EQUAL * max(abs(sizes[0]), abs(sizes[1])):
            continue
        yield Diagnostic(
            "flow-sum",
            f"flows into '{node}' sum to {sizes[1]:.6g} ({_sum_text(arriving[node])}), flows out of it to "
            f"{sizes[0]:.6g} ({_sum_text(leaving[node])})",
            (Label(model.ode_spans[node]),),
            help="at each node what arrives is what leaves: a vessel is missing, or has another flow",
            severity="warning",
        )


_MINUS = Fraction(-1)


def _size(sum_: Sum, expander: Expander, known: Mapping[str, float]) -> float | None:
    try:
        return expander.value(sum_, known)
    except (NoNumber, ArithmeticError, ValueError):
        return None


def _value(term: Term, known: Mapping[str, float]) -> float | None:
    try:
        return value_of(term, known)
    except (NoNumber, ArithmeticError, ValueError):
        return None


def _sum_text(terms: Sequence[Term]) -> str:
    return " + ".join(term_text(t, {}, 1) for t in terms)


def _remainders(model: OdeModel, known: Mapping[str, float]) -> Iterator[Diagnostic]:
    """``Qrest = QC - Qliver - Qkidney``: what is left over is told where it is large or negative."""
    for name, local in model.locals.items():
        if name in model.curves:
            continue
        parts = top_terms(local.value, model)
        taken = [t for sign, t in parts if sign < 0]
        whole = [t for sign, t in parts if sign > 0]
        if len(taken) < 2 or len(whole) != 1:
            continue
        kind = (
            "flow"
            if all(flow_of(t, model) for _, t in parts)
            else "volume"
            if all(_volume_of(t, model) for _, t in parts[1:])
            else ""
        )
        if not kind:
            continue
        left, all_ = known.get(name), _value(whole[0], known)
        if left is None or not all_:
            continue
        share = left / all_
        if share < 0:
            yield Diagnostic(
                "negative-remainder",
                f"'{name}', what is left of {term_text(whole[0], {})}, is {100 * share:.4g} % of it",
                (Label(local.span),),
                help=f"the {kind}s that are taken away are more than their total",
                severity="warning",
            )
        elif share > LARGE:
            yield Diagnostic(
                "large-remainder",
                f"'{name}', what is left of {term_text(whole[0], {})}, is {100 * share:.4g} % of it",
                (Label(local.span),),
                help=f"a {kind} by subtraction closes any table: name the organs that are in it",
                severity="warning" if kind == "flow" else "note",
            )


def _volume_of(term: Term, model: OdeModel) -> bool:
    if isinstance(term, Sym):
        return is_volume(term.name, model)
    return isinstance(term, Op) and term.op in "*/" and any(is_volume(n, model) for n in names_in(term))
