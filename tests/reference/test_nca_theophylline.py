"""Non-compartmental figures of the theophylline study against an independent calculation."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from pbpkc.cli.nca import command
from pbpkc.experiment.nca import NCAOptions, nca

pytestmark = pytest.mark.reference

REFERENCE = Path(__file__).parent / "nca" / "theophylline_nca_reference.csv"

# The reference has 12 significant digits.
RTOL = 1e-9
FIGURES = (
    "cmax",
    "tmax",
    "clast",
    "tlast",
    "auc_last",
    "aumc_last",
    "lambda_z",
    "n_points",
    "r2_adj",
    "half_life",
    "auc_inf_obs",
    "aumc_inf_obs",
    "auc_extrap_pct",
    "cl_obs",
    "vz_obs",
    "mrt_inf_obs",
)


def reference() -> list[dict[str, str]]:
    with REFERENCE.open(newline="") as file:
        return list(csv.DictReader(file))


def observations(path: Path, subject: str) -> tuple[list[float], list[float]]:
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["ID"] == subject and row["EVID"] == "0"]
    return [float(row["TIME"]) for row in rows], [float(row["DV"]) for row in rows]


def test_reference_has_every_case() -> None:
    cases = {(row["auc_method"], row["subject"]) for row in reference()}
    assert cases == {(m, str(s)) for m in ("linear", "linear_up_log_down") for s in range(1, 13)}
    assert set(FIGURES) < set(reference()[0])


@pytest.mark.parametrize("row", reference(), ids=lambda row: f"{row['auc_method']}-{row['subject']}")
def test_every_figure_of_every_subject(row: dict[str, str], shared_data: Path) -> None:
    time, conc = observations(shared_data / "clinical" / "theophylline_oral.csv", row["subject"])
    result = nca(time, conc, dose=float(row["dose_mg"]), options=NCAOptions(auc_method=row["auc_method"]))
    figures = result.figures()
    for name in FIGURES:
        assert figures[name] == pytest.approx(float(row[name]), rel=RTOL, abs=0), name
    assert math.isnan(result.vss_obs)


def test_the_largest_deviation(shared_data: Path, figure: Callable[..., None]) -> None:
    worst = 0.0
    for row in reference():
        time, conc = observations(shared_data / "clinical" / "theophylline_oral.csv", row["subject"])
        options = NCAOptions(auc_method=row["auc_method"])
        figures = nca(time, conc, dose=float(row["dose_mg"]), options=options).figures()
        worst = max(
            [worst, *(abs(figures[name] / float(row[name]) - 1) for name in FIGURES if float(row[name]))]
        )
    figure(
        "theophylline NCA, 12 subjects by two rules, largest relative deviation of a figure",
        worst,
        below=1e-9,
    )
    assert worst < 1e-9


@pytest.mark.parametrize("method", ["linear", "linear_up_log_down"])
def test_command_gives_the_same(method: str, shared_data: Path) -> None:
    file = shared_data / "clinical" / "theophylline_oral.csv"
    run = CliRunner().invoke(command, [str(file), "--dose", "320 mg", "--method", method, "--format", "json"])
    assert run.exit_code == 0, run.stderr
    output = json.loads(run.stdout)
    rows = [row for row in reference() if row["auc_method"] == method]
    assert [c["curve"]["ID"] for c in output["curves"]] == [row["subject"] for row in rows]
    for row, curve in zip(rows, output["curves"], strict=True):
        for name in FIGURES:
            assert curve["figures"][name] == pytest.approx(float(row[name]), rel=RTOL, abs=0), name
    clearances = [float(row["cl_obs"]) for row in rows]
    mean = math.exp(sum(map(math.log, clearances)) / len(clearances))
    assert output["summary"]["cl_obs"]["geometric_mean"] == pytest.approx(mean, rel=RTOL)
    assert output["units"]["cl_obs"] == "L/h"
