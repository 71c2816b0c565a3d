"""The basis form: a shape-constrained curve that keeps range, anchors and direction for any coefficients.

With u the distance from an anchor's value A, the term is ``A + u`` where it rises and ``A - u`` where it
falls, u a product of growth functions, one an argument, times a level, bent below what the range leaves:

    u = z / (1 + (z / L)^4)^(1/4),  L = distance of A from the end of the range.

Far below L, u is z; it never reaches L. Several arguments meet in a product (their logarithms add), which
holds rates like ``f(c) g(t)`` exactly and others nearly. Without an anchor the value at the lower end of
the argument is a coefficient. Between two anchors the curve goes from one to the other as z does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pbpkc.compiler.missing.algebra import minus, number, over, plus, power, times, where
from pbpkc.compiler.missing.declared import REFERENCE, Declared, declared
from pbpkc.compiler.missing.form import Coefficient, Form, FormError
from pbpkc.compiler.missing.growth import Growth, growth, knots
from pbpkc.compiler.missing.network import UNITS, network_growth
from pbpkc.language.expression import Expr, Name, substitute
from pbpkc.language.model import Argument, Mask, Prior, Unknown

#: Coefficients of the curve of the first argument, and of each further one.
COUNT = 7
FURTHER = 4

#: Makes a growth function from an argument, a count, a direction, whether it vanishes, slopes to start from
#: and a tag for its names.
Maker = Callable[[Argument, int, int, bool, "np.ndarray | None", str], Growth]

#: Spread of the logarithm of the level, and how far its bounds lie from its start.
LEVEL_SPREAD = 3.0
LEVEL_FACTOR = 1e4


@dataclass(frozen=True)
class Factors:
    """How the growth functions of a form are made."""

    kind: str
    make: Maker
    counts: tuple[int, int]


def basis_form(unknown: Unknown, count: int = COUNT) -> Form:
    """The basis form of a term; see `shaped_form`."""
    return shaped_form("basis", unknown, growth, (count, FURTHER))


def network_form(unknown: Unknown) -> Form:
    """The form whose curve is a small network; see `shaped_form`."""
    return shaped_form("network", unknown, network_growth, (UNITS, UNITS))


def shaped_form(kind: str, unknown: Unknown, make: Maker, counts: tuple[int, int]) -> Form:
    """A form that keeps what is declared of a term for any coefficients.

    Parameters
    ----------
    kind : str
    unknown : Unknown
        Its default, where it has one, is where the search begins.
    make : callable
        Makes the growth function of one argument.
    counts : tuple of int
        Knots or units of the first argument, and of each further one.

    Raises
    ------
    FormError
        For a declaration that the form cannot keep.
    """
    said = declared(unknown)
    factors = Factors(kind, make, counts)
    if said.vanishing is not None:
        start = said.unknown.anchors[0][1]
        sign = leaving(said, said.vanishing, start)
        return _from_one_value(said, said.vanishing, start, sign, factors)
    if len(unknown.arguments) == 1 and said.signs[0]:
        return _through_anchors(said, factors)
    if unknown.anchors:
        raise FormError(
            f"the anchors of '{unknown.name}' lie inside the range of its arguments or differ; a learned "
            "form needs them at the lower end of one argument, or one argument and a direction"
        )
    if math.isfinite(said.low):
        return _from_one_value(said, None, said.low, 1, factors)
    if math.isfinite(said.high):
        return _from_one_value(said, None, said.high, -1, factors)
    raise FormError(f"'{unknown.name}' has neither an anchor nor a range; a learned form needs one of them")


def leaving(said: Declared, index: int, value: float) -> int:
    """Which way a term leaves an anchor along an argument: as declared, else away from its range's end.

    Raises
    ------
    FormError
        Where neither says it.
    """
    if said.signs[index]:
        return said.signs[index]
    if value in (said.low, said.high):
        return 1 if value == said.low else -1
    name = said.unknown.arguments[index].name
    raise FormError(
        f"'{said.unknown.name}' has an anchor inside its range and no direction in '{name}'; "
        f"say rising in {name} or falling in {name}"
    )


def _from_one_value(said: Declared, vanishing: int | None, value: float, sign: int, factors: Factors) -> Form:
    """One value that the term keeps where an argument is at its lower end, or never reaches."""
    unknown = said.unknown
    dimension = unknown.unit.dimension
    parts = [_factor(said, factors, k, sign, k == vanishing, value) for k in range(len(unknown.arguments))]
    level = level_of(said, value, sign)
    z = times(Name(dimension, level.name), *(p.value for p in parts))
    room = said.reach(value, sign)
    limit = number(room, dimension) if math.isfinite(room) else None
    return assembled(factors.kind, parts, (level,), moved(number(value, dimension), sign, bent(z, limit)))


def _through_anchors(said: Declared, factors: Factors) -> Form:
    """One argument, a direction, anchors anywhere."""
    unknown, sign = said.unknown, said.signs[0]
    argument, dimension = unknown.arguments[0], unknown.unit.dimension
    anchors = sorted((at[0], value) for at, value in unknown.anchors)
    values = [sign * value for _, value in anchors]
    if values != sorted(values) or len({at for at, _ in anchors}) < len(anchors):
        raise FormError(f"the anchors of '{unknown.name}' contradict its direction or each other")
    if any(not argument.low <= at <= argument.high for at, _ in anchors):
        raise FormError(f"an anchor of '{unknown.name}' lies outside the range of '{argument.name}'")
    points: list[tuple[float, Expr]] = [(at, number(value, dimension)) for at, value in anchors]
    own: list[Coefficient] = []
    start = anchors[0][1] if anchors else 0.0
    if not anchors or anchors[0][0] > argument.low:
        own.append(_first_value(said, anchors[0][1] if anchors else None))
        start = own[0].start
        points.insert(0, (argument.low, Name(dimension, own[0].name)))
    part = _factor(said, factors, 0, sign, True, start)
    heights = [_height(part, argument.name, number(at, argument.unit.dimension)) for at, _ in points]
    (last, top), height = points[-1], heights[-1]
    value = top
    if last < argument.high:
        level = level_of(said, start, sign)
        own.append(level)
        beyond = times(Name(dimension, level.name), minus(part.value, height))
        end = said.high if sign > 0 else said.low
        room = minus(number(end, dimension), top) if sign > 0 else minus(top, number(end, dimension))
        value = moved(top, sign, bent(beyond, room if math.isfinite(end) else None))
    for k in range(len(points) - 2, -1, -1):
        share = over(minus(part.value, heights[k]), minus(heights[k + 1], heights[k]))
        piece = plus(points[k][1], times(share, minus(points[k + 1][1], points[k][1])))
        here = Name(argument.unit.dimension, argument.name)
        value = where(here, number(points[k + 1][0], here.dim), piece, value)
    return assembled(factors.kind, [part], own, value)


def assembled(kind: str, parts: Sequence[Growth], own: Sequence[Coefficient], value: Expr) -> Form:
    """A form of factors and of coefficients of its own."""
    return Form(
        kind,
        (*own, *(c for p in parts for c in p.coefficients)),
        tuple(f for p in parts for f in p.fixed),
        tuple(s for p in parts for s in p.steps),
        value,
    )


def bent(z: Expr, limit: Expr | None) -> Expr:
    """The distance z where it is far below the limit, never more than the limit."""
    if limit is None:
        return z
    return over(z, power(plus(number(1.0), power(over(z, limit), 4)), 0.25))


def moved(value: Expr, sign: int, distance: Expr) -> Expr:
    """A value and a distance from it, upwards or downwards."""
    return plus(value, distance) if sign > 0 else minus(value, distance)


def level_of(said: Declared, value: float, sign: int) -> Coefficient:
    """The distance from a value at the reference point of every argument.

    Raises
    ------
    FormError
        If neither a default nor the range says how large the term may be.
    """
    unknown = said.unknown
    default = said.default_along(0, np.asarray(said.reference(0)))
    distance = sign * (float(default) - value) if default is not None else math.nan
    room = said.reach(value, sign)
    if math.isfinite(room):
        # A plain curve reaches half of the range at the upper end of the argument.
        distance = distance if distance > 1e-6 * room else 0.5 * REFERENCE * room
        distance = min(distance, 0.9 * room)
    elif not distance > 0.0:
        raise FormError(
            f"nothing says how large '{unknown.name}' is: it has neither a range with both ends nor a "
            f'default that differs from its anchor; give one, for example --unknown "{unknown.name} = ..."'
        )
    mask = Mask(
        Prior("lognormal", {"median": distance, "sdlog": LEVEL_SPREAD}),
        distance / LEVEL_FACTOR,
        distance * LEVEL_FACTOR,
        "log",
        True,
    )
    doc = "distance from the anchor at a tenth of the range of the arguments"
    return Coefficient("level", unknown.unit, mask, distance, doc)


def _first_value(said: Declared, next_anchor: float | None) -> Coefficient:
    """The value at the lower end of the argument, where no anchor gives it."""
    unknown, sign = said.unknown, said.signs[0]
    default = said.default_along(0, np.asarray(unknown.arguments[0].low))
    low, high = said.low, said.high
    if next_anchor is not None:
        low, high = (low, next_anchor) if sign > 0 else (next_anchor, high)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise FormError(
            f"nothing bounds '{unknown.name}' at the lower end of its argument; give it a range or an anchor"
        )
    middle, width = 0.5 * (low + high), high - low
    start = float(
        np.clip(default if default is not None else middle, low + 0.01 * width, high - 0.01 * width)
    )
    mask = Mask(
        Prior("normal", {"mean": start, "sd": width}),
        low + 1e-9 * width,
        high - 1e-9 * width,
        "natural",
        True,
    )
    return Coefficient("first", unknown.unit, mask, start, "value at the lower end of the argument")


def _factor(said: Declared, factors: Factors, index: int, sign: int, vanishing: bool, value: float) -> Growth:
    """The growth function of one argument, started where the default goes from a value."""
    unknown = said.unknown
    # The distance from the value grows as the term does, or the other way round.
    direction = 1 if vanishing and said.signs[index] else sign * said.signs[index]
    argument = unknown.arguments[index]
    tag = "" if index == 0 else f"_{argument.name}"
    count = factors.counts[min(index, 1)]
    seen = _seen(said, index, count, value, sign)
    return factors.make(argument, count, direction, vanishing, seen, tag)


def _seen(said: Declared, index: int, count: int, value: float, sign: int) -> np.ndarray | None:
    """Slopes in logarithms of the default's distance from a value, at the middle of each B-spline."""
    argument = said.unknown.arguments[index]
    places = knots(count)
    step = places[1] - places[0]
    middles = np.minimum(places[:count] + 1.5 * step, -0.5 * step)
    ends = np.exp(middles[None, :] + np.array([[-0.25], [0.25]]) * step)
    found = said.default_along(index, argument.low + ends * (argument.high - argument.low))
    if found is None:
        return None
    distance = sign * (found - value)
    if not np.all(distance > 0.0):
        return None
    slopes: np.ndarray = np.diff(np.log(distance), axis=0)[0] / (0.5 * step)
    return slopes


def _height(part: Growth, argument: str, at: Expr) -> Expr:
    """A growth function at one point of its argument."""
    known: dict[str, Expr] = {argument: at}
    for name, expr in part.steps:
        known[name] = substitute(expr, known)
    return substitute(part.value, known)
