from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbpkc.infer.profile_result import Profile, ProfilePoint
from pbpkc.report.quantities import (
    bracketed,
    count,
    figures,
    interval,
    listed,
    percent,
    plain_number,
    profile_words,
    unit_text,
    with_unit,
)


@pytest.mark.parametrize(
    ("value", "plain", "full"),
    [
        (0.0, "0", "0"),
        (1.5, "1.5", "1.500"),
        (0.04, "0.04", "0.04000"),
        (-3.2, "−3.2", "−3.200"),
        (123456.0, "123456", "123456"),
        (1234567.0, "1.235·10⁶", "1.235·10⁶"),
        (0.00001, "0.00001", "0.00001000"),
        (2.1e-6, "2.1·10⁻⁶", "2.100·10⁻⁶"),
        (1e-300, "10⁻³⁰⁰", "1.000·10⁻³⁰⁰"),
        (999999.6, "10⁶", "1.000·10⁶"),
        (99.996, "100", "100.0"),
        (math.nan, "–", "–"),
        (math.inf, "–", "–"),
    ],
)
def test_numbers(value: float, plain: str, full: str) -> None:
    assert plain_number(value) == plain
    assert figures(value) == full


@given(st.floats(1e-5, 9.9e5), st.integers(2, 6))
def test_a_written_number_reads_back_to_its_digits(value: float, digits: int) -> None:
    for text in (plain_number(value, digits), figures(value, digits)):
        read = float(text.replace("·10", "e").translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")))
        assert math.isclose(read, value, rel_tol=0.501 * 10.0 ** (1 - digits))


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        ("1", ""),
        ("umol/L", "µmol/L"),
        ("umol/h/kg^0.75", "µmol/h/kg⁰˙⁷⁵"),
        ("ug/mL", "µg/mL"),
        ("uM", "µM"),
        ("m^2", "m²"),
        ("mg*h/L", "mg·h/L"),
        ("mm", "mm"),
    ],
)
def test_units(unit: str, shown: str) -> None:
    assert unit_text(unit) == shown


def test_numbers_with_units() -> None:
    assert with_unit("1.6", "1/h") == "1.6\u00a0/h"
    assert with_unit("3", "mg/L") == "3\u00a0mg/L"
    assert with_unit("3", "1") == "3"
    assert bracketed("Cp", "mg/L") == "Cp [mg/L]"
    assert bracketed("x", "1") == "x"


def test_intervals() -> None:
    assert interval(1.314, 2.42) == "1.31 to 2.42"
    assert interval(math.nan, 2.0) == "–"
    assert interval(1e-140, 1e142) == "wider than 10,000-fold"
    assert interval(-5.0, 2.0) == "−5.00 to 2.00"


def test_percent() -> None:
    assert [percent(x) for x in (0.9949, 12.96, 0.051, math.nan)] == [
        "99\u00a0%",
        "1300\u00a0%",
        "5.1\u00a0%",
        "–",
    ]


def test_words() -> None:
    assert (count(1, "dose"), count(2, "dose"), count(2, "is", "are")) == ("1 dose", "2 doses", "2 are")
    assert [listed(w) for w in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert listed([str(k) for k in range(20)], 4) == "0, 1, 2 and 17 more"


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        ("end", "end", "2 to 30"),
        ("end", "open", "at least 2"),
        ("open", "end", "at most 30"),
        ("open", "open", "open on both sides"),
        ("end", "lost", "from 2, not followed above 40"),
        ("lost", "end", "to 30, not followed below 1"),
        ("open", "lost", "open below, not followed above 40"),
        ("lost", "open", "open above, not followed below 1"),
        ("lost", "lost", "not followed below 1, not followed above 40"),
    ],
)
def test_a_profile_says_what_it_comes_to_on_each_side(low: str, high: str, words: str) -> None:
    profile = Profile(
        "km", "mg/L", 3.84, 2.0 if low == "end" else math.nan, 30.0 if high == "end" else math.nan,
        "flat" if low == "open" else "", "flat" if high == "open" else "", (), (),
        tuple(ProfilePoint(x, 1.0, (x,)) for x in (1.0, 5.0, 40.0)),
        "stiff" if low == "lost" else "", "stiff" if high == "lost" else "",
    )  # fmt: skip
    assert profile_words(profile, lambda value: f"{value:g}") == words
