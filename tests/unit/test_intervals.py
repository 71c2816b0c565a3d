from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbpkc.compiler import intervals as iv
from pbpkc.compiler.intervals import Interval

finite = st.floats(-1e6, 1e6, allow_nan=False, allow_subnormal=False)


@st.composite
def interval_and_member(draw: st.DrawFn, low: float = -1e6, high: float = 1e6) -> tuple[Interval, Fraction]:
    a, b = sorted((draw(st.floats(low, high)), draw(st.floats(low, high))))
    share = draw(st.fractions(0, 1, max_denominator=1000))
    return Interval(a, b), Fraction(a) + (Fraction(b) - Fraction(a)) * share


def holds(found: Interval, exact: Fraction) -> bool:
    low_ok = math.isinf(found.low) or Fraction(found.low) <= exact
    return low_ok and (math.isinf(found.high) or exact <= Fraction(found.high))


@settings(max_examples=300)
@given(interval_and_member(), interval_and_member())
def test_sums_and_products_hold_every_exact_result(
    first: tuple[Interval, Fraction], second: tuple[Interval, Fraction]
) -> None:
    (a, x), (b, y) = first, second
    assert holds(iv.add(a, b), x + y)
    assert holds(iv.multiply(a, b), x * y)
    assert holds(iv.magnitude(a), abs(x))
    assert holds(iv.union(a, b), x) and holds(iv.union(a, b), y)


@settings(max_examples=300)
@given(interval_and_member(), st.integers(-4, 5))
def test_whole_powers_hold_every_exact_result(pair: tuple[Interval, Fraction], exponent: int) -> None:
    a, x = pair
    if exponent >= 0 or x != 0:
        assert holds(iv.whole_power(a, exponent), x**exponent)


@settings(max_examples=200)
@given(interval_and_member(0.0, 1e3), interval_and_member(-4.0, 4.0))
def test_real_powers_hold_the_result_to_many_digits(
    base: tuple[Interval, Fraction], exponent: tuple[Interval, Fraction]
) -> None:
    (a, x), (b, y) = base, exponent
    if x == 0 and y <= 0:
        return
    with mpmath.workdps(40):
        exact = mpmath.power(mpmath.mpf(x.numerator) / x.denominator, mpmath.mpf(y.numerator) / y.denominator)
        found = iv.power(a, b)
        assert found.low <= exact <= found.high


@settings(max_examples=200)
@given(interval_and_member(-50.0, 50.0))
def test_exp_and_log_hold_the_result_to_many_digits(pair: tuple[Interval, Fraction]) -> None:
    a, x = pair
    with mpmath.workdps(40):
        value = mpmath.mpf(x.numerator) / x.denominator
        assert iv.exponential(a).low <= mpmath.exp(value) <= iv.exponential(a).high
        if x > 0:
            assert iv.logarithm(a).low <= mpmath.log(value) <= iv.logarithm(a).high


def test_exact_results_stay_exact_so_that_zero_is_a_proof() -> None:
    assert iv.add(Interval(1.0, 1.0), Interval(-1.0, 0.0)) == Interval(0.0, 1.0)
    assert iv.multiply(iv.NON_NEGATIVE, iv.NON_NEGATIVE) == iv.NON_NEGATIVE
    assert iv.multiply(iv.ZERO, iv.NON_NEGATIVE).is_zero
    assert iv.rational(1, 4).is_point
    tenth = iv.rational(1, 10)
    assert not tenth.is_point and holds(tenth, Fraction(1, 10))


def test_underflow_keeps_the_sign() -> None:
    tiny = Interval(1e-300, 1e-300)
    assert iv.multiply(tiny, tiny).low == 0.0 < iv.multiply(tiny, tiny).high
    negative = iv.multiply(tiny, Interval(-1e-300, -1e-300))
    assert negative.low < 0.0 == negative.high


def test_overflow_is_no_infinite_lower_bound() -> None:
    huge = Interval(1e300, 1e300)
    assert math.isfinite(iv.multiply(huge, huge).low)
    assert math.isinf(iv.multiply(huge, huge).high)


@pytest.mark.parametrize(
    ("found", "defined"),
    [
        (iv.reciprocal(Interval(1.0, 2.0)), True),
        (iv.reciprocal(Interval(0.0, 2.0)), False),
        (iv.reciprocal(Interval(-1.0, 2.0)), False),
        (iv.logarithm(Interval(0.0, 1.0)), False),
        (iv.power(Interval(-1.0, 1.0), Interval(0.5, 0.5)), False),
        (iv.power(Interval(0.0, 1.0), Interval(0.5, 2.0)), True),
        (iv.power(Interval(0.0, 1.0), Interval(-0.5, 2.0)), False),
    ],
)
def test_where_there_may_be_no_value_is_said(found: Interval, defined: bool) -> None:
    assert found.defined is defined


@pytest.mark.parametrize("function", [math.sin, math.cos])
def test_oscillations_stay_between_minus_one_and_one(function: Callable[[float], float]) -> None:
    assert iv.oscillation(function, Interval(0.0, 9.0)) == Interval(-1.0, 1.0)
    assert iv.oscillation(function, Interval(2.0, 2.0)).contains(function(2.0))


def test_signs() -> None:
    pairs = [(iv.ZERO, "0"), (iv.NON_NEGATIVE, "+"), (Interval(-2.0, 0.0), "-"), (iv.REALS, "?")]
    assert all(interval.sign == sign for interval, sign in pairs)
