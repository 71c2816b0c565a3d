"""The interval of one expression, from what is known of its parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import sympy as sp

from pbpkc.compiler import intervals as iv
from pbpkc.compiler.gradient import partial_name, power_log, power_slope
from pbpkc.compiler.intervals import Interval
from pbpkc.compiler.system import UnknownTerm

#: What is known of a part of an expression, or None where its own parts are to be looked at.
Lookup = Callable[[sp.Basic], Interval | None]


def interval_of(expr: sp.Basic, lookup: Lookup, unknowns: Mapping[str, UnknownTerm]) -> Interval:
    """The interval of an expression: what `lookup` knows of it, else from its parts.

    Parameters
    ----------
    expr : sympy.Basic
    lookup : callable
        Must know every symbol.
    unknowns : mapping of str to UnknownTerm
        By the name of the function they are applied as.
    """
    known = lookup(expr)
    return known if known is not None else interval_of_parts(expr, lookup, unknowns)


def interval_of_parts(expr: sp.Basic, lookup: Lookup, unknowns: Mapping[str, UnknownTerm]) -> Interval:
    """As `interval_of`, without asking `lookup` for the whole expression.

    A function that is not of the language gives the whole line, defined nowhere for sure.
    """

    def of(part: sp.Basic) -> Interval:
        return interval_of(part, lookup, unknowns)

    if isinstance(expr, sp.Rational):
        return iv.rational(int(expr.p), int(expr.q))
    if isinstance(expr, sp.Float):
        return iv.point(float(expr))
    if isinstance(expr, sp.Add):
        return _folded(iv.add, [of(a) for a in expr.args])
    if isinstance(expr, sp.Mul):
        return _folded(iv.multiply, [of(a) for a in expr.args])
    if isinstance(expr, sp.Pow):
        return _power(expr, of)
    if isinstance(expr, sp.exp):
        return iv.exponential(of(expr.args[0]))
    if isinstance(expr, sp.log):
        return iv.logarithm(of(expr.args[0]))
    if isinstance(expr, sp.Abs):
        return iv.magnitude(of(expr.args[0]))
    if isinstance(expr, sp.Min):
        return iv.monotone(lambda *values: min(values), *(of(a) for a in expr.args))
    if isinstance(expr, sp.Max):
        return iv.monotone(lambda *values: max(values), *(of(a) for a in expr.args))
    if isinstance(expr, sp.floor):
        return iv.monotone(_whole(math.floor), of(expr.args[0]))
    if isinstance(expr, sp.ceiling):
        return iv.monotone(_whole(math.ceil), of(expr.args[0]))
    if isinstance(expr, sp.sign):
        return iv.monotone(lambda value: float((value > 0) - (value < 0)), of(expr.args[0]))
    if isinstance(expr, power_log):
        base = of(expr.args[0])
        return iv.multiply(iv.power(base, of(expr.args[1])), _defined(iv.logarithm(base)))
    if isinstance(expr, power_slope):
        # 0 where the base is: the factor has a value there, whatever the exponent.
        exponent = of(expr.args[1])
        steep = iv.power(of(expr.args[0]), iv.add(exponent, iv.point(-1.0)))
        found = iv.multiply(exponent, _defined(steep))
        return Interval(min(found.low, 0.0), max(found.high, 0.0), exponent.defined)
    if isinstance(expr, sp.sin | sp.cos):
        return iv.oscillation(math.sin if isinstance(expr, sp.sin) else math.cos, of(expr.args[0]))
    if isinstance(expr, sp.Piecewise):
        return _piecewise(expr, lookup, unknowns)
    if isinstance(expr, sp.core.function.AppliedUndef):
        return _unknown(str(expr.func), [of(a) for a in expr.args], unknowns)
    if not expr.free_symbols and expr.is_number and expr.is_real:
        return iv.widened(float(expr))
    return Interval(-math.inf, math.inf, False)


def _folded(operation: Callable[[Interval, Interval], Interval], parts: list[Interval]) -> Interval:
    result = parts[0]
    for part in parts[1:]:
        result = operation(result, part)
    return result


def _whole(function: Callable[[float], int]) -> Callable[[float], float]:
    return lambda value: value if math.isinf(value) else float(function(value))


def _power(expr: sp.Pow, of: Callable[[sp.Basic], Interval]) -> Interval:
    if expr.base == sp.E:
        return iv.exponential(of(expr.exp))
    if expr.exp.is_Integer:
        return iv.whole_power(of(expr.base), int(expr.exp))
    return iv.power(of(expr.base), of(expr.exp))


def _defined(found: Interval) -> Interval:
    # b**n * log(b) is 0 at an empty compartment by its definition, where the logarithm alone has no value.
    return Interval(found.low, found.high)


def _unknown(name: str, arguments: list[Interval], unknowns: Mapping[str, UnknownTerm]) -> Interval:
    """An unknown term: its value at an anchor, else its range; its slope from its shape."""
    term = unknowns.get(name)
    if term is not None:
        for place, value in term.anchors:
            if all(a.is_point and a.low == x for a, x in zip(arguments, place, strict=True)):
                return iv.point(value)
        return Interval(*term.range) if term.range is not None else iv.REALS
    for term in unknowns.values():
        for argument in term.arguments:
            if name == partial_name(term.name, str(argument.name)):
                shape = {a: s for s, a in term.shapes}.get(str(argument.name))
                rising, falling = iv.NON_NEGATIVE, Interval(-math.inf, 0.0)
                return rising if shape == "rising" else falling if shape == "falling" else iv.REALS
    return iv.REALS


# ------------------------------------------------------------- conditions


def _piecewise(expr: sp.Piecewise, lookup: Lookup, unknowns: Mapping[str, UnknownTerm]) -> Interval:
    found: Interval | None = None
    for value, condition in expr.args:
        verdict = _truth(condition, lookup, unknowns)
        if verdict is False:
            continue
        # Where a branch is taken its condition holds: x - 5 under x > 5 is not negative.
        narrowed = _narrowed(condition, lookup, unknowns)
        part = interval_of(value, narrowed, unknowns)
        found = part if found is None else iv.union(found, part)
        if verdict is True:
            break
    return found if found is not None else Interval(-math.inf, math.inf, False)


def _truth(condition: sp.Basic, lookup: Lookup, unknowns: Mapping[str, UnknownTerm]) -> bool | None:
    """Whether a condition always holds (True), never holds (False), or may do either (None)."""
    if condition in (sp.true, sp.false):
        return bool(condition)
    if isinstance(condition, sp.And | sp.Or):
        parts = [_truth(a, lookup, unknowns) for a in condition.args]
        decisive = isinstance(condition, sp.Or)
        if decisive in parts:
            return decisive
        return None if None in parts else not decisive
    if isinstance(condition, sp.Not):
        inner = _truth(condition.args[0], lookup, unknowns)
        return None if inner is None else not inner
    if isinstance(condition, sp.Lt | sp.Le | sp.Gt | sp.Ge):
        small, large = condition.lts, condition.gts
        a, b = interval_of(small, lookup, unknowns), interval_of(large, lookup, unknowns)
        if isinstance(condition, sp.Lt | sp.Gt):
            return True if a.high < b.low else False if a.low >= b.high else None
        return True if a.high <= b.low else False if a.low > b.high else None
    return None


def _narrowed(condition: sp.Basic, lookup: Lookup, unknowns: Mapping[str, UnknownTerm]) -> Lookup:
    bounds: dict[sp.Symbol, Interval] = {}
    parts = condition.args if isinstance(condition, sp.And) else (condition,)
    for part in parts:
        if not isinstance(part, sp.Lt | sp.Le | sp.Gt | sp.Ge):
            continue
        for symbol, other, below in ((part.lts, part.gts, True), (part.gts, part.lts, False)):
            if isinstance(symbol, sp.Symbol):
                limit = interval_of(other, lookup, unknowns)
                now = bounds.get(symbol) or interval_of(symbol, lookup, unknowns)
                allowed = Interval(-math.inf, limit.high) if below else Interval(limit.low, math.inf)
                bounds[symbol] = iv.intersection(now, allowed)
    return in_box(bounds, lookup)


def in_box(box: Mapping[sp.Symbol, Interval], lookup: Lookup) -> Lookup:
    """A lookup that knows the symbols of a smaller box first."""
    return lambda expr: box[expr] if expr in box else lookup(expr)
