"""Stage 1 as a picture: error against features for each number of branches, and who shares a branch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from pbpkc.report.plot_style import DASHES, GUIDE, INK, SERIES, Draw, log_range, mark, ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Branches with more states than this are told by their first ones.
_SHOWN = 14


class Tried(Protocol):
    """One candidate: branches, features, median relative error of the worst observable."""

    @property
    def branches(self) -> int:
        """Number of branches."""
        ...

    @property
    def features(self) -> int:
        """Features of each."""
        ...

    @property
    def median(self) -> float:
        """Median relative error on held-out tasks."""
        ...


def branch_figure(
    tried: Sequence[Tried], chosen: Tried, branches: Mapping[str, Sequence[Sequence[str]]]
) -> tuple[Draw, tuple[float, float]]:
    """The picture with its size in inches.

    Parameters
    ----------
    tried : sequence of Tried
    chosen : Tried
    branches : mapping of str to sequence of sequence of str
        For each kind of segment the states of each branch.
    """
    lines = _told(branches)
    height = max(3.2, 0.5 + 0.145 * len(lines))

    def draw(figure: Figure) -> None:
        tall = min(height, 4.2) - 0.95
        axes = figure.add_axes((0.095, 1.0 - (0.4 + tall) / height, 0.36, tall / height))
        for k, count in enumerate(sorted({one.branches for one in tried})):
            line = sorted((one.features, one.median) for one in tried if one.branches == count)
            axes.plot(
                *zip(*line, strict=True),
                color=SERIES[k % len(SERIES)],
                linestyle=DASHES[k // len(SERIES)],
                marker="o",
                markersize=3,
                linewidth=1.2,
                label=f"{count} branch{'es' * (count != 1)}",
            )
        axes.plot([chosen.features], [chosen.median], "o", ms=9, mfc="none", mec=INK, label="chosen")
        errors = [one.median for one in tried if 0.0 < one.median < math.inf]
        shown = log_range(min(errors, default=1e-6), max(errors, default=1.0))
        mark(axes, "y", shown, ticks(shown, tall, upright=True))
        axes.set_xlabel("features of a branch")
        axes.set_ylabel("median relative error, held-out solves")
        axes.set_xticks(sorted({one.features for one in tried}))
        axes.grid(True, axis="y", color=GUIDE, alpha=0.3, linewidth=0.4)
        axes.legend(fontsize=7)
        text = figure.add_axes((0.49, 0.0, 0.51, 1.0))
        text.axis("off")
        for k, (words, heading) in enumerate(lines):
            y = 1.0 - (0.25 + 0.145 * k) / height
            text.text(
                0.0 if heading else 0.02, y, words, fontsize=6.6, weight="bold" if heading else "normal"
            )

    return draw, (9.0, height)


def _told(branches: Mapping[str, Sequence[Sequence[str]]]) -> list[tuple[str, bool]]:
    lines: list[tuple[str, bool]] = []
    for kind, found in branches.items():
        if not found:
            continue
        lines.append((f"{kind}: {len(found)} branch{'es' * (len(found) != 1)}", True))
        for k, states in enumerate(found):
            rest = len(states) - _SHOWN
            words = ", ".join(states[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
            lines += [(part, False) for part in _wrapped(f"{k + 1}  {words}")]
    return lines


def _wrapped(words: str, width: int = 92) -> list[str]:
    parts: list[str] = []
    while len(words) > width:
        cut = words.rfind(" ", 0, width)
        cut = cut if cut > 4 else width
        parts.append(words[:cut])
        words = "    " + words[cut + 1 :]
    return [*parts, words]
