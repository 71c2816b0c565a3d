"""From the estimates of single subjects to the population: means, spread between subjects, correlation.

The spread of estimates is that of the subjects and of their errors together. Two ways take the errors out:
the method of moments (observed variance minus the mean squared standard error), one parameter at a time; and
the global two-stage method, which weighs each subject by what its data tell and gives the correlations too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.result import SubjectFit
from pbpkc.infer.summary_result import SummaryRow, TwoStage
from pbpkc.infer.transform import FittedParameter

Array = NDArray[np.float64]

#: Of the iteration: largest change of means and covariances, in units of the spread of the estimates. It
#: comes slowly where the most likely covariance is singular; this leaves about a thousandth there.
_TOLERANCE = 1e-6
_MOST_ITERATIONS = 5000

#: A between-subject variance below this part of the mean squared standard error has no correlations.
_NO_SPREAD = 1e-2


@dataclass(frozen=True)
class _Estimates:
    """What is counted, scaled: values and covariances of the subjects with any, nan where not counted."""

    ids: tuple[str, ...]
    value: Array  # (n, k)
    covariance: Array  # (n, k, k)

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Shape (n, k)."""
        return np.isfinite(self.value)


def two_stage(
    parameters: tuple[FittedParameter, ...], fits: Sequence[SubjectFit]
) -> tuple[tuple[SummaryRow, ...], TwoStage | None]:
    """The population behind the estimates of single subjects.

    Parameters
    ----------
    parameters : tuple of FittedParameter
    fits : sequence of SubjectFit
        Of single subjects. A parameter that a subject's data do not determine is not counted there.

    Returns
    -------
    rows : tuple of SummaryRow
        In the order of the parameters; empty where no subject has estimates.
    population : TwoStage or None
        None where no parameter has two estimates with standard errors.

    References
    ----------
    Steimer JL, Mallet A, Golmard JL, Boisvieux JF (1984) Drug Metab Rev 15:265-292.
    Davidian M, Giltinan DM (1995) Nonlinear Models for Repeated Measurement Data, sections 5.3.1-5.3.2.
    """
    there = [fit for fit in fits if fit.theta]
    if not there:
        return (), None
    seen = _estimates(parameters, there)
    population = global_two_stage([p.name for p in parameters], seen.value, seen.covariance)
    index = {} if population is None else {name: i for i, name in enumerate(population.parameters)}
    rows = tuple(
        _row(parameter, i, seen, population, index.get(parameter.name))
        for i, parameter in enumerate(parameters)
    )
    return rows, population


def _estimates(parameters: tuple[FittedParameter, ...], fits: Sequence[SubjectFit]) -> _Estimates:
    value = np.array(
        [
            [
                p.to_scaled(theta) if row.identifiable == "yes" else math.nan
                for p, theta, row in zip(parameters, fit.theta, fit.estimates, strict=True)
            ]
            for fit in fits
        ]
    )
    return _Estimates(tuple(fit.id for fit in fits), value, np.array([fit.covariance for fit in fits]))


def _row(
    parameter: FittedParameter,
    i: int,
    seen: _Estimates,
    population: TwoStage | None,
    place: int | None,
) -> SummaryRow:
    from scipy.special import stdtrit

    counted = seen.counted[:, i]
    values, variances = seen.value[counted, i], seen.covariance[counted, i, i]
    n, log = len(values), parameter.scale == "log"
    # Spreads are of logarithms, or in the unit of reports.
    per_unit = 1.0 if log else 1.0 / float(parameter.unit.factor)

    def shown(scaled: float) -> float:
        # Beyond 700 on a log scale there is no number; a limit there says nothing.
        usable = math.isfinite(scaled) and not (log and scaled > 700.0)
        return parameter.in_unit(parameter.to_natural(scaled)) if usable else math.nan

    mean = float(np.mean(values)) if n else math.nan
    spread = float(np.std(values, ddof=1)) if n > 1 else math.nan
    half = float(stdtrit(n - 1, 0.975)) * spread / math.sqrt(n) if n > 1 else math.nan
    between = math.nan
    if n > 1 and np.isfinite(variances).all():
        between = math.sqrt(max(spread * spread - float(np.mean(variances)), 0.0))
    gts_mean = gts_sd = math.nan
    if population is not None and place is not None:
        gts_mean, gts_sd = shown(population.mean[place]), population.sd[place] * per_unit
    return SummaryRow(
        parameter=parameter.name,
        unit=parameter.unit.text,
        n=n,
        kind="geometric" if log else "arithmetic",
        mean=shown(mean),
        spread=spread * per_unit,
        low=shown(float(values.min())) if n else math.nan,
        high=shown(float(values.max())) if n else math.nan,
        mean_low=shown(mean - half),
        mean_high=shown(mean + half),
        between_sd=between * per_unit,
        gts_mean=gts_mean,
        gts_sd=gts_sd,
        not_counted=tuple(id for id, yes in zip(seen.ids, counted, strict=True) if not yes),
    )


