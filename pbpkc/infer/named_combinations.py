"""Determined combinations as a reader sees them: a formula, a value with its unit, an interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.combinations import Group, determined_directions, find_combinations, simple_exponents
from pbpkc.infer.transform import ParameterSpace
from pbpkc.language.units import ONE, Dimension, canonical_unit

Array = NDArray[np.float64]

# A sum with fitted weights takes the place of a product with whole exponents when it is determined this
# many times better.
_MUCH_BETTER = 3.0

#: Parameters of a combination that are shown to a reader; all of them stand in its `weights`.
MOST_SHOWN = 3

_TIME = 3  # index of time in a dimension's exponents


@dataclass(frozen=True)
class Combination:
    """A product of powers, or a sum, that the data determine.

    Products and quotients are of log-scale parameters, small whole exponents where such are determined.
    Sums are of natural-scale parameters; and of log-scale ones of one dimension that act side by side, as
    two pathways of one elimination: what is determined then is their sum with certain weights.

    Parameters
    ----------
    text : str
        ``vmax / km``.
    kind : {"product", "sum"}
    weights : tuple of (str, float)
        Exponents of a product, factors of a sum.
    estimate : float
        In `unit`.
    unit : str
        Of a sum that of its leading parameter; of a product canonical units.
    standard_error : float
        Relative (of the logarithm) for log-scale parameters, in `unit` for natural-scale ones.
    ci_low, ci_high : float
        95 % Wald interval on that scale (delta method), in `unit`.
    relative_error : float
        Standard error as a part of the estimate (of the logarithm for log-scale parameters).
    beside : str
        The same parameters with other exponents: plain ones beside broken ones, so that a reader sees what is
        known of a quotient itself; the data's own beside whole ones that are much less well determined; else
        empty.
    beside_error : float
        Its relative standard error; nan where the data leave it free.
    """

    text: str
    kind: str
    weights: tuple[tuple[str, float], ...]
    estimate: float
    unit: str
    standard_error: float
    ci_low: float
    ci_high: float
    relative_error: float = math.nan
    beside: str = ""
    beside_error: float = math.nan

    @property
    def leading(self) -> str:
        """All of it where it is short, else its first part by weight: more than a few cannot be read."""
        if len(self.weights) <= MOST_SHOWN:
            return self.text
        first = sorted(range(len(self.weights)), key=lambda i: (-abs(self.weights[i][1]), i))[:MOST_SHOWN]
        names, factors = zip(*(self.weights[i] for i in sorted(first)), strict=True)
        return (product_text if self.kind == "product" else sum_text)(list(names), list(factors))


def name_combinations(
    group: Group, space: ParameterSpace, theta: Array, quantile: float, inflation: float, limit: float
) -> list[Combination]:
    """What the data determine of a group of parameters beyond single ones.

    Parameters
    ----------
    group : Group
        All on a log scale, or all on a natural scale and of one dimension.
    space : ParameterSpace
    theta : array, shape (k,)
        Estimates, canonical units.
    quantile : float
        Behind 95 % intervals.
    inflation : float
        Factor on variances.
    limit : float
        Largest relative bound that counts as determined.
    """
    whole = find_combinations(group, limit)

    def error(weights: Array) -> float:
        return math.sqrt(float(group.spread.variances(weights)[0]) * inflation)

    if group.theta is not None:
        return [_natural_sum(space, theta, weights, error(weights), quantile) for weights in whole]
    real = determined_directions(group, limit)
    if real and _side_by_side(space, real[0]):
        size = float(np.sum(np.abs(real[0])))
        best = min((error(w) / float(np.sum(np.abs(w))) for w in whole), default=math.inf)
        if _MUCH_BETTER * error(real[0]) / size < best:
            return [_log_sum(space, theta, real[0], error(real[0]) / size, quantile)]
    real = simple_exponents(real, group.spread)
    products = [_product(space, theta, weights, error(weights), quantile) for weights in whole or real]
    others = [_beside(weights, whole, real, error) for weights in whole or real]
    return [
        replace(one, beside=_text(space, other), beside_error=error(other))
        if other is not None and _text(space, other) != one.text
        else one
        for one, other in zip(products, others, strict=True)
    ]


def _beside(
    weights: Array, whole: list[Array], real: list[Array], error: Callable[[Array], float]
) -> Array | None:
    """Other exponents of the same parameters that tell a reader more; see `Combination`."""
    if not whole:
        plain = np.sign(weights)
        return None if np.array_equal(plain, weights) else plain
    for other in real:
        same = np.array_equal(np.sign(other), np.sign(weights)) or np.array_equal(
            np.sign(-other), np.sign(weights)
        )
        if same and _MUCH_BETTER * error(other) < error(weights) / float(np.max(np.abs(weights))):
            return other
    return None


def _side_by_side(space: ParameterSpace, weights: Array) -> bool:
    """Whether a direction moves parameters of one dimension all to the same side."""
    involved = np.flatnonzero(np.round(weights, 3))
    dimensions = {space.parameters[i].unit.dimension for i in involved}
    return len(involved) > 1 and len(dimensions) == 1 and bool(np.ptp(np.sign(weights[involved])) == 0.0)


#: An exponent below this share of the largest changes a product by less than its interval shows.
_NOTHING = 0.02


def _product(
    space: ParameterSpace, theta: Array, weights: Array, error: float, quantile: float
) -> Combination:
    involved, powers = _powers(space, weights)
    whole = all(power.is_integer() for power in powers)
    names = [space.parameters[i].name for i in involved]
    centre = float(np.dot(powers, np.log(theta[involved])))
    if whole:
        dimension = ONE
        for i, power in zip(involved, powers, strict=True):
            dimension = dimension * space.parameters[i].unit.dimension ** int(power)
        unit = canonical_unit(dimension).text
    else:
        # Fractional powers of kilograms and litres in one text would hide where each comes from.
        unit = product_text([f"({_canonical(space.parameters[i].unit.dimension)})" for i in involved], powers)
    return Combination(
        product_text(names, powers),
        "product",
        tuple(zip(names, powers, strict=True)),
        _exp(centre),
        unit,
        error,
        _exp(centre - quantile * error),
        _exp(centre + quantile * error),
        error,
    )


def _powers(space: ParameterSpace, weights: Array) -> tuple[list[int], list[float]]:
    """The parameters of a product, and their exponents as they are written.

    Real exponents are given to three decimals, and those that are nothing beside the largest are left out;
    the bound is that of the whole direction.
    """
    shown = np.round(np.where(np.abs(weights) < _NOTHING * np.max(np.abs(weights)), 0.0, weights), 3)
    involved = [int(i) for i in np.flatnonzero(shown)]
    powers = [float(shown[i]) for i in involved]
    time = sum(
        space.parameters[i].unit.dimension.powers[_TIME] * power
        for i, power in zip(involved, powers, strict=True)
    )
    # A rate rather than its inverse; otherwise what was declared first stands above the line.
    if time > 0 or (time == 0 and (sum(powers), powers[0]) < (0.0, 0.0)):
        powers = [-power for power in powers]
    return involved, powers


def _text(space: ParameterSpace, weights: Array) -> str:
    involved, powers = _powers(space, weights)
    return product_text([space.parameters[i].name for i in involved], powers)


def _log_sum(
    space: ParameterSpace, theta: Array, weights: Array, error: float, quantile: float
) -> Combination:
    """The sum of c_i theta_i whose relative change is that of a direction, the sum of w_i ln(theta_i)."""
    involved = [int(i) for i in np.flatnonzero(np.round(weights, 3))]
    first = max(involved, key=lambda i: abs(float(weights[i])))
    factors = [float(f"{weights[i] / weights[first] * theta[first] / theta[i]:.3g}") for i in involved]
    names = [space.parameters[i].name for i in involved]
    unit = space.parameters[first].unit
    value = float(np.dot(factors, theta[involved])) / float(unit.factor)
    return Combination(
        sum_text(names, factors),
        "sum",
        tuple(zip(names, factors, strict=True)),
        value,
        unit.text,
        error,
        value * _exp(-quantile * error),
        value * _exp(quantile * error),
        error,
    )


def _natural_sum(
    space: ParameterSpace, theta: Array, weights: Array, error: float, quantile: float
) -> Combination:
    involved = [int(i) for i in np.flatnonzero(weights)]
    factors = [float(weights[i]) for i in involved]
    if factors[0] < 0.0:
        factors = [-factor for factor in factors]
    names = [space.parameters[i].name for i in involved]
    unit = space.parameters[involved[0]].unit
    scale = float(unit.factor)
    value = float(np.dot(factors, theta[involved])) / scale
    return Combination(
        sum_text(names, factors),
        "sum",
        tuple(zip(names, factors, strict=True)),
        value,
        unit.text,
        error / scale,
        value - quantile * error / scale,
        value + quantile * error / scale,
        abs(error / scale / value) if value != 0.0 else math.nan,
    )


def _canonical(dimension: Dimension) -> str:
    return canonical_unit(dimension).text


def _exp(value: float) -> float:
    return math.exp(value) if value < 700.0 else math.nan


def product_text(names: list[str], exponents: list[float]) -> str:
    """``a * b^2 / c`` for names and exponents."""
    powers = [n if abs(e) == 1.0 else f"{n}^{abs(e):g}" for n, e in zip(names, exponents, strict=True)]
    top = [text for text, e in zip(powers, exponents, strict=True) if e > 0.0]
    bottom = [text for text, e in zip(powers, exponents, strict=True) if e < 0.0]
    return " / ".join([" * ".join(top) or "1", *bottom])


def sum_text(names: list[str], factors: list[float]) -> str:
    """``a - 2 * b`` for names and factors."""
    text = ""
    for name, factor in zip(names, factors, strict=True):
        term = name if abs(factor) == 1.0 else f"{abs(factor):g} * {name}"
        sign = ("- " if factor < 0.0 else "+ ") if text else ("-" if factor < 0.0 else "")
        text += (" " if text else "") + sign + term
    return text
