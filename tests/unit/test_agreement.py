"""The check of generated code: it passes what is right, and finds whatever is wrong."""

from __future__ import annotations

import ast
from dataclasses import replace

import awkward_systems
import hand_systems
import numpy as np
import pytest
import sympy as sp
from generated_modules import SYSTEMS, compiled_stages, generated
from hand_systems import Draft
from sign_flips import unnoticed_flips, with_signs

from pbpkc.check.agreement import AgreementReport, agree, references_for
from pbpkc.check.reference_values import Points, reference_values
from pbpkc.check.sampling import sample_points
from pbpkc.check.traced import Traced, Tracer
from pbpkc.compiler.analyse import analyse
from pbpkc.compiler.generate import generate
from pbpkc.compiler.module import GeneratedModule
from pbpkc.compiler.simplify import simplify
from pbpkc.compiler.system import System

x, y = sp.symbols("x y", real=True)


@pytest.mark.parametrize("name", SYSTEMS)
def test_generated_code_agrees_with_the_equations(name: str) -> None:
    analysed, module = compiled_stages(name)
    report = agree(analysed, module)
    assert report.ok, report.failures
    assert report.points >= 20
    assert set(report.compared) == {"sparsity", "numpy", "numpy arrays", "torch", "torch autograd"}
    # Rounding alone stays three orders below what is allowed; a looser result would hide errors.
    assert report.worst is not None
    assert report.worst.ratio < 1e-14
    assert "agree at" in report.summary()


@pytest.mark.parametrize("name", SYSTEMS)
def test_any_flipped_sign_is_found(name: str) -> None:
    analysed, module = compiled_stages(name)
    references, _ = references_for(analysed)
    for target in ("numpy", "torch"):
        count, unnoticed = unnoticed_flips(module, references, target)
        assert count > 20
        assert not unnoticed, [str(term) for term in unnoticed]


def test_the_flips_are_all_there() -> None:
    """A count by hand, so that a term that is not flipped would be missed here."""
    text = (
        "from pbpkc.runtime.numpy_target import NumpyModule, nan\n"
        "class Module(NumpyModule):\n"
        "    def _rhs(self, t, y, p, u, c):\n"
        "        a, b = y[0], y[1]\n"
        "        k = p[0]\n"
        "        q = a*b/(k + b)\n"
        "        r = -q + 2*a - power(a - b, k)\n"
        "        return (\n            q,\n            -q - r,\n            0,\n            nan,\n        )\n"
    )
    changed, terms = with_signs(text)
    assert [t.text for t in terms] == [
        "a * b / (k + b)", "k", "b",
        "-q", "2 * a", "power(a - b, k)", "a", "b",
        "q", "-q", "r",
    ]  # fmt: skip
    assert changed.count("_sign(") == len(terms) + 1
    ast.parse(changed)


def test_a_wrong_sign_is_named_by_equation_and_point() -> None:
    analysed, module = compiled_stages("saturable")
    wrong = module.numpy_text.replace("-r_conjugation - r_sulfation,", "-r_conjugation + r_sulfation,")
    assert wrong != module.numpy_text
    report = agree(analysed, replace(module, numpy_text=wrong), torch=False)
    assert not report.ok
    assert {(f.target, f.quantity) for f in report.failures} == {("numpy", "rhs"), ("numpy arrays", "rhs")}
    failure = report.failures[0]
    assert failure.entry == "liver.D"
    assert failure.ratio > 1e-3
    text = report.summary()
    for part in ("rhs of liver.D", repr(failure.expected), repr(failure.found), f"at point {failure.point}"):
        assert part in text


def test_a_wrong_torch_text_is_found_by_autograd_too() -> None:
    analysed, module = compiled_stages("saturable")
    wrong = module.torch_text.replace("r_reflux = 2*bile_G", "r_reflux = 3*bile_G")
    report = agree(analysed, replace(module, torch_text=wrong))
    found = {(f.target, f.quantity) for f in report.failures}
    assert ("torch", "rhs") in found
    assert ("torch autograd", "jacobian") in found
    assert not [f for f in report.failures if f.target.startswith("numpy")]


@pytest.mark.parametrize("factor", [1.0 + 1e-11, 1.0 - 1e-10])
def test_a_wrong_digit_is_found(factor: float) -> None:
    analysed, module = compiled_stages("oral")
    wrong = module.numpy_text.replace("0.18016*", f"{0.18016 * factor!r}*")
    assert wrong != module.numpy_text
    assert not agree(analysed, replace(module, numpy_text=wrong), torch=False).ok


