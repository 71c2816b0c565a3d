"""The people of a data file, looked at with the settings of a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pbpkc.experiment.data import Dataset, data_scenario, read_dataset
from pbpkc.jobs.feasible import infeasible
from pbpkc.language.diagnostics import Diagnostic, Label, Problems, raise_if_errors
from pbpkc.language.model import Scenario
from pbpkc.language.options.option_text import OptionError

if TYPE_CHECKING:
    from pbpkc.jobs.spec import Spec


def individuals(
    spec: Spec, scenario: str | None, path: str | Path | None = None, scored: bool = True
) -> Dataset:
    """A data file's individuals; see `pbpkc.experiment.data.read_dataset`.

    A covariate that the file gives comes before a value that the run sets, which its notes say.

    Raises
    ------
    ValueError
        If the scenario does not exist, has no data block, or is not named where several have one.
    SpecError
        With everything that is wrong with the file, or with a body that it describes.
    """
    _demand_one(spec, scenario)
    _demand_no_column(spec, data_scenario(spec.model, scenario))
    dataset = read_dataset(spec.model, scenario, path, scored)
    problems = Problems()
    for subject in dataset.subjects:
        values = {**dataset.overrides, **subject.covariates}
        problems.extend(infeasible(spec.model, values, f"ID {subject.id}"))
    raise_if_errors(problems)
    told = {name for subject in dataset.subjects for name in subject.covariates}
    notes = [
        Diagnostic(
            "set-and-data",
            f"'{name}' is set by this run and is a column of '{dataset.path}', whose values are used",
            help=f"take the line `column {name}` out of scenario '{dataset.scenario}' to set it",
            severity="note",
        )
        for name in sorted(spec.given & told)
    ]
    return replace(dataset, notes=(*dataset.notes, *notes, *_adding(spec, dataset)))


def _adding(spec: Spec, dataset: Dataset) -> Iterator[Diagnostic]:
    """A word where SS 2 adds amounts that do not simply add up."""
    adding = [s.id for s in dataset.subjects if any(dose.steady == 2 for dose in s.regimen.doses)]
    rates = spec.compiled.manifest["linear"]["nonlinear_rates"]
    if adding and rates:
        names = [spec.compiled.manifest["rates"][i]["name"] for i in rates]
        yield Diagnostic(
            "steady-adds",
            f"SS 2 adds a steady state to what is there, and amounts do not add up where '{names[0]}' is not "
            f"linear (ID {adding[0]}{' and others' if len(adding) > 1 else ''})",
            help="as in NONMEM, what is added is the steady state of these doses alone",
            severity="warning",
        )


def _demand_one(spec: Spec, scenario: str | None) -> None:
    having = [s.name for s in spec.model.scenarios.values() if s.data is not None]
    if scenario is None and len(having) != 1:
        if having:
            raise ValueError(
                f"several scenarios read data ({', '.join(having)}); say which, with --scenario NAME"
            )
        raise ValueError(
            "no scenario of the spec reads data: write one, such as "
            'scenario study { data "study.csv" { column TIME [h]; column AMT [mg]; '
            "CMT 1 dose X into gut; CMT 2 observe Cp } }"
        )


def _demand_no_column(spec: Spec, scenario: Scenario) -> None:
    """What a run masks cannot come from a column at the same time."""
    assert scenario.data is not None
    problems = [
        Diagnostic(
            "usage",
            f"'{column.target}' is masked by this run and is a column of scenario '{scenario.name}'",
            (Label(column.span, "read here"),) if column.span else (),
            help="take one of the two out",
        )
        for column in scenario.data.columns
        if column.target in spec.given and spec.model.definitions[column.target].mask is not None
    ]
    if problems:
        raise OptionError(problems)
