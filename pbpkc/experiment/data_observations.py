"""Observation rows of a data file as measured values in the units of their observables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pbpkc.experiment.data_columns import Columns
from pbpkc.experiment.data_rows import Problems, Row
from pbpkc.language.diagnostics import Label
from pbpkc.language.evaluate import NotEvaluable, evaluate
from pbpkc.language.model import DataBlock, Model, Observable
from pbpkc.language.units import Unit


@dataclass(frozen=True)
class Observation:
    """One measured value.

    Parameters
    ----------
    time : float, h
    observable : int
        Index among the model's observables.
    dv, lloq, sd : float
        In the observable's unit; nan where the file has none.
    censored : bool
    order : int
        Row among the rows of the file.
    line : int
        Line of the file.
    """

    time: float
    observable: int
    dv: float
    censored: bool
    lloq: float
    sd: float
    order: int
    line: int


class ObservationReader:
    """Reads the observation rows of one file.

    Parameters
    ----------
    model : Model
    block : DataBlock
    columns : Columns
    lookup : callable
        Value of a name of the model, for a limit of quantification.
    scored : bool
        Whether measured values are needed; without, a row says only when the observable is wanted.
    problems : Problems
    only : Observable, optional
        What all rows measure, whatever the block says.
    """

    def __init__(
        self,
        model: Model,
        block: DataBlock,
        columns: Columns,
        lookup: Callable[[str], Any],
        scored: bool,
        problems: Problems,
        only: Observable | None = None,
    ) -> None:
        self._only = only
        self._model, self._columns, self._scored, self._problems = model, columns, scored, problems
        self._names = [o.name for o in model.observables]
        words = {word for word, *_ in block.observe_rows}
        # DVID tells what was measured wherever the block has such a line; CMT only without one.
        self._word = "DVID" if "DVID" in words else next(iter(sorted(words)), None)
        self._lines = {
            number: (name, unit) for word, number, name, unit in block.observe_rows if word == self._word
        }
        self._limits = [self._limit(o, lookup) for o in model.observables]
        self._factors: dict[tuple[str, Unit | None], float | None] = {}

    def read_all(self, row: Row) -> Iterator[Observation]:
        """The measured value of a row, if it has one."""
        found = self.read(row)
        if found is not None:
            yield found

    def read(self, row: Row) -> Observation | None:
        """The measured value of a row, None if it is not scored or cannot be read."""
        if row.numbers.get("MDV", 0.0) != 0.0 and self._scored:
            place = row.place(self._columns.get("MDV"))
            self._problems.add("data-not-scored", "rows with MDV 1 are not scored", place, severity="note")
            return None
        mapped = self._observable(row)
        if mapped is None:
            return None
        observable, unit = mapped
        index = self._names.index(observable.name)
        time = self._columns.words["TIME"].canonical(row.numbers["TIME"])
        if not self._scored:
            nan = math.nan
            return Observation(time, index, nan, False, nan, nan, row.order, row.line)
        dv, lloq, sd = (self._value(row, word, observable, unit) for word in ("DV", "LLOQ", "SD"))
        censored = self._censored(row)
        if math.isnan(lloq):
            lloq = self._limits[index]
        if math.isnan(lloq) and censored:
            lloq = dv
        if not self._usable(row, observable, dv, lloq, sd, censored):
            return None
        return Observation(time, index, dv, censored, lloq, sd, row.order, row.line)

    def _observable(self, row: Row) -> tuple[Observable, Unit | None] | None:
        observables = self._model.observables
        if self._only is not None:
            return self._only, None
        if self._word is None:
            if len(observables) == 1:
                return observables[0], None
            self._problems.add(
                "data-unmapped", "the file has observations and the data block does not say of what",
                row.place(self._columns.get("DV")),
                notes=("the model observes " + ", ".join(self._names),) if self._names else
                ("the model observes nothing",),
                help=f"add a line for each, for example: DVID 1 observe {self._names[0]}" if self._names else
                "add an observe to the model",
            )  # fmt: skip
            return None
        column = self._columns.get(self._word)
        if column is None:
            return None  # the missing column is a problem of the header
        number = row.numbers.get(self._word)
        if number is None:
            self._problems.add(
                "data-unmapped", f"the observation has no {self._word}", row.place(column),
                help=f"write the number of one of the lines '{self._word} n observe ...'",
            )  # fmt: skip
            return None
        told = self._lines.get(int(number))
        if told is None:
            free = [
                n for n in self._names if n not in {name for name, _ in self._lines.values()}
            ] or self._names
            self._problems.add(
                "data-unmapped", f"{self._word} {number:.0f} of an observation is not in the data block",
                row.place(column),
                notes=(f"observations are told for {self._word} " + ", ".join(map(str, sorted(self._lines))),
                       "the model observes " + ", ".join(self._names)),
                help=f"add the line: {self._word} {number:.0f} observe {free[0]}", kind=f"observe {number}",
            )  # fmt: skip
            return None
        name, unit = told
        return observables[self._names.index(name)], unit

    def _value(self, row: Row, word: str, observable: Observable, unit: Unit | None) -> float:
        """A number of DV, LLOQ or SD in the observable's unit; nan where there is none."""
        value, column = row.numbers.get(word), self._columns.get(word)
        if value is None or column is None:
            return math.nan
        # LLOQ and SD are in the unit of DV unless they have one of their own.
        base = column if column.unit is not None or word == "DV" else self._columns.get("DV") or column
        own = column.unit or unit or base.unit
        factor = self._factor(row, word, observable, own)
        return math.nan if factor is None else value * factor * base.factor

    def _factor(self, row: Row, word: str, observable: Observable, unit: Unit | None) -> float | None:
        if unit is None:
            return 1.0
        key = (observable.name, unit)
        if key not in self._factors:
            if unit.dimension != observable.unit.dimension:
                self._problems.add(
                    "data-unit",
                    f"{word} is told in {unit} and '{observable.name}' is observed in {observable.unit}",
                    row.place(self._columns.get(word)), kind=f"{observable.name}{unit}",
                    also=Label(observable.span, "observed here") if observable.span else None,
                )  # fmt: skip
                self._factors[key] = None
            else:
                self._factors[key] = float(unit.factor / observable.unit.factor)
        return self._factors[key]

    def _limit(self, observable: Observable, lookup: Callable[[str], Any]) -> float:
        if observable.lloq is None:
            return math.nan
        try:
            return float(evaluate(observable.lloq, lookup)) / float(observable.unit.factor)
        except (NotEvaluable, ArithmeticError, ValueError):
            return math.nan

    def _censored(self, row: Row) -> bool:
        value = row.numbers.get("CENS", 0.0)
        if value not in (0.0, 1.0):
            self._problems.add(
                "data-cens", f"CENS {value:.0f} means nothing", row.place(self._columns.get("CENS")),
                help="write 1 for a value below the limit of quantification, 0 for a measured one",
            )  # fmt: skip
        return value == 1.0

    def _usable(
        self, row: Row, observable: Observable, dv: float, lloq: float, sd: float, censored: bool
    ) -> bool:
        problems, place = self._problems, row.place(self._columns.get("DV"))
        kind = observable.error.kind if observable.error else None
        if censored:
            if math.isnan(lloq):
                problems.add(
                    "data-no-limit", "the value is below quantification and the limit is not told", place,
                    help=f"add a column LLOQ to the file, or 'lloq ...' to observe {observable.name}",
                )  # fmt: skip
                return False
            return True
        if math.isnan(dv):
            if row.numbers.get("DV") is not None:
                return False  # its unit was refused
            if "MDV" in row.numbers:
                problems.add("data-no-value", "the observation has MDV 0 and no value", place,
                             help="write MDV 1 for a row without a value")  # fmt: skip
            else:
                problems.add("data-no-value", "observations without a value are not scored", place,
                             severity="note", kind="note")  # fmt: skip
            return False
        if kind == "lognormal" and dv <= 0.0:
            problems.add(
                "data-not-positive", f"the value of '{observable.name}' is {dv:g} and its error is lognormal",
                place, notes=("the logarithm of a value that is not above zero does not exist",),
                help="write CENS 1 for a value below quantification, or choose another error",
            )  # fmt: skip
            return False
        if dv < 0.0:
            message = f"the value of '{observable.name}' is below zero and scored as it is"
            problems.add("data-negative-value", message, place, severity="note", kind=observable.name)
        elif dv < lloq:
            problems.add(
                "data-below-limit",
                f"values of '{observable.name}' below its limit of quantification "
                f"({lloq:g} {observable.unit}) are scored as observed",
                place, severity="note", kind=observable.name, help="write CENS 1 to score them as censored",
            )  # fmt: skip
        if kind == "given" and not sd > 0.0:
            problems.add(
                "data-no-sd",
                f"the error of '{observable.name}' is given() and the row has no standard deviation above 0",
                place, help="add a column SD, in the unit of DV",
            )  # fmt: skip
            return False
        return True
