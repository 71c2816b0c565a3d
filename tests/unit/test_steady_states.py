"""Steady states of equations that are nonlinear, hold totals, or have none; runs that begin in one."""

from __future__ import annotations

import numpy as np
import pytest

from pbpkc.compiler.driver import compile_model
from pbpkc.experiment.bind import bind
from pbpkc.experiment.events import BoundRegimen
from pbpkc.experiment.scenario import experiment, parameter_vector
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.runtime.load import load_numpy
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.reference import simulate
from pbpkc.solve.sensitivity import simulate_with_sensitivities
from pbpkc.solve.trajectory import Trajectory

Array = np.ndarray
TIGHT = SolverOptions(rtol=1e-10)


class Case:
    """A spec and its scenarios, ready to run."""

    def __init__(self, text: str) -> None:
        self.model = resolve(parse(SourceFile("states.pbpk", text)))
        self.compiled: CompiledModel = load_numpy(compile_model(self.model, torch=False).generated)

    def bound(
        self, name: str, p: Array | None = None, names: tuple[str, ...] = ()
    ) -> tuple[Array, BoundRegimen]:
        plan = experiment(self.model, name)
        q = parameter_vector(self.compiled, plan.overrides) if p is None else p
        values = dict(zip(self.compiled.parameter_names, q.tolist(), strict=True))
        read = tuple(one for one in names if one in plan.regimen.reads)
        return q, bind(plan.regimen, {**values, **plan.overrides}, read)

    def run(
        self, name: str, times: Array, p: Array | None = None, options: SolverOptions = TIGHT
    ) -> Trajectory:
        q, bound = self.bound(name, p)
        return simulate(self.compiled, q, bound, times, options)

    def differ(self, name: str, times: Array, parameters: tuple[str, ...]) -> None:
        """Compare exact sensitivities with difference quotients."""
        p, bound = self.bound(name, names=parameters)
        columns = [self.compiled.parameter_names.index(one) for one in parameters]
        found = simulate_with_sensitivities(self.compiled, p, bound, times, columns, TIGHT)
        assert found.outcome.ok, found.outcome.reason
        assert found.dy_dp is not None
        for k, column in enumerate(columns):
            step = 1e-3 * p[column] * np.eye(p.size)[column]
            run = [self.run(name, times, p + h * step, SolverOptions(rtol=1e-12)).y for h in (-2, -1, 1, 2)]
            expected = (8.0 * (run[2] - run[1]) - (run[3] - run[0])) / (12.0 * step[column])
            size = np.abs(expected).max(axis=0)
            size = np.maximum(size, 1e-2 * size.max())  # what nothing moves is noise of the quotient
            np.testing.assert_allclose(
                found.dy_dp[:, :, k] / size, expected / size, atol=1e-5,
                err_msg=parameters[k],
            )  # fmt: skip


SATURABLE = """pbpk 1
model saturable
species X { mw = 250 [g/mol] }
lumen gut
pool plasma { volume = 10 [L] }
sink out
masked vmax ~ lognormal(30 [umol/h], cv = 50 [%]) in (1, 300) [umol/h]
masked km   ~ lognormal(2 [umol/L], cv = 50 [%])  in (0.1, 90) [umol/L]
masked size ~ lognormal(150 [umol], cv = 50 [%])  in (1, 900) [umol]
process absorption : gut -> plasma rate 1 [1/h] * gut.A
process elimination : plasma -> out rate mm(vmax, km, plasma.C)
observe A = plasma.A in [umol] error add(1 [umol])
scenario ss   { dose X size into gut every 8 [h] steady; run 8 [h] }
scenario long { dose X size into gut every 8 [h] count 301; run 2408 [h] }
scenario much { dose X 250 [umol] into gut every 8 [h] steady; run 8 [h] }
scenario near { dose X 235 [umol] into gut every 8 [h] steady; run 8 [h] }
scenario close { dose X 235 [umol] into gut every 8 [h] count 4001; run 32008 [h] }
"""


