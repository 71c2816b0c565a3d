"""Simulated runs as a CSV file, with a JSON file beside it that says how they were made."""

from __future__ import annotations

import csv
import io
import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pbpkc.experiment.whole_file import write_whole
from pbpkc.language.units import Unit
from pbpkc.solve.trajectory import Trajectory

if TYPE_CHECKING:
    from pbpkc.runtime.compiled import CompiledModel

#: Version of the JSON file's own form.
FORMAT = 1


@dataclass(frozen=True)
class Run:
    """A trajectory with its place in a study: scenario, and individual (empty for a single one)."""

    scenario: str
    id: str
    trajectory: Trajectory


def runs_csv(runs: Sequence[Run], time_unit: Unit, states: bool = False) -> str:
    """Runs as CSV text: ``scenario,id,time,<observables>[,states]``, one row a time.

    Parameters
    ----------
    runs : sequence of Run
        Of one model.
    time_unit : Unit
        What times are written in.
    states : bool
        Add a column for every state.

    Returns
    -------
    str
        Numbers as Python prints them, so that they read back to the same bits; an empty cell for nan.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    factor = float(time_unit.factor)
    for position, run in enumerate(runs):
        found = run.trajectory
        if position == 0:
            names = (*found.observable_names, *(found.state_names if states else ()))
            writer.writerow(["scenario", "id", "time", *names])
        for i, time in enumerate(found.time.tolist()):
            values = [*found.observables[i].tolist(), *(found.y[i].tolist() if states else ())]
            writer.writerow([run.scenario, run.id, repr(time / factor), *map(_cell, values)])
    return text.getvalue()


def runs_json(
    runs: Sequence[Run],
    compiled: CompiledModel,
    time_unit: Unit,
    states: bool = False,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
) -> str:
    """What stands beside the CSV file: units of each column, model, solver, versions, outcomes.

    Parameters
    ----------
    runs : sequence of Run
    compiled : CompiledModel
    time_unit : Unit
    states : bool
    seed : int, optional
        None where nothing was drawn.
    settings : mapping, optional
        What else is needed to repeat the run, as plain data.

    Returns
    -------
    str
        JSON; the same for the same input.
    """
    manifest = compiled.manifest
    columns = {"scenario": None, "id": None, "time": time_unit.text}
    columns |= {o["name"]: o["unit"] for o in manifest["observables"]}
    if states:
        columns |= {s["name"]: s["unit"] for s in manifest["states"]}
    content = {
        "format": FORMAT,
        "model": manifest.get("model"),
        "fingerprint": manifest.get("fingerprint"),
        "versions": versions(),
        "seed": seed,
        "settings": dict(settings or {}),
        "columns": columns,
        "runs": [_run(run) for run in runs],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_runs(
    path: Path,
    runs: Sequence[Run],
    compiled: CompiledModel,
    time_unit: Unit,
    states: bool = False,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
) -> tuple[Path, Path]:
    """Write runs as ``path`` and ``path.json``, both or neither; parameters as in `runs_json`.

    Returns
    -------
    tuple of Path
        The CSV and the JSON file.

    Raises
    ------
    OSError
        If the directory does not exist or cannot be written.
    """
    beside = path.with_name(path.name + ".json")
    write_whole(
        {
            path: runs_csv(runs, time_unit, states),
            beside: runs_json(runs, compiled, time_unit, states, seed, settings),
        }
    )
    return path, beside


@cache
def versions() -> dict[str, str]:
    """Versions of what computed the numbers."""
    return {
        "python": platform.python_version(),
        **{name: _version(name) for name in ("pbpkc", "numpy", "scipy")},
    }


@cache  # a look at what is installed costs milliseconds, and every subject of a fit asks
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed as a package"


def _run(run: Run) -> dict[str, Any]:
    found = run.trajectory
    solver, outcome = found.solver, found.outcome
    return {
        "scenario": run.scenario,
        "id": run.id,
        "ok": outcome.ok,
        "reason": outcome.reason,
        "suggestion": outcome.suggestion,
        "reached_h": outcome.reached,
        # CPU time is left out: the same input gives the same bytes.
        "solver": {
            "method": solver.method,
            "rtol": solver.rtol,
            "atol": dict(zip(found.state_names, solver.atol, strict=True)),
            "steps": solver.steps,
            "rhs_evaluations": solver.rhs_evaluations,
            "jacobian_evaluations": solver.jacobian_evaluations,
            "segments": solver.segments,
        },
    }


def _cell(value: float) -> str:
    return repr(value) if math.isfinite(value) else ""
