"""Dose lines in numbers, with their derivatives: what binding a regimen begins with."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.regimen import DoseEvent
from pbpkc.experiment.values import Quantity, Reader, Value, number
from pbpkc.language.diagnostics import Diagnostic, Label, SpecError
from pbpkc.language.evaluate import NotEvaluable, evaluate
from pbpkc.language.expression import Expr
from pbpkc.language.source import Span

#: A run that begins at its first dose may compute that time twice, and differ in the last digits.
_ROUNDING = 1e-9


def reader(lookup: Callable[[str], Value]) -> Reader:
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
            except NotEvaluable as why:
                raise refused("dose-value", f"the {word} cannot be computed: {why}", place) from None
            except (ArithmeticError, ValueError) as why:
                raise refused("dose-value", f"the {word} cannot be computed: {why}", place) from None
            if isinstance(value, complex) or not math.isfinite(number(value)):
                raise refused("dose-value", f"the {word} is not a finite number", place)
            memo[key] = value
        return memo[key]

    return read


@dataclass(frozen=True)
class Course:
    """A dose line in numbers, in the unit of its state; `rate` and `duration` are None for a bolus."""

    dose: DoseEvent
    amount: Value
    first: Value
    rate: Value | None
    duration: Value | None
    lag: Value | None
    every: Value | None


def read_course(dose: DoseEvent, begin: float, read: Reader) -> Course:
    """A dose line in numbers; the fraction is already in the amount.

    Raises
    ------
    SpecError
        For numbers that mean nothing, and a dose before the run begins.
    """

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
            raise refused("negative-dose", f"the {word} is {number(value)!r}, below zero", place or dose.span)
    if rate is not None and number(rate) <= 0.0:
        place = dose.rate.span if isinstance(dose.rate, Expr) else None
        message = f"the rate of an infusion is {number(rate)!r}, not above zero"
        raise refused("negative-dose", message, place or dose.span)
    demand_inside(first, dose.time, dose.span, begin, "the first dose", "a dose")

    if fraction is not None:
        amount = fraction * amount
    if dose.scale != 1.0:
        amount = amount / dose.scale
        rate = None if rate is None else rate / dose.scale
    if rate is not None:
        duration = amount / rate
    elif duration is not None and number(duration) > 0.0:
        rate = amount / duration
    return Course(dose, amount, first, rate, duration, lag, every)


def demand_inside(
    time: Value, quantity: Quantity, span: Span | None, begin: float, what: str, one: str
) -> None:
    """Refuse what comes before the run begins.

    Raises
    ------
    SpecError
        With the place of what is early.
    """
    if number(time) < begin - _ROUNDING * abs(begin):
        place = quantity.span if isinstance(quantity, Expr) else None
        message = f"the time of {one} is {number(time)!r} h, before the run begins at {begin!r} h"
        help = f"give {what} where the run begins and shift the other times"
        raise refused("early-dose", message, place or span, help)


def scaled(values: NDArray[np.float64] | None, factor: float) -> NDArray[np.float64] | None:
    """A gradient times a number."""
    return None if values is None else values * factor


def refused(code: str, message: str, span: Span | None, help: str | None = None) -> SpecError:
    """One problem as an exception."""
    labels = () if span is None else (Label(span),)
    return SpecError([Diagnostic(code, message, labels, help=help)])
