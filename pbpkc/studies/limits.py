"""What an inversion is held to, and whether the numbers of a run keep it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pbpkc.studies.ablation import Choice
from pbpkc.studies.missing import CURVE_LIMITS, LIVER, TITLE, Missing
from pbpkc.studies.network_choices import ERROR_LIMIT, RECIPES, NetworkChoice
from pbpkc.studies.paper_systems import SYSTEMS
from pbpkc.studies.paper_table import Estimate, Interval
from pbpkc.studies.scores import REACHED, Summary, expected_range
from pbpkc.studies.speed import Cost
from pbpkc.studies.synthetic import CASES

#: Method that limits are for.
METHOD = "mi-pinn"

#: Errors over their bound of which the median is told to within the limits (200 of a standard normal's).
FULL = 200

#: Intervals of the full form; their share that holds the truth is known to a quarter of a percent.
FULL_INTERVALS = 7200


@dataclass(frozen=True)
class Stage1:
    """What a training of the default size cost and gave.

    Parameters
    ----------
    scenario : str
    cpu_seconds : float
    branches, features, tasks : int
    median, high, states : float
        As of `pbpkc.engines.mipinn.selection.Errors`.
    """

    scenario: str
    cpu_seconds: float
    branches: int
    features: int
    tasks: int
    median: float
    high: float
    states: float


@dataclass(frozen=True)
class Limit:
    """One limit.

    Parameters
    ----------
    about, text : str
        What it is about, and what is demanded.
    found : str
        What this run found.
    holds : bool
    """

    about: str
    text: str
    found: str
    holds: bool


def stage1_limits(rows: Sequence[Stage1]) -> Iterator[Limit]:
    """Of training."""
    for row in rows:
        oral = row.scenario.startswith("po")
        if oral:
            yield Limit(
                "training", f"{row.scenario}: at most 30 s of processor time",
                f"{row.cpu_seconds:.1f} s for {row.tasks} tasks", row.cpu_seconds <= 30.0,
            )  # fmt: skip
        most = 1e-4 if oral else 5e-4
        yield Limit(
            "training", f"{row.scenario}: median error of held-out solves at most {most:g}",
            f"{row.median:.1e}", row.median <= most,
        )  # fmt: skip


def speed_limits(rows: Sequence[Cost]) -> Iterator[Limit]:
    """Of time."""
    for row in rows:
        most = {1: 40.0, 3: 60.0, 5: 120.0}.get(row.masked)
        if row.method != METHOD or most is None:
            continue
        rivals = [r for r in rows if r.masked == row.masked and r.method != METHOD and r.gap <= REACHED]
        rival = min(rivals, key=lambda r: r.cpu_ms, default=None)
        beside = (
            ""
            if rival is None
            else f"; least squares, exactly: {rival.cpu_ms:.0f} ms, {rival.cpu_ms / row.cpu_ms:.1f}-fold"
        )
        yield Limit(
            "speed", f"{row.masked} unknown, 3 starts: at most {most:g} ms of processor time",
            f"{row.cpu_ms:.0f} ms, {row.search_ms:.0f} of them for the searches{beside}", row.cpu_ms <= most,
        )  # fmt: skip


def synthetic_limits(rows: Sequence[Summary]) -> Iterator[Limit]:
    """Of accuracy, efficiency, coverage and searches."""
    apart = {case.name for case in CASES if case.why_apart}
    ours = [r for r in rows if r.method == METHOD and r.case not in apart]
    for row in ours:
        if row.noise == 0.0:
            most = 0.02 if row.case.startswith("oral") else 0.1
            yield Limit(
                "accuracy", f"{row.case}, no noise: median error at most {most:g} %",
                f"{row.median_error:.2g} %", row.median_error <= most,
            )  # fmt: skip
            continue
        yield from _efficiency(row)
        low, high = expected_range(row.tasks)
        yield Limit(
            "coverage", f"{_cell(row)}: {low} to {high} of {row.tasks} 95 % intervals hold the truth",
            ", ".join(map(str, row.covered)), all(low <= c <= high for c in row.covered),
        )  # fmt: skip
    yield from _overall(ours)


def _cell(row: Summary) -> str:
    return f"{row.case}, {100.0 * row.noise:g} % noise"


def _efficiency(row: Summary) -> Iterator[Limit]:
    errors = row.counted * row.masked
    if not errors:
        return
    # Fewer errors tell their median less well: the range of 200 widens by the square root.
    wide = max(1.0, math.sqrt(FULL / errors))
    low, high = max(0.0, 0.675 - 0.125 * wide), 0.675 + 0.125 * wide
    yield Limit(
        "efficiency",
        f"{_cell(row)}: median error over the bound {low:.2f} to {high:.2f} ({errors} errors)",
        f"{row.efficiency_counted:.2f}",
        low <= row.efficiency_counted <= high,
    )


def _overall(ours: Sequence[Summary]) -> Iterator[Limit]:
    noisy = [r for r in ours if r.noise > 0.0]
    made = sum(r.tasks * r.masked for r in noisy)
    if made:
        share = sum(map(sum, (r.covered for r in noisy))) / made
        wide = 0.01 * max(1.0, math.sqrt(FULL_INTERVALS / made))
        yield Limit(
            "coverage",
            f"over all cells {100 * (0.95 - wide):.1f} to {100 * min(0.95 + wide, 1.0):.1f} % ({made} "
            "intervals)",
            f"{100.0 * share:.1f} %",
            abs(share - 0.95) <= wide,
        )
    tasks = sum(r.tasks for r in ours)
    if tasks:
        missed = sum(r.missed for r in ours)
        yield Limit(
            "searches", "at most 2 % of fits do not reach the optimum", f"{missed} of {tasks}",
            missed <= 0.02 * tasks,
        )  # fmt: skip


def table_limits(rows: Sequence[Estimate], intervals: Sequence[Interval]) -> Iterator[Limit]:
    """Of the paper's table."""
    for system in SYSTEMS:
        mine = [r for r in rows if r.system == system.name and r.method == METHOD]
        exact = [r for r in mine if r.data == "plasma" and r.noise == 0.0]
        if exact:
            worst = max(abs(math.expm1(r.ratio_error)) for r in exact)
            yield Limit(
                "paper's table", f"{system.name}, no noise: Vmax/Km within 0.1 %", f"{100 * worst:.2g} %",
                worst <= 1e-3,
            )  # fmt: skip
        noisy = [r for r in mine if r.data == "plasma" and r.noise >= 0.1]
        if noisy:
            wrong = sum(r.km_determined for r in noisy)
            yield Limit(
                "paper's table", f"{system.name}, plasma, 10 % noise: told that Km is not determined",
                f"in {len(noisy) - wrong} of {len(noisy)}", not wrong,
            )  # fmt: skip
        designed = [r for r in mine if r.data == "design" and r.noise > 0.0]
        if designed:
            right = sum(r.km_determined for r in designed)
            yield Limit(
                "paper's table", f"{system.name}, two doses and the product: told that Km is determined",
                f"in {right} of {len(designed)}", right == len(designed),
            )  # fmt: skip
        held = [i for i in intervals if i.system == system.name and i.noise > 0.0]
        if held:
            low, high = expected_range(len(held))
            inside = sum(i.covered for i in held)
            yield Limit(
                "paper's table",
                f"{system.name}: 95 % intervals of Vmax/Km hold the truth in {low} to {high} of {len(held)}",
                str(inside), low <= inside <= high,
            )  # fmt: skip


