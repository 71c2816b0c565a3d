"""Drawn people: distributions and bounds in closed form, correlations, and what cannot be drawn."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from cli_case import write
from scipy import stats
from scipy.stats import qmc

import pbpkc
from pbpkc.body.marginals import Marginal
from pbpkc.body.people import JointDistribution, draw, independent, joint_distribution
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.model import Prior

MODEL = """\
pbpk 1
model crowd "Three quantities"
covariate BW = 70 [kg] in (30, 150) [kg]
covariate HT = 175 [cm] in (100, 220) [cm]
species D { mw = 100 [g/mol] }
pool plasma { volume = 0.5 [L/kg] * BW }
sink gone
masked cl ~ lognormal(10 [L/h], cv = 50 [%]) in (1, 100) [L/h]
masked om ~ lognormal(30 [%], cv = 50 [%]) in (1, 100) [%]
param fx = 0.5
process out : plasma -> gone rate cl * fx * plasma.C
observe Cp = plasma.C in [mg/L]
scenario one { dose D 100 [mg] into plasma at 0 [h]; run 12 [h] }
"""

#: Every family with bounds that cut much, and as SciPy has it.
CASES = {
    "lognormal": (Prior("lognormal", {"median": 10.0, "sdlog": 0.5}), stats.lognorm(0.5, scale=10.0), 7, 30),
    "normal": (Prior("normal", {"mean": 70.0, "sd": 12.0}), stats.norm(70.0, 12.0), 60.0, 90.0),
    "uniform": (Prior("uniform", {"low": -1.0, "high": 4.0}), stats.uniform(-1.0, 5.0), 0.0, 3.0),
    "beta": (Prior("beta", {"a": 2.0, "b": 5.0}), stats.beta(2.0, 5.0), 0.1, 0.5),
    "halfnormal": (Prior("halfnormal", {"sd": 2.0}), stats.halfnorm(scale=2.0), 0.5, 3.0),
}


def joint(text: str, folder: Path) -> JointDistribution:
    """The joint distribution of ``population p { text }`` in the model."""
    model = pbpkc.load(write(folder, MODEL + f"population p {{ {text} }}\n")).model
    return joint_distribution(model, model.populations["p"])


def refusal(text: str, folder: Path) -> str:
    with pytest.raises(SpecError) as caught:
        joint(text, folder)
    return str(caught.value)


# ---- one quantity ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", CASES)
@pytest.mark.parametrize("cut", [False, True])
def test_quantiles_are_those_of_the_truncated_distribution(family: str, cut: bool) -> None:
    prior, known, low, high = CASES[family]
    one = Marginal("x", prior, low, high) if cut else Marginal("x", prior)
    u = np.array([1e-9, 1e-3, 0.05, 0.25, 0.5, 0.75, 0.95, 0.999, 1 - 1e-9])
    begin, end = known.cdf(one.low), known.cdf(one.high)
    expected = known.ppf(begin + u * (end - begin))
    assert one.from_scores(stats.norm.ppf(u)) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("family", CASES)
def test_moments_of_the_truncated_distribution(family: str) -> None:
    prior, known, low, high = CASES[family]
    u = (np.arange(20_000) + 0.5) / 20_000  # the midpoint rule of the integral over probabilities
    values = independent([Marginal("x", prior, low, high)]).from_uniform(u[:, None])[:, 0]
    for k in (1, 2):
        expected = known.expect(lambda x, k=k: x**k, lb=low, ub=high, conditional=True)
        assert np.mean(values**k) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("low", "high"), [(8.0, 9.0), (-9.0, -8.0), (30.0, math.inf)])
def test_a_tail_is_drawn_exactly(low: float, high: float) -> None:
    one = Marginal("x", Prior("normal", {"mean": 0.0, "sd": 1.0}), low, high)
    z = np.array([-3.0, 0.0, 3.0])
    assert one.from_scores(z) == pytest.approx(stats.truncnorm(low, high).ppf(stats.norm.cdf(z)), rel=1e-6)


@pytest.mark.parametrize("family", CASES)
def test_the_share_that_bounds_keep(family: str) -> None:
    prior, known, low, high = CASES[family]
    assert Marginal("x", prior, low, high).kept == pytest.approx(known.cdf(high) - known.cdf(low), rel=1e-9)
    assert Marginal("x", prior).kept == pytest.approx(1.0, rel=1e-12)


def test_no_number_leaves_the_bounds() -> None:
    for prior, _, low, high in CASES.values():
        values = Marginal("x", prior, low, high).from_scores([-40.0, -8.0, 8.0, 40.0])
        assert np.all((values >= low) & (values <= high))
        assert np.all(np.diff(values) >= 0)


def test_bounds_outside_the_support_are_refused() -> None:
    with pytest.raises(ValueError, match="leave nothing of the beta distribution of 'x'"):
        Marginal("x", Prior("beta", {"a": 2.0, "b": 2.0}), 1.0, 2.0)


# ---- a population ---------------------------------------------------------------------------------------


def test_centres_bounds_and_spreads_come_from_the_model(tmp_path: Path) -> None:
    found = joint("BW ~ normal(cv = 15 [%]); cl ~ lognormal(cv = om); fx ~ lognormal(cv = 10 [%])", tmp_path)
    assert found.names == ("BW", "cl", "fx")
    weight, clearance, fraction = found.marginals
    assert weight.prior.arguments == pytest.approx({"mean": 70.0, "sd": 10.5})
    assert (weight.low, weight.high) == (30.0, 150.0)
    assert clearance.prior.arguments == pytest.approx({"median": 10.0, "sdlog": math.sqrt(math.log(1.09))})
    assert (clearance.low, clearance.high) == (1.0, 100.0)
    assert (fraction.low, fraction.high) == (-math.inf, math.inf)


def test_bounds_of_the_line_come_first(tmp_path: Path) -> None:
    found = joint(
        "BW ~ normal(80 [kg], sd = 9000 [g]) in (60, 90) [kg]; cl ~ lognormal(12 [L/h], cv = om)", tmp_path
    )
    assert (found.marginals[0].low, found.marginals[0].high) == (60.0, 90.0)
    assert found.marginals[0].prior.arguments == pytest.approx({"mean": 80.0, "sd": 9.0})
    assert found.marginals[1].prior.arguments["median"] == pytest.approx(12.0)
    values = draw(found, 500, 1)[:, 0]
    assert 60 <= values.min() < 61
    assert 89 < values.max() <= 90


def test_the_normal_scores_have_the_correlations_that_are_written(tmp_path: Path) -> None:
    found = joint(
        "BW ~ lognormal(cv = 20 [%]); HT ~ normal(172 [cm], sd = 9 [cm]); cl ~ lognormal(cv = 30 [%]);"
        "correlate BW, HT = 0.6; correlate cl, BW = -0.3",
        tmp_path,
    )
    n = 20_000
    values = draw(found, n, 3)
    scores = stats.norm.ppf(stats.rankdata(values, axis=0) / (n + 1))
    expected = np.array([[1, 0.6, -0.3], [0.6, 1, 0], [-0.3, 0, 1]])
    # Four standard errors of a correlation, (1 - r^2) / sqrt(n).
    assert np.corrcoef(scores.T) == pytest.approx(expected, abs=4 / math.sqrt(n))


def test_a_person_depends_on_the_seed_and_the_number_alone(tmp_path: Path) -> None:
    found = joint("BW ~ normal(cv = 15 [%]); cl ~ lognormal(cv = 30 [%]); correlate BW, cl = 0.5", tmp_path)
    many = draw(found, 200, 7)
    assert draw(found, 200, 7).tobytes() == many.tobytes()
    for n in (1, 3, 50, 133):
        assert draw(found, n, 7).tobytes() == many[:n].tobytes()
    other = draw(found, 200, 8)
    assert not np.any(other == many)
    assert abs(np.corrcoef(other[:, 0], many[:, 0])[0, 1]) < 0.3


def test_a_quasi_random_sequence_serves_as_well(tmp_path: Path) -> None:
    found = joint(
        "BW ~ normal(cv = 15 [%]) in (60, 90) [kg]; fx ~ beta(2, 5); correlate BW, fx = 0.4", tmp_path
    )
    values = found.from_uniform(qmc.Sobol(2, seed=5).random(1024))
    mean, var = stats.truncnorm((60 - 70) / 10.5, (90 - 70) / 10.5, 70, 10.5).stats("mv")
    assert values[:, 0].mean() == pytest.approx(mean, rel=1e-3)
    assert values[:, 0].var() == pytest.approx(var, rel=2e-2)
    assert values[:, 1].mean() == pytest.approx(2 / 7, rel=5e-3)
    assert np.isfinite(found.from_uniform(np.array([[0.0, 1.0]]))).all()


@pytest.mark.parametrize("numbers", [[[0.5]], [0.5, 0.5], [[0.5, 1.5]]])
def test_numbers_that_do_not_fit_are_refused(tmp_path: Path, numbers: list[object]) -> None:
    found = joint("BW ~ normal(cv = 15 [%]); fx ~ beta(2, 5)", tmp_path)
    with pytest.raises(ValueError, match=r"numbers have shape|outside"):
        found.from_uniform(np.array(numbers))


# ---- what cannot be drawn -------------------------------------------------------------------------------


def test_correlations_that_contradict_one_another_are_named(tmp_path: Path) -> None:
    text = refusal(
        "BW ~ normal(cv = 9 [%]); HT ~ normal(cv = 9 [%]); cl ~ lognormal(cv = 9 [%]); fx ~ beta(2, 2);"
        "correlate BW, HT = 0.9; correlate BW, cl = 0.9; correlate HT, cl = -0.5; correlate fx, cl = 0.1",
        tmp_path,
    )
    assert "error[correlations]" in text
    assert "BW, HT = 0.9; BW, cl = 0.9; HT, cl = -0.5" in text
    assert "smallest eigenvalue" in text


def test_a_pair_left_out_is_named_too(tmp_path: Path) -> None:
    text = refusal(
        "BW ~ normal(cv = 9 [%]); HT ~ normal(cv = 9 [%]); cl ~ lognormal(cv = 9 [%]);"
        "correlate BW, HT = 0.8; correlate BW, cl = 0.8",
        tmp_path,
    )
    assert "pairs that are not named are taken as 0: HT, cl" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fx ~ uniform(0, 1) in (2, 3)", "its bounds leave nothing of its distribution"),
        ("cl ~ lognormal(5000 [L/h], cv = 20 [%])", "its bounds leave 4e-87 of its distribution"),
        ("fx ~ lognormal(cv = 1 - 2 * fx)", "its cv is 0"),
        ("BW ~ normal(cv = 15 [%]); fx ~ beta(2, 2); correlate BW, fx = 2 * fx", "it is 1"),
        (
            "BW ~ normal(cv = 15 [%]); fx ~ lognormal(cv = plasma.A / 1 [umol])",
            "'plasma.D' has no value here",
        ),
        ("t ~ lognormal(cv = 10 [%])", "cannot differ between people"),
        ("plasma.C ~ lognormal(cv = 10 [%])", "cannot differ between people"),
        ("BW ~ normal(cv = 15 [%]); BW ~ normal(cv = 5 [%])", "two distributions in one population"),
        ("BW ~ normal(cv = 15 [%]) in (20, 100) [kg]", "reach beyond those of the covariate 'BW'"),
        ("BW ~ normal(cv = 15 [%]); correlate BW, HT = 0.1", "'HT' has no distribution in this population"),
        ("BW ~ normal(cv = 15 [%]); correlate BW, BW = 0.1", "correlated with itself"),
        ("BW ~ normal(cv = 1 [%]); fx ~ beta(1, 1); correlate BW, fx = 1", "a correlation lies between"),
        (
            "BW ~ normal(cv = 1 [%]); fx ~ beta(1, 1); correlate BW, fx = 0.1; correlate fx, BW = 0.2",
            "have two correlations",
        ),
        ("fx ~ lognormal(cv = 0)", "cv of 'fx' is not positive"),
    ],
)
def test_what_cannot_be_drawn_says_why(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(text, tmp_path)
