"""Simulated runs as files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hand_models import one_compartment

from pbpkc.experiment.bind import bind
from pbpkc.experiment.regimen import DoseEvent, Regimen
from pbpkc.experiment.whole_file import write_whole
from pbpkc.language.units import parse_unit
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.output import Run, write_runs
from pbpkc.solve.reference import simulate

MODEL = one_compartment()


def run(scenario: str, identity: str = "") -> Run:
    regimen = bind(Regimen((DoseEvent("X", 0, 600.0),)), {})
    return Run(scenario, identity, simulate(MODEL, MODEL.parameters(), regimen, [0.0, 0.1, 1.0]))


def test_columns_units_and_digits(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    runs = [run("po"), run("trial", "7")]
    written = write_runs(
        path, runs, MODEL, parse_unit("min"), states=True, seed=3, settings={"set": {"V": "20 L"}}
    )
    assert written == (path, tmp_path / "runs.csv.json")
    lines = path.read_text().split("\n")
    assert lines[0] == "scenario,id,time,C,gut,plasma,out"
    assert len(lines) == 8 and lines[-1] == ""
    cells = lines[2].split(",")
    found = runs[0].trajectory
    assert cells[:3] == ["po", "", "6.0"]
    assert [float(c) for c in cells[3:]] == [*found.observables[1], *found.y[1]]
    beside = json.loads((tmp_path / "runs.csv.json").read_text())
    assert beside["columns"] == {
        "scenario": None, "id": None, "time": "min", "C": "mg/L",
        "gut": "umol", "plasma": "umol", "out": "umol",
    }  # fmt: skip
    assert (beside["seed"], beside["fingerprint"], beside["settings"]) == (3, "hand", {"set": {"V": "20 L"}})
    assert set(beside["versions"]) == {"python", "pbpkc", "numpy", "scipy"}
    assert beside["runs"][1]["id"] == "7"
    assert beside["runs"][0]["solver"]["method"] == "lsoda"
    assert beside["runs"][0]["solver"]["atol"]["gut"] == pytest.approx(6e-10)


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        write_runs(tmp_path / name, [run("po")], MODEL, parse_unit("h"))
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert (tmp_path / "a.csv.json").read_bytes() == (tmp_path / "b.csv.json").read_bytes()


def test_a_failed_run_has_empty_cells_and_its_reason(tmp_path: Path) -> None:
    regimen = bind(Regimen((DoseEvent("X", 0, 600.0),)), {})
    found = simulate(MODEL, MODEL.parameters(), regimen, [0.0, 1e3], SolverOptions(max_steps=3))
    write_runs(tmp_path / "r.csv", [Run("po", "", found)], MODEL, parse_unit("h"))
    assert (tmp_path / "r.csv").read_text().split("\n")[2] == "po,,1000.0,"
    beside = json.loads((tmp_path / "r.csv.json").read_text())
    assert not beside["runs"][0]["ok"]
    assert "steps" in beside["runs"][0]["reason"]


def test_files_appear_together_or_not_at_all(tmp_path: Path) -> None:
    old = tmp_path / "a"
    old.write_text("old")
    with pytest.raises(OSError):
        write_whole({old: "new", tmp_path / "nowhere" / "b": "new"})
    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]
    write_whole({old: "new", tmp_path / "b": "µ\n"})
    assert old.read_text() == "new"
    assert (tmp_path / "b").read_bytes() == "µ\n".encode()
    assert np.all([p.name in ("a", "b") for p in tmp_path.iterdir()])
