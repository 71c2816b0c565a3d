"""The classic theophylline study, fitted through the whole pipeline, against R's nls."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path

import pytest

import pbpkc
from pbpkc.infer.result import FitResult

pytestmark = pytest.mark.reference


@pytest.fixture(scope="module")
def fitted() -> FitResult:
    return pbpkc.load(Path(__file__).parents[2] / "specs" / "theophylline_oral.pbpk").fit()


@pytest.fixture(scope="module")
def by_nls(references: Path) -> list[dict[str, str]]:
    with open(references / "fits" / "theophylline_nls_reference_subjects_1-6.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.long
def test_estimates_and_residual_sums_equal_those_of_nls(
    fitted: FitResult, by_nls: list[dict[str, str]], figure: Callable[..., None]
) -> None:
    estimates = {(row.id, row.parameter): row for row in fitted.estimates}
    rss = {row.id: row.rss for row in fitted.subjects}
    worst = {"estimate": 0.0, "rss": 0.0, "sigma": 0.0, "error": 0.0}
    assert len(by_nls) == 6
    for row in by_nls:
        subject = row["subject"]
        for name, column, scale in (("ka", "ka", "lKa"), ("cl", "CL_L_h_kg", "lCl"), ("v", "V_L_kg", None)):
            found = estimates[subject, name]
            worst["estimate"] = max(worst["estimate"], abs(found.estimate / float(row[column]) - 1))
            if scale is not None:  # R's standard errors are of the logarithms, with n - p
                worst["error"] = max(
                    worst["error"], abs(found.standard_error / float(row[f"se_{scale}"]) - 1)
                )
        worst["rss"] = max(worst["rss"], abs(rss[subject] / float(row["rss"]) - 1))
        sigma = fitted.subject(subject).residual_sd
        worst["sigma"] = max(worst["sigma"], abs(sigma / float(row["sigma"]) - 1))
    figure("theophylline 1-6, estimates against R nls, relative", worst["estimate"], below=1e-3)
    figure("theophylline 1-6, residual sums of squares against R nls, relative", worst["rss"], below=1e-4)
    figure("theophylline 1-6, standard errors against R nls, relative", worst["error"], below=1e-3)
    figure(
        "theophylline 1-6, residual standard deviation (n - p) against R nls, relative",
        worst["sigma"],
        below=1e-3,
    )
    assert worst["estimate"] < 1e-3
    assert worst["rss"] < 1e-4
    assert worst["error"] < 1e-3
    assert worst["sigma"] < 1e-3


@pytest.mark.parametrize(
    ("name", "published", "digit"), [("ka", 1.61, 0.005), ("v", 0.457, 0.0005), ("cl", 0.0402, 0.00005)]
)
def test_geometric_means_of_all_twelve(
    fitted: FitResult, name: str, published: float, digit: float, figure: Callable[..., None]
) -> None:
    values = [row.estimate for row in fitted.estimates if row.parameter == name]
    assert len(values) == 12
    mean = math.exp(sum(map(math.log, values)) / 12)
    figure(
        f"theophylline, geometric mean of {name} is {mean:.4g}, distance from {published}",
        abs(mean - published),
        below=digit,
    )
    assert abs(mean - published) <= digit


def test_everybody_is_identifiable_and_converged(fitted: FitResult) -> None:
    assert fitted.outcome == "done"
    assert all(row.identifiable == "yes" for row in fitted.estimates)
