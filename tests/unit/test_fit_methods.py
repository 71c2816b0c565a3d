"""The methods of a fit beside the default one: differences, SciPy's trust region, CMA-ES."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_case import call, study
from fit_standin import Oral, observations, oral_parameters

from pbpkc.compiler.driver import compile_file
from pbpkc.experiment.data import read_dataset
from pbpkc.experiment.scenario import experiment, parameter_vector
from pbpkc.infer import Failure, FitObservable, FitOptions, FitProblem, FitResult, assemble, draw, fit
from pbpkc.infer.compiled_predictor import CompiledPredictor
from pbpkc.infer.differences import SCIPY_DEFAULT, SOUND, DifferencePredictor, Scheme
from pbpkc.infer.output import document
from pbpkc.infer.problem import FitSubject
from pbpkc.infer.transform import ParameterSpace
from pbpkc.infer.trust_region import TrustRegion
from pbpkc.jobs import methods
from pbpkc.jobs.method_names import METHODS, READ_BY
from pbpkc.jobs.methods import MethodOptions, with_method
from pbpkc.runtime.load import load_numpy
from pbpkc.solve.options import SolverOptions

TIMES = np.array([0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 24.0])
TRUTH = np.array([1.2, 0.05, 0.45])

#: Those that a solver alone carries.
BASELINES = [name for name in METHODS if name not in ("least-squares", "pinn", "mi-pinn")]


@pytest.fixture(scope="module")
def theophylline(request: pytest.FixtureRequest) -> FitProblem:
    stages = compile_file(request.getfixturevalue("specs") / "theophylline_oral.pbpk", torch=False)
    data = read_dataset(stages.model)
    return assemble(load_numpy(stages.generated), replace(data, subjects=data.subjects[:2]))


def closed_form(error: str, fixed: float | None, seed: int = 3, **more: object) -> FitProblem:
    """A problem whose predictions are exact."""
    model = Oral(TIMES, 4.0, "add" if error == "add" else "prop", fixed)
    theta = TRUTH if fixed is not None else np.append(TRUTH, 0.3 if error == "add" else 0.05)
    dv, _ = draw(
        model.reference(theta), model.noise(theta), (error,) * len(TIMES), np.random.default_rng(seed)
    )
    subject = FitSubject("1", observations(TIMES, dv, error, **more), model)
    return FitProblem(oral_parameters(fixed is None), (subject,), (FitObservable("C", "mg/L"),))


def estimates(result: FitResult) -> np.ndarray:
    return np.array([row.estimate for row in result.estimates])


@pytest.mark.parametrize(
    "method", [pytest.param(m, marks=[pytest.mark.long] if m == "cma-es" else []) for m in BASELINES]
)
def test_every_method_finds_the_optimum(theophylline: FitProblem, method: str) -> None:
    options = FitOptions(starts=1)
    best = fit(theophylline, options)
    other = fit(with_method(theophylline, method, options=options), options)
    assert other.outcome == "done", [one.reason for one in other.fits]
    assert other.options["method"] == method
    np.testing.assert_allclose(estimates(other), estimates(best), rtol=1e-4)
    # Whatever the search saw, what is said of the estimate is exact.
    one, two = (r.fits[0].identifiability.parameters[0].bound for r in (best, other))
    assert two == pytest.approx(one, rel=1e-3)
    assert other.fits[0].key != best.fits[0].key


def test_differences_are_derivatives() -> None:
    problem = closed_form("prop", 0.05)
    space = ParameterSpace(problem.parameters)
    exact = problem.subjects[0].predictor
    slope = exact.predict(TRUTH).derivative
    for scheme, within in ((Scheme("central"), 1e-6), (SOUND, 2e-3), (SCIPY_DEFAULT, 1e-6)):
        found = DifferencePredictor(exact, space, scheme).predict(TRUTH).derivative
        np.testing.assert_allclose(found, slope, atol=within * np.abs(slope).max(axis=0).max(), rtol=within)


def test_differences_stay_within_the_bounds() -> None:
    problem = closed_form("prop", 0.05)
    space = ParameterSpace(problem.parameters)
    asked: list[np.ndarray] = []

    class Listening(Oral):
        def reference(self, theta: np.ndarray) -> np.ndarray | Failure:
            asked.append(theta)
            return super().reference(theta)

    for corner in (space.lower, space.upper):
        theta = space.to_natural(corner)
        for scheme in (Scheme("central"), SOUND, SCIPY_DEFAULT):
            found = DifferencePredictor(Listening(TIMES, 4.0, "prop", 0.05), space, scheme).predict(theta)
            exact = problem.subjects[0].predictor.predict(theta).derivative
            np.testing.assert_allclose(found.derivative, exact, rtol=1e-2, atol=1e-3 * np.abs(exact).max())
    low, high = space.to_natural(space.lower), space.to_natural(space.upper)
    assert all(((low <= theta) & (theta <= high)).all() for theta in asked)


def test_a_failing_difference_is_a_failure() -> None:
    space = ParameterSpace(oral_parameters(False))
    broken = Oral(TIMES, 4.0, "prop", 0.05, broken_above=1.2)
    found = DifferencePredictor(broken, space).predict(TRUTH)
    assert isinstance(found, Failure) and "the solver stopped" in found.reason


def test_schemes_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="kind is 'both'; accepted are"):
        Scheme("both")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"step is 1\.0; accepted is 0 to 0\.1"):
        Scheme("central", 1.0)


def test_the_default_step_is_below_the_error_of_a_solver(specs: Path, figure: Callable[..., None]) -> None:
    """The trap: SciPy's default step on a solver at its usual tolerances."""
    stages = compile_file(specs / "paracetamol.pbpk", torch=False)
    model = load_numpy(stages.generated)
    columns = [model.parameter_index[name] for name in ("vmax_ugt", "ka")]
    times = np.array([0.25, 0.5, 1, 2, 4, 8.0])
    p = parameter_vector(model)

    def predictor(rtol: float) -> CompiledPredictor:
        return CompiledPredictor(
            model, p, np.array(columns), experiment(stages.model, "po_1g").regimen, times,
            np.zeros(6, dtype=np.int64), np.arange(6), SolverOptions(rtol=rtol),
        )  # fmt: skip

    masked = {m["name"]: m for m in model.manifest["parameters"] if m["mask"]}
    space = ParameterSpace(
        tuple(
            replace(problem, name=name, low=masked[name]["mask"]["low"], high=masked[name]["mask"]["high"],
                    start=masked[name]["value"])
            for name, problem in zip(("vmax_ugt", "ka"), oral_parameters(False), strict=False)
        )
    )  # fmt: skip
    exact = predictor(1e-12).predict(p[columns]).derivative

    def error(rtol: float, scheme: Scheme) -> float:
        found = DifferencePredictor(predictor(rtol), space, scheme).predict(p[columns]).derivative
        return float(np.max(np.abs(found - exact) / np.abs(exact).max(axis=0)))

    for rtol in (1e-6, 1e-8, 1e-10):
        sound, default = error(rtol, SOUND), error(rtol, SCIPY_DEFAULT)
        figure(f"derivative by differences over 1e-3 at rtol {rtol:g}, relative error", sound, below=2e-3)
        figure(
            f"sound over default step: error of the derivative at rtol {rtol:g}", sound / default, below=1.0
        )
        assert sound < 2e-3
    assert error(1e-6, SCIPY_DEFAULT) > 0.05
    assert error(1e-8, SCIPY_DEFAULT) > 0.01


