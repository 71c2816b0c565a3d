"""Goodness of fit: observed against predicted, and weighted residuals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pbpkc.report.fit_series import Series
from pbpkc.report.plot_style import (
    GUIDE,
    OBSERVED,
    SHADE,
    Box,
    Draw,
    Range,
    heading,
    inside,
    linear_range,
    log_range,
    mark,
    points,
    shown_on,
    ticks,
)
from pbpkc.report.quantities import bracketed
from pbpkc.report.time_panels import OBSERVED_MARKS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

#: Points in one panel; with more they cover each other, and a page grows without end.
MOST_POINTS = 3000

#: A weighted residual beyond this is drawn among however many.
_FAR = 3.0

#: A point of a panel: its series, and which of its measurements it is.
Place = tuple[Series, int]


def observed_range(group: Sequence[Series], log: bool) -> Range:
    """One range for both axes of observed against predicted."""
    x, y, _ = observed_points(group, log)
    both = np.concatenate((x, y))
    if not both.size:
        return Range(0.1, 10.0, log=True) if log else Range(0.0, 1.0)
    return (log_range if log else linear_range)(float(both.min()), float(both.max()))


def observed_points(group: Sequence[Series], log: bool) -> tuple[Array, Array, list[Place]]:
    """Predicted and observed values that the axes can show, and where each comes from."""
    places = _some(
        [
            (one, int(i))
            for one in group
            for i in np.flatnonzero(shown_on(one.value, log) & shown_on(one.predicted, log))
        ]
    )
    return _values(places, "predicted"), _values(places, "value"), places


def residual_points(group: Sequence[Series]) -> list[Place]:
    """The weighted residuals there are, in the order in which they are drawn."""
    return _some([(one, int(i)) for one in group for i in np.flatnonzero(np.isfinite(one.weighted))])


def thinned(group: Sequence[Series]) -> int:
    """Every which measurement is drawn; 1 is all of them."""
    return math.ceil(sum(one.value.size for one in group) / MOST_POINTS) or 1


def _some(places: list[Place]) -> list[Place]:
    """Of too many points every few, and those that are far from the curve."""
    step = math.ceil(len(places) / MOST_POINTS)
    return [
        (one, i) for k, (one, i) in enumerate(places) if k % step == 0 or not abs(one.weighted[i]) <= _FAR
    ]


def _values(places: list[Place], what: str) -> Array:
    return np.array([getattr(one, what)[i] for one, i in places], dtype=float)


def observed_panel(group: Sequence[Series], log: bool) -> Draw:
    """Observed against predicted for one observable, with the line where they are equal."""
    return lambda figure: draw_observed(figure, inside(figure, 0.3, 0.42), group, log)


def draw_observed(figure: Figure, box: Box, group: Sequence[Series], log: bool) -> None:
    """Observed against predicted in a given place."""
    shown, unit = observed_range(group, log), group[0].unit
    up = ticks(shown, box.height, upright=True)
    box = box.letters(up.width)
    axes = box.axes(figure)
    mark(axes, "x", shown, ticks(shown, box.width))
    mark(axes, "y", shown, up)
    axes.plot([shown.low, shown.high], [shown.low, shown.high], color=GUIDE, linewidth=0.8, zorder=1)
    x, y, _ = observed_points(group, log)
    axes.plot(x, y, gid=OBSERVED_MARKS, zorder=3, alpha=_alpha(x.size), **points(OBSERVED))
    axes.set_xlabel(bracketed("predicted", unit), labelpad=2.0)
    axes.set_ylabel(bracketed("observed", unit))


def residual_panel(group: Sequence[Series], against_time: bool) -> Draw:
    """Weighted residuals against time or against the prediction."""
    return lambda figure: draw_residuals(figure, inside(figure, 0.3, 0.42), group, against_time)


def draw_residuals(figure: Figure, box: Box, group: Sequence[Series], against_time: bool) -> None:
    """Weighted residuals in a given place; the band holds 95 % of them if the error model is right."""
    unit, time_unit = group[0].unit, group[0].time_unit
    places = residual_points(group)
    x, y = _values(places, "time" if against_time else "predicted"), _values(places, "weighted")
    low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 1.0)
    pad = 0.04 * (high - low or 1.0)
    across, residuals = Range(low - pad, high + pad), _residual_range(y)
    up = ticks(residuals, box.height, upright=True)
    box = box.letters(up.width)
    axes = box.axes(figure)
    mark(axes, "x", across, ticks(across, box.width, time_unit=time_unit if against_time else None))
    mark(axes, "y", residuals, up)
    axes.axhspan(-2.0, 2.0, color=SHADE, linewidth=0, zorder=0)
    axes.axhline(0.0, color=GUIDE, linewidth=0.8, zorder=1)
    axes.plot(x, y, gid=OBSERVED_MARKS, zorder=3, alpha=_alpha(x.size), **points(OBSERVED))
    label = bracketed("time", time_unit) if against_time else bracketed("predicted", unit)
    axes.set_xlabel(label, labelpad=2.0)
    axes.set_ylabel("weighted residual")


def _residual_range(values: Array) -> Range:
    far = max(3.0, float(np.abs(values).max()) if values.size else 0.0)
    return Range(-1.08 * far, 1.08 * far)


def _alpha(count: int) -> float:
    """So many points are seen through where they lie on each other."""
    return 1.0 if count <= 200 else max(0.25, 14.0 / math.sqrt(count))


def goodness_grid(
    groups: Sequence[Sequence[Series]], log: bool, title: str
) -> tuple[Draw, tuple[float, float]]:
    """Three panels for every observable in one picture, with its size in inches."""
    width, row, head = 9.3, 2.9, 0.4
    height = head + row * len(groups)

    def draw(figure: Figure) -> None:
        heading(figure, title)
        step = (width - 0.1) / 3
        for k, group in enumerate(groups):
            low = height - head - row * (k + 1)
            name = bracketed(group[0].observable, group[0].unit)
            figure.text(0.12 / width, (low + row - 0.12) / height, name, va="center")
            boxes = [Box(step * c + 0.4, low + 0.5, step - 0.55, row - 0.8) for c in range(3)]
            draw_observed(figure, boxes[0], group, log)
            draw_residuals(figure, boxes[1], group, against_time=True)
            draw_residuals(figure, boxes[2], group, against_time=False)

    return draw, (width, height)
