"""The fit on compiled specs and the reference solver, from text to verdict."""

from __future__ import annotations

import csv
import itertools
import math
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from pbpkc.compiler.driver import Compiled, compile_file
from pbpkc.experiment.data import Dataset, Subject, read_dataset
from pbpkc.experiment.scenario import experiment
from pbpkc.infer import Failure, FitOptions, FitProblem, assemble, draw, fit
from pbpkc.infer.codec import to_plain
from pbpkc.infer.objective import Objective
from pbpkc.infer.observations import plan
from pbpkc.infer.optimise import minimise
from pbpkc.infer.transform import ParameterSpace
from pbpkc.language.diagnostics import SpecError
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.runtime.load import load_numpy
from pbpkc.solve.options import SolverOptions

TIMES = np.array([0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 24])


def compiled(path: Path) -> tuple[Compiled, CompiledModel]:
    stages = compile_file(path, torch=False)
    return stages, load_numpy(stages.generated)


def dataset(
    stages: Compiled, model: CompiledModel, scenario: str, observables: list[str], times: np.ndarray = TIMES
) -> Dataset:
    """One individual of a scenario, sampled but not yet measured."""
    chosen = experiment(stages.model, scenario)
    index = [model.observable_names.index(name) for name in observables]
    n = len(times) * len(index)
    nan = np.full(n, math.nan)
    subject = Subject(
        "1", {}, chosen.regimen, np.repeat(times, len(index)), np.tile(index, len(times)).astype(np.int64),
        nan, np.zeros(n, dtype=bool), nan, nan, np.full(n, 10_000 + np.arange(n)), np.arange(n),
    )  # fmt: skip
    units = tuple(entry["unit"] for entry in model.manifest["observables"])
    return Dataset("drawn", "0", scenario, (subject,), model.observable_names, units)


def measured(
    model: CompiledModel, data: Dataset, truth: dict[str, float], seed: int = 1, **more: object
) -> FitProblem:
    """The problem with data drawn at the truth from the model's own error."""
    problem = assemble(model, data, **more)
    subject = problem.subjects[0]
    theta = np.array([truth.get(p.name, p.start) for p in problem.parameters])
    prediction = subject.predictor.reference(theta)
    assert not isinstance(prediction, Failure), prediction
    seen = subject.observations
    dv, _ = draw(prediction, subject.predictor.noise(theta), seen.error, np.random.default_rng(seed))
    return assemble(model, replace(data, subjects=(replace(data.subjects[0], dv=dv),)), **more)


@pytest.fixture(scope="module")
def theophylline(request: pytest.FixtureRequest) -> tuple[CompiledModel, Dataset]:
    stages, model = compiled(request.getfixturevalue("specs") / "theophylline_oral.pbpk")
    return model, read_dataset(stages.model)


@pytest.fixture(scope="module")
def paracetamol(request: pytest.FixtureRequest) -> tuple[Compiled, CompiledModel]:
    return compiled(request.getfixturevalue("specs") / "paracetamol.pbpk")


