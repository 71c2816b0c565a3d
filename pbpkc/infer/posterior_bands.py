"""Prediction bands: what the posterior says of the curve, and of a new measurement on it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from pbpkc.infer.posterior_diagnostics import weighted_quantiles
from pbpkc.infer.posterior_result import BandRow
from pbpkc.infer.predictor import Failure
from pbpkc.infer.problem import CurveGrid, FitProblem, FitSubject

Array = NDArray[np.float64]

#: Of the 95 % bands.
_LEVELS = np.array([0.025, 0.5, 0.975])

#: Halvings of an interval that holds a quantile: to a part in 10^15.
_HALVINGS = 50


def curve_grid(subject: FitSubject) -> CurveGrid:
    """Where a subject's bands are drawn: its own grid, or else where it was measured."""
    if subject.curve is not None:
        return subject.curve
    seen = subject.observations
    return CurveGrid(
        seen.time, seen.observable, seen.error, subject.exact or subject.predictor, subject.owners
    )


def band_rows(
    problem: FitProblem,
    subject: FitSubject,
    theta: Array,
    weights: Array,
    heard: Callable[[int], None] | None = None,
) -> tuple[tuple[BandRow, ...], int]:
    """Lines of ``posterior_bands.csv`` for one subject, by the reference solver.

    Parameters
    ----------
    problem : FitProblem
    subject : FitSubject
    theta : array, shape (n, k)
        Draws, canonical units.
    weights : array, shape (n,)
    heard : callable, optional
        Called with the number of draws simulated.

    Returns
    -------
    rows : tuple of BandRow
        Empty where no draw could be simulated.
    failed : int
        Draws that could not, which are left out.
    """
    grid = curve_grid(subject)
    curves, proportional, additive, kept = [], [], [], []
    for number, (values, weight) in enumerate(zip(theta, weights, strict=True), start=1):
        found = grid.predictor.reference(values)
        if not isinstance(found, Failure):
            noise = grid.predictor.noise(values)
            curves.append(found)
            proportional.append(noise.proportional)
            additive.append(noise.additive)
            kept.append(weight)
        if heard is not None:
            heard(number)
    failed = len(theta) - len(curves)
    if not curves or not np.sum(kept) > 0.0:
        return (), failed
    y, a, b, w = (np.array(part) for part in (curves, proportional, additive, kept))
    kinds = np.array(grid.error, dtype=object)
    middle = np.array([weighted_quantiles(column, w, _LEVELS) for column in y.T])
    measured = measured_band(y, a, b, kinds == "lognormal", w)
    measured[kinds == "given"] = np.nan
    rows = []
    for i in range(len(grid.time)):
        low, median, high = middle[i].tolist()
        rows.append(
            BandRow(
                id=subject.id,
                time=float(f"{grid.time[i] / problem.time_factor:.15g}"),
                observable=problem.observables[int(grid.observable[i])].name,
                median=median,
                low=low,
                high=high,
                dv_low=float(measured[i, 0]),
                dv_high=float(measured[i, 1]),
                subject=grid.owners[i] if grid.owners else subject.id,
            )
        )
    return tuple(rows), failed


def measured_band(y: Array, a: Array, b: Array, lognormal: NDArray[np.bool_], weights: Array) -> Array:
    """2.5 and 97.5 % points of new measurements: of the mixture of the error models around all draws.

    Parameters
    ----------
    y, a, b : array, shape (n, m)
        Predictions, and arguments of the error model, of n draws at m places.
    lognormal : array of bool, shape (m,)
    weights : array, shape (n,)

    Returns
    -------
    array, shape (m, 2)
        Solved for, not drawn: the mixture's distribution function is known.
    """
    w = (weights / np.sum(weights))[:, None]
    mean = np.where(lognormal, np.log(np.maximum(y, 1e-300)), y)
    sd = np.where(lognormal, a, np.hypot(a * y, b))
    safe = np.where(sd > 0.0, sd, 1.0)
    ends = []
    for level in (_LEVELS[0], _LEVELS[2]):
        low, high = np.min(mean - 8.0 * sd, axis=0), np.max(mean + 8.0 * sd, axis=0)
        for _ in range(_HALVINGS):
            try_ = 0.5 * (low + high)
            below = np.where(sd > 0.0, ndtr((try_ - mean) / safe), try_ >= mean)
            under = np.sum(w * below, axis=0) < level
            low, high = np.where(under, try_, low), np.where(under, high, try_)
        ends.append(0.5 * (low + high))
    found = np.stack(ends, axis=1)
    return np.where(lognormal[:, None], np.exp(np.where(lognormal[:, None], found, 0.0)), found)
