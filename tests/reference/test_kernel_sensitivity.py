"""Derivatives by the differentiated kernel against the reference's, doses and lags among the parameters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pbpkc.experiment.bind import bind
from pbpkc.experiment.scenario import parameter_vector
from pbpkc.jobs.loaded import load
from pbpkc.jobs.simulate import named, planned
from pbpkc.jobs.variants import Variants
from pbpkc.native.failure import NoKernel
from pbpkc.solve.equations import StateEquations
from pbpkc.solve.kernel import rosenbrock_kernel
from pbpkc.solve.options import SolverOptions, absolute_tolerance
from pbpkc.solve.passage import Passage
from pbpkc.solve.schedule import schedule
from pbpkc.solve.sensitivity import simulate_with_sensitivities
from pbpkc.solve.timeline import timeline

SPECS = Path(__file__).parents[2] / "specs"

LAGGED = """pbpk 1
model lagged
species D { mw = 200 [g/mol] }
masked tlag ~ lognormal(0.4 [h], cv = 30 [%]) in (0.01, 3) [h]
masked f ~ lognormal(0.6, cv = 20 [%]) in (0.05, 1)
masked long ~ lognormal(1.5 [h], cv = 30 [%]) in (0.1, 6) [h]
masked ka ~ lognormal(1 [1/h], cv = 50 [%]) in (0.05, 20) [1/h]
masked vmax ~ lognormal(80 [umol/h], cv = 50 [%]) in (1, 1000) [umol/h]
masked v ~ lognormal(20 [L], cv = 30 [%]) in (1, 200) [L]
masked c0 ~ lognormal(5 [umol], cv = 30 [%]) in (0.1, 50) [umol]
param km = 8 [umol/L]
pool gut
pool p { volume = v }
sink out
process up : gut -> p rate ka * gut.A
process el : p -> out rate vmax * p.C / (km + p.C)
observe Cp = p.C in [umol/L]
scenario s {
  start gut.A = c0
  dose D 100 [mg] into gut at 0 [h] lag tlag fraction f
  dose D 40 [mg] into p at 6 [h] over long
  dose D 60 [mg] into gut at 12 [h] lag tlag fraction f
  run 24 [h]
}
"""


def _error(path: Path, scenario: str, names: list[str], rtol: float) -> float:
    """Largest error of a derivative, in terms of the largest value of its curve."""
    loaded = load(path)
    plan = planned(loaded.model, scenario)
    compiled = Variants(loaded).for_run(plan.overrides, plan.regimen)[1]
    p = parameter_vector(compiled, plan.overrides)
    columns = tuple(compiled.parameter_names.index(name) for name in names)
    bound = bind(plan.regimen, {**named(compiled, p), **plan.overrides}, tuple(names))
    try:
        kernel = rosenbrock_kernel(compiled.generated, columns)
    except NoKernel as error:
        pytest.skip(error.reason)
    times = np.linspace(bound.begin, bound.end or 0.0, 49)
    segments = timeline(bound, times, compiled.manifest["inputs"], compiled.state_names, p=p)
    options = SolverOptions(rtol=rtol)
    atol = absolute_tolerance(options, compiled.manifest["states"], bound.smallest_dose)
    start = Passage(StateEquations(compiled, p), bound, segments, options, atol, columns).start
    plans = schedule([(segments, times)], kernel.states, kernel.inputs, len(columns))
    found = kernel.solve(
        p[None], start.y[None], plans, np.zeros(1, dtype=np.int64), rtol, atol[None], 20_000,
        ds0=start.s[None], d_states=True,
    )  # fmt: skip
    assert found.status[0] == 0
    tight = simulate_with_sensitivities(compiled, p, bound, times, columns, SolverOptions(rtol=1e-10))
    worst = 0.0
    for mine, exact in (
        (found.d_observables, tight.d_observables_dp),
        (found.d_states, tight.dy_dp),
    ):
        assert mine is not None
        assert exact is not None
        size = np.abs(exact).max(axis=0) + 1e-9 * np.abs(exact).max()
        worst = max(worst, float(np.max(np.abs(mine.transpose(0, 2, 1) - exact) / (size + 1e-300))))
    return worst


def test_doses_lags_durations_and_starts_of_a_nonlinear_model(tmp_path: Path) -> None:
    """Below 1e-5 of each curve's peak at a relative tolerance of 1e-6."""
    path = tmp_path / "lagged.pbpk"
    path.write_text(LAGGED, encoding="utf-8")
    names = ["tlag", "f", "long", "ka", "vmax", "v", "c0"]
    assert _error(path, "s", names, 1e-6) < 1e-5
    assert _error(path, "s", names, 1e-8) < 1e-6


def test_five_parameters_of_a_whole_body() -> None:
    """Kinetics, absorption, partition, binding and weight, of 33 states."""
    names = ["Vmax", "ka", "APAP.kp", "APAP.fup", "BW"]
    assert _error(SPECS / "paracetamol_oral.pbpk", "po_day", names, 1e-6) < 1e-5
