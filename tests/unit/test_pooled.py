"""Pooled fits and the population behind single ones, against what is known in closed form."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fit_standin import Oral, bateman, observations, oral_parameters, unit
from profile_standin import Linear, linear_problem
from scipy import stats
from test_fit import TIMES, theophylline

from pbpkc.infer import (
    FitFolder,
    FitObservable,
    FitOptions,
    FitProblem,
    FitSubject,
    FittedParameter,
    fit,
    pool,
)
from pbpkc.infer.codec import to_plain
from pbpkc.infer.pooled import PooledPredictor
from pbpkc.infer.two_stage import global_two_stage


def several(count: int = 3, sigma: float | None = 0.5) -> FitProblem:
    """Linear subjects with designs and data of their own."""
    random = np.random.default_rng(11)
    base = linear_problem(sigma)
    subjects = []
    for k in range(count):
        n = 8 + k
        design = np.column_stack([np.ones(n), random.standard_normal((n, 2))])
        dv = design @ [2.0, -1.0, 0.5] + 0.5 * random.standard_normal(n)
        subjects.append(FitSubject(str(k + 1), observations(np.arange(n), dv), Linear(design, sigma), f"{k}"))
    return replace(base, subjects=tuple(subjects))


@pytest.mark.parametrize("sigma", [0.5, None])
def test_the_pooled_fit_of_linear_models_is_least_squares_on_all_rows(sigma: float | None) -> None:
    problem = several(sigma=sigma)
    result = fit(pool(problem, "pooled"), FitOptions(starts=1, profile=()))
    (found,) = result.fits
    design = np.vstack([s.predictor.design for s in problem.subjects])
    dv = np.concatenate([s.observations.dv for s in problem.subjects])
    best, rss, *_ = np.linalg.lstsq(design, dv, rcond=None)
    assert found.id == "ALL" and found.members == 3 and found.subject.n == len(dv) == 27
    np.testing.assert_allclose(found.theta[:3], best, rtol=1e-5)
    variance = sigma**2 if sigma is not None else float(rss[0]) / (27 - 3)
    np.testing.assert_allclose(
        np.array(found.covariance)[:3, :3], variance * np.linalg.inv(design.T @ design), rtol=1e-6
    )
    assert found.degrees_of_freedom == (24 if sigma is None else 0)
    for row, profile in zip(found.estimates, found.profiles, strict=False):
        half = row.ci_high - row.estimate
        assert profile.high == pytest.approx(row.ci_high, abs=1e-3 * half)
    # Whose each prediction is.
    assert [row.subject for row in found.predictions] == ["1"] * 8 + ["2"] * 9 + ["3"] * 10
    assert {row.id for row in found.predictions} == {"ALL"}
    assert result.summary == () and result.population is None and result.singles == ()
    assert result.options["by"] == "pooled"


def test_both_gives_each_and_all() -> None:
    problem = several()
    both = fit(pool(problem, "both"), FitOptions(starts=1))
    alone, together = fit(problem, FitOptions(starts=1)), fit(pool(problem, "pooled"), FitOptions(starts=1))
    assert [f.id for f in both.fits] == ["1", "2", "3", "ALL"]
    assert both.singles == alone.fits and both.pooled == together.fits[0]
    assert to_plain(both.summary) == to_plain(alone.summary)
    assert to_plain(both.population) == to_plain(alone.population) is not None
    assert pool(problem, "subject") is problem
    # Each is kept under its own key, so that one run takes over from the other.
    keys = {f.key for f in both.fits}
    assert keys == {f.key for f in (*alone.fits, *together.fits)} and len(keys) == 4


def test_the_pooled_fit_notices_a_change_in_any_subject(tmp_path: Path) -> None:
    problem = several()
    folder = FitFolder(tmp_path)
    folder.write(fit(pool(problem, "pooled"), FitOptions(starts=1), store=folder))

    def reused(changed: FitProblem) -> int:
        return fit(pool(changed, "pooled"), FitOptions(starts=1), store=FitFolder(tmp_path)).timing.reused

    assert reused(problem) == 1
    first, *rest = problem.subjects
    assert reused(replace(problem, subjects=(replace(first, identity="another dose"), *rest))) == 0
    assert reused(replace(problem, subjects=(first, rest[0]))) == 0
    with (tmp_path / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["subject"] for row in rows} == {"1", "2", "3"}


def test_a_failure_says_whose_it_is() -> None:
    predictors = (Oral(TIMES, 4.5, "prop"), Oral(TIMES, 4.5, "prop", broken_above=1.0))
    pooled = PooledPredictor(("a", "b"), predictors)
    theta = np.array([1.5, 0.04, 0.5, 0.05])
    for found in (pooled.predict(theta), pooled.reference(theta)):
        assert found.reason == "subject b: the solver stopped at 0.1 h"
    assert pooled.shapes_prediction.tolist() == [True, True, True, False]


def test_with_a_fast_model_all_are_decided_by_the_exact_one() -> None:
    problem = several()
    fast = tuple(
        replace(s, predictor=replace(s.predictor, off=0.5), exact=s.predictor) for s in problem.subjects
    )
    found = fit(pool(replace(problem, subjects=fast), "pooled"), FitOptions(starts=1)).fits[0]
    exact = fit(pool(problem, "pooled"), FitOptions(starts=1)).fits[0]
    np.testing.assert_allclose(found.theta, exact.theta, atol=1e-5)
    assert found.polished > 0


def test_what_is_said_of_some_is_said_with_their_names() -> None:
    a, b, c = several().subjects
    subjects = (
        replace(a, remarks=lambda theta: ("far out", f"x is {theta[0]:g}")),
        replace(b, remarks=lambda theta: ("far out",)),
        c,
    )
    (found,) = fit(replace(pool(replace(several(), subjects=subjects), "pooled"))).fits
    assert found.notes[0] == "subject 1, 2: far out" and found.notes[1].startswith("subject 1: x is 1.98")


def test_wrong_requests_are_refused() -> None:
    problem = several()
    with pytest.raises(ValueError, match="by is 'group'; accepted are 'subject', 'pooled', 'both'"):
        pool(problem, "group")  # type: ignore[arg-type]
    named = replace(problem, subjects=(replace(problem.subjects[0], id="ALL"), *problem.subjects[1:]))
    with pytest.raises(ValueError, match="a subject of the data is called ALL"):
        pool(named, "both")
    assert [f.members for f in fit(named, FitOptions(starts=1)).fits] == [0, 0, 0]


# ------------------------------------------------------------- two stages


def balanced(n: int = 40, seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Estimates of subjects whose errors all have one covariance."""
    random = np.random.default_rng(seed)
    errors = np.array([[0.04, 0.01], [0.01, 0.09]])
    between = np.array([[0.25, 0.12], [0.12, 0.16]])
    truth = random.multivariate_normal([1.0, -2.0], between, n)
    value = truth + random.multivariate_normal([0.0, 0.0], errors, n)
    return value, np.broadcast_to(errors, (n, 2, 2)).copy()


