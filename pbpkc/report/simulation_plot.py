"""Simulated curves: one panel an observable, one colour a scenario."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

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
from pbpkc.solve.trajectory import Trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

#: Decades below its largest value that a logarithmic panel follows a curve.
_DECADES = 5.0

#: Panels in a row, for up to so many observables, and the size of a panel in inches.
_COLUMNS = ((1, 1), (6, 2), (12, 3), (math.inf, 4))
_PANEL = {1: (6.6, 3.7), 2: (4.3, 2.7), 3: (3.3, 2.3), 4: (2.8, 2.0)}

#: A scenario with more runs than this shows a crowd of individuals, drawn thin.
_CROWD = 3


class Run(Protocol):
    """A simulated run: scenario, individual (empty for a single one), trajectory."""

    @property
    def scenario(self) -> str:
        """The name of the scenario."""
        ...

    @property
    def id(self) -> str:
        """The individual."""
        ...

    @property
    def trajectory(self) -> Trajectory:
        """Times in h, observables each in its unit."""
        ...


def simulation_figure(
    runs: Sequence[Run], units: Mapping[str, str], time_unit: Unit, log: bool, title: str = ""
) -> tuple[Draw, tuple[float, float]]:
    """A picture of simulated runs, with its size in inches.

    Parameters
    ----------
    runs : sequence of Run
        Of one model.
    units : mapping of str to str
        Observables to be shown, in order, with the text of their units.
    time_unit : Unit
        Of the time axis.
    log : bool
        Whether values stand on a logarithmic axis.
    title : str
        Above the panels.
    """
    columns = next(n for most, n in _COLUMNS if len(units) <= most)
    rows = math.ceil(len(units) / columns)
    styles = _styles(runs)
    named = len(styles) > 1 or any(run.scenario for run in runs)
    step, row = _PANEL[columns]
    lines = _legend_lines(list(styles), step * columns) if named else 0
    width = step * columns
    head = 0.12 + (0.26 if title else 0.0) + 0.2 * lines
    height = head + row * rows

    def draw(figure: Figure) -> None:
        if title:
            heading(figure, title)
        if named:
            _legend(figure, styles, lines, height - (0.38 if title else 0.1))
        times = _times(runs, float(time_unit.factor))
        for k, (name, unit) in enumerate(units.items()):
            line, column = divmod(k, columns)
            box = Box(step * column + 0.34, height - head - row * (line + 1) + 0.46, step - 0.48, row - 0.62)
            shown = _shown(runs, name, log)
            up = ticks(shown, box.height, upright=True)
            box = box.letters(up.width)
            axes = box.axes(figure)
            mark(axes, "x", times, ticks(times, box.width, time_unit=time_unit.text))
            mark(axes, "y", shown, up)
            _draw_panel(axes, runs, name, styles, float(time_unit.factor), log)
            axes.set_xlabel(bracketed("time", time_unit.text), labelpad=2.0)
            axes.set_ylabel(bracketed(name, unit))

    return draw, (width, height)


def _draw_panel(
    axes: Axes, runs: Sequence[Run], name: str, styles: Mapping[str, dict[str, Any]], factor: float, log: bool
) -> None:
    sizes = Counter(run.scenario for run in runs)
    # A single run is drawn over a crowd.
    for run in sorted(runs, key=lambda run: -sizes[run.scenario]):
        value = run.trajectory.observable(name)
        keep = shown_on(value, log)
        crowd = sizes[run.scenario] > _CROWD
        style = {**styles[run.scenario], "linewidth": 0.7 if crowd else 1.3, "alpha": 0.6 if crowd else 1.0}
        axes.plot(run.trajectory.time[keep] / factor, value[keep], **style)


def _styles(runs: Sequence[Run]) -> dict[str, dict[str, Any]]:
    names = list(dict.fromkeys(run.scenario for run in runs))
    return {
        name: {"color": SERIES[k % len(SERIES)], "linestyle": DASHES[(k // len(SERIES)) % len(DASHES)]}
        for k, name in enumerate(names)
    }


def _times(runs: Sequence[Run], factor: float) -> Range:
    low = min(float(run.trajectory.time.min()) for run in runs) / factor
    high = max(float(run.trajectory.time.max()) for run in runs) / factor
    pad = 0.02 * (high - low or 1.0)
    return Range(low - pad, high + pad)


def _shown(runs: Sequence[Run], name: str, log: bool) -> Range:
    values: Array = np.concatenate([run.trajectory.observable(name) for run in runs])
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
