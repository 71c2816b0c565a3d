"""Units: a small door in front of pint.

Definitions and prefixes come from pint; which words exist is decided here, so that ``[C]`` is an
error and not coulomb. A `Unit` is its text, its exact factor to the canonical set and its dimension.

The canonical set is umol, L, h, kg, K, so a length is counted in dm and the factor of ``[mg]`` is
``1/10**6``. ``ppm`` and ``IU`` are dimensions of their own: nothing converts them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any

from pbpkc.language.diagnostics import similar

#: Base dimensions and the canonical unit each is counted in.
BASES: tuple[tuple[str, str], ...] = (
    ("mass", "kg"),
    ("amount", "umol"),
    ("length", "dm"),
    ("time", "h"),
    ("temperature", "K"),
    ("ppm", "ppm"),
    ("IU", "IU"),
)

_PINT_BASE = {
    "[mass]": ("mass", "kilogram"),
    "[substance]": ("amount", "micromole"),
    "[length]": ("length", "decimeter"),
    "[time]": ("time", "hour"),
    "[temperature]": ("temperature", "kelvin"),
}

#: Every unit word the language knows, with pint's name for it.
WORDS: dict[str, str] = {
    # length
    "km": "kilometer",
    "m": "meter",
    "dm": "decimeter",
    "cm": "centimeter",
    "mm": "millimeter",
    "um": "micrometer",
    "nm": "nanometer",
    # mass
    "kg": "kilogram",
    "g": "gram",
    "mg": "milligram",
    "ug": "microgram",
    "ng": "nanogram",
    "pg": "picogram",
    # amount
    "kmol": "kilomole",
    "mol": "mole",
    "mmol": "millimole",
    "umol": "micromole",
    "nmol": "nanomole",
    "pmol": "picomole",
    "fmol": "femtomole",
    # volume
    "kL": "kiloliter",
    "L": "liter",
    "dL": "deciliter",
    "cL": "centiliter",
    "mL": "milliliter",
    "uL": "microliter",
    "nL": "nanoliter",
    "pL": "picoliter",
    # time
    "s": "second",
    "ms": "millisecond",
    "min": "minute",
    "h": "hour",
    "d": "day",
    "day": "day",
    "week": "week",
    "month": "month",
    "year": "year",
    # temperature
    "K": "kelvin",
    "degC": "degC",
    # concentration words
    "M": "molar",
    "mM": "millimolar",
    "uM": "micromolar",
    "nM": "nanomolar",
    "pM": "picomolar",
    # pressure
    "Pa": "pascal",
    "kPa": "kilopascal",
    "bar": "bar",
    "mbar": "millibar",
    "mmHg": "mmHg",
    "atm": "atmosphere",
}

# Words with a meaning that people write by mistake, and what to write.
_MISTAKES = {
    "l": "L",
    "ml": "mL",
    "dl": "dL",
    "ul": "uL",
    "hr": "h",
    "hrs": "h",
    "hour": "h",
    "hours": "h",
    "sec": "s",
    "mins": "min",
    "minute": "min",
    "days": "d",
    "weeks": "week",
    "C": "degC",
    "a": "year",
    "yr": "year",
    "mcg": "ug",
    "Mg": "mg",
    "gm": "g",
    "mole": "mol",
    "litre": "L",
    "liter": "L",
    "percent": "%",
}

_TOKEN = re.compile(r"\s*(?:(?P<word>[A-Za-z%]+)|(?P<number>\d+(?:\.\d+)?)|(?P<op>\*\*|[*/^.\-]))")


#: Units longer than this, and powers higher than this, are mistakes; and traps for exact arithmetic.
MOST_CHARACTERS = 100
HIGHEST_POWER = 99


class UnitError(ValueError):
    """A unit text that means nothing here; `help` says what to write."""

    def __init__(self, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.help = help


@dataclass(frozen=True, slots=True)
class Dimension:
    """Exponents over the seven base dimensions of `BASES`."""

    powers: tuple[Fraction, ...] = (Fraction(0),) * len(BASES)

    def __mul__(self, other: Dimension) -> Dimension:
        # Most factors are plain numbers, and fractions are slow to add.
        if other.is_one:
            return self
        if self.is_one:
            return other
        return Dimension(tuple(a + b for a, b in zip(self.powers, other.powers, strict=True)))

    def __truediv__(self, other: Dimension) -> Dimension:
        if other.is_one:
            return self
        return Dimension(tuple(a - b for a, b in zip(self.powers, other.powers, strict=True)))

    def __pow__(self, exponent: Fraction | int) -> Dimension:
        return Dimension(tuple(a * Fraction(exponent) for a in self.powers))

    @property
    def is_one(self) -> bool:
        """Whether this is no dimension at all."""
        return not any(self.powers)

    def __str__(self) -> str:
        """In canonical units, litres for cubed decimetres: ``umol/L``, ``L/h/kg``, ``1``."""
        return canonical_text(self)


ONE = Dimension()


def _base(name: str) -> Dimension:
    return Dimension(tuple(Fraction(int(base == name)) for base, _ in BASES))


MASS, AMOUNT, LENGTH, TIME, TEMPERATURE = (
    _base(n) for n in ("mass", "amount", "length", "time", "temperature")
)
VOLUME = LENGTH**3
FLOW = VOLUME / TIME
CONCENTRATION = AMOUNT / VOLUME
AMOUNT_RATE = AMOUNT / TIME


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as written.

    Parameters
    ----------
    text : str
        As written, without brackets: ``mL/min/kg^0.75``.
    factor : Fraction
        Canonical units in one of these: ``[mg]`` has 1/1000000 (kg).
    dimension : Dimension
    offset : Fraction
        Added after the factor; only ``[degC]`` has one.
    """

    text: str
    factor: Fraction
    dimension: Dimension
    offset: Fraction = Fraction(0)

    def __str__(self) -> str:
        return f"[{self.text}]"


