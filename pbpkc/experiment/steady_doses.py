"""Doses at steady state: one period of them, what runs when it begins, and what still comes.

A dose given every `tau` for ever, with a lag, arrives at times that repeat with `tau`. Seen from any moment
there is a first arrival from then on (the phase), some infusions that began before and still run, and the
time since the last arrival. Everything is kept with its exact derivatives by the parameters.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Literal

import numpy as np

from pbpkc.experiment.course import Course, refused
from pbpkc.experiment.events import SAME_TIME, Clock, Event, Running, Steady
from pbpkc.experiment.values import Value, gradient, number
from pbpkc.language.evaluate import Dual

#: Infusions of one dose line that may run at the same time.
MOST_RUNNING = 10_000

#: Doses of different intervals repeat together if their ratios have no larger denominator than this.
_LARGEST_RATIO = 360


def steady_state(courses: Sequence[Course], at: float, adds: bool = False) -> Steady:
    """The periodic regimen of some doses, seen from a time.

    Parameters
    ----------
    courses : sequence of Course
        With an interval each, or one constant infusion without.
    at : float, h
    adds : bool

    Raises
    ------
    SpecError
        If an interval is not above 0, the doses do not repeat together, or too many infusions would run at
        the same time.
    """
    if courses[0].every is None:
        rate = courses[0].rate
        return Steady(None, (), () if rate is None else (_running(courses[0], rate),), (), adds)
    for course in courses:
        if course.every is None or not number(course.every) > 0.0:
            raise refused("no-interval", "a steady dose has no interval above 0", course.dose.span)
    period, repeats = _together(courses)
    events: list[Event] = []
    running: tuple[Running, ...] = ()
    clocks: dict[str, Clock] = {}
    for course, repeat in zip(courses, repeats, strict=True):
        assert course.every is not None
        first, _ = phase(course, at)
        for k in range(repeat):
            arrival = first + k * course.every
            if course.rate is None or course.duration is None or number(course.duration) == 0.0:
                events.append(_event("bolus", arrival, course, course.amount))
            else:
                end, turns = _wrapped(arrival + course.duration, period)
                if turns > MOST_RUNNING:
                    raise refused(
                        "too-large", f"{turns} infusions of one steady dose would run at the same time",
                        course.dose.span, "make the interval longer or the infusion shorter",
                    )  # fmt: skip
                events.append(_event("start", arrival, course, course.rate))
                events.append(_event("stop", end, course, -course.rate))
                running += (_running(course, course.rate),) * turns
            age = period - arrival
            known = clocks.get(course.dose.species)
            if known is None or number(age) < known.age:
                clocks[course.dose.species] = Clock(course.dose.species, number(age), gradient(age))
    events.sort(key=lambda event: event.place)
    return Steady(number(period), tuple(events), running, tuple(clocks.values()), adds, gradient(period))


def phase(course: Course, at: float) -> tuple[Value, int]:
    """Time from `at` to the first arrival from then on, and how many intervals before its first dose."""
    assert course.every is not None
    offset = course.first - at if course.lag is None else course.first + course.lag - at
    return _wrapped(offset, course.every)


def still_running(course: Course, at: float) -> Iterator[Value]:
    """When the infusions end that run at `at`."""
    assert course.every is not None
    if course.rate is None or course.duration is None or number(course.duration) == 0.0:
        return
    first, _ = phase(course, at)
    end, turns = _wrapped(first + course.duration, course.every)
    for k in range(turns):
        yield at + end + k * course.every


def _wrapped(value: Value, period: Value) -> tuple[Value, int]:
    """A time within [0, period), and how many periods were taken off."""
    ratio = number(value) / number(period)
    turns = math.floor(ratio + SAME_TIME * max(1.0, abs(ratio)))
    rest = value - turns * period
    if number(rest) < SAME_TIME * max(1.0, abs(ratio)) * number(period):
        rest = Dual(0.0, rest.grad) if isinstance(rest, Dual) else 0.0
    return rest, turns


def _together(courses: Sequence[Course]) -> tuple[Value, list[int]]:
    """The period of all doses together, and how often each is given in it."""
    first = courses[0].every
    assert first is not None
    ratios: list[Fraction] = []
    for course in courses:
        assert course.every is not None
        exact = number(course.every) / number(first)
        ratio = Fraction(exact).limit_denominator(_LARGEST_RATIO)
        mine, all_ = gradient(course.every), gradient(first)
        apart = (0.0 if mine is None else mine) - float(ratio) * (0.0 if all_ is None else all_)
        if ratio <= 0 or abs(float(ratio) - exact) > 1e-9 * exact or np.any(np.abs(apart) > 1e-9 * exact):
            raise refused(
                "steady-intervals",
                f"steady doses every {number(first):.6g} h and every {number(course.every):.6g} h never "
                "repeat together",
                course.dose.span,
                "give them intervals of which one is a multiple of the other",
            )
        ratios.append(ratio)
    # The least common multiple of fractions over one denominator.
    base = math.lcm(*(ratio.denominator for ratio in ratios))
    whole = math.lcm(*(int(ratio * base) for ratio in ratios))
    repeats = [whole // int(ratio * base) for ratio in ratios]
    if sum(repeats) > MOST_RUNNING:
        raise refused(
            "too-large", f"steady doses of different intervals need {sum(repeats)} doses to repeat",
            courses[-1].dose.span, "give them intervals of which one is a multiple of the other",
        )  # fmt: skip
    return repeats[0] * first, repeats


def _running(course: Course, rate: Value) -> Running:
    return Running(course.dose.state, number(rate), gradient(rate))


def _event(kind: Literal["bolus", "start", "stop"], time: Value, course: Course, value: Value) -> Event:
    return Event(
        number(time), kind, course.dose.state, course.dose.species, number(value),
        d_time=gradient(time), d_value=gradient(value),
    )  # fmt: skip