@pytest.mark.parametrize("jac", ["exact", "2-point"])
def test_the_trust_region_iterates_the_weights_of_a_proportional_error(jac: str) -> None:
    problem = closed_form("prop", 0.05)
    best, other = fit(problem), fit(replace(problem, search=TrustRegion(jac)))  # type: ignore[arg-type]
    assert other.outcome == "done"
    errors = np.array([row.standard_error for row in best.estimates])
    shift = np.abs(np.log(estimates(other) / estimates(best)))
    assert (shift < 0.25 * errors).all(), shift / errors
    assert len(other.fits[0].starts) == 1


def test_a_trust_region_says_why_it_cannot(theophylline: FitProblem) -> None:
    with pytest.raises(ValueError, match=r"the residual error is estimated \(s\).*--unmask s"):
        with_method(closed_form("prop", None), "trust-region")
    below = np.arange(len(TIMES)) == len(TIMES) - 1
    censored = closed_form("add", 0.3, censored=below, lloq=1.0)
    with pytest.raises(ValueError, match=r"1 values below quantification.*--blq drop"):
        with_method(censored, "trust-region")
    assert with_method(censored, "trust-region", options=FitOptions(blq="drop")).search.name
    with pytest.raises(ValueError, match="priors are no part of a sum of squares"):
        with_method(theophylline, "trust-region-default", options=FitOptions(estimator="map"))


