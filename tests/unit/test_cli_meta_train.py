"""``pbpkc meta-train`` and fits on its models, as a user runs them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from cli_case import Ran, call
from mipinn_case import SPEC, rows, write

SHORT = ("--tasks", "25", "--held-out", "4", "--branches", "0", "--features", "10, 14")
TIMES = [0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 24.0]


def test_a_model_is_trained_told_and_used(tmp_path: Path) -> None:
    curve = 20.0 * np.exp(-0.1 * np.array(TIMES)) - 19.0 * np.exp(-1.5 * np.array(TIMES))
    write(tmp_path, rows(200.0, TIMES, curve))
    ran = call("meta-train", "saturable.pbpk", "-s", "po", "-o", "m.mipinn", *SHORT, cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert "branches  features  C" in ran.out and "chosen" in ran.out
    assert "bolus into gut.X:\n  branch 1: gut.X" in ran.out
    assert "ka: 0.15 to 9.6 1/h (masked)" in ran.out
    assert "wrote m.mipinn, m.mipinn.json, m.mipinn.svg" in ran.err
    record = json.loads((tmp_path / "m.mipinn.json").read_text())
    assert record["accuracy"]["median"] < 1e-3 and record["cpu_seconds"]["all"] > 0.0
    assert (tmp_path / "m.mipinn.svg").read_text().startswith("<?xml")
    assert not (tmp_path / "m.mipinn.partial").exists()
    fitted = call(
        "fit", "saturable.pbpk", "--method", "mi-pinn", "--model", "m.mipinn", "-o", "fit", cwd=tmp_path
    )
    assert fitted.code == 0, fitted.err
    stored = json.loads((tmp_path / "fit" / "fit.json").read_text())
    assert stored["options"]["method"] == "mi-pinn" and stored["provenance"]["head"] == "galerkin"
    assert stored["subjects"][0]["search_objective"] == pytest.approx(
        stored["subjects"][0]["subject"]["objective"], abs=0.05
    )


def test_the_same_seed_gives_the_same_bytes_and_a_stopped_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pbpkc import load
    from pbpkc.engines.mipinn import partial
    from pbpkc.engines.mipinn.training_options import TrainingOptions

    write(tmp_path)
    model = load(tmp_path / "saturable.pbpk")
    options = TrainingOptions(tasks=25, held_out=3, branches=(0,), features=(8,))
    model.meta_train(tmp_path / "whole", scenario="po", options=options)
    put, made = partial.PartialFolder.put, []

    def stopping(self: partial.PartialFolder, number: int, found: object) -> None:
        put(self, number, found)  # type: ignore[arg-type]
        made.append(number)
        if len(made) == 22:
            raise KeyboardInterrupt

    monkeypatch.setattr(partial.PartialFolder, "put", stopping)
    with pytest.raises(KeyboardInterrupt):
        model.meta_train(tmp_path / "stopped", scenario="po", options=options)
    assert (tmp_path / "stopped.partial").is_dir() and not (tmp_path / "stopped").exists()
    monkeypatch.setattr(partial.PartialFolder, "put", put)
    again = model.meta_train(tmp_path / "stopped", scenario="po", options=options)
    assert again.reused == 20
    assert (tmp_path / "stopped").read_bytes() == (tmp_path / "whole").read_bytes()
    assert not (tmp_path / "stopped.partial").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("-s", "nothing"), 2, "there is no scenario 'nothing'"),
        (("-s", "po", "--basis", "wavelets"), 2, "basis is 'wavelets'; accepted are svd, network"),
        (("-s", "po", "--dose-range", "2, 0.5"), 2, "dose_range is (2, 0.5); accepted are two factors"),
        (("-s", "po", "--features", "a, b"), 2, "'a, b' is no list of numbers"),
        (
            ("-s", "po", "--features", "8, 2000"),
            2,
            "features is (8, 2000); accepted are at most 240 with 240",
        ),
        (("-s", "po", "--tasks", "3000", "--features", "2000"), 2, "the time grid of this family holds no"),
        (("-s", "po", "--tolerance", "-1"), 2, "tolerance is -1.0; accepted is a finite number above 0"),
        (("-s", "po", "--tolerance", "nan"), 2, "tolerance is nan; accepted is a finite number above 0"),
        (("-s", "po", "--branches", "-1"), 2, "branches is (-1,); accepted are integers of 0 or more"),
    ],
)
def test_what_cannot_be_trained_is_said(
    tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    write(tmp_path)
    ran = call("meta-train", "saturable.pbpk", "-o", "m", *arguments, cwd=tmp_path)
    assert ran.code == code
    assert words in " ".join(ran.err.split())
    assert not list(tmp_path.glob("m*"))


def test_a_family_whose_solves_fail_says_which_and_why(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_text(SPEC.replace("rate ka * gut.A", "rate ka * gut.A * exp(central.C^2 / 1 [umol^2/L^2])"))
    few = ("--tasks", "4", "--held-out", "1")
    ran = call("meta-train", "saturable.pbpk", "-s", "po", "-o", "m", *few, cwd=tmp_path)
    assert ran.code == 3
    assert re.search(r"error: \d of 5 tasks of the family could not be solved\n  task \d \(po\): ", ran.err)
    assert re.search(r"there, in canonical units: ka from [\d.]+ to [\d.]+, vmax from", ran.err)
    assert "narrow the bounds of the masked parameters" in ran.err
    assert not (tmp_path / "m").exists()


def test_fits_that_the_model_cannot_serve_are_refused(tmp_path: Path) -> None:
    write(tmp_path, rows(200.0, TIMES, np.full(7, 5.0)))
    assert call("meta-train", "saturable.pbpk", "-s", "po", "-o", "m", *SHORT, cwd=tmp_path).code == 0
    bare = call("fit", "saturable.pbpk", "--method", "mi-pinn", cwd=tmp_path)
    assert bare.code == 2 and "needs a trained model: --model FILE" in bare.err
    missing = call("fit", "saturable.pbpk", "--method", "mi-pinn", "--model", "no", cwd=tmp_path)
    assert missing.code == 1
    assert missing.err.startswith("error[trained-model]: 'no' does not exist\n  help: give the FILE that")
    wrong = call("fit", "saturable.pbpk", "--method", "mi-pinn", "--model", "study.csv", cwd=tmp_path)
    assert wrong.code == 1 and "'study.csv' is not a trained model" in wrong.err
    other = call("fit", "saturable.pbpk", "--model", "m", cwd=tmp_path)
    assert other.code == 2 and "model is a choice of mi-pinn" in other.err
    (tmp_path / "study.csv").write_text(
        "ID,TIME,AMT,DV,CMT,EVID\n"
        + rows(200.0, [1.0, 30.0], np.array([5.0, 1.0]))
        + rows(200.0, TIMES, np.full(7, 5.0), 2)
    )
    late = call("fit", "saturable.pbpk", "--method", "mi-pinn", "--model", "m", cwd=tmp_path)
    assert late.code == 1
    assert (
        "ID 1: a segment 'bolus into gut.X' lasts 29.8 h; training followed such a segment for 23.8 h"
        in late.err
    )
    assert "ID 2" not in late.err and "fit with --method least-squares" in late.err
    assert (
        "a scenario whose `run` lasts as long as these data and whose doses are of the same kind" in late.err
    )
    (tmp_path / "bare.csv").write_text("ID,TIME,AMT,DV,CMT,EVID\n1,1,.,5,2,0\n1,4,.,3,2,0\n")
    without = call(
        "fit", "saturable.pbpk", "--data", "bare.csv", "--method", "mi-pinn", "--model", "m", cwd=tmp_path
    )
    assert without.code == 1 and "ID 1 has no dose; a model trained on doses" in without.err


def test_memory_that_would_not_suffice_is_said_before_any_work(tmp_path: Path) -> None:
    write(tmp_path)
    ran = call("meta-train", "saturable.pbpk", "-s", "po", "-o", "m", "--tasks", "1000000000", cwd=tmp_path)
    assert ran.code == 3
    assert re.search(r"error: the trajectories of 1000000000 tasks need about \d+\.\d GB of memory", ran.err)
    assert list(tmp_path.glob("m*")) == []


def test_factors_on_what_no_scenario_has_are_refused(tmp_path: Path) -> None:
    write(tmp_path)

    def asked(*arguments: str) -> Ran:
        return call("meta-train", "saturable.pbpk", "-o", "m.mipinn", *SHORT, *arguments, cwd=tmp_path)

    ran = asked("-s", "po", "-s", "qid", "--infusion-range", "0.5, 2")
    assert ran.code == 2 and not (tmp_path / "m.mipinn").exists()
    assert (
        "infusion_range is (0.5, 2), and no scenario of this family infuses anything (po, qid); "
        "leave it out, or train on a scenario that does"
    ) in ran.err
    # One that infuses is enough.
    assert asked("-s", "po", "-s", "iv", "--infusion-range", "0.5, 2").code == 0
    (tmp_path / "none.pbpk").write_text(
        "pbpk 1\nmodel none\nstate x = 1\nmasked a ~ lognormal(0.1 [1/h], cv = 50 [%]) in (0.01, 1) [1/h]\n"
        "ode x = -a * x\nobserve level = x in [1] error add(0.1)\nscenario free { run 24 [h] }\n"
    )
    none = call("meta-train", "none.pbpk", "-o", "m.mipinn", *SHORT, "--dose-range", "0.1, 10", cwd=tmp_path)
    assert none.code == 2 and "no scenario of this family has a dose (free)" in none.err
