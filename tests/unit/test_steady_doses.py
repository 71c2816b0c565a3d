"""Doses at steady state against sums of closed forms over the doses that led there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pbpkc.compiler.driver import compile_model
from pbpkc.experiment.bind import bind
from pbpkc.experiment.data import read_dataset
from pbpkc.experiment.scenario import experiment
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.runtime.load import load_numpy
from pbpkc.solve.dense import simulate_dense
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.reference import simulate
from pbpkc.solve.sensitivity import simulate_with_sensitivities

Array = np.ndarray
TIGHT = SolverOptions(rtol=1e-11)

KA, K = 1.0, 0.2
SPEC = """pbpk 1
model m
species X { mw = 250 [g/mol] }
lumen gut
pool plasma { volume = 10 [L] }
sink out
masked lagt ~ lognormal(1.5 [h], cv = 50 [%]) in (0.01, 20) [h]
masked f1   ~ lognormal(0.8, cv = 20 [%])     in (0.1, 2)
masked dur  ~ lognormal(3 [h], cv = 50 [%])   in (0.1, 90) [h]
masked tau  ~ lognormal(8 [h], cv = 50 [%])   in (1, 48) [h]
masked ka   ~ lognormal(1 [1/h], cv = 50 [%]) in (0.1, 10) [1/h]
masked cl   ~ lognormal(2 [L/h], cv = 50 [%]) in (0.1, 20) [L/h]
param r0 = 25 [umol/h]
process absorption : gut -> plasma rate ka * gut.A
process elimination : plasma -> out rate cl * plasma.C
observe A = plasma.A in [umol] error add(1 [umol])
observe E = out.A in [umol]
observe since = tad(X) in [h]
"""


def compiled_of(text: str) -> tuple[CompiledModel, object]:
    model = resolve(parse(SourceFile("steady.pbpk", text)))
    return load_numpy(compile_model(model, torch=False).generated), model


def written(scenario: str, times: Array, spec: str = SPEC) -> Array:
    compiled, model = compiled_of(f"{spec}scenario s {{ {scenario} }}\n")
    values = dict(zip(compiled.parameter_names, compiled.parameters(), strict=True))
    bound = bind(experiment(model, "s").regimen, values)
    found = simulate(compiled, compiled.parameters(), bound, times, TIGHT)
    assert found.outcome.ok, found.outcome.reason
    return found.observables


HEAD = "ID,TIME,EVID,AMT,CMT,RATE,II,ADDL,SS,DV\n"
BLOCK = """scenario s { data "x.csv" { column TIME [h]; column AMT [umol]
  CMT 1 dose X into gut LAGS; CMT 2 dose X into plasma LAGS; CMT 2 observe A } }
