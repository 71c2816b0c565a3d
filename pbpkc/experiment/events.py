"""What happens to one individual as a list of events in numbers, in the order in which they happen.

At one time the order is: reset, change (`set`), steady state, end of an infusion, dose, sample. Rows of a
data file that stand in another order hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: The order of events that no row of a data file names: before every row of that time.
UNORDERED = -1

#: Two times closer than this, relative to their size, are one: three doses 0.1 h apart end at
#: 0.30000000000000004 h, and a sample at 0.3 h belongs to the third.
SAME_TIME = 1e-12

EventKind = Literal["reset", "set", "steady", "stop", "bolus", "start"]

#: Which comes first of events of one time and row.
_RANK: Mapping[str, int] = {"reset": 0, "set": 1, "steady": 2, "stop": 3, "bolus": 4, "start": 4}


@dataclass(frozen=True)
class Running:
    """An infusion that runs already: into a state, at a rate (per h), with its derivatives (k,)."""

    state: int
    rate: float
    d_rate: Array | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Clock:
    """Time since the last dose of a species, h, with its derivatives (k,)."""

    species: str
    age: float
    d_age: Array | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Steady:
    """Doses that have been given over and over, until each interval ends as it begins.

    Parameters
    ----------
    period : float or None, h
        None for infusions that never change.
    events : tuple of Event
        Of one period, their times since it begins.
    running : tuple of Running
        Infusions that run when a period begins, those that end there included.
    clocks : tuple of Clock
        When a period begins.
    adds : bool
        What is there stays, and the steady state of these doses alone is added.
    d_period : ndarray, shape (k,), or None
    """

    period: float | None
    events: tuple[Event, ...] = ()
    running: tuple[Running, ...] = ()
    clocks: tuple[Clock, ...] = ()
    adds: bool = False
    d_period: Array | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Event:
    """One thing that happens at one time.

    Parameters
    ----------
    time : float, h
    kind : {"reset", "set", "steady", "stop", "bolus", "start"}
        ``start`` and ``stop`` change the rate of infusion into the state. ``reset`` brings all states and
        clocks back to what they were at the start and ends all infusions; ``set`` changes what is held;
        ``steady`` puts a steady state in the place of the states and clocks, or adds one. Those three have
        no state.
    state : int
        -1 where there is none.
    species : str
        For ``set`` the name of what is held.
    value : float
        Amount of a bolus, change of the infusion rate; in the state's unit (per h). For ``set`` the new
        value, canonical.
    order : int
        As in `DoseEvent`.
    d_time, d_value : ndarray, shape (k,), or None
        Derivatives by the names the regimen was bound with; None where they vanish. For ``set`` that of
        the value at a fixed time.
    slope : float
        For ``set`` how the value goes on, canonical units per h.
    d_slope : ndarray, shape (k,), or None
    steady : Steady, optional
        Of the kind of that name.
    """

    time: float
    kind: EventKind
    state: int = -1
    species: str = ""
    value: float = 0.0
    order: int = UNORDERED
    d_time: Array | None = field(default=None, compare=False)
    d_value: Array | None = field(default=None, compare=False)
    slope: float = 0.0
    d_slope: Array | None = field(default=None, compare=False)
    steady: Steady | None = None

    @property
    def place(self) -> tuple[float, int, int]:
        """What events are sorted by: time, row, and the order of kinds."""
        return self.time, self.order, _RANK[self.kind]

    @property
    def gives(self) -> bool:
        """Whether a dose begins here."""
        return self.kind in ("bolus", "start")

    @property
    def clears(self) -> bool:
        """Whether infusions end here, and what has not arrived is lost."""
        return self.kind == "reset" or (self.steady is not None and not self.steady.adds)


def same_time(one: float, other: float) -> bool:
    """Whether two times are one but for rounding."""
    return abs(one - other) <= SAME_TIME * max(abs(one), abs(other))


@dataclass(frozen=True)
class StartValue:
    """An initial value that replaces the model's, in the state's unit, with its derivatives (k,)."""

    state: int
    value: float
    d_value: Array | None = field(default=None, compare=False)


@dataclass(frozen=True)
class BoundAfter:
    """The run whose end is the beginning of another, in numbers.

    Parameters
    ----------
    regimen : BoundRegimen
        With an end.
    overrides : mapping of str to float
        Parameters that have another value in it.
    """

    regimen: BoundRegimen
    overrides: Mapping[str, float]


@dataclass(frozen=True)
class BoundRegimen:
    """A regimen in numbers.

    Parameters
    ----------
    events : tuple of Event
        Sorted by `Event.place`.
    starts : tuple of StartValue
    begin : float, h
    end : float or None, h
    names : tuple of str
        What the derivatives are by.
    smallest_dose : mapping of str to float
        The smallest positive amount given of each species, in the unit of the states (umol).
    rests : bool
        The run begins in the steady state without doses.
    after : BoundAfter, optional
        The run whose end is the beginning.
    d_end : ndarray, shape (k,), or None
    """

    events: tuple[Event, ...]
    starts: tuple[StartValue, ...] = ()
    begin: float = 0.0
    end: float | None = None
    names: tuple[str, ...] = ()
    smallest_dose: Mapping[str, float] = field(default_factory=dict)
    rests: bool = False
    after: BoundAfter | None = None
    d_end: Array | None = field(default=None, compare=False)

    def by(self, names: Sequence[str]) -> BoundRegimen:
        """The same regimen with its derivatives by these names, zero for a name it was not bound with."""
        names = tuple(names)
        if names == self.names:
            return self
        pairs = [(new, self.names.index(name)) for new, name in enumerate(names) if name in self.names]

        def move(old: Array | None) -> Array | None:
            if old is None:
                return None
            moved = np.zeros(len(names))
            for new, place in pairs:
                moved[new] = old[place]
            return moved if np.any(moved) else None

        def event(old: Event) -> Event:
            steady = None if old.steady is None else _moved(old.steady, move, event)
            return replace(
                old, d_time=move(old.d_time), d_value=move(old.d_value), d_slope=move(old.d_slope),
                steady=steady,
            )  # fmt: skip

        after = self.after
        if after is not None:
            after = replace(after, regimen=after.regimen.by(names))
        return replace(
            self,
            names=names,
            events=tuple(event(e) for e in self.events),
            starts=tuple(replace(s, d_value=move(s.d_value)) for s in self.starts),
            after=after,
            d_end=move(self.d_end),
        )

    def derivatives(self) -> Iterator[Array | None]:
        """Every derivative of the regimen, shapes (k,)."""
        todo = list(self.events)
        while todo:
            event = todo.pop()
            yield from (event.d_time, event.d_value, event.d_slope)
            if event.steady is not None:
                todo += event.steady.events
                yield event.steady.d_period
                yield from (one.d_rate for one in event.steady.running)
                yield from (one.d_age for one in event.steady.clocks)
        yield from (start.d_value for start in self.starts)
        if self.after is not None:
            yield self.after.regimen.d_end
            yield from self.after.regimen.derivatives()

    @property
    def last_event(self) -> float:
        """Time of the last event, or of the beginning (h)."""
        return self.events[-1].time if self.events else self.begin


def _moved(
    steady: Steady, move: Callable[[Array | None], Array | None], event: Callable[[Event], Event]
) -> Steady:
    return replace(
        steady,
        events=tuple(event(e) for e in steady.events),
        running=tuple(replace(one, d_rate=move(one.d_rate)) for one in steady.running),
        clocks=tuple(replace(one, d_age=move(one.d_age)) for one in steady.clocks),
        d_period=move(steady.d_period),
    )
