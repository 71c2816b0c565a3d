"""Clinical data: a NONMEM-style CSV read through the `data` block of a scenario.

Each individual becomes one run: its doses, its covariates, and what was measured on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.csv_table import decode, read_table
from pbpkc.experiment.data_columns import Columns, WordColumn, match_columns
from pbpkc.experiment.data_covariates import CovariateReader
from pbpkc.experiment.data_doses import DoseReader
from pbpkc.experiment.data_observations import Observation, ObservationReader
from pbpkc.experiment.data_rows import Problems, Row, read_rows
from pbpkc.experiment.data_wide import WideReader
from pbpkc.experiment.regimen import After, DoseEvent, Regimen, Reset
from pbpkc.experiment.scenario import (
    after_of,
    changes_of,
    definitions_in,
    dose_event,
    find_scenario,
    resets_of,
    settings,
    starts_of,
    with_needed,
)
from pbpkc.experiment.values import Quantity, number
from pbpkc.language.diagnostics import Diagnostic, Label, SpecError, raise_if_errors
from pbpkc.language.evaluate import NotEvaluable, evaluate, evaluate_definitions
from pbpkc.language.expression import Expr
from pbpkc.language.model import Model, Scenario

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Subject:
    """One individual of a data file.

    Parameters
    ----------
    id : str
    covariates : mapping of str to float
        Canonical; only those the file tells, inputs too. Of one that changes, its first value.
    regimen : Regimen
        From time 0, or the first row if that is earlier, to the last row, or later if ``run`` says so. It
        holds how covariates with `hold`, and inputs, change in the file.
    time : ndarray, shape (n,), h
    observable : ndarray of int, shape (n,)
        Index among the model's observables.
    dv, lloq, sd : ndarray, shape (n,)
        In the unit of the observable; nan where there is none.
    censored : ndarray of bool, shape (n,)
        Below quantification.
    order : ndarray of int, shape (n,)
        Row of each observation, to be given to `simulate`: a dose on a later row of the same time is not
        yet seen.
    line : ndarray of int, shape (n,)
        Line of the file.
    """

    id: str
    covariates: Mapping[str, float]
    regimen: Regimen
    time: Array
    observable: NDArray[np.int64]
    dv: Array
    censored: NDArray[np.bool_]
    lloq: Array
    sd: Array
    order: NDArray[np.int64]
    line: NDArray[np.int64]


@dataclass(frozen=True)
class Dataset:
    """The individuals of a data file.

    Parameters
    ----------
    path : str
        As it was named.
    sha256 : str
        Of the bytes of the file.
    scenario : str
    subjects : tuple of Subject
        In the order of the file.
    observable_names, observable_units : tuple of str
    overrides : mapping of str to float
        Canonical values of what the scenario sets for everyone.
    held : tuple of str
        Masked parameters among them, not estimated.
    notes : tuple of Diagnostic
        What the reader should know.
    """

    path: str
    sha256: str
    scenario: str
    subjects: tuple[Subject, ...]
    observable_names: tuple[str, ...]
    observable_units: tuple[str, ...]
    overrides: Mapping[str, float] = field(default_factory=dict)
    held: tuple[str, ...] = ()
    notes: tuple[Diagnostic, ...] = ()


def data_scenario(model: Model, name: str | None = None) -> Scenario:
    """The scenario that reads data: the named one, or the only one there is.

    Raises
    ------
    ValueError
        If there is no such scenario, none or several with a data block, or the named one has none.
    """
    if name is not None:
        scenario = find_scenario(model, name)
        if scenario.data is None:
            raise ValueError(f"scenario {name!r} has no data block")
        return scenario
    having = [s for s in model.scenarios.values() if s.data is not None]
    if len(having) != 1:
        found = ", ".join(s.name for s in having) or "none"
        raise ValueError(f"scenario must be named: those with a data block are {found}")
    return having[0]


def read_dataset(
    model: Model, scenario: str | None = None, path: str | Path | None = None, scored: bool = True
) -> Dataset:
    """The individuals of a data file.

    Parameters
    ----------
    model : Model
    scenario : str, optional
        The only one with a data block if not named.
    path : str or Path, optional
        Another file, read through the same block; from the working directory. The block's own path is
        relative to the spec.
    scored : bool
        Measured values are needed. Without, observation rows only say when to look, and DV may be absent.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        If the scenario does not exist or has no data block.
    SpecError
        With everything that is wrong with the file.
    """
    chosen = data_scenario(model, scenario)
    block = chosen.data
    assert block is not None
    name, content = _content(model, chosen, path)
    table = read_table(decode(content, name))
    definitions = definitions_in(model, chosen)
    overrides, held = settings(model, chosen, definitions)
    lookup = evaluate_definitions(definitions, {})

    columns, wrong, notes = match_columns(model, block, table, lookup, scored)
    if "ID" not in columns.words or "TIME" not in columns.words:
        raise SpecError(wrong)
    problems = Problems()
    rows = read_rows(table, columns, problems)
    doses = DoseReader(model, block, columns, rows, problems)
    if columns.measured:
        observe = WideReader(model, block, columns, lookup, scored, problems).read
    else:
        one = ObservationReader(model, block, columns, lookup, scored, problems)
        observe = one.read_all
    after = after_of(model, chosen, overrides)
    builder = _Builder(model, chosen, columns, definitions, doses, observe, problems, scored, after)
    subjects = builder.subjects(rows)
    if not rows and not wrong and not problems.all():
        keeps = block.keep_spans
        problems.add(
            "data-empty", "no row is left after 'keep'", keeps[0] if keeps else block.span,
            also=Label(keeps[-1], "and this one") if len(keeps) > 1 else None,
        )  # fmt: skip
    failed = any(d.severity == "error" for d in (*wrong, *problems.all()))
    if scored and rows and not failed and not any(s.time.size for s in subjects):
        problems.add("data-no-observations", "the file has no value that can be scored", rows[0].place(None))
    found = [*wrong, *notes, *problems.all()]
    raise_if_errors(found)
    return Dataset(
        name, hashlib.sha256(content).hexdigest(), chosen.name, tuple(subjects),
        tuple(o.name for o in model.observables), tuple(o.unit.text for o in model.observables),
        overrides, held, tuple(found),
    )  # fmt: skip


def _content(model: Model, scenario: Scenario, path: str | Path | None) -> tuple[str, bytes]:
    """Name and bytes of the data file."""
    block = scenario.data
    assert block is not None
    if path is not None:
        name, place, span = str(path), Path(path), None
    else:
        spec = block.span.file.name if block.span else model.files[0].name
        name, place, span = block.path, Path(spec).parent / block.path, block.span
    try:
        return name, place.read_bytes()
    except FileNotFoundError:
        message = f"the data file '{name}' does not exist"
    except IsADirectoryError:
        message = f"'{name}' is a directory, not a data file"
    except OSError as error:
        message = f"the data file '{name}' cannot be read: {error.strerror}"
    help = (
        "a path in a spec is relative to the spec"
        if span
        else "the path is relative to the working directory"
    )
    raise SpecError([Diagnostic("data-file", message, (Label(span),) if span else (), help=help)])


@dataclass
class _Builder:
    """Rows to individuals."""

    model: Model
    scenario: Scenario
    columns: Columns
    definitions: Mapping[str, Expr]
    doses: DoseReader
    observe: Callable[[Row], Iterator[Observation]]
    problems: Problems
    scored: bool
    after: After | None

    def __post_init__(self) -> None:
        self.covariates = CovariateReader(self.model, self.columns, self.problems)

    def subjects(self, rows: list[Row]) -> list[Subject]:
        groups: dict[str, list[Row]] = {}
        previous: str | None = None
        for row in rows:
            if row.id in groups and row.id != previous:
                self.problems.add(
                    "data-id-again",
                    f"ID {row.id} appears again after other individuals; its rows are joined",
                    row.place(self.columns.words["ID"]), severity="warning", kind=row.id,
                )  # fmt: skip
            groups.setdefault(row.id, []).append(row)
            previous = row.id
        return [self._subject(identity, group) for identity, group in groups.items()]

    def _subject(self, identity: str, rows: list[Row]) -> Subject:
        time = self.columns.words["TIME"]
        times = [time.canonical(row.numbers["TIME"]) for row in rows]
        for before, row in pairwise(rows):
            was, now = before.numbers["TIME"], row.numbers["TIME"]
            if now < was:
                self.problems.add(
                    "data-time-backwards", f"ID {identity}: the time goes back from {was:g} to {now:g}",
                    row.place(time), also=Label(before.place(time), "the row before"),
                    help="add the time of the row before to all times from the reset on, which changes "
                    "nothing else" if row.resets else
                    "sort the rows of each individual by time, or give each occasion an ID of its own",
                )  # fmt: skip
        resets = list(resets_of(self.scenario))
        events: list[DoseEvent] = [dose_event(self.model, dose) for dose in self.scenario.doses]
        begin, end = min(0.0, *times), max(times)
        begin = min([begin, *(self._value(dose.time) for dose in events)])
        if self.scenario.run is not None:
            end = max(end, self._value(self.scenario.run))
        seen: list[Observation] = []
        first: dict[tuple[float, int, float, bool], Row] = {}
        for row, at in zip(rows, times, strict=True):
            if row.resets:
                resets.append(Reset(at, row.order, row.place(self.columns.get("EVID"))))
            if row.kind == "dose":
                self._dropped(identity, row)
                event = self.doses.read(row)
                if event is not None:
                    events.append(event)
            elif row.kind == "observation":
                for observation in self.observe(row):
                    seen.append(observation)
                    self._again(identity, row, observation, first)
        self._remark(identity, rows, events, seen)
        covariates, changes = self.covariates.read(identity, rows)
        regimen = Regimen(
            tuple(events), starts_of(self.model, self.scenario), begin, end, dict(self.definitions),
            tuple(resets), (*changes_of(self.model, self.scenario), *changes), self.scenario.rests,
            self._after(covariates),
        )  # fmt: skip
        return Subject(
            identity, covariates, with_needed(regimen),
            np.array([o.time for o in seen]), np.array([o.observable for o in seen], dtype=np.int64),
            np.array([o.dv for o in seen]), np.array([o.censored for o in seen], dtype=bool),
            np.array([o.lloq for o in seen]), np.array([o.sd for o in seen]),
            np.array([o.order for o in seen], dtype=np.int64),
            np.array([o.line for o in seen], dtype=np.int64),
        )  # fmt: skip

    def _column(self, observable: str | None) -> WordColumn | None:
        """Where a measured value stands; of a wide file the observable's own column."""
        found = self.columns.measured
        if not found or observable is None:
            return next(iter(found.values()), self.columns.get("DV"))
        return found.get(observable)

    def _after(self, covariates: Mapping[str, float]) -> After | None:
        """The run before, of a person with these covariates."""
        if self.after is None:
            return None
        overrides = {k: v for k, v in self.after.overrides.items() if k not in covariates}
        return replace(self.after, overrides=overrides)

    def _value(self, quantity: Quantity) -> float:
        if not isinstance(quantity, Expr):
            return number(quantity)
        try:
            return float(evaluate(quantity, evaluate_definitions(self.definitions, {})))
        except (NotEvaluable, ArithmeticError, ValueError):
            return 0.0  # binding the regimen says what is wrong with it

    def _remark(
        self, identity: str, rows: list[Row], events: list[DoseEvent], seen: list[Observation]
    ) -> None:
        """What is allowed but worth a word."""
        place = rows[0].place(self.columns.words["ID"])
        if not seen:
            what = "value that can be scored" if self.scored else "observation row"
            self.problems.add("data-nothing-observed", f"ID {identity} has no {what}", place, severity="note")
            return
        if not events:
            self.problems.add("data-no-dose", f"ID {identity} has no dose", place, severity="note")
            return
        first = min(self._value(event.time) for event in events)
        early = [o for o in seen if o.time < first]
        if early:
            row = next(r for r in rows if r.order == early[0].order)
            self.problems.add(
                "data-before-dose", f"ID {identity} is observed before its first dose",
                row.place(self.columns.words["TIME"]), severity="note",
                notes=("such a value is predicted from the initial amounts alone",),
            )  # fmt: skip

    def _dropped(self, identity: str, row: Row) -> None:
        """A word about a row that is a dose because nothing says otherwise, and has a measured value."""
        told = row.numbers
        values = [*([told["DV"]] if "DV" in told else []), *row.measured.values()]
        if self.scored and "EVID" not in told and values and not told.get("MDV"):
            self.problems.add(
                "data-dose-with-value",
                f"ID {identity}: the row of line {row.line} has an amount and a value and is read as a dose; "
                f"its value {values[0]:g} is not scored",
                row.place(self._column(None)), severity="note",
                help="write the value on a row of its own, or MDV 1 where it means nothing",
            )  # fmt: skip

    def _again(
        self,
        identity: str,
        row: Row,
        observation: Observation,
        first: dict[tuple[float, int, float, bool], Row],
    ) -> None:
        """A word about a measured value that stands in the file twice."""
        if not self.scored:
            return
        value = observation.dv if not observation.censored else observation.lloq
        key = (observation.time, observation.observable, value, observation.censored)
        before = first.setdefault(key, row)
        if before is not row:
            name = self.model.observables[observation.observable].name
            self.problems.add(
                "data-value-again",
                f"ID {identity}: the value of '{name}' in line {row.line} is that of line {before.line} at "
                "the same time; both are scored",
                row.place(self._column(name)), severity="note",
                also=Label(before.place(self._column(name)), "the same value"),
                help="leave one of the rows out unless it was measured twice",
            )  # fmt: skip
