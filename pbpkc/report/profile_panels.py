"""Profile likelihoods: how the objective rises as one parameter is moved and the others follow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pbpkc.infer.profile_result import Profile, ProfilePoint
from pbpkc.infer.result import EstimateRow, FitResult
from pbpkc.report.fit_series import first_fits
from pbpkc.report.plot_style import (
    FITTED,
    GUIDE,
    OBSERVED,
    SERIES,
    Box,
    Draw,
    Range,
    heading,
    inside,
    linear_range,
    log_range,
    mark,
    points,
    ticks,
)
from pbpkc.report.quantities import bracketed, of_whom

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Name of the group of marks in an SVG.
PROFILE_MARKS = "profile"

#: A panel shows rises up to this many times the threshold.
_HIGHEST = 1.9

#: Subjects in one picture.
MOST_PROFILED = 20

_WALD = SERIES[2]


@dataclass(frozen=True)
class ProfilePanel:
    """A profile with the estimate that it is about."""

    subject: str
    profile: Profile
    row: EstimateRow
    title: str

    @property
    def shown(self) -> tuple[ProfilePoint, ...]:
        """The points that are drawn as marks."""
        top = _HIGHEST * self.profile.threshold
        return tuple(point for point in self.profile.points if point.objective_rise <= top)


def profile_panels(result: FitResult) -> dict[str, tuple[ProfilePanel, ...]]:
    """The profiles of the first `MOST_PROFILED` that have some, by subject."""
    found = {}
    for fit in first_fits([fit for fit in result.fits if fit.profiles], MOST_PROFILED):
        rows = {row.parameter: row for row in fit.estimates}
        found[fit.id] = tuple(ProfilePanel(fit.id, p, rows[p.parameter], of_whom(fit)) for p in fit.profiles)
    return found


def profile_panel(panel: ProfilePanel) -> Draw:
    """One panel by itself."""
    return lambda figure: draw_profile(figure, inside(figure, 0.1, 0.42, top=0.12), panel)


def draw_profile(figure: Figure, box: Box, panel: ProfilePanel, label: bool = True) -> None:
    """A profile in a given place: its points, the threshold, and what the standard error would have said."""
    profile, row = panel.profile, panel.row
    values = [point.value for point in panel.shown]
    log = row.scale == "log" and min(values) > 0.0
    across = log_range(min(values), max(values)) if log else linear_range(min(values), max(values))
    top = _HIGHEST * profile.threshold
    upward = Range(-0.04 * top, top)
    marks = ticks(Range(0.0, top), box.height, upright=True)
    box = box.letters(marks.width + (2 if label else 1))
    axes = box.axes(figure)
    mark(axes, "x", across, ticks(across, box.width))
    mark(axes, "y", upward, marks)
    axes.axhline(profile.threshold, color=GUIDE, linewidth=0.8, linestyle=(0, (3, 2)), zorder=1)
    axes.plot(*_parabola(panel, across), color=_WALD, linewidth=0.9, linestyle=(0, (1.5, 1.5)), zorder=2)
    low, high = max(row.ci_low, across.low), min(row.ci_high, across.high)
    if low < high:
        axes.plot([low, high], [profile.threshold] * 2, color=_WALD, linewidth=2.4, alpha=0.55, zorder=2)
    every = [(p.value, p.objective_rise) for p in profile.points]
    axes.plot([x for x, _ in every], [y for _, y in every], color=FITTED, linewidth=1.1, zorder=3)
    shown = panel.shown
    axes.plot(
        [p.value for p in shown], [p.objective_rise for p in shown], gid=PROFILE_MARKS, zorder=4,
        **{**points(OBSERVED), "markersize": 3.2},
    )  # fmt: skip
    # Where it could not be followed further, against where it was left.
    lost = [profile.points[0]] * (profile.below == "lost") + [profile.points[-1]] * (profile.above == "lost")
    axes.plot(
        [p.value for p in lost], [p.objective_rise for p in lost], linestyle="", marker="x", markersize=7.0,
        color=OBSERVED, zorder=5,
    )  # fmt: skip
    axes.set_xlabel(bracketed(profile.parameter, profile.unit), labelpad=2.0)
    if label:
        axes.set_ylabel("rise of objective", labelpad=2.0)


def _parabola(panel: ProfilePanel, across: Range) -> tuple[np.ndarray, np.ndarray]:
    """The profile that Wald's interval stands for: a parabola on the scale of the fit."""
    row = panel.row
    if not (math.isfinite(row.ci_low) and math.isfinite(row.ci_high)):
        return np.zeros(0), np.zeros(0)
    if row.scale == "log" and across.log:
        x = np.geomspace(across.low, across.high, 101)
        off = np.log(x / row.estimate) / math.log(row.ci_high / row.estimate)
    else:
        x = np.linspace(across.low, across.high, 101)
        off = (x - row.estimate) / (row.ci_high - row.estimate)
    y = panel.profile.threshold * off**2
    return x, np.where(y <= _HIGHEST * panel.profile.threshold, y, np.nan)


def profile_grid(panels: Sequence[Sequence[ProfilePanel]], title: str) -> tuple[Draw, tuple[float, float]]:
    """All profiles in one picture, a line a subject and a column a parameter, with its size in inches."""
    columns = max(len(line) for line in panels)
    step, row = 2.5, 2.0
    width, height = step * columns + 0.1, 0.4 + row * len(panels)

    def draw(figure: Figure) -> None:
        heading(figure, title)
        for line, found in enumerate(panels):
            bottom = height - 0.4 - row * (line + 1)
            if len(panels) > 1:
                place = (bottom + row - 0.12) / height
                figure.text(0.14 / width, place, found[0].title, fontsize=8.0, va="center")
            for column, panel in enumerate(found):
                draw_profile(
                    figure, Box(step * column + 0.1, bottom + 0.45, step - 0.22, row - 0.75), panel,
                    label=column == 0,
                )  # fmt: skip

    return draw, (width, height)
