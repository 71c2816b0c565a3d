"""Positive functions of one argument with coefficients: what every learned form is made of.

A growth function is ``z(c) = w(c) * exp(E(c))`` with ``w = (c - low) / (high - low)``, scaled to 1 at a
reference point. It is 0 at the lower end of the argument's range and positive above it, for any
coefficients. Its slope in logarithmic coordinates, d ln z / d ln w, is

    s(x) = 1 + sum_k (s_k - 1) B_k(x),   x = ln max(w, floor),

with quadratic B-splines B_k on equal knots from ln(floor) to the upper end; the last one stays at 1. Below
the floor s = 1, so z starts in proportion to the argument and has a finite slope at 0, which ``c^n`` with n
< 1 has not. Between knots s is a weighted mean of neighbouring s_k: where all are positive z rises. Linear
and power laws have a constant s, Michaelis-Menten and Hill laws a sigmoid one, so that few knots reach far.
With seven, the best curve is off by at most 0.04 % (Michaelis-Menten), 0.08 % (Hill laws up to order 2) and
0 (power laws) where the whole range is visited, 0.3 % for the square root where only a tenth of it is.

E is the integral of s - 1 by x, a piecewise cubic, written as a sum of ``(x - knot)^3`` above each knot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.compiler.missing.algebra import applied, minus, number, over, plus, power, times, where
from pbpkc.compiler.missing.declared import REFERENCE
from pbpkc.compiler.missing.form import Coefficient
from pbpkc.language.expression import Expr, Name
from pbpkc.language.model import Argument, Mask, Prior
from pbpkc.language.units import ONE, parse_unit

Array = NDArray[np.float64]

#: Smallest fraction of an argument's range at which a form is more than proportional to it.
FLOOR = 5e-4

#: Slopes in logarithmic coordinates stay below this, so that no coefficients overflow a power of z (with up
#: to three arguments). A slope s is written as ``p / (1 + p / 6)``, and the coefficients make p.
STEEPEST = 6.0

#: Spread of the priors: of the logarithm of the first slope, of the change of that logarithm along a unit of
#: x, and of the change of that change. The last makes a curve smooth. Michaelis-Menten and power laws are
#: found best with 0.2 to 0.4, Hill laws, which bend sharply, with 1 (see `pbpkc.jobs.discover_study`): with
#: more the curve follows the noise, with less it misses where a law bends, and its band does not know it.
#: Per unit and not per knot, so that the count decides the resolution only.
FIRST_SPREAD = 1.0
BEND_SPREAD = 1.0
TURN_SPREAD = 0.5

#: Bounds of the factors by which the slope changes.
_FIRST_BOUNDS = 0.02, 50.0
_BEND_BOUNDS = 0.1, 10.0

# Without a direction slopes change by differences: spreads and bounds of those.
_FIRST_DIFFERENCE = 1.0
_DIFFERENCE_SPREAD = 0.6
_TURN_DIFFERENCE = 0.4
_DIFFERENCE_BOUND = 6.0

#: How steep the start of a form may be made by a default.
_START_SLOPE = 0.05, 4.0


@dataclass(frozen=True)
class Growth:
    """One factor of a form.

    Parameters
    ----------
    coefficients : tuple of Coefficient
    fixed, steps : tuple of (name, Expr)
        As of a `Form`.
    value : Expr
        The factor, 1 at the reference point of the argument.
    """

    coefficients: tuple[Coefficient, ...]
    fixed: tuple[tuple[str, Expr], ...]
    steps: tuple[tuple[str, Expr], ...]
    value: Expr


def knots(count: int) -> Array:
    """Where the B-splines begin, in x; the last one reaches 1 half a step beyond the upper end.

    Ending it there would hold the slope still just below the end, where a law may still bend.
    """
    begin = math.log(FLOOR)
    return np.array([begin * (1.0 - k / (count + 0.5)) for k in range(count + 2)])


def growth(
    argument: Argument, count: int, sign: int, vanishing: bool, seen: Array | None, tag: str = ""
) -> Growth:
    """A factor that depends on one argument.

    Parameters
    ----------
    argument : Argument
    count : int
        Number of coefficients.
    sign : int
        +1: it rises, -1: it falls, 0: either.
    vanishing : bool
        Whether it is 0 at the lower end of the argument.
    seen : ndarray, shape (count,), optional
        Slopes d ln z / d ln w to start from; a plain curve where left out.
    tag : str
        Behind the names, to keep arguments apart.
    """
    base = 1.0 if vanishing else 0.0
    start = np.full(count, base) if seen is None else np.asarray(seen, dtype=float)
    coefficients, fixed = _slopes(count, sign, vanishing, start, tag)
    lower, width = argument.low, argument.high - argument.low
    dimension = argument.unit.dimension
    fraction = over(minus(Name(dimension, argument.name), number(lower, dimension)), number(width, dimension))
    x = Name(ONE, f"x{tag}")
    steps: list[tuple[str, Expr]] = [
        (f"w{tag}", fraction),
        (f"x{tag}", applied("ln", applied("max", Name(ONE, f"w{tag}"), number(FLOOR)))),
    ]
    places = knots(count)
    weights = [Name(ONE, f"d{tag}{m + 1}") for m in range(len(places))]
    fixed = (*fixed, *_weights(count, base, places[1] - places[0], tag))
    # A condition and not max(0, x - knot): sympy takes seconds over a maximum of long expressions.
    terms = [
        times(w, where(x, number(float(at)), number(0.0), power(minus(x, number(float(at))), 3)))
        for w, at in zip(weights, places, strict=True)
    ]
    reference = math.log(REFERENCE)
    there = [
        times(w, number(max(0.0, reference - float(at)) ** 3))
        for w, at in zip(weights, places, strict=True)
        if reference > at
    ]
    fixed = (*fixed, (f"e{tag}", plus(*there)))
    steps.append((f"g{tag}", applied("exp", minus(plus(*terms), Name(ONE, f"e{tag}")))))
    value: Expr = Name(ONE, f"g{tag}")
    if vanishing:
        value = times(over(Name(ONE, f"w{tag}"), number(REFERENCE)), value)
    return Growth(coefficients, fixed, tuple(steps), value)


def _slopes(
    count: int, sign: int, vanishing: bool, start: Array, tag: str
) -> tuple[tuple[Coefficient, ...], tuple[tuple[str, Expr], ...]]:
    """Coefficients of the slopes s_k, and the slopes as definitions ``s1``, ``s2``, ...

    The first coefficient is the first slope, the second its change to the next knot, the others are changes
    of that change: of logarithms where the curve has a direction, of the slopes themselves where it has none.
    """
    step = float(np.diff(knots(count))[0])
    # A factor that does not vanish has s = 0 below the floor: its first slope is a coefficient of its own.
    begin = (1.0 if vanishing else 0.25) if sign else (1.0 if vanishing else 0.0)
    found = _of_direction(count, sign, begin, start, step) if sign else _of_none(count, begin, start, step)
    unit = parse_unit("1")
    coefficients: list[Coefficient] = []
    fixed: list[tuple[str, Expr]] = []
    change: Expr = number(1.0 if sign else 0.0)
    whole: Expr = number(begin)
    for k, (mask, first) in enumerate(found, start=1):
        name = f"bend{tag}{k}"
        coefficients.append(Coefficient(name, unit, mask, first, _DOCS[min(k, 3)]))
        here: Expr = Name(ONE, name)
        if k > 1:
            here = change = times(change, here) if sign else plus(change, here)
        if k > 2:
            fixed.append((f"r{tag}{k}", change))
            here = change = Name(ONE, f"r{tag}{k}")
        fixed.append((f"p{tag}{k}", times(whole, here) if sign else plus(whole, here)))
        whole = Name(ONE, f"p{tag}{k}")
        size = plus(number(1.0), over(whole, number(STEEPEST)))
        if not sign:
            size = power(plus(number(1.0), power(over(whole, number(STEEPEST)), 2)), 0.5)
        slope = over(whole, size)
        fixed.append((f"s{tag}{k}", times(number(-1.0), slope) if sign < 0 else slope))
    return tuple(coefficients), tuple(fixed)


_DOCS = (
    "",
    "slope in logarithms at the first knot",
    "change of the slope to the second knot",
    "change of the slope's change at a knot",
)


def _of_direction(count: int, sign: int, begin: float, start: Array, step: float) -> list[tuple[Mask, float]]:
    """Masks and starts of factors of a slope that keeps its sign."""
    wanted = np.clip(sign * start, *_START_SLOPE)
    logs = np.log(wanted / (1.0 - wanted / STEEPEST) / begin)
    spreads = FIRST_SPREAD, BEND_SPREAD * step, *[TURN_SPREAD * step**1.5] * (count - 2)
    found = []
    for k, (value, spread) in enumerate(zip(_changes(logs), spreads, strict=True)):
        low, high = _BEND_BOUNDS if k else _FIRST_BOUNDS
        first = float(np.clip(math.exp(value), 1.01 * low, 0.99 * high))
        prior = Prior("lognormal", {"median": first, "sdlog": spread})
        found.append((Mask(prior, low, high, "log", True), first))
    return found


def _of_none(count: int, begin: float, start: Array, step: float) -> list[tuple[Mask, float]]:
    """Masks and starts of differences of a slope of either sign."""
    wanted = np.clip(start, -_START_SLOPE[1], _START_SLOPE[1])
    slopes = wanted / np.sqrt(1.0 - (wanted / STEEPEST) ** 2) - begin
    spreads = _FIRST_DIFFERENCE, _DIFFERENCE_SPREAD * step, *[_TURN_DIFFERENCE * step**1.5] * (count - 2)
    found = []
    for value, spread in zip(_changes(slopes), spreads, strict=True):
        first = float(np.clip(value, -0.9 * _DIFFERENCE_BOUND, 0.9 * _DIFFERENCE_BOUND))
        prior = Prior("normal", {"mean": first, "sd": spread})
        found.append((Mask(prior, -_DIFFERENCE_BOUND, _DIFFERENCE_BOUND, "natural", True), first))
    return found


def _changes(values: Array) -> list[float]:
    """The first value, its change to the second, and the changes of the change."""
    found: list[float] = [*values[:1].tolist(), *np.diff(values)[:1].tolist(), *np.diff(values, 2).tolist()]
    return found


def _weights(count: int, base: float, step: float, tag: str) -> list[tuple[str, Expr]]:
    """Weights of ``max(0, x - knot)^3`` in E, from the slopes.

    A quadratic B-spline is the third difference of truncated squares over 2 h^2, its integral that of
    truncated cubes over 6 h^2; the last one, which stays at 1, is the second difference.
    """
    excess = [minus(Name(ONE, f"s{tag}{k + 1}"), number(base)) for k in range(count)]
    found: list[tuple[str, Expr]] = []
    for m in range(count + 2):
        terms = []
        for k in range(count):
            order = (1.0, -2.0, 1.0) if k == count - 1 else (1.0, -3.0, 3.0, -1.0)
            if 0 <= m - k < len(order):
                terms.append(times(number(order[m - k] / (6.0 * step**2)), excess[k]))
        found.append((f"d{tag}{m + 1}", plus(*terms)))
    return found
