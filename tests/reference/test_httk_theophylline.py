"""The whole-body model of httk, written with organs, against the exact solution of httk's own equations.

httk 2.7.4, model "pbtk", theophylline, 70 kg (Pearce et al. 2017, J Stat Softw 79(4)); the reference is the
matrix exponential of its equations with its printed parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pbpkc

#: httk's name of an amount -> the state that is the same thing.
AMOUNTS = {
    "Agutlumen": "gutlumen.THEO",
    "Agut": "gut.THEO",
    "Aliver": "liver.THEO",
    "Aven": "venous.THEO",
    "Alung": "lung.THEO",
    "Aart": "arterial.THEO",
    "Arest": "rest.THEO",
    "Akidney": "kidney.THEO",
    "Atubules": "tubules.THEO",
    "Ametabolized": "metabolised.THEO",
}

pytestmark = pytest.mark.reference


@pytest.mark.parametrize("solver", ["lsoda", "bdf", "radau"])
@pytest.mark.parametrize("scenario", ["po", "iv"])
def test_plasma_and_every_amount(
    specs: Path, shared_data: Path, scenario: str, solver: str, figure: Callable[..., None]
) -> None:
    expected = pd.read_csv(shared_data / "pbpk-httk-theophylline" / f"expected_exact_{scenario}_1mgkg.csv")
    model = pbpkc.load(specs / "theophylline_pbtk.pbpk")
    result = model.simulate(scenario=scenario, times=expected["time_day"] * 24, rtol=1e-10, solver=solver)

    found, reference = result.observables["Cp"], expected["Cplasma"].to_numpy()
    there = reference > 0.0
    assert np.all(found[~there] == 0.0)
    worst = float(np.max(np.abs(found[there] / reference[there] - 1.0)))
    figure(f"httk theophylline {scenario}, {solver}, largest relative deviation in plasma", worst, below=1e-6)
    assert worst < 1e-6
    assert set(AMOUNTS.values()) == set(result.states)
    for theirs, ours in AMOUNTS.items():
        scale = expected[theirs].max()
        np.testing.assert_allclose(
            result.states[ours], expected[theirs], rtol=0, atol=1e-6 * scale, err_msg=ours
        )


@pytest.mark.parametrize("scenario", ["po", "iv"])
def test_what_httk_itself_prints(specs: Path, shared_data: Path, scenario: str) -> None:
    printed = pd.read_csv(
        shared_data / "pbpk-httk-theophylline" / f"httk_output_4digits_{scenario}_1mgkg.csv"
    )
    model = pbpkc.load(specs / "theophylline_pbtk.pbpk")
    result = model.simulate(scenario=scenario, times=printed["time"] * 24, rtol=1e-10)
    # Four digits of a solution that itself carries the tolerance of httk's solver.
    scale = printed["Cplasma"].max()
    np.testing.assert_allclose(result.observables["Cp"], printed["Cplasma"], rtol=2e-3, atol=1e-6 * scale)
