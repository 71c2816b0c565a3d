"""``pbpkc bench inversion``: the short form end to end, a run that goes on, and wrong usage."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest
from cli_case import Ran, call


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran, dict[str, Any]]:
    out = tmp_path_factory.mktemp("bench") / "out"
    ran = call("bench", "inversion", "--short", "-o", out)
    assert ran.code == 0, ran.err
    return out, ran, json.loads((out / "results.json").read_text())


def test_one_part_end_to_end(tmp_path: Path) -> None:
    ran = call(
        "bench", "inversion", "--short", "--part", "ablation", "-o", tmp_path / "out", "--format", "json"
    )
    assert ran.code == 0, ran.err
    limits = [one for one in ran.json()["limits"] if one["about"] == "branches"]
    assert limits and all(one["holds"] for one in limits)
    assert (tmp_path / "out" / "report.html").exists() and (tmp_path / "out" / "choices.csv").exists()


@pytest.mark.long
def test_the_short_form_keeps_its_limits(made: tuple[Path, Ran, dict[str, Any]]) -> None:
    _, ran, told = made
    assert "limits hold" in ran.out
    for about in (
        "training",
        "efficiency",
        "coverage",
        "searches",
        "paper's table",
        "branches",
        "networks",
        "speed",
    ):
        mine = [one for one in told["limits"] if one["about"] == about]
        assert mine, about
        # How fast this machine is, is not for a test to judge.
        assert about == "speed" or all(one["holds"] for one in mine), mine


@pytest.mark.long
def test_km_is_told_from_its_ratio(made: tuple[Path, Ran, dict[str, Any]]) -> None:
    told = made[2]
    plain = [r for r in told["table"] if r["noise"] == 0.0 and r["method"] == "mi-pinn"]
    assert plain and all(abs(r["ratio_error"]) < 1e-3 and not r["km_determined"] for r in plain)
    noisy = [p for p in told["km_profiles"] if p["noise"] == 0.1]
    # Any Km up to the bound at 1e6 umol/L does.
    assert noisy and all(p["high"] is None and max(p["value"]) > 9e5 for p in noisy)


@pytest.mark.long
def test_the_trained_model_finds_the_same_optimum_faster(made: tuple[Path, Ran, dict[str, Any]]) -> None:
    costs = made[2]["costs"]
    fast, exact = (next(r for r in costs if r["method"] == m) for m in ("mi-pinn", "least-squares"))
    assert fast["cpu_ms"] < exact["cpu_ms"] and abs(fast["gap"]) < 0.01
    rows = made[2]["synthetic"]
    assert {(r["masked"], r["method"]) for r in rows} == {
        (3, method) for method in ("mi-pinn", "least-squares")
    }
    # 10 % of noise leave a few per cent, and no search from up to a factor 8 away is lost.
    assert all(r["missed"] == 0 and r["median_error"] < 30.0 for r in rows)


@pytest.mark.long
def test_files_hold_what_was_found(made: tuple[Path, Ran, dict[str, Any]]) -> None:
    out = made[0]
    names = {p.name for p in out.iterdir()}
    assert {"report.html", "synthetic.csv", "table.csv", "intervals.csv", "training.csv"} <= names
    assert {
        "speed.csv",
        "choices.csv",
        "networks.csv",
        "network_loss.svg",
        "errors.svg",
        "starts.svg",
        "speed.svg",
    } <= names
    with (out / "fits.csv").open() as file:
        fits = list(csv.DictReader(file))
    assert len(fits) == (3 + 1) * 3
    for row in fits:
        error = math.log(float(row["estimate"]) / float(row["truth"]))
        assert float(row["error"]) == pytest.approx(error, abs=1e-12)
        assert float(row["lowest"]) <= float(row["objective"]) + 0.01
    page = (out / "report.html").read_text()
    for title in (
        "Paracetamol, intravenous",
        "Synthetic study",
        "Speed and training",
        "What each choice",
        "Networks as features",
    ):
        assert title in page
    assert page.count('<svg class="plot"') == len([n for n in names if n.endswith(".svg")])


@pytest.mark.long
def test_a_run_goes_on_from_what_is_kept(made: tuple[Path, Ran, dict[str, Any]]) -> None:
    out = made[0]
    before = {p.name: p.read_text() for p in (out / "parts").iterdir()}
    gone = next(p for p in (out / "parts").iterdir() if "3_unknown" in p.name and "mi_pinn" in p.name)
    gone.unlink()
    again = call("bench", "inversion", "--short", "-o", out, "--format", "json")
    assert again.code == 0, again.err
    after = {p.name: p.read_text() for p in (out / "parts").iterdir()}
    assert {n: t for n, t in before.items() if n != gone.name} == {
        n: t for n, t in after.items() if n != gone.name
    }
    scores = [json.loads(text[gone.name])["value"]["scores"] for text in (before, after)]
    for old, new in zip(*scores, strict=True):
        assert {k: v for k, v in old.items() if not k.endswith("_ms")} == {
            k: v for k, v in new.items() if not k.endswith("_ms")
        }
    assert json.loads(again.out)["options"]["tasks"] == 3


def test_wrong_usage(tmp_path: Path) -> None:
    out = tmp_path / "x"
    wrong = call("bench", "inversion", "--part", "table,sped", "-o", out)
    assert wrong.code == 2 and "'sped' is no part; parts are table, synthetic" in " ".join(wrong.err.split())
    assert call("bench", "inversion").code == 2
    assert call("bench", "inversion", "--tasks", "0", "-o", out).code == 2
    assert not out.exists()


def test_the_parts_of_the_help_are_those_of_the_job() -> None:
    from pbpkc.cli import bench
    from pbpkc.jobs.bench_steps import PARTS

    assert tuple(PARTS) == bench.PARTS
    text = call("bench", "inversion", "--help").out
    assert "hours on one core" in " ".join(text.split())
