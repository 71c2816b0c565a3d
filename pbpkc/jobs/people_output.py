"""What a simulation of people leaves: curves, percentiles, and how they were made."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pbpkc.experiment.people import People
from pbpkc.experiment.whole_file import write_whole
from pbpkc.jobs.people_stream import StreamedPeople
from pbpkc.jobs.simulate import SolvedBy
from pbpkc.solve.output import versions
from pbpkc.solve.percentiles import PercentileCurve, level_name, percentiles_csv

if TYPE_CHECKING:
    from pbpkc.experiment.nca_table import NCATable
    from pbpkc.runtime.compiled import CompiledModel

#: Version of the JSON file's own form.
FORMAT = 1


def partial_folder(path: Path) -> Path:
    """FILE.partial, where a run that is not over keeps what it has."""
    return path.with_name(f"{path.name}.partial")


def output_files(path: Path) -> tuple[Path, Path, Path]:
    """The curves, what was done, and the percentiles: FILE, FILE.json, FILE.percentiles.csv."""
    return path, path.with_name(f"{path.name}.json"), path.with_name(f"{path.name}.percentiles.csv")


def nca_file(path: Path, observable: str) -> Path:
    """FILE.nca.OBSERVABLE.csv; an index of the observable stands behind a low line."""
    return path.with_name(f"{path.name}.nca.{re.sub(r'[^A-Za-z0-9]+', '_', observable).strip('_')}.csv")


def people_json(
    found: StreamedPeople,
    people: People,
    compiled: CompiledModel,
    curves: Sequence[PercentileCurve],
    states: bool,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Units of each column, where the people came from, the solver, and who failed, as plain data.

    Parameters
    ----------
    found : StreamedPeople
    people : People
    compiled : CompiledModel
        Tells the units.
    curves : sequence of PercentileCurve
    states : bool
        Whether the states are among the columns.
    settings : mapping
        What else is needed to repeat the run.
    """
    manifest = compiled.manifest
    units = {o["name"]: o["unit"] for o in manifest["observables"]}
    columns = {"scenario": None, "id": None, "time": found.model.time_unit.text, **units}
    if states:
        columns |= {s["name"]: s["unit"] for s in manifest["states"]}
    drawn = {key: value for key, value in people.provenance.items() if key != "sha256"}
    atol = found.options.atol
    failed = failures(found, people)
    return {
        "format": FORMAT,
        "model": manifest.get("model"),
        "fingerprint": found.fingerprint,
        "versions": versions(),
        "seed": people.provenance.get("seed"),
        "settings": dict(settings),
        "population": {
            "file": people.path,
            "sha256": people.provenance.get("sha256"),
            "n": len(people),
            "columns": dict(zip(people.names, (unit.text for unit in people.units), strict=True)),
            "drawn": drawn,
        },
        "solver": {
            "method": found.options.method,
            "rtol": found.options.rtol,
            "atol": None if atol is None else atol if isinstance(atol, float) else list(atol),
            "scenarios": {one.scenario: _solved_by(one) for one in found.solved_by},
        },
        "columns": columns,
        "percentiles": {
            "levels": list(curves[0].levels) if curves else [],
            "observables": {name: units[name] for name in dict.fromkeys(c.observable for c in curves)},
        },
        "runs": {"whole": len(found.runs) - sum(map(len, found.failed)), "failed": len(failed)},
        "failures": failed,
    }


def _solved_by(one: SolvedBy) -> dict[str, Any]:
    """The method of a scenario, why it was that one, and how it stood its verification."""
    compared = one.worst == one.worst
    return {
        "method": one.method,
        "reason": one.reason,
        "verified": {
            "ids": list(one.checked),
            "worst_difference_in_rtol": one.worst if compared else None,
            "accepted_difference_in_rtol": one.accepted if compared else None,
        },
        "retried_by_reference": list(one.retried),
    }


def failures(found: StreamedPeople, people: People) -> list[dict[str, Any]]:
    """Who has no whole curve and why: those that could not be run, then those the solver did not finish.

    The values of each, in the units of the file, stand beside.
    """
    refused = [
        {
            "scenario": one.scenario,
            "id": one.id,
            "code": one.problems[0].code,
            "reason": "; ".join(problem.message for problem in one.problems),
            "suggestion": one.problems[0].help or "",
        }
        for one in found.not_run
    ]
    unfinished = [
        {
            "scenario": one.cohort.scenario,
            "id": one.cohort.ids[b],
            "code": "not-solved",
            "reason": outcome.reason,
            "suggestion": outcome.suggestion,
        }
        for one, failed in zip(found.choices, found.failed, strict=True)
        for b, outcome in failed.items()
    ]
    failed: list[dict[str, Any]] = [*refused, *unfinished]
    place = {id: n for n, id in enumerate(people.ids)} if failed else {}
    for one in failed:
        row = people.values[place[str(one["id"])]]
        one["values"] = dict(zip(people.names, row.tolist(), strict=True))
    return failed


def write_people(
    path: Path,
    found: StreamedPeople,
    told: Mapping[str, Any],
    curves: Sequence[PercentileCurve],
    figures: Mapping[str, NCATable],
) -> list[Path]:
    """Write the curves of the people, the percentiles, the figures of each person and the JSON file.

    The folder of the unfinished run is gone then.

    Parameters
    ----------
    path : Path
        Of the curves; the others stand beside it.
    found : StreamedPeople
    told : mapping
        As `people_json` gives it.
    curves : sequence of PercentileCurve
    figures : mapping of observable to NCATable

    Returns
    -------
    list of Path
        What was written: all or nothing.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written.
    """
    unit = found.model.time_unit
    table, beside, percentiles = output_files(path)
    files: dict[Path, str | bytes | Path] = {
        table: found.store.rows,
        beside: json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        percentiles: percentiles_csv(curves, unit),
        **{nca_file(path, name): figure.to_csv() for name, figure in figures.items()},
    }
    write_whole(files)
    found.store.remove()
    return list(files)


def percentiles_json(curves: Sequence[PercentileCurve], factor: float) -> list[dict[str, Any]]:
    """The percentiles as plain data; `factor` is the unit of time in h."""
    return [
        {
            "scenario": curve.scenario,
            "observable": curve.observable,
            "time": curve.time / factor,
            "n": curve.n,
            **{level_name(level): curve.values[:, i] for i, level in enumerate(curve.levels)},
        }
        for curve in curves
    ]
