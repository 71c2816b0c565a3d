"""Measured points and fitted curve against time, one panel a subject."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.report.fit_series import Band, Series
from pbpkc.report.plot_style import (
    CENSORED,
    FITTED,
    GUIDE,
    OBSERVED,
    POOLED,
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

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

#: Names of the groups of marks in an SVG, and of a line; marks of a group stand in the order of the series.
OBSERVED_MARKS, CENSORED_MARKS, POOLED_LINE = "observed", "censored", "pooled"

#: The curve of all subjects' estimate beside a subject's own.
_POOLED: dict[str, Any] = {"color": POOLED, "linewidth": 1.1, "linestyle": (0, (4, 2))}

#: Subjects whose largest values differ by more than this factor do not share an axis.
_SHARED = 4.0


@dataclass(frozen=True)
class Frame:
    """Axes of one panel."""

    time: Range
    value: Range


def frames(group: Sequence[Series], log: bool) -> tuple[list[Frame], bool]:
    """Axes for the panels of one observable, and whether all are the same.

    Subjects whose values are of one size share one set of axes, so that panels can be compared.
    """
    times = [_time_range(one) for one in group]
    time_shared = _alike([t.high - t.low for t in times])
    if time_shared:
        times = [Range(min(t.low for t in times), max(t.high for t in times))] * len(group)
    values = [_value_range(one, log) for one in group]
    value_shared = _alike([one.highest for one in group])
    if value_shared:
        values = [Range(min(v.low for v in values), max(v.high for v in values), log)] * len(group)
    return [Frame(t, v) for t, v in zip(times, values, strict=True)], value_shared and time_shared


def _alike(sizes: list[float]) -> bool:
    positive = [s for s in sizes if math.isfinite(s) and s > 0.0]
    return not positive or max(positive) <= _SHARED * min(positive)


def _time_range(one: Series) -> Range:
    times = np.concatenate((one.time, one.censored_time, one.curve_time, one.pooled_time))
    low, high = (float(times.min()), float(times.max())) if times.size else (0.0, 1.0)
    pad = 0.03 * (high - low or 1.0)
    return Range(low - pad, high + pad)


def _value_range(one: Series, log: bool) -> Range:
    seen = np.concatenate((one.value, one.censored_limit))
    curve = np.concatenate((one.curve, one.pooled))
    curve = curve[np.isfinite(curve)]
    if one.band is not None:
        curve = np.concatenate((curve, one.band.high[np.isfinite(one.band.high)]))
    if not log:
        shown = np.concatenate((seen[np.isfinite(seen)], curve, [0.0]))
        return linear_range(float(shown.min()), float(shown.max()))
    # A curve begins at nothing and ends there; what was measured says how far down it is worth following.
    seen = seen[np.isfinite(seen) & (seen > 0.0)]
    curve = curve[curve > 0.0]
    if not seen.size:
        top = float(curve.max()) if curve.size else 1.0
        return log_range(top / 1e3, top)
    high = max(float(seen.max()), float(curve.max()) if curve.size else 0.0)
    return log_range(float(seen.min()) / 1.3, high)


def draw_time(axes: Axes, one: Series, shown: Frame) -> None:
    """Measured points, values below quantification at their limit, the fitted curves and their bands."""
    log = shown.value.log
    if one.band is not None:
        _draw_bands(axes, one.band, shown)
    limits = np.unique(one.censored_limit)
    if limits.size == 1:
        axes.axhline(float(limits[0]), color=GUIDE, linewidth=0.6, linestyle=(0, (3, 2)), zorder=1)
    keep = shown_on(one.curve, log)
    axes.plot(one.curve_time[keep], one.curve[keep], color=FITTED, linewidth=1.3, zorder=2)
    if one.pooled.size:
        keep = shown_on(one.pooled, log)
        axes.plot(one.pooled_time[keep], one.pooled[keep], gid=POOLED_LINE, zorder=1.5, **_POOLED)
    below = points(CENSORED, "v")
    axes.plot(one.censored_time, one.censored_limit, gid=CENSORED_MARKS, zorder=3, **below)
    keep = shown_on(one.value, log)
    axes.plot(one.time[keep], one.value[keep], gid=OBSERVED_MARKS, zorder=4, **points(OBSERVED))


def _draw_bands(axes: Axes, band: Band, shown: Frame) -> None:
    """The 95 % band of new measurements, and within it that of the curve."""
    floor = shown.value.low if shown.value.log else -np.inf
    for low, high, color, alpha in (
        (band.dv_low, band.dv_high, GUIDE, 0.22),
        (band.low, band.high, FITTED, 0.28),
    ):
        keep = np.isfinite(low) & np.isfinite(high) & (high > floor)
        axes.fill_between(
            band.time[keep], np.maximum(low[keep], floor), high[keep],
            color=color, alpha=alpha, linewidth=0.0, zorder=0.5,
        )  # fmt: skip


def time_panel(one: Series, shown: Frame, large: bool) -> Draw:
    """The panel of one subject by itself.

    Many small ones stand together under the name and unit of what they show; a `large` one says it itself.
    """

    def draw(figure: Figure) -> None:
        axes = _in_box(
            figure, inside(figure, 0.3, 0.42) if large else inside(figure, 0.14, 0.4, top=0.08), one, shown
        )
        axes.set_xlabel(bracketed("time", one.time_unit), labelpad=2.0)
        if large:
            axes.set_ylabel(bracketed(one.observable, one.unit))

    return draw


def _in_box(figure: Figure, box: Box, one: Series, shown: Frame, letters: int = 0) -> Axes:
    """The panel in a given place, with room for at least so many letters on its left."""
    up = ticks(shown.value, box.height, upright=True)
    box = box.letters(max(letters, up.width))
    axes = box.axes(figure)
    mark(axes, "x", shown.time, ticks(shown.time, box.width, time_unit=one.time_unit))
    mark(axes, "y", shown.value, up)
    draw_time(axes, one, shown)
    return axes


# ------------------------------------------------------------- one picture for all subjects

#: Width of a picture for print, most panels in a row, height of a row, room for headings; inches.
_WIDTH, _COLUMNS, _ROW, _HEAD, _TITLE = 8.0, 4, 1.75, 0.3, 0.4


def time_grid(groups: Sequence[Sequence[Series]], log: bool, title: str) -> tuple[Draw, tuple[float, float]]:
    """Every subject of every observable in one picture, with its size in inches."""
    if sum(len(group) for group in groups) == 1:
        return _single(groups[0][0], log, title), (6.4, 3.9)
    columns = min(_COLUMNS, max(len(group) for group in groups))
    rows = [math.ceil(len(group) / columns) for group in groups]
    height = _TITLE + sum(_HEAD + _ROW * n for n in rows)

    def draw(figure: Figure) -> None:
        heading(figure, title)
        _legend(figure, groups)
        top = height - _TITLE
        for group, lines in zip(groups, rows, strict=True):
            _block(figure, group, log, top, columns)
            top -= _HEAD + _ROW * lines

    return draw, (_WIDTH, height)


def _single(one: Series, log: bool, title: str) -> Draw:
    def draw(figure: Figure) -> None:
        heading(figure, f"{title}, subject {one.subject}")
        _legend(figure, [[one]])
        axes = _in_box(figure, inside(figure, 0.32, 0.45, top=0.5), one, frames([one], log)[0][0])
        axes.set_xlabel(bracketed("time", one.time_unit))
        axes.set_ylabel(bracketed(one.observable, one.unit))

    return draw


def _block(figure: Figure, group: Sequence[Series], log: bool, top: float, columns: int) -> None:
    """The panels of one observable, from `top` inches above the lower edge down."""
    shown, _ = frames(group, log)
    height = float(figure.get_size_inches()[1])
    axis = f"{bracketed(group[0].observable, group[0].unit)} against {bracketed('time', group[0].time_unit)}"
    figure.text(0.12 / _WIDTH, (top - 0.12) / height, axis, va="center")
    step = (_WIDTH - 0.1) / columns
    letters = max(ticks(frame.value, _ROW - 0.6, upright=True).width for frame in shown)
    for k, (one, frame) in enumerate(zip(group, shown, strict=True)):
        row, column = divmod(k, columns)
        box = Box(0.2 + step * column, top - _HEAD - _ROW * (row + 1) + 0.35, step - 0.3, _ROW - 0.6)
        axes = _in_box(figure, box, one, frame, letters)
        axes.set_title(f"subject {one.subject}", pad=3.0, fontsize=8)


def _legend(figure: Figure, groups: Sequence[Sequence[Series]]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[Artist] = [
        Line2D([], [], label="observed", **points(OBSERVED)),
        Line2D([], [], label="fitted", color=FITTED, linewidth=1.3),
    ]
    if any(one.pooled.size for group in groups for one in group):
        entries.append(Line2D([], [], label="pooled", **_POOLED))
    if any(one.band is not None for group in groups for one in group):
        entries += [
            Patch(label="95 % of curves", color=FITTED, alpha=0.28, linewidth=0.0),
            Patch(label="95 % of measurements", color=GUIDE, alpha=0.22, linewidth=0.0),
        ]
    if any(one.censored_time.size for group in groups for one in group):
        entries.append(Line2D([], [], label="below quantification (at the limit)", **points(CENSORED, "v")))
    width, height = (float(x) for x in figure.get_size_inches())
    corner = (1.0 - 0.1 / width, 1.0 - 0.22 / height)
    figure.legend(
        handles=entries, loc="center right", ncols=len(entries), bbox_to_anchor=corner, borderaxespad=0.0
    )
