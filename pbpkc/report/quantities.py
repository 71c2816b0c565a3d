"""Numbers, intervals and units as readers see them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from pbpkc.infer.profile_result import Profile
from pbpkc.infer.result import EstimateRow, SubjectFit

#: What stands where there is no number.
NOTHING = "–"

_RAISED = str.maketrans("0123456789-.", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻˙")
_MINUS = "−"
# An interval from 10⁻⁷ to 10¹⁴ is no news beyond this.
_WIDEST = 1e4
# A blank at which no line ends.
_TIE = "\u00a0"


def plain_number(value: float, digits: int = 4) -> str:
    """A number to so many digits, without zeros at its end: ``1.5``, ``0.04``, ``2.1·10⁻⁶``."""
    return _written(value, digits, zeros=False)


def figures(value: float, digits: int = 4) -> str:
    """A number to so many significant digits, all of them shown: ``1.500``, ``0.04000``."""
    return _written(value, digits, zeros=True)


def _written(value: float, digits: int, zeros: bool) -> str:
    if not math.isfinite(value):
        return NOTHING
    if value == 0.0:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    size = int(exponent)
    if -5 <= size < 6:
        # Digits before the point are all shown: 123456, never 123500.
        text = f"{value:.{max(0, digits - 1 - size)}f}"
        return (text if zeros else _short(text)).replace("-", _MINUS)
    power = f"10{str(size).translate(_RAISED)}"
    shown = mantissa if zeros else _short(mantissa)
    return (power if shown == "1" else f"{shown}·{power}").replace("-", _MINUS)


def _short(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def interval(low: float, high: float, digits: int = 3) -> str:
    """``1.31 to 2.42``; nothing where an end is missing, and words where the ends say nothing."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return NOTHING
    if 0.0 < low < high / _WIDEST:
        return "wider than 10,000-fold"
    return f"{figures(low, digits)} to {figures(high, digits)}"


def wald(row: EstimateRow) -> str:
    """The interval of an estimate by its standard error, and which bound of the parameter it crosses."""
    text = interval(row.ci_low, row.ci_high)
    if row.ci_beyond == "no" or not any(character.isdigit() for character in text[:2]):
        return text
    return f"{text}, beyond its {'bounds' if row.ci_beyond == 'both' else f'{row.ci_beyond} bound'}"


def of_whom(fit: SubjectFit) -> str:
    """``Subject 3``, or ``All subjects together``."""
    return "All subjects together" if fit.members else f"Subject {fit.id}"


def profile_words(profile: Profile, write: Callable[[float], str] | None = None) -> str:
    """The interval of a profile: ``1.31 to 2.42``, ``at least 1.31``, ``open on both sides``.

    A side that could not be followed is told apart: ``from 1.31, not followed above 1.9``.

    Parameters
    ----------
    profile : Profile
    write : callable, optional
        Writes a number; `figures` to three digits if left out.
    """
    number = write or (lambda value: figures(value, 3))
    below, above = profile.below, profile.above
    low, high = number(profile.low), number(profile.high)
    if below == above == "end":
        return f"{low} to {high}"
    if below == above == "open":
        return "open on both sides"
    words = []
    if below == "end":
        words.append(f"at least {low}" if above == "open" else f"from {low}")
    elif above == "end":
        words.append(f"at most {high}" if below == "open" else f"to {high}")
    else:
        words += ["open below"] * (below == "open") + ["open above"] * (above == "open")
    if below == "lost":
        words.append(f"not followed below {number(profile.points[0].value)}")
    if above == "lost":
        words.append(f"not followed above {number(profile.points[-1].value)}")
    return ", ".join(words)


def percent(fraction: float) -> str:
    """``12 %``, ``1300 %``: two digits."""
    if not math.isfinite(fraction):
        return NOTHING
    return f"{plain_number(float(f'{100.0 * fraction:.2g}'), 3)}{_TIE}%"


def unit_text(unit: str) -> str:
    """A unit as plain text: ``umol/L`` as ``µmol/L``, powers raised; nothing for ``1``."""
    if unit == "1":
        return ""
    greek = re.sub(r"\bu(?=(?:mol|g|L|m|M)\b)", "µ", unit)
    return re.sub(r"\^(-?\d+(?:\.\d+)?)", lambda m: m.group(1).translate(_RAISED), greek).replace("*", "·")


def with_unit(text: str, unit: str) -> str:
    """A number with its unit behind it: ``1.5 mg/L``, ``1.6 /h``."""
    shown = unit_text(unit)
    return f"{text}{_TIE}{shown.removeprefix('1') if shown.startswith('1/') else shown}" if shown else text


def bracketed(name: str, unit: str) -> str:
    """A name with its unit, for an axis or the head of a column: ``Cp [mg/L]``."""
    shown = unit_text(unit)
    return f"{name} [{shown}]" if shown else name


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 subject``, ``12 subjects``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def listed(words: list[str], most: int = 12) -> str:
    """``a``, ``a and b``, ``a, b and c``; a long list is cut and says so."""
    if len(words) > most:
        return f"{', '.join(words[: most - 1])} and {len(words) - most + 1} more"
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
