"""Division of whole numbers as C++ does it: what stands behind the point is cut off."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from pbpkc.language.diagnostics import Label
from pbpkc.language.foreign.constants import exact
from pbpkc.language.foreign.terms import Call, If, Num, Op, Term, walk
from pbpkc.language.source import Span

Refuse = Callable[[str, str, "Span | None", str], None]
Warn = Callable[[str, str, "Span | None", "Label | None", str], None]


def divided(term: Term, refuse: Refuse, warn: Warn) -> Term:
    """A term with its divisions of whole numbers worked out; each that loses something is told."""
    found = any(isinstance(n, Op) and n.op == "/" and all(map(_is_whole, n.args)) for n in walk(term))
    return _cut(term, lambda node: _cut_off(node, refuse, warn)) if found else term


def _cut_off(node: Op, refuse: Refuse, warn: Warn) -> Term:
    left, right = (exact(a) for a in node.args)
    if left is None or right is None or not right:
        refuse("not-constant", "this division of whole numbers has no value", node.span, "write 1.0 / x")
        return node
    value = Fraction(int(left / right))
    if value != left / right:
        shown = node.span.text if node.span else "it"
        warn(
            "integer-division",
            f"{shown} is a division of whole numbers: C++ gives {value}, not {float(left / right):.6g}",
            node.span, None, "write 1.0 / 2.0 for a half; the spec holds what C++ computes",
        )  # fmt: skip
    return Num(value, True, node.span)


def _is_whole(term: Term) -> bool:
    if isinstance(term, Num):
        return term.integer
    return isinstance(term, Op) and term.op != "^" and all(_is_whole(a) for a in term.args)


def _cut(term: Term, cut_off: Callable[[Op], Term]) -> Term:
    """The term with its divisions of whole numbers exchanged, the innermost first."""
    match term:
        case Op():
            made = Op(term.op, tuple(_cut(a, cut_off) for a in term.args), term.span)
            return cut_off(made) if made.op == "/" and all(_is_whole(a) for a in made.args) else made
        case Call():
            return Call(term.name, tuple(_cut(a, cut_off) for a in term.args), term.span)
        case If():
            return If(term.test, _cut(term.then, cut_off), _cut(term.other, cut_off), term.span)
    return term
