"""How plots look: one palette, one kind of tick, and pictures that are the same bytes every time."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
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

OBSERVED, FITTED, CENSORED = SERIES[0], SERIES[1], SERIES[3]

#: Dashes for series beyond the last colour: (offset, on and off lengths in points).
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))

#: Hours, minutes and days are read in these steps.
_TIME_STEPS = {
    "h": (0.1, 0.25, 0.5, 1, 2, 3, 4, 6, 8, 12, 24, 48, 72, 96, 120, 168, 336, 672),
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


def linear_ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers inside a range, at most so many."""
    width = high - low
    if not (math.isfinite(width) and width > 0.0):
        return []
    power = 10.0 ** math.floor(math.log10(width / most))
    for factor in (1.0, 2.0, 2.5, 5.0, 10.0, 20.0, 25.0, 50.0):
        found = _multiples(low, high, power * factor)
        if len(found) <= most:
            return found
    return _multiples(low, high, 100.0 * power)


def time_ticks(low: float, high: float, most: int, unit: str) -> list[float]:
    """Multiples of 6, 12 or 24 h where time is in hours, and alike for minutes and days."""
    for step in _TIME_STEPS.get(unit, ()):
        if (high - low) / step > 100.0:
            continue
        found = _multiples(low, high, step)
        if len(found) <= most:
            return found if len(found) > 2 else linear_ticks(low, high, most)
    return linear_ticks(low, high, most)


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Powers of ten, with 2 and 5 or more between them where there is room."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for digits in ((1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0), (1.0, 2.0, 3.0, 5.0), (1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
        found = [d * 10.0**k for k in range(first, last + 1) for d in digits if low <= d * 10.0**k <= high]
        if len(found) <= most:
            # Less than a factor of two has no two round numbers of this kind.
            return found if len(found) > 1 else linear_ticks(low, high, most)
    step = math.ceil((last - first) / most)
    return [10.0**k for k in range(first, last + 1) if k % step == 0 and low <= 10.0**k <= high]


def _multiples(low: float, high: float, step: float) -> list[float]:
    slack = 1e-9 * (high - low)
    return [k * step for k in range(math.ceil((low - slack) / step), math.floor((high + slack) / step) + 1)]


# ------------------------------------------------------------- axes


@dataclass(frozen=True)
class Ticks:
    """Where an axis is marked, and with what."""

    places: tuple[float, ...]
    labels: tuple[str, ...]

    @property
    def width(self) -> int:
        """Letters in the longest label."""
        return max((len(text) for text in self.labels), default=1)


def ticks(shown: Range, most: int = 6, time_unit: str | None = None) -> Ticks:
    """Ticks of a range; `time_unit` for an axis of time."""
    if shown.log:
        places = log_ticks(shown.low, shown.high, most)
    elif time_unit is not None:
        places = time_ticks(shown.low, shown.high, most, time_unit)
    else:
        places = linear_ticks(shown.low, shown.high, most)
    return Ticks(tuple(places), tuple(plain_number(place, 3) for place in places))


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


def margins(
    figure: Figure, letters: int, left: float = 0.12, bottom: float = 0.4, right: float = 0.12, top: float = 0.14
) -> Axes:
    """Axes that fill the figure but for margins in inches; tick labels of so many letters get room on the left."""
    width, height = (float(x) for x in figure.get_size_inches())
    left += 0.072 * letters
    return figure.add_axes(
        (left / width, bottom / height, 1.0 - (left + right) / width, 1.0 - (bottom + top) / height)
    )


def points(color: str, marker: str = "o") -> dict[str, Any]:
    """The style of measured points: open marks, so that those on one another are still seen."""
    return {
        "linestyle": "none", "marker": marker, "markersize": 4.0, "markerfacecolor": "none", "markeredgecolor": color,
        "markeredgewidth": 1.0, "clip_on": False,
    }  # fmt: skip


def shown_on(value: NDArray[np.float64], log: bool) -> NDArray[np.bool_]:
    """Which values an axis of this kind can show, shape (n,)."""
    seen: NDArray[np.bool_] = np.isfinite(value) & ((value > 0.0) | (not log))
    return seen
