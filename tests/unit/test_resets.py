"""Resets: all states and clocks back to the start, infusions ended, what has not arrived lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hand_models import HandModel, one_compartment

from pbpkc.compiler.driver import compile_model
from pbpkc.experiment.bind import bind
from pbpkc.experiment.data import read_dataset
from pbpkc.experiment.regimen import DoseEvent, Regimen, Reset
from pbpkc.experiment.scenario import experiment
from pbpkc.language.expression import Name
from pbpkc.language.model import Model
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse
from pbpkc.language.units import ONE
from pbpkc.runtime.load import load_numpy
from pbpkc.solve.dense import simulate_dense
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.reference import simulate
from pbpkc.solve.sensitivity import simulate_with_sensitivities

Array = np.ndarray
TIGHT = SolverOptions(rtol=1e-11)

KA, CL, V = 1.0, 2.0, 10.0
SPEC = """pbpk 1
model m
species X { mw = 250 [g/mol] }
lumen gut
pool plasma { volume = 10 [L] }
sink out
process absorption : gut -> plasma rate 1 [1/h] * gut.A
process elimination : plasma -> out rate 2 [L/h] * plasma.C
start plasma = 7 [umol]
observe A = plasma.A in [umol]
observe since = tad(X) in [h]
"""


def model_of(scenario: str) -> Model:
    return resolve(parse(SourceFile("resets.pbpk", f"{SPEC}scenario s {{ {scenario} }}\n")))


def curves(scenario: str, times: Array) -> Array:
    model = model_of(scenario)
    compiled = load_numpy(compile_model(model, torch=False).generated)
    bound = bind(experiment(model, "s").regimen, {})
    return simulate(compiled, compiled.parameters(), bound, times, TIGHT).observables


def decay(amount: float, since: Array) -> Array:
    return amount * np.exp(-CL / V * since)


def infused(rate: float, since: Array) -> Array:
    return rate / (CL / V) * (1.0 - np.exp(-CL / V * since))


def test_a_reset_brings_back_the_start_and_ends_infusions() -> None:
    times = np.array([0.0, 1.0, 2.9, 3.0, 5.0, 9.0])
    found = curves("dose X 40 [umol] into plasma over 4 [h]; reset at 3 [h]; run 9 [h]", times)[:, 0]
    before, after = times < 3.0, times >= 3.0
    np.testing.assert_allclose(
        found[before], decay(7.0, times[before]) + infused(10.0, times[before]), rtol=1e-9
    )
    np.testing.assert_allclose(found[after], decay(7.0, times[after] - 3.0), rtol=1e-9)


def test_doses_behind_a_reset_are_given_and_one_at_its_time_comes_after_it() -> None:
    times = np.array([0.5, 11.9, 12.0, 13.0, 24.0, 25.0])
    found = curves("dose X 100 [umol] into plasma every 12 [h] count 3; reset at 12 [h]; run 30 [h]", times)[
        :, 0
    ]
    second = decay(107.0, times[2:4] - 12.0)
    third = decay(107.0, times[4:] - 12.0) + decay(100.0, times[4:] - 24.0)
    expected = np.concatenate((decay(107.0, times[:2]), second, third))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_what_was_given_and_has_not_arrived_is_lost() -> None:
    times = np.array([1.0, 2.5, 4.0])
    found = curves(
        "dose X 100 [umol] into plasma lag 3 [h]; reset at 2 [h]; "
        "dose X 50 [umol] into plasma at 2 [h]; run 9 [h]",
        times,
    )[:, 0]
    np.testing.assert_allclose(found, [decay(7.0, 1.0), *decay(57.0, times[1:] - 2.0)], rtol=1e-9)


def test_the_clock_of_doses_is_as_before_the_first_dose() -> None:
    times = np.array([0.5, 1.5, 3.5, 4.5, 6.0])
    found = curves(
        "dose X 1 [umol] into gut at 1 [h]; reset at 4 [h]; dose X 1 [umol] into gut at 5 [h]; run 9 [h]",
        times,
    )[:, 1]
    np.testing.assert_allclose(found, [0.0, 0.5, 2.5, 0.0, 1.0], atol=1e-12)


def test_dense_runs_reset_too() -> None:
    model = model_of("dose X 100 [umol] into plasma; reset at 3 [h]; run 9 [h]")
    compiled = load_numpy(compile_model(model, torch=False).generated)
    bound = bind(experiment(model, "s").regimen, {})
    dense = simulate_dense(compiled, compiled.parameters(), bound, 9.0, TIGHT)
    np.testing.assert_allclose(dense.observables([2.0, 3.0, 5.0])[:, 0],
                               [decay(107.0, 2.0), 7.0, decay(7.0, 2.0)], rtol=1e-7)  # fmt: skip


FILE = """ID,TIME,EVID,AMT,CMT,II,ADDL,DV
1,0,1,100,2,4,5,.
1,6,0,.,2,.,.,1
1,6,3,.,2,.,.,.
1,6,0,.,2,.,.,1
1,7,2,.,.,.,.,.
1,9,0,.,2,.,.,1
1,10,4,30,2,4,1,.
1,10,0,.,2,.,.,1
1,15,0,.,2,.,.,1
"""


def test_evid_2_3_and_4(tmp_path: Path) -> None:
    block = "column TIME [h]; column AMT [umol]; CMT 2 dose X into plasma; CMT 2 observe A"
    text = SPEC.replace("in [umol]", "in [umol] error add(1 [umol])")
    model = resolve(parse(SourceFile("resets.pbpk", f'{text}scenario s {{ data "x.csv" {{ {block} }} }}\n')))
    (tmp_path / "x.csv").write_text(FILE)
    subject = read_dataset(model, path=tmp_path / "x.csv").subjects[0]
    compiled = load_numpy(compile_model(model, torch=False).generated)
    found = simulate(
        compiled, compiled.parameters(), bind(subject.regimen, {}), subject.time, TIGHT, order=subject.order
    ).observables[:, 0]
    # A sample in the row before the reset sees what was there; further doses of a row before it are lost.
    expected = [
        decay(107.0, 6.0) + decay(100.0, 2.0), 7.0, decay(7.0, 3.0),
        37.0, decay(37.0, 5.0) + decay(30.0, 1.0),
    ]  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-9)


AMT, LAG, DUR = (Name(ONE, name) for name in ("amt", "tlag", "dur"))


def _regimen() -> Regimen:
    doses = (
        DoseEvent("X", 0, AMT, lag=LAG, every=8.0, count=3),
        DoseEvent("X", 1, 300.0, time=2.0, duration=20.0, lag=LAG),
        DoseEvent("X", 1, 100.0, time=14.0, duration=DUR),
    )
    # The second reset comes at a time that a parameter moves.
    return Regimen(doses, ((1, AMT, 10.0),), resets=(Reset(5.0), Reset(DUR)))


@pytest.mark.parametrize("clock", [False, True], ids=["", "with a clock"])
def test_sensitivities_through_resets(clock: bool) -> None:
    model: HandModel = one_compartment(clock)
    p, times = model.parameters(), np.linspace(0.13, 29.0, 40)
    values = dict(zip(model.parameter_names, p, strict=True))

    def run(q: Array) -> Array:
        bound = bind(_regimen(), dict(zip(model.parameter_names, q, strict=True)))
        return simulate(model, q, bound, times, SolverOptions(rtol=1e-13)).y

    bound = bind(_regimen(), values, model.parameter_names)
    found = simulate_with_sensitivities(model, p, bound, times, range(p.size), TIGHT)
    assert found.dy_dp is not None
    np.testing.assert_allclose(found.y, run(p), rtol=1e-8, atol=1e-8)
    for column in range(p.size):
        step = 1e-3 * p[column] * np.eye(p.size)[column]
        near, far = run(p + step) - run(p - step), run(p + 2 * step) - run(p - 2 * step)
        expected = (8.0 * near - far) / (12.0 * step[column])
        np.testing.assert_allclose(
            found.dy_dp[:, :, column], expected, rtol=1e-6, atol=1e-7 * np.abs(expected).max() + 1e-10
        )
