"""What data can and cannot tell: verdicts and combinations against models with known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import lambertw

from pbpkc.infer import FittedParameter
from pbpkc.infer.covariance import spread
from pbpkc.infer.identifiability import Identifiability, judge
from pbpkc.infer.transform import ParameterSpace
from pbpkc.infer.verdict_words import verdict_words
from pbpkc.language.units import parse_unit

NORMAL = 1.959963984540054
TIMES = np.linspace(0.5, 12.0, 12)


def space(*rows: tuple[str, str], scale: str = "log") -> ParameterSpace:
    low = 1e-12 if scale == "log" else -math.inf
    return ParameterSpace(
        tuple(FittedParameter(name, parse_unit(unit), low, math.inf, 1.0, scale) for name, unit in rows)
    )


def michaelis_menten(c0: float, vmax: float, km: float) -> tuple[np.ndarray, np.ndarray]:
    """Concentrations after a bolus into one compartment, and their derivatives by ln vmax and ln km.

    Km ln C + C = Km ln C0 + C0 - Vmax t, solved by Lambert's function (Schnell & Mendoza 1997).
    """
    # With C0 far below Km the argument is small and W(x) loses nothing.
    c = km * lambertw(c0 / km * np.exp((c0 - vmax * TIMES) / km)).real
    d_vmax = -TIMES / (km / c + 1.0)
    # ln(C0/C) = (Vmax t + C - C0) / Km, so the derivative by Km loses no digits where C is near C0.
    d_km = (vmax * TIMES + c - c0) / km / (km / c + 1.0)
    return c, np.stack([vmax * d_vmax, km * d_km], axis=1)


def root(c: np.ndarray, slope: np.ndarray, cv: float = 0.05) -> np.ndarray:
    """Of the information of a lognormal error."""
    return slope / c[:, None] / cv


@pytest.mark.parametrize("c0", [1e-12, 1e-6, 1e-3, 1e-1, 1.0, 10.0])
@pytest.mark.parametrize("order", ["vmax first", "km first"])
def test_far_below_km_only_the_quotient_is_determined(c0: float, order: str) -> None:
    vmax, km = 20.0, 100.0
    r = root(*michaelis_menten(c0, vmax, km))
    names = [("vmax", "umol/h"), ("km", "umol/L")]
    theta = np.array([vmax, km])
    if order == "km first":
        names, theta, r = names[::-1], theta[::-1], r[:, ::-1]
    found = judge(space(*names), theta, r, NORMAL)
    assert not any(v.identifiable for v in found.parameters)
    (quotient,) = found.combinations
    assert (quotient.text, quotient.unit, quotient.kind) == ("vmax / km", "L/h", "product")
    assert quotient.estimate == pytest.approx(0.2, rel=1e-12)
    assert quotient.ci_low < 0.2 < quotient.ci_high
    assert found.rank == (1 if c0 <= 1e-3 else 2)
    if c0 <= 1e-3:
        # As if a first-order elimination alone had been estimated: ln C falls by k t, so that the
        # standard error of ln k is cv / (k sqrt(sum t^2)).
        first_order = 0.05 / (0.2 * math.sqrt(np.sum(TIMES**2)))
        assert quotient.standard_error == pytest.approx(first_order, rel=0.02)
        assert quotient.ci_high == pytest.approx(0.2 * math.exp(NORMAL * quotient.standard_error), rel=1e-12)
    told = " ".join(verdict_words(found))
    assert "vmax is not determined" in told and "km is not determined" in told
    assert "Determined is vmax / km = 0.2 L/h (95 % interval" in told


def test_around_km_both_are_determined() -> None:
    found = judge(space(("vmax", "umol/h"), ("km", "umol/L")), np.array([20.0, 10.0]),
                  root(*michaelis_menten(100.0, 20.0, 10.0)), NORMAL)  # fmt: skip
    assert all(v.identifiable and v.bound < 0.5 for v in found.parameters)
    assert found.combinations == () and verdict_words(found) == () and found.rank == 2


def test_the_bound_is_that_of_the_inverse_information() -> None:
    r = root(*michaelis_menten(20.0, 20.0, 100.0))
    found = judge(space(("vmax", "umol/h"), ("km", "umol/L")), np.array([20.0, 100.0]), r, NORMAL, 1.5)
    inverse = np.linalg.inv(r.T @ r)
    for i, verdict in enumerate(found.parameters):
        assert verdict.bound == pytest.approx(math.sqrt(inverse[i, i]), rel=1e-6)
    c = np.array([1.0, -1.0])
    (quotient,) = found.combinations
    # The interval is widened by n / (n - p) where least squares asks for it, the bound is not.
    assert quotient.standard_error == pytest.approx(math.sqrt(1.5 * c @ inverse @ c), rel=1e-6)


def linear(weights: list[list[float]], theta: list[float], *rows: tuple[str, str]) -> object:
    """The verdict where ln y_i is a linear function of the log parameters."""
    return judge(space(*rows), np.array(theta), np.array(weights) / 0.05, NORMAL)


ABC = (("a", "1/h"), ("b", "L"), ("c", "1"))


def test_a_product_of_three() -> None:
    found = linear([[1, 1, 1]] * 4, [2.0, 3.0, 4.0], *ABC)
    (product,) = found.combinations
    assert (product.text, product.unit, found.rank) == ("a * b * c", "L/h", 1)
    assert product.estimate == pytest.approx(24.0) and product.standard_error == pytest.approx(0.025)


def test_three_weak_parameters_and_two_combinations() -> None:
    found = linear([[1, 1, 0], [0, 1, 1]] * 3, [2.0, 3.0, 4.0], *ABC)
    assert not any(v.identifiable for v in found.parameters) and found.rank == 2
    assert len(found.combinations) == 2
    vectors = []
    for one in found.combinations:
        weights = dict(one.weights)
        vectors.append([weights.get(name, 0.0) for name in "abc"])
        assert one.estimate == pytest.approx(
            math.prod(v ** weights.get(n, 0) for n, v in zip("abc", (2, 3, 4), strict=True))
        )
    # Both lie in the plane of what is seen, and are not the same.
    seen = np.array([[1, 1, 0], [0, 1, 1]])
    assert np.linalg.matrix_rank(np.vstack([seen, vectors])) == 2 and np.linalg.matrix_rank(vectors) == 2


def test_squares_are_found() -> None:
    (found,) = linear([[2, -1, 0], [0, 0, 1]] * 3, [2.0, 3.0, 4.0], *ABC).combinations
    assert (found.text, found.unit) == ("b / a^2", "L*h^2") or (found.text, found.unit) == (
        "a^2 / b",
        "1/L/h^2",
    )
    assert found.text == "a^2 / b"  # a rate, not its inverse


def test_determined_parameters_take_no_part() -> None:
    found = linear([[1, -1, 0], [0, 0, 1], [0, 0, 2]] * 3, [2.0, 3.0, 4.0], *ABC)
    assert [v.identifiable for v in found.parameters] == [False, False, True]
    assert [one.text for one in found.combinations] == ["a / b"]


def test_what_no_observation_depends_on_is_named() -> None:
    found = linear([[1, 0, 0], [2, 0, 1e-9]] * 3, [2.0, 3.0, 4.0], *ABC)
    assert [v.identifiable for v in found.parameters] == [True, False, False]
    assert found.parameters[1].why == "no observation depends on it"
    assert found.parameters[2].why == "no observation depends on it noticeably"
    assert "b is not determined: no observation depends on it." in verdict_words(found)
    assert found.combinations == () and found.rank == 1 and math.isnan(found.parameters[1].bound)


def test_nothing_at_all_is_seen() -> None:
    found = linear([[0, 0, 0]] * 3, [2.0, 3.0, 4.0], *ABC)
    assert found.rank == 0 and not any(v.identifiable for v in found.parameters)


def test_two_pathways_side_by_side_are_determined_as_a_sum() -> None:
    # Elimination by v1 / k1 + v2 / k2 with the k known: k1 = 1, k2 = 4.
    theta = [3.0, 8.0]
    total = theta[0] + theta[1] / 4
    row = [theta[0] / total, theta[1] / 4 / total]
    found = linear([row] * 6, theta, ("v1", "umol/h"), ("v2", "umol/h"))
    (one,) = found.combinations
    assert (one.text, one.kind, one.unit) == ("v1 + 0.25 * v2", "sum", "umol/h")
    assert one.estimate == pytest.approx(5.0) and one.standard_error == pytest.approx(0.05 / math.sqrt(6))


def test_a_weak_bystander_is_left_out_of_a_sum() -> None:
    theta = [3.0, 8.0, 20.0]
    rows = [[0.6, 0.4, 0.01]] * 6 + [[0.6, 0.4, 0.05]]
    found = linear(rows, theta, ("v1", "umol/h"), ("v2", "umol/h"), ("ka", "1/h"))
    assert not found.parameters[2].identifiable
    (one,) = found.combinations
    assert one.text == "v1 + 0.25 * v2"


def test_real_exponents_where_no_whole_ones_will_do() -> None:
    found = linear([[1.0, 0.37]] * 6, [3.0, 8.0], ("a", "1/h"), ("b", "L"))
    (one,) = found.combinations
    assert (one.text, one.unit) == ("a * b^0.37", "(1/h) * (L)^0.37")
    assert one.estimate == pytest.approx(3.0 * 8.0**0.37)


def two(best: float, alone: float) -> Identifiability:
    """ln a + best ln b is seen with a standard deviation of 0.3, ln b with `alone`."""
    rows = np.array([[1.0 / 0.3, best / 0.3], [0.0, 1.0 / alone]])
    return judge(space(("a", "1/h"), ("b", "L")), np.array([3.0, 8.0]), rows, NORMAL)


def test_a_half_where_the_data_hardly_tell_it_from_the_best_exponent() -> None:
    # With a half the variance is 0.3^2 + (0.02 * 5)^2, whose root is 5 % more; with one it is 0.48 * 5 more.
    found = two(0.52, 5.0)
    (one,) = found.combinations
    assert (one.text, one.unit) == ("a * b^0.5", "(1/h) * (L)^0.5")
    assert one.relative_error == one.standard_error == pytest.approx(math.hypot(0.3, 0.1), rel=1e-6)
    assert one.beside == "a * b" and one.beside_error == pytest.approx(math.hypot(0.3, 0.48 * 5.0), rel=1e-6)
    assert verdict_words(found)[-2].endswith("; standard error 32 %).")
    assert verdict_words(found)[-1] == "a * b itself is not determined: its standard error is 240 %."


def test_the_best_exponent_where_the_data_tell_it_from_a_half() -> None:
    # With a half the root of the variance would be 20 % more. The principal direction turns a little to b.
    (one,) = two(0.54, 5.0).combinations
    assert one.text == "a * b^0.542" and one.standard_error == pytest.approx(0.3, rel=1e-3)


def test_a_quotient_is_told_with_what_is_known_better() -> None:
    found = judge(space(("vmax", "umol/h"), ("km", "umol/L")), np.array([20.0, 100.0]),
                  root(*michaelis_menten(10.0, 20.0, 100.0)), NORMAL)  # fmt: skip
    (quotient,) = found.combinations
    assert (quotient.text, quotient.beside) == ("vmax / km", "vmax / km^0.955")
    assert quotient.beside_error < quotient.relative_error / 3.0
    assert verdict_words(found)[-1] == "vmax / km^0.955 is determined better, to 1 %."


def test_of_many_parameters_the_leading_are_told() -> None:
    weights = [0.31, 1.0, 0.43, -0.77, 0.59]
    rows = [(name, "1/h") for name in "abcde"]
    found = linear([weights] * 6, [2.0, 3.0, 4.0, 5.0, 6.0], *rows)
    (one,) = found.combinations
    assert len(one.weights) == 5 and one.leading == "b * e^0.59 / d^0.77"
    assert "Determined is a product of 5 parameters, chiefly b * e^0.59 / d^0.77 (standard error 2 %)." in (
        verdict_words(found)
    )


def test_hopeless_data_have_no_combination() -> None:
    found = judge(space(*ABC), np.array([2.0, 3.0, 4.0]), np.diag([0.01, 0.02, 0.03]), NORMAL)
    assert found.combinations == () and found.rank == 3
    assert verdict_words(found)[-1] == "No combination of them is determined either."
    assert "its Cramer-Rao bound is 10000 % of the estimate" in verdict_words(found)[0]


def test_sums_of_parameters_on_a_natural_scale() -> None:
    parameters = space(("a", "umol/h"), ("b", "umol/h"), ("t0", "h"), scale="natural")
    r = np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 0.0], [0.0, 0.0, 5.0]]) / 0.1
    found = judge(parameters, np.array([2.0, -0.5, 3.0]), r, NORMAL)
    assert [v.identifiable for v in found.parameters] == [False, False, True]
    (one,) = found.combinations
    assert (one.text, one.unit, one.estimate) == ("a + b", "umol/h", 1.5)
    assert one.standard_error == pytest.approx(0.1 / math.sqrt(5))
    assert one.ci_high - one.ci_low == pytest.approx(2 * NORMAL * 0.1 / math.sqrt(5))


def test_a_natural_estimate_of_zero_has_no_relative_bound() -> None:
    found = judge(space(("a", "1"), scale="natural"), np.array([0.0]), np.array([[10.0]]), NORMAL)
    assert not found.parameters[0].identifiable and "its estimate is 0" in found.parameters[0].why


def test_units_do_not_change_the_verdict() -> None:
    r = root(*michaelis_menten(10.0, 20.0, 100.0))
    umol = judge(space(("vmax", "umol/h"), ("km", "umol/L")), np.array([20.0, 100.0]), r, NORMAL)
    # Estimates reach the fit in canonical units whatever the user wrote, so only the texts may differ.
    mg = judge(space(("vmax", "mg/min"), ("km", "ng/mL")), np.array([20.0, 100.0]), r, NORMAL)
    assert [v.bound for v in umol.parameters] == [v.bound for v in mg.parameters]
    assert umol.combinations[0].unit == mg.combinations[0].unit == "L/h"


def test_many_parameters_are_judged_in_good_time() -> None:
    # Twenty weak parameters in ten quotients.
    rows = [(f"p{i}", "1/h") for i in range(20)]
    weights = np.zeros((30, 20))
    for i in range(10):
        weights[3 * i : 3 * i + 3, 2 * i : 2 * i + 2] = [1.0, -1.0]
    found = linear(weights.tolist(), [float(i + 1) for i in range(20)], *rows)
    assert sorted(one.text for one in found.combinations) == sorted(
        f"p{2 * i} / p{2 * i + 1}" for i in range(10)
    )


def test_covariance_keeps_what_is_determined_beside_what_is_not() -> None:
    r = np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0], [1.0, -1.0, 1.0, 0.0]])
    found = spread(r, np.ones(4))
    covariance = found.covariance()
    assert found.rank == 2
    assert np.isnan(covariance[0]).all() and np.isnan(covariance[:, 3]).all()
    assert math.isfinite(covariance[2, 2])
    np.testing.assert_allclose(found.variances(np.array([[1.0, -1.0, 0, 0], [1.0, 1.0, 0, 0]]))[1:], [np.nan])
    full = spread(np.diag([1.0, 2.0, 4.0]), np.ones(3)).covariance()
    np.testing.assert_allclose(full, np.diag([1.0, 0.25, 0.0625]))


def test_a_plain_number_is_told_without_a_unit() -> None:
    # Two numbers of which only the product shows.
    rows = np.array([[1.0, 1.0], [2.0, 2.0]]) / 0.05
    found = judge(space(("f", "1"), ("g", "1")), np.array([0.5, 0.4]), rows, NORMAL)
    assert verdict_words(found)[2].startswith("Determined is f * g = 0.2 (95 % interval ")
