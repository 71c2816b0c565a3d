"""The fit of subjects: estimates, errors and what is said, on predictors in closed form."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fit_standin import Oral, bateman, observations, oral_parameters, unit
from scipy import stats

from pbpkc.infer import (
    FitObservable,
    FitOptions,
    FitProblem,
    FitSubject,
    FittedParameter,
    Noise,
    Progress,
    draw,
    fit,
)
from pbpkc.language.model import Prior

CP = (FitObservable("Cp", "mg/L"),)
TIMES = np.array([0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24])
TRUE = np.array([1.5, 0.04, 0.5])


def theophylline(specs: Path, starts: tuple[float, ...] = (1.5, 0.04, 0.5, 0.5)) -> FitProblem:
    """The twelve subjects with an additive error whose sigma is estimated: plain least squares."""
    rows: dict[str, list[dict[str, str]]] = {}
    with (specs / "data" / "theophylline_boeckmann1994.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            rows.setdefault(row["ID"], []).append(row)
    subjects = []
    for id, lines in rows.items():
        dose = next(float(r["AMT"]) / float(r["WT"]) for r in lines if r["EVID"] == "1")
        seen = [r for r in lines if r["EVID"] == "0"]
        times = np.array([float(r["TIME"]) for r in seen])
        subjects.append(
            FitSubject(
                id, observations(times, [float(r["DV"]) for r in seen]), Oral(times, dose), f"{dose!r}"
            )
        )
    return FitProblem(oral_parameters(start=starts), tuple(subjects), CP, "closed form", {"spec": "none"})


def synthetic(seed: int = 3, error: str = "prop", **changes: object) -> FitProblem:
    """One subject at 5 % noise."""
    c, _ = bateman(TIMES, 4.5, *TRUE)
    dv = c * (1 + 0.05 * np.random.default_rng(seed).standard_normal(len(TIMES)))
    subject = FitSubject("1", observations(TIMES, dv, error=error), Oral(TIMES, 4.5, error))
    return replace(FitProblem(oral_parameters(), (subject,), CP), **changes)


@pytest.fixture(scope="module")
def twelve(request: pytest.FixtureRequest) -> object:
    return fit(theophylline(request.getfixturevalue("specs")))


@pytest.mark.reference
def test_theophylline_equals_nonlinear_least_squares(twelve: object, references: Path) -> None:
    # Estimates and standard errors per subject by R's nls with SSfol.
    with (references / "fits" / "theophylline_nls_reference_subjects_1-6.csv").open(encoding="utf-8") as file:
        expected = list(csv.DictReader(file))
    assert len(expected) == 6
    for row in expected:
        found = twelve.subject(row["subject"])
        ka, cl, v, _ = found.estimates
        assert ka.estimate == pytest.approx(float(row["ka"]), rel=1e-4)
        assert cl.estimate == pytest.approx(float(row["CL_L_h_kg"]), rel=1e-4)
        assert v.estimate == pytest.approx(float(row["V_L_kg"]), rel=1e-4)
        assert found.subject.rss == pytest.approx(float(row["rss"]), rel=1e-7)
        assert found.residual_sd == pytest.approx(float(row["sigma"]), rel=1e-7)
        assert found.degrees_of_freedom == 8
        # nls takes the same first-order covariance with n - p, in the same log parameters.
        assert ka.standard_error == pytest.approx(float(row["se_lKa"]), rel=1e-3)
        assert cl.standard_error == pytest.approx(float(row["se_lCl"]), rel=1e-3)
        t = stats.t(8).ppf(0.975)
        assert ka.ci_low == pytest.approx(ka.estimate * math.exp(-t * ka.standard_error), rel=1e-12)
        assert ka.ci_high == pytest.approx(ka.estimate * math.exp(t * ka.standard_error), rel=1e-12)


@pytest.mark.reference
def test_geometric_means_of_the_twelve(twelve: object) -> None:
    assert twelve.outcome == "done"
    means = {row.parameter: row for row in twelve.summary}
    assert f"{means['ka'].mean:.3g} {means['v'].mean:.3g} {means['cl'].mean:.3g}" == "1.61 0.457 0.0402"
    assert means["ka"].kind == "geometric" and means["ka"].n == 12
    logs = np.log([f.theta[0] for f in twelve.fits])
    assert means["ka"].spread == pytest.approx(np.std(logs, ddof=1))


def test_predictions_and_the_objective_belong_together(twelve: object) -> None:
    for found in twelve.fits:
        rows = [row for row in twelve.predictions if row.id == found.id]
        residuals = np.array([row.residual for row in rows])
        assert found.subject.rss == pytest.approx(np.sum(residuals**2), rel=1e-12)
        sigma = found.estimates[3].estimate
        assert np.array([r.weighted_residual for r in rows]) == pytest.approx(residuals / sigma, rel=1e-12)
        # At its optimum sigma^2 is rss / n, so that the objective is n (ln(2 pi rss / n) + 1).
        assert sigma == pytest.approx(math.sqrt(found.subject.rss / 11), rel=1e-5)
        profiled = 11 * (math.log(2 * math.pi * found.subject.rss / 11) + 1)
        assert found.subject.objective == pytest.approx(profiled, abs=1e-6)
        assert all(row.dv - row.pred == row.residual and row.cens == 0 for row in rows)


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1), (1, -1, 1), (-1, -1, 1)])
def test_starts_a_factor_eight_off_end_at_the_same_place(twelve: object, specs: Path, signs: tuple) -> None:
    far = tuple(np.array([1.5, 0.04, 0.5, 0.5]) * 8.0 ** np.array([*signs, 1.0]))
    again = fit(theophylline(specs, far))
    for here, there in zip(twelve.fits, again.fits, strict=True):
        assert there.subject.objective == pytest.approx(here.subject.objective, abs=1e-6)


def test_known_sigma_uses_the_normal_distribution() -> None:
    problem = synthetic(error="add", parameters=oral_parameters(sigma=False))
    subject = replace(problem.subjects[0], predictor=Oral(TIMES, 4.5, "add", fixed=0.2))
    found = fit(replace(problem, subjects=(subject,))).fits[0]
    assert found.quantile == pytest.approx(stats.norm.ppf(0.975), rel=1e-15)
    assert found.degrees_of_freedom == 0 and math.isnan(found.residual_sd)
    _, slope = bateman(TIMES, 4.5, *found.theta)
    information = (slope * found.theta).T @ (slope * found.theta) / 0.2**2
    np.testing.assert_allclose(found.covariance, np.linalg.inv(information), rtol=1e-8)
    errors = [row.standard_error for row in found.estimates]
    np.testing.assert_allclose(found.correlation, found.covariance / np.outer(errors, errors), rtol=1e-12)


def test_proportional_errors_are_not_plain_least_squares() -> None:
    found = fit(synthetic()).fits[0]
    assert found.degrees_of_freedom == 0 and found.quantile == pytest.approx(1.96, abs=1e-4)
    # ln sigma of n proportional errors has variance 1 / (2 n) where nothing else reads sigma.
    assert found.estimates[3].standard_error == pytest.approx(1 / math.sqrt(24), rel=0.05)


def test_two_optima_that_cannot_be_told_apart_are_both_told() -> None:
    # Absorption and elimination of an oral one-compartment model may change places (flip-flop): with the
    # volume free to follow the curve is exactly the same (Byron & Notari 1976, J Pharm Sci 65:1140).
    low = {"v": 0.001, "ka": 0.01}
    parameters = tuple(replace(p, low=low.get(p.name, p.low)) for p in oral_parameters())
    found = fit(synthetic(parameters=parameters), FitOptions(starts=12)).fits[0]
    ends = [
        np.array(s.end) for s in found.starts if s.converged and s.objective < found.subject.objective + 1e-5
    ]
    kas = sorted({round(float(end[0]), 4) for end in ends})
    assert len(kas) == 2
    (note,) = [n for n in found.notes if "too little to tell the two apart" in n]
    assert "ka = " in note and "1/h" in note
    # The curves are the same though the parameters are not.
    one, other = (next(e for e in ends if round(float(e[0]), 4) == ka) for ka in kas)
    np.testing.assert_allclose(
        bateman(TIMES, 4.5, *one[:3])[0], bateman(TIMES, 4.5, *other[:3])[0], rtol=1e-4
    )


def test_the_global_optimum_is_found_among_local_ones() -> None:
    # With the volume bounded below, the flipped optimum has the worse objective and v at its bound.
    found = fit(synthetic(), FitOptions(starts=12)).fits[0]
    values = [s.objective for s in found.starts if s.converged]
    assert found.starts[found.best - 1].objective <= min(values) + 1e-6
    assert max(values) > min(values) + 1.0, "no search ended at the local optimum, so nothing was shown"
    assert found.theta[0] == pytest.approx(1.5, rel=0.2)
    assert found.notes == ()


def test_an_optimum_outside_the_bounds_is_said() -> None:
    parameters = tuple(replace(p, low=0.6, start=0.8) if p.name == "v" else p for p in oral_parameters())
    found = fit(synthetic(parameters=parameters)).fits[0]
    row = next(row for row in found.estimates if row.parameter == "v")
    assert row.at_bound == "lower" and row.estimate == 0.6
    assert "v ends at its lower bound" in found.notes


def test_agreement_ends_the_searches_early() -> None:
    some = fit(synthetic(), FitOptions(starts=6, agree=2)).fits[0]
    every = fit(synthetic(), FitOptions(starts=6)).fits[0]
    assert some.subject.starts < 6 == every.subject.starts
    assert some.subject.objective == pytest.approx(every.subject.objective, abs=1e-6)


def test_the_other_starts_go_on_where_one_fails() -> None:
    parameters = oral_parameters(start=(8.0, 0.04, 0.5, 0.5))
    problem = synthetic(parameters=parameters)
    subject = replace(problem.subjects[0], predictor=Oral(TIMES, 4.5, "prop", broken_above=5.0))
    found = fit(replace(problem, subjects=(subject,)), FitOptions(starts=4)).fits[0]
    first = found.starts[0]
    assert not first.converged and first.end == () and math.isnan(first.objective)
    assert "the solver stopped at 0.1 h; raise max_steps" in first.reason
    assert found.outcome == "converged" and found.best > 1


def test_failed_subjects_leave_the_others(specs: Path) -> None:
    good = theophylline(specs).subjects[0]
    broken = replace(good, id="broken", predictor=replace(good.predictor, broken_above=0.0))
    unscored = replace(good, id="unscored", observations=observations(good.predictor.times, [math.nan] * 11))
    problem = replace(theophylline(specs), subjects=(broken, good, unscored))
    found = fit(problem)
    assert found.outcome == "partial"
    assert [f.outcome for f in found.fits] == ["failed", "converged", "failed"]
    rows = {row.id: row for row in found.subjects}
    assert rows["broken"].reason.startswith("the start could not be evaluated: the solver stopped")
    assert "no value that can be scored" in rows["unscored"].reason
    assert rows["broken"].converged == "no" and math.isnan(rows["broken"].objective)
    assert {row.id for row in found.estimates} == {"1"} == {row.id for row in found.predictions}
    assert found.summary[0].n == 1 and math.isnan(found.summary[0].spread)
    assert fit(replace(problem, subjects=(broken,))).outcome == "failed"
    assert fit(replace(problem, subjects=(broken,))).summary == ()


def test_too_few_evaluations_are_a_result_with_a_suggestion() -> None:
    options = FitOptions(starts=1)
    options = replace(options, search=replace(options.search, max_evaluations=2))
    found = fit(synthetic(parameters=oral_parameters(start=(10.0, 0.3, 2.0, 5.0))), options).fits[0]
    assert found.outcome == "not converged" and found.suggestion
    assert found.subject.converged == "no" and "no minimum found within 2 evaluations" in found.subject.reason
    assert len(found.estimates) == 4 and math.isfinite(found.subject.objective)


def test_censored_values_by_rule() -> None:
    c, _ = bateman(TIMES, 4.5, *TRUE)
    lloq = 2.0
    noise = Noise(np.full(12, 0.05), np.zeros(12), np.zeros((12, 4)), np.zeros((12, 4)))
    errors = {}
    for rule in ("m3", "drop", "half", "zero"):
        ratios = []
        for seed in range(12):
            dv, censored = draw(c, noise, ("prop",) * 12, np.random.default_rng(seed), lloq=np.full(12, lloq))
            assert 1 <= censored.sum() <= 4
            seen = observations(TIMES, dv, error="prop", censored=censored, lloq=lloq)
            problem = synthetic(subjects=(FitSubject("1", seen, Oral(TIMES, 4.5, "prop")),))
            found = fit(problem, FitOptions(blq=rule, starts=2)).fits[0]
            assert found.outcome == "converged"
            assert found.subject.n == (12 - censored.sum() if rule == "drop" else 12)
            below = [row for row in found.predictions if row.cens]
            assert all(math.isnan(row.residual) == (rule in ("m3", "drop")) for row in below)
            ratios.append(math.log(found.theta[1] / 0.04))
        errors[rule] = math.sqrt(np.mean(np.square(ratios)))
    # The likelihood of censored values loses less than putting numbers in their place (Beal 2001).
    assert errors["m3"] < errors["half"] < errors["zero"]
    assert errors["m3"] <= errors["drop"] * 1.05


def test_priors_pull_towards_their_medians_and_shrink_errors() -> None:
    priors = {"ka": (3.0, 0.1), "cl": (0.04, 0.5), "v": (0.5, 0.3), "s": (0.05, 0.5)}
    parameters = tuple(
        replace(p, prior=Prior("lognormal", {"median": priors[p.name][0], "sdlog": priors[p.name][1]}))
        for p in oral_parameters(start=(3.0, 0.04, 0.5, 0.05))
    )
    problem = synthetic(parameters=parameters)
    free, pulled = fit(problem).fits[0], fit(problem, FitOptions(estimator="map")).fits[0]
    assert free.theta[0] < pulled.theta[0] < 3.0
    assert pulled.estimates[0].standard_error < free.estimates[0].standard_error
    # The objective is minus twice the log of likelihood times prior density of the log parameters.
    penalty = sum(
        -2 * stats.norm(math.log(m), s).logpdf(math.log(t))
        for t, (m, s) in zip(pulled.theta, priors.values(), strict=True)
    )
    c, _ = bateman(TIMES, 4.5, *pulled.theta[:3])
    likelihood = -2 * np.sum(stats.norm(c, pulled.theta[3] * c).logpdf(problem.subjects[0].observations.dv))
    # Bounds cut less than 0.1 % off any of these priors.
    assert pulled.subject.objective == pytest.approx(likelihood + penalty, abs=3e-3)
    # The verdict is about the data, whatever the priors say.
    assert pulled.identifiability.rank == 4


def test_priors_make_intervals_where_data_cannot() -> None:
    parameters = (
        *oral_parameters(),
        FittedParameter(
            "idle", unit("1"), 0.1, 10.0, 1.0, prior=Prior("lognormal", {"median": 1.0, "sdlog": 0.4})
        ),
    )

    class WithIdle(Oral):
        @property
        def shapes_prediction(self) -> np.ndarray:
            return np.array([True, True, True, False, False])

    problem = synthetic(parameters=parameters)
    subject = replace(problem.subjects[0], predictor=WithIdle(TIMES, 4.5, "prop"))
    problem = replace(problem, subjects=(subject,))
    ml, posterior = (fit(problem, FitOptions(estimator=m)).fits[0] for m in ("ml", "map"))
    assert math.isnan(ml.estimates[4].standard_error) and math.isnan(ml.estimates[4].ci_low)
    assert all(math.isfinite(row.standard_error) for row in ml.estimates[:4])
    assert posterior.estimates[4].standard_error == pytest.approx(0.4, rel=1e-6)
    for one in (ml, posterior):
        assert one.estimates[4].identifiable == "no" and one.identifiability.rank == 4
        assert "idle is not determined: no observation depends on it." in one.identifiability.summary
        # Whichever search was best, it is not mistaken for an estimate.
        assert one.theta[4] == pytest.approx(1.0, rel=1e-6)


def test_units_of_the_user_are_those_of_the_report() -> None:
    one, other = (
        oral_parameters(),
        tuple(replace(p, unit=unit("1/min")) if p.name == "ka" else p for p in oral_parameters()),
    )
    per_hour, per_minute = fit(synthetic(parameters=one)), fit(synthetic(parameters=other))
    a, b = per_hour.estimates[0], per_minute.estimates[0]
    assert (a.unit, b.unit) == ("1/h", "1/min")
    for name in ("estimate", "ci_low", "ci_high", "start"):
        assert getattr(b, name) == pytest.approx(getattr(a, name) / 60.0, rel=1e-12)
    assert b.standard_error == pytest.approx(a.standard_error, rel=1e-12)  # of the logarithm
    minutes = fit(synthetic(time_unit="min", time_factor=1 / 60))
    assert [row.time for row in minutes.predictions][:3] == [15.0, 30.0, 60.0]


def test_natural_scale_intervals_are_symmetric() -> None:
    parameters = tuple(replace(p, scale="natural") for p in oral_parameters())
    found = fit(synthetic(parameters=parameters)).fits[0]
    log = fit(synthetic()).fits[0]
    for here, there in zip(found.estimates, log.estimates, strict=True):
        assert here.estimate == pytest.approx(there.estimate, rel=1e-4)
        assert here.ci_high - here.estimate == pytest.approx(here.estimate - here.ci_low, rel=1e-9)
        assert here.standard_error == pytest.approx(there.standard_error * there.estimate, rel=1e-3)
    assert found.subject.objective == pytest.approx(log.subject.objective, abs=1e-6)


def test_progress_is_told_and_comes_to_its_end(specs: Path) -> None:
    told: list[Progress] = []
    problem = theophylline(specs)
    fit(replace(problem, subjects=problem.subjects[:2]), progress=told.append)
    done = [event.done for event in told]
    assert done == sorted(done) and done[-1] == 2.0 and told[-1].total == 2
    assert 1.0 in done and len(done) == 2 * 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"starts": 0}, "starts is 0; accepted is an integer of at least 1"),
        ({"workers": 0}, "workers is 0"),
        ({"estimator": "reml"}, "estimator is 'reml'; accepted are 'ml', 'map'"),
        ({"blq": "m2"}, "blq is 'm2'"),
        ({"seed": True}, "seed is True"),
    ],
)
def test_wrong_options_are_refused(changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FitOptions(**changes)


def test_wrong_problems_are_refused() -> None:
    problem = synthetic()
    with pytest.raises(ValueError, match="two subjects have the same id"):
        replace(problem, subjects=problem.subjects * 2)
    with pytest.raises(ValueError, match="each name stands once"):
        fit(replace(problem, parameters=problem.parameters[:1] * 2))
    prior = Prior("uniform", {"low": 20.0, "high": 30.0})
    with pytest.raises(ValueError, match="leave nothing of its uniform prior"):
        fit(
            replace(
                problem, parameters=(replace(problem.parameters[0], prior=prior), *problem.parameters[1:])
            ),
            FitOptions(estimator="map"),
        )


def test_drawn_data_have_the_spread_of_their_error_model() -> None:
    n = 20000
    y, flat = np.full(n, 3.0), np.zeros((n, 1))
    noise = Noise(np.full(n, 0.1), np.full(n, 0.4), flat, flat)
    random = np.random.default_rng(1)
    for kind, sd in (("combined", 0.5), ("given", 0.7)):
        dv, _ = draw(y, noise, (kind,) * n, random, sd=np.full(n, 0.7))
        assert np.std(dv) == pytest.approx(sd, rel=0.02) and np.mean(dv) == pytest.approx(3.0, abs=0.02)
    dv, _ = draw(y, noise, ("lognormal",) * n, random)
    assert np.std(np.log(dv)) == pytest.approx(0.1, rel=0.02)
    dv, censored = draw(y, noise, ("combined",) * n, random, lloq=np.full(n, 3.0))
    assert np.mean(censored) == pytest.approx(0.5, abs=0.02) and np.all(dv[censored] == 3.0)
    with pytest.raises(ValueError, match="sd is None"):
        draw(y, noise, ("given",) * n, random)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_hardly_more_observations_than_parameters_are_a_result(n: int) -> None:
    problem = synthetic(error="add")
    seen = observations(TIMES[::3][:n], problem.subjects[0].observations.dv[::3][:n])
    found = fit(synthetic(subjects=(FitSubject("1", seen, Oral(TIMES[::3][:n], 4.5)),))).fits[0]
    assert found.outcome == "converged" and len(found.estimates) == 4
    assert found.degrees_of_freedom == max(n - 3, 0)
    assert all(math.isnan(row.standard_error) for row in found.estimates) == (n < 4)
    # One degree of freedom has an interval, of Student's t, and four values for four unknowns prove nothing.
    assert {row.identifiable for row in found.estimates} == {"no"}
    assert found.identifiability.combinations == ()
    seen = 4 if n > 2 else found.identifiability.size
    assert found.identifiability.summary[0] == (
        f"Nothing is determined: there are no more observations ({n}) than parameters ({seen}, the residual "
        "error among them)."
    )
    assert "nan" not in " ".join(found.identifiability.summary)
    if n < 3:
        assert found.identifiability.rank < 4


@pytest.mark.parametrize("n", [3, 4, 5])
def test_a_relative_error_needs_more_observations_than_unknowns_too(n: int) -> None:
    times = TIMES[::2][:n]
    seen = observations(times, synthetic(error="prop").subjects[0].observations.dv[::2][:n], error="prop")
    subject = FitSubject("1", seen, Oral(times, 4.5, error="prop"))
    found = fit(synthetic(subjects=(subject,), error="prop")).fits[0]
    assert found.outcome == "converged"
    few = n < 5
    assert all(math.isnan(row.standard_error) for row in found.estimates) == few
    assert bool(found.identifiability.scarce) == few
    assert ("yes" in {row.identifiable for row in found.estimates}) == (not few)
    # An error that the spec gives is known without scatter.
    known = replace(subject, predictor=Oral(times, 4.5, error="prop", fixed=0.05))
    parameters = synthetic(error="prop").parameters[:3]
    three = fit(replace(synthetic(error="prop"), parameters=parameters, subjects=(known,))).fits[0]
    assert three.identifiability.scarce == ""
    assert all(math.isfinite(row.standard_error) for row in three.estimates)


def test_an_interval_that_crosses_a_bound_says_which() -> None:
    problem = synthetic()
    wide = {row.parameter: row for row in fit(problem).fits[0].estimates}
    assert {row.ci_beyond for row in wide.values()} == {"no"}
    ka = wide["ka"]
    near = {"lower": (0.999 * ka.estimate, 10.0), "upper": (0.1, 1.001 * ka.estimate),
            "both": (0.999 * ka.estimate, 1.001 * ka.estimate)}  # fmt: skip
    for side, (low, high) in near.items():
        parameters = (replace(problem.parameters[0], low=low, high=high), *problem.parameters[1:])
        row = fit(replace(problem, parameters=parameters)).fits[0].estimates[0]
        # Told, and not cut: the numbers are those of the standard error.
        assert row.ci_beyond == side and row.at_bound == "no"
        assert (row.ci_low, row.ci_high) == pytest.approx((ka.ci_low, ka.ci_high), rel=1e-4)
