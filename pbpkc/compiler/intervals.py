"""Interval arithmetic on the extended real line, rounded outwards.

An `Interval` holds every value an expression can take. Bounds may be infinite; no value is, so ``0 * inf``
is 0 at a bound. Every operation rounds its lower bound down and its upper bound up unless the result is
exact, so a bound that comes out as 0 or above is a proof.

References
----------
Moore RE, Kearfott RB, Cloud MJ (2009) Introduction to Interval Analysis, SIAM.
Hickey T, Ju Q, van Emden MH (2001) J ACM 48:1038-1068 (division and infinite bounds).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

_SMALLEST = 5e-324
_LARGEST = sys.float_info.max
# exp, log and pow of the C library are not correctly rounded; they stay within this many units in the
# last place on every platform that CPython supports.
_LIBRARY_ULPS = 4


@dataclass(frozen=True, slots=True)
class Interval:
    """All numbers from `low` to `high`.

    Parameters
    ----------
    low, high : float
        May be infinite; `low` <= `high`.
    defined : bool
        False when the expression may have no value somewhere (a division by zero, the root of a
        negative number); the bounds then hold where it has one.
    """

    low: float
    high: float
    defined: bool = True

    @property
    def non_negative(self) -> bool:
        """Whether no value is below zero."""
        return self.low >= 0

    @property
    def is_zero(self) -> bool:
        """Whether zero is the only value."""
        return self.low == 0 and self.high == 0

    @property
    def is_point(self) -> bool:
        """Whether there is one value only."""
        return self.low == self.high

    @property
    def sign(self) -> str:
        """``0``, ``+`` (never negative), ``-`` (never positive) or ``?``."""
        if self.is_zero:
            return "0"
        return "+" if self.low >= 0 else "-" if self.high <= 0 else "?"

    def contains(self, value: float) -> bool:
        """Whether `value` lies in it."""
        return self.low <= value <= self.high


REALS = Interval(-math.inf, math.inf)
NON_NEGATIVE = Interval(0.0, math.inf)
ZERO = Interval(0.0, 0.0)
ONE = Interval(1.0, 1.0)


def point(value: float) -> Interval:
    """One number."""
    return Interval(value, value)


def rational(numerator: int, denominator: int) -> Interval:
    """The interval of a rational number: a point when a float holds it exactly."""
    exact = Fraction(numerator, denominator)
    try:
        value = float(exact)
    except OverflowError:
        return Interval(_LARGEST, math.inf) if exact > 0 else Interval(-math.inf, -_LARGEST)
    if Fraction(value) == exact:
        return point(value)
    return Interval(math.nextafter(value, -math.inf), math.nextafter(value, math.inf))


def widened(value: float) -> Interval:
    """A result of the C library's functions, with room for its rounding."""
    low = high = value
    for _ in range(_LIBRARY_ULPS):
        low, high = math.nextafter(low, -math.inf), math.nextafter(high, math.inf)
    return Interval(low, high)


def intersection(a: Interval, b: Interval) -> Interval:
    """What both say of one value; `a` where rounding left nothing in common. `a` says where it is defined."""
    low, high = max(a.low, b.low), min(a.high, b.high)
    return Interval(low, high, a.defined) if low <= high else a


def union(a: Interval, b: Interval) -> Interval:
    """Either of two values."""
    return Interval(min(a.low, b.low), max(a.high, b.high), a.defined and b.defined)


def add(a: Interval, b: Interval) -> Interval:
    """``a + b``."""
    return Interval(_sum(a.low, b.low, -math.inf), _sum(a.high, b.high, math.inf), a.defined and b.defined)


def _sum(a: float, b: float, towards: float) -> float:
    total = a + b
    if math.isinf(total) and not math.isinf(a) and not math.isinf(b):
        return total if total == towards else math.copysign(_LARGEST, total)
    # The error of a sum is a float itself (Knuth's two-sum), so an exact sum is recognised.
    if math.isinf(total) or (total - (total - a) == a and total - a == b):
        return total
    return math.nextafter(total, towards)


def multiply(a: Interval, b: Interval) -> Interval:
    """``a * b``."""
    pairs = [(x, y) for x in (a.low, a.high) for y in (b.low, b.high)]
    return Interval(
        min(_product(x, y, -math.inf) for x, y in pairs),
        max(_product(x, y, math.inf) for x, y in pairs),
        a.defined and b.defined,
    )


def _product(a: float, b: float, towards: float) -> float:
    if a == 0 or b == 0:
        return 0.0
    value = a * b
    if math.isinf(value) and not math.isinf(a) and not math.isinf(b):
        return value if value == towards else math.copysign(_LARGEST, value)
    if value == 0:  # underflow: the sign is known, and nothing below the smallest number
        positive = (a > 0) == (b > 0)
        if positive:
            return 0.0 if towards < 0 else _SMALLEST
        return -_SMALLEST if towards < 0 else 0.0
    if math.isinf(value) or abs(a) == 1 or abs(b) == 1:
        return value
    return math.nextafter(value, towards)


