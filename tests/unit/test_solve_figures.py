"""Figures of simulated curves, and the dense solution they are taken from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hand_models import HandModel, one_compartment, two_compartments

from pbpkc.experiment.bind import bind
from pbpkc.experiment.events import BoundRegimen
from pbpkc.experiment.regimen import DoseEvent, Regimen
from pbpkc.solve.dense import simulate_dense
from pbpkc.solve.figures import FIGURES, CurveFigures
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.reference import simulate

KA, CL, V, DOSE, END = 1.1, 6.0, 25.0, 600.0, 40.0
K = CL / V


def oral(method: str = "lsoda", end: float = END) -> CurveFigures:
    model = one_compartment()
    regimen = bind(Regimen((DoseEvent("X", 0, DOSE),)), {})
    options = SolverOptions(method)  # type: ignore[arg-type]
    return CurveFigures(
        simulate_dense(model, model.parameters(), regimen, end, options), model.observable_names
    )


def curve(t: float) -> float:
    return DOSE / V * KA / (KA - K) * (math.exp(-K * t) - math.exp(-KA * t))


@pytest.mark.parametrize("method", ["lsoda", "bdf", "radau"])
def test_figures_of_a_closed_form(method: str) -> None:
    found = oral(method)
    area = DOSE / V * KA / (KA - K) * ((1 - math.exp(-K * END)) / K - (1 - math.exp(-KA * END)) / KA)
    peak = math.log(KA / K) / (KA - K)
    assert found.figure("auc", "C") == pytest.approx(area, rel=1e-7)
    assert found.figure("auc_inf", "C") == pytest.approx(DOSE / CL, rel=1e-7)
    assert found.figure("cmax", "C") == pytest.approx(curve(peak), rel=1e-7)
    assert found.figure("tmax", "C") == pytest.approx(peak, rel=1e-4)
    assert found.figure("cmin", "C") == 0.0
    assert found.figure("last", "C") == pytest.approx(curve(END), rel=1e-6)
    assert found.figure("thalf", "C") == pytest.approx(math.log(2) / K, rel=1e-6)
    assert found.figure("value", "C", [3.0]) == pytest.approx(curve(3.0), rel=1e-6)


def test_a_short_peak_of_a_bolus_counts() -> None:
    model = two_compartments()
    regimen = bind(Regimen((DoseEvent("X", 0, 10.0, time=1.0, every=6.0, count=2),)), {})
    figures = CurveFigures(simulate_dense(model, model.parameters(), regimen, 12.0), model.observable_names)
    second = simulate(model, model.parameters(), regimen, [7.0], SolverOptions(rtol=1e-11)).observables[0, 0]
    assert figures.figure("tmax", "C") == pytest.approx(7.0, abs=1e-9)
    assert figures.figure("cmax", "C") == pytest.approx(second, rel=1e-7)


def test_the_area_of_a_fast_transient() -> None:
    """A phase of 1000 /h beside one of 0.1 /h, as in an intravenous bolus into a whole body."""
    model = HandModel(
        states=[("a", "X"), ("b", "X")], parameters={"fast": 1000.0, "slow": 0.1},
        rhs={"a": "-fast*a", "b": "-slow*b"}, observables={"C": "a + b"},
    )  # fmt: skip
    regimen = bind(Regimen((DoseEvent("X", 0, 100.0), DoseEvent("X", 1, 1.0))), {})
    figures = CurveFigures(simulate_dense(model, model.parameters(), regimen, 24.0), model.observable_names)
    expected = 0.1 + (1 - math.exp(-2.4)) / 0.1
    assert figures.figure("auc", "C") == pytest.approx(expected, rel=1e-7)


def test_what_is_not_defined_is_nan() -> None:
    rising = oral(end=0.5)
    assert math.isnan(rising.figure("thalf", "C"))
    assert math.isnan(rising.figure("auc_inf", "C"))
    assert math.isnan(rising.figure("value", "C", [0.6]))
    model = HandModel(
        states=[("a", None)],
        parameters={"k": 1.0},
        rhs={"a": "k*a**2"},
        observables={"A": "a"},
        initial={"a": 1},
    )
    failed = simulate_dense(model, model.parameters(), BoundRegimen(()), 2.0, SolverOptions(max_steps=2000))
    assert not failed.outcome.ok
    figures = CurveFigures(failed, model.observable_names)
    assert all(math.isnan(figures.figure(name, "A", [1.0] * count)) for name, count in FIGURES.items())


def test_wrong_names_are_refused() -> None:
    found = oral()
    with pytest.raises(ValueError, match="figure is 'area'"):
        found.figure("area", "C")
    with pytest.raises(ValueError, match="observable is 'D'; there are C"):
        found.figure("auc", "D")
    with pytest.raises(ValueError, match="value takes 1 arguments"):
        found.figure("value", "C")


@pytest.mark.parametrize("method", ["lsoda", "bdf", "radau"])
def test_the_dense_solution_between_steps(method: str) -> None:
    model = one_compartment(clock=True)
    regimen = bind(
        Regimen(
            (DoseEvent("X", 0, 600.0, every=8.0, count=3), DoseEvent("X", 1, 300.0, time=2.0, duration=1.5))
        ),
        {},
    )
    options = SolverOptions(method)  # type: ignore[arg-type]
    dense = simulate_dense(model, model.parameters(), regimen, 30.0, options)
    times = np.linspace(0.0, 30.0, 997)
    tight = simulate(model, model.parameters(), regimen, times, SolverOptions(rtol=1e-12))
    np.testing.assert_allclose(dense.states(times), tight.y, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(dense.observables(times), tight.observables, rtol=1e-6, atol=1e-6)
    assert (dense.begin, dense.end, dense.last_event) == (0.0, 30.0, 16.0)
    # Steps follow each other without a gap.
    ends = [step.end for step in dense.steps[:-1]]
    np.testing.assert_allclose(ends, [step.begin for step in dense.steps[1:]], rtol=1e-14)


def test_times_outside_a_dense_solution() -> None:
    model = one_compartment()
    dense = simulate_dense(model, model.parameters(), BoundRegimen(()), 2.0)
    with pytest.raises(ValueError, match=r"0\.0 to 2\.0 h"):
        dense.states([3.0])
    with pytest.raises(ValueError, match="later than"):
        simulate_dense(model, model.parameters(), BoundRegimen(()), 0.0)
