"""The reference solver against closed forms and published end values, and what it does when it fails."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hand_models import HandModel, from_flat_json, one_compartment, robertson, two_compartments

from pbpkc.experiment.bind import bind
from pbpkc.experiment.events import BoundRegimen
from pbpkc.experiment.regimen import DoseEvent, Regimen
from pbpkc.solve.options import NO_DOSE, SolverOptions, absolute_tolerance
from pbpkc.solve.reference import simulate
from pbpkc.solve.trajectory import SolveError

METHODS = ("lsoda", "bdf", "radau")
NOTHING = BoundRegimen(())


def closed_form_cases() -> list[str]:
    return [
        "1cmt_bolus", "1cmt_infusion_1h", "1cmt_oral_ka1.1", "1cmt_oral_zero_order_1.5h", "2cmt_bolus",
        "2cmt_infusion_1h", "1cmt_oral_multidose_q8h_x4",
    ]  # fmt: skip


@pytest.mark.reference
@pytest.mark.parametrize("case", closed_form_cases())
def test_closed_forms(references: Path, case: str) -> None:
    folder = references / "closed_form"
    described = next(c for c in json.loads((folder / "cases.json").read_text()) if c["case"] == case)
    table = np.genfromtxt(folder / "closed_form_profiles.csv", delimiter=",", skip_header=1, dtype=str)
    rows = table[table[:, 0] == case]
    times, expected = rows[:, 1].astype(float), rows[:, 2].astype(float)
    values = dict(described["parameters"])
    if "Q2" in values:
        model, places = two_compartments(), {"central": 0}
    else:
        model, places = one_compartment(), {"depot": 0, "central": 1}
        values["V"] = values.pop("V1")
    p = model.parameters()
    for name, value in values.items():
        p[model.parameter_names.index(name)] = value
    doses = tuple(
        DoseEvent("X", places[d["CMT"]], d["AMT"], time=d["TIME"], duration=d["DURATION"] or None)
        for d in described["doses"]
    )
    found = simulate(model, p, bind(Regimen(doses), {}), times, SolverOptions(rtol=1e-12))
    np.testing.assert_allclose(found.observable("C"), expected, rtol=1e-8)


@pytest.mark.reference
@pytest.mark.parametrize("method", METHODS)
def test_pollu_to_six_digits(references: Path, method: str) -> None:
    problem = json.loads((references / "ivp" / "pollu.json").read_text())
    model = from_flat_json(problem)
    expected = [problem["reference_at_t_end"][name] for name in model.state_names]
    options = SolverOptions(method, rtol=1e-9)  # type: ignore[arg-type]
    found = simulate(model, model.parameters(), NOTHING, [0.0, problem["t_end"]], options)
    np.testing.assert_allclose(found.y[-1], expected, rtol=1e-6)


@pytest.mark.reference
@pytest.mark.parametrize("method", METHODS)
def test_robertson_to_six_digits(references: Path, method: str) -> None:
    expected = json.loads((references / "ivp" / "rober.json").read_text())["reference_at_t_end"]
    model = robertson()
    options = SolverOptions(method, rtol=1e-9, atol=1e-20)  # type: ignore[arg-type]
    found = simulate(model, model.parameters(), NOTHING, [0.0, 1e11], options)
    np.testing.assert_allclose(found.y[-1], [expected[name] for name in model.state_names], rtol=1e-6)


def test_methods_agree_on_infusions_and_boluses() -> None:
    model = one_compartment()
    regimen = bind(
        Regimen(
            (DoseEvent("X", 0, 600.0, every=8.0, count=3), DoseEvent("X", 1, 300.0, time=2.0, rate=150.0))
        ),
        {},
    )
    times = np.linspace(0.0, 30.0, 61)
    tight = simulate(model, model.parameters(), regimen, times, SolverOptions(rtol=1e-13))
    for method in METHODS:
        found = simulate(model, model.parameters(), regimen, times, SolverOptions(method))  # type: ignore[arg-type]
        assert found.outcome.ok
        assert found.solver.segments == 5
        np.testing.assert_allclose(found.y, tight.y, rtol=1e-6, atol=1e-7)
        # Nothing is lost: what was given is somewhere.
        given = 600.0 * (1 + (times >= 8) + (times >= 16)) + 150.0 * np.clip(times - 2.0, 0.0, 2.0)
        np.testing.assert_allclose(found.y.sum(axis=1), given, rtol=1e-10)


def test_an_infusion_into_a_state_without_an_input() -> None:
    model = one_compartment()  # its only input is plasma
    regimen = bind(Regimen((DoseEvent("X", 0, 100.0, duration=2.0),)), {})
    times = np.array([0.0, 1.0, 2.0, 3.0])
    found = simulate(model, model.parameters(), regimen, times, SolverOptions(rtol=1e-10))
    ka, rate = 1.1, 50.0
    during = rate / ka * (1 - np.exp(-ka * np.minimum(times, 2.0)))
    expected = during * np.exp(-ka * np.maximum(times - 2.0, 0.0))
    np.testing.assert_allclose(found.state("gut"), expected, rtol=1e-8)


def test_a_sample_sees_the_dose_of_its_time_unless_its_row_stands_before() -> None:
    model = one_compartment()
    regimen = bind(Regimen((DoseEvent("X", 1, 100.0, time=2.0, order=5),)), {})
    times = [2.0, 2.0, 2.0]
    found = simulate(model, model.parameters(), regimen, times, order=np.array([4, 5, 6]))
    np.testing.assert_array_equal(found.state("plasma"), [0.0, 100.0, 100.0])
    np.testing.assert_array_equal(
        simulate(model, model.parameters(), regimen, times).state("plasma"), [100.0] * 3
    )


def test_times_that_differ_by_rounding_are_one() -> None:
    model = one_compartment()
    regimen = bind(Regimen((DoseEvent("X", 1, 100.0, every=0.1, count=4),)), {})
    third = 3 * 0.1
    assert third != 0.3
    found = simulate(model, model.parameters(), regimen, [0.3])
    later = simulate(model, model.parameters(), regimen, [third])
    np.testing.assert_allclose(found.y, later.y, rtol=1e-12)
    assert found.state("plasma")[0] > 380.0


def test_the_clock_of_a_species_starts_with_its_doses() -> None:
    model = HandModel(
        states=[("a", "X"), ("b", "Y")],
        parameters={"k": 1.0},
        rhs={"b": "tad_X"},
        observables={"clock": "tad_X"},
        inputs=[("tad", "X"), ("tad", "Y")],
    )
    regimen = bind(
        Regimen((DoseEvent("X", 0, 1.0, time=1.0, every=2.0, count=2), DoseEvent("Y", 1, 5.0, time=0.5))), {}
    )
    found = simulate(model, model.parameters(), regimen, [0.0, 0.9, 1.0, 2.0, 3.0, 4.5])
    np.testing.assert_allclose(found.observable("clock"), [0.0, 0.0, 0.0, 1.0, 0.0, 1.5])
    np.testing.assert_allclose(found.state("b"), [0.0, 5.0, 5.0, 5.5, 7.0, 7.0 + 1.125], rtol=1e-8)


def test_a_dose_late_in_a_run_is_followed_finely() -> None:
    # A rate of 1e4 /h at 1e6 h: steps of the size of the time's own rounding.
    model = HandModel(
        states=[("a", "X"), ("b", "X")], parameters={"k": 1e4}, rhs={"a": "-k*a", "b": "k*a"},
        observables={"A": "a"},
    )  # fmt: skip
    regimen = bind(Regimen((DoseEvent("X", 0, 1.0, time=2.0**20),)), {})
    found = simulate(model, model.parameters(), regimen, [2.0**20 + 2.0**-14])
    assert found.outcome.ok
    assert found.observable("A")[0] == pytest.approx(np.exp(-1e4 * 2.0**-14), rel=1e-7)


def test_starts_of_a_regimen_replace_the_models() -> None:
    model = robertson()
    regimen = bind(Regimen((), starts=((0, 0.25, 1.0),)), {})
    found = simulate(model, model.parameters(), regimen, [0.0])
    np.testing.assert_array_equal(found.y, [[0.25, 0.0, 0.0]])
    given = simulate(model, model.parameters(), regimen, [0.0], initial=[3.0, 2.0, 1.0])
    np.testing.assert_array_equal(given.y, [[3.0, 2.0, 1.0]])


def test_tolerances_follow_the_doses() -> None:
    states = [{"species": "X"}, {"species": "Y"}, {"species": None}]
    atol = absolute_tolerance(SolverOptions(), states, {"X": 50.0})
    np.testing.assert_array_equal(atol, [5e-11, NO_DOSE, NO_DOSE])
    tight = absolute_tolerance(SolverOptions(rtol=1e-12), states, {"X": 50.0})
    np.testing.assert_allclose(tight, [5e-15, NO_DOSE, NO_DOSE])
    np.testing.assert_array_equal(absolute_tolerance(SolverOptions(atol=1e-3), states, {}), [1e-3] * 3)
    with pytest.raises(ValueError, match="2 values; the model has 3 states"):
        absolute_tolerance(SolverOptions(atol=[1.0, 2.0]), states, {})


def explosion() -> HandModel:
    return HandModel(states=[("a", "X")], parameters={"k": 1.0}, rhs={"a": "k*a**2"}, observables={"A": "a"},
                     initial={"a": 1})  # fmt: skip


def hole() -> HandModel:
    """dy/dt = -sqrt(y) - 1 goes through zero at t = 2 (1 - ln 2); what follows has no value."""
    return HandModel(states=[("a", None)], parameters={"k": 1.0}, rhs={"a": "-k*sqrt(a) - 1"},
                     observables={"A": "a"}, initial={"a": 1})  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("model", "end"), [(explosion(), 1.0), (hole(), 2.0 * (1.0 - np.log(2.0)))], ids=["explosion", "hole"]
)
def test_a_failure_is_told_and_what_was_computed_is_kept(method: str, model: HandModel, end: float) -> None:
    times = [0.0, 0.25, 0.5, 5.0, 6.0]
    options = SolverOptions(method, max_steps=3000)  # type: ignore[arg-type]
    found = simulate(model, model.parameters(), NOTHING, times, options)
    assert not found.outcome.ok
    assert "t = " in found.outcome.reason
    assert found.outcome.suggestion
    assert found.outcome.reached == pytest.approx(end, abs=2e-3)
    assert np.all(np.isfinite(found.y[:3]))
    assert np.all(np.isnan(found.y[3:]))
    assert np.all(np.isnan(found.observables[3:]))
    with pytest.raises(SolveError, match="t = "):
        found.throw()


def test_after_a_failure_later_segments_are_not_run() -> None:
    model = explosion()
    regimen = bind(Regimen((DoseEvent("X", 0, 1.0, time=3.0),)), {})
    found = simulate(model, model.parameters(), regimen, [0.5, 4.0], SolverOptions(max_steps=2000))
    assert found.solver.segments == 1
    np.testing.assert_allclose(found.y[0], 2.0, rtol=1e-6)
    assert np.isnan(found.y[1, 0])


def test_what_does_not_fit_is_refused() -> None:
    model = one_compartment()
    p = model.parameters()
    for wrong, words in (
        (lambda: SolverOptions("euler"), "accepted are auto, kernel, linear, reference, lsoda, bdf, radau"),  # type: ignore[arg-type]
        (lambda: SolverOptions(rtol=1e-20), "1e-14 to 1e-1"),
        (lambda: SolverOptions(atol=0.0), "above zero"),
        (lambda: SolverOptions(max_steps=0), "at least 1"),
        (lambda: simulate(model, p[:3], NOTHING, [0.0]), "7 parameters"),
        (lambda: simulate(model, p * np.nan, NOTHING, [0.0]), "not finite for ka"),
        (lambda: simulate(model, p, NOTHING, [2.0, 1.0]), "sorted"),
        (lambda: simulate(model, p, NOTHING, [-1.0]), "where the run begins"),
        (lambda: simulate(model, p, NOTHING, [np.nan]), "finite numbers"),
        (lambda: simulate(model, p, NOTHING, [0.0], initial=[1.0]), "3 states"),
    ):
        with pytest.raises(ValueError, match=words):
            wrong()


def test_a_frame_shows_the_same_numbers() -> None:
    model = one_compartment()
    regimen = bind(Regimen((DoseEvent("X", 0, 100.0),)), {})
    found = simulate(model, model.parameters(), regimen, [0.0, 1.0])
    frame = found.to_frame(states=True)
    assert list(frame.columns) == ["time", "C", "gut", "plasma", "out"]
    np.testing.assert_array_equal(frame["C"], found.observable("C"))
    with pytest.raises(ValueError, match="there are C"):
        found.observable("D")