def global_two_stage(names: Sequence[str], value: Array, covariance: Array) -> TwoStage | None:
    """The normal population whose members, seen with their errors, are the most likely to give the estimates.

    Estimates theta_j are taken as normal around each subject's own parameters with covariance C_j, and those
    as normal around mu with covariance Omega; mu and Omega by expectation and maximisation:

        V_j = (C_j^-1 + Omega^-1)^-1,  phi_j = V_j (C_j^-1 theta_j + Omega^-1 mu)
        mu = mean of phi_j,            Omega = mean of V_j + (phi_j - mu)(phi_j - mu)'

    written so that neither C_j nor Omega is inverted alone. What a subject does not determine is simply
    missing there.

    Parameters
    ----------
    names : sequence of str, length k
    value : array, shape (n, k)
        Estimates on the scale of the fit, nan where they do not count.
    covariance : array, shape (n, k, k)
        Of each subject's errors.

    Returns
    -------
    TwoStage or None
        Of the parameters that have two estimates with standard errors at least; None where none has.
    """
    errors = np.einsum("nii->ni", covariance)
    counted = np.isfinite(value) & np.isfinite(errors)
    chosen = np.flatnonzero(counted.sum(axis=0) >= 2)
    if not len(chosen):
        return None
    value, counted = value[:, chosen], counted[:, chosen]
    covariance = covariance[:, chosen][:, :, chosen]
    size = len(chosen)
    start = [value[counted[:, i], i] for i in range(size)]
    mean = np.array([float(np.mean(column)) for column in start])
    omega = np.diag([max(float(np.var(column)), 1e-12) for column in start])
    scale = np.sqrt(np.diag(omega)).copy()
    # Subjects that lack the same parameters are computed together.
    patterns: dict[bytes, list[int]] = {}
    for j in range(len(value)):
        if counted[j].any():
            patterns.setdefault(counted[j].tobytes(), []).append(j)
    groups = [(np.array(rows), np.flatnonzero(counted[rows[0]])) for rows in patterns.values()]
    number = sum(len(rows) for rows, _ in groups)

    converged, iterations = False, 0
    while iterations < _MOST_ITERATIONS and not converged:
        iterations += 1
        shifts, spreads = [], np.zeros((size, size))
        for rows, own in groups:
            gain = _gain(omega, covariance, rows, own)  # (m, k, w)
            shift = np.einsum("mkw,mw->mk", gain, value[np.ix_(rows, own)] - mean[own])
            shifts.append(shift)
            spreads += len(rows) * omega - np.einsum("mkw,wl->kl", gain, omega[own, :])
        away = np.concatenate(shifts)
        step = away.mean(axis=0)
        centred = away - step
        new = (spreads + centred.T @ centred) / number
        new = 0.5 * (new + new.T)
        change = max(
            float(np.max(np.abs(step) / scale)),
            float(np.max(np.abs(new - omega) / np.outer(scale, scale))),
        )
        mean, omega = mean + step, new
        converged = change < _TOLERANCE

    information = np.zeros((size, size))
    for rows, own in groups:
        weight = np.linalg.inv(omega[np.ix_(own, own)] + covariance[np.ix_(rows, own, own)])
        information[np.ix_(own, own)] += weight.sum(axis=0)
    return TwoStage(
        parameters=tuple(names[int(i)] for i in chosen),
        n=number,
        mean=tuple(mean.tolist()),
        mean_error=tuple(np.sqrt(np.diag(np.linalg.pinv(information))).tolist()),
        sd=tuple(np.sqrt(np.maximum(np.diag(omega), 0.0)).tolist()),
        correlation=_correlation(omega, covariance, counted),
        iterations=iterations,
        converged=converged,
    )


def _gain(omega: Array, covariance: Array, rows: NDArray[np.int64], own: NDArray[np.int64]) -> Array:
    """Omega A' (A Omega A' + C_j)^-1 for subjects that determine the parameters `own`, shape (m, k, w)."""
    total = omega[np.ix_(own, own)] + covariance[np.ix_(rows, own, own)]
    right = np.broadcast_to(omega[own, :], (len(rows), len(own), len(omega)))
    gain: Array = np.swapaxes(np.linalg.solve(total, right), 1, 2)
    return gain


def _correlation(
    omega: Array, covariance: Array, counted: NDArray[np.bool_]
) -> tuple[tuple[float, ...], ...]:
    """Correlations between subjects, nan where a parameter hardly differs between them."""
    errors = np.einsum("nii->ni", covariance)
    typical = np.array([float(np.mean(errors[counted[:, i], i])) for i in range(len(omega))])
    variance = np.diag(omega)
    sd = np.where(variance > _NO_SPREAD * typical, np.sqrt(np.maximum(variance, 0.0)), np.nan)
    rows = (omega / np.outer(sd, sd)).tolist()
    return tuple(tuple(v if math.isfinite(v) else math.nan for v in row) for row in rows)