def test_with_equal_errors_it_is_the_spread_minus_the_error() -> None:
    # The maximum is known where all C_j are one C: mean of the estimates, their covariance (1/n) minus C.
    value, covariance = balanced()
    found = global_two_stage(["a", "b"], value, covariance)
    assert found.converged and found.n == 40
    omega = np.cov(value.T, ddof=0) - covariance[0]
    np.testing.assert_allclose(found.mean, value.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(np.square(found.sd), np.diag(omega), rtol=1e-4)
    assert found.correlation[0][1] == pytest.approx(
        omega[0, 1] / math.sqrt(omega[0, 0] * omega[1, 1]), rel=1e-3
    )
    np.testing.assert_allclose(found.mean_error, np.sqrt(np.diag(np.cov(value.T, ddof=0)) / 40), rtol=1e-3)


def test_it_is_the_most_likely_population() -> None:
    # Unequal errors and missing estimates: no step away from it raises the likelihood of the estimates.
    value, covariance = balanced(12)
    covariance *= np.linspace(0.2, 4.0, 12)[:, None, None]
    value[3, 0] = value[7, 1] = math.nan
    covariance[3, 0, :] = covariance[3, :, 0] = math.nan
    found = global_two_stage(["a", "b"], value, covariance)
    sd, rho = np.array(found.sd), found.correlation[0][1]

    def loglikelihood(mean: np.ndarray, sd: np.ndarray, rho: float) -> float:
        omega = np.outer(sd, sd) * np.array([[1.0, rho], [rho, 1.0]])
        total = 0.0
        for row, c in zip(value, covariance, strict=True):
            own = np.flatnonzero(np.isfinite(row))
            spread = (omega + c)[np.ix_(own, own)]
            total += stats.multivariate_normal(mean[own], spread).logpdf(row[own])
        return float(total)

    mean = np.array(found.mean)
    best = loglikelihood(mean, sd, rho)
    for step in (0.02, -0.02):
        for i in range(2):
            away = np.eye(2)[i] * step
            assert loglikelihood(mean + away, sd, rho) < best
            assert loglikelihood(mean, sd * (1 + away), rho) < best
        assert loglikelihood(mean, sd, rho + step) < best


def test_no_spread_between_subjects_is_no_spread_and_no_correlation() -> None:
    random = np.random.default_rng(0)
    value = 0.3 * random.standard_normal((30, 2)) * 0.5
    covariance = np.broadcast_to(0.09 * np.eye(2), (30, 2, 2))
    found = global_two_stage(["a", "b"], value, covariance)
    assert max(found.sd) < 0.05 and math.isnan(found.correlation[0][1])
    assert global_two_stage(["a"], value[:1, :1], covariance[:1, :1, :1]) is None


def test_the_errors_of_estimates_are_taken_out_of_the_spread() -> None:
    # Forty subjects whose clearance varies by 20 %, each seen with 25 % noise at few times.
    random = np.random.default_rng(5)
    times = np.array([0.5, 1.5, 4.0, 12.0, 24.0])
    subjects = []
    for k in range(40):
        cl = 0.04 * math.exp(0.2 * random.standard_normal())
        c, _ = bateman(times, 4.5, 1.5, cl, 0.5)
        dv = c * np.exp(0.25 * random.standard_normal(5))
        seen = observations(times, dv, error="lognormal")
        subjects.append(FitSubject(str(k), seen, Oral(times, 4.5, "prop", fixed=0.25)))
    problem = FitProblem(oral_parameters(sigma=False), tuple(subjects), (FitObservable("Cp", "mg/L"),))
    result = fit(problem, FitOptions(starts=1))
    ka, cl, v = result.summary
    assert cl.n + len(cl.not_counted) == 40
    assert cl.between_sd + 0.02 < cl.spread and cl.gts_sd + 0.02 < cl.spread
    assert cl.between_sd == pytest.approx(0.2, abs=0.07)
    assert cl.gts_sd == pytest.approx(0.2, abs=0.07)
    assert cl.mean_low < 0.04 < cl.mean_high and cl.low < cl.mean < cl.high
    # ka is not determined by these data in many, and those are named and not counted.
    lost = {r.id for r in result.estimates if r.parameter == "ka" and r.identifiable == "no"}
    assert set(ka.not_counted) == lost and 5 < len(lost) < 40
    counted = [r.estimate for r in result.estimates if r.parameter == "ka" and r.id not in lost]
    assert ka.mean == pytest.approx(math.exp(np.mean(np.log(counted))))
    assert (ka.low, ka.high) == (min(counted), max(counted)) and ka.n == len(counted)
    # All have one volume: nothing is left.
    assert v.between_sd < 0.15 and v.gts_sd < 0.15


def test_arithmetic_means_stand_in_the_unit_of_reports(specs: Path) -> None:
    parameters = tuple(
        replace(p, scale="natural", unit=unit("mL/h/kg")) if p.name == "cl" else p for p in oral_parameters()
    )
    problem = replace(theophylline(specs), parameters=parameters)
    result = fit(replace(problem, subjects=problem.subjects[:5]), FitOptions(starts=1))
    cl = next(row for row in result.summary if row.parameter == "cl")
    values = np.array([r.estimate for r in result.estimates if r.parameter == "cl"])
    errors = np.array([r.standard_error for r in result.estimates if r.parameter == "cl"])
    assert cl.kind == "arithmetic" and 20.0 < cl.mean < 60.0
    assert cl.mean == pytest.approx(values.mean()) and cl.spread == pytest.approx(values.std(ddof=1))
    assert cl.between_sd == pytest.approx(math.sqrt(values.var(ddof=1) - np.mean(errors**2)))
    half = stats.t(4).ppf(0.975) * cl.spread / math.sqrt(5)
    assert (cl.mean_low, cl.mean_high) == pytest.approx((cl.mean - half, cl.mean + half))
    assert cl.gts_mean == pytest.approx(cl.mean, rel=0.1) and 0.5 * cl.spread < cl.gts_sd < cl.spread


def test_a_parameter_that_nobody_determines_has_no_mean() -> None:
    blind = FittedParameter("idle", unit("1"), 0.1, 10.0, 1.0)
    problem = several()
    subjects = tuple(
        replace(
            s, predictor=Linear(np.column_stack([s.predictor.design, np.zeros(len(s.observations))]), 0.5)
        )
        for s in problem.subjects
    )
    problem = replace(problem, subjects=subjects, parameters=(*problem.parameters, blind))
    result = fit(problem, FitOptions(starts=1))
    idle = result.summary[3]
    assert idle.n == 0 and idle.not_counted == ("1", "2", "3") and math.isnan(idle.mean)
    assert result.population.parameters == ("a", "b", "c")