def canonical_text(dimension: Dimension) -> str:
    """A dimension in canonical units, for messages: ``umol/L/h``."""
    powers = dict(zip((name for name, _ in BASES), dimension.powers, strict=True))
    names: list[tuple[str, Fraction]] = []
    length = powers.pop("length")
    volume, rest = (length / 3, Fraction(0)) if length % 3 == 0 else (Fraction(0), length)
    units = dict(BASES)
    order = [
        ("kg", powers["mass"]),
        ("umol", powers["amount"]),
        ("L", volume),
        (units["length"], rest),
        ("ppm", powers["ppm"]),
        ("IU", powers["IU"]),
        ("K", powers["temperature"]),
        ("h", powers["time"]),
    ]
    names = [(unit, power) for unit, power in order if power]
    top = "*".join(_power_text(u, p) for u, p in names if p > 0)
    bottom = "".join("/" + _power_text(u, -p) for u, p in names if p < 0)
    return (top or "1") + bottom


def _power_text(unit: str, power: Fraction) -> str:
    if power == 1:
        return unit
    number = str(power.numerator) if power.denominator == 1 else repr(float(power))
    return f"{unit}^{number}"


def canonical_unit(dimension: Dimension) -> Unit:
    """The canonical unit of a dimension."""
    return Unit(canonical_text(dimension), Fraction(1), dimension)


def measured(number: str, unit: str) -> str:
    """A written number with its unit for a sentence: ``1.5 mg/L``; alone where it is a plain number."""
    return number if unit == "1" else f"{number} {unit}"


@lru_cache(maxsize=1)
def _registry() -> Any:
    # pint is loaded only when the first unit word is looked up.
    import pint

    return pint.UnitRegistry(non_int_type=Fraction, cache_folder=None)


#: Factors and dimensions of all words, computed once from pint's definitions.
@cache
def _word(word: str) -> tuple[Fraction, Dimension, Fraction]:
    if word == "%":
        return Fraction(1, 100), ONE, Fraction(0)
    if word in ("ppm", "IU"):
        return Fraction(1), _base(word), Fraction(0)
    if word not in WORDS:
        mistake = _MISTAKES.get(word)
        raise UnitError(
            f"'{word}' is not a unit of the language",
            _known_units(word) if mistake is None else f"write [{mistake}]",
        )
    if word == "degC":
        return Fraction(1), TEMPERATURE, Fraction("273.15")
    ureg = _registry()
    quantity = ureg.Quantity(Fraction(1), WORDS[word])
    dimension, factor = ONE, quantity
    for name, power in quantity.dimensionality.items():
        base, unit = _PINT_BASE[name]
        dimension = dimension * _base(base) ** Fraction(power)
        factor = factor / ureg.Quantity(Fraction(1), unit) ** Fraction(power)
    return Fraction(factor.to_base_units().magnitude), dimension, Fraction(0)


