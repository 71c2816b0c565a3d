"""``pbpkc simulate``: the table, the files, the plot, the figures, and runs that fail."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pytest
from cli_case import BLOW_UP, BODY, STUDY_DATA, TINY, call, study, write


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def column(text: str, name: str = "Cp", scenario: str | None = None) -> list[float]:
    return [float(row[name]) for row in rows(text) if scenario in (None, row["scenario"])]


# ---- the table ------------------------------------------------------------------------------------------


def test_the_table_is_the_closed_form(tmp_path: Path) -> None:
    ran = call(
        "simulate", write(tmp_path, TINY), "-s", "one", "--times", "0, 30 min, 2 h, 1 d", "--rtol", "1e-11"
    )
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[0] == "scenario,id,time,Cp"
    assert [float(row["time"]) for row in rows(ran.out)] == [0, 0.5, 2, 24]
    assert column(ran.out) == pytest.approx([10 * math.exp(-0.1 * t) for t in (0, 0.5, 2, 24)], rel=1e-9)


def test_without_a_name_every_written_scenario_is_run(tmp_path: Path) -> None:
    ran = call("simulate", write(tmp_path, TINY), "--points", "2")
    assert [row["scenario"] for row in rows(ran.out)] == ["one"] * 2 + ["light"] * 2 + ["slow"] * 2


def test_scenarios_come_in_the_order_of_the_options_and_once(tmp_path: Path) -> None:
    ran = call("simulate", write(tmp_path, TINY), "-s", "slow", "-s", "one", "-s", "slow", "--points", "2")
    assert [row["scenario"] for row in rows(ran.out)] == ["slow"] * 2 + ["one"] * 2


def test_an_unknown_scenario_names_the_similar_one(tmp_path: Path) -> None:
    ran = call("simulate", write(tmp_path, TINY), "-s", "onne")
    assert ran.code == 2
    assert not ran.out
    assert "'onne'" in ran.err
    assert "'one'" in ran.err


def test_a_spec_without_a_scenario_says_so(tmp_path: Path) -> None:
    spec = "\n".join(line for line in TINY.splitlines() if not line.startswith(("scenario", "check")))
    ran = call("simulate", write(tmp_path, spec + "\n"))
    assert ran.code == 2
    assert "no written scenario" in ran.err


def test_states_are_added_behind_the_observables(tmp_path: Path) -> None:
    ran = call("simulate", write(tmp_path, TINY), "-s", "one", "--points", "3", "--states")
    assert ran.out.splitlines()[0] == "scenario,id,time,Cp,plasma.D,gone.D"
    totals = [float(row["plasma.D"]) + float(row["gone.D"]) for row in rows(ran.out)]
    assert totals == pytest.approx([1000.0] * 3, rel=1e-9)  # umol: 100 mg of 100 g/mol


def test_times_are_in_the_unit_of_the_spec_where_none_is_said(tmp_path: Path) -> None:
    spec = write(tmp_path, TINY.replace('"One pool"', '"One pool" { time [min] }'))
    ran = call("simulate", spec, "-s", "one", "--times", "0, 60, 2 h")
    assert [float(row["time"]) for row in rows(ran.out)] == pytest.approx([0, 60, 120])
    assert column(ran.out) == pytest.approx([10, 10 * math.exp(-0.1), 10 * math.exp(-0.2)], rel=1e-7)


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ("", "a time is missing"),
        ("0,,1", "a time is missing"),
        ("2,1", "earlier than the time before"),
        ("-1", "a time lies before 0"),
        ("1 kg", "'1 kg' is a time; found [kg] where [h]"),
        ("soon", "'soon' cannot be read"),
        ("0 1", "cannot stand here"),
        ("0; 1", "takes one setting a time"),
        ("1 parsec2", "parsec2"),
    ],
)
def test_times_that_cannot_be(times: str, said: str, tmp_path: Path) -> None:
    ran = call("simulate", write(tmp_path, TINY), "--times", times)
    assert ran.code == 2
    assert not ran.out
    assert said in ran.err
    assert "--times" in ran.err
    assert "value_here" not in ran.err


@pytest.mark.parametrize(
    "option",
    [
        ("--points", "1"),
        ("--points", "x"),
        ("--rtol", "0"),
        ("--rtol", "nan"),
        ("--rtol", "-1"),
        ("--atol", "0"),
        ("--atol", "x"),
        ("--solver", "euler"),
        ("--max-steps", "0"),
        ("--format", "xml"),
        ("--nosuch",),
    ],
)
def test_options_that_cannot_be(option: tuple[str, ...], tmp_path: Path) -> None:
    ran = call("simulate", write(tmp_path, TINY), *option)
    assert ran.code == 2
    assert not ran.out
    assert option[0].strip("-") in ran.err


def test_solvers_and_tolerances_are_used(tmp_path: Path) -> None:
    spec = write(tmp_path, TINY)
    for solver in ("lsoda", "bdf", "radau"):
        made = call(
            "simulate",
            spec,
            "-s",
            "one",
            "--solver",
            solver,
            "--rtol",
            "1e-6",
            "--atol",
            "1e-3",
            "--format",
            "json",
        ).json()
        record = made["runs"][0]["solver"]
        assert (record["method"], record["rtol"], set(record["atol"].values())) == (solver, 1e-6, {1e-3})


# ---- files ----------------------------------------------------------------------------------------------


def test_the_file_and_what_stands_beside_it(tmp_path: Path) -> None:
    spec = write(tmp_path, TINY)
    ran = call("simulate", spec, "-s", "one", "--set", "k = 0.2 1/h", "-o", "run.csv", cwd=tmp_path)
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == "wrote run.csv and run.csv.json\n"
    beside = json.loads((tmp_path / "run.csv.json").read_text())
    assert beside["columns"] == {"scenario": None, "id": None, "time": "h", "Cp": "mg/L"}
    assert beside["settings"]["set"] == ["k = 0.2 1/h"]
    assert beside["runs"][0]["ok"] is True
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.pbpk", "run.csv", "run.csv.json"]
    printed = call("simulate", spec, "-s", "one", "--set", "k = 0.2 1/h").out
    assert (tmp_path / "run.csv").read_text() == printed


@pytest.mark.parametrize("option", ["-o", "--plot"])
@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("missing/x.svg", "the folder 'missing' does not exist"),
        ("model.pbpk/x.svg", "is no folder"),
        (".", "is a directory"),
        ("", "a file name is missing"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_before_anything_is_done(
    option: str, place: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbpkc.jobs.loaded.load", lambda _: pytest.fail("the spec was read"))
    write(tmp_path, TINY)
    ran = call("simulate", "model.pbpk", option, place, cwd=tmp_path)
    assert ran.code == 2
    assert said in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["model.pbpk"]


def test_a_failed_setting_leaves_no_file(tmp_path: Path) -> None:
    spec = write(tmp_path, TINY)
    assert call("simulate", spec, "--set", "kk = 1", "-o", tmp_path / "x.csv").code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["model.pbpk"]


@pytest.mark.parametrize("name", ["curve.svg", "curve.png"])
def test_plots(name: str, tmp_path: Path) -> None:
    ran = call("simulate", write(tmp_path, TINY), "--plot", name, "--log", "--points", "5", cwd=tmp_path)
    assert (ran.code, ran.out, ran.err) == (0, "", f"wrote {name}\n")
    start = (tmp_path / name).read_bytes()[:200]
    assert start.startswith(b"\x89PNG") if name.endswith("png") else b"<?xml" in start or b"<svg" in start


def test_a_name_that_is_no_plots_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    ran = call("simulate", write(tmp_path, TINY), "--plot", "x.gif", "-o", "x.csv", cwd=tmp_path)
    assert ran.code == 2
    assert ".svg or .png" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["model.pbpk"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-o", "model.pbpk"), "'model.pbpk' is read by this run"),
        (("-o", "./link.pbpk"), "is read by this run"),
        (("-o", "used.pbpk"), "'used.pbpk' is read by this run"),
        (("-o", "study.csv", "-s", "data"), "'study.csv' is read by this run"),
        (("-o", "x.svg", "--plot", "x.svg"), "'x.svg' would be written twice"),
        (("-o", "beside", "--plot", "beside.json"), "'beside.json' would be written twice"),
    ],
)
def test_no_output_replaces_what_is_read_or_another_output(
    options: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = study(tmp_path)
    spec.write_text(spec.read_text().replace("sink gone", 'use "used.pbpk"'))
    write(tmp_path, "pbpk 1\nsink gone\n", "used.pbpk")
    (tmp_path / "link.pbpk").symlink_to(spec)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr("pbpkc.jobs.simulate.simulate", lambda *_: pytest.fail("it was run"))
    ran = call("simulate", "model.pbpk", *options, cwd=tmp_path)
    assert ran.code == 2
    assert said in " ".join(ran.err.replace("│", " ").split())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_stands_beside_the_table_replaces_no_spec(tmp_path: Path) -> None:
    write(tmp_path, TINY, "run.csv.json")
    ran = call("simulate", "run.csv.json", "-o", "run.csv", cwd=tmp_path)
    assert ran.code == 2
    assert (tmp_path / "run.csv.json").read_text() == TINY


def test_a_logarithmic_axis_needs_a_plot(tmp_path: Path) -> None:
    ran = call("simulate", write(tmp_path, TINY), "--log")
    assert (ran.code, ran.out) == (2, "")
    assert "give --plot FILE" in ran.err


# ---- JSON and figures -----------------------------------------------------------------------------------


def test_json_holds_the_numbers_and_how_they_were_made(tmp_path: Path) -> None:
    ran = call(
        "simulate", write(tmp_path, TINY), "-s", "one", "--times", "0,1", "--states", "--format", "json"
    )
    found = ran.json()
    assert (ran.code, ran.err) == (0, "")
    assert found["runs"][0]["time"] == [0, 1]
    assert found["runs"][0]["values"]["Cp"] == pytest.approx([10, 10 * math.exp(-0.1)], rel=1e-7)
    assert set(found["runs"][0]["values"]) == {"Cp", "plasma.D", "gone.D"}
    assert found["columns"]["plasma.D"] == "umol"
    assert found["settings"]["times"] == "0,1"


def test_figures_of_the_simulated_curve(tmp_path: Path) -> None:
    spec = write(tmp_path, TINY)
    ran = call("simulate", spec, "-s", "one", "--nca", "--format", "json")
    figures = ran.json()["nca"]["Cp"]["curves"][0]["figures"]
    assert ran.code == 0
    # Closed form: CL = k V = 1 L/h, V = 10 L, half-life ln 2 / k.
    assert figures["cl_obs"] == pytest.approx(1, rel=1e-5)
    assert figures["vss_obs"] == pytest.approx(10, rel=1e-4)
    assert figures["half_life"] == pytest.approx(math.log(2) / 0.1, rel=1e-6)
    text = call("simulate", spec, "-s", "one", "--nca")
    assert text.out.startswith("Cp\n")
    assert "half_life" in text.out
    assert "scenario,id" not in text.out


def test_figures_need_one_dose(tmp_path: Path) -> None:
    spec = write(tmp_path, TINY.replace("at 0 [h];", "at 0 [h] every 4 [h] count 3;"))
    ran = call("simulate", spec, "-s", "one", "--nca")
    assert ran.code == 0
    assert ran.err.count("'one' has 3 doses") == 1


def test_one_unsuitable_scenario_is_named_and_the_rest_delivered(tmp_path: Path) -> None:
    more = """scenario rep { dose D 0 [mg] into plasma at 0 [h]; run 12 [h] }
