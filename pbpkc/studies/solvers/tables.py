"""The comparison of solvers as tables: one of figures, one line a number of subjects."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pbpkc.studies.solvers.scores import Score, slope_ratio, times_faster

#: Columns of the file of figures.
COLUMNS = (
    "system", "method", "title", "product", "subjects", "cpu_ms", "repeats", "extrapolated", "times_faster",
    "first_s", "warm_s", "max_error", "median_error", "lost", "memory_mb", "sensitivities_ms",
    "sensitivities_over_run", "sensitivity_error", "gives", "note", "reason", "versions",
)  # fmt: skip


def figure_rows(scores: Sequence[Score]) -> list[tuple[object, ...]]:
    """One row a system, method and number of subjects; a method without figures has one row."""
    rows: list[tuple[object, ...]] = []
    for one in scores:
        mine = [s for s in scores if s.system == one.system]
        slopes = None if one.sensitivities is None else 1e3 * one.sensitivities
        after = (
            one.first, one.warm, one.max_error, one.median_error, one.lost, one.memory, slopes,
            slope_ratio(one), one.sensitivity_error, one.gives, one.note, one.reason, " ".join(one.versions),
        )  # fmt: skip
        named = (one.system, one.method, one.title, one.product)
        rows += [
            (*named, c.subjects, 1e3 * c.seconds, c.repeats, c.repeats == 0,
             times_faster(one, mine, c.subjects), *after)
            for c in one.costs
        ] or [(*named, None, None, None, None, None, *after)]  # fmt: skip
    return rows


def shown_table(scores: Sequence[Score], sizes: Sequence[int]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table of one system, for people; times in ms, ``~`` before extrapolated ones."""
    head = ["method", "first s", "warm", *(f"{n}" for n in sizes), *(f"x at {n}" for n in _compared(sizes)),
            "max error", "median", "MB", "5 sens.", "x run", "error"]  # fmt: skip
    rows = []
    for one in scores:
        if one.reason:
            continue
        cells = [
            one.title + (" *" if one.gives == "watched" else ""),
            _figure(one.first, 2),
            _figure(one.warm, 2),
        ]
        for n in sizes:
            cost = one.cost(n)
            cells.append(
                "" if cost is None else ("~" if cost.repeats == 0 else "") + _figure(1e3 * cost.seconds, 3)
            )
        cells += [_figure(times_faster(one, scores, n), 3) for n in _compared(sizes)]
        cells += [_error(one.max_error), _error(one.median_error), f"{one.memory:.0f}"]
        slopes = one.sensitivities
        cells += ["" if slopes is None else _figure(1e3 * slopes, 3), _figure(slope_ratio(one), 2),
                  "" if one.sensitivity_error is None else _error(one.sensitivity_error)]  # fmt: skip
        rows.append(cells)
    return head, rows


def _compared(sizes: Sequence[int]) -> list[int]:
    """Numbers of subjects for which ratios are shown: one, and a thousand or the largest below."""
    many = [n for n in sizes if n <= 1000]
    return list(dict.fromkeys((sizes[0], many[-1] if many else sizes[-1])))


def _figure(value: float, digits: int) -> str:
    """A number without an exponent."""
    if math.isnan(value):
        return ""
    if value >= 10 ** (digits - 1):
        return f"{value:.0f}"
    return f"{value:.{digits}g}" if value >= 1e-3 else f"{value:.1e}"


def _error(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.1e}"
