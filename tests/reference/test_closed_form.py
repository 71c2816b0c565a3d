"""Linear compartment models against their closed forms.

The profiles were calculated from the exponentials with 40 digits and are given with 17. Every point counts
by its own size, the last ones too, which lie five decades below the first.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import pbpkc
from pbpkc import LoadedModel

HERE = Path(__file__).resolve().parent

#: Case of the reference -> spec and scenario that say the same.
CASES = {
    "1cmt_bolus": ("one_compartment", "bolus"),
    "1cmt_infusion_1h": ("one_compartment", "infusion"),
    "1cmt_oral_ka1.1": ("one_compartment", "oral"),
    "1cmt_oral_zero_order_1.5h": ("one_compartment", "zero_order"),
    "1cmt_oral_multidose_q8h_x4": ("one_compartment", "multidose"),
    "2cmt_bolus": ("two_compartment", "bolus"),
    "2cmt_infusion_1h": ("two_compartment", "infusion"),
}
SOLVERS = ("lsoda", "bdf", "radau")

pytestmark = pytest.mark.reference


@cache
def _load(name: str) -> LoadedModel:
    return pbpkc.load(HERE / "specs" / f"{name}.pbpk")


@cache
def _profiles() -> dict[str, NDArray[np.float64]]:
    with (HERE / "closed_form" / "closed_form_profiles.csv").open(newline="") as file:
        rows = [(row["case"], float(row["TIME"]), float(row["CP"])) for row in csv.DictReader(file)]
    return {case: np.array([row[1:] for row in rows if row[0] == case]) for case in {row[0] for row in rows}}


def test_every_case_of_the_reference_is_compared() -> None:
    cases = json.loads((HERE / "closed_form" / "cases.json").read_text())
    assert {case["case"] for case in cases} == set(CASES) == set(_profiles())


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("case", CASES)
def test_every_point_to_eight_digits(case: str, solver: str, figure: Callable[..., None]) -> None:
    spec, scenario = CASES[case]
    times, expected = _profiles()[case].T
    result = _load(spec).simulate(scenario=scenario, times=times, rtol=1e-12, solver=solver)
    there = expected > 0.0
    found = result.observables["CP"]
    assert np.all(found[~there] == 0.0)
    worst = float(np.max(np.abs(found[there] / expected[there] - 1.0)))
    figure(f"closed form {case}, {solver}, largest relative deviation", worst, below=1e-8)
    assert worst < 1e-8
