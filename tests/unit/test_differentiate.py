"""First derivatives: of expressions against closed forms, of systems against forward-mode evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import awkward_systems
import hand_systems
import numpy as np
import pytest
import sympy as sp

from pbpkc.check.reference_values import Points, TrialFunction, reference_values
from pbpkc.check.sampling import sample_points, trial_functions
from pbpkc.check.traced import Array, Traced, Tracer
from pbpkc.compiler.differentiate import Derivatives, differentiate
from pbpkc.compiler.gradient import Gradient, Gradients, power_log, power_slope
from pbpkc.compiler.system import System
from pbpkc.language.diagnostics import InternalError

x, y, v, k, n = sp.symbols("x y v k n", real=True)


def gradient(expr: sp.Expr) -> Gradient:
    return Gradients().of(expr)


@pytest.mark.parametrize(
    "expr",
    [
        3 * x**2 * y - y / x,
        sp.exp(-k * x) * sp.sin(y * x) + sp.cos(x) ** 3,
        sp.log(1 + x * y) / sp.log(10) + sp.sqrt(x + y),
        v * x / (k + x) + v * x / (k * (1 + y / n) + x),
        sp.tanh(x * y) + sp.tan(x),
        (x + y) ** sp.Rational(3, 4) / (1 + 2**x),
        x / (x + y) / (k + v),
    ],
)
def test_smooth_expressions_have_the_derivatives_of_calculus(expr: sp.Expr) -> None:
    found = gradient(expr)
    for symbol in expr.free_symbols:
        slope = sp.sympify(found.get(symbol, 0)).replace(power_slope, lambda b, n: n * b ** (n - 1))
        assert sp.simplify(slope - sp.diff(expr, symbol)) == 0


def test_a_symbol_that_is_not_there_is_not_in_the_gradient() -> None:
    assert gradient(sp.Integer(3)) == {}
    assert set(gradient(x * y - x * y + k)) == {k}


def test_michaelis_menten_has_one_term_whose_sign_can_be_read_off() -> None:
    found = gradient(v * x / (k + x))
    assert found[x] == v * k / (k + x) ** 2
    assert found[k] == -v * x / (k + x) ** 2


def test_hill_has_one_term_too() -> None:
    hill = v * x**n / (k**n + x**n)
    assert found_terms(gradient(hill)[x]) == 1


def found_terms(expr: sp.Expr) -> int:
    return len(sp.Add.make_args(sp.fraction(sp.together(expr))[0]))


def test_an_exponent_has_a_derivative_at_an_empty_compartment() -> None:
    slope = gradient(x**n)[n]
    assert slope == power_log(x, n)


def test_a_power_below_one_has_a_slope_at_an_empty_compartment() -> None:
    assert gradient(x**n)[x] == power_slope(x, n)
    assert gradient(sp.sqrt(x + y))[y] == power_slope(x + y, sp.Rational(1, 2))
    # What is never steep stays the plain derivative: whole and larger exponents, and parameters alone.
    assert gradient(x**-2)[x] == -2 / x**3
    assert gradient(x ** sp.Rational(5, 2))[x] == sp.Rational(5, 2) * x ** sp.Rational(3, 2)
    assert Gradients((), frozenset({k, n})).of((k / 3) ** n)[k] == n * (k / 3) ** (n - 1) / 3
    assert Gradients((), frozenset({k, n})).of((x / k) ** n)[x] == power_slope(x / k, n) / k


def test_edges_take_the_side_the_generated_code_takes() -> None:
    assert gradient(sp.Max(0, x))[x].subs(x, 2) == 1
    assert gradient(sp.Max(0, x))[x].subs(x, -2) == 0
    # At a tie both sides have a derivative, and one of them is given: never their mean.
    assert gradient(sp.Max(0, x))[x].subs(x, 0) in (0, 1)
    assert gradient(sp.Min(x, y, k))[y].subs({x: 3, y: 1, k: 2}) == 1
    assert gradient(sp.Min(x, y, k))[y].subs({x: 0, y: 1, k: 2}) == 0
    assert gradient(sp.Abs(x))[x] == sp.sign(x)
    assert gradient(sp.floor(x) * y) == {y: sp.floor(x)}
    assert gradient(sp.sign(x)) == {}


def test_an_if_is_differentiated_branch_by_branch() -> None:
    expr = sp.Piecewise((x**2, x < y), (3 * y, True))
    assert gradient(expr)[x] == sp.Piecewise((2 * x, x < y), (0, True))
    assert gradient(expr)[y] == sp.Piecewise((0, x < y), (3, True))


def test_unknown_terms_have_named_partial_derivatives() -> None:
    system = awkward_systems.edges()
    absorbed, pump = (u.function for u in system.unknowns)
    found = Gradients(system.unknowns).of(absorbed(x**2, y) * pump(x))
    by_c, by_exp, by_pump = (
        sp.Function(f"d_{name}") for name in ("absorbed_d_c", "absorbed_d_exp", "pump_d_c")
    )
    assert found[x] == 2 * x * by_c(x**2, y) * pump(x) + absorbed(x**2, y) * by_pump(x)
    assert found[y] == by_exp(x**2, y) * pump(x)


def test_a_function_without_derivative_is_a_fault_of_ours() -> None:
    with pytest.raises(InternalError, match="power_log"):
        gradient(power_log(x, y))
    with pytest.raises(InternalError, match="power_slope"):
        gradient(power_slope(x, y))
    with pytest.raises(InternalError, match="no unknown term"):
        gradient(sp.Function("nobody")(x))


SYSTEMS = {
    "oral": hand_systems.oral,
    "circulation": hand_systems.circulation,
    "saturable": hand_systems.saturable,
    "chemistry": hand_systems.chemistry,
    "edges": awkward_systems.edges,
    "scaled": awkward_systems.scaled_by_weight,
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_derivative_of_a_system_equals_forward_mode(name: str) -> None:
    """Symbolic entries, evaluated as they stand, against derivatives carried along with the values."""
    system = SYSTEMS[name]()
    derivatives = differentiate(system)
    points, _ = sample_points(system, seed=3, points=8)
    trials = trial_functions(system)
    expected = reference_values(system, points, trials).quantities
    evaluate = _evaluator(system, derivatives, points, trials)
    for quantity in ("jacobian", "d_rhs_dp", "d_observe_dy", "d_observe_dp", "d_noise_dp", "d_initial_dp"):
        entries = getattr(derivatives, quantity)
        assert list(entries) == sorted(entries)
        dense = np.zeros_like(expected[quantity].value)
        for (i, j), expr in entries.items():
            dense[:, i, j] = evaluate(expr)
        error = np.abs(dense - expected[quantity].value)
        assert np.all(error <= 1e-12 * expected[quantity].size), quantity


def test_constants_are_differentiated_as_a_program() -> None:
    system = awkward_systems.edges()
    derivatives = differentiate(system)
    names = [p.name for p in system.parameters]
    found = [(system.constants[i].name, names[k]) for i, k in derivatives.constant_entries]
    assert found == [
        ("blood.volume", "volume"),
        ("rate.constant", "vmax"),
        ("rate.constant", "km"),
        ("rate.constant", "volume"),
    ]
    # The chain rule reads the earlier entry, so nothing is expanded.
    assert derivatives.constants[0].symbol in derivatives.constants[3].expr.free_symbols


def test_what_weight_does_not_change_has_no_derivative_by_weight() -> None:
    system = awkward_systems.scaled_by_weight()
    derivatives = differentiate(system)
    weight = [p.name for p in system.parameters].index("BW")
    assert not [key for key in derivatives.d_rhs_dp if key[1] == weight]
    assert (0, weight) in derivatives.d_observe_dp


def _evaluator(
    system: System, derivatives: Derivatives, points: Points, trials: Mapping[str, TrialFunction]
) -> Callable[[sp.Expr], Array]:
    """Values of symbolic derivatives: partials of unknown terms and derivative constants included."""
    count = len(points)
    none = np.zeros((count, 0))

    def known(values: Array) -> Traced:
        return Traced(values, np.abs(values), none, none)

    leaves = {system.time: known(points.t)}
    for group, columns in (
        (system.states, points.y),
        (system.parameters, points.p),
        (system.inputs, points.u),
    ):
        leaves |= {entry.symbol: known(columns[:, i]) for i, entry in enumerate(group)}
    functions = {}
    for unknown in system.unknowns:
        trial, zeros = trials[unknown.name], tuple(np.zeros(count) for _ in unknown.arguments)
        functions[unknown.name] = lambda *a, trial=trial, zeros=zeros: (trial(*a), zeros)
        for i, argument in enumerate(unknown.arguments):
            functions[f"d_{unknown.name}_d_{argument.name}"] = lambda *a, trial=trial, zeros=zeros, i=i: (
                trial.partials(*a)[i],
                zeros,
            )
    tracer = _WithPowers(leaves, count, 0, functions)
    for assignment in (*system.constants, *system.curves, *derivatives.constants):
        tracer.define(assignment.symbol, assignment.expr)
    return lambda expr: tracer.of(sp.sympify(expr)).value


class _WithPowers(Tracer):
    def _compute(self, expr: sp.Expr) -> Traced:
        if isinstance(expr, (power_log, power_slope)):
            base, exponent = (self.of(a).value for a in expr.args)
            log = isinstance(expr, power_log)
            value = base**exponent * np.log(base) if log else exponent * base ** (exponent - 1.0)
            return Traced(value, np.abs(value), np.zeros((len(value), 0)), np.zeros((len(value), 0)))
        return super()._compute(expr)
