"""Draws from a posterior, against posteriors that are known in closed form or by quadrature."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from fit_standin import observations, unit
from scipy import stats

from pbpkc.infer import (
    CurveGrid,
    Failure,
    FitFolder,
    FitObservable,
    FitOptions,
    FitProblem,
    FitResult,
    FitSubject,
    FittedParameter,
    Noise,
    Posterior,
    PosteriorOptions,
    Prediction,
    fit,
    pool,
)
from pbpkc.infer import posterior_nuts as sampler
from pbpkc.infer.codec import to_plain
from pbpkc.infer.posterior import posterior
from pbpkc.language.model import Prior

SIGMA = 0.4
X = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0], [1.0, 4.0]])
DV = np.array([0.9, 2.2, 2.7, 4.4, 4.9])
FEW = PosteriorOptions(draws=400, warmup=60)


@dataclass(frozen=True)
class Line:
    """A line, with a known error; `bend`, `tilt` and `lift` make it a wrong one."""

    design: np.ndarray
    sigma: float = SIGMA
    bend: float = 0.0
    tilt: float = 1.0
    lift: float = 0.0
    fails_above: float = math.inf

    @property
    def shapes_prediction(self) -> np.ndarray:
        return np.ones(self.design.shape[1], dtype=bool)

    def predict(self, theta: np.ndarray) -> Prediction | Failure:
        if theta[0] > self.fails_above:
            return Failure("the solver stopped")
        scale = np.ones(len(theta))
        scale[-1] = self.tilt
        y = self.design @ (scale * theta)
        value = y + self.bend * y**2 + self.lift
        return Prediction(value, (1.0 + 2.0 * self.bend * y)[:, None] * self.design * scale)

    def noise(self, theta: np.ndarray) -> Noise:
        n, flat = len(self.design), np.zeros(self.design.shape)
        return Noise(np.zeros(n), np.full(n, self.sigma), flat, flat)

    def reference(self, theta: np.ndarray) -> np.ndarray | Failure:
        found = self.predict(theta)
        return found if isinstance(found, Failure) else found.value


def straight(fast: Line | None = None, exact: Line | None = None) -> FitProblem:
    """Intercept and slope with normal priors and no bounds: the posterior is normal."""
    parameters = tuple(
        FittedParameter(
            name, unit("1"), -math.inf, math.inf, 0.5, "natural", Prior("normal", {"mean": mean, "sd": sd})
        )
        for name, mean, sd in (("a", 0.0, 2.0), ("b", 0.5, 0.3))
    )
    subject = FitSubject("1", observations(X[:, 1], DV), fast or Line(X), exact=exact)
    return FitProblem(parameters, (subject,), (FitObservable("y", "1"),))


def straight_exactly() -> tuple[np.ndarray, np.ndarray]:
    prior = np.diag([1 / 2.0**2, 1 / 0.3**2])
    covariance = np.linalg.inv(X.T @ X / SIGMA**2 + prior)
    return covariance @ (X.T @ DV / SIGMA**2 + prior @ np.array([0.0, 0.5])), covariance


def of(problem: FitProblem, options: PosteriorOptions = FEW, seed: int = 0) -> Posterior:
    found = fit(problem, FitOptions(estimator="map", starts=1, seed=seed, posterior=options)).fits[0]
    assert found.posterior is not None
    return found.posterior


def moments(found: Posterior) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean and covariance of the weighted draws, and what they are worth."""
    assert found.draws is not None and found.check is not None
    values, weight = np.array(found.draws.values), np.array(found.draws.weight)
    return (
        np.average(values, axis=0, weights=weight),
        np.cov(values, rowvar=False, aweights=weight),
        found.check.ess,
    )


def agrees(found: Posterior) -> None:
    """Within four standard errors of the posterior of the line, in the mean and in the spread."""
    mean, covariance, worth = moments(found)
    true_mean, true = straight_exactly()
    sd = np.sqrt(np.diag(true))
    assert np.abs(mean - true_mean) / sd == pytest.approx(0.0, abs=4 / math.sqrt(worth))
    assert np.sqrt(np.diag(covariance)) / sd == pytest.approx(1.0, abs=4 / math.sqrt(2 * worth))
    assert covariance[0, 1] / sd.prod() == pytest.approx(true[0, 1] / sd.prod(), abs=4 / math.sqrt(worth))


@lru_cache(maxsize=1)
def plain() -> Posterior:
    return of(straight())


def same(result: FitResult) -> object:
    """What two runs have in common, nan being the same as nan."""
    return to_plain(result.fits)


def test_a_normal_posterior_is_found() -> None:
    found = plain()
    agrees(found)
    check = found.check
    assert check.correction == "none" and check.exact == 0 and check.divergences == 0
    assert check.draws == 400 and check.ess > 100 and check.r_hat < 1.05
    mean, covariance = straight_exactly()
    for row, m, s in zip(found.summary, mean, np.sqrt(np.diag(covariance)), strict=True):
        assert row.low == pytest.approx(m - 1.96 * s, abs=0.6 * s)
        assert row.high == pytest.approx(m + 1.96 * s, abs=0.6 * s)
        assert row.low < row.median < row.high and row.prior == "normal"


