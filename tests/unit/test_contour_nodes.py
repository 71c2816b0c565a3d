"""Nodes of the contour: their error is what they say, over the window and over the sector."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pbpkc.solve.contour_nodes import WIDEST_SECTOR, nodes, wide_enough


def _exponential(width: float, sector: float, error: float, s: complex, times: np.ndarray) -> np.ndarray:
    """exp(s t) by the nodes, with the conjugate half."""
    found = nodes(width, sector, error)
    term = 0.5 * found.weight * np.exp(np.outer(times, found.z))
    half = term / (found.z - s)
    other = np.conj(term) / (np.conj(found.z) - s)
    return np.asarray(np.sum(half + other, axis=1))


@pytest.mark.parametrize("degrees", [0.0, 20.0, 45.0, 60.0])
@pytest.mark.parametrize("width", [1.0, 8.0, 300.0, 5000.0])
@pytest.mark.parametrize("error", [1e-6, 1e-10, 1e-12])
def test_modes_of_the_sector_are_as_accurate_as_asked(width: float, degrees: float, error: float) -> None:
    sector = math.radians(degrees)
    times = np.geomspace(1.0, width, 17)
    draw = np.random.default_rng(3)
    angles, sizes = draw.uniform(-sector, sector, 60), np.exp(draw.uniform(-14.0, 8.0, 60))
    for s in (0.0, *(-sizes * np.exp(1j * angles)).tolist()):
        found = _exponential(width, sector, error, s, times)
        assert np.max(np.abs(found - np.exp(s * times))) < 2.0 * error


def test_a_mode_outside_of_the_sector_is_not() -> None:
    """What the checks of the kernel look for."""
    s = -np.exp(1j * math.radians(70.0))
    found = _exponential(10.0, math.radians(15.0), 1e-10, s, np.ones(1))
    assert abs(found[0] - np.exp(s)) > 1e-6


def test_widths_come_in_steps_so_that_schedules_share_nodes() -> None:
    assert wide_enough(1.0) == 1.0
    assert wide_enough(100.0) == wide_enough(95.2)
    assert wide_enough(17.0) >= 17.0
    assert nodes(wide_enough(100.0), 0.1, 1e-9) is nodes(wide_enough(96.0), 0.1, 1e-9)


def test_times_may_be_in_any_unit() -> None:
    """For a window that begins at 1e-3 or 1e3, shifted to the right of the spectrum."""
    for begin in (1e-3, 1e3):
        found = nodes(50.0, 0.2, 1e-10).scaled(begin, 0.001 / begin)
        t = 20.0 * begin
        term = found.weight * np.exp(found.z * t) / (found.z + 0.1 / begin)
        assert np.sum(term.real) == pytest.approx(math.exp(-2.0), abs=1e-9)


@pytest.mark.parametrize(
    ("width", "sector"), [(0.5, 0.1), (1e9, 0.1), (2.0, WIDEST_SECTOR + 0.1), (2.0, -0.1)]
)
def test_windows_that_have_no_nodes_are_refused(width: float, sector: float) -> None:
    with pytest.raises(ValueError, match="accepted"):
        nodes(width, sector, 1e-9)
