"""Units: which words there are, what each is worth, and how they combine.

Which words exist is decided here, so that ``[C]`` is an error and not coulomb. A `Unit` is its text, its
exact factor to the canonical set and its dimension.

The canonical set is umol, L, h, kg, K, so a length is counted in dm and the factor of ``[mg]`` is
``1/10**6``. ``ppm`` and ``IU`` are dimensions of their own: nothing converts them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

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
    "Da": "g/mol",
    "kDa": "kg/mol",
    "dalton": "g/mol",
    "Dalton": "g/mol",
}

# Of these, the words that mean something else elsewhere: coulomb, are, megagram.
_AMBIGUOUS = ("C", "a", "Mg")

_TOKEN = re.compile(r"\s*(?:(?P<word>[A-Za-z%]+)|(?P<number>\d+(?:\.\d+)?)|(?P<op>\*\*|[*/^.\-]))")


#: Units longer than this, and powers higher than this, are mistakes; and traps for exact arithmetic.
MOST_CHARACTERS = 100
HIGHEST_POWER = 99


class UnitError(ValueError):
    """A unit text that means nothing here; `help` says what to write.

    `word` is the part of the text that is wrong and `instead` what to write for it, where that is known;
    `safe` says that nothing else can have been meant.
    """

    def __init__(
        self, message: str, help: str | None = None, word: str = "", instead: str = "", safe: bool = False
    ) -> None:
        super().__init__(message)
        self.help = help
        self.word, self.instead, self.safe = word, instead, safe


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
PRESSURE = MASS / LENGTH / TIME**2

_PREFIXES = {
    "k": Fraction(10**3),
    "d": Fraction(1, 10),
    "c": Fraction(1, 10**2),
    "m": Fraction(1, 10**3),
    "u": Fraction(1, 10**6),
    "n": Fraction(1, 10**9),
    "p": Fraction(1, 10**12),
    "f": Fraction(1, 10**15),
}

# 1 Pa = 1 kg/m/s^2, in kg, dm and h.
_PASCAL = Fraction(3600**2, 10)

# Words, the prefixes that each takes, its factor without one, and its dimension. Definitions: BIPM, The
# International System of Units, 9th ed. 2019. A year has 365.25 days and twelve months (Julian year, IAU);
# a conventional millimetre of mercury is 13 595.1 kg/m3 times 9.806 65 m/s2 times 1 mm; an atmosphere is
# 101 325 Pa.
_DEFINITIONS: tuple[tuple[str, str, Fraction, Dimension], ...] = (
    ("m", "kdcmun", Fraction(10), LENGTH),
    ("g", "kmunp", Fraction(1, 10**3), MASS),
    ("mol", "kmunpf", Fraction(10**6), AMOUNT),
    ("L", "kdcmunp", Fraction(1), VOLUME),
    ("s", "m", Fraction(1, 3600), TIME),
    ("min", "", Fraction(1, 60), TIME),
    ("h", "", Fraction(1), TIME),
    ("d", "", Fraction(24), TIME),
    ("day", "", Fraction(24), TIME),
    ("week", "", Fraction(7 * 24), TIME),
    ("month", "", Fraction("365.25") * 24 / 12, TIME),
    ("year", "", Fraction("365.25") * 24, TIME),
    ("K", "", Fraction(1), TEMPERATURE),
    ("degC", "", Fraction(1), TEMPERATURE),
    ("M", "munp", Fraction(10**6), CONCENTRATION),
    ("Pa", "k", _PASCAL, PRESSURE),
    ("bar", "m", 10**5 * _PASCAL, PRESSURE),
    ("mmHg", "", Fraction("13595.1") * Fraction("9.80665") / 1000 * _PASCAL, PRESSURE),
    ("atm", "", 101_325 * _PASCAL, PRESSURE),
    ("%", "", Fraction(1, 100), ONE),
    ("ppm", "", Fraction(1), _base("ppm")),
    ("IU", "", Fraction(1), _base("IU")),
)

#: Every unit word the language knows, with its exact factor to canonical units and its dimension.
WORDS: dict[str, tuple[Fraction, Dimension]] = {
    prefix + word: (factor * _PREFIXES.get(prefix, Fraction(1)), dimension)
    for word, prefixes, factor, dimension in _DEFINITIONS
    for prefix in ("", *prefixes)
}


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


@lru_cache(maxsize=1000)
def canonical_unit(dimension: Dimension) -> Unit:
    """The canonical unit of a dimension."""
    return Unit(canonical_text(dimension), Fraction(1), dimension)


def measured(number: str, unit: str) -> str:
    """A written number with its unit for a sentence: ``1.5 mg/L``; alone where it is a plain number."""
    return number if unit == "1" else f"{number} {unit}"


def _word(word: str) -> tuple[Fraction, Dimension, Fraction]:
    """Factor, dimension and offset of a unit word."""
    if word not in WORDS:
        mistake = _MISTAKES.get(word)
        raise UnitError(
            f"'{word}' is not a unit of the language",
            _known_units(word) if mistake is None else f"write [{mistake}]",
            word,
            mistake or similar(word, WORDS) or "",
            mistake is not None and word not in _AMBIGUOUS,
        )
    return *WORDS[word], Fraction("273.15") if word == "degC" else Fraction(0)


def _known_units(word: str) -> str:
    near = similar(word, WORDS)
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