def test_saturable_elimination_against_a_long_run() -> None:
    case = Case(SATURABLE)
    times = np.linspace(0.0, 7.9, 12)
    found, long = case.run("ss", times), case.run("long", times + 2400.0)
    np.testing.assert_allclose(found.observables, long.observables, rtol=1e-7)
    # Each interval puts out as much as a dose.
    case.differ("ss", np.linspace(0.5, 7.5, 5), ("vmax", "km", "size"))


def test_a_dose_just_below_what_can_be_eliminated() -> None:
    case = Case(SATURABLE)
    times = np.array([0.0, 1.0, 7.0])
    found, long = case.run("near", times), case.run("close", times + 32000.0)
    np.testing.assert_allclose(found.observables, long.observables, rtol=1e-6)


def test_a_dose_above_what_can_be_eliminated_has_no_steady_state() -> None:
    found = Case(SATURABLE).run("much", np.array([0.0, 1.0]))
    assert not found.outcome.ok
    assert "no steady state" in found.outcome.reason and "plasma.X" in found.outcome.reason
    assert "eliminated" in found.outcome.suggestion


TARGET = """pbpk 1
model target
species D { mw = 150 [kg/mol] }
species R
species DR
species T
pool plasma { volume = 3 [L] }
pool cell { volume = 0.1 [L] }
sink gone
masked kon ~ lognormal(0.6 [1/nM/h], cv = 50 [%]) in (0.01, 50) [1/nM/h]
masked total ~ lognormal(30 [nmol], cv = 50 [%]) in (1, 900) [nmol]
masked ksyn ~ lognormal(2 [nmol/h], cv = 50 [%]) in (0.1, 90) [nmol/h]
param koff = 5 [1/h]
process uptake  : plasma.D -> cell.D              rate 0.1 [L/h] * plasma.D.C
process bind    : cell.D + cell.R <-> cell.DR     rate kon * cell.D.C * cell.R.A - koff * cell.DR.A
process recycle : cell.DR -> plasma.D + cell.R    rate 2 [1/h] * cell.DR.A
process lysis   : cell.D -> gone.D                rate 1 [1/h] * cell.D.A
process made    : outside -> plasma.T             rate ksyn
process lost    : plasma.T -> outside             rate 0.1 [1/h] * plasma.T.A
start cell.R = total
start steady
observe C = plasma.D.C in [nM] error add(1 [nM])
scenario once { dose D 100 [nmol] into plasma; run 50 [h] }
scenario ss   { dose D 10 [nmol] into plasma every 24 [h] steady; run 24 [h] }
scenario long { dose D 10 [nmol] into plasma every 24 [h] count 901; run 21624 [h] }
scenario more { start plasma.T = 50 [nmol]; run 50 [h] }
scenario wash { start after once; run 50 [h] }
scenario whole { dose D 100 [nmol] into plasma; run 100 [h] }
scenario twice { start after once; dose D 100 [nmol] into plasma; reset at 3 [h]; run 50 [h] }
scenario other { set ksyn = 4 [nmol/h]; dose D total into plasma; run 5 [h] * total / 30 [nmol] }
scenario back { start after other; run 50 [h] }
"""


@pytest.fixture(scope="module")
def target() -> Case:
    return Case(TARGET)


def state(case: Case, found: Trajectory, name: str) -> Array:
    return found.y[:, case.compiled.state_names.index(name)]


def test_start_steady_is_where_production_meets_loss(target: Case) -> None:
    times = np.array([0.0, 10.0, 50.0])
    found = target.run("once", times)
    np.testing.assert_allclose(state(target, found, "plasma.T"), 20e-3, rtol=1e-9)  # 20 nmol, in umol
    bound = state(target, found, "cell.R") + state(target, found, "cell.DR")
    np.testing.assert_allclose(bound, 30e-3, rtol=1e-9)
    target.differ("once", np.array([1.0, 20.0, 50.0]), ("kon", "total", "ksyn"))


