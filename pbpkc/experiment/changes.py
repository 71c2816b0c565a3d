"""How covariates with `hold`, and inputs, go on in time: points, excursions, and the pieces they make.

Points are joined as `hold` says: with ``last`` a value goes on until the next point, with ``next`` it has
been there since the point before, with ``linear`` it runs straight from point to point. The first point is
the value at the beginning of the run; after the last one its value stays. ``set x = e at t for d`` leaves
that curve for a while.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pbpkc.experiment.events import UNORDERED
from pbpkc.experiment.values import Quantity, Reader, Value, number
from pbpkc.language.diagnostics import Diagnostic, Label, SpecError
from pbpkc.language.source import Span
from pbpkc.language.units import Unit


@dataclass(frozen=True)
class ChangeEvent:
    """A point or an excursion of what a held name is, or a row of equal ones.

    Parameters
    ----------
    name : str
        Of a covariate or an input.
    hold : {"last", "next", "linear"}
    value : float or Expr
        Canonical.
    time : float or Expr, h
    lasting : float or Expr, optional, h
        Of an excursion; None for a point.
    every : float or Expr, optional, h
    count : int
    low, high : float
        What the value may be.
    unit : Unit, optional
        For messages.
    order : int
        As in `DoseEvent`.
    """

    name: str
    hold: str
    value: Quantity
    time: Quantity
    lasting: Quantity | None = None
    every: Quantity | None = None
    count: int = 1
    low: float = -math.inf
    high: float = math.inf
    order: int = UNORDERED
    unit: Unit | None = None
    span: Span | None = field(default=None, compare=False, repr=False)

    def quantities(self) -> Iterator[Quantity]:
        """Everything that may read a parameter."""
        for value in (self.value, self.time, self.lasting, self.every):
            if value is not None:
                yield value


@dataclass(frozen=True)
class Piece:
    """From `time` on, ``value + slope * (t - number(time))`` until the next piece.

    The derivatives of `value` are those at a fixed time, so that they go on along the piece by `slope`'s.
    """

    time: Value
    order: int
    value: Value
    slope: Value

    def at(self, time: Value) -> Value:
        """The value at a time of the piece, which may itself depend on parameters."""
        if not number(self.slope) and isinstance(self.slope, float):
            return self.value
        return self.value + self.slope * (time - number(self.time))


@dataclass(frozen=True)
class HeldCurve:
    """What a held name is along a run: `start` until the first of its pieces."""

    name: str
    start: Value
    pieces: tuple[Piece, ...]

    def at(self, time: Value, order: int) -> Value:
        """The value at a time, or at a row of it; a change of the same time and row comes first."""
        keys = [(number(p.time), p.order) for p in self.pieces]
        place = bisect_right(keys, (number(time), order))
        return self.pieces[place - 1].at(time) if place else self.start


@dataclass(frozen=True)
class _Point:
    time: Value
    order: int
    value: Value


@dataclass(frozen=True)
class _Excursion:
    time: Value
    end: Value
    value: Value
    order: int


def held_curves(
    changes: Sequence[ChangeEvent], begin: float, start: Mapping[str, Value], read: Reader
) -> tuple[HeldCurve, ...]:
    """The curves of all names that change.

    Parameters
    ----------
    changes : sequence of ChangeEvent
    begin : float, h
    start : mapping of str to (float or Dual)
        Values at the beginning.
    read : callable
        Gives quantities their numbers.

    Raises
    ------
    SpecError
        For a value out of bounds, a time before the run begins, an interval or a length that is not
        positive, repeats that overlap.
    """
    by_name: dict[str, list[ChangeEvent]] = {}
    for change in changes:
        by_name.setdefault(change.name, []).append(change)
    return tuple(_curve(name, some, begin, start[name], read) for name, some in by_name.items())


def _curve(name: str, changes: Sequence[ChangeEvent], begin: float, start: Value, read: Reader) -> HeldCurve:
    points = [_Point(begin, UNORDERED, start)]
    excursions: list[_Excursion] = []
    for change in changes:
        for one in _moments(change, begin, read):
            if isinstance(one, _Point):
                points.append(one)
            else:
                excursions.append(one)
    # Sorting is stable: of two at one time the later line wins.
    points.sort(key=lambda p: (number(p.time), p.order))
    excursions.sort(key=lambda e: (number(e.time), e.order))
    hold = changes[0].hold
    keys = [(number(p.time), _order(p, hold)) for p in points]
    marks = [(*key, p.time) for key, p in zip(keys, points, strict=True)]
    marks += [(number(e.time), e.order, e.time) for e in excursions]
    marks += [(number(e.end), UNORDERED, e.end) for e in excursions]
    # Of marks at one time and row the one that depends on a parameter tells how the time moves.
    marks.sort(key=lambda mark: (mark[0], mark[1], not isinstance(mark[2], float)))
    pieces: list[Piece] = []
    for time, order, moving in marks:
        running = [
            e for e in excursions if (number(e.time), e.order) <= (time, order) and time < number(e.end)
        ]
        value, slope = (running[-1].value, 0.0) if running else _joined(points, keys, hold, time, order)
        piece = Piece(moving, order, value, slope)
        if pieces and (number(pieces[-1].time), pieces[-1].order) == (time, order):
            pieces[-1] = piece
        elif not pieces or not _goes_on(pieces[-1], piece):
            pieces.append(piece)
    if pieces and _goes_on(Piece(begin, UNORDERED, start, 0.0), pieces[0]):
        pieces = pieces[1:]
    return HeldCurve(name, start, tuple(pieces))


def _order(point: _Point, hold: str) -> int:
    """The row before which the piece behind a point begins: with ``next`` the one after the point's own."""
    return point.order + 1 if hold == "next" and point.order != UNORDERED else point.order