def test_bands_are_those_of_the_line() -> None:
    found = plain()
    mean, covariance = straight_exactly()
    for row, x in zip(found.bands, X, strict=True):
        s = math.sqrt(x @ covariance @ x)
        assert row.median == pytest.approx(x @ mean, abs=0.4 * s)
        assert row.high - row.low == pytest.approx(2 * 1.96 * s, rel=0.25)
        # A new measurement errs by the noise as well, to which 200 draws add little.
        assert row.dv_high - row.dv_low == pytest.approx(2 * 1.96 * math.hypot(s, SIGMA), rel=0.1)


def quadrature(density: object, low: float, high: float) -> tuple[float, float, np.ndarray]:
    """Mean and standard deviation of exp(u), and its 2.5, 50 and 97.5 % points, u between two numbers."""
    u = np.linspace(low, high, 20001)
    p = np.exp(density(u) - density(u).max())
    mass = np.cumsum(p) / np.sum(p)
    value = np.exp(u)
    mean = np.average(value, weights=p)
    return (
        mean,
        math.sqrt(np.average((value - mean) ** 2, weights=p)),
        np.exp(np.interp([0.025, 0.5, 0.975], mass, u)),
    )


@pytest.mark.parametrize("with_prior", [True, False])
def test_a_bound_and_a_censored_value_count(with_prior: bool) -> None:
    # The measurements draw the parameter over its upper bound, so a large part of the posterior is cut off.
    low, high, dv, limit = 0.2, 1.5, np.array([1.6, 1.3]), 1.2
    prior = Prior("lognormal", {"median": 1.0, "sdlog": 0.6}) if with_prior else None
    seen = observations(
        [0.0, 1.0, 2.0], [*dv, limit], censored=[False, False, True], lloq=[np.nan, np.nan, limit]
    )
    problem = FitProblem(
        (FittedParameter("k", unit("1"), low, high, 1.0, "log", prior),),
        (FitSubject("1", seen, Line(np.ones((3, 1)))),),
        (FitObservable("y", "1"),),
    )

    def density(u: np.ndarray) -> np.ndarray:
        value = stats.norm.logpdf(dv[:, None], np.exp(u), SIGMA).sum(axis=0)
        value += stats.norm.logcdf((limit - np.exp(u)) / SIGMA)
        return value + (stats.norm.logpdf(u, 0.0, 0.6) if with_prior else 0.0)

    mean, sd, (q_low, median, q_high) = quadrature(density, math.log(low), math.log(high))
    found = of(problem, PosteriorOptions(draws=800, warmup=60))
    row = found.summary[0]
    error = sd / math.sqrt(row.ess)
    assert row.mean == pytest.approx(mean, abs=4 * error)
    assert row.sd == pytest.approx(sd, rel=0.12)
    assert row.median == pytest.approx(median, abs=6 * error)
    assert row.low == pytest.approx(q_low, abs=0.3 * sd)
    assert row.high == pytest.approx(q_high, abs=0.3 * sd) and row.high < high
    said = [note for note in found.notes if "no prior" in note]
    assert len(said) == (0 if with_prior else 1)
    assert with_prior or "takes ln(k) as uniform between its bounds, 0.2 and 1.5" in said[0]


@pytest.mark.long
def test_weights_take_the_error_of_a_fast_model_away() -> None:
    fast = Line(X, bend=0.03)
    wrong, _, worth = moments(of(straight(fast), PosteriorOptions(draws=200, warmup=40)))
    mean, covariance = straight_exactly()
    # Without the exact model the draws are somewhere else, so what follows can fail.
    assert np.max(np.abs(wrong - mean) / np.sqrt(np.diag(covariance))) > 6 / math.sqrt(worth)
    found = of(straight(fast, Line(X)), PosteriorOptions(draws=600, warmup=60))
    check = found.check
    assert check.correction == "importance" and 400 < check.exact <= 500 and check.pareto_k < 0.5
    assert 100 < check.weight_ess <= 500 and check.ess <= check.weight_ess
    assert sum(w > 0 for w in found.draws.weight) == 500
    assert np.mean(found.draws.weight) == pytest.approx(1.0)
    agrees(found)


@pytest.mark.long
def test_a_model_too_far_off_is_walked_with_the_exact_one() -> None:
    found = of(straight(Line(X, tilt=0.35, lift=0.5), Line(X)), PosteriorOptions(draws=800, warmup=40))
    check = found.check
    assert check.correction == "delayed acceptance" and 0.0 < check.accepted < 1.0
    assert any("delayed acceptance" in note for note in found.notes)
    assert set(found.draws.weight) == {1.0} and len(found.draws.weight) == 800
    agrees(found)


