"""Percentiles over people: bands from the outer levels inwards, the middle one as a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.language.units import Unit
from pbpkc.report.observable_grid import observable_grid
from pbpkc.report.plot_style import INK, Draw, shown_on
from pbpkc.solve.percentiles import PercentileCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: How much of its colour a band has; bands lie on one another, so the inner ones are darker.
_BAND = 0.22

#: Inches below the panels for the line that says what the bands are.
_FOOT = 0.24


def percentile_figure(
    curves: Sequence[PercentileCurve], units: Mapping[str, str], time_unit: Unit, log: bool, title: str = ""
) -> tuple[Draw, tuple[float, float]]:
    """A picture of percentiles over time, with its size in inches.

    Parameters
    ----------
    curves : sequence of PercentileCurve
        With the same levels. The first level and the last make a band, the second and the last but one the
        next; a level in the middle is a line.
    units : mapping of str to str
        Observables to be shown, in order, with the text of their units.
    time_unit : Unit
        Of the time axis.
    log : bool
        Whether values stand on a logarithmic axis.
    title : str
        Above the panels.
    """
    factor = float(time_unit.factor)

    def panel(axes: Axes, name: str, styles: Mapping[str, Mapping[str, Any]]) -> None:
        for curve in curves:
            if curve.observable == name:
                _draw_curve(axes, curve, styles[curve.scenario], factor, log)

    def values(name: str) -> NDArray[np.float64]:
        return np.concatenate([curve.values.ravel() for curve in curves if curve.observable == name])

    scenarios = list(dict.fromkeys(curve.scenario for curve in curves))
    times = [curve.time for curve in curves]
    grid, (width, height) = observable_grid(
        units, scenarios, panel, values, times, time_unit, log, title, foot=_FOOT
    )
    people = max(int(curve.n.max()) for curve in curves)
    said = f"{legend_text(curves[0].levels)}; {people} people"

    def draw(figure: Figure) -> None:
        grid(figure)
        figure.text(0.12 / width, 0.12 / height, said, fontsize=7.5, color=INK, va="center")

    return draw, (width, height)


def legend_text(levels: Sequence[float]) -> str:
    """``line 50 %, bands 25 to 75 % and 5 to 95 % of the people``."""
    bands = [f"{levels[i]:g} to {levels[-1 - i]:g} %" for i in reversed(range(len(levels) // 2))]
    parts = [f"line {levels[len(levels) // 2]:g} %"] if len(levels) % 2 else []
    if bands:
        parts.append(("bands " if len(bands) > 1 else "band ") + " and ".join(bands))
    return ", ".join(parts) + " of the people"


def _draw_curve(
    axes: Axes, curve: PercentileCurve, style: Mapping[str, Any], factor: float, log: bool
) -> None:
    time, count = curve.time / factor, len(curve.levels)
    # What a logarithmic axis cannot show is drawn below its lower end.
    floor = np.nanmin(curve.values, where=curve.values > 0.0, initial=np.inf) if log else -np.inf
    for i in range(count // 2):
        low, high = curve.values[:, i], curve.values[:, -1 - i]
        keep = shown_on(high, log)
        axes.fill_between(
            time[keep], np.maximum(low[keep], floor), high[keep],
            color=style["color"], alpha=_BAND, linewidth=0.0,
        )  # fmt: skip
    if count % 2:
        middle = curve.values[:, count // 2]
        keep = shown_on(middle, log)
        axes.plot(time[keep], middle[keep], linewidth=1.3, **style)
