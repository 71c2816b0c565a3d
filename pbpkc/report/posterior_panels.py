"""Draws from a posterior: each parameter with its prior, and parameters against each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.posterior_result import PosteriorRow
from pbpkc.infer.priors import log_density
from pbpkc.infer.result import EstimateRow, FitResult
from pbpkc.language.model import Prior
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
    ticks,
)
from pbpkc.report.quantities import bracketed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

#: Subjects in one picture of single parameters, subjects whose pairs are drawn, parameters in a picture of
#: pairs, and points of a pair.
MOST_SUBJECTS, MOST_PAIRED, MOST_PARAMETERS, _POINTS = 20, 6, 5, 150

_BINS = 30
_PRIOR = SERIES[2]

#: Inches of a panel among pairs.
_CELL = 1.45


@dataclass(frozen=True)
class Marginal:
    """Draws of one parameter of one subject, in its unit.

    Parameters
    ----------
    subject : str
    row : PosteriorRow
    estimate : EstimateRow
    values, weights : array, shape (n,)
        Weights sum to one.
    prior_at, prior : array, shape (m,)
        Where its prior is drawn, and its density there, by the logarithm where `log`.
    """

    subject: str
    row: PosteriorRow
    estimate: EstimateRow
    values: Array
    weights: Array
    prior_at: Array
    prior: Array

    @property
    def log(self) -> bool:
        """Whether it is drawn on a logarithmic axis."""
        return self.estimate.scale == "log" and bool((self.values > 0.0).all())

    @property
    def shown(self) -> Range:
        """An axis that holds the draws."""
        return _range(self.values, self.log)


def marginals(result: FitResult) -> dict[str, tuple[Marginal, ...]]:
    """The draws of each subject that has some, by its id, a parameter at a time."""
    found = {}
    for fit in result.fits:
        drawn = fit.posterior.draws if fit.posterior is not None else None
        if fit.posterior is None or drawn is None:
            continue
        values, weight = np.array(drawn.values), np.array(drawn.weight)
        kept = weight > 0.0
        rows = {row.parameter: row for row in fit.estimates}
        made = []
        for i, (row, told) in enumerate(zip(fit.posterior.summary, result.parameters, strict=True)):
            column = values[kept, i]
            made.append(
                Marginal(
                    fit.id, row, rows[row.parameter], column, weight[kept] / np.sum(weight),
                    *_prior(told, column),
                )
            )  # fmt: skip
        found[fit.id] = tuple(made)
    return found


def _prior(told: Mapping[str, object], values: Array) -> tuple[Array, Array]:
    """The density of a parameter's prior over the range of its draws; uniform where it has none."""
    scale, factor = str(told["scale"]), float(cast(float, told.get("canonical_per_unit", 1.0)))
    low, high = (float(cast(float, told[end])) for end in ("low", "high"))
    log = scale == "log" and bool((values > 0.0).all())
    shown = _range(values, log)
    first, last = max(shown.low, low), min(shown.high, high)
    if not first < last:
        return np.zeros(0), np.zeros(0)
    at = np.geomspace(first, last, 121) if log else np.linspace(first, last, 121)
    prior = cast("Mapping[str, Any] | None", told.get("prior"))
    if prior is None:
        # Flat between the bounds, on the scale of the fit; invisible where these are far.
        ends = (math.log(low), math.log(high)) if scale == "log" and low > 0.0 else (low, high)
        width = ends[1] - ends[0]
        if not (math.isfinite(width) and width > 0.0):
            return np.zeros(0), np.zeros(0)
        flat = np.full(len(at), 1.0 / width)
        return at, flat if log == (scale == "log") else flat / at
    known = Prior(prior["family"], dict(prior["canonical_arguments"]))
    density = [
        log_density(known, scale, low * factor, high * factor, math.log(x) if scale == "log" else x).value
        for x in (at * factor).tolist()
    ]
    # By ln(parameter) a density does not change with the unit; by the parameter it does.
    unit = 1.0 if scale == "log" else factor
    return at, np.exp(density) * unit


def _range(values: Array, log: bool) -> Range:
    low, high = np.quantile(values, [0.002, 0.998]).tolist()
    return log_range(low, high) if log else linear_range(low, high)


def marginal_panel(one: Marginal) -> Draw:
    """The panel of one parameter by itself."""
    return lambda figure: draw_marginal(figure, inside(figure, 0.12, 0.42, top=0.1), one)


