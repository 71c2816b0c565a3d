"""What happens to one individual as a list of events in numbers, in the order in which they happen.

At one time the order is: reset, change (`set`), dose, sample. Rows of a data file that stand in another order
hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

EventKind = Literal["reset", "set", "stop", "bolus", "start"]

#: Which comes first of events of one time and row.
_RANK: Mapping[str, int] = {"reset": 0, "set": 1, "stop": 2, "bolus": 3, "start": 3}


@dataclass(frozen=True)
class Event:
    """One thing that happens at one time.

    Parameters
    ----------
    time : float, h
    kind : {"reset", "set", "stop", "bolus", "start"}
        ``start`` and ``stop`` change the rate of infusion into the state. ``reset`` brings all states and
        clocks back to what they were at the start and ends all infusions; ``set`` changes what is held.
        Neither has a state.
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

    @property
    def place(self) -> tuple[float, int, int]:
        """What events are sorted by: time, row, and the order of kinds."""
        return self.time, self.order, _RANK[self.kind]

    @property
    def gives(self) -> bool:
        """Whether a dose begins here."""
        return self.kind in ("bolus", "start")


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

        def move(old: Array | None) -> Array | None:
            if old is None:
                return None
            moved = np.zeros(len(names))
            for new, place in pairs:
                moved[new] = old[place]
            return moved if np.any(moved) else None

        return replace(
            self,
            names=names,
            events=tuple(
                replace(e, d_time=move(e.d_time), d_value=move(e.d_value), d_slope=move(e.d_slope))
                for e in self.events
            ),
            starts=tuple(replace(s, d_value=move(s.d_value)) for s in self.starts),
        )

    @property
    def last_event(self) -> float:
        """Time of the last event, or of the beginning (h)."""
        return self.events[-1].time if self.events else self.begin
