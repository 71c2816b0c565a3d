"""Estimates of one parameter over the subjects, with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pbpkc.infer.result import FitResult
from pbpkc.report.fit_series import first_fits
from pbpkc.report.plot_style import (
    GUIDE,
    OBSERVED,
    PAPER,
    Box,
    Draw,
    Range,
    heading,
    inside,
    linear_range,
    log_range,
    mark,
    ticks,
)
from pbpkc.report.quantities import bracketed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Names of the groups of marks in an SVG.
DETERMINED_MARKS, OPEN_MARKS = "determined", "not-determined"

#: Letters of a subject's name that are shown beside its line.
_LETTERS = 14


@dataclass(frozen=True)
class EstimateMark:
    """An estimate and its interval, whose ends are nan where there is none."""

    subject: str
    estimate: float
    low: float
    high: float
    determined: bool


@dataclass(frozen=True)
class ParameterMarks:
    """The estimates of one parameter in `unit`; `mean` over the subjects is nan where there is only one."""

    parameter: str
    unit: str
    log: bool
    mean: float
    marks: tuple[EstimateMark, ...]


def parameter_marks(result: FitResult, most: int) -> tuple[ParameterMarks, ...]:
    """The estimates of every parameter, of the first `most` subjects that have them and of all together."""
    fits = first_fits([fit for fit in result.fits if fit.estimates], most)
    means = {row.parameter: row.mean for row in result.summary if row.n > 1}
    found = []
    for parameter in result.parameters if fits else ():
        name = str(parameter["name"])
        rows = [row for fit in fits for row in fit.estimates if row.parameter == name]
        found.append(
            ParameterMarks(
                name, str(parameter["unit"]), parameter["scale"] == "log", means.get(name, math.nan),
                tuple(
                    EstimateMark(r.id, r.estimate, r.ci_low, r.ci_high, r.identifiable == "yes") for r in rows
                ),
            )
        )  # fmt: skip
    return tuple(found)


def estimate_panel(parameter: ParameterMarks) -> Draw:
    """The panel of one parameter, one line a subject."""
    return lambda figure: draw_estimates(figure, inside(figure, 0.12, 0.42, top=0.1), parameter)


def draw_estimates(figure: Figure, box: Box, parameter: ParameterMarks) -> None:
    """Estimates with their intervals in a given place; hollow where the data do not determine them."""
    rows, shown = parameter.marks, _range(parameter)
    box = box.letters(min(_LETTERS, max(len(row.subject) for row in rows)))
    axes = box.axes(figure)
    mark(axes, "x", shown, ticks(shown, box.width))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [_short(row.subject) for row in rows])
    axes.tick_params(axis="y", length=0)
    if math.isfinite(parameter.mean):
        axes.axvline(parameter.mean, color=GUIDE, linewidth=0.8, linestyle=(0, (3, 2)), zorder=1)
    for place, row in enumerate(rows):
        if math.isfinite(row.low) and math.isfinite(row.high):
            ends = [max(row.low, shown.low), min(row.high, shown.high)]
            axes.plot(ends, [place, place], color=OBSERVED, linewidth=1.1, zorder=2)
    style: dict[str, Any] = {
        "linestyle": "none", "marker": "o", "markersize": 4.5, "markeredgecolor": OBSERVED,
        "markeredgewidth": 1.0, "zorder": 3, "clip_on": False,
    }  # fmt: skip
    for determined, fill, name in ((True, OBSERVED, DETERMINED_MARKS), (False, PAPER, OPEN_MARKS)):
        here = [(row.estimate, place) for place, row in enumerate(rows) if row.determined == determined]
        axes.plot([x for x, _ in here], [y for _, y in here], markerfacecolor=fill, gid=name, **style)
    axes.set_xlabel(bracketed(parameter.parameter, parameter.unit), labelpad=2.0)


def _short(text: str) -> str:
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"


def _range(parameter: ParameterMarks) -> Range:
    """Room for the estimates, and for the intervals of determined ones: the others have no useful end."""
    values = [row.estimate for row in parameter.marks]
    ends = [end for row in parameter.marks if row.determined for end in (row.low, row.high)]
    values += [end for end in ends if math.isfinite(end)]
    low, high = min(values), max(values)
    if not (parameter.log and low > 0.0):
        return linear_range(low, high)
    return log_range(low, high) if high > 1.5 * low else log_range(low / 1.5, high * 1.5)


def panel_height(parameter: ParameterMarks) -> float:
    """Inches that a panel needs."""
    return 0.6 + 0.165 * max(3, len(parameter.marks))


def estimate_grid(parameters: Sequence[ParameterMarks], title: str) -> tuple[Draw, tuple[float, float]]:
    """All parameters in one picture, with its size in inches."""
    columns = min(4, len(parameters))
    step, row = 2.4, panel_height(parameters[0])
    width, height = step * columns + 0.1, 0.4 + row * math.ceil(len(parameters) / columns)

    def draw(figure: Figure) -> None:
        heading(figure, title)
        for k, parameter in enumerate(parameters):
            line, column = divmod(k, columns)
            box = Box(step * column + 0.14, height - 0.4 - row * (line + 1) + 0.45, step - 0.24, row - 0.55)
            draw_estimates(figure, box, parameter)

    return draw, (width, height)
