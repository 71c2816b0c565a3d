"""POLLU and Robertson's reaction against the Test Set for IVP Solvers (Mazzia and Magherini, Bari)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pbpkc

HERE = Path(__file__).resolve().parent
SOLVERS = ("lsoda", "bdf", "radau")

#: The species of Verwer 1994 in the order of the reference, y1 to y20.
SPECIES = (
    "NO2", "NO", "O3P", "O3", "HO2", "OH", "HCHO", "CO", "ALD", "MEO2",
    "C2O3", "CO2", "PAN", "CH3O", "HNO3", "O1D", "SO2", "SO4", "NO3", "N2O5",
)  # fmt: skip

pytestmark = pytest.mark.reference


def _reference(name: str) -> list[float]:
    return list(json.loads((HERE / "ivp" / f"{name}.json").read_text())["reference_at_t_end"].values())


@pytest.mark.parametrize("solver", SOLVERS)
def test_pollu_to_six_digits(specs: Path, solver: str, figure: Callable[..., None]) -> None:
    result = pbpkc.load(specs / "pollu.pbpk").simulate(
        scenario="hour", times=[0.0, 1.0], rtol=1e-9, solver=solver
    )
    assert result.time[-1] == 1.0  # h, that is 60 min
    found = [result.states[name][-1] for name in SPECIES]
    worst = float(np.max(np.abs(np.divide(found, _reference("pollu")) - 1.0)))
    figure(f"POLLU at rtol 1e-9, {solver}, largest relative deviation of 20 species", worst, below=1e-6)
    assert worst < 1e-6


@pytest.mark.parametrize("solver", SOLVERS)
def test_robertson_to_six_digits(specs: Path, solver: str, figure: Callable[..., None]) -> None:
    # y2 ends at 8e-14: the absolute tolerance has to lie far below.
    model = pbpkc.load(specs / "robertson.pbpk")
    result = model.simulate(scenario="long", times=[0.0, 1e11], rtol=1e-9, atol=1e-20, solver=solver)
    found = [result.states[name][-1] for name in ("y1", "y2", "y3")]
    worst = float(np.max(np.abs(np.divide(found, _reference("rober")) - 1.0)))
    figure(f"Robertson at rtol 1e-9 and atol 1e-20, {solver}, largest relative deviation", worst, below=1e-6)
    assert worst < 1e-6
    assert sum(found) == pytest.approx(1.0, rel=1e-9)  # nothing is lost in eleven decades
