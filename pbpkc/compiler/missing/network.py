"""A growth function made by a small network: one input, three swish units, one output.

The network of the MI-PINN paper for a missing term (1-3-1, swish, linear output; 10 weights with the
level), put where it keeps what is declared: it gives the *logarithm* of the growth function,

    ln z(x) = sum_i a_i f(b_i x + c_i),   f(h) = swish(h) + h / 10,   x = ln max(w, floor),

and below the floor z is proportional to w, so that it vanishes at the lower end. swish falls a little below
h = -1.28, by a slope of at most 0.0998; with h / 10 added f rises everywhere. Where a_i b_i > 0 for all
units z rises for any weights. Two units have both weights negative (their slopes fall with x, as of a law
that saturates), one has both positive. Without a direction the weights a_i have any sign.

References
----------
Wei Z et al. (2026) arXiv 2605.03511: the architecture of the auxiliary network.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pbpkc.compiler.missing.algebra import applied, minus, number, over, plus, power, times
from pbpkc.compiler.missing.declared import REFERENCE
from pbpkc.compiler.missing.form import Coefficient
from pbpkc.compiler.missing.growth import FLOOR, Growth
from pbpkc.language.expression import Expr, Name
from pbpkc.language.model import Argument, Mask, Prior
from pbpkc.language.units import ONE, parse_unit

Array = NDArray[np.float64]

#: Units in the hidden layer.
UNITS = 3

#: Sign of both weights of each unit, and where its bend begins, in x; a plain curve bends nowhere in sight.
_SIGNS = -1, -1, 1
_CENTRES = 2.0, 4.0, 2.0

_RISE = 0.1  # of f beyond swish
_LARGEST = 50.0  # logarithm of a growth function


def network_growth(
    argument: Argument, count: int, sign: int, vanishing: bool, seen: Array | None, tag: str = ""
) -> Growth:
    """A factor that depends on one argument; see `pbpkc.compiler.missing.growth.growth`.

    `count` is the number of units; `seen` gives the mean slope to start from.
    """
    wanted = float(np.mean(seen)) if seen is not None else (1.0 if vanishing else 0.5 * sign)
    coefficients = tuple(c for i in range(count) for c in _unit(i, count, wanted, sign, tag))
    lower, width = argument.low, argument.high - argument.low
    dimension = argument.unit.dimension
    here = minus(Name(dimension, argument.name), number(lower, dimension))
    above = Name(ONE, f"m{tag}")
    steps: tuple[tuple[str, Expr], ...] = (
        (f"w{tag}", over(here, number(width, dimension))),
        (f"m{tag}", applied("max", Name(ONE, f"w{tag}"), number(FLOOR))),
        (f"x{tag}", applied("ln", above)),
    )
    x = Name(ONE, f"x{tag}")
    fixed = ((f"e{tag}", _output(number(math.log(REFERENCE)), count, sign, tag)),)
    logarithm = minus(_output(x, count, sign, tag), Name(ONE, f"e{tag}"))
    # Within 1e-4 of itself up to 8, a factor of 3000; the exponential never overflows.
    limited = over(logarithm, power(plus(number(1.0), power(over(logarithm, number(_LARGEST)), 4)), 0.25))
    value = applied("exp", times(number(-1.0), limited) if sign < 0 else limited)
    steps = (*steps, (f"g{tag}", value))
    grown: Expr = Name(ONE, f"g{tag}")
    if vanishing:
        grown = times(over(Name(ONE, f"w{tag}"), above), grown)
    return Growth(coefficients, fixed, steps, grown)


def _unit(index: int, count: int, wanted: float, sign: int, tag: str) -> tuple[Coefficient, ...]:
    """Weights of one unit: in (b), bias (c), out (a)."""
    one = parse_unit("1")
    side = _SIGNS[index % len(_SIGNS)]
    number_ = f"{tag}{index + 1}"
    bias = _CENTRES[index % len(_CENTRES)] + (0.0 if side < 0 else -math.log(FLOOR))
    # All units together have the wanted slope where none of them bends.
    share = wanted / (count * (1.0 + _RISE))
    inward = Coefficient(
        f"in{number_}",
        one,
        Mask(Prior("lognormal", {"median": 1.0, "sdlog": 0.7}), 0.05, 8.0, "log", True),
        1.0,
    )
    middle = Coefficient(
        f"bias{number_}",
        one,
        Mask(Prior("normal", {"mean": bias, "sd": 4.0}), -20.0, 20.0, "natural", True),
        bias,
    )
    if sign:
        first = max(abs(share), 0.02)
        prior = Prior("lognormal", {"median": first, "sdlog": 1.0})
        out = Coefficient(f"out{number_}", one, Mask(prior, 1e-4, 6.0, "log", True), first)
    else:
        prior = Prior("normal", {"mean": share, "sd": 1.0})
        out = Coefficient(f"out{number_}", one, Mask(prior, -6.0, 6.0, "natural", True), share)
    return inward, middle, out


def _output(x: Expr, count: int, sign: int, tag: str) -> Expr:
    """The network's output at x."""
    terms = []
    for i in range(count):
        side = number(float(_SIGNS[i % len(_SIGNS)]))
        inward, bias, out = (Name(ONE, f"{w}{tag}{i + 1}") for w in ("in", "bias", "out"))
        h = plus(times(side, inward, x), bias)
        swish = over(h, plus(number(1.0), applied("exp", times(number(-1.0), h))))
        terms.append(times(side, out, plus(swish, times(number(_RISE), h))))
    return plus(*terms)
