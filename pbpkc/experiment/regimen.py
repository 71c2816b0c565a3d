"""What happens to one individual: doses, settings of the start and a horizon, symbolic in the parameters.

A `Regimen` holds what a scenario or a data file says; amounts, lags and durations may read parameters.
`bind` gives it numbers, and the exact derivatives of those numbers, as a `BoundRegimen`: a list of events
in the order in which they happen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pbpkc.language.diagnostics import Diagnostic, Label, SpecError
from pbpkc.language.evaluate import Dual, NotEvaluable, evaluate, evaluate_definitions
from pbpkc.language.expression import Expr, names_in
from pbpkc.language.source import Span

#: A number, or an expression of the model's names (canonical units).
Quantity = float | Expr

#: What a quantity becomes: a number, or one with its derivatives.
Value = float | Dual

#: The order of events that no row of a data file names: before every row of that time.
UNORDERED = -1

#: A run that begins at its first dose may compute that time twice, and differ in the last digits.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class DoseEvent:
    """One dose, or a row of equal ones.

    Parameters
    ----------
    species : str
    state : int
        Index of the state it goes into.
    amount : float or Expr
        Canonical (umol), or canonical units of a general state.
    time : float or Expr, h
    duration, rate : float or Expr, optional
        Of an infusion: h, or canonical amount per h. At most one of them.
    lag : float or Expr, optional, h
    fraction : float or Expr, optional
        Bioavailability: it scales the amount, so an infusion by rate gets shorter and one by duration slower.
    every : float or Expr, optional, h
    count : int
        Number of doses, `every` apart.
    scale : float
        Canonical units in one unit of the state (1 for amounts of substance).
    order : int
        Row of the data file that gave it, `UNORDERED` for one written in the spec. Repeats of a row that
        come later are never bound to the order of rows.
    """

    species: str
    state: int
    amount: Quantity
    time: Quantity = 0.0
    duration: Quantity | None = None
    rate: Quantity | None = None
    lag: Quantity | None = None
    fraction: Quantity | None = None
    every: Quantity | None = None
    count: int = 1
    scale: float = 1.0
    order: int = UNORDERED
    span: Span | None = field(default=None, compare=False, repr=False)

    def quantities(self) -> Iterator[Quantity]:
        """Everything that may read a parameter."""
        for value in (self.amount, self.time, self.duration, self.rate, self.lag, self.fraction, self.every):
            if value is not None:
                yield value


@dataclass(frozen=True)
class Regimen:
    """Doses, initial amounts and horizon of one run.

    Parameters
    ----------
    doses : tuple of DoseEvent
    starts : tuple of (state index, Expr or float, scale)
        Initial values that replace the model's; `scale` as in `DoseEvent`.
    begin : float, h
        Where the run starts: 0, or the first row of an individual's data.
    end : float or Expr, optional, h
        Where it ends, None if nothing says so.
    definitions : mapping of str to Expr
        What the names mean that are not parameters.
    """

    doses: tuple[DoseEvent, ...]
    starts: tuple[tuple[int, Quantity, float], ...] = ()
    begin: float = 0.0
    end: Quantity | None = None
    definitions: Mapping[str, Expr] = field(default_factory=dict, repr=False)

    @cached_property
    def reads(self) -> frozenset[str]:
        """Every name the regimen reads, directly or through definitions."""
        found: set[str] = set()
        todo: list[Quantity] = [q for dose in self.doses for q in dose.quantities()]
        todo += [value for _, value, _ in self.starts]
        if self.end is not None:
            todo.append(self.end)
        while todo:
            quantity = todo.pop()
            if not isinstance(quantity, Expr):
                continue
            for name in names_in(quantity) - found:
                found.add(name)
                if name in self.definitions:
                    todo.append(self.definitions[name])
        return frozenset(found)


@dataclass(frozen=True)
class Event:
    """One thing that happens at one time.

    Parameters
    ----------
    time : float, h
    kind : {"bolus", "start", "stop"}
        ``start`` and ``stop`` change the rate of infusion into the state.
    state : int
    species : str
    value : float
        Amount of a bolus, change of the infusion rate otherwise; in the state's unit (per h).
    order : int
        As in `DoseEvent`.
    d_time, d_value : ndarray, shape (k,), or None
        Derivatives by the names the regimen was bound with; None where they vanish.
    """

    time: float
    kind: Literal["bolus", "start", "stop"]
    state: int
    species: str
    value: float
    order: int = UNORDERED
    d_time: NDArray[np.float64] | None = field(default=None, compare=False)
    d_value: NDArray[np.float64] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class StartValue:
    """An initial value that replaces the model's, in the state's unit, with its derivatives (k,)."""

    state: int
    value: float
    d_value: NDArray[np.float64] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class BoundRegimen:
    """A regimen in numbers.

    Parameters
    ----------
    events : tuple of Event
        Sorted by time, then by order.
    starts : tuple of StartValue
    begin : float, h
    end : float or None, h
    names : tuple of str
        What the derivatives are by.
    smallest_dose : mapping of str to float
        The smallest positive amount given of each species, in the unit of the states (umol).
    """

    events: tuple[Event, ...]
    starts: tuple[StartValue, ...] = ()
    begin: float = 0.0
    end: float | None = None
    names: tuple[str, ...] = ()
    smallest_dose: Mapping[str, float] = field(default_factory=dict)

    def by(self, names: Sequence[str]) -> BoundRegimen:
        """The same regimen with its derivatives by these names, zero for a name it was not bound with."""
        names = tuple(names)
        if names == self.names:
            return self
        pairs = [(new, self.names.index(name)) for new, name in enumerate(names) if name in self.names]

        def move(old: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
            if old is None:
                return None
            moved = np.zeros(len(names))
            for new, place in pairs:
                moved[new] = old[place]
            return moved if np.any(moved) else None

        return replace(
            self,
            names=names,
            events=tuple(replace(e, d_time=move(e.d_time), d_value=move(e.d_value)) for e in self.events),
            starts=tuple(replace(s, d_value=move(s.d_value)) for s in self.starts),
        )

    @property
    def last_event(self) -> float:
        """Time of the last event, or of the beginning (h)."""
        return self.events[-1].time if self.events else self.begin


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
    read = _reader(evaluate_definitions(regimen.definitions, overrides))

    events: list[Event] = []
    smallest: dict[str, float] = {}
    for dose in regimen.doses:
        given = _bind_dose(dose, regimen.begin, read, events)
        if given > 0.0:
            smallest[dose.species] = min(smallest.get(dose.species, math.inf), given)
    events.sort(key=lambda event: (event.time, event.order))
    starts = tuple(
        StartValue(state, number(value) / scale, _scaled(gradient(value), 1.0 / scale))
        for state, value, scale in (
            (s, read(q, "initial value", None), scale) for s, q, scale in regimen.starts
        )
    )
    end = None if regimen.end is None else number(read(regimen.end, "end of the run", None))
    return BoundRegimen(tuple(events), starts, regimen.begin, end, names, smallest)


Reader = Callable[[Quantity, str, "Span | None"], Value]


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


def _bind_dose(dose: DoseEvent, begin: float, read: Reader, events: list[Event]) -> float:
    """Append the events of a dose; return the amount given each time, in the state's unit."""

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

    if number(first) < begin - _ROUNDING * abs(begin):
        place = dose.time.span if isinstance(dose.time, Expr) else None
        message = f"the time of a dose is {number(first)!r} h, before the run begins at {begin!r} h"
        help = "give the first dose where the run begins and shift the other times"
        raise _error("early-dose", message, place or dose.span, help)

    if fraction is not None:
        amount = fraction * amount
    if dose.scale != 1.0:
        amount = amount / dose.scale
        rate = None if rate is None else rate / dose.scale
    if rate is not None:
        duration = amount / rate
    elif duration is not None and number(duration) > 0.0:
        rate = amount / duration

    for repeat in range(dose.count):
        time = first
        if repeat and every is not None:
            time = time + repeat * every
        if lag is not None:
            time = time + lag
        # A lag moves the dose away from its row, and a repeat never had one.
        order = dose.order if repeat == 0 and number(time) == number(first) else UNORDERED
        if rate is None or duration is None or number(duration) == 0.0:
            events.append(_event("bolus", time, dose, amount, order))
        else:
            events.append(_event("start", time, dose, rate, order))
            events.append(_event("stop", time + duration, dose, -rate, UNORDERED))
    return number(amount)


def _event(
    kind: Literal["bolus", "start", "stop"], time: Value, dose: DoseEvent, value: Value, order: int
) -> Event:
    return Event(
        number(time), kind, dose.state, dose.species, number(value), order, gradient(time), gradient(value)
    )


def number(value: Value) -> float:
    """The number of a float or a `Dual`."""
    return value.value if isinstance(value, Dual) else float(value)


def gradient(value: Value) -> NDArray[np.float64] | None:
    """The gradient of a `Dual`, None for a number or where all of it vanishes."""
    return value.grad if isinstance(value, Dual) and np.any(value.grad) else None


def _scaled(values: NDArray[np.float64] | None, factor: float) -> NDArray[np.float64] | None:
    return None if values is None else values * factor


def _error(code: str, message: str, span: Span | None, help: str | None = None) -> SpecError:
    labels = () if span is None else (Label(span),)
    return SpecError([Diagnostic(code, message, labels, help=help)])
