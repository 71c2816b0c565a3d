"""A posterior in the report, in its plots and on the terminal."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from report_demo import HOSTILE, TIMES, curve, demo_content, write_demo
from scipy import stats

from pbpkc.cli.fit_text import fit_text
from pbpkc.infer.posterior_result import BandRow, Posterior, PosteriorCheck, PosteriorDraws, PosteriorRow
from pbpkc.report.content import ReportContent
from pbpkc.report.html import render_report
from pbpkc.report.plots import write_fit_plots
from pbpkc.report.posterior_panels import marginals

NAN = math.nan


def posterior(id: str, centres: tuple[float, ...], weighted: bool) -> Posterior:
    generator = np.random.default_rng(3)
    values = np.array(centres) * np.exp(0.1 * generator.standard_normal((200, 3)))
    weight = np.where(np.arange(200) % 2, 2.0, 0.0) if weighted else np.ones(200)
    rows = tuple(
        PosteriorRow(id, name, unit, c, 0.1 * c, c, 0.8 * c, 1.2 * c, r_hat, 150.0, "lognormal")
        for name, unit, c, r_hat in zip(
            ("vmax", "km", "s"), ("umol/h", "umol/L", "%"), centres, (1.001, 1.002, 1.034), strict=True
        )
    )
    check = PosteriorCheck(
        4, 100, 200, 1500, 0, 0, 1.034, 150.0, "importance" if weighted else "none", 90 if weighted else 0,
        0.21 if weighted else NAN, 88.0 if weighted else NAN, NAN,
    )  # fmt: skip
    bands = tuple(
        BandRow(id, t, "Cp", y, 0.9 * y, 1.1 * y, 0.7 * y, 1.3 * y, id)
        for t, y in ((t, curve(0, t)) for t in (0.0, *TIMES, 12.0))
    )
    draws = PosteriorDraws(
        tuple(i // 50 + 1 for i in range(200)), tuple(i % 50 + 1 for i in range(200)),
        tuple(tuple(row) for row in values.tolist()), (0.0,) * 200, tuple(weight.tolist()),
    )  # fmt: skip
    return Posterior(rows, check, (f"the chains do not agree: {HOSTILE}",), bands, draws)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> ReportContent:
    made = demo_content(write_demo(tmp_path_factory.mktemp("demo")))
    first, second, third = made.result.fits
    fits = (
        replace(first, posterior=posterior("1", (41.0, 31.0, 9.0), weighted=True)),
        replace(second, posterior=Posterior((), None, ("there is no posterior: it fails",), (), None)),
        third,
    )
    return replace(made, result=replace(made.result, fits=fits))


def test_the_page_has_the_posterior_beside_the_other_intervals(content: ReportContent) -> None:
    page = render_report(content)
    assert '<a href="#posterior">' in page and '<section id="posterior">' in page
    section = page[page.index('<section id="posterior">') : page.index('<section id="checks">')]
    row = section[section.index("<code>vmax</code>") :]
    assert row.index("32.8") < row.index("33.9") < row.index("lognormal")  # posterior, then standard error
    assert section.count('class="open"') == 1 and "R-hat above 1.01" in section
    assert "weighted by 90 solves of the exact one (k-hat 0.21, 88 effective draws)" in section
    assert "Subject 2: there is no posterior: it fails." in section
    assert "<script>alert" not in page
    # Three parameters and their pairs, and bands under the curve of the first subject alone.
    assert section.count("<svg") == 4 and "95&nbsp;% of measurements" in page


def test_a_page_without_says_nothing_of_it(content: ReportContent) -> None:
    fits = tuple(replace(fit, posterior=None) for fit in content.result.fits)
    page = render_report(replace(content, result=replace(content.result, fits=fits)))
    assert 'id="posterior"' not in page and "of measurements" not in page


def test_the_prior_is_drawn_in_the_unit_of_the_parameter(content: ReportContent) -> None:
    prior = {"family": "lognormal", "canonical_arguments": {"median": 0.09, "sdlog": 0.4}}
    parameters = (
        {**content.result.parameters[0], "canonical_per_unit": 1.0, "prior": None},
        content.result.parameters[1],
        {**content.result.parameters[2], "canonical_per_unit": 0.01, "prior": prior},
    )
    found = marginals(replace(content.result, parameters=parameters))["1"]
    assert len(found[0].values) == 100 and found[0].weights.sum() == pytest.approx(1.0)
    assert found[0].prior == pytest.approx(1 / math.log(1000.0))  # uniform in the logarithm
    at = found[2].prior_at
    mass = stats.norm.cdf(math.log(0.8 / 0.09) / 0.4) - stats.norm.cdf(math.log(0.01 / 0.09) / 0.4)
    assert found[2].prior == pytest.approx(stats.norm.pdf(np.log(at / 9.0), 0, 0.4) / mass, rel=1e-9)


def test_plots_as_files(content: ReportContent, tmp_path: Path) -> None:
    names = {p.name for p in write_fit_plots(tmp_path, content.result, content.dataset, content.curves)}
    assert {"posterior.svg", "posterior_pairs_1.svg"} <= names and "posterior_pairs_2.svg" not in names
    first = (tmp_path / "posterior_pairs_1.svg").read_bytes()
    write_fit_plots(tmp_path, content.result, content.dataset, content.curves)
    assert (tmp_path / "posterior_pairs_1.svg").read_bytes() == first


def test_the_terminal_has_both_intervals(content: ReportContent) -> None:
    text = fit_text(content.result)
    line = next(row for row in text.splitlines() if row.startswith("1   vmax") and "150" in row)
    assert "32.8 to 49.2" in line and "33.91 to 50.18" in line and "1.001" in line
    assert "1: posterior of 200 draws in 4 chains, drawn from the fast model" in text
    assert "2: there is no posterior: it fails" in text
