"""Bound expressions: names resolved, dimensions known, families and functions expanded.

An expression of the `Model` is a tree of three kinds of node. Constants keep the unit they were
written in; they become plain numbers when the `Model` becomes a `System`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from pbpkc.language.source import Span
from pbpkc.language.units import ONE, Dimension, Unit, canonical_unit, parse_unit

#: Operators of `Apply` beside ``unknown:NAME`` and ``auto:METHOD``.
OPERATORS = (
    "add", "sub", "mul", "div", "neg", "pow", "exp", "ln", "log10", "sqrt", "sin", "cos", "min", "max", "abs",
    "floor", "ceil", "if", "lt", "le", "gt", "ge", "and", "or",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Expr:
    """Any bound expression.

    Parameters
    ----------
    dim : Dimension
    span : Span, optional
        Where it was written; it takes no part in comparisons.
    """

    dim: Dimension
    span: Span | None = field(default=None, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Const(Expr):
    """A number with the unit it was written in."""

    value: Fraction
    unit: Unit

    @property
    def canonical(self) -> Fraction:
        """The number in canonical units."""
        return self.value * self.unit.factor + self.unit.offset


@dataclass(frozen=True, slots=True)
class Name(Expr):
    """What has a value elsewhere.

    A definition (``CO``, ``liver.volume``), a state (``liver.APAP``), ``t`` or ``tad(APAP)``, or, inside the
    default of an unknown term, one of its arguments.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Apply(Expr):
    """An operator on arguments.

    ``unknown:paps`` calls an unknown term, ``auto:rodgers_rowland`` stands for a partition coefficient to be
    predicted: the definition's name says of what, the arguments are what the prediction reads.
    """

    op: str
    args: tuple[Expr, ...]


def shown(expr: Expr) -> Unit:
    """The unit to show a value in: one that was written in it, if it has the value's dimension."""
    for node in walk(expr):
        if isinstance(node, Const) and node.unit.dimension == expr.dim and node.unit.text != "1":
            return node.unit
    return canonical_unit(expr.dim)


def number(value: Fraction | int, span: Span | None = None) -> Const:
    """A dimensionless constant."""
    return Const(ONE, Fraction(value), parse_unit("1"), span=span)


def add(*terms: Expr) -> Expr:
    """Sum; the terms have one dimension."""
    return terms[0] if len(terms) == 1 else Apply(terms[0].dim, "add", terms, span=terms[0].span)


def sub(a: Expr, b: Expr) -> Expr:
    """Difference of two expressions of one dimension."""
    return Apply(a.dim, "sub", (a, b), span=a.span)


def mul(*factors: Expr) -> Expr:
    """Product."""
    dim = ONE
    for factor in factors:
        dim = dim * factor.dim
    return factors[0] if len(factors) == 1 else Apply(dim, "mul", factors, span=factors[0].span)


def div(a: Expr, b: Expr) -> Expr:
    """Quotient."""
    return Apply(a.dim / b.dim, "div", (a, b), span=a.span)


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and everything in it."""
    yield expr
    if isinstance(expr, Apply):
        for arg in expr.args:
            yield from walk(arg)


def depth(expr: Expr) -> int:
    """How deep an expression is nested; parts that stand in it several times are looked at once."""
    found: dict[int, int] = {}
    waiting = [(expr, False)]
    while waiting:
        node, done = waiting.pop()
        if id(node) in found:
            continue
        if not isinstance(node, Apply):
            found[id(node)] = 0
        elif done:
            found[id(node)] = 1 + max((found[id(a)] for a in node.args), default=0)
        else:
            waiting.append((node, True))
            waiting.extend((a, False) for a in node.args)
    return found[id(expr)]


def names_in(expr: Expr) -> set[str]:
    """The names an expression reads."""
    return {node.name for node in walk(expr) if isinstance(node, Name)}


def substitute(expr: Expr, values: dict[str, Expr]) -> Expr:
    """The expression with names replaced."""
    if isinstance(expr, Name):
        return values.get(expr.name, expr)
    if isinstance(expr, Apply):
        return Apply(expr.dim, expr.op, tuple(substitute(a, values) for a in expr.args), span=expr.span)
    return expr


def _number_text(value: Fraction) -> str:
    if value.denominator == 1 and value < 10**16:
        return str(value.numerator)
    return repr(float(value))


_INFIX = {"add": (" + ", 1), "sub": (" - ", 1), "mul": (" * ", 2), "div": (" / ", 2), "pow": ("^", 4)}


def _is_negative(expr: Expr) -> bool:
    return (isinstance(expr, Const) and expr.value < 0) or (isinstance(expr, Apply) and expr.op == "neg")


_RELATION = {"lt": " < ", "le": " <= ", "gt": " > ", "ge": " >= ", "and": " and ", "or": " or "}


def to_text(expr: Expr, parent: int = 0) -> str:
    """The expression in the language's own notation."""
    if isinstance(expr, Const):
        value = expr.value
        text = _number_text(abs(value))
        text = text if expr.unit.text == "1" else f"{text} {expr.unit}"
        text = f"-{text}" if value < 0 else text
        return f"({text})" if value < 0 and parent > 1 else text
    if isinstance(expr, Name):
        return expr.name
    assert isinstance(expr, Apply)
    if expr.op in _INFIX:
        sign, rank = _INFIX[expr.op]
        parts = [to_text(a, rank + (i > 0 and expr.op in ("sub", "div"))) for i, a in enumerate(expr.args)]
        if expr.op in ("mul", "div"):
            parts[0] = (
                to_text(expr.args[0], 1) if _is_negative(expr.args[0]) else parts[0]
            )  # -a * b is (-a) * b
        if expr.op == "pow":
            parts = [to_text(expr.args[0], 5), to_text(expr.args[1], 4)]
        text = sign.join(parts)
        if expr.op == "add":
            # a + -b reads better as a - b.
            negative = [isinstance(a, Apply) and a.op == "neg" for a in expr.args]
            pieces = (
                (" - " + to_text(a.args[0], 2) if minus and isinstance(a, Apply) else " + " + part)
                for a, minus, part in zip(expr.args[1:], negative[1:], parts[1:], strict=True)
            )
            text = parts[0] + "".join(pieces)
        return f"({text})" if rank < parent else text
    if expr.op == "neg":
        text = "-" + to_text(expr.args[0], 3)
        return f"({text})" if parent > 1 else text
    if expr.op in _RELATION:
        return _RELATION[expr.op].join(to_text(a, 1) for a in expr.args)
    name = expr.op.split(":", 1)[-1]
    return f"{name}({', '.join(to_text(a) for a in expr.args)})"
