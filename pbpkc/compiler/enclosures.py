"""Bounds of expressions over a box of parameters and states: what can be proved of signs without a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

import sympy as sp

from pbpkc.compiler import intervals as iv
from pbpkc.compiler.gradient import partial_name, power_log
from pbpkc.compiler.intervals import Interval
from pbpkc.compiler.rewrite import definitions, inlined, moving_symbols, sorted_symbols
from pbpkc.compiler.simplify.factors import collected
from pbpkc.compiler.system import Parameter, System, UnknownTerm

# Expressions larger than this are not rearranged: the proof is then left open rather than slow. Factoring
# polynomials in many names is the slow one.
_LARGEST_FACTORED = 16
_LARGEST_COMBINED = 100
_LARGEST_EXPANDED = 400
# Boxes looked at when a bound depends on few parameters and straddles zero.
_BOXES = 128
_FEW = 3


def parameter_range(parameter: Parameter) -> Interval:
    """What a parameter may be: its bounds if it is masked or a covariate, else its value."""
    if parameter.mask is not None:
        return Interval(parameter.mask.low, parameter.mask.high)
    if parameter.bounds is not None:
        return Interval(*parameter.bounds)
    return iv.point(parameter.value)


def declared_box(system: System) -> dict[sp.Symbol, Interval]:
    """Every leaf symbol's range: parameters as declared, states, time and inputs not negative."""
    box = {p.symbol: parameter_range(p) for p in system.parameters}
    box |= {s.symbol: iv.NON_NEGATIVE for s in system.states}
    box |= {u.symbol: iv.NON_NEGATIVE for u in system.inputs}
    box[system.time] = iv.NON_NEGATIVE
    return box


#: What is known of a part of an expression, or None where its own parts are to be looked at.
Lookup = Callable[[sp.Basic], Interval | None]


class Enclosures:
    """Intervals of the expressions of one `System` over one box, remembered.

    An interval over a formula is wider than the range of its values when a name occurs more than once.
    Where the sign is open, the formula is therefore looked at again: over one denominator, factored, with its
    curves put in; a sum of parameters multiplied out and, if it depends on up to three of them, over pieces
    of the box.

    Parameters
    ----------
    system : System
    box : mapping of Symbol to Interval, optional
        `declared_box` if left out.
    """

    def __init__(self, system: System, box: Mapping[sp.Symbol, Interval] | None = None) -> None:
        self._system = system
        self._box: dict[sp.Symbol, Interval] = dict(declared_box(system) if box is None else box)
        self._definitions = definitions(system)
        self._constants = {a.symbol: a.expr for a in system.constants}
        self._curves = {a.symbol: a.expr for a in system.curves}
        self._moving = moving_symbols(system)
        self._sums: dict[sp.Expr, Interval] = {}
        self._unknowns = {str(u.function): u for u in system.unknowns}
        self._known: dict[sp.Symbol, Interval] = {}

    def with_states(self, values: Mapping[sp.Symbol, Interval]) -> Enclosures:
        """The same with other ranges of some states; what only reads parameters is not computed again."""
        other = Enclosures(self._system, {**self._box, **values})
        other._sums = self._sums
        other._known = {s: v for s, v in self._known.items() if s in self._constants}
        return other

    def symbol(self, symbol: sp.Symbol) -> Interval:
        """The interval of a parameter, state, input, constant or curve."""
        if symbol in self._box:
            return self._box[symbol]
        if symbol not in self._known:
            if symbol not in self._definitions:
                raise ValueError(f"symbol {symbol} is not part of the system {self._system.name}")
            self._known[symbol] = self.refined(self._definitions[symbol])
        return self._known[symbol]

    def plain(self, expr: sp.Basic) -> Interval:
        """The interval of an expression as it is written; sums of parameters alone are looked at closely."""
        return _interval(expr, self._symbol_or_sum, self._unknowns)

    def refined(self, expr: sp.Expr) -> Interval:
        """The interval of an expression, rearranged where the plain one leaves the sign open."""
        found = self.plain(expr)
        if found.sign != "?" or self._is_fixed(expr):
            return found
        for written in dict.fromkeys((expr, self._without_curves(expr))):
            for form in _rearranged(written):
                found = iv.intersection(found, self.plain(form))
                if found.sign != "?":
                    return found
        return found

    def _symbol_or_sum(self, expr: sp.Expr) -> Interval | None:
        """What is known of a part of an expression without looking into it; None where that is nothing."""
        if isinstance(expr, sp.Symbol):
            return self.symbol(expr)
        if not isinstance(expr, sp.Add) or not self._is_fixed(expr):
            return None
        if expr not in self._sums:
            self._sums[expr] = self._closely(expr)
        return self._sums[expr]

    def _is_fixed(self, expr: sp.Expr) -> bool:
        return self._moving.isdisjoint(expr.free_symbols)

    def _closely(self, expr: sp.Expr) -> Interval:
        """The interval of a sum that reads only parameters."""
        found = _interval_of_parts(expr, self._symbol_or_sum, self._unknowns)
        if found.sign != "?":
            return found
        whole = inlined(expr, self._constants)
        if _size(whole) > _LARGEST_EXPANDED:
            return found
        # Terms cancel only when multiplied out: a flow that is left over is CO - 0.3*CO - 0.2*CO - ...
        whole = collected(sp.expand(whole))
        found = iv.intersection(found, _interval_of_parts(whole, self._symbol_only, self._unknowns))
        return self._over_pieces(whole, found) if found.sign == "?" else found

    def _symbol_only(self, expr: sp.Expr) -> Interval | None:
        return self.symbol(expr) if isinstance(expr, sp.Symbol) else None

    def _without_curves(self, expr: sp.Expr) -> sp.Expr:
        empty = {s: sp.Integer(0) for s, v in self._box.items() if v.is_zero}
        return inlined(expr, self._curves).xreplace(empty)

    def _over_pieces(self, whole: sp.Expr, found: Interval) -> Interval:
        wide = [s for s in sorted_symbols(whole) if not self.symbol(s).is_point]
        if not wide or len(wide) > _FEW or any(math.isinf(self.symbol(s).high) for s in wide):
            return found
        boxes, hull = [{s: self.symbol(s) for s in wide}], None
        pieces = max(2, round(_BOXES ** (1 / len(wide))))
        for symbol in wide:
            boxes = [{**box, symbol: part} for box in boxes for part in _split(box[symbol], pieces)]
        for box in boxes:
            part = _interval(whole, _in_box(box, self._symbol_only), self._unknowns)
            hull = part if hull is None else iv.union(hull, part)
        return found if hull is None else iv.intersection(hull, found)