def test_a_value_of_the_scenario_holds_after_the_steady_state(target: Case) -> None:
    found = target.run("more", np.array([0.0, 10.0]))
    np.testing.assert_allclose(
        state(target, found, "plasma.T"), [50e-3, 20e-3 + 30e-3 * np.exp(-1.0)], rtol=1e-7
    )


def test_totals_that_nothing_changes_keep_their_value_in_steady_doses(target: Case) -> None:
    times = np.linspace(0.0, 23.9, 7)
    found, long = target.run("ss", times), target.run("long", times + 21600.0)
    np.testing.assert_allclose(found.observables, long.observables, rtol=1e-6)
    np.testing.assert_allclose(
        state(target, found, "cell.R") + state(target, found, "cell.DR"), 30e-3, rtol=1e-8
    )
    np.testing.assert_allclose(state(target, found, "gone.D")[0], 0.0, atol=1e-15)
    target.differ("ss", np.array([1.0, 12.0, 23.0]), ("kon", "total", "ksyn"))


def test_a_run_goes_on_where_another_ended(target: Case) -> None:
    times = np.array([0.0, 10.0, 40.0])
    after, whole = target.run("wash", times), target.run("whole", times + 50.0)
    np.testing.assert_allclose(after.y, whole.y, rtol=1e-6, atol=1e-12)
    target.differ("wash", times, ("kon", "total", "ksyn"))


def test_a_reset_goes_back_to_the_end_of_the_run_before(target: Case) -> None:
    twice, wash = (target.run(name, np.array([3.0, 20.0])) for name in ("twice", "wash"))
    np.testing.assert_allclose(twice.y[0], target.run("wash", np.array([0.0])).y[0], rtol=1e-8, atol=1e-14)
    np.testing.assert_allclose(twice.y[1], target.run("wash", np.array([17.0])).y[0], rtol=1e-6, atol=1e-12)
    assert not np.allclose(twice.y[0], wash.y[0], rtol=1e-3)


def test_sensitivities_through_a_run_before_with_settings_and_an_end_of_its_own(target: Case) -> None:
    target.differ("back", np.array([0.5, 10.0, 40.0]), ("kon", "total", "ksyn"))


CLOSED = """pbpk 1
model closed
species X { mw = 250 [g/mol] }
pool one { volume = 10 [L] }
pool two { volume = 10 [L] }
RATES
observe A = one.A in [umol] error add(1 [umol])
scenario s { dose X 100 [umol] into one every 8 [h] steady; run 8 [h] }
scenario r { start steady; run 8 [h] }
"""


@pytest.mark.parametrize(
    ("rates", "scenario", "words"),
    [
        ("process p : one -> two rate 1 [1/h] * one.A\nprocess q : two -> one rate 2 [1/h] * two.A", "s",
         ("one.X + two.X", "nothing takes it away")),
        ("process p : one -> two rate 1 [1/h] * one.A", "s", ("'two.X' only fills", "sink")),
        ("process p : one -> two rate 0 [1/h] * one.A", "s", ("'one.X' only fills",)),
        ("process p : outside -> one rate 1 [umol/h]\nprocess q : one -> two rate 0 [1/h] * one.A", "r",
         ("'one.X' only fills",)),
        ("process p : outside -> one rate 1 [umol/h]\nprocess q : outside -> two rate 1 [1/h] * one.A\n"
         "process w : two -> outside rate 1 [1/h] * two.A", "r", ("still changes",)),
        ("process p : one -> outside rate 1 [1/h] * one.A * (2 + sin(t / 1 [h]))", "s", ("read the time",)),
        ("process p : one -> outside rate 1 [1/h] * one.A * (2 + sin(t / 1 [h]))", "r", ("read the time",)),
    ],
)  # fmt: skip
def test_what_has_no_steady_state_says_why(rates: str, scenario: str, words: tuple[str, ...]) -> None:
    found = Case(CLOSED.replace("RATES", rates)).run(scenario, np.array([0.0, 1.0]))
    assert not found.outcome.ok
    for word in words:
        assert word in f"{found.outcome.reason} {found.outcome.suggestion}"