def draw_marginal(figure: Figure, box: Box, one: Marginal, label: bool = True) -> None:
    """A histogram with the prior, the 95 % interval of the posterior and that of the standard error."""
    shown = one.shown
    axes = box.axes(figure)
    mark(axes, "x", shown, ticks(shown, box.width))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    edges = (np.geomspace if shown.log else np.linspace)(shown.low, shown.high, _BINS + 1)
    mass, _ = np.histogram(one.values, edges, weights=one.weights)
    height = mass / np.diff(np.log(edges) if shown.log else edges)
    axes.stairs(height, edges, fill=True, color=OBSERVED, alpha=0.35, zorder=2)
    axes.stairs(height, edges, color=OBSERVED, linewidth=0.8, zorder=2)
    top = float(height.max()) or 1.0
    seen = one.prior <= 1.15 * top
    axes.plot(one.prior_at[seen], one.prior[seen], color=_PRIOR, linewidth=1.2, zorder=3)
    axes.set_ylim(-0.16 * top, 1.15 * top)
    ends = (
        (one.row.low, one.row.high, OBSERVED, -0.05),
        (one.estimate.ci_low, one.estimate.ci_high, GUIDE, -0.11),
    )
    for low, high, color, place in ends:
        low, high = max(low, shown.low), min(high, shown.high)
        if low < high:
            axes.plot([low, high], [place * top] * 2, color=color, linewidth=1.8, zorder=3)
    axes.plot([one.row.median], [-0.05 * top], color=OBSERVED, marker="o", markersize=3.5, zorder=4)
    axes.plot([one.estimate.estimate], [-0.11 * top], color=GUIDE, marker="o", markersize=3.5, zorder=4)
    if label:
        axes.set_xlabel(bracketed(one.row.parameter, one.row.unit), labelpad=2.0)


def marginal_grid(subjects: Sequence[Sequence[Marginal]], title: str) -> tuple[Draw, tuple[float, float]]:
    """All parameters in one picture, a line a subject, with its size in inches."""
    subjects = subjects[:MOST_SUBJECTS]
    columns = max(len(line) for line in subjects)
    step, row = 2.2, 1.7
    width, height = max(step * columns + 0.1, 4.6), 0.4 + row * len(subjects)

    def draw(figure: Figure) -> None:
        heading(figure, title)
        _legend(figure)
        for line, found in enumerate(subjects):
            bottom = height - 0.4 - row * (line + 1)
            if len(subjects) > 1:
                place = (bottom + row - 0.1) / height
                figure.text(0.14 / width, place, f"Subject {found[0].subject}", fontsize=8.0, va="center")
            for column, one in enumerate(found):
                draw_marginal(figure, Box(step * column + 0.15, bottom + 0.42, step - 0.3, row - 0.64), one)

    return draw, (width, height)


def pair_grid(found: Sequence[Marginal], title: str = "") -> tuple[Draw, tuple[float, float]]:
    """Parameters of one subject against each other, themselves on the diagonal, with the size in inches."""
    found = found[:MOST_PARAMETERS]
    count = len(found)
    # Few parameters leave no room for the legend beside the title.
    head = (0.4 if count >= 4 else 0.72) if title else 0.1
    left, bottom = 0.85, 0.5
    size = (left + _CELL * count + 0.1, bottom + _CELL * count + head)
    chosen = _evenly(found[0].weights)

    def draw(figure: Figure) -> None:
        if title:
            heading(figure, title)
            _legend(figure, 0.32 if count < 4 else 0.0)
        for i, across in enumerate(found):
            for j, upward in enumerate(found[i:], start=i):
                box = Box(
                    left + _CELL * i + 0.06,
                    bottom + _CELL * (count - 1 - j) + 0.08,
                    _CELL - 0.14,
                    _CELL - 0.2,
                )
                if i == j:
                    draw_marginal(figure, box, across, label=False)
                else:
                    _draw_pair(figure, box, across, upward, chosen)
                axes = figure.axes[-1]
                if j == count - 1:
                    axes.set_xlabel(bracketed(across.row.parameter, across.row.unit), labelpad=2.0)
                else:
                    axes.set_xticklabels([])
                if i == 0 and j > 0:
                    axes.set_ylabel(bracketed(upward.row.parameter, upward.row.unit), labelpad=2.0)
                elif i != j:
                    axes.set_yticklabels([])

    return draw, size


def _legend(figure: Figure, down: float = 0.0) -> None:
    """What the colours are, in the upper right corner or so many inches below it."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries = [
        Patch(label="draws", color=OBSERVED, alpha=0.35, linewidth=0.0),
        Line2D([], [], label="prior", color=_PRIOR, linewidth=1.2),
        Line2D([], [], label="estimate, standard error", color=GUIDE, linewidth=1.8),
    ]
    width, height = (float(x) for x in figure.get_size_inches())
    corner = (1.0 - 0.1 / width, 1.0 - (0.22 + down) / height)
    figure.legend(handles=entries, loc="center right", ncols=3, bbox_to_anchor=corner, borderaxespad=0.0)


def _draw_pair(
    figure: Figure, box: Box, across: Marginal, upward: Marginal, chosen: NDArray[np.int64]
) -> None:
    axes = box.axes(figure)
    mark(axes, "x", across.shown, ticks(across.shown, box.width))
    mark(axes, "y", upward.shown, ticks(upward.shown, box.height, upright=True))
    axes.plot(
        across.values[chosen], upward.values[chosen], linestyle="none", marker="o", markersize=1.6,
        color=OBSERVED, alpha=0.5, markeredgewidth=0.0, zorder=2,
    )  # fmt: skip
    axes.plot(
        [across.estimate.estimate], [upward.estimate.estimate], linestyle="none", marker="+", markersize=7.0,
        color=FITTED, markeredgewidth=1.4, zorder=3,
    )  # fmt: skip


def _evenly(weights: Array) -> NDArray[np.int64]:
    """Draws in proportion to their weights, evenly spread (systematic resampling)."""
    places = (np.arange(_POINTS) + 0.5) / _POINTS
    return np.minimum(np.searchsorted(np.cumsum(weights), places), len(weights) - 1)
