"""What the command line does is one call in Python, with the same numbers."""

from __future__ import annotations

import csv
import io
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_case import BLOW_UP, BODY, STUDY, TINY, call, study, write

import pbpkc
from pbpkc.language.options.option_text import OptionError


def test_simulate(tmp_path: Path) -> None:
    spec = write(tmp_path, TINY)
    model = pbpkc.load(spec)
    run = model.simulate("one", times=[0, 5, 10], set=["k = 0.2 1/h"], rtol=1e-10)
    assert run.observables["Cp"] == pytest.approx([10 * math.exp(-0.2 * t) for t in (0, 5, 10)], rel=1e-8)
    assert sum(run.states.values()) == pytest.approx([1000] * 3, rel=1e-9)
    printed = call(
        "simulate", spec, "-s", "one", "--times", "0,5,10", "--set", "k = 0.2 1/h", "--rtol", "1e-10"
    ).out
    assert run.to_frame()["Cp"].tolist() == [float(row["Cp"]) for row in csv.DictReader(io.StringIO(printed))]
    frame = model.simulate().to_frame(states=True)
    assert list(frame.columns) == ["scenario", "id", "time", "Cp", "plasma.D", "gone.D"]
    assert list(dict.fromkeys(frame["scenario"])) == ["one", "light", "slow"]


def test_a_failure_is_a_value(tmp_path: Path) -> None:
    run = pbpkc.load(write(tmp_path, BLOW_UP)).simulate(["whole", "part"])
    assert [r.scenario for r in run.failures] == ["whole"]
    outcome = run.failures[0].trajectory.outcome
    assert not outcome.ok
    assert outcome.suggestion
    assert np.isnan(run.observables["level"][-1])


def test_wrong_arguments(tmp_path: Path) -> None:
    model = pbpkc.load(write(tmp_path, TINY))
    with pytest.raises(ValueError, match="'onne'"):
        model.simulate("onne")
    with pytest.raises(OptionError, match="there is no parameter 'kk'"):
        model.simulate(set=["kk = 1 1/h"])
    with pytest.raises(pbpkc.SpecError, match="cannot be read"):
        pbpkc.load(tmp_path / "nowhere.pbpk")
    with pytest.raises(ValueError, match="no scenario of the spec reads data"):
        model.fit()


def test_settings_leave_the_loaded_model_alone_and_add_up(tmp_path: Path) -> None:
    model = pbpkc.load(write(tmp_path, TINY))
    before = model.model
    changed = model.with_settings(set=["k = 0.2 1/h"]).with_settings(set=["BW = 140 kg"])
    assert model.model is before
    assert model.with_settings() is model
    assert changed.given == {"k", "BW"}
    assert changed.settings["set"] == ("k = 0.2 1/h", "BW = 140 kg")
    assert changed.simulate("one", times=[0, 10], rtol=1e-10).observables["Cp"][1] == pytest.approx(
        10 * math.exp(-4), rel=1e-7
    )


def test_check(tmp_path: Path) -> None:
    groups: list[str] = []
    report = pbpkc.load(write(tmp_path, TINY)).check(torch=False, progress=groups.append)
    assert report.ok
    assert groups == [
        "units",
        "flow",
        "volume",
        "mass",
        "positive",
        "unknown",
        "code",
        "residual",
        "identifiable",
        "expectation",
    ]
    assert "cmax(one.Cp) = 10" in report.group("expectation")[0].text


def test_fit_is_the_fit_of_the_command(tmp_path: Path) -> None:
    spec = study(tmp_path)
    result = pbpkc.load(spec).fit(starts=2, unmask=["s = 0.2 mg/L"])
    assert result.outcome == "done"
    frames = result.to_frames()
    ran = call(
        "fit", spec, "--starts", "2", "--unmask", "s = 0.2 mg/L", "-o", tmp_path / "out", "--no-report"
    )
    assert ran.code == 0
    with (tmp_path / "out" / "estimates.csv").open(newline="") as file:
        written = [(row["id"], row["parameter"], float(row["estimate"])) for row in csv.DictReader(file)]
    assert [
        tuple(row) for row in frames["estimates"][["id", "parameter", "estimate"]].itertuples(index=False)
    ] == written