@pytest.mark.long
def test_the_same_seed_gives_the_same_draws_in_any_process() -> None:
    import torch

    one = straight()
    two = replace(one, subjects=(one.subjects[0], replace(one.subjects[0], id="2")))
    options = FitOptions(starts=1, posterior=PosteriorOptions(draws=80, warmup=20, compared=50, curves=50))
    state = torch.get_rng_state()
    first = fit(two, options)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    again = fit(two, replace(options, workers=2))
    assert again.timing.notes == () and same(again) == same(first)
    assert first.fits[0].posterior.draws.values != first.fits[1].posterior.draws.values


def test_failing_solves_cost_draws_nowhere_else() -> None:
    # Solves fail in a corner that the posterior hardly touches.
    found = of(straight(Line(X, fails_above=1.6)), PosteriorOptions(draws=200, warmup=40))
    assert found.check.draws == 200 and found.check.failures > 0
    assert max(row[0] for row in found.draws.values) <= 1.6
    assert any("had no answer (the solver stopped): it ends there" in note for note in found.notes)


def test_a_posterior_that_cannot_be_is_explained() -> None:
    problem = straight()
    broken = replace(problem.subjects[0], predictor=Line(X, fails_above=-99.0))
    found = posterior(problem, broken, FitOptions(posterior=FEW), np.array([1.0, 1.0]), 0)
    assert found.draws is None and found.check is None and found.summary == ()
    assert "there is no posterior" in found.notes[-1] and "the solver stopped" in found.notes[-1]


def test_too_few_draws_are_told() -> None:
    found = of(straight(), PosteriorOptions(draws=80, warmup=20))
    assert any("fewer than 100 independent" in note for note in found.notes)


def test_a_missing_package_is_named_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pyro-ppl, which is not installed.*pip install 'pbpkc\[bayes\]'"):
        fit(straight(), FitOptions(posterior=FEW))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"draws": 60}, "draws is 60; accepted is an integer of at least 80 with 4 chains"),
        ({"chains": 1}, "chains is 1; accepted is an integer of at least 2"),
        ({"warmup": 3}, "warmup is 3"),
    ],
)
def test_options_that_say_nothing_useful_are_refused(given: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PosteriorOptions(**given)


def test_the_files_hold_the_draws_and_a_finished_fit_is_taken_over(tmp_path: Path) -> None:
    options = FitOptions(starts=1, posterior=PosteriorOptions(draws=80, warmup=20, curves=50))
    result = fit(straight(), options)
    FitFolder(tmp_path / "out").write(result)
    with (tmp_path / "out" / "posterior.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "chain", "draw", "a", "b", "log_density", "weight"]
    assert len(rows) == 80 and (rows[20]["chain"], rows[20]["draw"]) == ("2", "1")
    values = np.array([[float(row["a"]), float(row["b"])] for row in rows])
    assert (values == np.array(result.fits[0].posterior.draws.values)).all()
    # The log density is that of likelihood and priors, up to one constant.
    parts = stats.norm.logpdf(DV, values @ X.T, SIGMA).sum(axis=1)
    parts += stats.norm.logpdf(values, [0.0, 0.5], [2.0, 0.3]).sum(axis=1)
    assert np.ptp(parts - [float(row["log_density"]) for row in rows]) < 1e-9
    with (tmp_path / "out" / "posterior_bands.csv").open(encoding="utf-8") as file:
        assert file.readline().strip() == "id,time,observable,median,low,high,dv_low,dv_high,subject"
    taken = fit(straight(), options, store=FitFolder(tmp_path / "out"))
    assert taken.timing.reused == 1 and same(taken) == same(result)
    frames = taken.to_frames()
    assert len(frames["posterior"]) == 80 and list(frames["posterior_summary"]["parameter"]) == ["a", "b"]
    # Draws that are not whole are drawn anew.
    lines = (tmp_path / "out" / "posterior.csv").read_text().splitlines(keepends=True)
    (tmp_path / "out" / "posterior.csv").write_text("".join(lines[:40]))
    assert fit(straight(), options, store=FitFolder(tmp_path / "out")).timing.reused == 0


def test_a_pooled_posterior_has_a_band_for_each_subject() -> None:
    one = straight().subjects[0]
    grid = CurveGrid(np.array([0.0, 10.0]), np.zeros(2, int), ("add",) * 2, Line(X[[0, 4]]))
    apart = replace(straight(), subjects=(replace(one, curve=grid), replace(one, id="2", curve=grid)))
    found = of(pool(apart, "pooled"), PosteriorOptions(draws=80, warmup=20))
    assert [(row.id, row.subject, row.time) for row in found.bands] == [
        ("ALL", "1", 0.0), ("ALL", "1", 10.0), ("ALL", "2", 0.0), ("ALL", "2", 10.0)
    ]  # fmt: skip
    assert found.bands[1].median == found.bands[3].median
