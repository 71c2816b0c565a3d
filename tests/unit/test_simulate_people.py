"""``pbpkc simulate --population``: each person's curve, percentiles, and people who cannot be run."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from cli_case import BODY, TINY, call, study, write

import pbpkc
from pbpkc.jobs.simulate import SolvedBy
from pbpkc.report.percentile_plot import legend_text
from pbpkc.scale.processes import Processes
from pbpkc.solve import contour_plan
from pbpkc.solve.percentiles import percentile_curves

CROWD = TINY + "population adults { BW ~ normal(cv = 15 [%]); k ~ lognormal(cv = 30 [%]) }\n"

#: x reaches infinity at 1/r: within the run for r = 2, behind it for r = 0.1.
BLOW_UP = """\
pbpk 1
model explosion "A rate that may explode"
param r = 0.1 [1/h]
state x = 1
ode x = r * x^2
observe level = x in [1]
scenario whole { run 3 [h] }
"""


def people(folder: Path, text: str, units: dict[str, str], name: str = "people.csv") -> Path:
    write(folder, json.dumps({"columns": units}), f"{name}.json")
    return write(folder, text, name)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def curve(table: list[dict[str, str]], id: str, name: str = "Cp") -> list[float]:
    return [float(row[name]) for row in table if row["id"] == id]


MASKED = TINY.replace(
    "param k = 0.1 [1/h]", "masked k ~ lognormal(0.1 [1/h], cv = 30 [%]) in (0.01, 5) [1/h]"
)


# ---- curves and percentiles -----------------------------------------------------------------------------


def test_each_person_has_the_curve_of_a_run_with_the_same_values(tmp_path: Path) -> None:
    spec = write(tmp_path, TINY)
    file = people(tmp_path, "id,BW,k\nana,35,0.1\nbo,70,0.3\n", {"BW": "kg", "k": "1/h"})
    out = tmp_path / "out.csv"
    ran = call("simulate", spec, "-s", "one", "--population", file, "--times", "0,5,10", "-o", out)
    assert ran.code == 0
    table = rows(out.read_text())
    assert [row["id"] for row in table] == ["ana"] * 3 + ["bo"] * 3
    assert curve(table, "ana") == pytest.approx([10 * math.exp(-0.05 * t) for t in (0, 5, 10)], rel=1e-7)
    assert curve(table, "bo") == pytest.approx([10 * math.exp(-0.3 * t) for t in (0, 5, 10)], rel=1e-7)
    alone = call(
        "simulate", spec, "-s", "one", "--times", "0,5,10", "--set", "BW = 35 kg", "--set", "k = 0.1 1/h"
    )
    assert [float(row["Cp"]) for row in rows(alone.out)] == curve(table, "ana")


def test_masked_values_that_cannot_be_and_those_beyond_the_bounds_are_told(tmp_path: Path) -> None:
    spec, out = write(tmp_path, MASKED), tmp_path / "out.csv"
    file = people(tmp_path, "id,k\nana,0.2\nbo,-3\ncy,7\n", {"k": "1/h"})
    ran = call("simulate", spec, "-s", "one", "--population", file, "-o", out)
    assert ran.code == 4
    told = "2 of 3 people have 'k' outside the bounds of the masked parameter, (0.01, 5) [1/h]: id bo has -3"
    assert told in ran.err and "person 'bo': 'k' is -3 [1/h], below zero" in ran.err
    assert {row["id"] for row in rows(out.read_text())} == {"ana", "cy"}


def test_percentiles_are_those_of_the_curves(tmp_path: Path) -> None:
    spec, file, out = write(tmp_path, CROWD), tmp_path / "people.csv", tmp_path / "out.csv"
    assert call("population", spec, "-n", "21", "--seed", "7", "-o", file).code == 0
    ran = call(
        "simulate", spec, "-s", "one", "--population", file, "--points", "5", "-o", out,
        "--percentiles", "10, 50, 97.5", "--plot", tmp_path / "bands.svg",
    )  # fmt: skip
    assert ran.code == 0
    table = rows(out.read_text())
    found = rows((tmp_path / "out.csv.percentiles.csv").read_text())
    assert list(found[0]) == ["scenario", "observable", "time", "n", "p10", "p50", "p97.5"]
    for row in found:
        values = [float(one["Cp"]) for one in table if one["time"] == row["time"]]
        assert len(values) == int(row["n"]) == 21
        for level in (10, 50, 97.5):
            assert float(row[f"p{level:g}"]) == pytest.approx(np.percentile(values, level), rel=1e-12)
    told = json.loads((tmp_path / "out.csv.json").read_text())
    assert told["seed"] == 7
    assert told["population"]["columns"] == {"BW": "kg", "k": "1/h"}
    assert told["percentiles"] == {"levels": [10.0, 50.0, 97.5], "observables": {"Cp": "mg/L"}}
    assert told["columns"] == {"scenario": None, "id": None, "time": "h", "Cp": "mg/L"}
    assert (told["runs"], told["failures"]) == ({"whole": 21, "failed": 0}, [])
    assert (tmp_path / "bands.svg").read_text().count("<path") > 5


@pytest.mark.long
def test_the_bytes_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    spec, file = write(tmp_path, CROWD), tmp_path / "people.csv"
    call("population", spec, "-n", "40", "-o", file)
    content = []
    for workers in ("1", "2"):
        out = tmp_path / workers / "out.csv"
        out.parent.mkdir()
        ran = call(
            "simulate", spec, "--population", file, "--points", "4", "-o", out, "--workers", workers,
            "--plot", out.parent / "bands.svg",
        )  # fmt: skip
        assert ran.code == 0
        content.append({path.name: path.read_bytes() for path in out.parent.iterdir()})
    assert set(content[0]) == {"out.csv", "out.csv.json", "out.csv.percentiles.csv", "bands.svg"}
    assert content[0] == content[1]


def test_python_gives_the_numbers_of_the_command(tmp_path: Path) -> None:
    spec, file = write(tmp_path, CROWD), tmp_path / "people.csv"
    call("population", spec, "-n", "8", "--seed", "3", "-o", file)
    printed = call("simulate", spec, "-s", "one", "--population", file, "--points", "4").out
    model = pbpkc.load(spec)
    grid = [0.0, 4.0, 8.0, 12.0]
    for given in (file, str(file), model.population(8, seed=3)):
        found = model.simulate("one", times=grid, population=given)
        (curves,) = found.percentiles()
        shown = [[float(row[f"p{p}"]) for p in (5, 25, 50, 75, 95)] for row in rows(printed)]
        assert curves.values.tolist() == shown
        frame = found.to_frame(states=True)
        assert list(frame.columns) == ["scenario", "id", "time", "Cp", "plasma.D", "gone.D"]
        assert len(frame) == 32


def test_the_states_are_written_where_they_are_asked_for(tmp_path: Path) -> None:
    file = people(tmp_path, "id,k\n1,0.1\n", {"k": "1/h"})
    ran = call(
        "simulate", write(tmp_path, TINY), "-s", "one", "--population", file, "--points", "3", "--states",
        "-o", tmp_path / "out.csv",
    )  # fmt: skip
    assert ran.code == 0
    for row in rows((tmp_path / "out.csv").read_text()):
        assert float(row["plasma.D"]) + float(row["gone.D"]) == pytest.approx(1000, rel=1e-9)


def test_what_the_equations_compute_may_be_a_column(tmp_path: Path) -> None:
    spec = write(tmp_path, BODY)
    file = people(tmp_path, "id,liver.volume,BW\n1,1.0,70\n2,3.0,80\n", {"liver.volume": "L", "BW": "kg"})
    out = tmp_path / "out.csv"
    assert call("simulate", spec, "-s", "iv", "--population", file, "--times", "1", "-o", out).code == 0
    table = rows(out.read_text())
    for id, volume, weight in (("1", 1, 70), ("2", 3, 80)):
        alone = call(
            "simulate", spec, "-s", "iv", "--times", "1",
            "--set", f"liver.volume = {volume} L", "--set", f"BW = {weight} kg",
        )  # fmt: skip
        assert curve(table, id) == pytest.approx([float(rows(alone.out)[0]["Cp"])], rel=1e-9)


def test_json_holds_the_percentiles_and_the_figures(tmp_path: Path) -> None:
    file = people(tmp_path, "id,k\n1,0.1\n2,0.2\n3,0.4\n", {"k": "1/h"})
    found = call(
        "simulate", write(tmp_path, TINY), "-s", "one", "--population", file, "--points", "49", "--nca",
        "--format", "json",
    ).json()  # fmt: skip
    assert [one["observable"] for one in found["values"]] == ["Cp"]
    assert found["values"][0]["p50"][-1] == pytest.approx(10 * math.exp(-0.2 * 12), rel=1e-6)
    clearance = found["nca"]["Cp"]["summary"]["cl_obs"]
    assert clearance["n"] == 3
    assert clearance["geometric_mean"] == pytest.approx(2.0, rel=1e-3)  # k V, V = 10 L


def test_figures_of_each_person_stand_in_a_file_and_their_summary_is_printed(tmp_path: Path) -> None:
    file = people(tmp_path, "id,k\n1,0.1\n2,0.2\n", {"k": "1/h"})
    out = tmp_path / "out.csv"
    ran = call("simulate", write(tmp_path, TINY), "-s", "one", "--population", file, "--nca", "-o", out)
    assert ran.code == 0
    figures = rows((tmp_path / "out.csv.nca.Cp.csv").read_text())
    assert [row["id"] for row in figures] == ["1", "2", ""]
    assert float(figures[1]["cl_obs [L/h]"]) == pytest.approx(2.0, rel=1e-3)
    assert any(line.split()[:3] == ["one", "cl_obs", "L/h"] for line in ran.out.splitlines())


# ---- what scenarios and the run say too -----------------------------------------------------------------


def test_a_person_comes_before_the_setting_of_a_scenario_which_is_told(tmp_path: Path) -> None:
    spec, file = write(tmp_path, TINY), people(tmp_path, "id,BW,k\n1,140,0.2\n", {"BW": "kg", "k": "1/h"})
    ran = call("simulate", spec, "-s", "light", "-s", "slow", "--population", file, "--times", "10")
    found = {row["scenario"]: float(row["p50"]) for row in rows(ran.out)}
    assert found["light"] == pytest.approx(10 * math.exp(-0.2 * 2 * 10), rel=1e-7)  # BW = 35 kg is not used
    assert found["slow"] == pytest.approx(10 * math.exp(-0.5 * 0.2 * 2 * 10), rel=1e-7)  # k = 0.5 * k is
    assert ran.err.count("note[set-and-people]") == 1
    assert "'BW' is set by scenario 'light'" in ran.err


def test_a_person_comes_before_the_setting_of_the_run_which_is_told(tmp_path: Path) -> None:
    file = people(tmp_path, "id,k\n1,0.2\n", {"k": "1/h"})
    ran = call(
        "simulate", write(tmp_path, TINY), "-s", "one", "--population", file, "--times", "10",
        "--set", "k = 5 1/h", "--set", "BW = 140 kg",
    )  # fmt: skip
    assert float(rows(ran.out)[0]["p50"]) == pytest.approx(10 * math.exp(-0.2 * 2 * 10), rel=1e-7)
    assert "'k' is set by this run" in ran.err
    assert "'BW'" not in ran.err


# ---- people who cannot be run ---------------------------------------------------------------------------


def test_a_body_that_cannot_be_is_listed_and_the_others_are_delivered(tmp_path: Path) -> None:
    spec = write(tmp_path, BODY)
    text = "id,BW,liver.volume\n1,70,1\n2,70,40\n3,20,1\n4,80,2\n"
    file, out = people(tmp_path, text, {"BW": "kg", "liver.volume": "L"}), tmp_path / "out.csv"
    ran = call("simulate", spec, "-s", "iv", "--population", file, "--points", "3", "-o", out)
    assert ran.code == 4
    assert "2 of 4 people failed" in ran.err
    assert "id 2: person '2' in scenario 'iv': the volume left for 'rest' is -7 L" in ran.err
    assert "id 3: person '3': the covariate 'BW' is 20 [kg]" in ran.err
    assert "; of BW = 20 kg, liver.volume = 1 L" in ran.err
    assert {row["id"] for row in rows(out.read_text())} == {"1", "4"}
    assert {row["n"] for row in rows((tmp_path / "out.csv.percentiles.csv").read_text())} == {"2"}
    told = json.loads((tmp_path / "out.csv.json").read_text())
    assert [(one["id"], one["code"]) for one in told["failures"]] == [
        ("2", "negative-remainder"),
        ("3", "out-of-bounds"),
    ]
    assert told["failures"][0]["values"] == {"BW": 70.0, "liver.volume": 40.0}


def test_nobody_who_can_be_run_is_an_error(tmp_path: Path) -> None:
    file = people(tmp_path, "id,BW\n1,20\n2,10\n", {"BW": "kg"})
    ran = call("simulate", write(tmp_path, TINY), "--population", file, "-o", tmp_path / "out.csv")
    assert ran.code == 1
    assert "the covariate 'BW' is 20 [kg]" in ran.err
    assert not (tmp_path / "out.csv").exists()


def test_a_person_whom_the_solver_does_not_finish_is_listed(tmp_path: Path) -> None:
    spec = write(tmp_path, BLOW_UP)
    file = people(tmp_path, "id,r\n1,0.1\n2,2\n", {"r": "1/h"})
    ran = call("simulate", spec, "--population", file, "--points", "4")
    assert ran.code == 4
    assert "1 of 2 people failed" in ran.err
    assert float(rows(ran.out)[-1]["p50"]) == pytest.approx(1 / (1 - 0.3), rel=1e-6)
    alone = people(tmp_path, "id,r\n2,2\n", {"r": "1/h"}, "alone.csv")
    nobody = call("simulate", spec, "--population", alone, "--points", "4")
    assert nobody.code == 3
    assert "1 of 1 people failed:" in nobody.err
    assert "delivered" not in nobody.err


def test_a_kernel_that_does_not_stand_its_verification_is_told_once() -> None:
    reason = "the nonlinear kernel differs from the reference by 40 relative tolerances, accepted are 30"
    refused = SolvedBy("one", "reference", reason, checked=("1", "2", "3"), worst=40.0, accepted=30.0)
    assert refused.text == f"one: the people are solved by the reference, since {reason}"


def test_more_doses_and_samples_than_memory_holds_are_left_to_the_nonlinear_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, file = write(tmp_path, CROWD), tmp_path / "people.csv"
    assert call("population", spec, "-n", "24", "-o", file).code == 0
    monkeypatch.setattr(contour_plan, "MOST_PAIRS", 4)
    asked = ("simulate", spec, "-s", "one", "--population", file, "--points", "5")
    ran = call(*asked)
    assert ran.code == 0
    assert "by the linear kernel" not in ran.err
    refused = call(*asked, "--solver", "linear")
    assert refused.code != 0
    assert "3 starts and doses and 5 samples are too many for the linear kernel" in refused.err


# ---- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--percentiles", "5,95"], "give --population FILE"),
        (["--workers", "2"], "give --population FILE"),
        (["--population", "people.csv", "--percentiles", "5,x"], "'5,x' is no list of percentages"),
        (["--population", "people.csv", "--percentiles", "5,101"], "from 0 to 100"),
        (["--population", "people.csv", "--percentiles", "50,5"], "they must rise"),
        (["--population", "people.csv", "-o", "people.csv"], "would be overwritten"),
        (["--population", "people.csv", "-s", "data"], "reads its people from a data file"),
    ],
)
def test_options_that_do_not_fit(tmp_path: Path, options: list[str], said: str) -> None:
    study(tmp_path)
    text = (tmp_path / "people.csv", people(tmp_path, "id,k\n1,0.1\n", {"k": "1/h"}).read_bytes())
    ran = call("simulate", "model.pbpk", *options, cwd=tmp_path)
    assert ran.code == 2
    assert said in " ".join(ran.err.split())
    assert text[0].read_bytes() == text[1]


def test_a_file_without_units_is_a_problem_of_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, "id,k\n1,0.1\n", "people.csv")
    ran = call("simulate", write(tmp_path, TINY), "--population", file)
    assert ran.code == 1
    assert 'for example {"columns": {"id": null, "k": "1/h"}}' in ran.err
    ran = call(
        "simulate", write(tmp_path, TINY), "--population", tmp_path / "nowhere.csv", "--format", "json"
    )
    assert (ran.code, ran.json()["problems"][0]["code"]) == (1, "data-file")


# ---- parts ----------------------------------------------------------------------------------------------


def test_percentiles_over_different_times_are_refused(tmp_path: Path) -> None:
    model = pbpkc.load(write(tmp_path, TINY))
    one, other = (model.simulate("one", times=times).runs[0] for times in ([0, 1], [0, 2]))
    with pytest.raises(ValueError, match="different times"):
        percentile_curves([one, other])


def test_the_line_below_the_bands_says_what_they_are() -> None:
    assert legend_text((5, 25, 50, 75, 95)) == "line 50 %, bands 25 to 75 % and 5 to 95 % of the people"
    assert legend_text((5, 95)) == "band 5 to 95 % of the people"
    assert legend_text((50,)) == "line 50 % of the people"


def test_what_cannot_be_sent_to_a_process_is_done_here() -> None:
    assert sorted(Processes(2).each_done(lambda x: x * x, [1, 2, 3])) == [(0, 1), (1, 4), (2, 9)]
