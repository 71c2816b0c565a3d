"""The benchmark of inversion: tasks, scores, and what is demanded of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fit_standin import unit
from mipinn_case import loaded

from pbpkc.experiment.scenario import experiment
from pbpkc.infer.output import lines
from pbpkc.infer.predictor import Failure, Noise, Prediction
from pbpkc.infer.transform import ParameterSpace
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.solve.options import SolverOptions
from pbpkc.studies.limits import Stage1, missing_limits, network_limits, stage1_limits, synthetic_limits
from pbpkc.studies.linear_regime import ByRatio
from pbpkc.studies.missing import CHANNELS, LIVER, PAPER, Missing, curve_error, truth
from pbpkc.studies.network_choices import RECIPES, NetworkChoice, Recipe
from pbpkc.studies.scores import Cell, Score, expected_range, summarise
from pbpkc.studies.synthetic import together
from pbpkc.studies.truths import (
    NOISELESS_SD,
    Known,
    Schedule,
    bounds,
    combination_bounds,
    exact_of,
    measured,
    people,
)


def known(count: int = 3) -> tuple[Known, ...]:
    plan = experiment(loaded().model, "po")
    at = Schedule(plan.regimen, plan.overrides, (0.5, 1.0, 2.0, 4.0, 8.0), ("C",), ("s",))
    return people(spec(), at, count, 7, SolverOptions(rtol=1e-9))[1]


def spec() -> CompiledModel:
    return loaded().with_settings(unmask="s = 5 [%]").compiled


def space() -> ParameterSpace:
    plan = experiment(loaded().model, "po")
    at = Schedule(plan.regimen, plan.overrides, (1.0,), ("C",), ("s",))
    return ParameterSpace(people(spec(), at, 1, 7, SolverOptions())[0].parameters)


def test_a_person_depends_on_the_seed_and_its_number_alone() -> None:
    few, many = known(2), known(4)
    for one, same in zip(few, many, strict=False):
        assert one.person.truth.tolist() == same.person.truth.tolist()
        assert one.person.covariates == same.person.covariates
        assert one.exact.value.tolist() == same.exact.value.tolist()
    ratio = np.array([k.person.start / k.person.truth for k in many])
    assert np.abs(np.log(ratio)).max() <= np.log(8.0) + 1e-12
    assert len({k.person.dose for k in many}) == 4


def test_doses_and_covariates_reach_the_prediction() -> None:
    first, second = known(2)
    same = exact_of(second.subject)
    there = same.predict(first.person.truth)
    assert not isinstance(there, Failure)
    assert np.abs(there.value / first.exact.value - 1.0).max() > 0.05


def test_data_are_log_normal_around_the_truth_and_differ_between_cells() -> None:
    compiled = spec()
    (one,) = known(1)
    draws = []
    for number in range(400):
        numbered = replace(one, person=replace(one.person, number=number))
        seen = measured(numbered, compiled, ("s",), 0.1, 3, "cell").observations
        draws.append(np.log(seen.dv / one.exact.value))
    assert np.std(draws) == pytest.approx(0.1, rel=0.05)
    assert abs(float(np.mean(draws))) < 0.01
    again = measured(one, compiled, ("s",), 0.1, 3, "cell").observations
    other = measured(one, compiled, ("s",), 0.1, 3, "another").observations
    assert again.dv.tolist() == measured(one, compiled, ("s",), 0.1, 3, "cell").observations.dv.tolist()
    assert again.dv.tolist() != other.dv.tolist()
    without = measured(one, compiled, ("s",), 0.0, 3)
    assert without.observations.dv.tolist() == one.exact.value.tolist()
    noise = without.predictor.noise(one.person.truth)
    assert noise.proportional.tolist() == [NOISELESS_SD] * 5


def test_bounds_are_those_of_weighted_least_squares() -> None:
    (one,) = known(1)
    at = space()
    slope = one.exact.derivative * one.person.truth / one.exact.value[:, None] / 0.05
    covariance = np.linalg.inv(slope.T @ slope)
    assert bounds(one, at, 0.05) == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-9)
    assert bounds(one, at, 0.10) == pytest.approx(2.0 * bounds(one, at, 0.05), rel=1e-9)
    weights = np.array([[1.0, -1.0]])
    expected = np.sqrt(weights[0] @ covariance @ weights[0])
    assert combination_bounds(one, at, 0.05, weights) == pytest.approx([expected], rel=1e-9)


class Saturable:
    """y = Vmax x / (Km + x), theta = (Km, Vmax)."""

    x = np.array([1.0, 5.0, 40.0])
    shapes_prediction = np.array([True, True])

    def predict(self, theta: np.ndarray) -> Prediction:
        km, vmax = theta
        y = vmax * self.x / (km + self.x)
        return Prediction(y, np.stack([-y / (km + self.x), y / vmax], axis=1))

    def noise(self, theta: np.ndarray) -> Noise:
        flat = np.zeros((3, 2))
        return Noise(np.full(3, 0.1), np.zeros(3), flat, flat)

    def reference(self, theta: np.ndarray) -> np.ndarray:
        return self.predict(theta).value


def test_by_ratio_predicts_the_same_with_its_own_derivatives() -> None:
    inner = Saturable()
    turned = ByRatio(inner, 0, 1)
    theta = np.array([20.0, 3.0])  # Km and Vmax / Km
    found = turned.predict(theta)
    assert isinstance(found, Prediction)
    assert found.value == pytest.approx(inner.predict(np.array([20.0, 60.0])).value)
    for k in range(2):
        step = np.zeros(2)
        step[k] = 1e-6 * theta[k]
        up, down = turned.predict(theta + step), turned.predict(theta - step)
        assert isinstance(up, Prediction) and isinstance(down, Prediction)
        assert (up.value - down.value) / (2.0 * step[k]) == pytest.approx(found.derivative[:, k], rel=1e-6)


def test_expected_range_is_that_of_the_binomial_distribution() -> None:
    assert expected_range(200) == (181, 197)
    assert expected_range(20) == (16, 20)


def score(task: int, error: float, bound: float = 0.1, above: float = 0.0, limited: bool = False) -> Score:
    return Score(
        task=task, truth=(1.0,), start=(2.0,), estimate=(float(np.exp(error)),), bound=(bound,),
        error=(error,), covered=(abs(error) < 1.96 * bound,), limited=limited, objective=10.0 + above,
        lowest=10.0, polished=0, bias=0.0, outside=False, outcome="converged", cpu_ms=5.0, search_ms=4.0,
        evaluations=9,
    )  # fmt: skip


def cell(scores: list[Score], method: str = "mi-pinn", noise: float = 0.05) -> Cell:
    return Cell("oral, 1 unknown", ("ka",), noise, method, tuple(scores))


def test_a_summary_counts_what_the_bound_is_fair_for() -> None:
    scores = [
        score(0, 0.05),
        score(1, -0.3),
        score(2, 0.1, bound=0.3),
        score(3, 0.0, limited=True, above=1.0),
    ]
    found = summarise(cell(scores))
    assert (found.tasks, found.counted, found.missed, found.failed) == (4, 2, 1, 0)
    assert found.covered == (3,)
    assert found.efficiency_counted == pytest.approx((0.5 + 3.0) / 2.0)
    assert found.rms == pytest.approx(np.sqrt((0.25 + 9.0) / 2.0))
    errors = sorted(abs(np.expm1(e)) for e in (0.05, -0.3, 0.1, 0.0))
    assert found.median_error == pytest.approx(50.0 * (errors[1] + errors[2]))


def test_tables_hold_numbers_as_text_that_any_program_reads() -> None:
    missing = replace(score(0, 0.1), lowest=float("nan"))
    (one,) = together([cell([replace(score(0, 0.2), lowest=9.0)])])
    (alone,) = together([cell([missing])])
    text = lines(["lowest"], [[s.lowest] for c in (one, alone) for s in c.scores] + [[np.float64(0.1)]])
    assert text == 'lowest\n9.0\n""\n0.1\n'


def test_methods_share_the_lowest_objective_that_one_of_them_met() -> None:
    low = replace(score(0, 0.1), objective=9.0, lowest=9.0)
    first, second = together([cell([score(0, 0.2)]), cell([low], "least-squares")])
    assert not first.scores[0].reached and second.scores[0].reached


def _verdicts(sigmas: float) -> dict[str, bool]:
    """What the limits say of 200 tasks whose errors are so many times what the bound allows."""
    errors = 0.1 * sigmas * np.random.default_rng(0).standard_normal(200)
    rows = [summarise(cell([score(k, float(e)) for k, e in enumerate(errors)]))]
    found: dict[str, bool] = {}
    for one in synthetic_limits(rows):
        found[one.about] = found.get(one.about, True) and one.holds
    return found


def test_limits_hold_for_efficient_estimates_and_not_for_others() -> None:
    assert _verdicts(1.0) == {"efficiency": True, "coverage": True, "searches": True}
    assert _verdicts(1.5) == {"efficiency": False, "coverage": False, "searches": True}
    # Better than the bound allows: a limit or a prior does the work.
    assert _verdicts(0.5) == {"efficiency": False, "coverage": False, "searches": True}


def test_limits_of_training() -> None:
    good = Stage1("po_1g", 12.0, 16, 16, 240, 4e-6, 1e-4, 1e-9)
    assert [one.holds for one in stage1_limits([good])] == [True, True]
    assert [one.holds for one in stage1_limits([replace(good, cpu_seconds=31.0)])] == [False, True]
    slow = Stage1("iv_1g", 99.0, 16, 16, 240, 6e-4, 1e-2, 1e-9)
    assert [one.holds for one in stage1_limits([slow])] == [False]


def test_the_unit_of_the_ratio_is_that_of_the_paper() -> None:
    assert float(unit("L/h/mg").factor) == pytest.approx(1e6)


def test_the_error_of_a_curve_is_seen_against_the_range_of_the_truth() -> None:
    at = np.linspace(5.0, 120.0, 40)
    assert curve_error(at, truth(at)) < 1e-3
    # An offset of a hundredth of the range is one per cent; a line is nearly right this far below Km.
    assert curve_error(at, truth(at) + 0.01 * np.ptp(truth(at))) == pytest.approx(1.0, rel=1e-2)
    assert 0.05 < curve_error(at, 145_800.0 / 23_000.0 * at) < 0.5


def missing(
    noise: float, error: float, in_set: bool, channels: tuple[str, ...] = CHANNELS[1], system: str = LIVER
) -> Missing:
    return Missing(system, channels, noise, 0, error, 5.0, 120.0, ("linear",), in_set, 1.0)


def test_the_limit_of_networks_is_for_the_default_with_the_head_of_the_paper() -> None:
    def row(recipe: Recipe, head: str, error: float) -> NetworkChoice:
        return NetworkChoice(
            "po_1g", recipe.basis, recipe.branches, recipe.objective, recipe.start, head, 24, 200, 300.0,
            1e-5, 1e-3, 1e-9, 0, 20, error, 2.0 * error, 0, 20, 100.0,
        )  # fmt: skip

    rows = [row(r, head, 0.4) for r in RECIPES for head in ("galerkin", "least-squares")]
    (held,) = network_limits(rows)
    assert held.holds and "0.4 %, trained in 300 s" in held.found
    (broken,) = network_limits([row(RECIPES[0], "least-squares", 0.6)])
    (lost,) = network_limits([row(RECIPES[0], "least-squares", float("nan"))])
    assert not broken.holds and not lost.holds


def test_limits_of_the_missing_term_are_for_plasma_and_the_product_together() -> None:
    good = [missing(0.0, 0.2, False), *(missing(0.05, 1.1, True) for _ in range(10))]
    alone = [missing(0.05, 50.0, False, CHANNELS[0])]
    assert [one.holds for one in missing_limits([*good, *alone])] == [True, True, True]
    paper = [missing(0.05, 9.9, True, system=PAPER)]  # ten samples of one dose: no limit for its curve
    assert [one.holds for one in missing_limits(paper)] == [True]
    bad = [missing(0.05, 1.3, k > 1) for k in range(10)]
    assert [one.holds for one in missing_limits(bad)] == [False, False]
