"""Units: every word against its definition, and what is no unit."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbpkc.language.units import (
    AMOUNT,
    BASES,
    CONCENTRATION,
    FLOW,
    HIGHEST_POWER,
    LENGTH,
    MASS,
    ONE,
    TEMPERATURE,
    TIME,
    VOLUME,
    WORDS,
    Dimension,
    UnitError,
    canonical_text,
    canonical_unit,
    parse_unit,
)

PRESSURE = MASS / LENGTH / TIME**2
# 1 Pa = 1 kg/m/s^2 in kg, dm and h.
PASCAL = Fraction(1, 10) * 3600**2

# Decimal prefixes and definitions of the units (BIPM, The International System of Units, 9th ed. 2019),
# in umol, L, h, kg, K and dm. A month is a twelfth of a year of 365.25 days; a conventional mm of mercury
# is 13 595.1 kg/m3 times 9.806 65 m/s2 times 1 mm.
FACTORS = {
    "km": (10**4, LENGTH),
    "m": (10, LENGTH),
    "dm": (1, LENGTH),
    "cm": (Fraction(1, 10), LENGTH),
    "mm": (Fraction(1, 100), LENGTH),
    "um": (Fraction(1, 10**5), LENGTH),
    "nm": (Fraction(1, 10**8), LENGTH),
    "kg": (1, MASS),
    "g": (Fraction(1, 10**3), MASS),
    "mg": (Fraction(1, 10**6), MASS),
    "ug": (Fraction(1, 10**9), MASS),
    "ng": (Fraction(1, 10**12), MASS),
    "pg": (Fraction(1, 10**15), MASS),
    "kmol": (10**9, AMOUNT),
    "mol": (10**6, AMOUNT),
    "mmol": (10**3, AMOUNT),
    "umol": (1, AMOUNT),
    "nmol": (Fraction(1, 10**3), AMOUNT),
    "pmol": (Fraction(1, 10**6), AMOUNT),
    "fmol": (Fraction(1, 10**9), AMOUNT),
    "kL": (10**3, VOLUME),
    "L": (1, VOLUME),
    "dL": (Fraction(1, 10), VOLUME),
    "cL": (Fraction(1, 100), VOLUME),
    "mL": (Fraction(1, 10**3), VOLUME),
    "uL": (Fraction(1, 10**6), VOLUME),
    "nL": (Fraction(1, 10**9), VOLUME),
    "pL": (Fraction(1, 10**12), VOLUME),
    "s": (Fraction(1, 3600), TIME),
    "ms": (Fraction(1, 3_600_000), TIME),
    "min": (Fraction(1, 60), TIME),
    "h": (1, TIME),
    "d": (24, TIME),
    "day": (24, TIME),
    "week": (168, TIME),
    "month": (Fraction(8766, 12), TIME),
    "year": (8766, TIME),
    "K": (1, TEMPERATURE),
    "degC": (1, TEMPERATURE),
    "M": (10**6, CONCENTRATION),
    "mM": (10**3, CONCENTRATION),
    "uM": (1, CONCENTRATION),
    "nM": (Fraction(1, 10**3), CONCENTRATION),
    "pM": (Fraction(1, 10**6), CONCENTRATION),
    "Pa": (PASCAL, PRESSURE),
    "kPa": (1000 * PASCAL, PRESSURE),
    "bar": (10**5 * PASCAL, PRESSURE),
    "mbar": (100 * PASCAL, PRESSURE),
    "mmHg": (Fraction("133.322387415") * PASCAL, PRESSURE),
    "atm": (101325 * PASCAL, PRESSURE),
}


def test_every_word_is_checked_here() -> None:
    # A part in a hundred, and two that convert to nothing, have tests of their own.
    assert FACTORS.keys() == WORDS.keys() - {"%", "ppm", "IU"}


@pytest.mark.parametrize("word", FACTORS)
def test_word(word: str) -> None:
    unit = parse_unit(word)
    assert (unit.factor, unit.dimension) == FACTORS[word]
    assert unit.offset == (Fraction("273.15") if word == "degC" else 0)


@pytest.mark.parametrize("word", ["ppm", "IU"])
def test_words_that_nothing_converts(word: str) -> None:
    unit = parse_unit(word)
    assert unit.factor == 1
    assert canonical_text(unit.dimension) == word
    assert unit.dimension not in [d for _, d in FACTORS.values()]


@pytest.mark.parametrize(
    ("text", "factor", "dimension"),
    [
        ("1", 1, ONE),
        ("%", Fraction(1, 100), ONE),
        ("mg/L", Fraction(1, 10**6), MASS / VOLUME),
        ("mL/min/kg", Fraction(60, 1000), FLOW / MASS),
        ("mL/min/kg^0.75", Fraction(60, 1000), FLOW / MASS ** Fraction(3, 4)),
        ("L/h*kg", 1, FLOW * MASS),
        ("1/h", 1, ONE / TIME),
        ("1/min", 60, ONE / TIME),
        ("m^2", 100, LENGTH**2),
        ("cm^3", Fraction(1, 1000), VOLUME),
        ("kg^-1", 1, ONE / MASS),
        ("mg*h/L", Fraction(1, 10**6), MASS * TIME / VOLUME),
        ("mg h", Fraction(1, 10**6), MASS * TIME),
        ("mg.h", Fraction(1, 10**6), MASS * TIME),
        (" mg / L ", Fraction(1, 10**6), MASS / VOLUME),
        ("µg/mL", Fraction(1, 10**6), MASS / VOLUME),
        ("μmol", 1, AMOUNT),
        ("g/mol", Fraction(1, 10**9), MASS / AMOUNT),
        ("1/%", 100, ONE),
    ],
)
def test_compound(text: str, factor: Fraction | int, dimension: Dimension) -> None:
    unit = parse_unit(text)
    assert (unit.factor, unit.dimension) == (factor, dimension)


def test_each_slash_divides_by_the_next_word_only() -> None:
    assert parse_unit("mL/min*kg").dimension == FLOW * MASS
    assert parse_unit("mL/min/kg").dimension == FLOW / MASS


def test_fractional_powers_are_exact_for_canonical_words_and_good_to_thirty_digits_otherwise() -> None:
    assert parse_unit("kg^0.75").factor == 1
    quarter = parse_unit("g^0.75").factor
    assert abs(quarter**4 * 10**9 - 1) < Fraction(1, 10**30)


@pytest.mark.parametrize(
    ("text", "message", "help"),
    [
        ("C", "'C' is not a unit of the language", "write [degC]"),
        ("a", "'a' is not a unit of the language", "write [year]"),
        ("hr", "'hr' is not a unit of the language", "write [h]"),
        ("ml", "'ml' is not a unit of the language", "write [mL]"),
        ("mcg", "'mcg' is not a unit of the language", "write [ug]"),
        ("mgg", "'mgg' is not a unit of the language", "a unit with a similar name exists: [mg]"),
        ("kcal", "'kcal' is not a unit of the language", "units are those of length"),
        ("10 mg", "the number 10 has no place in the unit '10 mg'", "in front of the brackets"),
        ("mg//L", "'mg//L' is not a unit", "for example"),
        ("mg/", "'mg/' is not a unit", "for example"),
        ("", "the unit is empty", "[1] for dimensionless"),
        ("mg^", "'mg^' is not a unit", "for example"),
        ("kg^100", "the power 100 in 'kg^100' cannot be computed with", f"{HIGHEST_POWER}"),
        ("kg^0.12345678", "the power 0.12345678", "6 decimals"),
        ("mg*" * 40 + "mg", "more than 100 characters", "for example"),
        ("degC/h", "degC cannot be part of 'degC/h'", "write K"),
        ("1/degC", "degC cannot be part of '1/degC'", "write K"),
        ("degC^2", "degC cannot be part of 'degC^2'", "write K"),
    ],
)
def test_no_unit(text: str, message: str, help: str) -> None:
    with pytest.raises(UnitError) as error:
        parse_unit(text)
    assert message in str(error.value)
    assert error.value.help is not None and help in error.value.help


@pytest.mark.parametrize(
    ("dimension", "text"),
    [
        (ONE, "1"),
        (VOLUME / TIME, "L/h"),
        (LENGTH**2, "dm^2"),
        (FLOW / MASS ** Fraction(3, 4), "L/kg^0.75/h"),
        (AMOUNT / VOLUME, "umol/L"),
        (ONE / TIME, "1/h"),
    ],
)
def test_canonical_text(dimension: Dimension, text: str) -> None:
    assert canonical_text(dimension) == text
    assert canonical_unit(dimension).factor == 1


# Thirds have no decimal form, so no unit that could be written has them.
_powers = st.integers(-12, 12).map(lambda quarters: Fraction(quarters, 4))
_dimensions = st.lists(_powers, min_size=len(BASES), max_size=len(BASES)).map(lambda p: Dimension(tuple(p)))


@settings(derandomize=True, deadline=None, max_examples=100, database=None)
@given(_dimensions)
def test_canonical_text_can_be_read_again(dimension: Dimension) -> None:
    unit = parse_unit(canonical_text(dimension))
    assert (unit.factor, unit.dimension) == (1, dimension)


@settings(derandomize=True, deadline=None, max_examples=50, database=None)
@given(_dimensions, _dimensions)
def test_dimensions_form_a_group(a: Dimension, b: Dimension) -> None:
    assert a * b == b * a
    assert (a / b) * b == a
    assert a * ONE == a / ONE == a
    assert (a / a).is_one
    assert a**2 == a * a
