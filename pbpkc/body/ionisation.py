"""How a drug ionises in water of a given pH.

Only ``+ - * / **`` are applied to pKa values, so that they may be numbers or symbolic objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, TypeAlias

#: A number, or a symbolic object or array with ``+ - * / **``. No protocol holds for float and sympy alike,
#: so the type checker is told nothing; numbers are checked when they are used.
Quantity: TypeAlias = Any

#: Where a base begins to count as moderate to strong (Rodgers, Leahy & Rowland 2005).
STRONG_BASE_PKA = 7.0

#: Outside this range a pKa is a typing error, and powers of ten of it leave the range of a float.
PKA_RANGE = (-30.0, 60.0)


@dataclass(frozen=True)
class Ionisation:
    """The ionisable groups of a drug. Without any, the drug is neutral.

    Parameters
    ----------
    acids, bases : tuple
        pKa of each acid (neutral to anion) and of each base (cation to neutral), in any order. An element is
        a number or a symbolic object. `float` is applied to it only to put several of one kind in order and
        to find bases with pKa >= 7: a symbolic acid that stands alone needs no value, a symbolic base does
        (an object that `float` accepts).

    Raises
    ------
    TypeError
        If `acids` or `bases` is not a tuple, or an element is a text or None.
    ValueError
        If a number is outside -30 to 60.

    Examples
    --------
    >>> Ionisation(acids=(9.46,), bases=()).binds_acidic_phospholipids
    False
    """

    acids: tuple[Quantity, ...] = ()
    bases: tuple[Quantity, ...] = ()

    def __post_init__(self) -> None:
        for kind, values in (("acids", self.acids), ("bases", self.bases)):
            if not isinstance(values, tuple):
                raise TypeError(f"{kind}={values!r} is a {type(values).__name__}; a tuple of pKa is accepted")
            for i, pka in enumerate(values):
                if pka is None or isinstance(pka, (str, bytes)):
                    raise TypeError(
                        f"{kind}[{i}]={pka!r} is no pKa; a number or a symbolic object is accepted"
                    )
                low, high = PKA_RANGE
                if isinstance(pka, Real) and not low <= float(pka) <= high:
                    raise ValueError(f"{kind}[{i}]={pka!r} is no pKa; accepted: {low:g} to {high:g}")

    @property
    def is_neutral(self) -> bool:
        """Whether the drug has no ionisable group."""
        return not self.acids and not self.bases

    @property
    def binds_acidic_phospholipids(self) -> bool:
        """Whether at least one base has pKa >= 7, so that its cation is common at the pH of cells.

        True for the moderate-to-strong bases of Rodgers, Leahy & Rowland 2005 and for the zwitterions of
        Rodgers & Rowland 2006 with such a group. Only then a prediction reads `bp` and `hematocrit`.

        Raises
        ------
        ValueError
            If a base has no numeric value.
        """
        return any(_value("bases", i, pka) >= STRONG_BASE_PKA for i, pka in enumerate(self.bases))


def cations_per_neutral(ionisation: Ionisation, ph: float) -> Quantity:
    """Concentration of all cations over that of the neutral form, in water of this pH.

    Sum over k of 10^(pKa_1 + ... + pKa_k - k pH), the bases' pKa from the highest down: one proton more with
    each term. 0 for a drug without a base.

    Raises
    ------
    ValueError
        If one of several bases has no numeric value.

    References
    ----------
    Rodgers & Rowland (2006) J Pharm Sci 95:1238-1257, X and Y of mono- and diprotic bases and zwitterions,
    by the equation of Henderson and Hasselbalch. More than two groups of a kind continue the same sum.
    """
    return _protonation_sum(_ordered("bases", ionisation.bases, descending=True), ph, sign=1)


def anions_per_neutral(ionisation: Ionisation, ph: float) -> Quantity:
    """Concentration of all anions over that of the neutral form, in water of this pH.

    Sum over k of 10^(k pH - pKa_1 - ... - pKa_k), the acids' pKa from the lowest up. 0 without an acid.

    Raises
    ------
    ValueError
        If one of several acids has no numeric value.

    References
    ----------
    As `cations_per_neutral`.
    """
    return _protonation_sum(_ordered("acids", ionisation.acids, descending=False), ph, sign=-1)


def total_per_neutral(ionisation: Ionisation, ph: float) -> Quantity:
    """Concentration of all forms of a drug over that of its neutral form, in water of this pH.

    1 + cations + anions: X at the pH of cells and Y at that of plasma, as Rodgers & Rowland write them with
    the leading 1. An ampholyte has one net neutral form, its zwitterion included.

    Raises
    ------
    ValueError
        If one of several acids, or of several bases, has no numeric value.
    """
    return 1 + cations_per_neutral(ionisation, ph) + anions_per_neutral(ionisation, ph)


def _protonation_sum(pkas: Sequence[Quantity], ph: float, sign: int) -> Quantity:
    total: Quantity = 0
    exponent: Quantity = 0
    for pka in pkas:
        exponent = exponent + sign * (pka - ph)
        total = total + 10**exponent
    return total


def _ordered(kind: str, pkas: tuple[Quantity, ...], *, descending: bool) -> Sequence[Quantity]:
    if len(pkas) < 2:  # a single symbolic pKa needs no value
        return pkas
    values = [_value(kind, i, pka) for i, pka in enumerate(pkas)]
    order = sorted(range(len(pkas)), key=values.__getitem__, reverse=descending)
    return [pkas[i] for i in order]


def _value(kind: str, i: int, pka: Quantity) -> float:
    try:
        return float(pka)
    except (TypeError, ValueError):
        raise ValueError(
            f"{kind}[{i}]={pka!r} has no numeric value; accepted: a number or an object float() accepts; "
            f"the order of several pKa, and pKa >= {STRONG_BASE_PKA:g} of a base, choose the equation"
        ) from None