def _joined(
    points: Sequence[_Point], keys: Sequence[tuple[float, int]], hold: str, time: float, order: int
) -> tuple[Value, Value]:
    """Value and slope of the curve through the points, just after a mark."""
    i = max(0, bisect_right(keys, (time, order)) - 1)
    here = points[i]
    if i + 1 == len(points) or hold == "last":
        return here.value, 0.0
    following = points[i + 1]
    if hold == "next":
        return following.value, 0.0
    apart = following.time - here.time
    if number(apart) <= 0.0:
        return here.value, 0.0
    slope = (following.value - here.value) / apart
    return here.value + slope * (time - here.time), slope


def _goes_on(before: Piece, after: Piece) -> bool:
    """Whether a piece only continues the one before it, so that nothing happens in between."""
    plain = all(isinstance(x, float) for x in (before.value, before.slope, after.value, after.slope))
    return plain and before.value == after.value and before.slope == after.slope == 0.0


def _moments(change: ChangeEvent, begin: float, read: Reader) -> Iterator[_Point | _Excursion]:
    """A change, each of its repeats by itself."""
    value = read(change.value, f"value of '{change.name}'", change.span)
    time = read(change.time, f"time at which '{change.name}' changes", change.span)
    lasting = None if change.lasting is None else read(change.lasting, "length of a change", change.span)
    every = None if change.every is None else read(change.every, "interval between changes", change.span)
    if not change.low <= number(value) <= change.high:
        scale, offset = (
            (1.0, 0.0) if change.unit is None else map(float, (change.unit.factor, change.unit.offset))
        )
        found, low, high = (f"{(x - offset) / scale:g}" for x in (number(value), change.low, change.high))
        shown = "" if change.unit is None or change.unit.text == "1" else f" {change.unit}"
        raise _error(
            change, f"'{change.name}' becomes {found}{shown}, outside its bounds {low} to {high}{shown}",
            "write a value within the bounds, or widen them",
        )  # fmt: skip
    if number(time) < begin:
        raise _error(
            change,
            f"'{change.name}' changes at {number(time):g} h, before the run begins at {begin:g} h",
            "give a time of the run",
        )
    for what, length in (("a change lasts", lasting), ("changes are apart", every)):
        if length is not None and number(length) <= 0.0:
            raise _error(change, f"{what} {number(length):g} h, not above zero", "give a positive time")
    if lasting is not None and every is not None and number(lasting) > number(every) * (1.0 + 1e-12):
        raise _error(
            change, f"'{change.name}' is set for {number(lasting):g} h every {number(every):g} h: "
            "the repeats overlap", "write a shorter `for` or a longer `every`",
        )  # fmt: skip
    for repeat in range(change.count):
        at = time + repeat * every if repeat and every is not None else time
        order = change.order if repeat == 0 else UNORDERED
        if lasting is None:
            yield _Point(at, order, value)
        else:
            yield _Excursion(at, at + lasting, value, order)


def _error(change: ChangeEvent, message: str, help: str) -> SpecError:
    labels = () if change.span is None else (Label(change.span),)
    return SpecError([Diagnostic("set-value", message, labels, help=help)])
