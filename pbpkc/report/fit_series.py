"""A fit as series that can be drawn: what was measured, the fitted curve, and the residuals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.data import Dataset
from pbpkc.infer.posterior_result import BandRow
from pbpkc.infer.result import FitResult, PredictionRow, SubjectFit
from pbpkc.language.units import parse_unit

Array = NDArray[np.float64]

#: Subjects in one picture; with more, a picture is too long to be read.
MOST_SUBJECTS = 60


class Curve(Protocol):
    """The observables of one subject at its estimate, on a dense grid.

    `time` is in h; `observables` maps names to values of the same length, each in its unit.
    """

    @property
    def id(self) -> str:
        """The subject."""
        ...

    @property
    def time(self) -> Array:
        """Shape (T,), h."""
        ...

    @property
    def observables(self) -> Mapping[str, Array]:
        """Each of shape (T,)."""
        ...


@dataclass(frozen=True)
class Band:
    """Where the posterior expects the curve and new measurements; all of shape (m,), as in `Series`."""

    time: Array
    low: Array
    high: Array
    dv_low: Array
    dv_high: Array


@dataclass(frozen=True)
class Series:
    """One observable of one subject; times in the unit of reports, values in the observable's.

    Parameters
    ----------
    subject, observable, unit, time_unit : str
    time, value : ndarray, shape (n,)
        Measured.
    predicted, weighted : ndarray, shape (n,)
        By the fit, and the weighted residual; nan where there is no estimate.
    censored_time, censored_limit : ndarray, shape (m,)
        Values below quantification, with the limit.
    curve_time, curve : ndarray, shape (T,)
        Fitted; empty where there is no estimate.
    pooled_time, pooled : ndarray, shape (U,)
        The curve by the estimate of all subjects together, where it stands beside the subject's own.
    band : Band, optional
        Where there is a posterior.
    """

    subject: str
    observable: str
    unit: str
    time_unit: str
    time: Array
    value: Array
    predicted: Array
    weighted: Array
    censored_time: Array
    censored_limit: Array
    curve_time: Array
    curve: Array
    pooled_time: Array
    pooled: Array
    band: Band | None = None

    @property
    def highest(self) -> float:
        """The largest number to be shown; nan if there is none."""
        shown = np.concatenate((self.value, self.censored_limit, self.curve, self.pooled))
        shown = shown[np.isfinite(shown)]
        return float(shown.max()) if shown.size else math.nan


def first_fits(fits: Sequence[SubjectFit], most: int) -> Sequence[SubjectFit]:
    """The first of many, and always that of all subjects together, which comes last."""
    if len(fits) <= most:
        return fits
    return [*fits[: most - 1], fits[-1] if fits[-1].members else fits[most - 1]]


def drawn_subjects(dataset: Dataset) -> frozenset[str]:
    """Those whose curves are shown: for every observable the first `MOST_SUBJECTS` that have values of it."""
    found: set[str] = set()
    for index in range(len(dataset.observable_names)):
        there = [s.id for s in dataset.subjects if np.any(s.observable == index)]
        found.update(there[:MOST_SUBJECTS])
    return frozenset(found)


def fit_series(
    result: FitResult, dataset: Dataset, curves: Sequence[Curve], pooled: Sequence[Curve] = ()
) -> tuple[Series, ...]:
    """What was measured and fitted, by observable and subject, in the order of the model and of the data.

    Parameters
    ----------
    result : FitResult
    dataset : Dataset
        That was fitted.
    curves : sequence of Curve
        Of the subjects that have an estimate.
    pooled : sequence of Curve
        At the estimate of all subjects together.
    """
    factor = float(parse_unit(result.time_unit).factor)
    dense = {curve.id: curve for curve in curves}
    shared = {curve.id: curve for curve in pooled}
    # A single subject's own band, or where there is none that of the pooled fit.
    bands: dict[str, list[BandRow]] = {}
    together = [result.pooled] if result.pooled is not None and not result.singles else []
    for fit in (*result.singles, *together):
        for row in fit.posterior.bands if fit.posterior is not None else ():
            bands.setdefault(row.subject, []).append(row)
    found: dict[str, Sequence[PredictionRow]] = {fit.id: fit.predictions for fit in result.singles}
    if not found:
        found = _shares(result.pooled)
    made = []
    named = zip(dataset.observable_names, dataset.observable_units, strict=True)
    for index, (name, unit) in enumerate(named):
        for subject in dataset.subjects:
            here = np.flatnonzero(subject.observable == index)
            if not here.size:
                continue
            below = subject.censored[here]
            rows = found.get(subject.id, ())
            curve_time, curve_value = _drawn(dense.get(subject.id), name, factor)
            pooled_time, pooled_value = _drawn(shared.get(subject.id), name, factor)
            limits = np.where(np.isfinite(subject.lloq[here]), subject.lloq[here], subject.dv[here])
            made.append(
                Series(
                    subject.id, name, unit, result.time_unit,
                    time=subject.time[here][~below] / factor,
                    value=subject.dv[here][~below],
                    predicted=_column([row.pred for row in rows], here)[~below],
                    weighted=_column([row.weighted_residual for row in rows], here)[~below],
                    censored_time=subject.time[here][below & np.isfinite(limits)] / factor,
                    censored_limit=limits[below & np.isfinite(limits)],
                    curve_time=curve_time,
                    curve=curve_value,
                    pooled_time=pooled_time,
                    pooled=pooled_value,
                    band=_band(bands.get(subject.id, ()), name),
                )
            )  # fmt: skip
    return tuple(made)


def _drawn(curve: Curve | None, observable: str, factor: float) -> tuple[Array, Array]:
    """Times and values of one observable; empty where there is no curve."""
    if curve is None or observable not in curve.observables:
        return np.zeros(0), np.zeros(0)
    return curve.time / factor, curve.observables[observable]


def _shares(pooled: SubjectFit | None) -> dict[str, Sequence[PredictionRow]]:
    """Of the predictions of a pooled fit those of each subject."""
    shares: dict[str, list[PredictionRow]] = {}
    for row in pooled.predictions if pooled is not None else ():
        shares.setdefault(row.subject, []).append(row)
    return {subject: tuple(rows) for subject, rows in shares.items()}


def _band(rows: Sequence[BandRow], observable: str) -> Band | None:
    here = [row for row in rows if row.observable == observable]
    if not here:
        return None
    columns = ([getattr(row, f.name) for row in here] for f in fields(Band))
    return Band(*(np.array(column, dtype=float) for column in columns))


def _column(values: list[float], here: NDArray[np.intp]) -> Array:
    """Some entries of a column, nan where the subject has no estimate."""
    return np.array(values, dtype=float)[here] if values else np.full(here.size, math.nan)


def by_observable(series: Sequence[Series]) -> dict[str, list[Series]]:
    """Series grouped by what they measure."""
    groups: dict[str, list[Series]] = {}
    for one in series:
        groups.setdefault(one.observable, []).append(one)
    return groups
