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

#: From one knot to the next the slope changes by a factor; its bounds, and the spread of its prior.
BEND_BOUNDS = 0.05, 8.0
BEND_SPREAD = 0.7

# Without a direction the slope changes by a difference; its bounds, and the spread of its prior.
_TURN_BOUND = 6.0
_TURN_SPREAD = 1.0

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
    """Coefficients of the slopes s_k, and the slopes as definitions ``s1``, ``s2``, ..."""
    unit = parse_unit("1")
    coefficients: list[Coefficient] = []
    fixed: list[tuple[str, Expr]] = []
    # A factor that does not vanish has s = 0 below the floor: its first slope is a coefficient of its own.
    begin = 1.0 if vanishing else 0.25
    before: Expr = number(begin)
    at = begin
    for k in range(count):
        if sign:
            name = f"bend{tag}{k + 1}"
            wanted = float(np.clip(sign * start[k], *_START_SLOPE))
            wanted /= 1.0 - wanted / STEEPEST
            first = float(np.clip(wanted / at, 1.01 * BEND_BOUNDS[0], 0.99 * BEND_BOUNDS[1]))
            at *= first
            mask = Mask(
                Prior("lognormal", {"median": first, "sdlog": BEND_SPREAD}), *BEND_BOUNDS, "log", True
            )
            doc = f"slope in logarithms, knot {k + 1} over the one before"
            whole: Expr = times(before, Name(ONE, name))
            slope: Expr = over(whole, plus(number(1.0), over(whole, number(STEEPEST))))
        else:
            name = f"turn{tag}{k + 1}"
            previous = (1.0 if vanishing else 0.0) if k == 0 else float(start[k - 1])
            first = float(np.clip(start[k] - previous, -0.9 * _TURN_BOUND, 0.9 * _TURN_BOUND))
            mask = Mask(
                Prior("normal", {"mean": first, "sd": _TURN_SPREAD}),
                -_TURN_BOUND,
                _TURN_BOUND,
                "natural",
                True,
            )
            doc = f"slope in logarithms, knot {k + 1} less the one before"
            base = number(1.0 if vanishing else 0.0) if k == 0 else before
            whole = plus(base, Name(ONE, name))
            size = power(plus(number(1.0), power(over(whole, number(STEEPEST)), 2)), 0.5)
            slope = over(whole, size)
        coefficients.append(Coefficient(name, unit, mask, first, doc))
        fixed.append((f"s{tag}{k + 1}", times(number(-1.0), slope) if sign < 0 else slope))
        before = times(before, Name(ONE, name)) if sign else Name(ONE, f"s{tag}{k + 1}")
    return tuple(coefficients), tuple(fixed)


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
