"""Dose rows of a data file as dose events."""

from __future__ import annotations

from fractions import Fraction

from pbpkc.experiment.bind import MOST_DOSES
from pbpkc.experiment.data_columns import Columns, WordColumn
from pbpkc.experiment.data_rows import Problems, Row
from pbpkc.experiment.regimen import DoseEvent
from pbpkc.experiment.scenario import state_place
from pbpkc.experiment.values import Quantity
from pbpkc.language.diagnostics import Label
from pbpkc.language.expression import Const, Expr, div, mul
from pbpkc.language.model import DataBlock, Dose, Model
from pbpkc.language.units import MASS, ONE, Unit, canonical_text, canonical_unit


class DoseReader:
    """Reads the dose rows of one file.

    Parameters
    ----------
    model : Model
    block : DataBlock
    columns : Columns
    rows : list of Row
        All rows of the file: where a compartment's RATE is ever -1 or -2 its RATE 0 needs no remark.
    problems : Problems
    """

    def __init__(
        self, model: Model, block: DataBlock, columns: Columns, rows: list[Row], problems: Problems
    ) -> None:
        self._model, self._columns, self._problems = model, columns, problems
        self._lines = {(word, number): dose for word, number, dose in block.dose_rows}
        self._word = block.dose_rows[0][0] if block.dose_rows else "CMT"
        self._told_by_rate = {
            r.numbers.get(self._word) for r in rows if r.kind == "dose" and r.numbers.get("RATE", 0.0) < 0.0
        }
        self._remarked: set[float | None] = set()

    def read(self, row: Row) -> DoseEvent | None:
        """The dose of a row, None if it cannot be read."""
        line = self._line(row)
        if line is None:
            return None
        steady = int(row.numbers.get("SS", 0.0))
        constant = steady != 0 and not row.numbers.get("II", 0.0)
        if constant and not self._is_constant_infusion(row):
            return None
        amount = 0.0 if constant else self._amount(row, line)
        if not constant and row.numbers.get("AMT") == 0.0 and not row.numbers.get("RATE"):
            self._problems.add(
                "data-zero-dose", "the dose is 0: nothing is given", row.place(self._columns.get("AMT")),
                severity="note", kind="zero",
                help="write what was given into AMT, or EVID 2 for a row that gives nothing",
            )  # fmt: skip
        timing = self._timing(row, line)
        repeats = self._repeats(row, steady)
        lag = self._once(row, "LAG", line.lag, "lag")
        fraction = self._once(row, "F", line.fraction, "fraction")
        if amount is None or timing is None or repeats is None:
            return None
        rate, duration = timing
        if constant and row.numbers.get("RATE", 0.0) == 0.0:
            rate, duration = None, None
        every, count = repeats
        index, scale = state_place(self._model, line.state)
        time = self._columns.words["TIME"].canonical(row.numbers["TIME"])
        return DoseEvent(
            line.species, index, amount, time, duration, rate, lag, fraction, every, count, scale, row.order,
            row.place(self._columns.get("AMT")), steady,
        )  # fmt: skip

    def _line(self, row: Row) -> Dose | None:
        """The line of the block that tells where the dose goes."""
        column = self._columns.get(self._word)
        number = row.numbers.get(self._word)
        example = self._example(int(number) if number is not None else 1)
        if not self._lines:
            self._problems.add(
                "data-unmapped", "the file has a dose and the data block does not say where doses go",
                row.place(self._columns.get("AMT")), help=f"add the line: {example}",
            )  # fmt: skip
            return None
        if column is None:
            return None  # the missing column is a problem of the header
        if number is None:
            self._problems.add(
                "data-unmapped", f"the dose has no {self._word}", row.place(column),
                help=f"write the number of one of the lines '{self._word} n dose ...'",
            )  # fmt: skip
            return None
        line = self._lines.get((self._word, int(number)))
        if line is None:
            told = ", ".join(str(n) for _, n in sorted(self._lines))
            self._problems.add(
                "data-unmapped", f"{self._word} {number:.0f} of a dose is not in the data block",
                row.place(column), notes=(f"doses are told for {self._word} {told}",),
                help=f"add the line: {example}", kind=f"dose {number}",
            )  # fmt: skip
        return line

    def _example(self, number: int) -> str:
        states = [s.name for s in self._model.states if s.species is None]
        if states and not self._model.nodes:
            return f"{self._word} {number} dose into {states[0] if len(states) == 1 else 'STATE'}"
        species = list(self._model.species)
        nodes = [n.name for n in self._model.nodes.values() if n.kind != "sink"]
        return (
            f"{self._word} {number} dose {species[0] if len(species) == 1 else 'SPECIES'} "
            f"into {nodes[0] if len(nodes) == 1 else 'NODE'}"
        )

    def _amount(self, row: Row, line: Dose) -> Quantity | None:
        column = self._columns.get("AMT")
        value = row.numbers.get("AMT")
        if column is None:
            return None
        if value is None:
            self._problems.add("data-no-amount", "the dose has no amount", row.place(column))
            return None
        if value < 0.0:
            self._problems.add(
                "data-negative", f"the dose is {value:g}, below zero", row.place(column), kind="AMT"
            )
            return None
        if column.unit is None and column.factor_expr is None and not self._state_unit(line).dimension.is_one:
            return None  # the missing unit is a problem of the header
        return self._substance(row, column, value, line, per_time=False)

    def _substance(
        self, row: Row, column: WordColumn, value: float, line: Dose, per_time: bool
    ) -> Expr | None:
        """An amount, or an amount per time, in the dimension of the state."""
        unit = column.unit or canonical_unit(ONE)
        quantity: Expr = Const(unit.dimension, Fraction(value), unit, span=row.place(column))
        if column.factor_expr is not None:
            quantity = mul(quantity, column.factor_expr)
        wanted = self._state_unit(line).dimension
        if per_time:
            wanted = wanted / self._model.time_unit.dimension
        mass = MASS / self._model.time_unit.dimension if per_time else MASS
        if quantity.dim == mass and quantity.dim != wanted and line.mw is not None:
            quantity = div(quantity, line.mw)
        if quantity.dim != wanted:
            self._problems.add(
                "data-unit",
                f"column '{column.header.text}' is in [{canonical_text(quantity.dim)}], the dose into "
                f"'{line.state}' in [{canonical_text(wanted)}]",
                column.header.span, kind=f"{column.name} {line.state}",
                notes=(f"{line.species} has no mw to convert a mass",) if quantity.dim == mass else (),
                also=Label(line.span, "this line") if line.span else None,
            )  # fmt: skip
            return None
        return quantity

    def _state_unit(self, line: Dose) -> Unit:
        return next(s.unit for s in self._model.states if s.name == line.state)

    def _timing(self, row: Row, line: Dose) -> tuple[Quantity | None, Quantity | None] | None:
        """Rate and duration of a dose, (None, None) for a bolus; None if it cannot be read.

        RATE > 0 is an infusion over AMT/RATE; -1 and -2 take rate and duration from the line. RATE 0 is a
        bolus as in NONMEM, whatever the line says; an empty cell, or no column, is what the line says.
        """
        column, value = self._columns.get("RATE"), row.numbers.get("RATE")
        both = line.over is not None and line.rate is not None
        told = both or row.numbers.get(self._word) in self._told_by_rate
        if column is None or not value:
            if column is not None and value is not None:
                if not told and (line.rate is not None or line.over is not None):
                    self._remark_on_bolus(row, column, line)
                return None, None
            if both:
                self._problems.add(
                    "data-rate", "the line tells both 'over' and 'rate' and the row does not say which holds",
                    row.place(column), help="write RATE -1 for the rate, -2 for the duration, 0 for a bolus",
                )  # fmt: skip
                return None
            return line.rate, line.over
        place = row.place(column)
        if value in (-1.0, -2.0):
            word, quantity = ("rate", line.rate) if value == -1.0 else ("over", line.over)
            if quantity is None:
                number = row.numbers.get(self._word, 0)
                self._problems.add(
                    "data-rate", f"RATE {value:.0f} asks for '{word}' and the line does not tell it", place,
                    help=f"add '{word} ...' to the line {self._word} {number:.0f}",
                    also=Label(line.span, "this line") if line.span else None, kind=word,
                )  # fmt: skip
                return None
            return (quantity, None) if value == -1.0 else (None, quantity)
        if value < 0.0:
            self._problems.add("data-negative", f"RATE {value:g} means nothing", place, kind="RATE",
                               help="accepted are 0, a positive rate, -1 and -2")  # fmt: skip
            return None
        if not told and (line.over is not None or line.rate is not None):
            word = "over" if line.over is not None else "rate"
            self._problems.add(
                "data-rate", f"the row has RATE {value:g} and its line already says '{word}'", place,
                help=f"leave '{word}' out of the line, or the column RATE out of the file",
                also=Label(line.span, "this line") if line.span else None, kind="twice",
            )  # fmt: skip
            return None
        amount = self._columns.words["AMT"]
        if column.unit is None and amount.unit is not None:
            hour = self._columns.words["TIME"].unit or self._model.time_unit
            per = Unit(
                f"{amount.unit.text}/{hour.text}", amount.unit.factor / hour.factor,
                amount.unit.dimension / hour.dimension,
            )  # fmt: skip
            column = WordColumn("RATE", column.index, column.header, per, amount.factor, amount.factor_expr)
        rate = self._substance(row, column, value, line, per_time=True)
        return None if rate is None else (rate, None)

    def _remark_on_bolus(self, row: Row, column: WordColumn, line: Dose) -> None:
        """A word, once for each line, about an infusion that RATE 0 makes a bolus."""
        number = row.numbers.get(self._word)
        if number in self._remarked:
            return
        self._remarked.add(number)
        word = "over" if line.over is not None else "rate"
        self._problems.add(
            "data-bolus", f"RATE 0 is a bolus: the '{word}' of the line is not used for such rows",
            row.place(column), severity="note", kind=f"bolus {number}",
            help=f"write RATE {'-2' if word == 'over' else '-1'} where the line holds, or nothing at all",
            also=Label(line.span, "this line") if line.span else None,
        )  # fmt: skip

    def _is_constant_infusion(self, row: Row) -> bool:
        """Whether a steady row without an interval is what that can be: an infusion without an end."""
        rate, amount = row.numbers.get("RATE", 0.0), row.numbers.get("AMT", 0.0)
        place = row.place(self._columns.get("SS"))
        if amount != 0.0:
            self._problems.add(
                "data-no-interval", "the row is at steady state and has no interval", place,
                help="write the interval between the doses into II; a constant infusion has AMT 0",
            )  # fmt: skip
        elif rate == -2.0:
            self._problems.add(
                "data-rate", "RATE -2 gives a duration, and a constant infusion has none", place,
                help="write its rate, or RATE -1 for the rate of the line", kind="constant",
            )  # fmt: skip
        elif row.numbers.get("ADDL", 0.0) != 0.0:
            self._problems.add(
                "data-no-interval", "a constant infusion at steady state has no further doses",
                row.place(self._columns.get("ADDL")), help="write ADDL 0, or the interval into II",
                kind="constant",
            )  # fmt: skip
        else:
            return True
        return False

    def _repeats(self, row: Row, steady: int) -> tuple[float | None, int] | None:
        more, interval = row.numbers.get("ADDL", 0.0), row.numbers.get("II", 0.0)
        if more < 0.0:
            place = row.place(self._columns.get("ADDL"))
            self._problems.add("data-negative", f"ADDL is {more:g}, below zero", place, kind="ADDL")
            return None
        if interval < 0.0:
            place = row.place(self._columns.get("II"))
            self._problems.add("data-negative", f"II is {interval:g}, below zero", place, kind="II")
            return None
        if more > MOST_DOSES:
            message = f"ADDL is {more:g}; at most {MOST_DOSES} further doses are accepted"
            self._problems.add(
                "too-large", message, row.place(self._columns.get("ADDL")), kind="ADDL",
                help="write a smaller ADDL, or an infusion in place of many small doses",
            )  # fmt: skip
            return None
        if more == 0.0:
            return (self._hours("II", interval) if steady and interval else None), 1
        if interval == 0.0:
            self._problems.add(
                "data-no-interval", f"the row repeats its dose {more:.0f} times and has no interval",
                row.place(self._columns.get("II") or self._columns.get("ADDL")),
                help="write the interval between the doses into a column II",
            )  # fmt: skip
            return None
        return self._hours("II", interval), int(more) + 1

    def _hours(self, word: str, value: float) -> float:
        """A number of II or LAG in hours: in its own unit, or that of TIME."""
        column = self._columns.words[word]
        time = self._columns.words["TIME"]
        return column.canonical(value) if column.unit is not None else time.canonical(value)

    def _once(self, row: Row, word: str, told: Expr | None, name: str) -> Quantity | None:
        """Lag or fraction, from the row or from the line but not from both."""
        value, column = row.numbers.get(word), self._columns.get(word)
        if value is None or column is None:
            return told
        if value < 0.0:
            self._problems.add(
                "data-negative", f"{word} is {value:g}, below zero", row.place(column), kind=word
            )
            return None
        if told is not None:
            message = f"the row has {word} and its line already says '{name}'"
            place = row.place(column)
            self._problems.add("data-told-twice", message, place, help="leave one of them out", kind=word)
            return None
        return self._hours(word, value) if word == "LAG" else column.canonical(value)
