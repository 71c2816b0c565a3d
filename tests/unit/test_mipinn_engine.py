"""A trained model against the reference solver: values, derivatives, other schedules, refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mipinn_case import OPTIONS, SPEC, loaded, rows, trained, write

from pbpkc import load
from pbpkc.engines.mipinn import checkpoint
from pbpkc.engines.mipinn.candidates import Candidates
from pbpkc.engines.mipinn.family import draw_task
from pbpkc.engines.mipinn.fast import FastModel, Unseen
from pbpkc.engines.mipinn.least_squares import LeastSquaresHead, _Problem
from pbpkc.engines.mipinn.material import gather
from pbpkc.engines.mipinn.predictor import FastPredictor
from pbpkc.engines.mipinn.selection import hold_out, judge_task
from pbpkc.engines.mipinn.tasks import bound
from pbpkc.infer.compiled_predictor import CompiledPredictor
from pbpkc.infer.predictor import Prediction
from pbpkc.jobs.meta_train import MetaTrainJob, family_of
from pbpkc.language.diagnostics import SpecError
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.timeline import timeline

TIMES = np.array([0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 24.0])


def predictors(
    scenario: str, head: str = "galerkin", **training: object
) -> tuple[FastPredictor, CompiledPredictor]:
    family, made = trained(scenario, **training)  # type: ignore[arg-type]
    compiled = loaded().compiled
    pattern = family.patterns[0]
    columns = np.array([compiled.parameter_index[n] for n in ("ka", "vmax", "s")])
    exact = CompiledPredictor(
        compiled, compiled.parameters(), columns, pattern.regimen, TIMES,
        np.zeros(len(TIMES), dtype=np.int64), np.arange(len(TIMES)) + 10, SolverOptions(rtol=1e-10),
    )  # fmt: skip
    solved = columns[exact.shapes_prediction].astype(np.intp)
    return FastPredictor(exact, FastModel(compiled, made.model, [0], solved, head)), exact


@pytest.mark.parametrize("scenario", ["po", "iv", "qid"])
def test_values_and_derivatives_are_those_of_the_reference_solver(scenario: str) -> None:
    fast, exact = predictors(scenario)
    base = exact.base[exact.columns]
    for factor in (1.0, 0.6, 1.9):
        theta = base * np.array([factor, 1.0 / factor, 1.0])
        a, b = fast.predict(theta), exact.predict(theta)
        assert isinstance(a, Prediction) and isinstance(b, Prediction)
        assert np.max(np.abs(a.value / b.value - 1.0)) < 1e-4
        # An infusion into the blood leaves nothing for absorption to do.
        size = np.abs(b.derivative).max(0)
        moves = size > 0.0
        assert moves.tolist() == [scenario != "iv", True, False]
        assert np.max(np.abs(a.derivative - b.derivative)[:, moves] / size[moves]) < 1e-3
        assert not a.derivative[:, ~moves].any()


def test_derivatives_are_those_of_what_the_head_computes() -> None:
    fast, exact = predictors("po")
    theta = exact.base[exact.columns] * np.array([1.3, 0.8, 1.0])
    here = fast.predict(theta)
    assert isinstance(here, Prediction)
    for k in range(2):
        step = np.zeros(3)
        step[k] = 1e-4 * theta[k]
        up, down = fast.predict(theta + step), fast.predict(theta - step)
        assert isinstance(up, Prediction) and isinstance(down, Prediction)
        difference = (up.value - down.value) / (2.0 * step[k])
        scale = np.abs(difference).max()
        assert np.max(np.abs(difference - here.derivative[:, k])) < 2e-6 * scale


def test_the_least_squares_head_solves_the_same_problem_less_well() -> None:
    galerkin, exact = predictors("po")
    squares, _ = predictors("po", "least-squares")
    theta = exact.base[exact.columns] * 1.2
    truth = exact.predict(theta)
    assert isinstance(truth, Prediction)
    errors = []
    for one in (galerkin, squares):
        found = one.predict(theta)
        assert isinstance(found, Prediction)
        errors.append(float(np.max(np.abs(found.value / truth.value - 1.0))))
    assert errors[0] < errors[1] < 1e-2


def test_residuals_weighed_together_keep_what_a_fast_exchange_would_lose(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_text(SPEC.replace("at 8 [L/h]", "at 1000 [L/h]"))
    options = replace(OPTIONS, tasks=40, held_out=4, features=(8,))
    compiled, family = family_of(load(path), MetaTrainJob(("po",), options=options))
    material = gather(compiled, family, options)
    model = Candidates(compiled, family, material, options).model(1, 8)
    fast = FastModel(compiled, model, None, np.zeros(0, dtype=np.intp), "least-squares")
    assert isinstance(fast.solver, LeastSquaresHead)
    structure, reads, errors = fast.solver.structure, fast.solver.reads, []
    for together in (False, True):
        fast.solver = LeastSquaresHead(structure, reads, together)
        squares = np.mean([judge_task(fast, held)[1] for held in material.held])
        errors.append(float(np.sqrt(squares)))
    assert errors[1] < 0.01 and errors[1] < 0.2 * errors[0]


def test_the_least_squares_head_knows_the_slope_of_its_residual_below_a_floor() -> None:
    """Every equation that reads a state below its floor goes on along its tangent, the linear ones too."""
    from pbpkc.engines.mipinn.forcing import Forcing
    from pbpkc.engines.mipinn.tasks import bound

    _, made = trained("po")
    compiled = loaded().compiled
    fast = FastModel(compiled, made.model, None, np.zeros(0, dtype=np.intp), "least-squares")
    assert isinstance(fast.solver, LeastSquaresHead)
    at = fast.plan("bolus into gut.X", 1.0)
    states, inputs = len(compiled.state_names), len(compiled.input_names)
    zeros = np.zeros((1, states))
    y0 = zeros.copy()
    y0[0, compiled.state_names.index("gut.X")] = 1000.0
    forcing = Forcing(np.zeros(1), y0, np.zeros((1, inputs)), np.zeros(inputs), zeros)
    problem = _Problem(fast.solver, at, bound(compiled, compiled.parameters()[None], False), forcing)
    generator = np.random.default_rng(0)
    w, d = generator.standard_normal((2, problem.n, problem.k))
    y, below = problem.curves(w)
    told = (problem.derivative(problem.jacobian(y)) @ d.ravel()).reshape(problem.n, problem.q)
    up, down = (problem.residual(v, *problem.curves(v)) for v in (w + 1e-6 * d, w - 1e-6 * d))
    central = compiled.state_names.index("central.X")
    assert np.any(below[central] < 0.0)
    assert np.allclose((up - down) / 2e-6, told, rtol=1e-4, atol=1e-5 * np.abs(told).max())


def test_several_tasks_side_by_side_are_each_as_alone() -> None:
    family, made = trained("po")
    compiled = loaded().compiled
    fast = FastModel(compiled, made.model, None, np.zeros(0, dtype=np.intp))
    tasks = [draw_task(family, compiled, 100 + i, 5) for i in range(3)]
    lines = [
        timeline(t.regimen, TIMES, compiled.manifest["inputs"], compiled.state_names, p=t.p) for t in tasks
    ]
    p = np.array([t.p for t in tasks])
    y0 = np.zeros((3, len(compiled.state_names)))
    together = fast.run(bound(compiled, p, False), lines, TIMES, y0).y
    for i in range(3):
        alone = fast.run(bound(compiled, p[i : i + 1], False), lines[i : i + 1], TIMES, y0[:1]).y
        assert np.allclose(together[i], alone[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["po", "qid"])
def test_searches_side_by_side_see_what_each_would_alone(name: str) -> None:
    fast, exact = predictors(name)
    theta = exact.base[exact.columns]
    thetas = [theta, 1.2 * theta, theta]
    for lanes in ([0, 1, 2], [1, 2]):  # a search may end before others
        together = fast.predict_many(lanes, [thetas[lane] for lane in lanes])
        for lane, found in zip(lanes, together, strict=True):
            alone = FastPredictor(exact, fast.fast).predict(thetas[lane])
            assert isinstance(found, Prediction) and isinstance(alone, Prediction)
            assert np.allclose(found.value, alone.value, rtol=1e-6)
            assert np.allclose(found.derivative, alone.derivative, rtol=1e-5, atol=1e-9)
        thetas = [1.05 * one for one in thetas]


def test_doses_that_training_never_gave_are_solved_and_said() -> None:
    """Seven doses two hours apart, trained on three six hours apart: the kinds of segments are the same."""
    fast, exact = predictors("qid")
    many = replace(exact.regimen, doses=tuple(replace(d, every=2.0, count=7) for d in exact.regimen.doses))
    other = replace(exact, regimen=many)
    moved = FastPredictor(other, fast.fast)
    theta = exact.base[exact.columns]
    moved.demand_seen()
    a, b = moved.predict(theta), other.predict(theta)
    assert isinstance(a, Prediction) and isinstance(b, Prediction)
    assert np.max(np.abs(a.value / b.value - 1.0)) < 1e-3
    tripled = replace(
        exact, regimen=replace(many, doses=tuple(replace(d, amount=30000.0) for d in many.doses))
    )
    assert any("outside the training range" in r for r in FastPredictor(tripled, fast.fast).remarks(theta))


def test_infusions_of_other_lengths_are_solved_after_training_for_them() -> None:
    fast, exact = predictors("iv", infusion=(0.5, 3.0))
    for length in (0.5, 0.6, 2.4, 3.0):  # the ends of the range too
        regimen = replace(
            exact.regimen, doses=tuple(replace(d, duration=length) for d in exact.regimen.doses)
        )
        other = replace(exact, regimen=regimen)
        theta = exact.base[exact.columns]
        a, b = FastPredictor(other, fast.fast).predict(theta), other.predict(theta)
        assert isinstance(a, Prediction) and isinstance(b, Prediction)
        assert np.max(np.abs(a.value / b.value - 1.0)) < 1e-3


def test_segments_that_training_never_saw_are_refused() -> None:
    po, _ = predictors("po")
    _, iv = predictors("iv")
    with pytest.raises(
        Unseen, match=r"saw no segment 'infusion into central.X'; it saw: bolus into gut.X; start"
    ):
        FastPredictor(iv, po.fast).demand_seen()
    long = FastPredictor(
        CompiledPredictor(
            iv.compiled, iv.base, iv.columns, po.exact.regimen, np.array([40.0]),
            np.zeros(1, dtype=np.int64), np.array([9]), iv.solver,
        ),
        po.fast,
    )  # fmt: skip
    with pytest.raises(Unseen, match=r"lasts 39.8 h; training followed such a segment for 23.8 h"):
        long.demand_seen()


def test_held_out_errors_fall_with_the_number_of_features() -> None:
    _, made = trained("po")
    few, many = made.tried
    assert many.median < 0.2 * few.median
    assert many.median < 1e-4
    assert not many.failed and made.model.record["stagnates"] is False


def test_a_task_depends_on_its_number_and_the_seed_alone() -> None:
    family, _ = trained("po")
    compiled = loaded().compiled
    a, b = draw_task(family, compiled, 3, 1), draw_task(family, compiled, 3, 1)
    assert np.array_equal(a.p, b.p) and a.regimen == b.regimen
    assert not np.array_equal(a.p, draw_task(family, compiled, 3, 2).p)
    low, high = compiled.parameter_index["ka"], 20.0
    drawn = [draw_task(family, compiled, n, 1).p[low] for n in range(50)]
    assert min(drawn) >= 0.05 and max(drawn) <= high and max(drawn) / min(drawn) > 8.0


def test_a_file_holds_all_and_is_the_same_every_time(tmp_path: Path) -> None:
    _, made = trained("po")
    for name in ("a", "b"):
        checkpoint.write(tmp_path / name, made.model)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    again = checkpoint.read(tmp_path / "a")
    assert again.varied == made.model.varied and again.fixed == made.model.fixed
    assert again.record == json.loads(json.dumps(made.model.record))
    compiled = loaded().compiled
    held = hold_out(compiled, draw_task(trained("po")[0], compiled, 77, 0))
    assert not isinstance(held, str)
    errors = [
        judge_task(FastModel(compiled, m, None, np.zeros(0, dtype=np.intp)), held)[0]
        for m in (again, made.model)
    ]
    assert np.array_equal(*errors)


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    _, made = trained("po")
    path = tmp_path / "x.mipinn"
    checkpoint.write(path, made.model)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(SpecError, match="is damaged"):
        checkpoint.read(path)
    flipped = bytearray(content)
    flipped[-40] ^= 1
    path.write_bytes(bytes(flipped))
    with pytest.raises(SpecError, match="is damaged"):
        checkpoint.read(path)
    path.write_bytes(b"hello, this is no model")
    with pytest.raises(SpecError, match="is not a trained model"):
        checkpoint.read(path)
    path.write_bytes(content.replace(b'\\"format\\": 1', b'\\"format\\": 7'))
    with pytest.raises(SpecError, match="has format 7; this version reads format 1"):
        checkpoint.read(path)
    folder = tmp_path / "other"
    folder.mkdir()
    other = write(folder)
    other.write_text(SPEC.replace("at 8 [L/h]", "at 9 [L/h] * BW / 70 [kg]"))
    with pytest.raises(SpecError, match="was trained for other equations of the model 'saturable'"):
        checkpoint.demand_fit(made.model, load(other).compiled, path)
    other.write_text(SPEC.replace("model saturable", "model another"))
    with pytest.raises(SpecError, match="was trained for the model 'saturable', not for 'another'"):
        checkpoint.demand_fit(made.model, load(other).compiled, path)
    other.write_text(SPEC.replace("cv = 50 [%])        in (0.05, 20)", "cv = 90 [%])        in (0.01, 50)"))
    checkpoint.demand_fit(made.model, load(other).compiled, path)


def test_a_fit_on_a_trained_model_is_the_fit_of_the_solver(tmp_path: Path) -> None:
    compiled = loaded().compiled
    truth = compiled.parameters()
    truth[compiled.parameter_index["vmax"]] *= 1.5
    _, exact = predictors("po")
    values = exact.reference(truth[exact.columns])
    assert isinstance(values, np.ndarray)
    noisy = values * np.exp(0.05 * np.random.default_rng(3).standard_normal(len(values)))
    path = write(tmp_path, rows(200.0, TIMES.tolist(), noisy))
    checkpoint.write(tmp_path / "m", trained("po")[1].model)
    model = load(path)
    slow = model.fit()
    quick = model.fit(method="mi-pinn", model=tmp_path / "m")
    assert quick.outcome == "done" and quick.options["method"] == "mi-pinn"
    assert np.allclose(quick.fits[0].theta, slow.fits[0].theta, rtol=1e-4)
    assert quick.fits[0].bias < 0.01 and quick.fits[0].polished == 0
    assert quick.subjects[0].objective == pytest.approx(slow.subjects[0].objective, abs=1e-5)


def test_a_poor_model_is_polished_by_the_exact_one(tmp_path: Path) -> None:
    """With four features the fast model is wrong by far more than the noise: the solver finishes the fit."""
    from pbpkc.engines.mipinn.candidates import Candidates
    from pbpkc.engines.mipinn.material import gather

    family, _ = trained("po")
    compiled = loaded().compiled
    poor = Candidates(compiled, family, gather(compiled, family, OPTIONS), OPTIONS).model(1, 4)
    checkpoint.write(tmp_path / "poor", poor)
    _, exact = predictors("po")
    values = exact.reference(exact.base[exact.columns])
    assert isinstance(values, np.ndarray)
    noisy = values * np.exp(0.01 * np.random.default_rng(4).standard_normal(len(values)))
    model = load(write(tmp_path, rows(200.0, TIMES.tolist(), noisy)))
    slow = model.fit()
    quick = model.fit(method="mi-pinn", model=tmp_path / "poor")
    assert quick.fits[0].bias > 1.0 / 3.0 and quick.fits[0].polished > 0
    assert np.allclose(quick.fits[0].theta, slow.fits[0].theta, rtol=1e-4)
    assert any("exact evaluations finished the fit" in note for note in quick.fits[0].notes)


@pytest.mark.long
def test_one_subject_does_not_move_another(tmp_path: Path) -> None:
    """Warm starts belong to a subject: the same bytes for a subject alone, among others, and in a process."""
    generator = np.random.default_rng(8)
    _, exact = predictors("po")
    values = exact.reference(exact.base[exact.columns])
    assert isinstance(values, np.ndarray)
    curves = [values * np.exp(0.05 * generator.standard_normal(len(values))) for _ in range(3)]
    checkpoint.write(tmp_path / "m", trained("po")[1].model)
    texts = [rows(200.0, TIMES.tolist(), curve, k + 1) for k, curve in enumerate(curves)]
    thetas = []
    for text, workers in (("".join(texts), 1), ("".join(texts), 2), (texts[2], 1)):
        model = load(write(tmp_path, text))
        found = model.fit(method="mi-pinn", model=tmp_path / "m", workers=workers)
        thetas.append(found.subject("3").theta)
    assert thetas[0] == thetas[1] == thetas[2]


@pytest.mark.parametrize("basis", ["chebyshev", "random"])
def test_a_control_has_no_more_features_than_a_short_segment_has_nodes(basis: str) -> None:
    """The lag before absorption is a segment of one element: fewer nodes than the features asked for."""
    from pbpkc.engines.mipinn.candidates import Candidates
    from pbpkc.engines.mipinn.material import gather

    family, _ = trained("po")
    compiled = loaded().compiled
    options = replace(OPTIONS, tasks=8, held_out=1, basis=basis)
    model = Candidates(compiled, family, gather(compiled, family, options), options).model(1, 20)
    few = min(len(kind.basis.grid.nodes) for kind in model.kinds.values())
    assert few <= 20
    for kind in model.kinds.values():
        held = np.any(kind.basis.features != 0.0, axis=2).sum(axis=1)
        assert held.tolist() == [min(20, len(kind.basis.grid.nodes) - 1)]
        assert np.all(np.isfinite(kind.basis.features))