def _in_box(box: Mapping[sp.Symbol, Interval], lookup: Lookup) -> Lookup:
    return lambda expr: box[expr] if expr in box else lookup(expr)


def _split(whole: Interval, pieces: int) -> list[Interval]:
    edges = [whole.low + (whole.high - whole.low) * k / pieces for k in range(pieces)] + [whole.high]
    return [Interval(a, b) for a, b in pairwise(edges)]


def _size(expr: sp.Expr) -> int:
    return int(sp.count_ops(expr))


def _rearranged(expr: sp.Expr) -> Iterator[sp.Expr]:
    """Equal forms in which signs may be easier to see, the cheap one first; none for large expressions."""
    if _size(expr) > _LARGEST_COMBINED or expr.has(sp.Piecewise):
        return
    # Over one denominator and multiplied out, the derivative of a quotient shows what cancels.
    above, below = sp.fraction(sp.together(expr))
    yield collected(sp.expand(above)) / below
    if _size(expr) <= _LARGEST_FACTORED:
        try:
            yield sp.factor(expr)
        except (sp.PolynomialError, NotImplementedError):
            return


# ------------------------------------------------------------- one expression


def _interval(expr: sp.Basic, lookup: Lookup, unknowns: Mapping[str, UnknownTerm]) -> Interval:
    known = lookup(expr)
    return known if known is not None else _interval_of_parts(expr, lookup, unknowns)


def _interval_of_parts(expr: sp.Basic, lookup: Lookup, unknowns: Mapping[str, UnknownTerm]) -> Interval:
    def of(part: sp.Basic) -> Interval:
        return _interval(part, lookup, unknowns)

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
        part = _interval(value, narrowed, unknowns)
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
        a, b = _interval(small, lookup, unknowns), _interval(large, lookup, unknowns)
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
                limit = _interval(other, lookup, unknowns)
                now = bounds.get(symbol) or _interval(symbol, lookup, unknowns)
                allowed = Interval(-math.inf, limit.high) if below else Interval(limit.low, math.inf)
                bounds[symbol] = iv.intersection(now, allowed)
    return _in_box(bounds, lookup)
