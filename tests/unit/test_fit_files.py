"""What a fit leaves on disk: the same bytes each time, whole files, and a run that can go on."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from fit_standin import Oral
from test_fit import TIMES, synthetic, theophylline

from pbpkc.experiment.whole_file import write_whole
from pbpkc.infer import FitFolder, FitOptions, FitProblem, SubjectFit, fit
from pbpkc.infer.codec import from_plain, to_plain
from pbpkc.infer.output import FILES

SAME = tuple(name for name in FILES if name != "timing.json")


def few(specs: Path, count: int = 3) -> FitProblem:
    problem = theophylline(specs)
    return replace(problem, subjects=problem.subjects[:count])


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in SAME}


def test_the_files_have_the_columns_that_were_promised(specs: Path, tmp_path: Path) -> None:
    result = fit(few(specs))
    written = FitFolder(tmp_path / "out").write(result)
    assert [path.name for path in written] == list(FILES)
    tables = {}
    for name, header in (
        (
            "estimates",
            "id parameter estimate unit standard_error ci_low ci_high start at_bound identifiable scale "
            "profile_low profile_high profile_below profile_above ci_beyond",
        ),
        ("subjects", "id n objective rss starts converged reason"),
        ("predictions", "id time observable dv pred residual weighted_residual cens subject"),
        (
            "summary",
            "parameter unit n kind mean spread low high mean_low mean_high between_sd gts_mean gts_sd "
            "not_counted",
        ),
    ):
        with (tmp_path / "out" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            tables[name] = list(csv.DictReader(file))
        assert list(tables[name][0]) == header.split()
    assert len(tables["estimates"]) == 12 and len(tables["predictions"]) == 33
    # A number in the file is the number of the result, to the last bit.
    for row, line in zip(result.estimates, tables["estimates"], strict=True):
        assert float(line["estimate"]) == row.estimate and float(line["ci_low"]) == row.ci_low
        assert line["identifiable"] == "yes" and line["at_bound"] == "no"
    stored = json.loads((tmp_path / "out" / "fit.json").read_text(encoding="utf-8"))
    assert stored["provenance"] == {"fingerprint": "closed form", "spec": "none"}
    assert stored["options"]["seed"] == 0 and stored["options"]["starts"] == 3
    assert {"python", "numpy", "scipy", "pbpkc"} <= set(stored["versions"])
    assert [p["name"] for p in stored["parameters"]] == ["ka", "cl", "v", "s"]
    assert stored["subjects"][0]["starts"][0]["start"] == [1.5, 0.04, 0.5, 0.5]
    assert stored["outcome"] == "done" and len(stored["subjects"][0]["covariance"]) == 4
    assert not (tmp_path / "out" / "partial").exists()


@pytest.mark.long
def test_a_second_run_and_two_processes_give_the_same_bytes(specs: Path, tmp_path: Path) -> None:
    for name, workers in (("once", 1), ("again", 1), ("two", 2)):
        result = fit(few(specs), FitOptions(workers=workers, seed=5))
        assert result.timing.notes == ()
        FitFolder(tmp_path / name).write(result)
    assert contents(tmp_path / "once") == contents(tmp_path / "again") == contents(tmp_path / "two")
    FitFolder(tmp_path / "other").write(fit(few(specs), FitOptions(seed=6)))
    # Another seed gives other starts, and so other bytes: the comparison above can fail.
    assert contents(tmp_path / "other")["fit.json"] != contents(tmp_path / "once")["fit.json"]


def test_what_cannot_be_sent_to_a_process_is_fitted_here() -> None:
    class Local(Oral):
        """Cannot be pickled, as a function given for an unknown term may not."""

    one = replace(synthetic().subjects[0], predictor=Local(TIMES, 4.5, "prop"))
    problem = synthetic(subjects=(one, replace(one, id="2")))
    result = fit(problem, FitOptions(workers=2))
    assert result == fit(problem) and len(result.timing.notes) == 1


def test_a_subject_does_not_notice_the_others(specs: Path) -> None:
    all_, some = fit(few(specs, 3)), fit(few(specs, 1))
    assert all_.fits[0] == some.fits[0]


class Interrupted(Exception):
    """Stands for the user's Ctrl-C."""


