"""Bounds of expressions over a box of parameters and states: what can be proved of signs without a run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise

import sympy as sp

from pbpkc.compiler import intervals as iv
from pbpkc.compiler.expression_intervals import in_box, interval_of, interval_of_parts
from pbpkc.compiler.intervals import Interval
from pbpkc.compiler.rewrite import definitions, inlined, moving_symbols, sorted_symbols
from pbpkc.compiler.simplify.factors import collected
from pbpkc.compiler.system import Parameter, System

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
    """Every leaf symbol's range: parameters and what is held as declared, all others not negative."""
    box = {p.symbol: parameter_range(p) for p in system.parameters}
    box |= {s.symbol: iv.NON_NEGATIVE for s in system.states}
    box |= {u.symbol: Interval(*u.bounds) for u in system.inputs}
    box[system.time] = iv.NON_NEGATIVE
    return box


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
        return interval_of(expr, self._symbol_or_sum, self._unknowns)

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
        found = interval_of_parts(expr, self._symbol_or_sum, self._unknowns)
        if found.sign != "?":
            return found
        whole = inlined(expr, self._constants)
        if _size(whole) > _LARGEST_EXPANDED:
            return found
        # Terms cancel only when multiplied out: a flow that is left over is CO - 0.3*CO - 0.2*CO - ...
        whole = collected(sp.expand(whole))
        found = iv.intersection(found, interval_of_parts(whole, self._symbol_only, self._unknowns))
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
            part = interval_of(whole, in_box(box, self._symbol_only), self._unknowns)
            hull = part if hull is None else iv.union(hull, part)
        return found if hull is None else iv.intersection(hull, found)


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
