"""A regimen in numbers: its events with their exact derivatives by the parameters it reads."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Literal

import numpy as np

from pbpkc.experiment.changes import HeldCurve, Piece, held_curves
from pbpkc.experiment.course import Course, demand_inside, read_course, reader, refused, scaled
from pbpkc.experiment.events import UNORDERED, BoundAfter, BoundRegimen, Event, StartValue, same_time
from pbpkc.experiment.regimen import After, Regimen, Reset
from pbpkc.experiment.steady_doses import phase, steady_state, still_running
from pbpkc.experiment.values import Reader, Value, gradient, number
from pbpkc.language.evaluate import Dual, evaluate_definitions

#: Doses that one line may give.
MOST_DOSES = 100_000


def bind(
    regimen: Regimen, values: Mapping[str, float], names: Sequence[str] = (), until: float = -math.inf
) -> BoundRegimen:
    """The regimen with numbers for the parameters.

    Parameters
    ----------
    regimen : Regimen
    values : mapping of str to float
        Canonical values of the leaf parameters, as ``dict(zip(compiled.parameter_names, p))``.
    names : sequence of str
        Parameters to differentiate by.
    until : float, h
        Doses that go on are given until then, if that is later than the end of the run.

    Returns
    -------
    BoundRegimen
        Events with exact derivatives by `names`.

    Raises
    ------
    SpecError
        If a quantity has no value, or one that means nothing: a negative amount, fraction, lag or duration,
        a rate that is not positive, a time before the run begins, anything not finite; or if steady doses
        never repeat together.
    """
    names = tuple(names)
    overrides: dict[str, Value] = dict(values)
    for index, name in enumerate(names):
        if name in regimen.reads:
            grad = np.zeros(len(names))
            grad[index] = 1.0
            overrides[name] = Dual(float(values[name]), grad)
    lookup = evaluate_definitions(regimen.definitions, overrides)
    read = reader(lookup)
    start = {change.name: lookup(change.name) for change in regimen.changes}
    curves = held_curves(regimen.changes, regimen.begin, start, read)

    courses = [read_course(dose, regimen.begin, read) for dose in regimen.doses]
    end = None if regimen.end is None else read(regimen.end, "end of the run", None)
    clears = [_reset(reset, regimen.begin, read) for reset in regimen.resets]
    steady = list(_steady_states(courses, regimen.begin, clears))
    events = [*clears, *steady]
    clears = sorted((event for event in events if event.clears), key=lambda event: event.place)
    last = max(until, regimen.begin if end is None else number(end))
    smallest: dict[str, float] = {}
    for line in courses:
        for repeats, course in _as_given(line, regimen, curves, overrides):
            events += _events(course, regimen.begin, clears, last, repeats)
            if (amount := number(course.amount)) > 0.0:
                smallest[course.dose.species] = min(smallest.get(course.dose.species, math.inf), amount)
    events += [_set(curve.name, piece) for curve in curves for piece in curve.pieces]
    events.sort(key=lambda event: event.place)
    starts = tuple(
        StartValue(state, number(value) / scale, scaled(gradient(value), 1.0 / scale))
        for state, value, scale in (
            (s, read(q, "initial value", None), scale) for s, q, scale in regimen.starts
        )
    )
    return BoundRegimen(
        tuple(events), starts, regimen.begin, None if end is None else number(end), names, smallest,
        regimen.rests, None if regimen.after is None else _bind_after(regimen.after, values, names),
        None if end is None else gradient(end),
    )  # fmt: skip


def _set(name: str, piece: Piece) -> Event:
    return Event(
        number(piece.time), "set", -1, name, number(piece.value), piece.order, gradient(piece.time),
        gradient(piece.value), number(piece.slope), gradient(piece.slope),
    )  # fmt: skip


def _as_given(
    course: Course, regimen: Regimen, curves: Sequence[HeldCurve], overrides: Mapping[str, Value]
) -> Iterator[tuple[Iterable[int] | None, Course]]:
    """A dose line with the repeats it holds for: what changes is read when each is given.

    None for all repeats.
    """
    dose = course.dose
    alone = Regimen((dose,), definitions=regimen.definitions)
    moving = [curve for curve in curves if curve.name in alone.reads] if curves else []
    if not moving:
        yield None, course
        return
    if dose.steady:
        raise refused(
            "steady-changes", f"a steady dose reads '{moving[0].name}', which changes during the run",
            dose.span, "let the dose read what does not change, or write the doses with `count`",
        )  # fmt: skip
    assert dose.count is not None
    for repeat in range(dose.count):
        time = course.first
        if repeat and course.every is not None:
            time = time + repeat * course.every
        order = UNORDERED if repeat else dose.order
        now = {**overrides, **{curve.name: curve.at(time, order) for curve in moving}}
        then = read_course(dose, regimen.begin, reader(evaluate_definitions(regimen.definitions, now)))
        yield (repeat,), replace(then, first=course.first, every=course.every)


def _bind_after(after: After, values: Mapping[str, float], names: Sequence[str]) -> BoundAfter:
    """The run before, in which what it sets does not move with the parameters."""
    moving = [name for name in names if name not in after.overrides]
    return BoundAfter(bind(after.regimen, {**values, **after.overrides}, moving).by(names), after.overrides)


def _reset(reset: Reset, begin: float, read: Reader) -> Event:
    time = read(reset.time, "time of the reset", reset.span)
    demand_inside(time, reset.time, reset.span, begin, "the reset", "a reset")
    return Event(number(time), "reset", order=reset.order, d_time=gradient(time))


def _steady_states(courses: Sequence[Course], begin: float, resets: Sequence[Event]) -> Iterator[Event]:
    """Where a steady state takes the place of what is there, or is added."""
    written = [course for course in courses if course.dose.steady and course.dose.order == UNORDERED]
    if written:
        order = _behind_clears(begin, UNORDERED, resets)
        yield Event(begin, "steady", order=order, steady=steady_state(written, begin))
    for course in courses:
        if course.dose.steady and course.dose.order != UNORDERED:
            at = number(course.first)
            found = steady_state((course,), at, course.dose.steady == 2)
            yield Event(at, "steady", order=course.dose.order, steady=found)


def _events(
    course: Course,
    begin: float,
    clears: Sequence[Event],
    last: float,
    repeats: Iterable[int] | None,
) -> Iterator[Event]:
    """What a dose line does: boluses, or starts and stops of infusions."""
    dose = course.dose
    for given, time, order in _arrivals(course, begin, last, repeats):
        order = _behind_clears(number(time), order, clears)
        # Further doses of a row belong to it, those of a scenario's line are given one by one.
        begun = number(course.first) if dose.order != UNORDERED else max(number(given), begin)
        if any(_between(begun, dose.order, number(time), order, clear) for clear in clears):
            continue
        yield from _given(course, time, order, clears)
    if dose.steady:
        yield from _ends_of_running(course, begin, clears)


def _ends_of_running(course: Course, begin: float, clears: Sequence[Event]) -> Iterator[Event]:
    """The ends of infusions that a steady state holds."""
    row = course.dose.order != UNORDERED
    at = number(course.first) if row else begin
    order = course.dose.order if row else _behind_clears(at, UNORDERED, clears)
    if course.rate is None:
        return
    # The constant infusion of a steady row ends at its time.
    for end in [at] if course.every is None else still_running(course, at):
        if not _cut(at, order, number(end), clears):
            place = order if same_time(number(end), at) else UNORDERED
            yield _event("stop", end, course, -course.rate, place)


def _arrivals(
    course: Course, begin: float, last: float, repeats: Iterable[int] | None
) -> Iterator[tuple[Value, Value, int]]:
    """When each dose of a line is given, when it arrives, and its place among the rows of its time."""
    dose, every = course.dose, course.every
    if dose.steady and every is None:
        return  # a constant infusion gives nothing more
    before = 0
    if dose.steady:
        # Doses whose lag is not over yet, and those of a line that has been given for ever.
        _, before = phase(course, number(course.first) if dose.order != UNORDERED else begin)
    if dose.count is None and every is not None:
        coming = (last - number(course.first)) / number(every)
        if coming > MOST_DOSES:
            raise refused(
                "too-large", f"a steady dose would be given {coming:.6g} times until {last:.6g} h; at most "
                f"{MOST_DOSES} are accepted", dose.span, "write a longer interval, or a shorter run",
            )  # fmt: skip
    if repeats is None:
        repeats = count(-before) if dose.count is None else range(-before, dose.count)
    for repeat in repeats:
        given = course.first if not repeat or every is None else course.first + repeat * every
        time = given if course.lag is None else given + course.lag
        if dose.count is None and number(time) > last and not same_time(number(time), last):
            return
        # A lag moves the dose away from its row, and a repeat never had one.
        at_row = repeat <= 0 and same_time(number(time), number(course.first))
        yield given, time, dose.order if at_row else UNORDERED


def _given(course: Course, time: Value, order: int, clears: Sequence[Event]) -> Iterator[Event]:
    """One dose as it reaches the body; a reset ends its infusion."""
    at = number(time)
    end = None if course.duration is None else time + course.duration
    if course.rate is None or end is None or same_time(at, number(end)):
        yield _event("bolus", time, course, course.amount, order)
        return
    yield _event("start", time, course, course.rate, order)
    if not _cut(at, order, number(end), clears):
        yield _event("stop", end, course, -course.rate, UNORDERED)


def _cut(at: float, order: int, end: float, clears: Sequence[Event]) -> bool:
    """Whether something ends an infusion before it is over."""
    return any((at, order) < (clear.time, clear.order) and clear.time <= end for clear in clears)


def _behind_clears(time: float, order: int, clears: Sequence[Event]) -> int:
    """A dose that no row orders comes behind the resets of its time."""
    here = [clear.order for clear in clears if same_time(clear.time, time)]
    return max([order, *here]) if order == UNORDERED else order


def _between(begun: float, row: int, time: float, order: int, clear: Event) -> bool:
    """Whether a reset falls between the giving of a dose, at `begun`, and its arrival at `time`."""
    before = UNORDERED < row < clear.order if same_time(begun, clear.time) else begun < clear.time
    return before and (clear.time <= time or same_time(clear.time, time))


def _event(
    kind: Literal["bolus", "start", "stop"], time: Value, course: Course, value: Value, order: int
) -> Event:
    dose = course.dose
    return Event(
        number(time), kind, dose.state, dose.species, number(value), order, gradient(time), gradient(value)
    )
