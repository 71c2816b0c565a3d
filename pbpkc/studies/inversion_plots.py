"""Pictures of the benchmark of inversion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pbpkc.report.plot_style import GUIDE, INK, SERIES, log_range, mark, ticks
from pbpkc.report.study_page import StudyPlot
from pbpkc.studies.ablation import Choice
from pbpkc.studies.network_choices import NetworkPart
from pbpkc.studies.paper_table import KmProfile
from pbpkc.studies.scores import BOUND_LIMIT, Cell, ratios
from pbpkc.studies.speed import Cost

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: 95 % point of chi-squared with one degree of freedom.
_THRESHOLD = 3.841458820694124

#: Median of |x| of a standard normal variable.
EFFICIENT = 0.6745


def _axes(figure: Figure, left: float = 0.6) -> Any:
    width, height = figure.get_size_inches()
    return figure.add_axes((left / width, 0.5 / height, 1.0 - (left + 0.12) / width, 1.0 - 0.68 / height))


def _log(axes: Any, which: Literal["x", "y"], values: Sequence[float]) -> None:
    """A logarithmic axis that holds the values."""
    there = [v for v in values if math.isfinite(v) and v > 0.0]
    if not there:
        return
    shown = log_range(min(there), max(there))
    mark(axes, which, shown, ticks(shown, 3.6 if which == "x" else 2.2, which == "y"))


def profile_plot(system: str, title: str, profiles: Sequence[KmProfile]) -> StudyPlot:
    """How the objective rises along Km: from plasma alone, and in a design that determines it."""

    def draw(figure: Figure) -> None:
        axes = _axes(figure)
        for k, one in enumerate(profiles):
            rise = np.minimum(one.rise, 10.0)
            kind = {"plasma": "plasma", "design": "two doses and the product"}.get(one.data, one.data)
            noise = "" if math.isnan(one.noise) else f", {100 * one.noise:g} %"
            axes.plot(one.value, rise, marker="o", ms=2.5, lw=1.2, color=SERIES[k % len(SERIES)],
                      label=kind + noise)  # fmt: skip
        axes.axhline(_THRESHOLD, color=GUIDE, lw=0.8, ls=(0, (4, 2)))
        _log(axes, "x", [v for one in profiles for v in one.value])
        axes.set_ylim(-0.2, 8.0)
        axes.set_xlabel("Km [umol/L]")
        axes.set_ylabel("rise of −2 log L")
        axes.legend(fontsize=6.5, loc="upper left")

    return StudyPlot(
        f"km_profile_{system}",
        f"{title}: profile of Km; dashed, where a 95 % interval ends",
        draw,
        (4.6, 3.0),
    )


def error_plot(cells: Sequence[Cell], method: str) -> StudyPlot:
    """Errors over their bounds of all cells, against the normal distribution they should have."""

    def draw(figure: Figure) -> None:
        axes = _axes(figure)
        for k, noise in enumerate(sorted({c.noise for c in cells if c.noise > 0.0})):
            scores = [
                s for c in cells if c.noise == noise and c.method == method for s in c.scores if s.counts
            ]
            found = np.sort(ratios(scores))
            if len(found):
                axes.plot(found, (np.arange(len(found)) + 0.5) / len(found), lw=1.3, color=SERIES[k],
                          label=f"{100 * noise:g} % noise, {len(found)} errors")  # fmt: skip
        x = np.linspace(-3.5, 3.5, 141)
        axes.plot(x, [0.5 * (1.0 + math.erf(v / math.sqrt(2.0))) for v in x], color=INK, lw=0.9,
                  ls=(0, (4, 2)), label="efficient")  # fmt: skip
        axes.set_xlim(-3.5, 3.5)
        axes.set_ylim(0.0, 1.0)
        axes.set_xlabel("ln(estimate / truth) over its Cramér-Rao bound")
        axes.set_ylabel("share of errors below")
        axes.legend(fontsize=6.5, loc="upper left")

    return StudyPlot(
        "errors", f"{method}: errors over their bounds, where every bound is below {100 * BOUND_LIMIT:g} %",
        draw, (4.6, 3.0),
    )  # fmt: skip


def recovery_plot(cells: Sequence[Cell], method: str) -> StudyPlot:
    """Estimates against truths, each over the geometric mean of the truths."""

    def draw(figure: Figure) -> None:
        axes = _axes(figure)
        shown: list[float] = []
        begun: list[float] = []
        for k, noise in enumerate(sorted({c.noise for c in cells})):
            x = [s.truth for c in cells if c.noise == noise and c.method == method for s in c.scores]
            start = [s.start for c in cells if c.noise == noise and c.method == method for s in c.scores]
            y = [s.error for c in cells if c.noise == noise and c.method == method for s in c.scores]
            if not x:
                continue
            away = np.concatenate([np.log(np.array(b) / np.array(a)) for a, b in zip(x, start, strict=True)])
            error = np.maximum(np.abs(np.concatenate([np.expm1(e) for e in y])), 1e-8)
            shown += error.tolist()
            begun += np.exp(away).tolist()
            axes.plot(np.exp(away), error, "o", ms=2.2, mfc="none", mew=0.6,
            color=SERIES[k],
                      label=f"{100 * noise:g} % noise")  # fmt: skip
        _log(axes, "x", begun)
        _log(axes, "y", shown)
        axes.set_xlabel("first start over truth")
        axes.set_ylabel("|estimate / truth − 1|")
        # Points of thousands of fits lie everywhere: the legend stands above them.
        axes.legend(fontsize=6.5, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)

    return StudyPlot("starts", f"{method}: the error does not depend on the start", draw, (4.6, 3.0))


def cost_plot(rows: Sequence[Cost]) -> StudyPlot:
    """Time of an inversion by method and number of unknowns."""

    def draw(figure: Figure) -> None:
        axes = _axes(figure)
        ways = list(dict.fromkeys((r.method, r.rtol) for r in rows))
        for k, way in enumerate(ways):
            line = sorted((r.masked, r.cpu_ms) for r in rows if (r.method, r.rtol) == way)
            label = way[0] if way[0] == "mi-pinn" else f"{way[0]}, rtol {way[1]:g}"
            axes.plot(*zip(*line, strict=True), marker="o", ms=3.5, lw=1.2, color=SERIES[k], label=label)
        axes.plot([1, 3, 5], [40, 60, 120], "_", ms=14, mew=1.5, color=INK, label="limit")
        _log(axes, "y", [40.0, 120.0, *(r.cpu_ms for r in rows)])
        axes.set_xticks([1, 3, 5])
        axes.set_xlabel("unknowns")
        axes.set_ylabel("processor time of a fit [ms]")
        axes.legend(fontsize=6.5)

    return StudyPlot("speed", "Three starts, with the verdict", draw, (4.6, 3.0))


def choice_plot(rows: Sequence[Choice], scenario: str) -> StudyPlot:
    """Held-out error against features for every choice."""

    def draw(figure: Figure) -> None:
        axes = _axes(figure)
        lines: dict[str, list[tuple[int, float]]] = {}
        for row in rows:
            if row.scenario != scenario:
                continue
            if row.varied == "branches":
                name = f"{row.branches} branch{'es' * (row.branches != 1)}"
            else:
                name = row.basis if row.varied == "basis" else f"{row.head} head"
            lines.setdefault(name, []).append((row.features, row.median))
        for k, (name, line) in enumerate(lines.items()):
            axes.plot(*zip(*sorted(line), strict=True), marker="o", ms=2.8, lw=1.1, label=name,
                      color=SERIES[k % len(SERIES)], ls="-" if k < len(SERIES) else (0, (4, 2)))  # fmt: skip
        _log(axes, "y", [r.median for r in rows if r.scenario == scenario])
        axes.set_xlabel("features of a branch")
        axes.set_ylabel("median relative error, held out")
        axes.set_xticks(sorted({r.features for r in rows}))
        axes.legend(fontsize=6.0, ncol=2)

    return StudyPlot(f"choices_{scenario}", f"{scenario}: what each choice is worth", draw, (4.6, 3.2))


def loss_plot(parts: Sequence[NetworkPart]) -> StudyPlot:
    """How the loss of each training fell; every step looks at other tasks, so the lines are rough."""

    def draw(figure: Figure) -> None:
        axes = _axes(figure)
        for k, part in enumerate(parts):
            step, value = np.array(part.loss).T
            axes.plot(step, value - value[0], lw=1.1, color=SERIES[k % len(SERIES)],
                      label=part.recipe.name.removeprefix("network, "))  # fmt: skip
        axes.axhline(0.0, color=GUIDE, lw=0.6)
        axes.set_xlabel("step")
        axes.set_ylabel("ln(loss / loss at the first step)")
        axes.legend(fontsize=6.0)

    return StudyPlot("network_loss", "Training of the networks; losses of different kinds are not one scale",
                     draw, (4.6, 3.0))  # fmt: skip
