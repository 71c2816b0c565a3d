"""Derivatives by the linear kernel, in the Laplace domain, against the reference solver's."""

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
from pbpkc.solve.contour import UNPROVED, LinearRuns, linear_kernel
from pbpkc.solve.equations import StateEquations
from pbpkc.solve.options import SolverOptions, absolute_tolerance
from pbpkc.solve.passage import Passage
from pbpkc.solve.schedule import NotScheduled, schedule
from pbpkc.solve.sensitivity import simulate_with_sensitivities
from pbpkc.solve.timeline import timeline
from pbpkc.studies.solvers.bodies import body, body_text

SPECS = Path(__file__).parents[2] / "specs"

pytestmark = pytest.mark.reference

DOSED = """pbpk 1
model dosed
species D { mw = 200 [g/mol] }
masked tlag ~ lognormal(0.4 [h], cv = 30 [%]) in (0.01, 3) [h]
masked f ~ lognormal(0.6, cv = 20 [%]) in (0.05, 1)
masked ka ~ lognormal(1 [1/h], cv = 50 [%]) in (0.05, 20) [1/h]
masked cl ~ lognormal(8 [L/h], cv = 50 [%]) in (1, 1000) [L/h]
masked v ~ lognormal(20 [L], cv = 30 [%]) in (1, 200) [L]
masked c0 ~ lognormal(5 [umol], cv = 30 [%]) in (0.1, 50) [umol]
masked own ~ lognormal(2 [umol/h], cv = 30 [%]) in (0.1, 50) [umol/h]
masked shift ~ lognormal(0.3 [umol/L], cv = 30 [%]) in (0.01, 5) [umol/L]
masked pace ~ lognormal(10 [mg/h], cv = 30 [%]) in (1, 50) [mg/h]
pool gut
pool p { volume = v }
sink out
process up : gut -> p rate ka * gut.A
process made : outside -> p rate own
process el : p -> out rate cl * p.C
observe Cp = p.C + shift in [umol/L]
observe Both = (gut.A + p.A) / v in [umol/L]
scenario s {
  start gut.A = c0
  dose D 100 [mg] into gut at 0 [h] fraction f
  dose D 40 [mg] into p at 6 [h] over 2 [h]
  dose D 2 [h] * pace into p at 9 [h] over 2 [h]
  dose D 60 [mg] into gut at 12 [h] fraction f
  run 24 [h]
}
scenario late { dose D 100 [mg] into gut at 0 [h] lag tlag; run 24 [h] }
"""


def _run(
    path: Path, scenario: str, names: list[str], rtol: float, **change: float
) -> tuple[LinearRuns, float]:
    """The run, and the largest error of a derivative in terms of the largest value of its curve."""
    loaded = load(path)
    plan = planned(loaded.model, scenario)
    compiled = Variants(loaded).for_run(plan.overrides, plan.regimen)[1]
    p = parameter_vector(compiled, plan.overrides)
    for name, value in change.items():
        p[compiled.parameter_names.index(name)] = value
    columns = tuple(compiled.parameter_names.index(name) for name in names)
    bound = bind(plan.regimen, {**named(compiled, p), **plan.overrides}, tuple(names))
    try:
        kernel = linear_kernel(compiled, columns)
    except NoKernel as error:
        pytest.skip(error.reason)
    times = np.linspace(bound.begin, bound.end or 0.0, 49)
    segments = timeline(bound, times, compiled.manifest["inputs"], compiled.state_names, p=p)
    options = SolverOptions(rtol=rtol)
    atol = absolute_tolerance(options, compiled.manifest["states"], bound.smallest_dose)
    start = Passage(StateEquations(compiled, p), bound, segments, options, atol, columns).start
    plans = schedule([(segments, times)], kernel.states, kernel.inputs, len(columns))
    found = kernel.solve(
        np.repeat(p[None], 5, 0), np.repeat(start.y[None], 5, 0), plans, np.zeros(5, dtype=np.int64), rtol,
        states=False, ds0=np.repeat(start.s[None], 5, 0),
    )  # fmt: skip
    assert found.d_observables is not None
    if np.any(found.status):
        return found, np.nan
    tight = simulate_with_sensitivities(compiled, p, bound, times, columns, SolverOptions(rtol=1e-10))
    exact, mine = tight.d_observables_dp, found.d_observables.reshape(5, 49, len(names), -1)
    assert exact is not None
    assert np.array_equal(mine[0], mine[4])
    size = np.abs(exact).max(axis=0) + 1e-9 * np.abs(exact).max()
    return found, float(np.max(np.abs(mine[0].transpose(0, 2, 1) - exact) / (size + 1e-300)))


def test_matrices_doses_starts_and_what_is_observed(tmp_path: Path) -> None:
    path = tmp_path / "dosed.pbpk"
    path.write_text(DOSED, encoding="utf-8")
    names = ["f", "ka", "cl", "v", "c0", "own", "shift", "pace"]
    assert _run(path, "s", names, 1e-6)[1] < 1e-6
    assert _run(path, "s", names, 1e-9)[1] < 1e-8


def test_five_parameters_of_a_whole_body(tmp_path: Path) -> None:
    path = tmp_path / "body.pbpk"
    path.write_text(body_text(body(33, False), "body"), encoding="utf-8")
    names = ["clint1", "ka", "D.kp.rest", "clr", "D.fup"]
    assert _run(path, "doses", names, 1e-6)[1] < 1e-6


@pytest.mark.long
def test_weight_and_flows_of_shipped_models() -> None:
    """Parameters that many entries of the matrix read, and several observables."""
    for name, scenario, names in (
        ("pregnancy", "oral", ["mother.BW", "ka", "CLu_mother", "APAP.fup"]),
        ("theophylline_adult", "po", ["BW", "ka", "THEO.fup", "THEO.kp"]),
    ):
        assert _run(SPECS / f"{name}.pbpk", scenario, names, 1e-6)[1] < 1e-6


def test_what_has_no_derivatives_here_is_said(tmp_path: Path) -> None:
    path = tmp_path / "dosed.pbpk"
    path.write_text(DOSED, encoding="utf-8")
    with pytest.raises(NotScheduled, match="the time of a dose moves"):
        _run(path, "late", ["tlag", "ka"], 1e-6)
    assert _run(path, "s", ["ka"], 1e-6, ka=-0.5)[0].status.tolist() == [UNPROVED] * 5
