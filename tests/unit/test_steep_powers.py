"""Powers below 1 of a state that starts empty: exact for what is there, and told where no solver goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pbpkc import load
from pbpkc.infer import FitOptions, assemble, fit
from pbpkc.jobs.individuals import individuals
from pbpkc.jobs.loaded import LoadedModel
from pbpkc.runtime import numpy_target, torch_target

SPEC = """pbpk 1
model steep "Hill elimination with an exponent that may be below 1"
species X "drug" { mw = 200 [g/mol] }
lumen gut
pool plasma { volume = 20 [L] }
sink gone
masked ka   ~ lognormal(1.2 [1/h], cv = 50 [%])    in (0.05, 20) [1/h]     scale log
masked vmax ~ lognormal(300 [umol/h], cv = 50 [%]) in (10, 10000) [umol/h] scale log
masked n    ~ lognormal(0.8, cv = 50 [%])          in (0.3, 4)             scale log
param ec50 = 20 [umol/L]
process absorption : gut -> plasma  rate ka * gut.A
process clearance : plasma -> gone  rate vmax * hill(plasma.C, ec50, n)
observe C = plasma.C in [umol/L]  error lognormal(5 [%])
scenario po { dose X 200 [mg] into gut at 0 [h]; run 24 [h] }
scenario study {
  data "study.csv" { column TIME [h]; column AMT [mg]; CMT 1 dose X into gut; CMT 2 observe C }
}
check mass, positive
"""
TIMES = [0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    folder = tmp_path_factory.mktemp("steep")
    (folder / "steep.pbpk").write_text(SPEC)
    curve = load(folder / "steep.pbpk").with_settings(set="n = 0.6").simulate("po", times=TIMES)
    rows = [f"1,{t},.,{c!r},2,0" for t, c in zip(TIMES, curve.observables["C"].tolist(), strict=True)]
    (folder / "study.csv").write_text("ID,TIME,AMT,DV,CMT,EVID\n1,0,200,.,1,1\n" + "\n".join(rows[1:]) + "\n")
    return load(folder / "steep.pbpk")


@pytest.mark.parametrize(
    ("b", "n", "slope"),
    [
        (4.0, 0.5, 0.25),
        (0.0, 0.5, 0.0),
        (-1e-9, 0.5, 0.0),
        (0.0, 1.0, 1.0),
        (0.0, 2.5, 0.0),
        (-1e-9, 2.5, 0.0),
        (1e-12, 0.5, 0.5e6),
    ],
)
def test_the_slope_of_a_power_is_finite_everywhere(b: float, n: float, slope: float) -> None:
    assert numpy_target.power_slope(b, n) == pytest.approx(slope, rel=1e-12)
    array = numpy_target.power_slope(np.array([b, np.nan]), n)
    assert array[0] == pytest.approx(slope, rel=1e-12)
    assert np.isnan(array[1]) or n == 1.0  # nothing to the power 0 is 1
    for exponent in (n, torch.tensor(n, dtype=torch.float64)):
        x = torch.tensor([b], dtype=torch.float64, requires_grad=True)
        assert torch_target.power_slope(x, exponent).item() == pytest.approx(slope, rel=1e-12)
        value = torch_target.power(x, exponent)
        assert value.item() == numpy_target.power(b, n)
        # What autograd makes of the value is the same number.
        (found,) = torch.autograd.grad(value.sum(), x)
        assert found.item() == pytest.approx(slope, rel=1e-12)
    if n == 0.5:
        x = torch.tensor([b], dtype=torch.float64, requires_grad=True)
        (found,) = torch.autograd.grad(torch_target.sqrt(x).sum(), x)
        assert found.item() == pytest.approx(slope, rel=1e-12)


def test_a_gradient_by_the_exponent_is_there_at_an_empty_state() -> None:
    n = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(torch_target.power(torch.zeros(2, dtype=torch.float64), n).sum(), n)
    assert found.item() == 0.0


def test_every_check_holds_from_an_empty_compartment(model: LoadedModel) -> None:
    report = model.with_settings(set="n = 0.8").check()
    assert report.ok, report.violations


@pytest.mark.parametrize("n", [0.6, 0.8, 1.0, 2.0])
def test_sensitivities_are_those_of_differences(model: LoadedModel, n: float) -> None:
    problem = assemble(model.compiled, individuals(model, "study"))
    predictor = problem.subjects[0].predictor
    theta = np.array([p.start for p in problem.parameters])
    theta[2] = n
    exact = predictor.predict(theta).derivative
    for k in range(3):
        step = np.zeros(3)
        step[k] = 1e-3 * theta[k]
        quotient = (predictor.reference(theta + step) - predictor.reference(theta - step)) / (2.0 * step[k])
        np.testing.assert_allclose(exact[:, k], quotient, atol=2e-5 * np.abs(exact[:, k]).max())


def test_a_fit_finds_an_exponent_below_one(model: LoadedModel) -> None:
    problem = assemble(model.compiled, individuals(model, "study"))
    one = fit(replace(problem), FitOptions(starts=2)).fits[0]
    assert one.outcome == "converged", one.reason
    found = {row.parameter: row.estimate for row in one.estimates}
    assert found["n"] == pytest.approx(0.6, rel=1e-3) and found["ka"] == pytest.approx(1.2, rel=1e-3)


def test_where_no_solver_goes_on_the_power_is_told(model: LoadedModel) -> None:
    run = model.with_settings(set="n = 0.31").simulate("po", times=[0.0, 6.0, 24.0])
    outcome = run.trajectory.outcome
    assert not outcome.ok and outcome.reached > 6.0
    assert outcome.suggestion.startswith(
        "the rate 'clearance' takes 'plasma.X' to the power 0.31: below 1 such a power empties a state"
    )
    (steep,) = model.compiled.manifest["steep"]
    assert steep == {"rate": "clearance", "state": "plasma.X", "exponent": "n"}
    # Where the check cannot follow the kink at which the state is empty, it says the same.
    report = model.with_settings(set="n = 0.6").check(torch=False)
    assert [item.group for item in report.violations] in ([], ["residual"])
    assert all("takes 'plasma.X' to the power 0.6" in item.text for item in report.violations)
    # Above 1 nothing of the kind is said, whatever goes wrong.
    from pbpkc.solve.steep import steep_suggestion

    p = model.compiled.parameters()
    p[model.compiled.parameter_index["n"]] = 1.5
    assert steep_suggestion(model.compiled, p) == ""


def test_a_root_of_a_state_that_starts_at_zero(tmp_path: Path) -> None:
    (tmp_path / "root.pbpk").write_text(
        "pbpk 1\nmodel root\nstate x = 0\nmasked a ~ lognormal(1 [1/h], cv = 50 [%]) in (0.1, 10) [1/h]\n"
        "ode x = 2 [1/h] - a * sqrt(x)\nobserve y = x in [1] error add(0.1)\nscenario run { run 100 [h] }\n"
    )
    spec = load(tmp_path / "root.pbpk")
    run = spec.simulate("run", times=[0.0, 100.0])
    # At rest a sqrt(x) = 2.
    assert run.trajectory.outcome.ok and run.observables["y"][1] == pytest.approx(4.0, rel=1e-6)