def ablation_limits(rows: Sequence[Choice]) -> Iterator[Limit]:
    """Of branches."""
    for scenario in dict.fromkeys(r.scenario for r in rows):
        same = [r for r in rows if r.scenario == scenario and r.varied == "branches"]
        for features in sorted({r.features for r in same}):
            line = {r.branches: r.states for r in same if r.features == features}
            if 1 not in line or len(line) < 2:
                continue
            best = min((b for b in line if b > 1), key=line.__getitem__)
            if features == 12:
                yield Limit(
                    "branches", f"{scenario}, {features} features: several branches are better than one",
                    f"mean squared error of all states {line[best]:.1e} with {best}, {line[1]:.1e} with one",
                    line[best] < line[1],
                )  # fmt: skip


def network_limits(rows: Sequence[NetworkChoice]) -> Iterator[Limit]:
    """Of networks with the head of the paper, trained in the way that is the default."""
    for row in rows:
        if row.recipe == RECIPES[0] and row.head == "least-squares":
            yield Limit(
                "networks",
                f"{row.scenario}, 3 unknown, no noise, {row.recipe.name}, {row.head} head, no exact steps: "
                f"median error at most {ERROR_LIMIT:g} %",
                f"{row.error:.2g} %, trained in {row.trained_s:.0f} s", row.error <= ERROR_LIMIT,
            )  # fmt: skip


def missing_limits(rows: Sequence[Missing]) -> Iterator[Limit]:
    """Of missing terms, from plasma and one more channel."""
    both = [r for r in rows if len(r.channels) > 1]
    for system, noise in sorted({(r.system, r.noise) for r in both}):
        mine = [r for r in both if (r.system, r.noise) == (system, noise)]
        told = f"{system}, {100 * noise:g} % noise"
        errors = sorted(r.curve_error for r in mine if math.isfinite(r.curve_error))
        if system == LIVER and noise in CURVE_LIMITS:
            median = errors[len(errors) // 2] if errors else math.nan
            yield Limit(
                "missing term", f"{told}: median error of the curve at most {CURVE_LIMITS[noise]:g} %",
                f"{median:.2g} %", median <= CURVE_LIMITS[noise],
            )  # fmt: skip
        if noise > 0.0:
            inside = sum(r.in_set for r in mine)
            yield Limit(
                "missing term", f"{told}: {TITLE} among the forms reported, 9 times in 10",
                f"{inside} of {len(mine)}", inside >= 0.9 * len(mine),
            )  # fmt: skip
