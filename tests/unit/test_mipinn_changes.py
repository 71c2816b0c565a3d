"""Trained models where a value changes during a run: steps are followed, lines and estimates refused."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from mipinn_case import OPTIONS, SPEC

from pbpkc import load
from pbpkc.engines.mipinn.fast import FastModel
from pbpkc.engines.mipinn.predictor import FastPredictor
from pbpkc.engines.mipinn.range_check import outside
from pbpkc.engines.mipinn.training import Training, train
from pbpkc.experiment.bind import bind
from pbpkc.experiment.changes import ChangeEvent
from pbpkc.experiment.regimen import Regimen
from pbpkc.infer.compiled_predictor import CompiledPredictor
from pbpkc.infer.predictor import Failure, Prediction
from pbpkc.jobs.loaded import LoadedModel
from pbpkc.jobs.meta_train import MetaTrainJob, family_of
from pbpkc.language.expression import Name
from pbpkc.language.units import ONE
from pbpkc.solve.options import SolverOptions

TIMES = np.array([0.5, 1.0, 3.0, 5.0, 6.0, 8.0, 12.0, 24.0])
SWITCHED = SPEC.replace("param km", "input leak = 0 [1/h] in (0, 1) [1/h]\nparam km").replace(
    "flow exchange",
    "process leaking : central -> gone  rate leak * central.A\nflow exchange",
) + (
    "scenario switched from po { set leak = 0.2 [1/h] at 4 [h] for 3 [h] }\n"
    "covariate warm = 1 in (0.5, 2) hold linear\n"
    "process sweat : central -> gone  rate 0.05 [1/h] * warm * central.A\n"
    "scenario feverish from po { set warm = 2 at 8 [h] }\n"
)


@lru_cache(maxsize=1)
def trained(folder: str) -> tuple[LoadedModel, Regimen, Training]:
    path = Path(folder) / "switched.pbpk"
    path.write_text(SWITCHED)
    model = load(path)
    compiled, family = family_of(model, MetaTrainJob(("switched",)))
    return model, family.patterns[0].regimen, train(compiled, family, OPTIONS)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[LoadedModel, Regimen, Training]:
    return trained(str(tmp_path_factory.mktemp("switched")))


def predictor(
    made: tuple[LoadedModel, Regimen, Training], regimen: Regimen, names: tuple[str, ...] = ("ka", "vmax")
) -> FastPredictor:
    model, _, training = made
    compiled = model.compiled
    columns = np.array([compiled.parameter_index[n] for n in names])
    exact = CompiledPredictor(
        compiled, compiled.parameters(), columns, regimen, TIMES, np.zeros(len(TIMES), dtype=np.int64),
        np.arange(len(TIMES)) + 10, SolverOptions(rtol=1e-10),
    )  # fmt: skip
    return FastPredictor(exact, FastModel(compiled, training.model, [0], columns.astype(np.intp), "galerkin"))


def test_steps_are_followed(made: tuple[LoadedModel, Regimen, Training]) -> None:
    fast = predictor(made, made[1])
    assert {"change of leak", "bolus into gut.X"} <= set(made[2].model.kinds)
    for factor in (1.0, 1.7):
        theta = fast.exact.base[fast.exact.columns] * np.array([factor, 1.0 / factor])
        a, b = fast.predict(theta), fast.exact.predict(theta)
        assert isinstance(a, Prediction) and isinstance(b, Prediction)
        assert np.max(np.abs(a.value / b.value - 1.0)) < 2e-4
        assert np.max(np.abs(a.derivative - b.derivative) / np.abs(b.derivative).max(0)) < 2e-3


def test_a_value_that_training_did_not_see_is_said(made: tuple[LoadedModel, Regimen, Training]) -> None:
    compiled = made[0].compiled
    other = Regimen(made[1].doses, changes=(ChangeEvent("leak", "last", 0.9, 4.0, 3.0),))
    p = compiled.parameters()
    bound = bind(other, dict(zip(compiled.parameter_names, p.tolist(), strict=True)))
    assert outside(made[2].model, compiled, p, bound) == (
        "leak changes to 0.9 1/h, outside what it changed to in training, 0 to 0.2 1/h",
    )


def test_what_is_estimated_of_a_held_value_is_refused(made: tuple[LoadedModel, Regimen, Training]) -> None:
    fast = predictor(
        made, Regimen(made[1].doses, changes=(ChangeEvent("leak", "last", Name(ONE, "ka"), 4.0),))
    )
    found = fast.predict(fast.exact.base[fast.exact.columns])
    assert isinstance(found, Failure)
    assert "what 'leak' is during the run depends on a masked parameter" in found.reason


def test_training_refuses_a_line(made: tuple[LoadedModel, Regimen, Training]) -> None:
    with pytest.raises(ValueError, match="scenario 'feverish': 'warm' changes on a line"):
        family_of(made[0], MetaTrainJob(("feverish",)))
