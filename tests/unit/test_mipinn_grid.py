"""Elements, polynomials on them, and block elimination: against numpy on plain problems."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pbpkc.engines.mipinn.condensed import condense, eliminate_outside, order
from pbpkc.engines.mipinn.elimination import eliminate, plan
from pbpkc.engines.mipinn.grid import Grid, geometric


@pytest.fixture
def grid() -> Grid:
    return geometric(24.0, 0.01)


def test_elements_grow_by_the_ratio_and_fill_the_segment(grid: Grid) -> None:
    widths = np.diff(grid.edges)
    assert grid.edges[0] == 0.0 and grid.edges[-1] == 24.0
    assert np.allclose(widths[1:] / widths[:-1], 2.0)
    assert widths[0] <= 0.03


def test_polynomials_of_the_degree_are_exact_in_value_and_slope(grid: Grid) -> None:
    generator = np.random.default_rng(1)
    t = np.sort(generator.uniform(0.0, 24.0, 30))
    for power in range(grid.degree + 1):
        nodal = (grid.nodes / 24.0) ** power
        assert np.allclose(grid.values_at(t) @ nodal, (t / 24.0) ** power, atol=1e-12)
        slope = power * (t / 24.0) ** max(power - 1, 0) / 24.0
        assert np.allclose(grid.slopes_at(t) @ nodal, slope, atol=1e-8)


def test_quadrature_is_exact_for_polynomials(grid: Grid) -> None:
    points, weights = grid.quadrature()
    assert points.min() > 0.0 and points.max() < 24.0
    assert weights @ points**5 == pytest.approx(24.0**6 / 6.0, rel=1e-12)


def star(
    generator: np.random.Generator, n: int
) -> tuple[list[tuple[int, ...]], NDArray[np.intp], NDArray[np.intp]]:
    """Couplings as of organs around the blood, with a few others, as pairs and as rows and columns."""
    arms = [(i, 0) for i in range(1, n)] + [(0, i) for i in range(1, n)]
    extra = {tuple(generator.integers(0, n, 2).tolist()) for _ in range(6)}
    pairs = sorted({*arms, *((i, i) for i in range(n)), *extra})
    rows, cols = (np.array(x, dtype=np.intp) for x in zip(*pairs, strict=True))
    return pairs, rows, cols


@pytest.mark.parametrize("seed", range(4))
def test_elimination_solves_what_a_dense_solver_solves(seed: int) -> None:
    generator = np.random.default_rng(seed)
    n, k, batch = 14, 3, 2
    pairs, rows, cols = star(generator, n)
    keep = np.zeros(n, dtype=bool)
    keep[generator.integers(0, n)] = True
    steps = plan(n, rows, cols, keep)
    assert set(np.flatnonzero(keep)) <= set(steps.core.tolist())
    assert steps.rounds
    blocks = np.zeros((batch, steps.slots, k, k))
    given = generator.normal(size=(batch, len(pairs), k, k))
    given[:, rows == cols] += 6.0 * np.eye(k)
    blocks[:, steps.place] = given
    dense = np.zeros((batch, n, k, n, k))
    for e, (i, j) in enumerate(pairs):
        dense[:, i, :, j, :] = given[:, e]
    right = generator.normal(size=(batch, n, k, 2))
    gone = eliminate(steps, blocks)
    reduced, parts = gone.reduce(right)
    c = len(steps.core)
    x = np.empty_like(right)
    x[:, steps.core] = np.linalg.solve(gone.core(), reduced[:, steps.core].reshape(batch, c * k, 2)).reshape(
        batch, c, k, 2
    )
    x = gone.expand(x, parts)
    expected = np.linalg.solve(dense.reshape(batch, n * k, n * k), right.reshape(batch, n * k, 2))
    assert np.allclose(x.reshape(batch, n * k, 2), expected, atol=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_condensing_solves_what_a_dense_solver_solves(seed: int) -> None:
    generator = np.random.default_rng(seed)
    n, k, batch = 14, 3, 2
    pairs, rows, cols = star(generator, n)
    core, touched = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    core[0] = True
    touched[[1, 2, 3]] = True
    at = order(n, rows, cols, core, touched)
    assert len(at.outside)
    assert len(at.outer.core) > len(at.core)
    blocks = generator.normal(size=(batch, len(pairs), k, k))
    blocks[:, rows == cols] += 6.0 * np.eye(k)
    outside = eliminate_outside(at, blocks)
    # What is inside may change without the outside being eliminated anew.
    blocks[:, at.moving] += 0.3 * generator.normal(size=(batch, len(at.moving), k, k))
    dense = np.zeros((batch, n, k, n, k))
    for e, (i, j) in enumerate(pairs):
        dense[:, i, :, j, :] = blocks[:, e]
    found = condense(at, outside, blocks)
    for inner_only in (False, True):
        right = generator.normal(size=(batch, n, k, 2))
        if inner_only:
            right[:, at.outside] = 0.0
        reduced, parts = found.reduce(right)
        x = np.linalg.solve(found.matrix(), reduced)
        expected = np.linalg.solve(dense.reshape(batch, n * k, n * k), right.reshape(batch, n * k, 2))
        expected = expected.reshape(right.shape)
        assert np.allclose(found.expand(x, parts, whole=True), expected, atol=1e-10)
        some = found.expand(x, parts, whole=False)
        assert np.allclose(some[:, at.outer.core], expected[:, at.outer.core], atol=1e-10)
        assert not some[:, at.outside].any()