def test_an_interrupted_run_goes_on_where_it_stopped(specs: Path, tmp_path: Path) -> None:
    problem, calls = few(specs), []

    class Counting(FitFolder):
        def put(self, one: SubjectFit) -> None:
            super().put(one)
            calls.append(one.id)
            if len(calls) == 2:
                raise Interrupted

    with pytest.raises(Interrupted):
        fit(problem, store=Counting(tmp_path / "out"))
    assert not (tmp_path / "out" / "fit.json").exists(), "a file of a run that did not end"
    assert len(list((tmp_path / "out" / "partial").iterdir())) == 2
    folder = Counting(tmp_path / "out")
    calls[:] = ["-", "-"]
    result = fit(problem, store=folder)
    folder.write(result)
    assert calls == ["-", "-", "3"] and result.timing.reused == 2
    FitFolder(tmp_path / "fresh").write(fit(problem))
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")
    # A finished run is taken over whole.
    again = fit(problem, store=FitFolder(tmp_path / "out"))
    assert again.timing.reused == 3 and again == result
    assert fit(problem, store=FitFolder(tmp_path / "out", resume=False)).timing.reused == 0


@pytest.mark.long
def test_only_an_identical_subject_is_taken_over(specs: Path, tmp_path: Path) -> None:
    problem = few(specs, 2)
    folder = FitFolder(tmp_path / "out")
    folder.write(fit(problem, store=folder))

    def reused(problem: FitProblem, options: FitOptions | None = None) -> int:
        return fit(problem, options, store=FitFolder(tmp_path / "out")).timing.reused

    first, second = problem.subjects
    assert reused(problem) == 2
    assert reused(problem, FitOptions(workers=2)) == 2
    assert reused(problem, FitOptions(seed=1)) == 0
    assert reused(problem, FitOptions(blq="drop")) == 0
    assert reused(replace(problem, fingerprint="another model")) == 0
    assert reused(replace(problem, provenance={"spec": "a comment was changed"})) == 2
    assert reused(replace(problem, subjects=(replace(first, identity="another dose"), second))) == 1
    seen = first.observations
    changed = replace(seen, dv=seen.dv * (1 + 1e-12))
    assert reused(replace(problem, subjects=(replace(first, observations=changed), second))) == 1
    lower = (replace(problem.parameters[0], low=0.05), *problem.parameters[1:])
    assert reused(replace(problem, parameters=lower)) == 0


@pytest.mark.parametrize("text", ["", "{", '{"format": 99}', '{"format": 1, "subjects": [{"id": 3}]}', "[]"])
def test_what_cannot_be_read_is_fitted_anew(specs: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "fit.json").write_text(text, encoding="utf-8")
    (tmp_path / "partial").mkdir()
    (tmp_path / "partial" / "x.json").write_text(text, encoding="utf-8")
    assert fit(few(specs, 1), store=FitFolder(tmp_path)).timing.reused == 0


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    write_whole({target: "old\n"})

    with pytest.raises(UnicodeEncodeError):
        write_whole({target: "new \ud800\n"})
    assert target.read_text(encoding="utf-8") == "old\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_subject_reads_back_as_it_was(specs: Path) -> None:
    failed = replace(synthetic().subjects[0], predictor=Oral(TIMES, 4.5, "prop", broken_above=0.0))
    for problem in (synthetic(), synthetic(subjects=(failed,))):
        one = fit(problem).fits[0]
        text = json.dumps(to_plain(one), allow_nan=False)
        back = from_plain(SubjectFit, json.loads(text))
        assert json.dumps(to_plain(back)) == text
        assert back.theta == one.theta and type(back.identifiability) is type(one.identifiability)
        assert math.isnan(back.residual_sd)
    with pytest.raises(ValueError, match="do not describe a SubjectFit"):
        from_plain(SubjectFit, {"id": "1"})


def test_tables_as_pandas(specs: Path) -> None:
    frames = fit(few(specs, 2)).to_frames()
    assert set(frames) == {"estimates", "subjects", "predictions", "summary"}
    assert frames["estimates"].shape == (8, 16) and frames["summary"].loc[0, "parameter"] == "ka"
    assert frames["predictions"]["pred"].dtype == float


def test_profiles_are_a_table_of_their_own(specs: Path, tmp_path: Path) -> None:
    result = fit(few(specs, 2), FitOptions(profile=("ka", "v"), starts=1))
    written = [path.name for path in FitFolder(tmp_path).write(result)]
    assert written == [*FILES[:-1], "profiles.csv", "fit.json"]
    with (tmp_path / "profiles.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "parameter", "value", "unit", "objective_rise", "ka", "cl", "v", "s"]
    assert {(row["id"], row["parameter"]) for row in rows} == {(i, p) for i in "12" for p in ("ka", "v")}
    assert all(row["value"] == row[row["parameter"]] for row in rows)
    for one in result.fits:
        for profile in one.profiles:
            here = [r for r in rows if (r["id"], r["parameter"]) == (one.id, profile.parameter)]
            assert [float(r["objective_rise"]) for r in here] == [p.objective_rise for p in profile.points]
            # The point of the optimum is the estimate.
            (best,) = (r for r in here if float(r["objective_rise"]) == 0.0)
            assert float(best["cl"]) == pytest.approx(one.estimates[1].estimate, rel=1e-12)