def _known_units(word: str) -> str:
    near = similar(word, [*WORDS, "ppm", "IU"])
    if near:
        return f"a unit with a similar name exists: [{near}]"
    kinds = "length, mass, amount, volume, time, temperature and pressure, M, %, ppm and IU"
    return f"units are those of {kinds}: [mg/L], [mL/min/kg]"


@lru_cache(maxsize=4096)
def parse_unit(text: str) -> Unit:
    """Read a unit, brackets left off.

    Parameters
    ----------
    text : str
        Words joined by ``*`` or ``.`` or a blank, ``/`` for division (each slash divides by the next
        word only), ``^`` with an exact decimal exponent; ``1`` for dimensionless.

    Raises
    ------
    UnitError
        For an unknown word or a text that is no unit.
    """
    if len(text) > MOST_CHARACTERS:
        raise UnitError(
            f"this unit has more than {MOST_CHARACTERS} characters", "write for example [mL/min/kg^0.75]"
        )
    body = text.replace("µ", "u").replace("μ", "u").strip()
    factor, dimension, offset = Fraction(1), ONE, Fraction(0)
    sign, expect, position, words = 1, True, 0, 0
    while position < len(body):
        match = _TOKEN.match(body, position)
        if not match:
            raise UnitError(f"'{text}' is not a unit", "write for example [mL/min/kg^0.75]")
        position = match.end()
        if match["op"]:
            if expect or match["op"] not in "*/.":
                raise UnitError(f"'{text}' is not a unit", "write for example [mL/min/kg^0.75]")
            sign, expect = (-1 if match["op"] == "/" else 1), True
            continue
        if not expect:
            sign = 1  # a blank between words multiplies
        if match["number"]:
            if match["number"] != "1":
                raise UnitError(
                    f"the number {match['number']} has no place in the unit '{text}'",
                    "write the number in front of the brackets",
                )
            f, d, o = Fraction(1), ONE, Fraction(0)
        else:
            f, d, o = _word(match["word"])
            words += 1
        power, position = _exponent(body, position, text)
        factor *= _root(f, sign * power, text)
        dimension = dimension * d ** (sign * power)
        offset += o
        expect = False
    if expect:
        raise UnitError(
            f"'{text}' is not a unit" if body else "the unit is empty",
            "write for example [mL/min], or [1] for dimensionless",
        )
    if offset and (words > 1 or dimension != TEMPERATURE):
        # A temperature difference in a compound unit is in kelvin; degC would be ambiguous there.
        raise UnitError(f"degC cannot be part of '{text}'", "write K for a temperature difference")
    return Unit(text.strip(), factor, dimension, offset)


def _exponent(body: str, position: int, text: str) -> tuple[Fraction, int]:
    match = re.compile(r"\s*(?:\^|\*\*)\s*(-?\d+(?:\.\d+)?)").match(body, position)
    if not match:
        return Fraction(1), position
    power = Fraction(match[1])
    if abs(power) > HIGHEST_POWER or power.denominator > 10**6:
        raise UnitError(
            f"the power {match[1]} in '{text}' cannot be computed with",
            f"powers lie between -{HIGHEST_POWER} and {HIGHEST_POWER} and have at most 6 decimals",
        )
    return power, match.end()


def _root(value: Fraction, power: Fraction, text: str) -> Fraction:
    if power.denominator == 1:
        return value**power.numerator
    # kg^0.75 is exact because kg is canonical; [g^0.75] has an irrational factor, kept to 30 digits.
    if value == 1:
        return value
    from decimal import Decimal, localcontext

    with localcontext() as context:
        context.prec = 40
        base = Decimal(value.numerator) / Decimal(value.denominator)
        return Fraction(base ** (Decimal(power.numerator) / Decimal(power.denominator)))
