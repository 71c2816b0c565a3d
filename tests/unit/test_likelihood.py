"""Every error model and rule for censored values against plain densities, derivatives and integrals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fit_standin import observations
from scipy import stats
from scipy.integrate import quad

from pbpkc.infer import Failure, Noise, Observations, Prediction
from pbpkc.infer.likelihood import evaluate, information_root
from pbpkc.infer.observations import Scoring, obstacle, plan
from pbpkc.infer.priors import log_density
from pbpkc.infer.transform import FittedParameter, ParameterSpace
from pbpkc.language.model import Prior
from pbpkc.language.units import parse_unit

KINDS = ("prop", "add", "combined", "lognormal", "given")
MATRIX = np.array([[0.3, -0.2], [0.1, 0.5], [-0.4, 0.2], [0.2, 0.1], [0.6, -0.3]])


def model(x: np.ndarray) -> tuple[Prediction, Noise]:
    """Five predictions exp(1 + M x), and noise arguments that depend on x as well."""
    y = np.exp(1.0 + MATRIX @ x)
    a, b = 0.2 * math.exp(x[0]), 0.3 * math.exp(-x[1])
    return Prediction(y, y[:, None] * MATRIX), Noise(
        np.full(5, a), np.full(5, b), np.tile([a, 0.0], (5, 1)), np.tile([0.0, -b], (5, 1))
    )


def for_kind(kind: str, noise: Noise) -> Noise:
    """The arguments a kind of error has; the others are zero, as generated code gives them."""
    zero, flat = np.zeros(5), np.zeros((5, 2))
    if kind in ("prop", "lognormal"):
        return Noise(noise.proportional, zero, noise.d_proportional, flat)
    if kind == "add":
        return Noise(zero, noise.additive, flat, noise.d_additive)
    return noise if kind == "combined" else Noise(zero, zero, flat, flat)


def data(kind: str, censored: list[bool] | None = None, rule: str = "m3") -> tuple[Observations, Scoring]:
    seen = observations(
        np.arange(5.0),
        [2.5, 3.5, 1.2, 3.0, 2.0],
        error=kind,
        censored=censored,
        lloq=1.5,
        sd=[0.2, 0.3, 0.1, 0.4, 0.5],
    )
    return seen, plan(seen, rule)


def density(kind: str, y: float, a: float, b: float, sd: float) -> stats.rv_continuous:
    if kind == "lognormal":
        return stats.lognorm(s=a, scale=y)
    return stats.norm(y, {"prop": a * y, "add": b, "combined": math.hypot(a * y, b), "given": sd}[kind])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("censored", [None, [False, True, False, True, False]])
def test_value_is_that_of_the_densities(kind: str, censored: list[bool] | None) -> None:
    x = np.array([0.2, -0.1])
    prediction, noise = model(x)
    noise = for_kind(kind, noise)
    seen, scoring = data(kind, censored)
    expected = 0.0
    for i in range(5):
        law = density(kind, prediction.value[i], noise.proportional[i], noise.additive[i], seen.sd[i])
        expected -= 2.0 * (law.logcdf(1.5) if seen.censored[i] else law.logpdf(seen.dv[i]))
    found = evaluate(scoring, prediction, noise)
    assert found.value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("censored", [None, [False, True, False, True, False]])
def test_gradient_is_the_derivative_of_the_value(kind: str, censored: list[bool] | None) -> None:
    _, scoring = data(kind, censored)

    def value(x: np.ndarray) -> float:
        prediction, noise = model(x)
        return evaluate(scoring, prediction, for_kind(kind, noise)).value

    x, h = np.array([0.2, -0.1]), 1e-4
    prediction, noise = model(x)
    found = evaluate(scoring, prediction, for_kind(kind, noise))
    for i, step in enumerate(np.eye(2) * h):
        # Fourth order, so that the difference itself is good to about 1e-12.
        slope = (8 * (value(x + step) - value(x - step)) - value(x + 2 * step) + value(x - 2 * step)) / (
            12 * h
        )
        assert found.gradient[i] == pytest.approx(slope, rel=1e-8)
    assert np.linalg.eigvalsh(found.curvature).min() >= -1e-12


@pytest.mark.parametrize("kind", ["prop", "add", "lognormal"])
@pytest.mark.parametrize("limit", [0.5, 2.0, 6.0])
def test_information_is_the_expected_square_of_the_score(kind: str, limit: float) -> None:
    # One observation of y with its noise argument, both estimated; the score is taken by differences of
    # the log density itself, and the expectation by integration.
    y, s = 2.0, 0.4

    def log_law(d: np.ndarray, y: float, s: float) -> np.ndarray:
        law = density(kind, y, s, s, math.nan)
        return np.append(law.logpdf(d), law.logcdf(limit))

    here = density(kind, y, s, s, math.nan)
    nodes, weights = np.polynomial.legendre.leggauss(400)
    low, high = max(limit, here.ppf(1e-15)), here.isf(1e-15)
    d = 0.5 * (high - low) * nodes + 0.5 * (high + low)
    h = 1e-5
    scores = np.array(
        [
            (log_law(d, y + h, s) - log_law(d, y - h, s)) / (2 * h),
            (log_law(d, y, s + h) - log_law(d, y, s - h)) / (2 * h),
        ]
    )
    probability = np.append(0.5 * max(high - low, 0.0) * weights * here.pdf(d), here.cdf(limit))
    expected = (scores * probability) @ scores.T
    seen = observations([1.0], [max(limit, 2.2)], error=kind, lloq=limit)
    slope, zero = np.array([[0.0, 1.0]]), np.zeros((1, 2))
    noise = (
        Noise(np.zeros(1), np.array([s]), zero, slope)
        if kind == "add"
        else Noise(np.array([s]), np.zeros(1), slope, zero)
    )
    root = information_root(plan(seen, "m3"), Prediction(np.array([y]), np.array([[1.0, 0.0]])), noise)
    np.testing.assert_allclose(root.T @ root, expected, rtol=1e-6, atol=1e-8)


def test_information_without_a_limit_is_that_of_a_normal_variable() -> None:
    prediction, noise = model(np.zeros(2))
    noise = for_kind("add", noise)
    seen = observations(np.arange(5.0), [2.5, 3.5, 1.2, 3.0, 2.0])
    root = information_root(plan(seen, "m3"), prediction, noise)
    j, b = prediction.derivative / 0.3, noise.d_additive / 0.3
    np.testing.assert_allclose(root.T @ root, j.T @ j + 2 * b.T @ b, rtol=1e-12)


def test_rules_for_censored_values() -> None:
    prediction, noise = model(np.array([0.2, -0.1]))
    noise = for_kind("combined", noise)
    censored = [False, True, False, True, False]
    seen, _ = data("combined", censored)

    def with_values(values: dict[int, float], keep: list[int]) -> float:
        dv = seen.dv.copy()
        for i, value in values.items():
            dv[i] = value
        return sum(
            -2
            * density("combined", prediction.value[i], noise.proportional[i], noise.additive[i], 0).logpdf(
                dv[i]
            )
            for i in keep
        )

    value = {rule: evaluate(plan(seen, rule), prediction, noise).value for rule in ("drop", "half", "zero")}
    assert value["drop"] == pytest.approx(with_values({}, [0, 2, 4]), rel=1e-12)
    assert value["half"] == pytest.approx(with_values({1: 0.75, 3: 0.75}, [0, 1, 2, 3, 4]), rel=1e-12)
    assert value["zero"] == pytest.approx(with_values({1: 0.0, 3: 0.0}, [0, 1, 2, 3, 4]), rel=1e-12)
    assert plan(seen, "drop").count == 3
    with pytest.raises(ValueError, match="blq is 'm4'; accepted are m3, drop, half, zero"):
        plan(seen, "m4")


@pytest.mark.parametrize("prediction", [1e-300, 1e-9, 1.0, 1e3, 1e5])
def test_censored_values_far_from_their_limit_stay_finite(prediction: float) -> None:
    seen = observations([1.0], [1.0], error="add", censored=[True], lloq=1.0)
    flat, slope = np.zeros((1, 1)), np.ones((1, 1))
    found = evaluate(
        plan(seen, "m3"),
        Prediction(np.array([prediction]), slope),
        Noise(np.zeros(1), np.full(1, 0.1), flat, flat),
    )
    assert (
        math.isfinite(found.value)
        and np.isfinite(found.gradient).all()
        and np.isfinite(found.curvature).all()
    )
    if prediction > 1e2:
        # Far above the limit -2 ln Phi(z) is z^2 to leading order.
        assert found.gradient[0] == pytest.approx(2 * (prediction - 1.0) / 0.01, rel=1e-3)


def test_a_value_reported_below_the_limit_is_scored_as_measured() -> None:
    below = observations([1.0], [0.7], error="add", lloq=1.0)
    scoring = plan(below, "m3")
    assert scoring.quantified[0] and scoring.limit[0] == -np.inf


def test_a_prediction_of_zero_has_no_proportional_error() -> None:
    seen = observations([0.25], [0.5], error="prop")
    flat = np.zeros((1, 1))
    found = evaluate(
        plan(seen, "m3"), Prediction(np.zeros(1), flat), Noise(np.full(1, 0.1), np.zeros(1), flat, flat)
    )
    assert isinstance(found, Failure)
    assert "the prediction at 0.25 h is 0" in found.reason and "additive" in found.suggestion


def test_a_censored_zero_under_a_proportional_error_is_certain() -> None:
    seen = observations([0.25], [0.5], error="prop", censored=[True], lloq=0.5)
    flat = np.zeros((1, 1))
    prediction, noise = Prediction(np.zeros(1), flat), Noise(np.full(1, 0.1), np.zeros(1), flat, flat)
    assert evaluate(plan(seen, "m3"), prediction, noise).value == 0.0
    assert not information_root(plan(seen, "m3"), prediction, noise).any()


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (observations([1.0], [math.nan]), "no value that can be scored"),
        (observations([1.0], [1.0], censored=[True]), "neither the data nor the spec"),
        (observations([1.0], [0.0], error="lognormal"), "not above 0"),
        (observations([1.0], [1.0], error="given"), "no standard deviation above 0"),
    ],
)
def test_observations_without_a_likelihood_are_named(seen: Observations, words: str) -> None:
    found = obstacle(seen, plan(seen, "m3"))
    assert found is not None and words in found and "1 h" in found


def test_nothing_to_score_is_said() -> None:
    seen = observations([1.0], [1.0], censored=[True], lloq=1.0)
    assert obstacle(seen, plan(seen, "drop")) == "no observation is scored"
    with pytest.raises(ValueError, match="error is 'poisson'"):
        observations([1.0], [1.0], error="poisson")


PRIORS = [
    (Prior("lognormal", {"median": 2.0, "sdlog": 0.7}), "log", 0.3, 9.0),
    (Prior("lognormal", {"median": 2.0, "sdlog": 0.7}), "natural", 0.3, 9.0),
    (Prior("normal", {"mean": 2.0, "sd": 1.5}), "log", 0.3, 9.0),
    (Prior("normal", {"mean": 2.0, "sd": 1.5}), "natural", -1.0, 9.0),
    (Prior("normal", {"mean": 2.0, "sd": 0.1}), "natural", 2.5, 3.0),
    (Prior("halfnormal", {"sd": 1.5}), "natural", 0.0, 4.0),
    (Prior("halfnormal", {"sd": 1.5}), "log", 0.1, 4.0),
    (Prior("beta", {"a": 2.5, "b": 1.5}), "natural", 0.0, 0.9),
    (Prior("beta", {"a": 1.0, "b": 3.0}), "natural", 0.0, 1.0),
    (Prior("uniform", {"low": 0.5, "high": 4.0}), "natural", 1.0, 5.0),
    (Prior("uniform", {"low": 0.5, "high": 4.0}), "log", 1.0, 5.0),
]


@pytest.mark.parametrize(("prior", "scale", "low", "high"), PRIORS)
def test_priors_integrate_to_one_between_the_bounds(
    prior: Prior, scale: str, low: float, high: float
) -> None:
    ends = [math.log(low), math.log(high)] if scale == "log" else [low, high]

    def density(x: float) -> float:
        return math.exp(log_density(prior, scale, low, high, x).value)

    assert quad(density, *ends, epsabs=1e-12, limit=200)[0] == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize(("prior", "scale", "low", "high"), PRIORS)
def test_slopes_of_priors(prior: Prior, scale: str, low: float, high: float) -> None:
    low, high = max(low, 0.5), min(high, 4.0)
    x, h = (math.log(low * high) / 2, 1e-4) if scale == "log" else ((low + high) / 2 * 0.95, 1e-4)
    near = [log_density(prior, scale, low, high, x + i * h).value for i in (-1, 0, 1)]
    found = log_density(prior, scale, low, high, x)
    assert found.slope == pytest.approx((near[2] - near[0]) / (2 * h), rel=1e-5, abs=1e-6)
    assert found.curvature == pytest.approx((near[2] - 2 * near[1] + near[0]) / h**2, rel=1e-4, abs=1e-5)


def test_outside_its_support_a_prior_is_impossible() -> None:
    prior = Prior("uniform", {"low": 0.5, "high": 4.0})
    assert log_density(prior, "natural", 0.0, 5.0, 4.5).value == -math.inf
    with pytest.raises(ValueError, match="leave nothing"):
        log_density(prior, "natural", 4.5, 5.0, 4.6)
    space = ParameterSpace((FittedParameter("x", parse_unit("1"), 0.0, 5.0, 1.0, "natural", prior),), True)
    assert (space.lower[0], space.upper[0]) == (0.5, 4.0)


def test_the_mode_of_a_lognormal_prior_on_a_log_scale_is_its_median() -> None:
    # The convention of `map`: density of the estimated quantity, here of ln(theta).
    prior = Prior("lognormal", {"median": 2.0, "sdlog": 0.7})
    assert log_density(prior, "log", 0.1, 50.0, math.log(2.0)).slope == pytest.approx(0.0, abs=1e-15)
    assert log_density(prior, "natural", 0.1, 50.0, 2.0 * math.exp(-0.49)).slope == pytest.approx(
        0.0, abs=1e-12
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((2.0, 1.0, 1.5, "log"), "low is below high"),
        ((-1.0, 1.0, 0.5, "log"), "bound of 0 or more"),
        ((0.0, 1.0, 0.0, "log"), "above 0 on a log scale"),
        ((0.0, 1.0, 0.5, "logit"), "accepted are 'log' and 'natural'"),
    ],
)
def test_wrong_parameters_are_refused(arguments: tuple, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FittedParameter("x", parse_unit("1"), *arguments)


def test_bounds_survive_the_logarithm() -> None:
    parameter = FittedParameter("x", parse_unit("1"), 0.1, 0.3, 0.7)
    space = ParameterSpace((parameter,))
    assert space.to_natural(space.start)[0] == 0.3  # a start outside is moved to the bound, exactly
    assert space.at_bound(space.start) == ("upper",)
    open_ = ParameterSpace((FittedParameter("x", parse_unit("1"), 0.0, math.inf, 0.7),))
    assert open_.at_bound(open_.start) == ("no",) and open_.reach[0] == 2.0
