"""A grid of panels over time: one observable a panel, one colour a scenario."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.language.units import Unit
from pbpkc.report.plot_style import (
    DASHES,
    SERIES,
    Box,
    Draw,
    Range,
    heading,
    linear_range,
    log_range,
    mark,
    shown_on,
    ticks,
)
from pbpkc.report.quantities import bracketed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

#: Decades below its largest value that a logarithmic panel follows a curve.
_DECADES = 5.0

#: Panels in a row, for up to so many observables, and the size of a panel in inches.
_COLUMNS = ((1, 1), (6, 2), (12, 3), (math.inf, 4))
_PANEL = {1: (6.6, 3.7), 2: (4.3, 2.7), 3: (3.3, 2.3), 4: (2.8, 2.0)}

#: Draws an observable into its axes, with the style of each scenario.
Panel = Callable[["Axes", str, Mapping[str, Mapping[str, Any]]], None]


def observable_grid(
    units: Mapping[str, str],
    scenarios: Sequence[str],
    panel: Panel,
    values: Callable[[str], Array],
    times: Iterable[Array],
    time_unit: Unit,
    log: bool,
    title: str = "",
    foot: float = 0.0,
) -> tuple[Draw, tuple[float, float]]:
    """A picture with a panel for each observable, with its size in inches.

    Parameters
    ----------
    units : mapping of str to str
        Observables in order, with the text of their units.
    scenarios : sequence of str
        In the order of their colours.
    panel : callable
        Draws one observable.
    values : callable
        Everything that the panel of an observable has to show.
    times : iterable of array, h
        Everything that the axis of time has to show.
    time_unit : Unit
        Of that axis.
    log : bool
        Whether values stand on a logarithmic axis.
    title : str
        Above the panels.
    foot : float
        Inches left free below the panels.
    """
    columns = next(n for most, n in _COLUMNS if len(units) <= most)
    rows = math.ceil(len(units) / columns)
    styles = _styles(scenarios)
    named = len(styles) > 1 or any(scenarios)
    step, row = _PANEL[columns]
    lines = _legend_lines(list(styles), step * columns) if named else 0
    width = step * columns
    head = 0.12 + (0.26 if title else 0.0) + 0.2 * lines
    height = head + row * rows + foot
    span = _times(list(times), float(time_unit.factor))

    def draw(figure: Figure) -> None:
        if title:
            heading(figure, title)
        if named:
            _legend(figure, styles, lines, height - (0.38 if title else 0.1))
        for k, (name, unit) in enumerate(units.items()):
            line, column = divmod(k, columns)
            box = Box(step * column + 0.34, height - head - row * (line + 1) + 0.46, step - 0.48, row - 0.62)
            shown = _shown(values(name), log)
            up = ticks(shown, box.height, upright=True)
            box = box.letters(up.width)
            axes = box.axes(figure)
            mark(axes, "x", span, ticks(span, box.width, time_unit=time_unit.text))
            mark(axes, "y", shown, up)
            panel(axes, name, styles)
            axes.set_xlabel(bracketed("time", time_unit.text), labelpad=2.0)
            axes.set_ylabel(bracketed(name, unit))

    return draw, (width, height)


def _styles(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {
        name: {"color": SERIES[k % len(SERIES)], "linestyle": DASHES[(k // len(SERIES)) % len(DASHES)]}
        for k, name in enumerate(names)
    }


def _times(times: Sequence[Array], factor: float) -> Range:
    low = min(float(one.min()) for one in times) / factor
    high = max(float(one.max()) for one in times) / factor
    pad = 0.02 * (high - low or 1.0)
    return Range(low - pad, high + pad)


def _shown(values: Array, log: bool) -> Range:
    values = values[shown_on(values, log)]
    if not values.size:
        return Range(0.1, 10.0, log=True) if log else Range(0.0, 1.0)
    low, high = float(values.min()), float(values.max())
    if not log:
        return linear_range(low, high) if high > low else linear_range(min(0.0, low), max(0.0, high) or 1.0)
    return log_range(max(low, high * 10.0**-_DECADES), high)


def _legend_columns(names: list[str], width: float) -> int:
    # A letter is about 0.065 inches wide, the line and gaps before it about half an inch.
    return max(1, min(len(names), int(width / (0.6 + 0.065 * max(len(name) for name in names)))))


def _legend_lines(names: list[str], width: float) -> int:
    return math.ceil(len(names) / _legend_columns(names, width))


def _legend(figure: Figure, styles: Mapping[str, dict[str, Any]], lines: int, top: float) -> None:
    from matplotlib.lines import Line2D

    width, height = (float(x) for x in figure.get_size_inches())
    figure.legend(
        handles=[Line2D([], [], label=name, linewidth=1.3, **style) for name, style in styles.items()],
        loc="upper left", ncols=math.ceil(len(styles) / lines), bbox_to_anchor=(0.12 / width, top / height),
        borderaxespad=0.0, borderpad=0.0, labelspacing=0.35, columnspacing=1.4,
    )  # fmt: skip
