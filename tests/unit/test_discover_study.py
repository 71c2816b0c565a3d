"""The study of missing terms, one task of it."""

from __future__ import annotations

import pytest

from pbpkc.jobs.discover_study import LAWS, Cell, Scored, run_study, table


@pytest.mark.slow
def test_without_noise_the_curve_is_found() -> None:
    (scored,) = run_study([Cell("Michaelis-Menten", 0.0)], 1, forms="none")
    assert scored.curve_error < 0.5
    assert scored.kept == ()


def test_the_table_counts_cells() -> None:
    cell = Cell("Hill", 5.0)
    rows = [
        Scored(cell, k, error, 0.7, 0.5, 1.0, 0.9, k < 2, k == 0, ("Hill",), 3.0)
        for k, error in enumerate((1.0, 2.0, 9.0))
    ]
    (_, line) = table(rows).splitlines()
    assert " ".join(line.split()) == "Hill 5 Cl 3 2.00 0.70 0.50 1.00 0.90 2/3 1/3 3.0"


@pytest.mark.parametrize("title", LAWS)
def test_laws_are_forms_of_the_library(title: str) -> None:
    import numpy as np

    law = LAWS[title]
    parameters = law.draw(np.random.default_rng(0))
    assert "{" not in law.text.format(*parameters)
    values = law.at(np.array([0.0, 10.0, 20.0]), *parameters)
    assert values[0] == 0.0 and values[1] < values[2]
