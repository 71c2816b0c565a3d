"""A fit on the differentiated kernel: the same predictions as the reference, and the same estimates."""

from __future__ import annotations

import importlib
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pbpkc.infer.compiled_predictor import CompiledPredictor
from pbpkc.infer.kernel_predictor import KernelPredictor
from pbpkc.infer.observations import Scoring
from pbpkc.infer.predictor import Noise, Prediction
from pbpkc.infer.problem import FitProblem
from pbpkc.infer.residual_scale import best_scale
from pbpkc.jobs.individuals import individuals
from pbpkc.jobs.loaded import load
from pbpkc.native.failure import NoKernel
from pbpkc.solve.options import SolverOptions

# The package offers the function under the module's name.
assembling = importlib.import_module("pbpkc.infer.assemble")

SPEC = Path(__file__).parents[2] / "specs" / "theophylline_oral.pbpk"


def _problem(method: str) -> FitProblem:
    loaded = load(SPEC)
    data = individuals(loaded, next(n for n, s in loaded.model.scenarios.items() if s.data is not None))
    try:
        return assembling.assemble(loaded.compiled, data, SolverOptions(method=method, rtol=1e-9))  # type: ignore[arg-type]
    except NoKernel as error:
        pytest.skip(error.reason)


def test_predictions_and_derivatives_agree_with_the_reference() -> None:
    """For each subject, at two points side by side; and after a trip to another process."""
    fast, slow = _problem("kernel"), _problem("reference")
    start = np.array([p.start for p in fast.parameters])
    thetas = [start, 1.3 * start]
    for mine, exact in zip(fast.subjects, slow.subjects, strict=True):
        predictor = pickle.loads(pickle.dumps(mine.predictor))
        assert isinstance(predictor, KernelPredictor)
        assert type(exact.predictor) is CompiledPredictor
        for theta, one in zip(thetas, predictor.predict_many([0, 1], thetas), strict=True):
            other = exact.predictor.predict(theta)
            assert isinstance(one, Prediction)
            assert isinstance(other, Prediction)
            np.testing.assert_allclose(one.value, other.value, rtol=1e-6, atol=1e-9)
            size = np.abs(other.derivative).max(axis=0) + 1e-12
            np.testing.assert_allclose(one.derivative / size, other.derivative / size, atol=2e-6)


def test_auto_takes_the_kernel_where_it_repays_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says why not where it does not, or where there is none."""
    assert _problem("auto").provenance["solved_by"]["method"] == "kernel"  # type: ignore[index]
    monkeypatch.setattr(assembling, "WORTH_COMPILING", 10**6)
    assert "too short" in _problem("auto").provenance["solved_by"]["reason"]  # type: ignore[index]
    monkeypatch.undo()

    def none(*_: object) -> None:
        raise NoKernel("no C compiler was found")

    monkeypatch.setattr(assembling, "rosenbrock_kernel", none)
    assert _problem("auto").provenance["solved_by"] == {
        "method": "reference",
        "reason": "no C compiler was found",
    }


def _scoring(dv: np.ndarray) -> Scoring:
    n = len(dv)
    no, yes = np.zeros(n, dtype=bool), np.ones(n, dtype=bool)
    return Scoring(np.arange(n) * 1.0, dv, yes, no, np.full(n, -np.inf), no, no, np.zeros(n))


def test_best_residual_has_its_closed_form() -> None:
    """The root of the mean of squares for an additive error; None where the parameter is no factor."""
    dv, y = np.array([1.0, 2.5, 2.0, 4.5]), np.array([1.2, 2.0, 2.5, 4.0])
    prediction = Prediction(y, np.zeros((4, 1)))
    zero, one = np.zeros(4), np.ones((4, 1))
    additive = Noise(zero, np.full(4, 0.3), np.zeros((4, 1)), one)
    found = best_scale(_scoring(dv), prediction, additive, 0, 0.3)
    assert found == pytest.approx(np.sqrt(np.mean((dv - y) ** 2)), rel=1e-12)
    proportional = Noise(np.full(4, 0.1), zero, one, np.zeros((4, 1)))
    found = best_scale(_scoring(dv), prediction, proportional, 0, 0.1)
    assert found == pytest.approx(np.sqrt(np.mean((dv / y - 1.0) ** 2)), rel=1e-12)
    both = Noise(np.full(4, 0.1), np.full(4, 0.3), one, np.zeros((4, 1)))
    assert best_scale(_scoring(dv), prediction, both, 0, 0.1) is None
    censored = replace(_scoring(dv), censored=np.array([True, False, False, False]))
    assert best_scale(censored, prediction, additive, 0, 0.3) is None
