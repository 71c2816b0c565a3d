"""A regimen in numbers: its events with their exact derivatives by the parameters it reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.changes import HeldCurve, Piece, held_curves
from pbpkc.experiment.events import UNORDERED, BoundRegimen, Event, StartValue, same_time
from pbpkc.experiment.regimen import DoseEvent, Regimen, Reset
from pbpkc.experiment.values import Quantity, Reader, Value, gradient, number
from pbpkc.language.diagnostics import Diagnostic, Label, SpecError
from pbpkc.language.evaluate import Dual, NotEvaluable, evaluate, evaluate_definitions
from pbpkc.language.expression import Expr
from pbpkc.language.source import Span

#: A run that begins at its first dose may compute that time twice, and differ in the last digits.
_ROUNDING = 1e-9


def bind(regimen: Regimen, values: Mapping[str, float], names: Sequence[str] = ()) -> BoundRegimen:
    """The regimen with numbers for the parameters.

    Parameters
    ----------
    regimen : Regimen
    values : mapping of str to float
        Canonical values of the leaf parameters, as ``dict(zip(compiled.parameter_names, p))``.
    names : sequence of str
        Parameters to differentiate by.

    Returns
    -------
    BoundRegimen
        Events with exact derivatives by `names`.

    Raises
    ------
    SpecError
        If a quantity has no value, or one that means nothing: a negative amount, fraction, lag or duration,
        a rate that is not positive, a time before the run begins, anything not finite.
    """
    names = tuple(names)
    overrides: dict[str, Value] = dict(values)
    for index, name in enumerate(names):
        if name in regimen.reads:
            grad = np.zeros(len(names))
            grad[index] = 1.0
            overrides[name] = Dual(float(values[name]), grad)
    lookup = evaluate_definitions(regimen.definitions, overrides)
    read = _reader(lookup)
    start = {change.name: lookup(change.name) for change in regimen.changes}
    curves = held_curves(regimen.changes, regimen.begin, start, read)

    events = [_reset(reset, regimen.begin, read) for reset in regimen.resets]
    resets = tuple(sorted(events, key=lambda event: event.place))
    smallest: dict[str, float] = {}
    for dose in regimen.doses:
        for repeats, course in _courses(dose, regimen, curves, overrides, read):
            events += _events(course, resets, repeats)
            if (amount := number(course.amount)) > 0.0:
                smallest[dose.species] = min(smallest.get(dose.species, math.inf), amount)
    events += [_set(curve.name, piece) for curve in curves for piece in curve.pieces]
    events.sort(key=lambda event: event.place)
    starts = tuple(
        StartValue(state, number(value) / scale, _scaled(gradient(value), 1.0 / scale))
        for state, value, scale in (
            (s, read(q, "initial value", None), scale) for s, q, scale in regimen.starts
        )
    )
    end = None if regimen.end is None else number(read(regimen.end, "end of the run", None))
    return BoundRegimen(tuple(events), starts, regimen.begin, end, names, smallest)


def _set(name: str, piece: Piece) -> Event:
    return Event(
        number(piece.time), "set", -1, name, number(piece.value), piece.order, gradient(piece.time),
        gradient(piece.value), number(piece.slope), gradient(piece.slope),
    )  # fmt: skip


def _courses(
    dose: DoseEvent,
    regimen: Regimen,
    curves: Sequence[HeldCurve],
    overrides: Mapping[str, Value],
    read: Reader,
) -> Iterator[tuple[Iterable[int], _Course]]:
    """A dose line in numbers, with the repeats these hold for: what changes is read when each is given."""
    course = _course(dose, regimen.begin, read)
    alone = Regimen((dose,), definitions=regimen.definitions)
    moving = [curve for curve in curves if curve.name in alone.reads] if curves else []
    if not moving:
        yield range(dose.count), course
        return
    for repeat in range(dose.count):
        time = course.first
        if repeat and course.every is not None:
            time = time + repeat * course.every
        order = UNORDERED if repeat else dose.order
        now = {**overrides, **{curve.name: curve.at(time, order) for curve in moving}}
        then = _course(dose, regimen.begin, _reader(evaluate_definitions(regimen.definitions, now)))
        yield (repeat,), replace(then, first=course.first, every=course.every)


def _reader(lookup: Callable[[str], Value]) -> Reader:
    """A function that gives a quantity its value, or says in words why it has none."""
    memo: dict[int, Value] = {}

    def read(quantity: Quantity, word: str, span: Span | None) -> Value:
        if not isinstance(quantity, Expr):
            return quantity
        key = id(quantity)  # the lag of a thousand rows of a file is one expression
        if key not in memo:
            place = quantity.span or span
            try:
                value = evaluate(quantity, lookup)
            except NotEvaluable as error:
                raise _error("dose-value", f"the {word} cannot be computed: {error}", place) from None
            except (ArithmeticError, ValueError) as error:
                raise _error("dose-value", f"the {word} cannot be computed: {error}", place) from None
            if isinstance(value, complex) or not math.isfinite(number(value)):
                raise _error("dose-value", f"the {word} is not a finite number", place)
            memo[key] = value
        return memo[key]

    return read


@dataclass(frozen=True)
class _Course:
    """A dose line in numbers, in the unit of its state; `rate` and `duration` are None for a bolus."""

    dose: DoseEvent
    amount: Value
    first: Value
    rate: Value | None
    duration: Value | None
    lag: Value | None
    every: Value | None


def _course(dose: DoseEvent, begin: float, read: Reader) -> _Course:
    def take(quantity: Quantity | None, word: str) -> Value | None:
        return None if quantity is None else read(quantity, word, dose.span)

    amount = read(dose.amount, "amount of the dose", dose.span)
    first = read(dose.time, "time of the dose", dose.span)
    fraction = take(dose.fraction, "fraction")
    lag = take(dose.lag, "lag")
    duration = take(dose.duration, "duration of the infusion")
    rate = take(dose.rate, "rate of the infusion")
    every = take(dose.every, "interval between the doses")
    for value, quantity, word in (
        (amount, dose.amount, "amount of a dose"),
        (fraction, dose.fraction, "fraction"),
        (lag, dose.lag, "lag"),
        (duration, dose.duration, "duration of an infusion"),
        (every, dose.every, "interval between doses"),
    ):
        if value is not None and number(value) < 0.0:
            place = quantity.span if isinstance(quantity, Expr) else None
            raise _error("negative-dose", f"the {word} is {number(value)!r}, below zero", place or dose.span)
    if rate is not None and number(rate) <= 0.0:
        place = dose.rate.span if isinstance(dose.rate, Expr) else None
        message = f"the rate of an infusion is {number(rate)!r}, not above zero"
        raise _error("negative-dose", message, place or dose.span)
    _demand_inside(first, dose.time, dose.span, begin, "the first dose", "a dose")

    if fraction is not None:
        amount = fraction * amount
    if dose.scale != 1.0:
        amount = amount / dose.scale
        rate = None if rate is None else rate / dose.scale
    if rate is not None:
        duration = amount / rate
    elif duration is not None and number(duration) > 0.0:
        rate = amount / duration
    return _Course(dose, amount, first, rate, duration, lag, every)


def _reset(reset: Reset, begin: float, read: Reader) -> Event:
    time = read(reset.time, "time of the reset", reset.span)
    _demand_inside(time, reset.time, reset.span, begin, "the reset", "a reset")
    return Event(number(time), "reset", order=reset.order, d_time=gradient(time))


def _demand_inside(
    time: Value, quantity: Quantity, span: Span | None, begin: float, what: str, one: str
) -> None:
    """Refuse what comes before the run begins."""
    if number(time) < begin - _ROUNDING * abs(begin):
        place = quantity.span if isinstance(quantity, Expr) else None
        message = f"the time of {one} is {number(time)!r} h, before the run begins at {begin!r} h"
        help = f"give {what} where the run begins and shift the other times"
        raise _error("early-dose", message, place or span, help)


def _events(course: _Course, resets: Sequence[Event], repeats: Iterable[int]) -> Iterator[Event]:
    """What some repeats of a dose line do: boluses, or starts and stops of infusions."""
    dose = course.dose
    for repeat in repeats:
        given = course.first
        if repeat and course.every is not None:
            given = given + repeat * course.every
        time = given if course.lag is None else given + course.lag
        # A lag moves the dose away from its row, and a repeat never had one.
        order = dose.order if repeat == 0 and number(time) == number(course.first) else UNORDERED
        order = _behind_resets(number(time), order, resets)
        # Further doses of a row belong to it, those of a scenario's line are given one by one.
        begun = number(course.first if dose.order != UNORDERED else given)
        if any(_between(begun, dose.order, number(time), order, reset) for reset in resets):
            continue
        yield from _given(course, time, order, resets)


def _given(course: _Course, time: Value, order: int, resets: Sequence[Event]) -> Iterator[Event]:
    """One dose as it reaches the body; a reset ends its infusion."""
    dose, at = course.dose, number(time)
    end = None if course.duration is None else time + course.duration
    if course.rate is None or end is None or same_time(at, number(end)):
        yield _event("bolus", time, dose, course.amount, order)
        return
    yield _event("start", time, dose, course.rate, order)
    if not any((at, order) < (reset.time, reset.order) and reset.time <= number(end) for reset in resets):
        yield _event("stop", end, dose, -course.rate, UNORDERED)


def _behind_resets(time: float, order: int, resets: Sequence[Event]) -> int:
    """A dose that no row orders comes behind the resets of its time."""
    here = [reset.order for reset in resets if same_time(reset.time, time)]
    return max([order, *here]) if order == UNORDERED else order


def _between(begun: float, row: int, time: float, order: int, reset: Event) -> bool:
    """Whether a reset falls between the giving of a dose, at `begun`, and its arrival at `time`."""
    before = UNORDERED < row < reset.order if same_time(begun, reset.time) else begun < reset.time
    return before and (reset.time <= time or same_time(reset.time, time))


def _event(
    kind: Literal["bolus", "start", "stop"], time: Value, dose: DoseEvent, value: Value, order: int
) -> Event:
    return Event(
        number(time), kind, dose.state, dose.species, number(value), order, gradient(time), gradient(value)
    )


def _scaled(values: NDArray[np.float64] | None, factor: float) -> NDArray[np.float64] | None:
    return None if values is None else values * factor


def _error(code: str, message: str, span: Span | None, help: str | None = None) -> SpecError:
    labels = () if span is None else (Label(span),)
    return SpecError([Diagnostic(code, message, labels, help=help)])
