"""A learned term as a curve: its table, its picture, and the pictures of formulas for it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pbpkc.language.model import Unknown
from pbpkc.language.units import Unit
from pbpkc.report.plot_style import (
    DASHES,
    FITTED,
    GUIDE,
    SERIES,
    SHADE,
    Draw,
    heading,
    inside,
    linear_range,
    mark,
    ticks,
)
from pbpkc.report.quantities import bracketed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

#: Width and height of a picture, in inches.
SIZE = 5.2, 3.4


@dataclass(frozen=True)
class TermCurve:
    """A learned term of one subject along one argument, canonical units.

    Parameters
    ----------
    id, term, argument : str
    at : ndarray, shape (m,)
        The argument over its declared range.
    held : mapping of str to float
        The other arguments, at the middle of what was visited.
    value, low, high : ndarray, shape (m,)
        The estimate and its 95 % band (delta method), cut to the declared range.
    visited : ndarray of bool, shape (m,)
        Where the argument lies between the smallest and the largest value along the fitted trajectory.
    """

    id: str
    term: str
    argument: str
    at: Array
    held: Mapping[str, float]
    value: Array
    low: Array
    high: Array
    visited: NDArray[np.bool_]


@dataclass(frozen=True)
class FormulaCurve:
    """A formula's values along an argument, canonical, with what a legend calls it."""

    title: str
    at: Array
    value: Array


def curve_table(unknown: Unknown, curves: Sequence[TermCurve]) -> str:
    """``unknown_NAME.csv``: one row a point, each number in the unit of its column's declaration.

    Columns: id, along (the argument that varies), one a argument, value, low, high, visited (yes or no).
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [a.name for a in unknown.arguments]
    writer.writerow(["id", "along", *names, "value", "low", "high", "visited"])
    units = {a.name: a.unit for a in unknown.arguments}
    for curve in curves:
        for k, at in enumerate(curve.at):
            places = [
                in_unit(at if n == curve.argument else curve.held[n], units[n])  # the one that varies
                for n in names
            ]
            found = [in_unit(x[k], unknown.unit) for x in (curve.value, curve.low, curve.high)]
            seen = "yes" if curve.visited[k] else "no"
            writer.writerow([curve.id, curve.argument, *(f"{x:.10g}" for x in (*places, *found)), seen])
    return out.getvalue()


def term_figure(
    unknown: Unknown, curve: TermCurve, formulas: Sequence[FormulaCurve] = (), whole: bool = True
) -> Draw:
    """The curve with its band, grey where no data looked; formulas over it.

    Parameters
    ----------
    unknown : Unknown
    curve : TermCurve
    formulas : sequence of FormulaCurve
    whole : bool
        Over the whole declared range; else a little more than what was visited.
    """
    argument = next(a for a in unknown.arguments if a.name == curve.argument)
    x = in_unit(curve.at, argument.unit)
    first, last = float(x[curve.visited].min()), float(x[curve.visited].max())
    # Far beyond what was visited a curve is its prior; the picture ends where it still means something.
    end = float(x[-1]) if whole and x[-1] <= 4.0 * last else last + 0.6 * (last - first)
    begin = float(x[0]) if whole else max(float(x[0]), first - 0.1 * (last - first))
    inner = (x >= begin) & (x <= end)
    y, low, high = (in_unit(v, unknown.unit) for v in (curve.value, curve.low, curve.high))

    def draw(figure: Figure) -> None:
        heading(figure, f"{curve.term}, subject {curve.id}" if curve.id else curve.term, 9.0)
        shown_y = [y[inner & curve.visited], high[inner & curve.visited]]
        top = max(float(np.max(v)) for v in shown_y)
        bottom = min(float(np.min(y[inner & curve.visited])), float(np.min(low[inner & curve.visited])))
        for formula in formulas:
            top = max(top, float(np.max(in_unit(formula.value, unknown.unit))))
        beyond = float(np.max(y[inner]))
        up = linear_range(bottom, min(max(top, beyond), bottom + 1.6 * (top - bottom)))
        across = linear_range(begin, end, 0.0)
        box = inside(figure, 0.42, 0.42, top=0.42)
        marks = ticks(up, box.height, upright=True)
        box = box.letters(marks.width)
        axes = box.axes(figure)
        mark(axes, "x", across, ticks(across, box.width))
        mark(axes, "y", up, marks)
        for start, stop in ((across.low, first), (last, across.high)):
            if stop > start:
                axes.axvspan(start, stop, color=SHADE, linewidth=0, zorder=0)
        seen = curve.visited & inner
        for part, color in ((inner, GUIDE), (seen, FITTED)):
            axes.fill_between(x[part], low[part], high[part], color=color, alpha=0.18, linewidth=0, zorder=1)
            axes.plot(x[part], y[part], color=color, linewidth=1.4, zorder=2,
                      label="learned curve" if part is seen else None)  # fmt: skip
        others = [color for color in SERIES if color != FITTED]
        for k, formula in enumerate(formulas):
            axes.plot(
                in_unit(formula.at, argument.unit), in_unit(formula.value, unknown.unit),
                linewidth=1.1, zorder=3, label=formula.title,
                color=others[k % len(others)], linestyle=DASHES[(k // len(others)) % len(DASHES)],
            )  # fmt: skip
        if formulas:
            axes.legend(loc="best", fontsize=7.0)
        axes.set_xlabel(bracketed(argument.name, argument.unit.text), labelpad=2.0)
        axes.set_ylabel(bracketed(unknown.name, unknown.unit.text), labelpad=2.0)

    return draw


def in_unit(value: Array | float, unit: Unit) -> Array:
    """Canonical values as numbers of a unit."""
    return np.asarray((np.asarray(value, dtype=float) - float(unit.offset)) / float(unit.factor))
