"""``pbpkc fit``: estimates, files, partial results, and a run that is interrupted and goes on."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_case import STUDY, STUDY_DATA, call, study, write

FILES = ["estimates.csv", "fit.json", "predictions.csv", "subjects.csv", "summary.csv", "timing.json"]

DATA_SCENARIO = STUDY[STUDY.index("scenario data") :]

#: The second subject's equation has no solution beyond 0.002 h.
ONE_FAILS = """\
pbpk 1
model part "One of two explodes"
covariate G = 0 in (0, 1000)
state x = 1
masked a ~ lognormal(0.1 [1/h], cv = 50 [%]) in (0.01, 1) [1/h]
masked s ~ lognormal(0.1, cv = 50 [%]) in (0.001, 5)
ode x = -a * x + G * x^2 / 1 [h]
observe level = x in [1] error add(s)
scenario data { data "part.csv" { column TIME [h]; column G = G [1]; CMT 2 observe level } }
"""
ONE_FAILS_DATA = """\
ID,TIME,DV,CMT,EVID,MDV,G
1,1,0.8,2,0,0,0
1,2,0.66,2,0,0,0
1,4,0.45,2,0,0,0
1,8,0.2,2,0,0,0
2,1,0.8,2,0,0,500
2,2,0.66,2,0,0,500
"""


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def estimates(folder: Path) -> dict[tuple[str, str], float]:
    return {(row["id"], row["parameter"]): float(row["estimate"]) for row in table(folder / "estimates.csv")}


def same_results(one: Path, other: Path) -> bool:
    return all(
        (one / name).read_bytes() == (other / name).read_bytes() for name in FILES if name != "timing.json"
    )


def test_estimates_are_printed_and_written(tmp_path: Path) -> None:
    study(tmp_path)
    ran = call("fit", "model.pbpk", "-o", "out", "--no-report", cwd=tmp_path)
    assert ran.code == 0, ran.err
    # A busy machine may be slow enough for lines of progress.
    told = [line for line in ran.err.splitlines() if not line.startswith("fitting")]
    order = ("estimates.csv", "subjects.csv", "predictions.csv", "summary.csv", "timing.json", "fit.json")
    assert told == ["wrote " + ", ".join(f"out/{name}" for name in order)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES
    found = estimates(tmp_path / "out")
    assert found["1", "k"] == pytest.approx(0.1006, rel=1e-3)
    assert found["2", "v"] == pytest.approx(11.13, rel=1e-3)
    lines = ran.out.splitlines()
    assert lines[0].split()[:7] == ["id", "k", "[1/h]", "v", "[L]", "s", "[mg/L]"]
    assert lines[2].split()[:2] == ["1", "0.1006"]
    assert lines[-1].startswith("2 subjects in ")


def test_the_data_are_found_from_any_folder(tmp_path: Path) -> None:
    study(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert call("fit", "../model.pbpk", "--starts", "1", cwd=elsewhere).code == 0
    lost = call("fit", "../model.pbpk", "--data", "study.csv", cwd=elsewhere)
    assert lost.code == 1
    assert "'study.csv' does not exist" in lost.err
    assert call("fit", "../model.pbpk", "--data", "../study.csv", "--starts", "1", cwd=elsewhere).code == 0


def test_json_is_the_document_of_the_run(tmp_path: Path) -> None:
    study(tmp_path)
    arguments = [
        "--unmask",
        "s = 0.2 mg/L",
        "--set",
        "D.mw = 101 g/mol",
        "--start",
        "k = 0.3 1/h",
        "--starts",
        "2",
        "--seed",
        "5",
    ]
    ran = call("fit", "model.pbpk", *arguments, "-o", "out", "--no-report", "--format", "json", cwd=tmp_path)
    found = ran.json()
    assert ran.code == 0
    assert found == json.loads((tmp_path / "out" / "fit.json").read_text())
    assert found["outcome"] == "done"
    assert [s["id"] for s in found["subjects"]] == ["1", "2"]
    assert [p["name"] for p in found["parameters"]] == ["k", "v"]
    assert found["provenance"]["set"] == ["D.mw = 101 g/mol"]
    assert found["provenance"]["unmask"] == ["s = 0.2 mg/L"]
    assert found["provenance"]["start"] == ["k = 0.3 1/h"]
    assert found["options"]["seed"] == 5


def test_a_parameter_more_and_one_less(tmp_path: Path) -> None:
    spec = study(tmp_path)
    more = call(
        "fit",
        spec,
        "--mask",
        "D.mw in (50, 200) [g/mol]",
        "--starts",
        "1",
        "-o",
        tmp_path / "more",
        "--no-report",
    )
    assert more.code == 0
    verdicts = {
        row["parameter"]: row["identifiable"]
        for row in table(tmp_path / "more" / "estimates.csv")
        if row["id"] == "1"
    }
    # The dose is a mass and the concentration is one: the molar mass cancels out.
    assert verdicts == {"k": "yes", "v": "yes", "s": "yes", "D.mw": "no"}
    less = call("fit", spec, "--unmask", "v", "--starts", "1", "--format", "json").json()
    assert [p["name"] for p in less["parameters"]] == ["k", "s"]


def test_with_the_priors_estimates_move_towards_them(tmp_path: Path) -> None:
    spec = study(tmp_path)
    free = call("fit", spec, "--starts", "1", "-o", tmp_path / "ml", "--no-report")
    held = call("fit", spec, "--starts", "1", "-o", tmp_path / "map", "--no-report", "--map")
    assert free.code == held.code == 0
    ml, with_prior = estimates(tmp_path / "ml"), estimates(tmp_path / "map")
    for name, median in (("k", 0.1), ("s", 0.5)):
        assert abs(with_prior["2", name] - median) < abs(ml["2", name] - median)
    assert json.loads((tmp_path / "map" / "fit.json").read_text())["options"]["estimator"] == "map"


def test_profiles_of_all_and_of_some(tmp_path: Path) -> None:
    study(tmp_path)
    # The spec behind --profile is not a name.
    ran = call("fit", "--profile", "model.pbpk", "--starts", "1", "-o", "out", cwd=tmp_path)
    assert ran.code == 0, ran.err
    rows = table(tmp_path / "out" / "profiles.csv")
    assert {row["parameter"] for row in rows} == {"k", "v"}
    for row in table(tmp_path / "out" / "estimates.csv"):
        if row["parameter"] != "s":
            assert float(row["profile_low"]) < float(row["estimate"]) < float(row["profile_high"])
        else:
            assert row["profile_low"] == row["profile_high"] == ""
    assert "95 % by profile" in ran.out
    assert (tmp_path / "out" / "profiles.svg").exists()
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Profile likelihoods" in page and "profile of k in subject 2" in page
    some = call("fit", "model.pbpk", "--starts", "1", "--profile", "s,v", "--format", "json", cwd=tmp_path)
    found = some.json()
    assert [p["parameter"] for p in found["subjects"][0]["profiles"]] == ["v", "s"]
    assert found["options"]["profile"] == "s, v"


@pytest.mark.long
def test_what_an_earlier_fit_left_goes_and_everything_else_stays(tmp_path: Path) -> None:
    from pbpkc.infer.stale_files import REPORT

    study(tmp_path)
    out = tmp_path / "out"
    quick = ("fit", "model.pbpk", "--starts", "1", "-o", "out")
    assert call(*quick, "--profile", "k", cwd=tmp_path).code == 0
    names = {file.name for file in out.iterdir()}
    assert {"profiles.csv", "profiles.svg", "report.html"} < names
    assert {name for name in names if REPORT.fullmatch(name)} == names - {*FILES, "profiles.csv"}
    for mine in ("notes.csv", "my_report.html", "posterior_pairs_x.svg"):
        (out / mine).write_text("mine")
    (out / "posterior.csv").write_text("of a fit with a posterior")
    assert call(*quick, "--no-report", cwd=tmp_path).code == 0
    kept = sorted([*FILES, "notes.csv", "my_report.html", "posterior_pairs_x.svg"])
    assert sorted(file.name for file in out.iterdir()) == kept
    # A report of this very fit is still true.
    assert call(*quick, cwd=tmp_path).code == 0
    page = (out / "report.html").read_bytes()
    assert call(*quick, "--no-report", cwd=tmp_path).code == 0
    assert (out / "report.html").read_bytes() == page and not (out / "profiles.svg").exists()


def test_files_in_a_folder_that_no_fit_wrote_stay(tmp_path: Path) -> None:
    study(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "profiles.csv").write_text("mine")
    assert call("fit", "model.pbpk", "--starts", "1", "-o", "out", "--no-report", cwd=tmp_path).code == 0
    assert (tmp_path / "out" / "profiles.csv").read_text() == "mine"


def test_a_profile_of_what_is_not_estimated(tmp_path: Path) -> None:
    study(tmp_path)
    ran = call("fit", "model.pbpk", "--profile", "q", "-o", "out", cwd=tmp_path)
    assert ran.code == 2
    assert "profile names q; estimated are k, v, s" in ran.err
    assert not (tmp_path / "out").exists()


def test_bounds_alone_keep_the_prior(tmp_path: Path) -> None:
    found = call(
        "fit", study(tmp_path), "--mask", "k in (0.05, 2) [1/h]", "--starts", "1", "--map", "--format", "json"
    ).json()
    k = found["parameters"][0]
    assert (k["name"], k["low"], k["high"]) == ("k", 0.05, 2)
    assert k["prior"]["canonical_arguments"]["median"] == 0.1


def test_starts_outside_the_bounds_are_moved_and_told(tmp_path: Path) -> None:
    ran = call("fit", study(tmp_path), "--start", "k = 1000 1/h", "--starts", "1")
    assert ran.code == 0
    assert "note[start-outside]: --start k = 1000 1/h" in ran.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--start", "kk = 1 1/h"), "one with a similar name exists: 'k'"),
        (("--start", "D.mw = 3 g/mol"), "'D.mw' is not estimated"),
        (("--start", "k = 1 L"), "found [L] where [1/h]"),
        (("--start", "k = 1 1/h", "--start", "k = 2 1/h"), "names 'k' twice"),
        (("--starts", "0"), "--starts"),
        (("--workers", "0"), "--workers"),
        (("--seed", "-1"), "--seed"),
        (("--blq", "guess"), "'m3', 'drop', 'half', 'zero'"),
        (("--rtol", "0"), "rtol is 0.0"),
        (("-s", "one"), "'one' has no data block"),
        (("-s", "dta"), "'data'"),
        (("-o", "study.csv"), "is a file"),
        (("-o", "study.csv/deep"), "is a file"),
    ],
)
def test_wrong_usage(options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    study(tmp_path)
    ran = call("fit", "model.pbpk", *options, cwd=tmp_path)
    assert ran.code == 2
    assert not ran.out
    assert said in " ".join(ran.err.split())


def test_nothing_to_estimate(tmp_path: Path) -> None:
    ran = call("fit", study(tmp_path), "--unmask", "k", "--unmask", "v", "--unmask", "s")
    assert ran.code == 1
    assert "no parameter is masked" in ran.err


def test_as_many_observations_as_parameters_determine_nothing(tmp_path: Path) -> None:
    study(tmp_path)
    rows = (tmp_path / "study.csv").read_text().splitlines()
    (tmp_path / "study.csv").write_text("\n".join([*rows[:-3], ""]))  # two values are left of subject 2
    ran = call("fit", "model.pbpk", "-o", "out", "--starts", "1", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert (
        "2: Nothing is determined: there are no more observations (2) than parameters (3, the residual error"
        in ran.out
    )
    assert "nan" not in ran.out
    assert "k is not counted in 2" in ran.out
    page = (tmp_path / "out" / "report.html").read_text()
    assert "nan to nan" not in page and "interval nan" not in page


def test_a_rule_for_censored_values_says_where_there_are_none(tmp_path: Path) -> None:
    study(tmp_path)
    said = "the rule 'drop' for values below quantification (--blq) changes nothing: no scored row of"
    idle = call("fit", "model.pbpk", "--starts", "1", "--blq", "drop", cwd=tmp_path)
    assert idle.code == 0 and said in idle.err and "rows with CENS 1 only" in idle.err
    assert "--blq" not in call("fit", "model.pbpk", "--starts", "1", cwd=tmp_path).err
    head, *rows = (tmp_path / "study.csv").read_text().splitlines()
    at = head.split(",").index("DV")
    ends = ["1" if row.split(",")[at] == "0.9" else "0" for row in rows]
    assert ends.count("1") == 1
    limit = [f"{row},{end},{0.9 if end == '1' else '.'}" for row, end in zip(rows, ends, strict=True)]
    (tmp_path / "study.csv").write_text("\n".join([f"{head},CENS,LLOQ", *limit]) + "\n")
    acts = call("fit", "model.pbpk", "--starts", "1", "--blq", "drop", cwd=tmp_path)
    assert acts.code == 0, acts.err
    assert said not in acts.err


def test_a_spec_without_data_says_how_to_write_them(tmp_path: Path) -> None:
    ran = call("fit", write(tmp_path, STUDY.replace(DATA_SCENARIO, "")))
    assert ran.code == 2
    assert "no scenario of the spec reads data" in ran.err


def test_two_data_scenarios_ask_which(tmp_path: Path) -> None:
    study(tmp_path)
    spec = write(tmp_path, STUDY + DATA_SCENARIO.replace("scenario data", "scenario again"))
    ran = call("fit", spec)
    assert ran.code == 2
    assert "(data, again); say which" in ran.err
    assert call("fit", spec, "-s", "again", "--starts", "1").code == 0


@pytest.mark.parametrize("damage", [("AMT", "AMOUNT"), ("1,4,.,6.5", "1,4,.,six"), (STUDY_DATA, "")])
def test_bad_data_leave_nothing_behind(damage: tuple[str, str], tmp_path: Path) -> None:
    study(tmp_path)
    write(tmp_path, STUDY_DATA.replace(*damage), "study.csv")
    ran = call("fit", "model.pbpk", "-o", "out", cwd=tmp_path)
    assert ran.code == 1
    assert not ran.out
    assert "study.csv" in ran.err
    assert not (tmp_path / "out").exists()


def test_one_subject_fails_and_the_other_is_delivered(tmp_path: Path) -> None:
    write(tmp_path, ONE_FAILS_DATA, "part.csv")
    spec = write(tmp_path, ONE_FAILS)
    ran = call("fit", spec, "-o", tmp_path / "out", "--no-report", "--starts", "1", "--max-steps", "500")
    assert ran.code == 4
    subjects = table(tmp_path / "out" / "subjects.csv")
    assert [row["converged"] for row in subjects] == ["yes", "no"]
    assert "the solver" in subjects[1]["reason"]
    assert {row["id"] for row in table(tmp_path / "out" / "estimates.csv")} == {"1"}
    assert "\n2: " in ran.out
    assert "Warning" not in ran.err
    found = json.loads((tmp_path / "out" / "fit.json").read_text())
    assert found["outcome"] == "partial"
    assert found["subjects"][1]["suggestion"]


def test_all_subjects_fail(tmp_path: Path) -> None:
    write(tmp_path, ONE_FAILS_DATA.replace("0,0,0\n", "0,0,500\n"), "part.csv")
    spec = write(tmp_path, ONE_FAILS)
    ran = call("fit", spec, "--starts", "1", "--max-steps", "500")
    assert ran.code == 3
    assert ran.out.splitlines()[0].split()[:5] == ["id", "a", "[1/h]", "s", "n"]
    assert "failed" in ran.out
    assert "95 %" not in ran.out


@pytest.mark.long
def test_one_and_two_processes_give_the_same_bytes(tmp_path: Path) -> None:
    study(tmp_path)
    for workers in (1, 2):
        folder = f"w{workers}"
        assert (
            call("fit", "model.pbpk", "-o", folder, "--no-report", "--workers", workers, cwd=tmp_path).code
            == 0
        )
    assert same_results(tmp_path / "w1", tmp_path / "w2")


def test_an_equal_run_takes_over_and_another_does_not(tmp_path: Path) -> None:
    study(tmp_path)
    first = call("fit", "model.pbpk", "-o", "out", "--no-report", cwd=tmp_path)
    assert "taken over" not in first.out
    assert "2 of them taken over" in call("fit", "model.pbpk", "-o", "out", "--no-report", cwd=tmp_path).out
    for changed in (
        ["--fresh"],
        ["--seed", "1"],
        ["--set", "D.mw = 90 g/mol"],
        ["--blq", "drop"],
        ["--rtol", "1e-9"],
    ):
        assert (
            "taken over"
            not in call("fit", "model.pbpk", "-o", "out", "--no-report", *changed, cwd=tmp_path).out
        )


#: The program, with a Ctrl-C that comes when two subjects are finished, however fast the machine is.
INTERRUPTED = """
import os, signal
# A shell that runs in the background lets its children ignore Ctrl-C; this one shall hear it.
signal.signal(signal.SIGINT, signal.default_int_handler)
from pbpkc.infer.output import FitFolder
put, done = FitFolder.put, []
def counted(self, fit):
    put(self, fit)
    done.append(fit.id)
    if len(done) == 2:
        os.kill(os.getpid(), signal.SIGINT)
