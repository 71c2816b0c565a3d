"""The comparison of solvers as tables: one of figures, one line a number of subjects."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pbpkc.studies.solvers.scores import Cost, Score, compared, slope_ratio, slope_times_faster, times_faster

#: Columns of the file of figures.
COLUMNS = (
    "system", "method", "title", "product", "subjects", "cpu_ms", "repeats", "extrapolated", "times_faster",
    "sensitivities_ms", "sensitivities_over_run", "first_s", "warm_s", "max_error", "median_error", "lost",
    "memory_mb", "sensitivity_error", "gives", "note", "reason", "versions",
)  # fmt: skip


def figure_rows(scores: Sequence[Score]) -> list[tuple[object, ...]]:
    """One row a system, method and number of subjects; a method without figures has one row."""
    rows: list[tuple[object, ...]] = []
    for one in scores:
        mine = [s for s in scores if s.system == one.system]
        after = (
            one.first, one.warm, one.max_error, one.median_error, one.lost, one.memory,
            one.sensitivity_error, one.gives, one.note, one.reason, " ".join(one.versions),
        )  # fmt: skip
        named = (one.system, one.method, one.title, one.product)
        rows += [
            (*named, c.subjects, 1e3 * c.seconds, c.repeats, c.repeats == 0,
             times_faster(one, mine, c.subjects), _slopes_ms(one, c.subjects), slope_ratio(one, c.subjects),
             *after)
            for c in one.costs
        ] or [(*named, *(None,) * 7, *after)]  # fmt: skip
    return rows


def _slopes_ms(one: Score, subjects: int) -> float | None:
    cost = one.slope_cost(subjects)
    return None if cost is None else 1e3 * cost.seconds


def shown_table(scores: Sequence[Score], sizes: Sequence[int]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table of one system, for people; times in ms, ``~`` before extrapolated ones."""
    head = ["method", "first s", "warm", *(f"{n}" for n in sizes), *(f"x at {n}" for n in compared(sizes)),
            "max error", "median", "MB"]  # fmt: skip
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
            cells.append("" if cost is None else _cost(cost))
        cells += [_figure(times_faster(one, scores, n), 3) for n in compared(sizes)]
        cells += [_error(one.max_error), _error(one.median_error), f"{one.memory:.0f}"]
        rows.append(cells)
    return head, rows


def shown_slopes(scores: Sequence[Score], sizes: Sequence[int]) -> tuple[list[str], list[list[str]]]:
    """The same of five sensitivities; the table is empty where no method has some."""
    head = ["five sensitivities", *(f"{n}" for n in sizes), *(f"x at {n}" for n in sizes),
            *(f"x run, {n}" for n in sizes), "error"]  # fmt: skip
    rows = []
    for one in (s for s in scores if s.slope_costs):
        costs = [one.slope_cost(n) for n in sizes]
        rows.append(
            [one.title]
            + ["" if c is None else _cost(c) for c in costs]
            + [_figure(slope_times_faster(one, scores, n), 3) for n in sizes]
            + [_figure(slope_ratio(one, n), 2) for n in sizes]
            + ["" if one.sensitivity_error is None else _error(one.sensitivity_error)]
        )
    return head, rows


def _cost(cost: Cost) -> str:
    """Milliseconds, with ``~`` where fewer subjects were run."""
    return ("~" if cost.repeats == 0 else "") + _figure(1e3 * cost.seconds, 3)


def _figure(value: float, digits: int) -> str:
    """A number without an exponent."""
    if math.isnan(value):
        return ""
    if value >= 10 ** (digits - 1):
        return f"{value:.0f}"
    return f"{value:.{digits}g}" if value >= 1e-3 else f"{value:.1e}"


def _error(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.1e}"