@pytest.mark.reference
def test_theophylline_from_the_spec(theophylline: tuple, references: Path) -> None:
    result = fit(assemble(*theophylline))
    assert result.outcome == "done" and all(not one.notes for one in result.fits)
    with (references / "fits" / "theophylline_nls_reference_subjects_1-6.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            estimates = {e.parameter: e for e in result.subject(row["subject"]).estimates}
            assert estimates["ka"].estimate == pytest.approx(float(row["ka"]), rel=1e-4)
            assert estimates["cl"].estimate == pytest.approx(float(row["CL_L_h_kg"]), rel=1e-4)
            assert estimates["v"].estimate == pytest.approx(float(row["V_L_kg"]), rel=1e-4)
            assert estimates["ka"].standard_error == pytest.approx(float(row["se_lKa"]), rel=1e-3)
            assert result.subject(row["subject"]).subject.rss == pytest.approx(float(row["rss"]), rel=1e-7)
            assert result.subject(row["subject"]).residual_sd == pytest.approx(float(row["sigma"]), rel=1e-7)
    means = {row.parameter: f"{row.mean:.3g}" for row in result.summary}
    assert (means["ka"], means["v"], means["cl"]) == ("1.61", "0.457", "0.0402")


def test_only_the_error_model_reads_sigma(theophylline: tuple) -> None:
    problem = assemble(*theophylline)
    predictor = problem.subjects[0].predictor
    assert predictor.shapes_prediction.tolist() == [True, True, True, False]
    theta = np.array([1.5, 0.04, 0.5, 0.5e-6])  # sigma is 0.5 mg/L, canonical kg/L
    found = predictor.predict(theta)
    again = predictor.predict(theta * [1, 1, 1, 2])
    assert again is found, "a change of sigma was solved for again"
    assert not found.derivative[:, 3].any()
    noise = predictor.noise(theta)
    assert noise.additive == pytest.approx(np.full(11, 0.5)) and not noise.proportional.any()
    np.testing.assert_allclose(noise.d_additive, np.tile([0, 0, 0, 1e6], (11, 1)), rtol=1e-12)


def test_a_predictor_travels_to_other_processes(theophylline: tuple) -> None:
    predictor = assemble(*theophylline).subjects[3].predictor
    theta = np.array([1.5, 0.04, 0.5, 0.5])
    there = pickle.loads(pickle.dumps(predictor))
    np.testing.assert_array_equal(there.predict(theta).derivative, predictor.predict(theta).derivative)


@pytest.mark.long
def test_two_processes_give_the_same_numbers(theophylline: tuple) -> None:
    model, data = theophylline
    some = assemble(model, replace(data, subjects=data.subjects[:3]))
    one, two = fit(some), fit(some, FitOptions(workers=2))
    assert two.timing.workers == 2 and two.timing.notes == ()
    # No profile was asked for, and a nan that came from another process equals no other.
    assert to_plain(one.fits) == to_plain(two.fits) and to_plain(one.summary) == to_plain(two.summary)


def test_derivatives_are_those_of_the_predictions(paracetamol: tuple) -> None:
    stages, model = paracetamol
    problem = assemble(model, dataset(stages, model, "po_1g", ["Cp", "Cg"]))
    predictor = problem.subjects[0].predictor
    theta = np.array([p.start for p in problem.parameters])
    slope = predictor.predict(theta).derivative
    for i in np.flatnonzero(predictor.shapes_prediction):
        step = np.zeros(len(theta))
        step[i] = 1e-3 * theta[i]
        difference = (predictor.reference(theta + step) - predictor.reference(theta - step)) / (
            2e-3 * theta[i]
        )
        np.testing.assert_allclose(slope[:, i], difference, rtol=1e-4, atol=1e-6 * np.abs(slope[:, i]).max())


@pytest.mark.long
def test_paracetamol_from_far_starts_ends_where_another_optimiser_does(
    paracetamol: tuple, figure: Callable[..., None], measuring: bool
) -> None:
    stages, model = paracetamol
    truth = {"s_p": 0.05, "s_g": 0.05}
    problem = measured(model, dataset(stages, model, "po_1g", ["Cp", "Cg"]), truth)
    space = ParameterSpace(problem.parameters)
    assert space.names == ("vmax_ugt", "vmax_sult", "ka", "s_p", "s_g")
    subject = problem.subjects[0]
    objective = Objective(space, subject.predictor, plan(subject.observations, "m3"))
    true = space.to_scaled([truth.get(p.name, p.start) for p in problem.parameters])

    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        here = objective.at(x, subject.predictor.predict(space.to_natural(x)))
        return here.value, here.gradient

    bounds = list(zip(space.lower, space.upper, strict=True))
    other = minimize(value, true, jac=True, method="L-BFGS-B", bounds=bounds,
                     options={"ftol": 1e-14, "gtol": 1e-7, "maxiter": 500})  # fmt: skip
    # All eight corners would take a minute; these four change every parameter to both sides.
    worst = -math.inf
    corners = [c for c in itertools.product((-1.0, 1.0), repeat=3) if math.prod(c) > 0.0]
    for signs in corners if measuring else corners[:2]:
        start = space.clip(true + math.log(8.0) * np.array([*signs, 1.0, 1.0]))
        found = minimise(objective, start, space.lower, space.upper, space.reach, FitOptions().search)
        assert found.converged, found.reason
        worst = max(worst, found.end.value - other.fun)
        assert found.end.value <= other.fun + 1e-6
        assert found.evaluations <= 25

    what = "paracetamol Vmax, Vmax, ka from starts a factor 8 off, -2 log L above L-BFGS-B from the truth"
    figure(what, worst, below=1e-6)

    result = fit(problem, FitOptions(starts=1)).fits[0]
    assert result.subject.objective == pytest.approx(other.fun, abs=2e-5)  # the reference solver's word
    assert all(verdict.identifiable for verdict in result.identifiability.parameters)


@pytest.mark.long
def test_parent_alone_does_not_tell_the_pathways_apart(
    paracetamol: tuple, figure: Callable[..., None]
) -> None:
    stages, model = paracetamol
    data = dataset(stages, model, "po_1g", ["Cp"])
    result = fit(measured(model, data, {"s_p": 0.05}), FitOptions(starts=1)).fits[0]
    verdicts = {v.parameter: v for v in result.identifiability.parameters}
    for name in ("vmax_ugt", "vmax_sult"):
        bound = verdicts[name].bound
        what = f"paracetamol from plasma parent alone: 0.5 over the Cramer-Rao bound of {name} ({bound:.3g})"
        figure(what, 0.5 / bound, below=1.0)
    assert not verdicts["vmax_ugt"].identifiable and verdicts["vmax_ugt"].bound > 0.5
    assert not verdicts["vmax_sult"].identifiable and verdicts["vmax_sult"].bound > 0.5
    assert verdicts["ka"].identifiable
    assert verdicts["s_g"].why == "no observation depends on it"
    (total,) = result.identifiability.combinations
    assert total.text.startswith("vmax_ugt + 4.") and total.text.endswith(" * vmax_sult")
    factor = dict(total.weights)["vmax_sult"]
    # Both pathways are far below their Km, so that clearance is their sum weighted by 1 / Km.
    assert factor == pytest.approx(3924 / 855, rel=0.1)
    assert total.ci_low < 3743 + factor * 383 < total.ci_high


SMALL = """pbpk 1
model small "Saturable elimination after an oral dose"
species D { mw = 300 [g/mol] }
lumen gut
pool plasma { volume = 10 [L] }
sink out
masked ka   ~ lognormal(1 [1/h], cv = 50 [%]) in (0.1, 10) [1/h]
masked vmax ~ lognormal(50 [umol/h], cv = 50 [%]) in (1, 1e6) [umol/h]
masked km   ~ lognormal(10 [umol/L], cv = 50 [%]) in (0.01, 1e5) [umol/L]
masked tlag ~ uniform(0 [h], 2 [h]) in (0, 2) [h] scale natural
masked s    ~ lognormal(5 [%], cv = 50 [%]) in (1, 50) [%]
process absorption : gut -> plasma rate ka * gut.A
process elimination : plasma -> out rate mm(vmax, km, plasma.C)
observe C = plasma.C in [umol/L] error combined(prop = s, add = 1e-6 [umol/L])
observe bare = plasma.C in [umol/L]
scenario low { dose D 0.03 [mg] into gut at 0 [h] lag tlag; run 24 [h] }
scenario high { dose D 200 [mg] into gut at 0 [h] lag tlag; run 48 [h] }
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Compiled, CompiledModel]:
    path = tmp_path_factory.mktemp("spec") / "small.pbpk"
    path.write_text(SMALL, encoding="utf-8")
    return compiled(path)


def test_michaelis_menten_far_below_and_around_km(small: tuple) -> None:
    stages, model = small
    truth = {"vmax": 20.0, "km": 10.0, "tlag": 0.6, "s": 0.05}
    times = np.array([0.8, 1, 1.25, 1.5, 2, 3, 4, 6, 8, 10, 12.0])
    low = fit(measured(model, dataset(stages, model, "low", ["C"], times), truth)).fits[0]
    assert low.outcome == "converged"
    verdicts = {v.parameter: v for v in low.identifiability.parameters}
    assert not verdicts["vmax"].identifiable and not verdicts["km"].identifiable
    assert verdicts["ka"].identifiable and verdicts["tlag"].identifiable
    (quotient,) = low.identifiability.combinations
    assert (quotient.text, quotient.unit) == ("vmax / km", "L/h")
    assert quotient.ci_low < 2.0 < quotient.ci_high and quotient.ci_high / quotient.ci_low < 2.0
    assert any(
        f"Determined is vmax / km = {quotient.estimate:.4g} L/h" in text
        for text in low.identifiability.summary
    )

    wide = np.array([0.8, 1, 1.5, 2, 4, 8, 12, 20, 30, 40, 46, 48.0])
    high = fit(measured(model, dataset(stages, model, "high", ["C"], wide), truth)).fits[0]
    assert all(v.identifiable for v in high.identifiability.parameters), high.identifiability.summary
    estimates = {e.parameter: e for e in high.estimates}
    for name, true in (("vmax", 20.0), ("km", 10.0), ("tlag", 0.6)):
        row = estimates[name]
        assert abs(row.estimate - true) < 4 * (row.ci_high - row.ci_low) / 3.92
    assert estimates["tlag"].unit == "h" and estimates["tlag"].standard_error < 0.1


def test_a_lag_is_no_dead_parameter_of_the_fit(small: tuple) -> None:
    stages, model = small
    problem = assemble(model, dataset(stages, model, "high", ["C"]))
    predictor = problem.subjects[0].predictor
    assert predictor.shapes_prediction.tolist() == [True, True, True, True, False]
    theta = np.array([1.0, 20.0, 10.0, 0.1, 0.05])
    found = predictor.predict(theta)
    step = np.array([0, 0, 0, 1e-4, 0])
    difference = (predictor.reference(theta + step) - predictor.reference(theta - step)) / 2e-4
    np.testing.assert_allclose(found.derivative[:, 3], difference, rtol=1e-4, atol=1e-5)
    wrong = predictor.predict(theta * [1, 1, 1, -1, 1])
    assert isinstance(wrong, Failure) and "lag" in wrong.reason


def test_a_solve_that_cannot_end_is_a_reason(small: tuple) -> None:
    stages, model = small
    problem = measured(model, dataset(stages, model, "high", ["C"]), {"vmax": 20.0})
    tight = assemble(
        model,
        replace(dataset(stages, model, "high", ["C"]), subjects=(_with(problem),)),
        SolverOptions(rtol=1e-12, max_steps=1),
    )
    result = fit(tight, FitOptions(starts=2))
    assert result.outcome == "failed" and result.estimates == ()
    row = result.subjects[0]
    assert row.converged == "no" and row.starts == 2 and "h" in row.reason and result.fits[0].suggestion


def _with(problem: FitProblem) -> Subject:
    """The subject of a problem as data."""
    one = problem.subjects[0]
    seen, predictor = one.observations, one.predictor
    return Subject(
        one.id, {}, predictor.regimen, seen.time, seen.observable, seen.dv, seen.censored, seen.lloq, seen.sd,
        predictor.order, np.arange(len(seen)),
    )  # fmt: skip


def test_what_cannot_be_fitted_is_refused(small: tuple) -> None:
    stages, model = small
    with pytest.raises(SpecError) as refused:
        assemble(model, dataset(stages, model, "high", ["bare"]))
    assert [d.code for d in refused.value.diagnostics] == ["no-error-model"]
    assert "'bare' has data and no error model" in str(refused.value)
    everything = dict.fromkeys(("ka", "vmax", "km", "tlag", "s"), 1.0)
    with pytest.raises(SpecError, match="no parameter is masked"):
        assemble(model, dataset(stages, model, "high", ["C"]), overrides=everything)
    with pytest.raises(ValueError, match="starts names kaa; estimated are ka, vmax, km, tlag, s"):
        assemble(model, dataset(stages, model, "high", ["C"]), starts={"kaa": 1.0})


def test_overrides_hold_and_starts_begin(small: tuple) -> None:
    stages, model = small
    data = dataset(stages, model, "high", ["C"])
    problem = assemble(model, data, overrides={"km": 10.0}, starts={"ka": 2.0})
    assert [p.name for p in problem.parameters] == ["ka", "vmax", "tlag", "s"]
    assert problem.parameters[0].start == 2.0
    held = assemble(model, replace(data, held=("km",), overrides={"km": 12.0}))
    assert held.subjects[0].predictor.base[model.parameter_index["km"]] == 12.0
    key = problem.key(problem.subjects[0], FitOptions())
    other = assemble(model, data, overrides={"km": 11.0}, starts={"ka": 2.0})
    assert other.key(other.subjects[0], FitOptions()) != key
    loose = assemble(model, data, SolverOptions(rtol=1e-6), overrides={"km": 10.0}, starts={"ka": 2.0})
    assert loose.key(loose.subjects[0], FitOptions()) != key
