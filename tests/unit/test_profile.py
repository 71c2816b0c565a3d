"""Profile likelihood against closed forms: where it equals Wald's interval, and where it cannot."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from fit_standin import observations, unit
from profile_standin import Linear, Saturable, linear_problem, saturable_problem
from scipy import stats
from scipy.optimize import minimize_scalar
from test_fit import synthetic

from pbpkc.infer import (
    FitFolder,
    FitObservable,
    FitOptions,
    FitProblem,
    FitSubject,
    FittedParameter,
    Noise,
    Prediction,
    Progress,
    SubjectFit,
    fit,
)
from pbpkc.infer.codec import from_plain, to_plain

ALL = FitOptions(profile=())
CHI = stats.chi2(1).ppf(0.95)


def profiled(problem: FitProblem, options: FitOptions = ALL) -> SubjectFit:
    return fit(problem, options).fits[0]


@pytest.mark.parametrize("sigma", [0.5, None])
def test_of_a_linear_model_it_is_the_interval_of_wald(sigma: float | None) -> None:
    # With sigma estimated the interval is that of Student's t, as least squares has it.
    found = profiled(linear_problem(sigma))
    assert [p.parameter for p in found.profiles] == ["a", "b", "c"]
    for row, profile in zip(found.estimates, found.profiles, strict=False):
        half = row.ci_high - row.estimate
        assert profile.low == pytest.approx(row.ci_low, abs=1e-3 * half)
        assert profile.high == pytest.approx(row.ci_high, abs=1e-3 * half)
        assert (row.profile_low, row.profile_high) == (profile.low, profile.high)
        assert profile.open_below == profile.open_above == ""
        assert profile.held_low == profile.held_high == ()
        assert found.identifiability.summary == ()
    if sigma is None:
        assert found.degrees_of_freedom == 9
        assert profile.threshold == pytest.approx(12 * math.log(1 + stats.t(9).ppf(0.975) ** 2 / 9))
        assert math.isnan(found.estimates[3].profile_low)
    else:
        assert profile.threshold == pytest.approx(CHI)


def test_every_point_of_a_linear_profile_is_the_closed_form() -> None:
    problem = linear_problem()
    found = profiled(problem)
    design = problem.subjects[0].predictor.design
    covariance = 0.25 * np.linalg.inv(design.T @ design)
    factor = float(unit("mg/L").factor)
    for i, profile in enumerate(found.profiles):
        assert len(profile.points) >= 9
        assert max(p.objective_rise for p in profile.points) > 6.5
        assert [p.value for p in profile.points] == sorted(p.value for p in profile.points)
        for point in profile.points:
            at = np.array(point.at) * factor
            assert point.value == point.at[i]
            # theta_i moves by d, the others follow by their covariance with it, and the rise is d^2 / var.
            shift = at - np.array(found.theta)
            expected = covariance[:, i] / covariance[i, i] * shift[i]
            np.testing.assert_allclose(shift, expected, atol=1e-3 * math.sqrt(covariance.max()))
            assert point.objective_rise == pytest.approx(shift[i] ** 2 / covariance[i, i], abs=2e-3)


def test_far_below_km_its_profile_is_flat_above() -> None:
    found = profiled(saturable_problem(1.0))
    vmax, km = found.profiles
    assert 1.0 < km.low < 100.0 and math.isnan(km.high)
    assert km.open_above == "the profile stays below 3.84 up to the bound, 1e+06 umol/L"
    above = [p for p in km.points if p.value > 100.0]
    assert above[-1].value == pytest.approx(1e6) and all(p.objective_rise < 0.1 for p in above)
    # Along it the others follow so that the clearance stays what it is.
    assert {round(at[0] / at[1], 2) for at in (p.at for p in above)} == {0.2}
    told = " ".join(found.identifiability.summary)
    assert "km is not determined" in told and "Determined is vmax / km = 0.19" in told
    assert f"By its profile km is at least {km.low:.4g} umol/L (95 %) and not bounded above: " in told
    # Vmax has an upper end only because Km has a bound, and that is said.
    assert vmax.held_high == ("km at its upper bound",) and vmax.held_low == ()
    assert "with km at its upper bound: a wider bound would move this end out." in told
    row = next(row for row in found.estimates if row.parameter == "km")
    assert row.profile_low == km.low and math.isnan(row.profile_high)
    assert (row.profile_below, row.profile_above) == ("end", "open")


def test_the_ends_lie_where_the_constrained_optimum_says() -> None:
    # An independent search over vmax at the ends of km.
    problem = saturable_problem(100.0)
    found = profiled(problem)
    _, km = found.profiles
    assert km.open_below == km.open_above == "" and 30.0 < km.low < 100.0 < km.high < 400.0
    model, dv = problem.subjects[0].predictor, problem.subjects[0].observations.dv

    def misfit(vmax: float, km: float) -> float:
        c = model.predict(np.array([vmax, km])).value
        return float(np.sum(np.log(dv / c) ** 2)) / 0.05**2

    lowest = misfit(*found.theta)
    for end in (km.low, km.high):
        best = minimize_scalar(lambda v, end=end: misfit(v, end), bounds=(5.0, 100.0), method="bounded",
                               options={"xatol": 1e-9})  # fmt: skip
        assert best.fun - lowest == pytest.approx(CHI, abs=0.01)
    # The ridge is curved, so that Wald's interval is not this one.
    row = next(row for row in found.estimates if row.parameter == "km")
    assert km.high > 1.1 * row.ci_high


def test_only_what_was_named_is_profiled_also_of_the_error_model() -> None:
    found = profiled(linear_problem(None), FitOptions(profile=("s", "b")))
    assert [p.parameter for p in found.profiles] == ["b", "s"]
    s = found.profiles[1]
    # -2 log L = n ln sigma^2 + rss / sigma^2 + const, at its least where sigma^2 = rss / n.
    n, scale = 12, float(unit("mg/L").factor)
    best = found.theta[3]
    for point in s.points:
        ratio = (best / (point.value * scale)) ** 2
        assert point.objective_rise == pytest.approx(n * (ratio - 1 - math.log(ratio)), abs=1e-3)
    assert s.threshold == pytest.approx(CHI) and s.low < best / scale < s.high
    assert profiled(linear_problem(), FitOptions()).profiles == ()


def test_a_name_that_is_not_estimated_is_refused() -> None:
    with pytest.raises(ValueError, match="profile names q; estimated are a, b, c"):
        fit(linear_problem(), FitOptions(profile=("q", "a")))


def test_an_estimate_at_its_bound_and_one_that_no_data_see() -> None:
    problem = linear_problem(bound=1.0)  # the first parameter is near 2
    found = profiled(problem)
    a = found.profiles[0]
    assert a.open_above.startswith("the estimate is at the bound, 1e+06 mg/L") and math.isfinite(a.low)
    blind = replace(problem.subjects[0], predictor=Linear(np.zeros((12, 3)), 0.5))
    found = profiled(replace(problem, subjects=(blind,)), FitOptions(profile=("c",)))
    (c,) = found.profiles
    assert math.isnan(c.low) and math.isnan(c.high)
    assert all(p.objective_rise == pytest.approx(0.0, abs=1e-9) for p in c.points) and len(c.points) > 8
    assert "By its profile c is bounded neither below nor above" in " ".join(found.identifiability.summary)


def test_where_the_solver_fails_the_profile_ends_and_says_so() -> None:
    found = profiled(saturable_problem(1.0, breaks_above=5000.0))
    km = found.profiles[1]
    assert math.isnan(km.high)
    # That is no word of the data: it is not called open.
    assert km.above == "lost" and km.below == "end" and km.open_above == ""
    assert "the solver stopped at 3 h" in km.lost_above
    last = km.points[-1].value
    assert last == pytest.approx(5000.0, rel=0.05)
    told = (
        f"The profile of km could not be followed above {last:.4g} umol/L ({km.lost_above}): whether the "
        "data bound it above is not known."
    )
    assert told in " ".join(found.identifiability.summary)
    assert "not bounded" not in " ".join(found.identifiability.summary)
    row = found.estimates[1]
    assert (row.profile_below, row.profile_above) == ("end", "lost")
    assert found.estimates[0].profile_below == "end"
    again = from_plain(SubjectFit, to_plain(found))
    assert again.profiles[1].lost_above == km.lost_above


def test_without_a_bound_the_walk_comes_to_an_end() -> None:
    problem = saturable_problem(1.0, high=math.inf)
    parameters = tuple(replace(p, high=math.inf) for p in problem.parameters)
    found = profiled(replace(problem, parameters=parameters))
    assert "as far as it was followed, to" in found.profiles[1].open_above


@dataclass(frozen=True)
class TwoValleys:
    """Predicts theta^2 - 1 and theta / 2: minima near -1 and 1, of which the second is the better."""

    shapes_prediction = np.array([True])

    def predict(self, theta: np.ndarray) -> Prediction:
        return Prediction(
            np.array([theta[0] ** 2 - 1.0, 0.5 * theta[0]]), np.array([[2.0 * theta[0]], [0.5]])
        )

    def noise(self, theta: np.ndarray) -> Noise:
        flat = np.zeros((2, 1))
        return Noise(np.zeros(2), np.full(2, 0.6), flat, flat)

    def reference(self, theta: np.ndarray) -> np.ndarray:
        return self.predict(theta).value


def test_a_better_optimum_met_on_the_way_is_taken_and_told() -> None:
    parameter = FittedParameter("x", unit("1"), -3.0, 3.0, -1.2, "natural")
    subject = FitSubject("1", observations([1.0, 2.0], [0.0, 0.5]), TwoValleys())
    problem = FitProblem((parameter,), (subject,), (FitObservable("y", "1"),))
    alone = profiled(problem, FitOptions(starts=1))
    assert alone.theta[0] == pytest.approx(-0.9, abs=0.2) and alone.notes == ()
    found = profiled(problem, FitOptions(starts=1, profile=()))
    assert found.theta[0] == pytest.approx(1.0, abs=1e-6)
    assert found.subject.objective < alone.subject.objective - 1.0
    assert found.notes[0].startswith("the profile of x met an objective")
    assert found.notes[0].endswith("below that of every search; the estimate is from there")
    assert found.best == 2 == len(found.starts)
    assert all(p.objective_rise >= 0.0 for p in found.profiles[0].points)


def test_on_a_fast_model_the_exact_one_has_the_last_word() -> None:
    exact = linear_problem()
    truth = profiled(exact).profiles
    for off, remade in ((1e-4, False), (0.03, True)):
        fast = replace(exact.subjects[0].predictor, off=off)
        subject = replace(exact.subjects[0], predictor=fast, exact=exact.subjects[0].predictor)
        subject.exact.asked = 0
        found = profiled(replace(exact, subjects=(subject,)))
        assert found.polished == 0 and found.bias < 1 / 3
        assert found.profiles[0].remade == remade
        if not remade:
            assert subject.exact.asked <= 12, "the fast model was not used"
        for there, here in zip(truth, found.profiles, strict=True):
            width = there.high - there.low
            assert here.low == pytest.approx(there.low, abs=0.03 * width)
            assert here.high == pytest.approx(there.high, abs=0.03 * width)


def test_with_priors_the_posterior_is_profiled(synthetic_map: SubjectFit) -> None:
    # A prior cuts what the data leave open.
    ka = synthetic_map.profiles[0]
    row = synthetic_map.estimates[0]
    assert ka.low == pytest.approx(row.ci_low, rel=0.05) and ka.high == pytest.approx(row.ci_high, rel=0.05)


@pytest.fixture(scope="module")
def synthetic_map() -> SubjectFit:
    from pbpkc.language.model import Prior

    problem = synthetic()
    parameters = tuple(
        replace(p, prior=Prior("lognormal", {"median": p.start, "sdlog": 0.3})) for p in problem.parameters
    )
    return profiled(replace(problem, parameters=parameters), FitOptions(estimator="map", profile=("ka",)))


def test_the_work_is_a_few_evaluations_a_point() -> None:
    problem = saturable_problem(100.0)
    model = problem.subjects[0].predictor
    model.asked = 0
    profiled(problem, FitOptions())
    alone = model.asked
    model.asked = 0
    found = profiled(problem)
    points = sum(len(p.points) for p in found.profiles)
    assert model.asked - alone < 4 * points


def test_a_profile_belongs_to_the_subject_and_is_taken_over(tmp_path: Path) -> None:
    problem = linear_problem()
    folder = FitFolder(tmp_path)
    result = fit(problem, ALL, store=folder)
    folder.write(result)
    assert fit(problem, ALL, store=FitFolder(tmp_path)).timing.reused == 1
    assert fit(problem, ALL, store=FitFolder(tmp_path)).fits == result.fits
    for other in (FitOptions(), FitOptions(profile=("a",))):
        assert fit(problem, other, store=FitFolder(tmp_path)).timing.reused == 0
    text = json.dumps(to_plain(profiled(saturable_problem(1.0))), allow_nan=False)
    assert json.dumps(to_plain(from_plain(SubjectFit, json.loads(text)))) == text


def test_progress_counts_the_sides_of_profiles() -> None:
    told: list[Progress] = []
    fit(linear_problem(), ALL, progress=told.append)
    done = [event.done for event in told]
    assert done == sorted(done) and done[-1] == 1.0 and len(done) == 3 + 6 + 1


def test_the_saturable_stand_in_is_right() -> None:
    # Against the implicit solution, and derivatives against differences.
    model = Saturable(np.linspace(0.5, 12.0, 12), 50.0)
    for vmax, km in ((20.0, 100.0), (5.0, 0.05), (5.0, 1e5)):
        found = model.predict(np.array([vmax, km]))
        left = km * np.log(found.value) + found.value
        right = km * math.log(50.0) + 50.0 - vmax * model.times
        np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9 * abs(right).max())
        for i, h in enumerate((1e-6 * vmax, 1e-6 * km)):
            step = np.array([h if j == i else 0.0 for j in range(2)])
            up, down = (model.predict(np.array([vmax, km]) + s).value for s in (step, -step))
            slope = (up - down) / (2 * h)
            big = np.abs(slope) > 1e-6 * np.abs(slope).max()
            np.testing.assert_allclose(found.derivative[big, i], slope[big], rtol=1e-3)