"""


def from_file(tmp_path: Path, rows: str, words: str = "") -> Array:
    """Predictions of the observation rows of a file, of A and of E."""
    compiled, model = compiled_of(SPEC + BLOCK.replace("LAGS", words))
    (tmp_path / "x.csv").write_text(HEAD + rows)
    subject = read_dataset(model, path=tmp_path / "x.csv").subjects[0]
    values = dict(zip(compiled.parameter_names, compiled.parameters(), strict=True))
    bound = bind(subject.regimen, values)
    p = compiled.parameters()
    found = simulate(compiled, p, bound, subject.time, TIGHT, order=subject.order)
    assert found.outcome.ok, found.outcome.reason
    return found.observables


def bolus(t: Array) -> Array:
    """Amount in plasma after one unit into plasma."""
    return np.where(t >= 0.0, np.exp(-K * np.maximum(t, 0.0)), 0.0)


def oral(t: Array) -> Array:
    """The same after one unit into the gut."""
    t0 = np.maximum(t, 0.0)
    return np.where(t >= 0.0, KA / (KA - K) * (np.exp(-K * t0) - np.exp(-KA * t0)), 0.0)


def infusion(duration: float) -> Callable[[Array], Array]:
    """The same during and after one unit an hour for a time."""

    def response(t: Array) -> Array:
        during = (1.0 - np.exp(-K * np.clip(t, 0.0, duration))) / K
        return during * np.exp(-K * np.maximum(t - duration, 0.0))

    return response


def steady(response: Callable[[Array], Array], t: Array, every: float, last: float = np.inf) -> Array:
    """The sum over all doses at multiples of an interval, until the last one."""
    doses = np.arange(-800, 40) * every
    return sum(response(t - dose) for dose in doses if dose <= last + 1e-9)


OBSERVED = "".join(f"1,{t},0,.,2,.,.,.,.,1\n" for t in (0.5, 2, 7.5, 9, 20))
TIMES = np.array([0.5, 2.0, 7.5, 9.0, 20.0])


@pytest.mark.parametrize(
    ("row", "words", "expected"),
    [
        ("1,0,1,100,2,.,8,.,1,.", "", lambda t: 100 * steady(bolus, t, 8.0, 0.0)),
        ("1,0,1,100,1,.,8,2,1,.", "", lambda t: 100 * steady(oral, t, 8.0, 16.0)),
        ("1,0,1,90,2,30,8,.,1,.", "", lambda t: 30 * steady(infusion(3.0), t, 8.0, 0.0)),
        ("1,0,1,240,2,30,8,.,1,.", "", lambda t: 30 * steady(infusion(8.0), t, 8.0, 0.0)),
        ("1,0,1,570,2,30,8,1,1,.", "", lambda t: 30 * steady(infusion(19.0), t, 8.0, 8.0)),
        ("1,0,1,100,1,.,8,1,1,.", "lag lagt fraction f1",
         lambda t: 80 * steady(oral, t - 1.5, 8.0, 8.0)),
        ("1,0,1,90,2,30,8,.,1,.", "lag 6.5 [h]", lambda t: 30 * steady(infusion(3.0), t - 6.5, 8.0, 0.0)),
        ("1,0,1,90,2,30,8,.,1,.", "lag 8 [h]", lambda t: 30 * steady(infusion(3.0), t - 8.0, 8.0, 0.0)),
        ("1,0,1,570,2,30,8,.,1,.", "lag 19 [h]", lambda t: 30 * steady(infusion(19.0), t - 19.0, 8.0, 0.0)),
        ("1,0,1,100,2,-2,8,.,1,.", "over dur fraction f1",
         lambda t: 80 / 3 * steady(infusion(3.0), t, 8.0, 0.0)),
        ("1,0,1,100,2,-1,8,.,1,.", "rate r0 fraction f1",
         lambda t: 25 * steady(infusion(3.2), t, 8.0, 0.0)),
        ("1,0,1,0,2,30,.,.,1,.", "", lambda t: 30 / K * bolus(t)),
        ("1,0,1,0,2,-1,.,.,1,.", "rate r0 lag lagt", lambda t: 25 / K * bolus(t)),
        ("1,0,1,0,2,0,0,.,1,.", "", lambda t: 0.0 * t),
        ("1,0,1,50,2,.,.,.,.,.\n1,0,1,100,2,.,8,.,1,.", "", lambda t: 100 * steady(bolus, t, 8.0, 0.0)),
        ("1,0,4,100,2,.,8,.,1,.\n1,0,1,50,2,.,8,.,2,.", "",
         lambda t: 150 * steady(bolus, t, 8.0, 0.0)),
        ("1,0,1,100,1,.,12,.,1,.\n1,0,1,90,2,30,8,1,2,.", "",
         lambda t: 100 * steady(oral, t, 12.0, 0.0) + 30 * steady(infusion(3.0), t, 8.0, 8.0)),
        ("1,0,1,100,2,.,.,.,.,.\n1,0,1,0,2,30,.,.,2,.", "", lambda t: (100 + 30 / K) * bolus(t)),
    ],
)  # fmt: skip
def test_rows_at_steady_state(
    tmp_path: Path, row: str, words: str, expected: Callable[[Array], Array]
) -> None:
    found = from_file(tmp_path, f"{row}\n{OBSERVED}", words)
    np.testing.assert_allclose(found[:, 0], expected(TIMES), rtol=1e-7, atol=1e-8)


def test_a_steady_row_zeroes_what_only_receives_and_cancels_what_is_pending(tmp_path: Path) -> None:
    rows = "1,0,1,100,2,.,4,9,.,.\n1,0,1,300,2,10,.,.,.,.\n1,6,1,80,2,.,8,.,1,.\n"
    found = from_file(tmp_path, rows + "1,6,0,.,2,.,.,.,.,1\n1,20,0,.,2,.,.,.,.,1\n")
    expected = 80 * steady(bolus, np.array([0.0, 14.0]), 8.0, 0.0)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-8)
    np.testing.assert_allclose(found[:, 1], [0.0, expected[0] - expected[1]], rtol=1e-8, atol=1e-8)


def test_ss_2_keeps_what_only_receives_and_what_is_pending(tmp_path: Path) -> None:
    rows = "1,0,1,100,2,.,4,9,.,.\n1,6,1,80,2,.,8,.,2,.\n1,6,0,.,2,.,.,.,.,1\n1,20,0,.,2,.,.,.,.,1\n"
    found = from_file(tmp_path, rows)
    t = np.array([6.0, 20.0])
    first = 100 * sum(bolus(t - 4.0 * k) for k in range(10))
    expected = first + 80 * steady(bolus, t - 6.0, 8.0, 0.0)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-8)
    assert found[0, 1] == pytest.approx(
        200 - first[0], rel=1e-8
    )  # before the second row arrives nothing is added


def test_a_sample_in_a_row_before_sees_what_was_there(tmp_path: Path) -> None:
    rows = "1,0,1,100,2,.,.,.,.,.\n1,6,0,.,2,.,.,.,.,1\n1,6,1,80,2,.,8,.,1,.\n1,6,0,.,2,.,.,.,.,1\n"
    found = from_file(tmp_path, rows)[:, 0]
    np.testing.assert_allclose(found, [100 * np.exp(-1.2), 80 / (1 - np.exp(-1.6))], rtol=1e-8)


# ------------------------------------------------------------------ written scenarios


def test_a_steady_dose_goes_on_until_the_run_ends() -> None:
    times = np.array([0.0, 3.0, 8.0, 30.0, 40.0])
    found = written("dose X 100 [umol] into gut every 8 [h] steady; run 40 [h]", times)
    np.testing.assert_allclose(found[:, 0], 100 * steady(oral, times, 8.0), rtol=1e-8)


def test_a_steady_dose_with_a_count_stops() -> None:
    times = np.array([0.0, 3.0, 8.0, 30.0])
    found = written("dose X 100 [umol] into gut every 8 [h] count 2 steady lag 1 [h]; run 40 [h]", times)
    np.testing.assert_allclose(found[:, 0], 100 * steady(oral, times - 1.0, 8.0, 8.0), rtol=1e-8)


def test_steady_doses_of_one_scenario_are_steady_together() -> None:
    times = np.array([0.0, 3.0, 11.0, 30.0])
    found = written(
        "dose X 100 [umol] into gut at 20 [h] every 12 [h] steady; "
        "dose X 60 [umol] into plasma over 20 [h] at 2 [h] every 8 [h] steady; "
        "dose X 10 [umol] into plasma at 5 [h]; run 40 [h]",
        times,
    )
    expected = (
        100 * steady(oral, times - 8.0, 12.0)
        + 3 * steady(infusion(20.0), times - 2.0, 8.0)
        + 10 * bolus(times - 5.0)
    )
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-8)


def test_the_clock_counts_the_doses_that_led_to_the_steady_state() -> None:
    times = np.array([0.0, 1.0, 1.9, 2.0, 7.0, 10.5])
    found = written("dose X 1 [umol] into gut every 8 [h] steady lag 2 [h]; run 40 [h]", times)
    np.testing.assert_allclose(found[:, 2], [6.0, 7.0, 7.9, 0.0, 5.0, 0.5], atol=1e-12)


def test_a_reset_ends_the_steady_state_and_later_doses_are_given() -> None:
    times = np.array([1.0, 7.0, 9.0])
    found = written("dose X 100 [umol] into plasma every 8 [h] steady; reset at 4 [h]; run 12 [h]", times)
    expected = [100 * steady(bolus, times[:1], 8.0)[0], 0.0, 100 * np.exp(-0.2)]
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-8, atol=1e-12)


def test_dense_runs_begin_in_the_steady_state_too() -> None:
    compiled, model = compiled_of(
        f"{SPEC}scenario s {{ dose X 100 [umol] into gut every 8 [h] steady; run 24 [h] }}"
    )
    values = dict(zip(compiled.parameter_names, compiled.parameters(), strict=True))
    bound = bind(experiment(model, "s").regimen, values)
    dense = simulate_dense(compiled, compiled.parameters(), bound, 24.0, TIGHT)
    times = np.array([0.0, 5.0, 23.0])
    np.testing.assert_allclose(dense.observables(times)[:, 0], 100 * steady(oral, times, 8.0), rtol=1e-7)


# ------------------------------------------------------------------ sensitivities

SCENARIOS = {
    "bolus": "dose X 100 [umol] into gut every 8 [h] steady lag lagt fraction f1; run 20 [h]",
    "short infusion": "dose X 90 [umol] into plasma over dur every 8 [h] steady lag lagt fraction f1; "
    "run 20 [h]",
    "by rate": "dose X 90 [umol] into plasma rate r0 every tau steady fraction f1; run 20 [h]",
    "long infusion": "dose X 90 [umol] into plasma over 7 * dur every tau steady lag lagt; run 20 [h]",
    "as long as the interval": "dose X 90 [umol] into plasma over tau every tau steady fraction f1; "
    "run 20 [h]",
    "long lag": "dose X 90 [umol] into gut every tau steady lag 11 * lagt; run 20 [h]",
    "two, and a reset": "dose X 90 [umol] into gut every tau count 2 steady; "
    "dose X 9 [umol] into plasma over dur at 1 [h] every 2 * tau steady; reset at 9 [h]; run 20 [h]",
    "from a start": "start gut = 50 [umol] * f1; dose X 90 [umol] into gut every tau steady; run 20 [h]",
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_sensitivities_against_difference_quotients(name: str) -> None:
    compiled, model = compiled_of(f"{SPEC}scenario s {{ {SCENARIOS[name]} }}\n")
    regimen = experiment(model, "s").regimen
    p = compiled.parameters()
    masked = ["lagt", "f1", "dur", "tau", "ka", "cl"]
    columns = [compiled.parameter_names.index(one) for one in masked]
    times = np.linspace(0.19, 19.73, 23)

    def run(q: Array) -> Array:
        bound = bind(regimen, dict(zip(compiled.parameter_names, q, strict=True)))
        found = simulate(compiled, q, bound, times, SolverOptions(rtol=1e-13))
        assert found.outcome.ok, found.outcome.reason
        return found.y

    values = dict(zip(compiled.parameter_names, p, strict=True))
    bound = bind(regimen, values, [one for one in masked if one in regimen.reads])
    found = simulate_with_sensitivities(compiled, p, bound, times, columns, TIGHT)
    assert found.dy_dp is not None and found.outcome.ok
    np.testing.assert_allclose(found.y, run(p), rtol=1e-7, atol=1e-8)
    for k, column in enumerate(columns):
        step = 1e-3 * p[column] * np.eye(p.size)[column]
        near, far = run(p + step) - run(p - step), run(p + 2 * step) - run(p - 2 * step)
        expected = (8.0 * near - far) / (12.0 * step[column])
        np.testing.assert_allclose(
            found.dy_dp[:, :, k], expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max() + 1e-7,
            err_msg=f"by {masked[k]}",
        )  # fmt: skip


def test_sensitivities_of_rows_that_add(tmp_path: Path) -> None:
    compiled, model = compiled_of(SPEC + BLOCK.replace("LAGS", "lag lagt fraction f1"))
    rows = "1,0,1,100,1,.,12,.,1,.\n1,3,1,90,2,30,8,1,2,.\n1,4,1,0,2,20,0,.,2,.\n"
    (tmp_path / "x.csv").write_text(HEAD + rows + "1,20,0,.,2,.,.,.,.,1\n")
    subject = read_dataset(model, path=tmp_path / "x.csv").subjects[0]
    p = compiled.parameters()
    columns = [compiled.parameter_names.index(one) for one in ("lagt", "f1", "ka", "cl")]
    times = np.array([0.3, 2.9, 4.6, 5.0, 7.6, 9.0, 20.0])

    def bound(q: Array, names: tuple[str, ...] = ()) -> object:
        return bind(subject.regimen, dict(zip(compiled.parameter_names, q, strict=True)), names)

    found = simulate_with_sensitivities(compiled, p, bound(p, ("lagt", "f1")), times, columns, TIGHT)
    for k, column in enumerate(columns):
        step = 1e-3 * p[column] * np.eye(p.size)[column]
        run = [simulate(compiled, p + h * step, bound(p + h * step), times, SolverOptions(rtol=1e-13)).y
               for h in (-2, -1, 1, 2)]  # fmt: skip
        expected = (8.0 * (run[2] - run[1]) - (run[3] - run[0])) / (12.0 * step[column])
        np.testing.assert_allclose(
            found.dy_dp[:, :, k], expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max() + 1e-7
        )


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("scenario", "code"),
    [
        ("dose X 1 [umol] into gut every 8 [h] steady; "
         "dose X 1 [umol] into gut every 8.0137 [h] steady; run 9 [h]",
         "steady-intervals"),
        ("dose X 1 [umol] into gut every 8 [h] steady; dose X 1 [umol] into gut every tau steady; run 9 [h]",
         "steady-intervals"),
        ("dose X 1 [umol] into plasma over 90 [h] every 1 [ms] steady; run 9 [h]", "too-large"),
        ("dose X 1 [umol] into plasma every 1 [ms] steady; run 9 [h]", "too-large"),
    ],
)  # fmt: skip
def test_doses_that_have_no_steady_state_together(scenario: str, code: str) -> None:
    compiled, model = compiled_of(f"{SPEC}scenario s {{ {scenario} }}\n")
    values = dict(zip(compiled.parameter_names, compiled.parameters(), strict=True))
    with pytest.raises(SpecError) as error:
        bind(experiment(model, "s").regimen, values, ("tau",))
    assert [d.code for d in error.value.diagnostics] == [code]