def test_one_subject_that_is_no_sum_of_squares_is_left_out() -> None:
    problem = closed_form("add", 0.3)
    below = closed_form("add", 0.3, censored=np.arange(len(TIMES)) == 0, lloq=1.0).subjects[0]
    both = replace(problem, subjects=(problem.subjects[0], replace(below, id="2")))
    result = fit(with_method(both, "trust-region"))
    assert [one.outcome for one in result.fits] == ["converged", "failed"]
    assert "no sum of squares" in result.subjects[1].reason


def test_a_solver_that_fails_ends_a_trust_region_with_a_reason() -> None:
    problem = closed_form("prop", 0.05)
    broken = replace(
        problem,
        search=TrustRegion(),
        subjects=(replace(problem.subjects[0], predictor=Oral(TIMES, 4.0, "prop", 0.05, broken_above=0.2)),),
    )
    result = fit(broken)
    assert result.outcome == "failed" and "the solver stopped at 0.1 h" in result.fits[0].reason
    # Failing on the way only shortens its steps.
    partly = replace(problem.subjects[0], predictor=Oral(TIMES, 4.0, "prop", 0.05, broken_above=3.0))
    found = fit(replace(broken, subjects=(partly,)))
    assert found.outcome == "done"


def test_cma_is_determined_by_its_seed_and_changes_nothing_global() -> None:
    problem = with_method(closed_form("prop", 0.05), "cma-es", MethodOptions(budget=120, population=8))
    before = np.random.get_state()[1].tolist()
    one, again = fit(problem, FitOptions(seed=4)), fit(problem, FitOptions(seed=4))
    # As documents: a number that is not there is no number, and so not equal to itself.
    assert document(one) == document(again) and np.random.get_state()[1].tolist() == before
    best = fit(closed_form("prop", 0.05))
    np.testing.assert_allclose(estimates(one), estimates(best), rtol=1e-5)
    record = one.fits[0].starts[0]
    assert "evaluations of CMA-ES" in record.reason and "Fisher scoring" in record.reason
    assert 120 <= record.evaluations < 200
    other = fit(problem, FitOptions(seed=5))
    np.testing.assert_allclose(estimates(other), estimates(best), rtol=1e-5)


def test_cma_gets_around_what_fails_and_says_where_nothing_works() -> None:
    problem = with_method(closed_form("prop", 0.05), "cma-es", MethodOptions(budget=60))
    subject = problem.subjects[0]

    def broken(above: float) -> FitProblem:
        there = replace(subject, predictor=Oral(TIMES, 4.0, "prop", 0.05, broken_above=above))
        return replace(problem, subjects=(there,))

    assert fit(broken(2.0)).outcome == "done"
    nothing = fit(broken(0.01)).fits[0]
    assert nothing.outcome == "failed" and "evaluations succeeded: the solver stopped" in nothing.reason


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import pbpkc.infer.evolution as evolution

    monkeypatch.setattr(evolution, "find_spec", lambda name: None)
    with pytest.raises(
        ValueError, match=r"the package cma, which is not installed: pip install 'pbpkc\[fit\]'"
    ):
        with_method(closed_form("prop", 0.05), "cma-es")


def test_choices_are_read_or_refused() -> None:
    problem = closed_form("prop", 0.05)
    with pytest.raises(ValueError, match="method is 'newton'; accepted are least-squares, finite"):
        with_method(problem, "newton")
    with pytest.raises(ValueError, match="population is a choice of cma-es; the method is 'trust-region'"):
        with_method(problem, "trust-region", MethodOptions(population=9))
    with pytest.raises(ValueError, match="population is 2; accepted is an integer of at least 3"):
        with_method(problem, "cma-es", MethodOptions(population=2))
    assert set(READ_BY) == set(MethodOptions.__dataclass_fields__)
    assert {name for names in READ_BY.values() for name in names} <= set(METHODS)
    assert methods.METHODS is METHODS


def test_the_command_lists_runs_and_refuses(tmp_path: Path) -> None:
    study(tmp_path)
    told = "".join(call("fit", "--help", cwd=tmp_path).out.replace("│", " ").split())
    for name in METHODS:
        assert name in told, name
    ran = call("fit", "model.pbpk", "--method", "cma-es", "--budget", "40", "--format", "json", cwd=tmp_path)
    assert ran.code == 0 and "after 4" in ran.out and '"method": "cma-es"' in ran.out
    wrong = call("fit", "model.pbpk", "--population", "9", cwd=tmp_path)
    assert wrong.code == 2 and "population is a choice of cma-es" in wrong.err
    unknown = call("fit", "model.pbpk", "--method", "newton", cwd=tmp_path)
    assert unknown.code == 2 and "accepted are least-squares" in unknown.err
