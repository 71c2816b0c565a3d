"""Expressions of a foreign model: what both tools' formulas become before anything is done with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from pbpkc.language.source import Span


@dataclass(frozen=True)
class Num:
    """A number; `integer` where the source wrote it without a point, which C++ counts with."""

    value: Fraction
    integer: bool = False
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Sym:
    """A name: parameter, compartment, local value, or ``t``."""

    name: str
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Op:
    """``+ - * / ^`` of two terms, or ``neg`` of one."""

    op: str
    args: tuple[Term, ...]
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Call:
    """A function of the .pbpk language: ``exp ln log10 sqrt sin cos abs floor ceil min max``."""

    name: str
    args: tuple[Term, ...]
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class If:
    """`then` where the test holds, else `other`."""

    test: Test
    then: Term
    other: Term
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Compare:
    """``< <= > >= == !=`` of two terms."""

    op: str
    left: Term
    right: Term


@dataclass(frozen=True)
class Junction:
    """``and`` or ``or`` of tests."""

    op: str
    args: tuple[Test, ...]


Term = Num | Sym | Op | Call | If
Test = Compare | Junction

_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


def number(value: int | Fraction, span: Span | None = None) -> Num:
    """A number that is no integer of C++."""
    return Num(Fraction(value), False, span)


def negated(test: Test) -> Test:
    """The test that holds where this one does not."""
    if isinstance(test, Compare):
        return Compare(_OPPOSITE[test.op], test.left, test.right)
    return Junction("or" if test.op == "and" else "and", tuple(negated(a) for a in test.args))


def parts(node: Term | Test) -> tuple[Term | Test, ...]:
    """The nodes directly below a node."""
    match node:
        case Op() | Call() | Junction():
            return node.args
        case If():
            return node.test, node.then, node.other
        case Compare():
            return node.left, node.right
    return ()


def walk(node: Term | Test) -> Iterator[Term | Test]:
    """A node and everything below it, in the order of the text."""
    todo: list[Term | Test] = [node]
    while todo:
        found = todo.pop()
        yield found
        todo.extend(reversed(parts(found)))


def names_in(node: Term | Test) -> set[str]:
    """All names a term reads."""
    return {n.name for n in walk(node) if isinstance(n, Sym)}


def replaced(term: Term, change: Callable[[Sym], Term]) -> Term:
    """The term with each of its names exchanged."""
    match term:
        case Sym():
            return change(term)
        case Op():
            return Op(term.op, tuple(replaced(a, change) for a in term.args), term.span)
        case Call():
            return Call(term.name, tuple(replaced(a, change) for a in term.args), term.span)
        case If():
            return If(
                replaced_test(term.test, change),
                replaced(term.then, change),
                replaced(term.other, change),
                term.span,
            )
    return term


def replaced_test(test: Test, change: Callable[[Sym], Term]) -> Test:
    """The test with each of its names exchanged."""
    if isinstance(test, Compare):
        return Compare(test.op, replaced(test.left, change), replaced(test.right, change))
    return Junction(test.op, tuple(replaced_test(a, change) for a in test.args))


def size(term: Term) -> int:
    """How many nodes a term has."""
    return sum(1 for _ in walk(term))


def reached(names: set[str], values: Mapping[str, Term]) -> set[str]:
    """Every name that some names depend on, themselves included."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        if name in values:
            todo.extend(names_in(values[name]))
    return found


def spread_over(span: Span | None, other: Span | None) -> Span | None:
    """The stretch of text from one span to another."""
    return span.to(other) if span is not None and other is not None else span or other
