"""Exact forward sensitivities against closed-form derivatives and very tight difference quotients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp
from hand_models import HandModel, one_compartment, robertson

from pbpkc.experiment.bind import bind
from pbpkc.experiment.events import BoundRegimen
from pbpkc.experiment.regimen import DoseEvent, Regimen
from pbpkc.language.expression import Name
from pbpkc.language.units import ONE
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.reference import simulate
from pbpkc.solve.sensitivity import simulate_with_sensitivities

Array = np.ndarray

AMT, LAG, F, DUR = (Name(ONE, name) for name in ("amt", "tlag", "f1", "dur"))

#: Away from the event times, where a derivative by a time has two values.
TIMES = np.concatenate(([0.0], np.linspace(0.03, 30.0, 60)))


def difference(model: HandModel, regimen: Regimen, column: int, of: Callable[..., Array]) -> Array:
    """Fourth-order central difference of solutions at rtol 1e-13."""
    p = model.parameters()
    step = 1e-3 * p[column]

    def at(shift: float) -> Array:
        moved = p.copy()
        moved[column] += shift
        bound = bind(regimen, dict(zip(model.parameter_names, moved, strict=True)))
        return of(simulate(model, moved, bound, TIMES, SolverOptions(rtol=1e-13)))

    return (8.0 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12.0 * step)


REGIMENS = {
    "lagged boluses": (DoseEvent("X", 0, AMT, lag=LAG, fraction=F, every=8.0, count=3),),
    "infusion of unknown duration": (DoseEvent("X", 1, 300.0, time=2.0, duration=DUR, lag=LAG),),
    "infusion of given rate": (DoseEvent("X", 1, AMT, rate=200.0, fraction=F),),
    "infusion into a state without an input": (DoseEvent("X", 0, AMT, duration=DUR, fraction=F),),
    "all at once": (
        DoseEvent("X", 0, AMT, lag=LAG, fraction=F, every=8.0, count=3),
        DoseEvent("X", 1, 300.0, time=2.0, duration=DUR, lag=LAG),
        DoseEvent("X", 1, AMT, lag=LAG),
    ),
}


@pytest.mark.parametrize("clock", [False, True], ids=["", "with a clock"])
@pytest.mark.parametrize("name", REGIMENS)
def test_against_difference_quotients(name: str, clock: bool) -> None:
    model, regimen = one_compartment(clock), Regimen(REGIMENS[name])
    p = model.parameters()
    bound = bind(regimen, dict(zip(model.parameter_names, p, strict=True)), model.parameter_names)
    columns = range(p.size)
    found = simulate_with_sensitivities(model, p, bound, TIMES, columns, SolverOptions(rtol=1e-10))
    assert found.outcome.ok
    assert found.dy_dp is not None and found.d_observables_dp is not None
    for column in columns:
        states = difference(model, regimen, column, lambda run: run.y)
        curve = difference(model, regimen, column, lambda run: run.observables)
        # The quotient of the 4th order is good to about 1e-9 of its largest value.
        np.testing.assert_allclose(
            found.dy_dp[:, :, column], states, atol=1e-8 * np.abs(states).max() + 1e-12
        )
        np.testing.assert_allclose(
            found.d_observables_dp[:, :, column], curve, atol=1e-8 * np.abs(curve).max() + 1e-12
        )


def bateman() -> tuple[sp.Expr, dict[str, sp.Symbol]]:
    s = {name: sp.Symbol(name, positive=True) for name in ("ka", "CL", "V", "tlag", "f1", "amt", "t")}
    k, since = s["CL"] / s["V"], s["t"] - s["tlag"]
    slope = s["ka"] - k
    curve = s["f1"] * s["amt"] / s["V"] * s["ka"] / slope * (sp.exp(-k * since) - sp.exp(-s["ka"] * since))
    return curve, s


def test_against_the_closed_form_of_one_compartment() -> None:
    model = one_compartment()
    p = model.parameters()
    values = dict(zip(model.parameter_names, p, strict=True))
    regimen = bind(Regimen((DoseEvent("X", 0, AMT, lag=LAG, fraction=F),)), values, model.parameter_names)
    times = np.linspace(0.5, 30.0, 60)
    names = ("ka", "CL", "V", "tlag", "f1", "amt")
    columns = [model.parameter_names.index(name) for name in names]
    found = simulate_with_sensitivities(model, p, regimen, times, columns, SolverOptions(rtol=1e-11))
    curve, symbols = bateman()
    assert found.d_observables_dp is not None
    for i, name in enumerate(names):
        exact = sp.lambdify(list(symbols.values()), sp.diff(curve, symbols[name]))
        expected = exact(*(values[n] if n != "t" else times for n in symbols))
        np.testing.assert_allclose(
            found.d_observables_dp[:, 0, i], expected, rtol=1e-8, atol=1e-9 * np.abs(expected).max()
        )


def infusion() -> tuple[sp.Expr, dict[str, sp.Symbol]]:
    s = {name: sp.Symbol(name, positive=True) for name in ("CL", "V", "dur", "t")}
    k = s["CL"] / s["V"]
    end = 300 / s["dur"] / s["CL"] * (1 - sp.exp(-k * s["dur"]))
    return end * sp.exp(-k * (s["t"] - s["dur"])), s


def test_against_the_closed_form_of_an_infusion() -> None:
    model = one_compartment()
    p = model.parameters()
    values = dict(zip(model.parameter_names, p, strict=True))
    regimen = bind(Regimen((DoseEvent("X", 1, 300.0, duration=DUR),)), values, ("dur",))
    times = np.linspace(1.6, 20.0, 30)
    column = model.parameter_names.index("dur")
    found = simulate_with_sensitivities(model, p, regimen, times, [column], SolverOptions(rtol=1e-11))
    curve, symbols = infusion()
    expected = sp.lambdify(list(symbols.values()), sp.diff(curve, symbols["dur"]))(
        *(values[n] if n != "t" else times for n in symbols)
    )
    assert found.d_observables_dp is not None
    np.testing.assert_allclose(found.d_observables_dp[:, 0, 0], expected, rtol=1e-8)


def test_initial_values_that_depend_on_parameters() -> None:
    model = HandModel(
        states=[("x", None)], parameters={"k": 0.3, "base": 5.0}, rhs={"x": "k*(base - x)"},
        observables={"X": "x*base"}, initial={"x": "base/2"},
    )  # fmt: skip
    p = model.parameters()
    times = np.linspace(0.0, 10.0, 11)
    found = simulate_with_sensitivities(model, p, BoundRegimen(()), times, [1, 0], SolverOptions(rtol=1e-11))
    k, base = p
    e = np.exp(-k * times)
    assert found.dy_dp is not None and found.d_observables_dp is not None
    np.testing.assert_allclose(found.dy_dp[:, 0, 0], 1.0 - e / 2.0, rtol=1e-9)
    np.testing.assert_allclose(found.dy_dp[:, 0, 1], times * base / 2.0 * e, rtol=1e-9, atol=1e-12)
    x = base * (1.0 - e / 2.0)
    np.testing.assert_allclose(found.d_observables_dp[:, 0, 0], x + base * (1.0 - e / 2.0), rtol=1e-9)
    # A value the scenario gives has its own derivative, and the model's no longer counts.
    start = bind(Regimen((), starts=((0, Name(ONE, "k"), 1.0),)), {"k": k}, ("k",))
    found = simulate_with_sensitivities(model, p, start, [0.0], [0, 1])
    assert found.dy_dp is not None
    np.testing.assert_array_equal(found.dy_dp, [[[1.0, 0.0]]])


@pytest.mark.parametrize(
    "method",
    ["lsoda", pytest.param("bdf", marks=pytest.mark.long), pytest.param("radau", marks=pytest.mark.long)],
)
def test_a_stiff_system(method: str) -> None:
    model = robertson()
    p = model.parameters()
    times = np.array([0.4, 40.0, 4e3])
    options = SolverOptions(method, rtol=1e-9, atol=1e-16)  # type: ignore[arg-type]
    found = simulate_with_sensitivities(model, p, BoundRegimen(()), times, [0, 1, 2], options)
    assert found.dy_dp is not None
    tight = SolverOptions("radau", rtol=1e-11, atol=1e-20)
    for column in range(3):
        step = 1e-4 * p[column]
        up, down = p.copy(), p.copy()
        up[column] += step
        down[column] -= step
        upper = simulate(model, up, BoundRegimen(()), times, tight).y
        lower = simulate(model, down, BoundRegimen(()), times, tight).y
        expected = (upper - lower) / (2.0 * step)
        scale = np.abs(expected).max(axis=0)
        np.testing.assert_allclose(found.dy_dp[:, :, column] / scale, expected / scale, atol=1e-6)


def test_parameters_of_an_error_model_cost_nothing() -> None:
    model = one_compartment()
    p = model.parameters()
    regimen = bind(Regimen((DoseEvent("X", 0, 600.0),)), {})
    few = simulate_with_sensitivities(model, p, regimen, TIMES, [0, 1])
    more = simulate_with_sensitivities(model, p, regimen, TIMES, [3, 0, 1, 4, 5])
    assert few.solver.rhs_evaluations == more.solver.rhs_evaluations
    assert few.dy_dp is not None and more.dy_dp is not None
    np.testing.assert_array_equal(more.dy_dp[:, :, [1, 2]], few.dy_dp)
    assert not np.any(more.dy_dp[:, :, [0, 3, 4]])
    none = simulate_with_sensitivities(model, p, regimen, TIMES, [3])
    np.testing.assert_array_equal(none.y, simulate(model, p, regimen, TIMES).y)


def test_the_curve_is_that_of_the_reference() -> None:
    model = one_compartment()
    p = model.parameters()
    regimen = bind(Regimen((DoseEvent("X", 0, 600.0, every=8.0, count=2),)), {})
    with_them = simulate_with_sensitivities(model, p, regimen, TIMES, [0, 1, 2])
    np.testing.assert_allclose(with_them.y, simulate(model, p, regimen, TIMES).y, rtol=1e-6, atol=1e-6)


def test_a_failure_keeps_what_was_computed() -> None:
    model = HandModel(
        states=[("a", "X")],
        parameters={"k": 1.0},
        rhs={"a": "k*a**2"},
        observables={"A": "a"},
        initial={"a": 1},
    )
    options = SolverOptions(max_steps=2000)
    found = simulate_with_sensitivities(
        model, model.parameters(), BoundRegimen(()), [0.0, 0.5, 2.0], [0], options
    )
    assert not found.outcome.ok
    assert found.dy_dp is not None and found.d_observables_dp is not None
    np.testing.assert_allclose(found.dy_dp[1, 0, 0], 0.5 / 0.25, rtol=1e-6)
    assert np.isnan(found.dy_dp[2]).all() and np.isnan(found.d_observables_dp[2]).all()


@pytest.mark.parametrize("columns", [[0, 0], [-1], [7]])
def test_columns_that_do_not_fit(columns: list[int]) -> None:
    model = one_compartment()
    with pytest.raises(ValueError, match="different indices below 7"):
        simulate_with_sensitivities(model, model.parameters(), BoundRegimen(()), [0.0], columns)