@pytest.mark.long
def test_fit_with_profiles(tmp_path: Path) -> None:
    model = pbpkc.load(study(tmp_path))
    for asked, names in ((True, ["k", "v"]), ("v", ["v"]), (["s", "k"], ["k", "s"]), (False, [])):
        found = model.fit(starts=1, profile=asked).fits[0]
        assert [profile.parameter for profile in found.profiles] == names
    with pytest.raises(ValueError, match="profile names q; estimated are k, v, s"):
        model.fit(profile="q")


def test_fit_of_all_together(tmp_path: Path) -> None:
    model = pbpkc.load(study(tmp_path))
    both, pooled = model.fit(starts=1, by="both"), model.fit(starts=1, by="pooled")
    assert [fit.id for fit in both.fits] == ["1", "2", "ALL"]
    assert both.pooled.theta == pooled.fits[0].theta
    assert both.to_frames()["summary"].shape[0] == 3
    with pytest.raises(ValueError, match="by is 'each'"):
        model.fit(by="each")


def test_fit_of_another_file(tmp_path: Path) -> None:
    spec = study(tmp_path)
    other = write(tmp_path, (tmp_path / "study.csv").read_text().replace("8.9", "9.9"), "other.csv")
    model = pbpkc.load(spec)
    assert (
        model.fit(other, starts=1).fits[0].subject.objective != model.fit(starts=1).fits[0].subject.objective
    )


def test_torch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    model = pbpkc.load(write(tmp_path, TINY)).torch()
    y = torch.tensor([[[1000.0, 0.0]]], dtype=torch.float64)
    p = torch.tensor(np.array([pbpkc.load(write(tmp_path, TINY)).compiled.parameters()]))
    zero = torch.zeros((1, 1), dtype=torch.float64)
    rate = model.rhs(zero, y, p, torch.zeros((1, 1, len(model.input_names)), dtype=torch.float64))
    assert rate[0, 0].tolist() == pytest.approx([-100, 100])


def test_derived_names_of_a_scenario_are_compiled_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pbpkc.compiler import driver

    made: list[object] = []
    compile_model = driver.compile_model
    monkeypatch.setattr(
        driver,
        "compile_model",
        lambda model, **options: made.append(model) or compile_model(model, **options),
    )
    run = pbpkc.load(write(tmp_path, BODY)).simulate(["small", "large", "iv"], times=[0, 1])
    assert len(made) == 2  # the spec itself, and the form in which the derived name is a parameter
    assert len({float(r.trajectory.observables[1, 0]) for r in run.runs}) == 3


def test_notes_of_the_data_come_with_the_simulation(tmp_path: Path) -> None:
    study(tmp_path)
    rows = (tmp_path / "study.csv").read_text().splitlines()
    write(tmp_path, "\n".join([rows[0] + ",SEX", *(row + ",1" for row in rows[1:])]) + "\n", "study.csv")
    notes = pbpkc.load(write(tmp_path, STUDY)).simulate("data").notes
    assert [note.code for note in notes] == ["data-unused-column"]
    assert all(note.severity == "note" for note in notes)


def test_one_text_is_one_setting(tmp_path: Path) -> None:
    model = pbpkc.load(write(tmp_path, TINY))
    one, listed = (model.simulate("one", times=[0, 5], set=s) for s in ("k = 3 1/h", ["k = 3 1/h"]))
    assert one.observables["Cp"].tolist() == listed.observables["Cp"].tolist()
    assert model.with_settings(set="k = 3 1/h").settings["set"] == ("k = 3 1/h",)
    fitted = pbpkc.load(study(tmp_path)).fit(
        starts=1, unmask="s = 0.2 mg/L", mask="k in (0.05, 2) [1/h]", start="v = 9 L"
    )
    assert [p["name"] for p in fitted.parameters] == ["k", "v"]
    assert fitted.provenance["start"] == ["v = 9 L"]


def test_no_times_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="times is empty"):
        pbpkc.load(write(tmp_path, TINY)).simulate("one", times=[])


def test_the_package_is_the_command() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pbpkc", "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "simulate" in ran.stdout
