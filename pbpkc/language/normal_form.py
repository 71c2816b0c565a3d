"""What an expression says, apart from how it is written: order, units and brackets do not count."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from fractions import Fraction

from pbpkc.language.expression import Apply, Const, Expr, Name
from pbpkc.language.units import ONE, Dimension

#: Operators whose arguments may stand in any order.
_ANY_ORDER = ("min", "max", "and", "or")

#: Powers beyond this are left as they stand: they would make giant numbers.
_HIGHEST = 20

#: A number with its dimension, times factors with their exponents.
Product = tuple[Fraction, Dimension, dict[Hashable, Fraction]]


def normal_form(expr: Expr | None) -> Hashable:
    """A value that is equal for two expressions that say the same, as far as arithmetic by itself can tell.

    Numbers are compared exactly and in canonical units; sums and products in any order; constants among
    themselves are computed. Brackets are not multiplied out, and no function is known.

    Parameters
    ----------
    expr : Expr or None
        None for what is left out, which is equal to itself alone.
    """
    if expr is None:
        return None
    terms = _sum(expr)
    if len(terms) == 1:
        return _key(*terms[0])
    return ("sum", tuple(sorted((_key(*t) for t in terms), key=repr)))


def _key(number: Fraction, dimension: Dimension, factors: dict[Hashable, Fraction]) -> Hashable:
    shown = tuple(sorted(((f, e) for f, e in factors.items() if e), key=repr))
    return ("product", number, dimension.powers, shown)


def _sum(expr: Expr) -> list[Product]:
    """The terms of a sum, those with the same factors added up."""
    found: dict[Hashable, Product] = {}
    for number, dimension, factors in _terms(expr, Fraction(1)):
        key = _key(Fraction(1), dimension, factors)
        before = found[key][0] if key in found else Fraction(0)
        found[key] = (before + number, dimension, factors)
    terms = [t for t in found.values() if t[0]]
    return terms or [(Fraction(0), expr.dim, {})]


def _terms(expr: Expr, sign: Fraction) -> Iterable[Product]:
    if isinstance(expr, Apply) and expr.op in ("add", "sub", "neg"):
        for index, arg in enumerate(expr.args):
            minus = expr.op == "neg" or (expr.op == "sub" and index > 0)
            yield from _terms(arg, -sign if minus else sign)
        return
    number, dimension, factors = _product(expr)
    yield sign * number, dimension, factors


def _product(expr: Expr) -> Product:
    if isinstance(expr, Const):
        return expr.canonical, expr.dim, {}
    if isinstance(expr, Name):
        return Fraction(1), ONE, {("name", expr.name): Fraction(1)}
    assert isinstance(expr, Apply)
    if expr.op == "mul":
        return _times([(_product(a), Fraction(1)) for a in expr.args])
    if expr.op == "div":
        below = _product(expr.args[1])
        if below[0]:
            return _times([(_product(expr.args[0]), Fraction(1)), (below, Fraction(-1))])
    if expr.op == "pow":
        exponent = _sum(expr.args[1])
        if len(exponent) == 1 and not exponent[0][2] and exponent[0][1] == ONE:
            return _power(expr.args[0], exponent[0][0])
    if expr.op in ("add", "sub", "neg"):
        terms = _sum(expr)
        if len(terms) == 1:
            return terms[0]
        return Fraction(1), ONE, {normal_form(expr): Fraction(1)}
    args = [normal_form(a) for a in expr.args]
    if expr.op in _ANY_ORDER:
        args.sort(key=repr)
    return Fraction(1), ONE, {("apply", expr.op, tuple(args)): Fraction(1)}


def _power(base: Expr, exponent: Fraction) -> Product:
    inner = _product(base)
    number = inner[0]
    whole = exponent.denominator == 1 and abs(exponent) <= _HIGHEST
    if number == 1 or (whole and number):
        return _times([(inner, exponent)])
    # 2^0.5 has no exact value, so the base stays as it is.
    return Fraction(1), ONE, {normal_form(base): exponent}


def _times(parts: Iterable[tuple[Product, Fraction]]) -> Product:
    number, dimension = Fraction(1), ONE
    factors: dict[Hashable, Fraction] = {}
    for (own, unit, inner), power in parts:
        number *= own**power.numerator if power.denominator == 1 else own
        dimension = dimension * unit**power
        for factor, exponent in inner.items():
            factors[factor] = factors.get(factor, Fraction(0)) + exponent * power
    return number, dimension, {f: e for f, e in factors.items() if e}
