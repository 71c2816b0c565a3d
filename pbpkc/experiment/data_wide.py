"""Wide data: a row of several observables, each in a column of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pbpkc.experiment.data_columns import Columns, WordColumn
from pbpkc.experiment.data_observations import Observation, ObservationReader
from pbpkc.experiment.data_rows import Problems, Row
from pbpkc.language.model import DataBlock, Model, Observable

#: Words that a wide file may have once, or for each observable: ``SD<Cp>``.
_OF_ONE = ("SD", "LLOQ", "CENS")


@dataclass(frozen=True)
class _Part:
    """One observable, its columns by word, and the reader of its values."""

    observable: Observable
    columns: dict[str, WordColumn]
    reader: ObservationReader


class WideReader:
    """Reads the observation rows of a wide file as those of a long one, observable by observable.

    Parameters
    ----------
    model : Model
    block : DataBlock
    columns : Columns
        With at least one in ``measured``.
    lookup : callable
        Value of a name of the model, for a limit of quantification.
    scored : bool
        As in `ObservationReader`.
    problems : Problems
    """

    def __init__(
        self,
        model: Model,
        block: DataBlock,
        columns: Columns,
        lookup: Callable[[str], Any],
        scored: bool,
        problems: Problems,
    ) -> None:
        self._scored, self._problems = scored, problems
        self._parts: list[_Part] = []
        for observable in model.observables:
            column = columns.measured.get(observable.name)
            if column is None:
                continue
            own = {"DV": column}
            for word in _OF_ONE:
                found = columns.get(f"{word}<{observable.name}>") or columns.get(word)
                if found is not None:
                    self._one(columns, word, found, observable)
                    own[word] = self._in_unit(word, found, column, observable)
            # The numbers reach the reader in the observable's unit.
            plain = {w: WordColumn(w, c.index, c.header) for w, c in own.items()}
            others = {w: c for w, c in columns.words.items() if "<" not in w and w not in _OF_ONE}
            reader = ObservationReader(
                model, replace(block, observe_rows=()), Columns({**others, **plain}, {}), lookup, scored,
                problems, observable,
            )  # fmt: skip
            self._parts.append(_Part(observable, own, reader))

    def _one(self, columns: Columns, word: str, column: WordColumn, observable: Observable) -> None:
        """Refuse one column of SD, LLOQ or CENS that several observables would share."""
        if len(columns.measured) > 1 and column.name == word:
            self._problems.add(
                "data-which", f"the column {word} does not say of which observable it is", column.header.span,
                notes=("the file measures " + ", ".join(columns.measured),),
                help=f"write column {word}<{observable.name}> = {column.header.text}, and so for the others",
                kind=word,
            )  # fmt: skip

    def _in_unit(
        self, word: str, column: WordColumn, measured: WordColumn, observable: Observable
    ) -> WordColumn:
        """The column of an SD or LLOQ; without a unit of its own it has that of the values."""
        if word == "CENS":
            return column
        if column.unit is None and column.factor_expr is None:
            return replace(
                column, unit=measured.unit, factor=measured.factor, factor_expr=measured.factor_expr
            )
        if column.unit is None:
            return replace(column, unit=measured.unit, factor=column.factor * measured.factor)
        if column.dimension != observable.unit.dimension:
            self._problems.add(
                "data-unit", f"{word} is told in {column.unit} and '{observable.name}' is observed in "
                f"{observable.unit}", column.header.span, kind=f"{word}{observable.name}",
            )  # fmt: skip
        return column

    def read(self, row: Row) -> Iterator[Observation]:
        """The measured values of a row."""
        for part in self._parts:
            name = part.observable.name
            told = {**row.numbers, **({"DV": row.measured[name]} if name in row.measured else {})}
            numbers = {w: x for w, x in told.items() if "<" not in w and w not in _OF_ONE}
            for word, column in part.columns.items():
                value = told.get(column.name if word != "DV" else "DV")
                if value is None:
                    continue
                scale = 1.0 if word == "CENS" else float(part.observable.unit.factor)
                numbers[word] = value if word == "CENS" else column.canonical(value) / scale
            # An empty cell of a wide file only says that this was not measured then.
            if self._scored and "DV" not in numbers and numbers.get("CENS", 0.0) != 1.0:
                continue
            found = part.reader.read(replace(row, numbers=numbers))
            if found is not None:
                yield found
