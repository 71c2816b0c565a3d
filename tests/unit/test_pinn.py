"""The joint PINN: its network, its losses, and what it finds."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_case import call, study

from pbpkc.compiler.driver import compile_file
from pbpkc.engines.pinn import Pinn, PinnOptions
from pbpkc.engines.pinn.grid import Grid, grid
from pbpkc.engines.pinn.loss import Box, Losses, _Scored
from pbpkc.engines.pinn.network import Clock, initial_weights, states
from pbpkc.engines.pinn.train import TrainedPinn, train
from pbpkc.experiment.data import Dataset, Subject
from pbpkc.experiment.scenario import experiment
from pbpkc.infer import Failure, FitOptions, FitProblem, assemble, draw, fit
from pbpkc.infer.likelihood import evaluate
from pbpkc.infer.objective import Objective
from pbpkc.infer.observations import Observations, plan
from pbpkc.infer.predictor import Noise, Prediction
from pbpkc.infer.transform import ParameterSpace
from pbpkc.jobs.methods import MethodOptions, with_method
from pbpkc.runtime.load import load_numpy, load_torch
from pbpkc.solve.reference import simulate

SPEC = """pbpk 1
model small "Two doses and an infusion"
species D { mw = 300 [g/mol] }
lumen gut
pool plasma { volume = 10 [L] }
sink out
masked ka ~ lognormal(1 [1/h], cv = 50 [%]) in (0.1, 10) [1/h]
masked cl ~ lognormal(2 [L/h], cv = 50 [%]) in (0.2, 20) [L/h]
masked tlag ~ uniform(0 [h], 2 [h]) in (0, 2) [h] scale natural
process absorption : gut -> plasma rate ka * gut.A
process elimination : plasma -> out rate cl * plasma.C
observe C = plasma.C in [mg/L] error prop(5 [%])
scenario once { dose D 100 [mg] into gut at 0 [h]; run 12 [h] }
scenario thrice {
  dose D 100 [mg] into gut at 0 [h]
  dose D 100 [mg] into gut at 6 [h]
  dose D 30 [mg] into plasma at 8 [h] over 1 [h]
  run 12 [h]
}
scenario lagged { dose D 100 [mg] into gut at 0 [h] lag tlag; run 12 [h] }
"""
TIMES = np.array([0.25, 0.5, 1, 2, 3, 5, 6, 7, 8.5, 9, 10, 12.0])
TRUTH = {"ka": 1.4, "cl": 1.5}
SHORT = PinnOptions(epochs=300, refine=2.0, width=16, depth=2, points=40)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spec") / "small.pbpk"
    path.write_text(SPEC, encoding="utf-8")
    return path


def problem(spec: Path, scenario: str, hold: tuple[str, ...] = ("tlag",)) -> FitProblem:
    """Data drawn at the truth."""
    stages = compile_file(spec, torch=True)
    model = load_numpy(stages.generated)
    chosen = experiment(stages.model, scenario)
    n, nan = len(TIMES), np.full(len(TIMES), math.nan)
    held = dict.fromkeys(hold, 0.0)

    def measured(dv: np.ndarray) -> FitProblem:
        subject = Subject(
            "1", {}, chosen.regimen, TIMES, np.zeros(n, dtype=np.int64), dv, np.zeros(n, dtype=bool),
            nan, nan, np.full(n, 10_000 + np.arange(n)), np.arange(n),
        )  # fmt: skip
        return assemble(model, Dataset("drawn", "0", scenario, (subject,), ("C",), ("mg/L",)), overrides=held)

    empty = measured(nan)
    theta = np.array([TRUTH.get(p.name, p.start) for p in empty.parameters])
    predictor = empty.subjects[0].predictor
    exact = predictor.reference(theta)
    assert not isinstance(exact, Failure)
    dv, _ = draw(exact, predictor.noise(theta), ("prop",) * n, np.random.default_rng(2))
    return measured(dv)


def objective(given: FitProblem) -> Objective:
    subject = given.subjects[0]
    return Objective(ParameterSpace(given.parameters), subject.predictor, plan(subject.observations, "m3"))


def points(given: Objective, count: int = 12) -> Grid:
    p = given.predictor.base.copy()
    p[given.predictor.columns] = given.space.to_natural(given.space.start)
    found = grid(given.predictor, p, count)
    assert isinstance(found, Grid), found
    return found


def test_states_begin_where_the_dose_leaves_them_and_derivatives_are_exact(spec: Path) -> None:
    made = points(objective(problem(spec, "thrice")))
    assert made.begin.tolist() == [0.0, 6.0, 8.0, 9.0] and made.collocation == 12
    weights = initial_weights((2, 4), 8, 2, 3, torch.Generator().manual_seed(1))
    start = torch.zeros(2, 3, dtype=torch.float64)

    def at(since: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        both = np.concatenate((made.since[:, :12], since), axis=1)
        y, dydt = states(weights, Clock.of(made, both), made, start)
        return y[:, :, 12:], dydt[:, :, 12:]

    ends, _ = at(made.length[:, None])
    first, _ = at(np.zeros((4, 1)))
    jump = torch.as_tensor(made.jump)
    torch.testing.assert_close(first[:, 0, 0], jump[0].expand(2, -1))
    torch.testing.assert_close(first[:, 1:, 0], ends[:, :-1, 0] + jump[1:])
    middle = 0.4 * made.length[:, None]
    h = 1e-6
    (up, _), (down, _), (_, slope) = at(middle + h), at(middle - h), at(middle)
    torch.testing.assert_close(slope, (up - down) / (2 * h), rtol=1e-5, atol=1e-4 * float(slope.abs().max()))


def test_the_likelihood_is_that_of_every_fit() -> None:
    rng = np.random.default_rng(5)
    kinds = ("prop", "add", "combined", "lognormal", "given", "lognormal", "add")
    n = len(kinds)
    dv, y = np.exp(rng.normal(size=n)), np.exp(rng.normal(size=n))
    below = np.array([False] * 5 + [True] * 2)
    seen = Observations(
        np.arange(n, dtype=float),
        np.zeros(n, dtype=np.int64),
        dv,
        below,
        np.full(n, 0.8),
        np.full(n, 0.3),
        kinds,
    )
    # Reported values below the limit show that it did not act.
    scoring = plan(seen, "m3")
    a, b = np.full(n, 0.2), np.where(np.isin(kinds, ("prop", "lognormal")), 0.0, 0.3)
    a = np.where(np.isin(kinds, ("add",)), 0.0, a)
    blank = np.zeros((n, 1))
    exact = evaluate(scoring, Prediction(y, blank), Noise(a, b, blank, blank))
    found = _Scored(scoring).twice_minus_log(
        torch.as_tensor(np.maximum(y, 0.2 * dv))[None], torch.as_tensor(np.stack((a, b), -1))[None], True
    )
    same = evaluate(scoring, Prediction(np.maximum(y, 0.2 * dv), blank), Noise(a, b, blank, blank))
    assert not isinstance(exact, Failure) and not isinstance(same, Failure)
    assert float(found[0]) == pytest.approx(same.value, rel=1e-12)


def test_the_box_holds_its_bounds() -> None:
    space = ParameterSpace(problem_parameters())
    box = Box.of(space)
    for point in (space.start, space.lower, space.upper):
        back = box.scaled(box.raw(point[None]))[0].numpy()
        assert (back > space.lower).all() and (back < space.upper).all()
        np.testing.assert_allclose(back, point, atol=0.011 * (space.upper - space.lower).max())
    wild = box.natural(torch.tensor([[1e3, -1e3]], dtype=torch.float64))[0].numpy()
    assert (wild <= space.to_natural(space.upper) * (1 + 1e-12)).all()
    assert (wild >= space.to_natural(space.lower) * (1 - 1e-12)).all()


def problem_parameters() -> tuple:
    from fit_standin import oral_parameters

    return oral_parameters(False)[:2]


def test_the_residual_vanishes_on_the_solution(spec: Path) -> None:
    """A trajectory of the solver in the network's place leaves nothing over; another's does."""
    given = objective(problem(spec, "thrice"))
    made = points(given, 40)
    model = load_torch(given.predictor.compiled.generated)
    losses = Losses(given, model, made, SHORT)
    compiled, p = given.predictor.compiled, given.predictor.base.copy()
    p[given.predictor.columns] = given.space.to_natural(given.space.start)
    bound = given.predictor.bound(p)
    for g in range(len(made.begin)):
        times = made.begin[g] + made.since[g, 1:39]
        run = simulate(compiled, p, bound, times)
        y = torch.as_tensor(run.y)[None]
        u = torch.as_tensor(made.u[g, 1:39])
        rates = torch.as_tensor(compiled.rhs(times, run.y, p, made.u[g, 1:39]))[None]
        left = model.residual(torch.as_tensor(times), y, rates, torch.as_tensor(p)[None], u)
        assert float((left * losses.weight[g, 1:39]).abs().max()) < 1e-9
        total = (y[0].numpy() - compiled.initial_state(p)) @ made.totals.T
        np.testing.assert_allclose(total, made.known[g, 1:39], atol=1e-6)


def trained(given: FitProblem, options: PinnOptions = SHORT, seed: int = 3) -> TrainedPinn:
    found = train(objective(given), options, seed)
    assert isinstance(found, TrainedPinn), found
    return found


@pytest.mark.slow
@pytest.mark.long
def test_it_recovers_the_parameters_of_one_compartment(spec: Path) -> None:
    given = problem(spec, "once")
    best = fit(given, FitOptions(starts=1)).fits[0]
    told: list[float] = []
    options = FitOptions(starts=1)
    result = fit(
        replace(given, search=Pinn(SHORT)), options, lambda progress: told.append(progress.done)
    ).fits[0]
    np.testing.assert_allclose(result.theta, best.theta, rtol=0.05)
    # Whether it is called converged depends on the worst sample; either way its distance is said.
    told_of = result.notes if result.outcome == "converged" else (result.reason,)
    assert any("standard deviations of the noise from the solver at its own" in text for text in told_of)
    assert len(told) > 10 and told == sorted(told)
    # Not a step towards the solver's optimum was made.
    assert result.subject.objective > best.subject.objective
    assert result.polished == 0 and len(result.starts) == 1


@pytest.mark.long
def test_a_network_over_several_doses_is_a_trajectory_of_all_states(spec: Path) -> None:
    given = problem(spec, "thrice")
    found = trained(given)
    predictor = given.subjects[0].predictor
    p = predictor.base.copy()
    p[predictor.columns] = found.theta
    times = np.linspace(0.1, 12.0, 60)
    exact = simulate(predictor.compiled, p, predictor.bound(p), times).y
    off = np.abs(found.trajectory(times) - exact) / np.abs(exact).max(axis=0)
    assert np.median(off) < 0.05
    assert found.history[-1].residual < 0.1 * found.history[1].residual
    same = found.trajectory(TIMES)[:, 1] / 10.0 * 300e-3
    np.testing.assert_allclose(same, found.predictions, rtol=1e-8)
    with pytest.raises(ValueError, match="times are outside 0 to 12 h"):
        found.trajectory(np.array([13.0]))


def test_the_seed_decides_and_nothing_global_is_touched(spec: Path) -> None:
    given = problem(spec, "once")
    few = PinnOptions(epochs=10, refine=1.0, width=4, depth=1, points=8, restarts=2)
    before = torch.get_rng_state()
    one, again, other = trained(given, few), trained(given, few), trained(given, few, seed=4)
    assert torch.equal(torch.get_rng_state(), before)
    assert one.theta.tolist() == again.theta.tolist() and one.history == again.history
    assert one.theta.tolist() != other.theta.tolist()


def test_what_it_cannot_do_is_said(spec: Path) -> None:
    lagged = fit(with_method(problem(spec, "lagged", ()), "pinn", MethodOptions(budget=10)))
    assert lagged.outcome == "failed" and "doses depend on tlag" in lagged.fits[0].reason
    with pytest.raises(ValueError, match="reported as it is; leave out --profile"):
        with_method(problem(spec, "once"), "pinn", options=FitOptions(profile=()))
    with pytest.raises(ValueError, match="weighting is 'none'; accepted are 'uncertainty', 'fixed'"):
        PinnOptions(weighting="none")  # type: ignore[arg-type]
    for wrong in ({"epochs": 1}, {"rate": 0.0}, {"warm_up": 1.0}, {"floor": 0.0}, {"refine": -1.0}):
        with pytest.raises(ValueError, match="accepted is"):
            PinnOptions(**wrong)  # type: ignore[arg-type]


def test_the_command_reports_the_network_as_it_is(tmp_path: Path) -> None:
    study(tmp_path)
    ran = call("fit", "model.pbpk", "--method", "pinn", "--budget", "10", "--starts", "1", cwd=tmp_path)
    assert ran.code == 4, ran.out
    assert "standard deviations of the noise from the solver at its own parameters" in ran.out
    assert "train longer (--budget)" in ran.out
