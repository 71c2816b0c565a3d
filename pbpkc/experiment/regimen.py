"""What happens to one individual: doses, resets, settings of the start and a horizon, symbolic.

A `Regimen` holds what a scenario or a data file says; amounts, lags and durations may read parameters.
`pbpkc.experiment.bind` gives it numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from pbpkc.experiment.changes import ChangeEvent
from pbpkc.experiment.events import UNORDERED
from pbpkc.experiment.values import Quantity
from pbpkc.language.expression import Expr, names_in
from pbpkc.language.source import Span


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
    count : int or None
        Number of doses, `every` apart; None for a steady dose that goes on until the run ends.
    scale : float
        Canonical units in one unit of the state (1 for amounts of substance).
    order : int
        Row of the data file that gave it, `UNORDERED` for one written in the spec. Repeats of a row that
        come later are never bound to the order of rows.
    steady : {0, 1, 2}
        1: it has been given at this interval for ever, and nothing else. 2: what it leads to is added to
        what is there. Of a row of a file this holds from its time on; of a line of the spec the run begins
        in the steady state of all its steady doses together. Without `every` a constant infusion, which
        ends at its time.
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
    count: int | None = 1
    scale: float = 1.0
    order: int = UNORDERED
    span: Span | None = field(default=None, compare=False, repr=False)
    steady: int = 0

    def quantities(self) -> Iterator[Quantity]:
        """Everything that may read a parameter."""
        for value in (self.amount, self.time, self.duration, self.rate, self.lag, self.fraction, self.every):
            if value is not None:
                yield value


@dataclass(frozen=True)
class Reset:
    """All states back to the start, infusions ended; what was given and has not arrived is lost.

    Parameters
    ----------
    time : float or Expr, h
    order : int
        As in `DoseEvent`.
    """

    time: Quantity
    order: int = UNORDERED
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class After:
    """The run whose end is the beginning of another.

    Parameters
    ----------
    regimen : Regimen
        Of a written scenario, with an end.
    overrides : mapping of str to float
        Canonical values that the other scenario sets.
    """

    regimen: Regimen
    overrides: Mapping[str, float]


@dataclass(frozen=True)
class Regimen:
    """Doses, resets, initial amounts and horizon of one run.

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
    resets : tuple of Reset
    changes : tuple of ChangeEvent
        How covariates with `hold`, and inputs, change during the run.
    rests : bool
        The run begins in the steady state without doses.
    after : After, optional
        The run begins where this one ends.
    """

    doses: tuple[DoseEvent, ...]
    starts: tuple[tuple[int, Quantity, float], ...] = ()
    begin: float = 0.0
    end: Quantity | None = None
    definitions: Mapping[str, Expr] = field(default_factory=dict, repr=False)
    resets: tuple[Reset, ...] = ()
    changes: tuple[ChangeEvent, ...] = ()
    rests: bool = False
    after: After | None = None

    @property
    def solved_for(self) -> str:
        """What of it must be solved for before it can be run, in words; empty where nothing must."""
        if any(dose.steady for dose in self.doses):
            return "a dose at steady state"
        if self.rests:
            return "a start in the steady state"
        return "a start after another run" if self.after is not None else ""

    @cached_property
    def reads(self) -> frozenset[str]:
        """Every name the regimen reads, directly or through definitions.

        What changes counts as read: the curve begins at its value.
        """
        found: set[str] = {change.name for change in self.changes}
        todo: list[Quantity] = [q for dose in self.doses for q in dose.quantities()]
        todo += [q for change in self.changes for q in change.quantities()]
        todo += [self.definitions[name] for name in found if name in self.definitions]
        todo += [value for _, value, _ in self.starts]
        todo += [reset.time for reset in self.resets]
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
        if self.after is not None:
            found |= self.after.regimen.reads - self.after.overrides.keys()
        return frozenset(found)
