"""What the rows of one individual say of its covariates and of inputs."""

from __future__ import annotations

from pbpkc.experiment.changes import ChangeEvent
from pbpkc.experiment.data_columns import Columns, WordColumn
from pbpkc.experiment.data_rows import Problems, Row
from pbpkc.experiment.scenario import change_event
from pbpkc.language.diagnostics import Label
from pbpkc.language.model import Definition, Model
from pbpkc.language.scenario.changes import allowed_range


class CovariateReader:
    """Reads covariates and inputs, those that keep their value and those that change.

    Parameters
    ----------
    model : Model
    columns : Columns
    problems : Problems
    """

    def __init__(self, model: Model, columns: Columns, problems: Problems) -> None:
        self._model, self._columns, self._problems = model, columns, problems

    def read(self, identity: str, rows: list[Row]) -> tuple[dict[str, float], tuple[ChangeEvent, ...]]:
        """Values at the beginning, canonical, and the points of what changes.

        Every row counts, whatever it is; an empty cell says nothing. Before the first value the first holds,
        after the last one the last.
        """
        values: dict[str, float] = {}
        changes: list[ChangeEvent] = []
        for name, column in self._columns.covariates.items():
            told = [row for row in rows if name in row.covariates]
            definition = self._model.definitions[name]
            if not told:
                what = "covariate " if definition.kind == "covariate" else ""
                self._problems.add(
                    "data-no-covariate",
                    f"ID {identity} has no value of {what}'{name}'; the model's is used",
                    rows[0].place(column), severity="note", kind=name,
                )  # fmt: skip
                continue
            first = told[0].covariates[name]
            other = next((row for row in told if row.covariates[name] != first), None)
            if other is not None and not definition.hold:
                self._problems.add(
                    "data-covariate-varies", f"ID {identity}: covariate '{name}' changes from {first:g} to "
                    f"{other.covariates[name]:g}", other.place(column),
                    help=f"say how it goes on between the rows: write hold last behind 'covariate {name}'",
                    kind=name, also=Label(told[0].place(column), "first value"),
                )  # fmt: skip
                continue
            looked_at = told[:1] if other is None else told
            wrong = [row for row in looked_at if not self._allowed(identity, row, definition, column)]
            if wrong:
                continue
            values[name] = column.canonical(first)
            if other is not None:
                changes += self._points(rows, told, definition, column)
        return values, tuple(changes)

    def _allowed(self, identity: str, row: Row, definition: Definition, column: WordColumn) -> bool:
        """Whether a value lies within the bounds."""
        name, unit = definition.name, definition.unit
        low, high = (
            allowed_range(definition)
            if definition.hold
            else definition.bounds or (float("-inf"), float("inf"))
        )
        if low <= column.canonical(row.covariates[name]) <= high:
            return True
        shown = [f"{(bound - float(unit.offset)) / float(unit.factor):g}" for bound in (low, high)]
        what = "covariate" if definition.kind != "input" else "input"
        self._problems.add(
            "data-covariate-bounds", f"ID {identity}: {what} '{name}' is outside its bounds "
            f"{shown[0]} to {shown[1]} {unit}", row.place(column), kind=name,
            also=Label(definition.span, "bounds told here") if definition.span else None,
        )  # fmt: skip
        return False

    def _points(
        self, rows: list[Row], told: list[Row], definition: Definition, column: WordColumn
    ) -> list[ChangeEvent]:
        """The points of a curve; with ``last`` only where it changes."""
        time, name = self._columns.words["TIME"], definition.name
        points: list[ChangeEvent] = []
        before: float | None = None
        for row, following in zip(told, [*told[1:], None], strict=True):
            value = column.canonical(row.covariates[name])
            if definition.hold != "last" or value != before:
                order = row.order if definition.hold != "next" else _until(rows, row, following)
                at = time.canonical(row.numbers["TIME"])
                points.append(change_event(self._model, name, value, at, order=order, span=row.place(column)))
            before = value
        return points


def _until(rows: list[Row], row: Row, following: Row | None) -> int:
    """The last row of its time that a value with ``next`` holds for, before the next one that has its own."""
    last = row.order
    for other in rows:
        if following is not None and other.order >= following.order:
            break
        if other.numbers["TIME"] == row.numbers["TIME"]:
            last = max(last, other.order)
    return last
