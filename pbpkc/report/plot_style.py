"""How plots look: one palette, one kind of tick, and pictures that are the same bytes every time."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pbpkc.report.quantities import plain_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Text and axes; guides such as the identity line; the area between two guides; the ground.
INK, GUIDE, SHADE, PAPER = "#22313f", "#8a97a3", "#eef1f4", "#fefefe"

#: Colours that people with any common colour blindness tell apart (Okabe and Ito 2008; Wong 2011,
#: Nat Methods 8:441), the darker ones first, yellow left out because it is lost on white paper.
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6b6b6b")

OBSERVED, FITTED, POOLED, CENSORED = SERIES[0], SERIES[1], SERIES[2], SERIES[3]

#: Dashes for series beyond the last colour: (offset, on and off lengths in points).
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))

#: Hours, minutes and days are read in these steps.
_TIME_STEPS = {
    "h": (0.1, 0.25, 0.5, 1, 2, 3, 6, 12, 24, 48, 72, 96, 120, 168, 336, 672),
    "min": (1, 2, 5, 10, 15, 20, 30, 60, 120, 240, 360, 720, 1440),
    "d": (0.25, 0.5, 1, 2, 3, 4, 7, 14, 28, 56),
}


#: Draws into an empty figure.
Draw = Callable[["Figure"], None]


@dataclass(frozen=True)
class Range:
    """What an axis shows, and whether it is logarithmic."""

    low: float
    high: float
    log: bool = False


def picture(draw: Draw, size: tuple[float, float], kind: Literal["svg", "png", "page"], name: str) -> bytes:
    """A drawn figure as a file.

    Parameters
    ----------
    draw : callable
        Draws into the empty figure it is given.
    size : (float, float)
        Width and height in inches.
    kind : {"svg", "png", "page"}
        ``svg`` holds letters as outlines, so that it looks the same everywhere; ``page`` is SVG with letters
        as text on a clear ground, to stand in a page.
    name : str
        Makes the identifiers inside an SVG different from those of another figure.

    Returns
    -------
    bytes
        The same for the same drawing.
    """
    import matplotlib
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {
        "font.family": ["DejaVu Sans"],  # comes with matplotlib, so every machine measures alike
        "font.size": 8.0,
        "axes.titlesize": 8.5,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "text.color": INK,
        "text.parse_math": False,  # a name with dollar signs is a name
        "axes.unicode_minus": True,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "legend.frameon": False,
        "legend.fontsize": 8.0,
        "lines.solid_capstyle": "round",
        "svg.hashsalt": f"pbpkc {name}",
        "svg.fonttype": "none" if kind == "page" else "path",
        "figure.facecolor": "none" if kind == "page" else "white",
        "axes.facecolor": "none",
    }
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=size)
        draw(figure)
        out = io.BytesIO()
        if kind == "png":
            figure.savefig(out, format="png", dpi=200, metadata={"Software": None})
        else:
            figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


# ------------------------------------------------------------- ranges


def linear_range(low: float, high: float, pad: float = 0.06) -> Range:
    """A range that holds the values, with zero where they are not far from it."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return Range(0.0, 1.0)
    if low >= 0.0 and low < 0.35 * high:
        low = 0.0
    width = high - low or abs(high) or 1.0
    return Range(low if low == 0.0 else low - pad * width, high + pad * width)


def log_range(low: float, high: float) -> Range:
    """A logarithmic range that holds the values; both must be above 0."""
    if not (math.isfinite(low) and math.isfinite(high) and 0.0 < low <= high):
        return Range(0.1, 10.0, log=True)
    pad = max((high / low) ** 0.05, 1.15)
    return Range(low / pad, high * pad, log=True)


# ------------------------------------------------------------- ticks


@dataclass(frozen=True)
class Ticks:
    """Where an axis is marked, and with what."""

    places: tuple[float, ...]
    labels: tuple[str, ...]

    @property
    def width(self) -> int:
        """Letters in the longest label."""
        return max((len(text) for text in self.labels), default=1)


#: Inches of a letter of a label, of the gap between two labels side by side, and from one line to the next.
_LETTER, _GAP, _LINE = 0.07, 0.18, 0.3