FitFolder.put = counted
from pbpkc.cli import main
main()
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interrupted_fit_goes_on_and_ends_as_if_undisturbed(tmp_path: Path) -> None:
    study(tmp_path)
    data = STUDY_DATA.splitlines()
    many = [line.replace("1,", f"{i},", 1) for i in range(1, 7) for line in data[1:7]]
    write(tmp_path, "\n".join([data[0], *many]) + "\n", "study.csv")
    arguments = ["fit", "model.pbpk", "--no-report", "--starts", "8", "-o"]
    kept = tmp_path / "out" / "partial"
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, *arguments, "out"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    out, err = child.communicate(timeout=120)
    assert child.returncode == 130, err
    assert out == ""
    assert err.rstrip().endswith("interrupted")
    assert "finished and kept in out: the same command goes on from there" in err
    assert "Traceback" not in err
    assert not (tmp_path / "out" / "fit.json").exists()
    again = call(*arguments, "out", cwd=tmp_path)
    assert again.code == 0
    assert "of them taken over from an earlier run" in again.out
    assert not kept.exists()
    assert call(*arguments, "undisturbed", cwd=tmp_path).code == 0
    assert same_results(tmp_path / "out", tmp_path / "undisturbed")


def test_the_numbers_are_out_even_if_the_report_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("page")

    study(tmp_path)
    monkeypatch.setattr("pbpkc.jobs.report.write_fit_report", broken)
    ran = call("fit", "model.pbpk", "-o", "out", "--starts", "1", cwd=tmp_path)
    assert ran.code == 3
    assert "internal error" in ran.err
    assert ran.out.splitlines()[2].split()[:2] == ["1", "0.1006"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES


def test_the_report_and_its_plots(tmp_path: Path) -> None:
    study(tmp_path)
    ran = call("fit", "model.pbpk", "-o", "out", "--starts", "1", cwd=tmp_path)
    assert ran.code == 0, ran.err
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Two subjects" in page
    assert "pbpkc fit model.pbpk -o out --starts 1" in page
    assert (tmp_path / "out" / "time.svg").exists()
    assert not [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


def test_the_heading_says_what_was_minimised(tmp_path: Path) -> None:
    spec = study(tmp_path)
    assert "-2 log L" in call("fit", spec, "--starts", "1").out.splitlines()[0]
    head = call("fit", spec, "--starts", "1", "--map").out.splitlines()[0]
    assert "-2 log post" in head
    assert "-2 log L" not in head


def test_the_summary_says_how_many_subjects_determine_a_parameter(tmp_path: Path) -> None:
    out = call("fit", study(tmp_path), "--starts", "1", "--mask", "D.mw in (50, 200) [g/mol]").out
    lines = out.splitlines()
    head = next(line for line in lines if line.startswith("parameter"))
    place = head.index("determined")
    told = {line.split()[0]: line[place : place + 6] for line in lines if line.startswith(("k ", "D.mw "))}
    assert told == {"k": "2 of 2", "D.mw": "0 of 2"}


def test_pooled_and_both(tmp_path: Path) -> None:
    study(tmp_path)
    ran = call("fit", "model.pbpk", "--by", "both", "--starts", "1", "-o", "out", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[-1].startswith("2 subjects and 2 subjects together in ")
    rows = table(tmp_path / "out" / "estimates.csv")
    assert [row["id"] for row in rows if row["parameter"] == "k"] == ["1", "2", "ALL"]
    one, other, both = (float(row["estimate"]) for row in rows if row["parameter"] == "v")
    assert min(one, other) < both < max(one, other)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "fitted to all subjects together" in page
    assert "All subjects together: k" in page and "takes the 2 subjects for one body" in page
    summary = table(tmp_path / "out" / "summary.csv")
    assert [(row["parameter"], row["n"]) for row in summary] == [("k", "2"), ("v", "2"), ("s", "2")]
    ran = call(
        "fit", "model.pbpk", "--by", "pooled", "--profile", "k", "--starts", "1", "-o", "all", cwd=tmp_path
    )
    assert ran.code == 0, ran.err
    assert {row["id"] for row in table(tmp_path / "all" / "profiles.csv")} == {"ALL"}
    assert {row["subject"] for row in table(tmp_path / "all" / "predictions.csv")} == {"1", "2"}
    assert table(tmp_path / "all" / "summary.csv") == []
    page = (tmp_path / "all" / "report.html").read_text(encoding="utf-8")
    assert "in all 2 subjects together." in page
    # Every subject has its own panel, with the curve at the shared estimate.
    assert "Cp of subject 2 against time" in page


def test_held_outside_the_bounds_is_told(tmp_path: Path) -> None:
    ran = call("fit", study(tmp_path), "--unmask", "k = 300 1/h", "--starts", "1")
    assert "note[unmask-outside]: --unmask k = 300 [1/h]: it lies outside the bounds of 'k'" in ran.err
    assert "(0.001, 10) [1/h]" in ran.err
    assert "unmask-outside" not in call("fit", study(tmp_path), "--unmask", "k = 3 1/h", "--starts", "1").err


def test_the_tables_do_not_replace_the_data(tmp_path: Path) -> None:
    study(tmp_path)
    (tmp_path / "subjects.csv").write_text(STUDY_DATA)
    ran = call("fit", "model.pbpk", "--data", "subjects.csv", "-o", ".", cwd=tmp_path)
    assert ran.code == 2
    assert (tmp_path / "subjects.csv").read_text() == STUDY_DATA


@pytest.mark.long
def test_a_posterior_is_drawn_written_and_taken_over(tmp_path: Path) -> None:
    study(tmp_path)
    (tmp_path / "study.csv").write_text("\n".join(STUDY_DATA.splitlines()[:7]) + "\n")
    few = ("--starts", "1", "--posterior", "--draws", "80", "--chains", "2", "--warmup", "20")
    one = ("--unmask", "v = 10 [L]", "--unmask", "s = 0.3 [mg/L]", "-o", "out")
    ran = call("fit", "model.pbpk", *few, *one, cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert "95 % of the posterior" in ran.out and "posterior of 80 draws in 2 chains" in ran.out
    row = table(tmp_path / "out" / "posterior_summary.csv")[0]
    wald = table(tmp_path / "out" / "estimates.csv")[0]
    # One well determined parameter: the posterior is near the estimate, and about as wide.
    width = float(wald["ci_high"]) - float(wald["ci_low"])
    assert float(row["median"]) == pytest.approx(float(wald["estimate"]), abs=0.15 * width)
    assert float(row["high"]) - float(row["low"]) == pytest.approx(width, rel=0.5)
    assert len(table(tmp_path / "out" / "posterior.csv")) == 80
    bands = table(tmp_path / "out" / "posterior_bands.csv")
    assert float(bands[0]["time"]) == 0.0 and float(bands[-1]["time"]) == 12.0 and len(bands) == 61
    # At the dose all curves are at 100 mg in 10 L, whatever k is; new measurements are not.
    assert float(bands[0]["low"]) == float(bands[0]["high"]) == 10.0 < float(bands[0]["dv_high"])
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert '<section id="posterior">' in page and (tmp_path / "out" / "posterior.svg").exists()
    stored = json.loads((tmp_path / "out" / "fit.json").read_text())
    assert stored["options"]["posterior_draws"] == 80
    assert stored["subjects"][0]["posterior"]["summary"][0]["parameter"] == "k"
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.suffix != ".json"}
    again = call("fit", "model.pbpk", *few, *one, "--no-report", cwd=tmp_path)
    assert "1 of them taken over" in again.out
    assert all((tmp_path / "out" / name).read_bytes() == text for name, text in before.items())
    assert call("fit", "model.pbpk", "--starts", "1", *one, "--no-report", cwd=tmp_path).code == 0
    assert not [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith("posterior")]


def test_a_posterior_that_cannot_be_drawn_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study(tmp_path)
    ran = call("fit", "model.pbpk", "--draws", "500", "-o", "out", cwd=tmp_path)
    assert ran.code == 2 and "--draws says how a posterior is drawn; add --posterior" in ran.err
    ran = call("fit", "model.pbpk", "--posterior", "--draws", "50", "-o", "out", cwd=tmp_path)
    assert ran.code == 2 and "draws is 50; accepted is an integer of at least 80 with 4 chains" in ran.err
    monkeypatch.setattr("pbpkc.infer.posterior_nuts.find_spec", lambda name: None)
    ran = call("fit", "model.pbpk", "--posterior", "-o", "out", cwd=tmp_path)
    assert ran.code == 2 and "pip install 'pbpkc[bayes]'" in ran.err
    assert not (tmp_path / "out").exists()
