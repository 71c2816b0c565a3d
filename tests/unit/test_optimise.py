"""The bounded search and its inner problem, and where searches begin."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from fit_standin import Oral, bateman, observations, oral_parameters
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from pbpkc.infer import Failure, FittedParameter, SearchOptions
from pbpkc.infer.objective import Objective
from pbpkc.infer.observations import plan
from pbpkc.infer.optimise import Evaluation, minimise, minimise_together
from pbpkc.infer.quadratic import minimise_in_box
from pbpkc.infer.starts import starting_points, subject_seed
from pbpkc.infer.transform import ParameterSpace
from pbpkc.language.units import parse_unit

WIDE = np.full(2, 50.0)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_the_inner_problem_is_solved_exactly(seed: int, k: int) -> None:
    random = np.random.default_rng(seed)
    a = random.standard_normal((k + 2, k)) * 10.0 ** random.integers(-3, 4, k)
    hessian = a.T @ a + 1e-9 * np.diag(np.diag(a.T @ a))
    gradient = random.standard_normal(k) * np.sqrt(np.diag(hessian))
    lower, upper = -random.random(k) * (random.random(k) > 0.2), random.random(k)
    found = minimise_in_box(gradient, hessian, lower, upper)
    assert np.all((found >= lower) & (found <= upper))

    def value(d: np.ndarray) -> float:
        return float(gradient @ d + 0.5 * d @ hessian @ d)

    # Every choice of which variables are held at which bound: one of them is the answer.
    best = math.inf
    for held in itertools.product((None, 0, 1), repeat=k):
        d = np.array([0.0 if h is None else (lower, upper)[h][i] for i, h in enumerate(held)])
        free = np.array([h is None for h in held])
        if free.any():
            right = -gradient[free] - hessian[np.ix_(free, ~free)] @ d[~free]
            d[free] = np.linalg.solve(hessian[np.ix_(free, free)], right)
        if np.all((d >= lower) & (d <= upper)):
            best = min(best, value(d))
    scale = max(abs(best), float(np.abs(gradient) @ np.maximum(-lower, upper)))
    assert value(found) <= best + 1e-9 * scale


def rosenbrock(x: np.ndarray) -> Evaluation:
    """Sum of squares of (10 (y - x^2), 1 - x) with its Gauss-Newton curvature."""
    r = np.array([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])
    j = np.array([[-20.0 * x[0], 10.0], [-1.0, 0.0]])
    return Evaluation(x, float(r @ r), 2 * j.T @ r, 2 * j.T @ j)


def test_a_bent_valley_is_followed_to_its_end() -> None:
    found = minimise(rosenbrock, np.array([-1.2, 1.0]), -WIDE, WIDE, np.full(2, 5.0), SearchOptions())
    assert found.converged and found.evaluations < 60
    np.testing.assert_allclose(found.end.point, [1.0, 1.0], atol=1e-4)


def test_a_bound_is_reached_exactly_and_left_again() -> None:
    upper = np.array([0.5, 50.0])
    # The search starts on another bound, which it has to leave.
    found = minimise(rosenbrock, np.array([-50.0, 50.0]), -WIDE, upper, np.full(2, 50.0), SearchOptions())
    assert found.converged and found.end.point[0] == 0.5
    assert found.end.point[1] == pytest.approx(0.25, abs=1e-5)


def test_a_region_that_cannot_be_solved_is_kept_away_from() -> None:
    def broken(x: np.ndarray) -> Evaluation | Failure:
        if x[0] > 0.5:
            return Failure("the solver stopped", "raise max_steps")
        return rosenbrock(x)

    found = minimise(broken, np.array([-1.2, 1.0]), -WIDE, WIDE, np.full(2, 5.0), SearchOptions())
    # The best reachable point is on the edge of the region; whatever it says, it says what happened.
    assert found.end is not None and found.failures > 0
    assert found.end.point[0] > 0.4
    assert not found.converged and "the solver stopped" in found.reason and found.suggestion


def test_a_start_that_fails_is_an_outcome() -> None:
    def broken(x: np.ndarray) -> Failure:
        return Failure("the solver stopped at 0.1 h", "raise max_steps")

    found = minimise(broken, np.zeros(2), -WIDE, WIDE, WIDE, SearchOptions())
    assert found.end is None and not found.converged and found.evaluations == 1
    assert found.reason == "the start could not be evaluated: the solver stopped at 0.1 h"


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_values_that_are_not_finite_are_failures(bad: float) -> None:
    def odd(x: np.ndarray) -> Evaluation:
        here = rosenbrock(x)
        return here if x[0] < 0.0 else Evaluation(x, bad, here.gradient, here.curvature)

    found = minimise(odd, np.array([-1.2, 1.0]), -WIDE, WIDE, np.full(2, 5.0), SearchOptions())
    assert found.failures > 0 and math.isfinite(found.end.value)


def test_a_parameter_without_influence_stays_where_it_is() -> None:
    def flat(x: np.ndarray) -> Evaluation:
        return Evaluation(x, (x[0] - 2.0) ** 2, np.array([2 * (x[0] - 2.0), 0.0]), np.diag([2.0, 0.0]))

    found = minimise(flat, np.array([0.0, 0.7]), -WIDE, WIDE, WIDE, SearchOptions())
    assert found.converged and found.end.point[1] == 0.7
    assert found.end.point[0] == pytest.approx(2.0, abs=1e-5)


def test_too_few_evaluations_are_said_with_a_suggestion() -> None:
    options = SearchOptions(max_evaluations=12)
    found = minimise(rosenbrock, np.array([-1.2, 1.0]), -WIDE, WIDE, np.full(2, 5.0), options)
    assert not found.converged and found.evaluations == 12
    assert found.reason == "no minimum found within 12 evaluations" and found.suggestion
    assert found.end.value < rosenbrock(np.array([-1.2, 1.0])).value


def test_noise_of_the_solver_does_not_keep_a_search_going() -> None:
    random = np.random.default_rng(1)

    def noisy(x: np.ndarray) -> Evaluation:
        here = rosenbrock(x)
        return Evaluation(x, here.value + 1e-7 * random.standard_normal(), here.gradient, here.curvature)

    found = minimise(noisy, np.array([-1.2, 1.0]), -WIDE, WIDE, np.full(2, 5.0), SearchOptions())
    assert found.converged and found.evaluations < 80
    assert rosenbrock(found.end.point).value < 1e-6


TIMES = np.array([0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24])
TRUE = np.array([1.5, 0.04, 0.5, 0.05])


@pytest.mark.parametrize("error", ["prop", "add"])
@pytest.mark.parametrize("seed", range(4))
def test_every_start_a_factor_eight_off_reaches_the_optimum(error: str, seed: int) -> None:
    c, _ = bateman(TIMES, 4.5, *TRUE[:3])
    dv = c * (1 + 0.05 * np.random.default_rng(seed).standard_normal(len(TIMES)))
    space = ParameterSpace(oral_parameters())
    objective = Objective(space, Oral(TIMES, 4.5, error), plan(observations(TIMES, dv, error=error), "m3"))

    # An optimiser that shares nothing with the search but the objective, from the truth.
    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        theta = space.to_natural(x)
        here = objective.at(x, objective.predictor.predict(theta))
        return here.value, here.gradient

    truth = space.to_scaled(TRUE)
    bounds = list(zip(space.lower, space.upper, strict=True))
    other = minimize(value, truth, jac=True, method="L-BFGS-B", bounds=bounds,
                     options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 2000})  # fmt: skip
    for signs in itertools.product((-1.0, 1.0), repeat=3):
        start = space.clip(truth + math.log(8.0) * np.array([*signs, 1.0]))
        found = minimise(objective, start, space.lower, space.upper, space.reach, SearchOptions())
        assert found.converged, found.reason
        assert found.end.value <= other.fun + 1e-6
        assert found.evaluations <= 30


def test_the_error_model_costs_no_solves() -> None:
    c, _ = bateman(TIMES, 4.5, *TRUE[:3])
    seen = observations(TIMES, c * (1 + 0.05 * np.sin(7 * TIMES)), error="prop")
    space = ParameterSpace(oral_parameters())
    counts = []
    for sigma in (0.01, 0.05, 5.0):
        objective = Objective(space, Oral(TIMES, 4.5, "prop"), plan(seen, "m3"))
        start = space.to_scaled([*TRUE[:3], sigma])
        found = minimise(objective, start, space.lower, space.upper, space.reach, SearchOptions())
        assert found.converged and objective.solves == found.evaluations
        counts.append((objective.solves, found.end.value))
    # Wherever sigma begins, it is at its best before the first step, so the searches are the same.
    assert len({solves for solves, _ in counts}) == 1
    assert np.ptp([value for _, value in counts]) < 1e-9


def test_starts_are_reproducible_spread_and_inside_the_bounds() -> None:
    space = ParameterSpace(
        (*oral_parameters(), FittedParameter("n", parse_unit("1"), -1.0, 3.0, 0.5, "natural"))
    )
    points = starting_points(space, 9, subject_seed(7, "A"))
    np.testing.assert_array_equal(points[0], space.start)
    np.testing.assert_array_equal(points[:4], starting_points(space, 4, subject_seed(7, "A")))
    assert np.all((points >= space.lower) & (points <= space.upper))
    assert np.all(np.abs(points - space.start)[:, :4] <= math.log(8.0) + 1e-12)
    assert not np.array_equal(points[1:], starting_points(space, 9, subject_seed(7, "B"))[1:])
    # Eight points of a sequence of low discrepancy leave no half of any axis empty.
    low, high = (
        np.maximum(space.lower, space.start - math.log(8.0)),
        np.minimum(space.upper, space.start + math.log(8.0)),
    )
    share = (points[1:, :3] - low[:3]) / (high - low)[:3]
    assert np.all((share < 0.5).sum(axis=0) >= 2) and np.all((share > 0.5).sum(axis=0) >= 2)
    assert subject_seed(7, "A") == subject_seed(7, "A") != subject_seed(8, "A")
    with pytest.raises(ValueError, match="starts is 0"):
        starting_points(space, 0, 1)


def test_searches_in_step_end_where_each_ends_alone() -> None:
    lower, upper, reach = np.full(2, -5.0), np.full(2, 5.0), np.full(2, 1.0)
    starts = [np.array([-4.0, 4.0]), np.array([0.1, 0.0]), np.array([3.0, -2.0])]
    asked: list[int] = []

    def one(point: np.ndarray) -> Evaluation | Failure:
        if point[0] > 2.5:
            return Failure("too far")
        r = np.array([10.0 * (point[1] - point[0] ** 2), 1.0 - point[0]])
        j = np.array([[-20.0 * point[0], 10.0], [-1.0, 0.0]])
        return Evaluation(point, float(r @ r), 2.0 * j.T @ r, 2.0 * j.T @ j)

    def several(numbers: Sequence[int], points: Sequence[np.ndarray]) -> list[Evaluation | Failure]:
        asked.append(len(numbers))
        return [one(point) for point in points]

    options = SearchOptions()
    together = minimise_together(several, starts, lower, upper, reach, options)
    alone = [minimise(one, start, lower, upper, reach, options) for start in starts]
    assert together[2].end is None
    for a, b in zip(together, alone, strict=True):
        assert (a.converged, a.evaluations, a.reason) == (b.converged, b.evaluations, b.reason)
        if a.end is not None and b.end is not None:
            assert np.array_equal(a.end.point, b.end.point)
    assert asked[0] == 3
    assert sum(asked) == sum(one.evaluations for one in together)