def test_an_entry_left_out_of_the_sparsity_is_found() -> None:
    analysed, module = compiled_stages("saturable")
    jacobian = module.manifest["jacobian"]
    shorter = {"rows": jacobian["rows"][:-1], "cols": jacobian["cols"][:-1]}
    wrong = replace(module, manifest={**module.manifest, "jacobian": shorter})
    report = agree(analysed, wrong, torch=False)
    assert {(f.target, f.quantity) for f in report.failures} >= {
        ("sparsity", "jacobian"),
        ("numpy", "jacobian"),
    }
    missing = next(f for f in report.failures if f.target == "sparsity")
    assert missing.entry == "urine.S by liver.D"


def test_a_value_that_is_not_a_number_is_found() -> None:
    analysed, module = compiled_stages("oral")
    wrong = module.numpy_text.replace("= gut_THEO*ka", "= nan*gut_THEO*ka")
    assert wrong != module.numpy_text
    report = agree(analysed, replace(module, numpy_text=wrong), torch=False)
    assert not report.ok
    assert max(f.ratio for f in report.failures) == np.inf


def test_a_wrong_default_of_an_unknown_term_is_found() -> None:
    analysed, module = compiled_stages("edges")
    wrong = module.numpy_text.replace("exp(-exp_/20)/(1 + c_/90)", "exp(-exp_/20)/(1 + c_/91)")
    assert wrong != module.numpy_text
    report = agree(analysed, replace(module, numpy_text=wrong), torch=False)
    assert "defaults" in {f.quantity for f in report.failures}


def test_without_torch_torch_is_not_compared() -> None:
    analysed, _ = compiled_stages("oral")
    module = generated(analysed.system, torch=False)
    assert "torch" not in agree(analysed, module, torch=False).compared
    with pytest.raises(ValueError, match="no torch text"):
        agree(analysed, module)


def test_the_same_seed_gives_the_same_report() -> None:
    analysed, module = compiled_stages("edges")
    assert agree(analysed, module, seed=4, torch=False) == agree(analysed, module, seed=4, torch=False)
    first, _ = sample_points(analysed.system, 4, 20)
    other, _ = sample_points(analysed.system, 5, 20)
    assert not np.array_equal(first.y, other.y)


# ---- simplified against original


def simplified(system: System) -> tuple[AgreementReport, GeneratedModule]:
    analysed = analyse(simplify(system))
    module = generate(analysed)
    return agree(analysed, module, original=system, torch=False), module


@pytest.mark.parametrize("name", ["oral", "circulation", "saturable", "chemistry", "scaled"])
def test_simplified_code_agrees_with_the_equations_before_simplification(name: str) -> None:
    report, _ = simplified(SYSTEMS[name]())
    assert report.ok, report.failures


def test_a_wrong_simplification_is_found() -> None:
    system = hand_systems.oral()
    rates = (replace(system.rates[0], expr=system.rates[0].expr * sp.Rational(1001, 1000)), system.rates[1])
    analysed = analyse(replace(system, rates=rates))
    report = agree(analysed, generate(analysed), original=system, torch=False)
    assert {f.quantity for f in report.failures} == {"rhs", "jacobian", "d_rhs_dp"}


def test_the_original_must_have_the_same_names() -> None:
    system = hand_systems.oral()
    analysed, module = compiled_stages("oral")
    other = replace(system, states=(replace(system.states[0], name="elsewhere"), *system.states[1:]))
    with pytest.raises(ValueError, match="original: its states"):
        agree(analysed, module, original=other)


# ---- points


def test_points_lie_where_they_are_said_to() -> None:
    system = awkward_systems.edges()
    points, _ = sample_points(system, seed=0, points=20)
    values = np.array([p.value for p in system.parameters])
    low = [p.mask.low if p.mask else (p.bounds or (-np.inf,))[0] for p in system.parameters]
    high = [p.mask.high if p.mask else (p.bounds or (0, np.inf))[1] for p in system.parameters]
    assert np.all((points.p >= low) & (points.p <= high))
    near = values != 0.0
    assert np.all(np.abs(points.p[:, near] / values[near] - 1) <= 0.2)
    assert np.all((points.p[:, ~near] >= 0.1) & (points.p[:, ~near] <= 1.0))
    assert np.all(points.y > 0.0)
    assert np.all(points.u >= 0.0)


def test_both_sides_of_conditions_are_seen_or_said_not_to_be() -> None:
    system = awkward_systems.edges()
    points, notes = sample_points(system, seed=0, points=20)
    assert notes == ()
    reference = reference_values(system, points, {u.name: _Constant() for u in system.unknowns}, slopes=False)
    assert len(reference.decisions) >= 6
    for condition, holds in reference.decisions.items():
        assert holds.any(), condition
        assert not holds.all(), condition

    d = Draft("never")
    d.parameter("k", 1.0)
    d.state("x")
    d.rate("r", sp.Piecewise((d["k"] * d["x"], d["x"] < 1e30), (5 * d["x"], True)), {"x": -1})
    d.output("y", d["x"])
    _, notes = sample_points(d.system(), seed=0, points=20)
    assert notes == ("x < 1.0e+30 is true at every point",)