scenario late { dose D 1 [mg] into plasma at 20 [h]; run 12 [h] }
"""
    ran = call("simulate", write(tmp_path, TINY + more), "--nca", "--format", "json")
    assert ran.code == 0
    assert "'rep' has a dose of 0, so it has no non-compartmental figures" in ran.err
    assert "'late' has no sample after its dose, so it has no" in ran.err
    table = ran.json()["nca"]["Cp"]
    assert [curve["curve"]["scenario"] for curve in table["curves"]] == ["one", "light", "slow"]
    assert table["summary"] == {}  # scenarios differ by intent
    assert "geometric" not in call("simulate", write(tmp_path, TINY), "--nca").out


def test_individuals_of_one_scenario_are_summarised(tmp_path: Path) -> None:
    ran = call("simulate", study(tmp_path), "-s", "data", "--nca", "--format", "json")
    assert ran.json()["nca"]["Cp"]["summary"]["cmax"]["n"] == 2


@pytest.mark.parametrize("dose", ["1e299", "1e-299"])
def test_figures_of_doses_beyond_all_sense(dose: str, tmp_path: Path) -> None:
    spec = write(tmp_path, TINY.replace("D 100 [mg]", f"D {dose} [mg]", 1))
    ran = call("simulate", spec, "-s", "one", "--nca", "--format", "json")
    assert ran.code in (0, 3), ran.out
    assert "internal error" not in ran.err
    ran.json()  # and no Infinity in it


def test_figures_of_what_is_no_concentration(tmp_path: Path) -> None:
    ran = call("simulate", write(tmp_path, BLOW_UP), "-s", "part", "--nca")
    assert (ran.code, ran.out) == (0, "")
    assert "no observable is a concentration" in ran.err


# ---- data scenarios -------------------------------------------------------------------------------------


def test_each_individual_of_a_data_file_is_run_from_any_folder(tmp_path: Path) -> None:
    study(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ran = call("simulate", "../model.pbpk", "-s", "data", "--times", "0,12", cwd=elsewhere)
    assert ran.code == 0, ran.err
    assert [(row["scenario"], row["id"]) for row in rows(ran.out)] == [("data", "1")] * 2 + [
        ("data", "2")
    ] * 2
    assert column(ran.out) == pytest.approx([10, 10 * math.exp(-1.2)] * 2, rel=1e-6)


def test_a_bad_row_of_the_data_is_a_problem_with_its_place(tmp_path: Path) -> None:
    spec = study(tmp_path)
    write(tmp_path, STUDY_DATA.replace("1,4,.,6.5", "1,four,.,6.5"), "study.csv")
    ran = call("simulate", spec, "-s", "data", "--format", "json")
    assert ran.code == 1
    problem = ran.json()["problems"][0]
    assert (problem["line"], problem["column"]) == (5, 3)


# ---- what fails -----------------------------------------------------------------------------------------


def test_a_solver_failure_keeps_what_was_computed_and_says_why(tmp_path: Path) -> None:
    spec = write(tmp_path, BLOW_UP)
    ran = call("simulate", spec, "-s", "whole", "--times", "0, 0.5, 2")
    assert ran.code == 3
    assert "error[not-solved]: 'whole' has no whole curve: " in ran.err
    assert "1 h" in ran.err
    assert "help: " in ran.err
    assert [row["level"] for row in rows(ran.out)][2] == ""
    assert [float(row["level"]) for row in rows(ran.out)[:2]] == pytest.approx([1, 2], rel=1e-6)


def test_one_of_two_fails(tmp_path: Path) -> None:
    ran = call("simulate", write(tmp_path, BLOW_UP), "--points", "3", "--format", "json")
    assert ran.code == 4
    runs = ran.json()["runs"]
    assert [run["ok"] for run in runs] == [False, True]
    assert runs[0]["reason"]
    assert runs[0]["suggestion"]
    assert runs[0]["values"]["level"][-1] is None
    assert runs[1]["values"]["level"][-1] == pytest.approx(2, rel=1e-6)


def test_steps_can_be_allowed_and_forbidden(tmp_path: Path) -> None:
    spec = write(tmp_path, TINY)
    assert call("simulate", spec, "-s", "one", "--max-steps", "3", "--times", "0,12").code == 3
    assert call("simulate", spec, "-s", "one", "--max-steps", "3000", "--times", "0,12").code == 0


def test_an_observable_that_is_no_number_is_told(tmp_path: Path) -> None:
    spec = write(tmp_path, TINY + "observe depth = ln(gone.D.A / 1 [umol]) in [1]\n")
    ran = call("simulate", spec, "-s", "one", "--points", "3")
    assert ran.code == 0
    assert "'depth' of 'one' is no number at 1 of 3 times, first at 0 [h]" in ran.err
    assert [row["depth"] == "" for row in rows(ran.out)] == [True, False, False]


def test_a_scenario_that_leaves_an_organ_no_volume(tmp_path: Path) -> None:
    spec = write(tmp_path, BODY + "scenario crowded from iv { set muscle.volume = 90 [L] }\n")
    ran = call("simulate", spec, "-s", "crowded")
    assert ran.code == 1
    assert "scenario 'crowded': the volume left for 'rest' is -28.75 L" in ran.err
