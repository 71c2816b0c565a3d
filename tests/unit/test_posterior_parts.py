"""The parts of a posterior: coordinates, convergence, weights, quantiles of mixtures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pbpkc.infer.posterior_bands import measured_band
from pbpkc.infer.posterior_delayed import delayed_chain
from pbpkc.infer.posterior_diagnostics import bulk_ess, split_r_hat, thinned, weighted_quantiles
from pbpkc.infer.posterior_importance import pareto_smoothed
from pbpkc.infer.unbounded import Unbounded

INF = math.inf


def test_coordinates_without_bounds_and_back() -> None:
    at = Unbounded(np.array([-1.0, 0.0, -INF, -INF]), np.array([3.0, INF, 2.0, INF]))
    point = np.array([0.5, 4.0, -1.0, 7.0])
    z = at.lift(point)
    placed = at.place(z)
    assert placed.point == pytest.approx(point, rel=1e-12)
    step = 1e-6
    for i in range(4):
        up, down = (at.place(z + sign * step * np.eye(4)[i]) for sign in (1, -1))
        assert (up.point[i] - down.point[i]) / (2 * step) == pytest.approx(placed.slope[i], rel=1e-8)
        slope = (up.log_jacobian - down.log_jacobian) / (2 * step)
        assert slope == pytest.approx(placed.log_slope[i], abs=1e-8)
        bend = -(up.log_slope[i] - down.log_slope[i]) / (2 * step)
        assert bend == pytest.approx(placed.bend[i], abs=1e-8)
    assert placed.log_jacobian == pytest.approx(np.sum(np.log(np.abs(placed.slope))))
    # All bounds finite takes a shorter way to the same numbers.
    both = Unbounded(np.array([-1.0]), np.array([3.0])).place(z[:1])
    assert both.point[0] == placed.point[0] and both.bend[0] == placed.bend[0]
    assert both.log_jacobian == pytest.approx(math.log(placed.slope[0]), rel=1e-12)


def test_points_at_bounds_come_inside_and_nothing_overflows() -> None:
    at = Unbounded(np.array([0.0, 0.0]), np.array([1.0, INF]))
    assert np.isfinite(at.lift(np.array([1.0, 0.0]))).all()
    for z in (-800.0, 800.0):
        placed = at.place(np.full(2, z))
        assert np.isfinite(placed.point).all() and np.isfinite(placed.log_jacobian)


def autoregressive(rho: float, shape: tuple[int, int], seed: int = 1) -> np.ndarray:
    e = np.random.default_rng(seed).standard_normal(shape)
    x = np.empty(shape)
    x[:, 0] = e[:, 0]
    for i in range(1, shape[1]):
        x[:, i] = rho * x[:, i - 1] + math.sqrt(1 - rho**2) * e[:, i]
    return x


@pytest.mark.parametrize("rho", [0.0, 0.7, -0.5])
def test_the_effective_number_of_an_autoregressive_chain(rho: float) -> None:
    x = autoregressive(rho, (4, 5000))
    assert bulk_ess(x) == pytest.approx(20000 * (1 - rho) / (1 + rho), rel=0.12)


def test_plain_figures_agree_with_those_of_pyro() -> None:
    # Ranks of normal draws are close to the draws, so both say the same.
    import torch
    from pyro.ops import stats as other

    x = autoregressive(0.5, (4, 2000))
    there = torch.from_numpy(x)
    assert bulk_ess(x) == pytest.approx(float(other.effective_sample_size(there, 0, 1)), rel=0.05)
    assert split_r_hat(x) == pytest.approx(float(other.split_gelman_rubin(there, 0, 1)), abs=1e-3)


def test_chains_that_disagree_are_told() -> None:
    x = autoregressive(0.0, (4, 500))
    assert split_r_hat(x) < 1.01
    assert split_r_hat(x + np.array([0, 0, 0, 0.5])[:, None]) > 1.02  # in location
    assert split_r_hat(x * np.array([1, 1, 1, 2.0])[:, None]) > 1.02  # in spread
    assert split_r_hat(x + np.linspace(0, 1, 500)) > 1.02  # still moving
    assert math.isnan(split_r_hat(np.ones((4, 50)))) and math.isnan(bulk_ess(np.ones((4, 50))))


@pytest.mark.parametrize("k", [0.2, 0.6, 1.0])
def test_the_shape_of_a_tail_is_found(k: float) -> None:
    ratio = stats.genpareto.rvs(k, size=20000, random_state=np.random.default_rng(2))
    found = pareto_smoothed(np.log(ratio))
    assert found.k == pytest.approx(k, abs=0.12) and found.trustworthy == (k < 0.7)


def test_smoothed_weights() -> None:
    generator = np.random.default_rng(4)
    x = generator.standard_normal(4000) * 1.2
    found = pareto_smoothed(stats.norm.logpdf(x) - stats.norm.logpdf(x, 0, 1.2))
    assert found.weight.sum() == pytest.approx(1.0) and found.k < 0.5
    assert found.weight @ x**2 == pytest.approx(1.0, abs=0.07)
    assert 2000 < found.effective < 4000
    alike = pareto_smoothed(np.full(100, -7.0))
    assert alike.effective == pytest.approx(100) and alike.trustworthy and alike.k == -INF
    some = pareto_smoothed(np.array([0.0] * 60 + [-INF] * 20 + [math.nan] * 20))
    assert some.weight[60:].sum() == 0.0 and some.effective == pytest.approx(60)
    # One draw that outweighs all others is no sample.
    assert not pareto_smoothed(np.concatenate([[30.0], -np.arange(99.0)])).trustworthy
    with pytest.raises(ValueError, match="no finite entry"):
        pareto_smoothed(np.full(10, -INF))


def test_delayed_acceptance_leaves_the_exact_density_invariant() -> None:
    def exact(x: np.ndarray) -> float:
        return float(stats.norm.logpdf(x[0], 1.0, 0.5))

    def fast(x: np.ndarray) -> float:
        return -0.5 * (x[0] - 0.5) ** 2 / 0.8**2

    made = delayed_chain(fast, exact, np.zeros(1), 0.8 * np.eye(1), 4000, 100, np.random.default_rng(0))
    worth = bulk_ess(made.points.T)
    assert worth > 500 and 0 < made.accepted < made.asked <= 4100
    assert made.points.mean() == pytest.approx(1.0, abs=4 * 0.5 / math.sqrt(worth))
    assert made.points.std() == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(2 * worth))


def test_weighted_quantiles() -> None:
    x = np.random.default_rng(0).standard_normal(4000)
    levels = np.array([0.025, 0.5, 0.975])
    even = weighted_quantiles(x, np.full(4000, 0.1), levels)
    assert even == pytest.approx(np.quantile(x, levels, method="hazen"), rel=1e-12)
    # Weights that make a wider distribution of it.
    weights = np.exp(stats.norm.logpdf(x, 0.3, 0.8) - stats.norm.logpdf(x))
    assert weighted_quantiles(x, weights, levels)[1] == pytest.approx(0.3, abs=0.06)


def test_thinning_is_even_and_bounded() -> None:
    assert thinned(5, 10).tolist() == [0, 1, 2, 3, 4]
    assert thinned(1001, 11).tolist() == list(range(0, 1001, 100))


def test_new_measurements_follow_the_mixture_of_their_error_models() -> None:
    y, a, b = np.array([[2.0, 2.0]]), np.array([[0.1, 0.3]]), np.array([[0.5, 0.0]])
    found = measured_band(y, a, b, np.array([False, True]), np.ones(1))
    sd = math.hypot(0.2, 0.5)
    assert found[0] == pytest.approx([2 - 1.959964 * sd, 2 + 1.959964 * sd], rel=1e-6)
    assert found[1] == pytest.approx([2 * math.exp(-1.959964 * 0.3), 2 * math.exp(1.959964 * 0.3)], rel=1e-6)
    # Two draws of different weight, against the distribution function of their mixture.
    y, zero, b = np.array([[0.0], [3.0]]), np.zeros((2, 1)), np.array([[1.0], [0.2]])
    low, high = measured_band(y, zero, b, np.array([False]), np.array([3.0, 1.0]))[0]
    for end, level in ((low, 0.025), (high, 0.975)):
        mass = 0.75 * stats.norm.cdf(end) + 0.25 * stats.norm.cdf(end, 3.0, 0.2)
        assert mass == pytest.approx(level, abs=1e-9)