class _Constant:
    def __call__(self, *arguments: np.ndarray) -> np.ndarray:
        return np.ones_like(arguments[0])

    def partials(self, *arguments: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(np.zeros_like(a) for a in arguments)


def test_a_slow_term_beside_a_fast_one_is_seen_or_said_not_to_be() -> None:
    def two_speeds(slow: float) -> System:
        d = Draft("speeds")
        d.parameter("fast", 1e13)
        d.parameter("slow", slow)
        for name in ("a", "b", "c"):
            d.state(name)
        d.rate("quick", d["fast"] * d["b"], {"b": -1, "c": 1})
        d.rate("creep", d["slow"] * d["a"], {"a": -1, "b": 1})
        d.output("y", d["b"])
        return d.system()

    points, notes = sample_points(two_speeds(1e-3), seed=0, points=20)
    assert notes == ()
    share = 1e-3 * points.y[:, 0] / (1e13 * points.y[:, 1])
    assert share.max() > 1e-9
    _, notes = sample_points(two_speeds(1e-20), seed=0, points=20)
    assert notes[0].startswith("creep is never more than")


def test_points_where_an_equation_overflows_are_left_out() -> None:
    d = Draft("overflow")
    d.parameter("k", 3.0)
    d.state("x")
    d.rate("r", sp.exp(d["k"] * d["x"]), {"x": -1})
    d.output("y", d["x"])
    points, _ = sample_points(d.system(), seed=0, points=20)
    assert np.isfinite(np.exp(points.p[:, 0] * points.y[:, 0])).all()
    assert len(points) >= 20


# ---- the plain evaluation itself


@pytest.mark.parametrize(
    "expr",
    [
        x * y**2 - y / x,
        sp.exp(-x) * sp.sin(y) + sp.cos(x * y),
        sp.log(1 + x) * sp.tanh(y),
        x**y,
        (x + y) ** sp.Rational(3, 4),
        sp.sqrt(x * y) / (1 + x**-2),
        sp.tan(x / 9),
        sp.Piecewise((x**2, x < y), (y**3, True)),
        sp.Min(x, y) * sp.Max(x, 2, y) + sp.Abs(x - y),
    ],
)
def test_plain_evaluation_gives_values_and_derivatives(expr: sp.Expr) -> None:
    at = {x: np.array([0.7, 2.5, 3.0]), y: np.array([1.1, 0.4, 6.0])}
    one = np.ones((3, 1))
    leaves = {
        x: Traced(at[x], at[x], np.hstack([one, 0 * one]), np.hstack([one, 0 * one])),
        y: Traced(at[y], at[y], np.hstack([0 * one, one]), np.hstack([0 * one, one])),
    }
    traced = Tracer(leaves, 3, 2).of(expr)
    for k in range(3):
        # Exact rational points, 30 digits, central differences with a step far below the tolerance.
        here = {s: sp.Rational(str(at[s][k])) for s in (x, y)}
        assert traced.value[k] == pytest.approx(float(sp.N(expr.subs(here), 30)), rel=1e-14)
        assert traced.size[k] >= abs(traced.value[k])
        for column, symbol in enumerate((x, y)):
            step = sp.Rational(1, 10**12)
            above, below = (expr.subs({**here, symbol: here[symbol] + s * step}) for s in (1, -1))
            slope = float((sp.N(above, 40) - sp.N(below, 40)) / (2 * step))
            assert traced.slope[k, column] == pytest.approx(slope, rel=1e-9, abs=1e-12)
            assert traced.slope_size[k, column] >= abs(traced.slope[k, column]) * (1 - 1e-12)


def test_sizes_are_sums_of_absolute_terms() -> None:
    at = Traced(np.array([3.0]), np.array([3.0]), np.zeros((1, 0)), np.zeros((1, 0)))
    tracer = Tracer({x: at, y: at}, 1, 0)
    assert tracer.of(x - y).value[0] == 0.0
    assert tracer.of(x - y).size[0] == 6.0
    assert tracer.of(2 * (x - y)).size[0] == 12.0


def test_a_term_without_default_needs_a_function_here_too() -> None:
    system = awkward_systems.edges()
    points, _ = sample_points(system, seed=0, points=3)
    with pytest.raises(ValueError, match="'pump' has no default"):
        reference_values(system, Points(points.t, points.y, points.p, points.u))
