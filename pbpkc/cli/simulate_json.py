"""A simulation as one JSON document: how it was made, and its numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pbpkc.solve.output import runs_json

if TYPE_CHECKING:
    from pbpkc.experiment.nca_table import NCATable
    from pbpkc.jobs.simulate import Simulation
    from pbpkc.runtime.compiled import CompiledModel


def document(
    found: Simulation,
    compiled: CompiledModel,
    states: bool,
    settings: Mapping[str, Any],
    figures: Mapping[str, NCATable],
) -> dict[str, Any]:
    """What stands beside the CSV file, with the columns of that file and the figures.

    Parameters
    ----------
    found : Simulation
    compiled : CompiledModel
        Tells the units.
    states : bool
        With the states.
    settings : mapping
        Of the run, as plain data.
    figures : mapping of observable to NCATable
        Empty where none were asked for.
    """
    unit = found.model.time_unit
    content: dict[str, Any] = json.loads(runs_json(found.runs, compiled, unit, states, settings=settings))
    for entry, run in zip(content["runs"], found.runs, strict=True):
        got = run.trajectory
        columns = dict(zip(got.observable_names, got.observables.T, strict=True))
        if states:
            columns |= dict(zip(got.state_names, got.y.T, strict=True))
        entry["time"] = got.time / float(unit.factor)
        entry["values"] = columns
    content["notes"] = [note.to_json() for note in found.notes]
    if figures:
        content["nca"] = {name: json.loads(table.to_json()) for name, table in figures.items()}
    return content