def reciprocal(a: Interval) -> Interval:
    """``1 / a``; where `a` may be zero the result is unbounded and not defined everywhere."""
    if a.is_zero:
        return Interval(-math.inf, math.inf, False)
    if a.low < 0 < a.high:
        return Interval(-math.inf, math.inf, False)
    if a.low == 0:
        return Interval(_inverse(a.high, -math.inf), math.inf, False)
    if a.high == 0:
        return Interval(-math.inf, _inverse(a.low, math.inf), False)
    return Interval(_inverse(a.high, -math.inf), _inverse(a.low, math.inf), a.defined)


def _inverse(value: float, towards: float) -> float:
    if math.isinf(value):
        return 0.0
    if abs(value) == 1:
        return value
    try:
        inverse = 1.0 / value
    except ZeroDivisionError:  # pragma: no cover - callers exclude zero
        return towards
    if math.isinf(inverse):
        return inverse if inverse == towards else math.copysign(_LARGEST, inverse)
    return math.nextafter(inverse, towards)


def whole_power(a: Interval, exponent: int) -> Interval:
    """``a ** exponent`` for a whole number."""
    if exponent == 0:
        return Interval(1.0, 1.0, a.defined)
    if exponent < 0:
        return reciprocal(whole_power(a, -exponent))
    if exponent % 2 == 0:
        size = magnitude(a)
        return Interval(
            _repeated(size.low, exponent, -math.inf), _repeated(size.high, exponent, math.inf), a.defined
        )
    low = _repeated(abs(a.low), exponent, -math.inf if a.low >= 0 else math.inf)
    high = _repeated(abs(a.high), exponent, math.inf if a.high >= 0 else -math.inf)
    return Interval(math.copysign(low, a.low), math.copysign(high, a.high), a.defined)


def _repeated(base: float, exponent: int, towards: float) -> float:
    value = 1.0
    for _ in range(exponent):
        value = _product(value, base, towards)
    return value


def power(base: Interval, exponent: Interval) -> Interval:
    """``base ** exponent`` for a base that is not negative; where it may be, the power is not defined."""
    if exponent.is_point and exponent.low == int(exponent.low) and abs(exponent.low) <= 64:
        return whole_power(base, int(exponent.low))
    defined = base.defined and exponent.defined and base.low >= 0 and not (base.low == 0 and exponent.low < 0)
    low, high = max(base.low, 0.0), max(base.high, 0.0)
    if high == 0 and exponent.low < 0:
        return Interval(-math.inf, math.inf, False)
    # x**e is monotone in x for each e and in e for each x, so its extremes are at the corners.
    corners = [_corner(x, e) for x in (low, high) for e in (exponent.low, exponent.high)]
    return Interval(max(0.0, min(c.low for c in corners)), max(c.high for c in corners), defined)


def _corner(base: float, exponent: float) -> Interval:
    if exponent == 0 or base == 1:
        return ONE
    if base == 0:
        return ZERO if exponent > 0 else point(math.inf)
    if math.isinf(base):
        return point(math.inf) if exponent > 0 else ZERO
    if math.isinf(exponent):
        grows = (base > 1) == (exponent > 0)
        return point(math.inf) if grows else ZERO
    try:
        value = math.pow(base, exponent)
    except OverflowError:
        return Interval(_LARGEST, math.inf)
    return Interval(0.0, _SMALLEST) if value == 0 else widened(value)


def exponential(a: Interval) -> Interval:
    """``exp(a)``."""
    return Interval(_exp(a.low).low, _exp(a.high).high, a.defined)


def _exp(value: float) -> Interval:
    if value == 0:
        return ONE
    if math.isinf(value):
        return point(math.inf) if value > 0 else ZERO
    try:
        result = math.exp(value)
    except OverflowError:
        return Interval(_LARGEST, math.inf)
    return Interval(0.0, _SMALLEST) if result == 0 else widened(result)


def logarithm(a: Interval) -> Interval:
    """The natural logarithm; not defined where `a` may be zero or negative."""
    if a.high <= 0:
        return Interval(-math.inf, math.inf, False)
    low = -math.inf if a.low <= 0 else _log(a.low).low
    return Interval(low, _log(a.high).high, a.defined and a.low > 0)


def _log(value: float) -> Interval:
    if value == 1:
        return ZERO
    return point(math.inf) if math.isinf(value) else widened(math.log(value))


def magnitude(a: Interval) -> Interval:
    """``abs(a)``."""
    if a.low >= 0:
        return a
    if a.high <= 0:
        return Interval(-a.high, -a.low, a.defined)
    return Interval(0.0, max(-a.low, a.high), a.defined)


def monotone(function: Callable[..., float], *arguments: Interval) -> Interval:
    """A function that rises in every argument and is exact in floats: ``min``, ``floor`` and the like."""
    low = function(*(a.low for a in arguments))
    high = function(*(a.high for a in arguments))
    return Interval(low, high, all(a.defined for a in arguments))


def oscillation(function: Callable[[float], float], a: Interval) -> Interval:
    """``sin`` or ``cos``: between -1 and 1, and its value where the argument is one number."""
    if a.is_point and not math.isinf(a.low):
        near = widened(function(a.low))
        return Interval(max(-1.0, near.low), min(1.0, near.high), a.defined)
    return Interval(-1.0, 1.0, a.defined)