def ticks(shown: Range, inches: float, upright: bool = False, time_unit: str | None = None) -> Ticks:
    """Round numbers on an axis, as many as have room.

    Parameters
    ----------
    shown : Range
    inches : float
        Length of the axis.
    upright : bool
        Labels stand above each other.
    time_unit : str, optional
        For an axis of time: hours are read in steps of 6, 12 and 24.
    """
    for places in _choices(shown, time_unit):
        labels = tuple(plain_number(place, 3) for place in places)
        if len(places) > 1 and _have_room([_place(shown, x) * inches for x in places], labels, upright):
            return Ticks(tuple(places), labels)
    ends = tuple(x for x in (shown.low, shown.high) if math.isfinite(x))
    return Ticks(ends, tuple(plain_number(x, 2) for x in ends))


def _choices(shown: Range, time_unit: str | None) -> Iterator[list[float]]:
    """Sets of ticks, the densest first."""
    low, high = shown.low, shown.high
    if shown.log:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        for digits in ((1, 1.5, 2, 3, 4, 5, 7), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
            round_ = [d * 10.0**k for k in range(first, last + 1) for d in digits]
            yield [x for x in round_ if low <= x <= high]
        for apart in range(2, 12):
            yield [10.0**k for k in range(first, last + 1) if k % apart == 0 and low <= 10.0**k <= high]
    width = high - low
    if not (math.isfinite(width) and width > 0.0):
        return
    for step in _TIME_STEPS.get(time_unit or "", ()):
        if 2.0 <= width / step <= 100.0:
            yield _multiples(low, high, step)
    power = math.floor(math.log10(width))
    for k in range(power - 2, power + 1):
        for factor in (1.0, 2.0, 5.0):
            yield _multiples(low, high, factor * 10.0**k)


def _multiples(low: float, high: float, step: float) -> list[float]:
    slack = 1e-9 * (high - low)
    return [k * step for k in range(math.ceil((low - slack) / step), math.floor((high + slack) / step) + 1)]


def _place(shown: Range, value: float) -> float:
    """Where on the axis a value stands, from 0 to 1."""
    if shown.log:
        return math.log(value / shown.low) / math.log(shown.high / shown.low)
    return (value - shown.low) / (shown.high - shown.low)


def _have_room(places: list[float], labels: tuple[str, ...], upright: bool) -> bool:
    for k in range(1, len(places)):
        need = _LINE if upright else _LETTER * (len(labels[k - 1]) + len(labels[k])) / 2 + _GAP
        if places[k] - places[k - 1] < need:
            return False
    return True


# ------------------------------------------------------------- axes


def mark(axes: Axes, which: Literal["x", "y"], shown: Range, marks: Ticks) -> None:
    """Scale, range and ticks of one axis."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    if shown.log:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis.set_major_locator(FixedLocator(marks.places))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FixedFormatter(marks.labels))
    (axes.set_xlim if which == "x" else axes.set_ylim)(shown.low, shown.high)


@dataclass(frozen=True)
class Box:
    """A rectangle in a figure, in inches from its lower left corner."""

    left: float
    bottom: float
    width: float
    height: float

    def letters(self, count: int) -> Box:
        """What is left of it when labels of so many letters stand at its left."""
        room = _LETTER * count
        return Box(self.left + room, self.bottom, self.width - room, self.height)

    def axes(self, figure: Figure) -> Axes:
        """Axes that fill it."""
        width, height = (float(x) for x in figure.get_size_inches())
        return figure.add_axes(
            (self.left / width, self.bottom / height, self.width / width, self.height / height)
        )


def inside(figure: Figure, left: float, bottom: float, right: float = 0.12, top: float = 0.14) -> Box:
    """The figure but for its margins, in inches."""
    width, height = (float(x) for x in figure.get_size_inches())
    return Box(left, bottom, width - left - right, height - bottom - top)


def heading(figure: Figure, text: str, size: float = 10.0) -> None:
    """A title in the upper left corner."""
    width, height = (float(x) for x in figure.get_size_inches())
    figure.text(0.12 / width, 1.0 - 0.22 / height, text, fontsize=size, fontweight="bold", va="center")


def points(color: str, marker: str = "o") -> dict[str, Any]:
    """The style of measured points: open marks, so that those on one another are still seen."""
    return {
        "linestyle": "none", "marker": marker, "markersize": 4.0, "markerfacecolor": "none",
        "markeredgecolor": color, "markeredgewidth": 1.0, "clip_on": False,
    }  # fmt: skip


def shown_on(value: NDArray[np.float64], log: bool) -> NDArray[np.bool_]:
    """Which values an axis of this kind can show, shape (n,)."""
    seen: NDArray[np.bool_] = np.isfinite(value) & ((value > 0.0) | (not log))
    return seen
