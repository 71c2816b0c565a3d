"""Percentiles over many runs at each time, as curves and as a table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pbpkc.language.units import Unit
from pbpkc.solve.output import Run

Array = NDArray[np.float64]

#: Numbers that are sorted at once: 32 MB.
MOST_NUMBERS = 4_000_000

#: The levels where none are said, in %.
LEVELS = (5.0, 25.0, 50.0, 75.0, 95.0)


@dataclass(frozen=True)
class PercentileCurve:
    """An observable of many people in one scenario.

    Parameters
    ----------
    scenario, observable : str
    levels : tuple of float
        In %, shape (L,).
    time : ndarray, shape (T,), h
    n : ndarray of int, shape (T,)
        People with a value at that time.
    values : ndarray, shape (T, L)
        In the unit of the observable; nan where nobody has a value. Between two people the values are joined
        by a line (Hyndman and Fan 1996, Am Stat 50:361, type 7).
    """

    scenario: str
    observable: str
    levels: tuple[float, ...]
    time: Array
    n: NDArray[np.int64]
    values: Array


def checked_levels(levels: Sequence[float]) -> tuple[float, ...]:
    """Levels that percentiles can be taken at.

    Raises
    ------
    ValueError
        If there is none, one is outside 0 to 100, or they do not rise.
    """
    found = tuple(float(level) for level in levels)
    if not found or not all(0.0 <= level <= 100.0 for level in found):
        raise ValueError(f"percentiles are {list(found)}; accepted is one or more from 0 to 100")
    if any(b <= a for a, b in pairwise(found)):
        raise ValueError(f"percentiles are {list(found)}; they must rise")
    return found


def percentile_curves(runs: Sequence[Run], levels: Sequence[float] = LEVELS) -> tuple[PercentileCurve, ...]:
    """Percentiles of every observable, scenario by scenario.

    Parameters
    ----------
    runs : sequence of Run
        Those that the solver did not finish are left out.
    levels : sequence of float
        In %, rising.

    Raises
    ------
    ValueError
        For levels that do not fit, or runs of one scenario at different times.
    """
    chosen = checked_levels(levels)
    found = []
    for scenario in dict.fromkeys(run.scenario for run in runs):
        whole = [r.trajectory for r in runs if r.scenario == scenario and r.trajectory.outcome.ok]
        if not whole:
            continue
        time = whole[0].time
        if any(not np.array_equal(one.time, time) for one in whole):
            raise ValueError(f"the runs of scenario '{scenario}' have different times; give the times")
        for place, name in enumerate(whole[0].observable_names):
            table = np.stack([one.observables[:, place] for one in whole])
            found.append(_curve(scenario, name, chosen, time, table))
    return tuple(found)


def percentiles_of_table(
    scenario: str,
    names: Sequence[str],
    levels: Sequence[float],
    time: Array,
    table: Callable[[int, int], Array],
    among: NDArray[np.bool_],
) -> tuple[PercentileCurve, ...]:
    """Percentiles of every observable of a scenario, a few times at once.

    Parameters
    ----------
    scenario : str
    names : sequence of str
        Observables, shape (O,).
    levels : sequence of float
        In %, rising.
    time : ndarray, shape (T,), h
    table : callable (first, end)
        The numbers at the times from `first` to `end`, shape (end - first, O, B).
    among : ndarray of bool, shape (B,)
        Whose numbers count.
    """
    chosen = checked_levels(levels)
    if not among.any():
        return ()
    everyone = bool(among.all())
    values = np.full((len(names), time.size, len(chosen)), math.nan)
    count = np.zeros((len(names), time.size), dtype=np.int64)
    at_once = max(1, MOST_NUMBERS // (len(names) * len(among)))
    for first in range(0, time.size, at_once):
        part = table(first, min(first + at_once, time.size))
        part = part if everyone else part[:, :, among]
        there = np.isfinite(part)
        count[:, first : first + at_once] = there.sum(axis=2).T
        if there.all():
            found = np.percentile(part, chosen, axis=2)
            values[:, first : first + at_once] = found.transpose(2, 1, 0)
            continue
        for i, o in np.ndindex(part.shape[:2]):
            if there[i, o].any():
                values[o, first + i] = np.percentile(part[i, o, there[i, o]], chosen)
    return tuple(
        PercentileCurve(scenario, name, chosen, time, count[o], values[o]) for o, name in enumerate(names)
    )


def _curve(scenario: str, name: str, levels: tuple[float, ...], time: Array, table: Array) -> PercentileCurve:
    there = np.isfinite(table)
    if there.all():
        values = np.percentile(table, levels, axis=0).T
    else:
        values = np.full((time.size, len(levels)), math.nan)
        for i in range(time.size):
            if there[:, i].any():
                values[i] = np.percentile(table[there[:, i], i], levels)
    return PercentileCurve(scenario, name, levels, time, there.sum(axis=0), values)


def level_name(level: float) -> str:
    """``p5``, ``p2.5``: the column of a level."""
    return f"p{level:g}"


def percentiles_csv(curves: Sequence[PercentileCurve], time_unit: Unit) -> str:
    """``scenario,observable,time,n,p5,p25,...``: one row a time, each observable in its unit."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    levels = curves[0].levels if curves else LEVELS
    writer.writerow(["scenario", "observable", "time", "n", *map(level_name, levels)])
    factor = float(time_unit.factor)
    for curve in curves:
        for time, n, row in zip(curve.time.tolist(), curve.n.tolist(), curve.values.tolist(), strict=True):
            cells = [repr(value) if math.isfinite(value) else "" for value in row]
            writer.writerow([curve.scenario, curve.observable, repr(time / factor), n, *cells])
    return text.getvalue()
