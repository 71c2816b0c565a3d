"""The data of a fit, and what is needed to repeat it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pbpkc.experiment.data import Dataset, Subject
from pbpkc.experiment.regimen import DoseEvent
from pbpkc.experiment.values import Quantity
from pbpkc.language.evaluate import evaluate, evaluate_definitions
from pbpkc.language.expression import Expr
from pbpkc.language.model import Model
from pbpkc.language.units import Unit, parse_unit
from pbpkc.report.content import ReportContent
from pbpkc.report.quantities import NOTHING, bracketed, count, plain_number, unit_text, with_unit

#: Doses of one subject that are told one by one.
_MOST_DOSES = 4


@dataclass(frozen=True)
class SubjectRow:
    """One subject of the data."""

    id: str
    doses: str
    covariates: tuple[str, ...]
    measured: int
    below: int
    times: str


@dataclass(frozen=True)
class DataTables:
    """The data: file, subjects, remarks."""

    path: str
    sha256: str
    scenario: str
    covariates: tuple[str, ...]
    time_unit: str
    subjects: tuple[SubjectRow, ...]
    remarks: tuple[str, ...]
    below: bool


def data_tables(dataset: Dataset, model: Model) -> DataTables:
    """The data of a fit.

    Parameters
    ----------
    dataset : Dataset
    model : Model
        Tells the units of covariates and doses.
    """
    names = list(dict.fromkeys(name for subject in dataset.subjects for name in subject.covariates))
    units = {name: model.definitions[name].unit for name in names}
    factor = float(model.time_unit.factor)
    rows = []
    for subject in dataset.subjects:
        told = []
        for name in names:
            value = subject.covariates.get(name)
            unit = units[name]
            shown = (
                NOTHING if value is None else plain_number((value - float(unit.offset)) / float(unit.factor))
            )
            told.append(shown + _changing(subject, name, unit))
        times = subject.time / factor
        rows.append(
            SubjectRow(
                id=subject.id,
                doses=_doses(subject, dataset, model),
                covariates=tuple(told),
                measured=int(times.size),
                below=int(subject.censored.sum()),
                times=f"{plain_number(times.min(), 3)} to {plain_number(times.max(), 4)}"
                if times.size
                else NOTHING,
            )
        )
    return DataTables(
        path=dataset.path,
        sha256=dataset.sha256,
        scenario=dataset.scenario,
        covariates=tuple(bracketed(name, units[name].text) for name in names),
        time_unit=unit_text(model.time_unit.text),
        subjects=tuple(rows),
        remarks=tuple(dict.fromkeys(d.message for d in dataset.notes)),
        below=any(row.below for row in rows),
    )


def _changing(subject: Subject, name: str, unit: Unit) -> str:
    """The range of a covariate that changes during the run, to be put behind its first value."""
    values = [c.value for c in subject.regimen.changes if c.name == name and isinstance(c.value, float)]
    if not values:
        return ""
    low, high = ((v - float(unit.offset)) / float(unit.factor) for v in (min(values), max(values)))
    return f", then {plain_number(low)} to {plain_number(high)}"


# ------------------------------------------------------------- doses


def _doses(subject: Subject, dataset: Dataset, model: Model) -> str:
    events = subject.regimen.doses
    told = [_dose(event, subject, dataset, model) for event in events[:_MOST_DOSES]]
    if len(events) > _MOST_DOSES:
        told.append(f"and {count(len(events) - _MOST_DOSES, 'more dose')}")
    return "; ".join(told) or "none"


def _dose(event: DoseEvent, subject: Subject, dataset: Dataset, model: Model) -> str:
    amount = _number(event.amount, subject, dataset, model)
    state = model.states[event.state]
    if amount is None:
        size = "an amount that is estimated or changes"
    else:
        size = _amount(amount / event.scale, event.species, state.unit.text, subject, dataset, model)
    parts = [f"{size} into {state.name} at {_hours(event.time, subject, dataset, model)}"]
    if event.duration is not None:
        parts.append(f"over {_hours(event.duration, subject, dataset, model)}")
    if event.rate is not None:
        parts.append("by rate")
    if event.every is not None and event.count != 1:
        times = "to the end" if event.count is None else f"{event.count} times"
        parts.append(f"every {_hours(event.every, subject, dataset, model)}, {times}")
    if event.steady:
        parts.append("from steady state" if event.steady == 1 else "added as at steady state")
    return " ".join(parts)


def _amount(amount: float, species: str, unit: str, subject: Subject, dataset: Dataset, model: Model) -> str:
    """In milligrams where the substance has a molar mass, else in the unit of the state."""
    found = model.species.get(species)
    name = found.attributes.get("mw") if found is not None else None
    if name is not None and unit == "umol":
        molar = _number(model.definitions[name].expr, subject, dataset, model)
        if molar is not None:
            return with_unit(plain_number(amount * molar / float(parse_unit("mg").factor), 6), "mg")
    return with_unit(plain_number(amount, 6), unit)


def _hours(quantity: Quantity, subject: Subject, dataset: Dataset, model: Model) -> str:
    value = _number(quantity, subject, dataset, model)
    if value is None:
        return "a time that is estimated or changes"
    return with_unit(plain_number(value / float(model.time_unit.factor), 6), model.time_unit.text)


def _number(quantity: Quantity, subject: Subject, dataset: Dataset, model: Model) -> float | None:
    """The canonical value; None where it depends on what is estimated, or changes during the run."""
    if not isinstance(quantity, Expr):
        return float(quantity)
    changing = {change.name for change in subject.regimen.changes}
    told = {**dataset.overrides, **subject.covariates}
    known: Mapping[str, float] = {name: value for name, value in told.items() if name not in changing}
    estimated = ({d.name for d in model.masked} - set(known)) | changing
    definitions = {
        name: d.expr for name, d in model.definitions.items() if name not in known and name not in estimated
    }
    try:
        return float(evaluate(quantity, evaluate_definitions(definitions, known)))
    except (KeyError, ValueError, ArithmeticError):
        return None


# ------------------------------------------------------------- how to repeat it


def settings(content: ReportContent) -> Iterator[tuple[str, str]]:
    """What was computed with, as pairs of name and value; nothing in it depends on the machine's speed."""
    result = content.result
    provenance = dict(result.provenance)
    yield "spec", str(provenance.pop("spec", content.model.files[0].name if content.model.files else ""))
    if "spec_sha256" in provenance:
        yield "SHA-256 of the spec", str(provenance.pop("spec_sha256"))
    yield "fingerprint of the equations", str(provenance.pop("fingerprint", ""))
    for name in ("model", "data", "data_sha256", "scenario"):
        provenance.pop(name, None)
    solver = provenance.pop("solver", None)
    if isinstance(solver, Mapping):
        yield "solver", _pairs(solver)
    yield "fit", _pairs(result.options)
    for name, value in provenance.items():
        if value not in (None, {}, [], ""):
            yield (
                name.replace("_", " "),
                value if isinstance(value, str) else json.dumps(value, ensure_ascii=False),
            )
    yield "versions", ", ".join(f"{name} {number}" for name, number in content.versions.items())


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {_plain(value)}" for name, value in values.items() if value is not None
    )


def _plain(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)
