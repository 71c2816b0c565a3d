"""A picture of the comparison: cost against the number of subjects, one panel a system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pbpkc.report.plot_style import DASHES, INK, SERIES, log_range, mark, ticks
from pbpkc.studies.solvers.scores import Score

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Inches of a panel, of the room at its left and below, and of the legend under all.
_WIDTH, _HEIGHT, _LEFT, _BELOW, _ABOVE = 3.1, 2.3, 0.62, 0.42, 0.3

#: Panels side by side.
_ACROSS = 2


def plot_size(systems: int, methods: int) -> tuple[float, float]:
    """Width and height in inches."""
    across = min(_ACROSS, systems)
    return across * _WIDTH, -(-systems // across) * _HEIGHT + _legend(methods)


def draw_costs(figure: Figure, scores: Sequence[Score], titles: Sequence[tuple[str, str]]) -> None:
    """Processor time a subject against how many are solved; pbpkc's methods in heavy lines.

    Parameters
    ----------
    figure : Figure
        Of `plot_size`.
    scores : sequence of Score
    titles : sequence of (str, str)
        Name and title of each system, in the order of the panels.
    """
    width, height = (float(x) for x in figure.get_size_inches())
    methods = list(dict.fromkeys((s.method, s.title, s.product) for s in scores if s.costs))
    peers, own = [m for m in methods if not m[2]], [m for m in methods if m[2]]
    across = min(_ACROSS, len(titles))
    drawn = {}
    for k, (name, title) in enumerate(titles):
        left = (k % across) * _WIDTH + _LEFT
        bottom = height - (k // across + 1) * _HEIGHT + _BELOW
        axes = figure.add_axes(
            (
                left / width,
                bottom / height,
                (_WIDTH - _LEFT - 0.1) / width,
                (_HEIGHT - _BELOW - _ABOVE) / height,
            )
        )
        mine = [s for s in scores if s.system == name and s.costs]
        for s in mine:
            number = (own if s.product else peers).index((s.method, s.title, s.product))
            style = {
                "color": INK if s.product else SERIES[number % len(SERIES)],
                "lw": 2.0 if s.product else 1.0,
                "ls": DASHES[(number if s.product else number // len(SERIES)) % len(DASHES)],
            }
            x, y = [c.subjects for c in s.costs], [1e3 * c.seconds / c.subjects for c in s.costs]
            (line,) = axes.plot(x, y, **style)
            run = [(c.subjects, 1e3 * c.seconds / c.subjects) for c in s.costs if c.repeats]
            axes.plot(*zip(*run, strict=True), "o", ms=2.5, color=style["color"])
            drawn[s.method] = line
        if mine:
            for which, values, room in (
                ("x", [c.subjects for s in mine for c in s.costs], _WIDTH - _LEFT),
                (
                    "y",
                    [1e3 * c.seconds / c.subjects for s in mine for c in s.costs],
                    _HEIGHT - _BELOW - _ABOVE,
                ),
            ):
                shown = log_range(float(min(values)), float(max(values)))
                mark(axes, which, shown, ticks(shown, room, which == "y"))  # type: ignore[arg-type]
        axes.set_title(title, loc="left")
        axes.set_ylabel("ms a subject")
        if k >= len(titles) - across:
            axes.set_xlabel("subjects")
    shown_methods = [(m, t) for m, t, _ in methods if m in drawn]
    figure.legend(
        [drawn[m] for m, _ in shown_methods], [t for _, t in shown_methods], loc="lower center", ncols=2,
        fontsize=7.0,
    )  # fmt: skip


def _legend(methods: int) -> float:
    """Inches for a legend of two columns."""
    return 0.2 + 0.16 * -(-methods // 2)
