"""What is true of a problem: curves and sensitivities by tight tolerances, confirmed by another method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.solve.options import SolverOptions
from pbpkc.solve.reference import simulate
from pbpkc.solve.sensitivity import simulate_with_sensitivities
from pbpkc.studies.solvers.problem_folder import Case

Array = NDArray[np.float64]

#: Below this share of its peak a curve is not compared.
FLOOR = 1e-6

#: LSODA finds the truth of all, and a Radau method that of the first ones: a hundred times slower, and
#: of another family, so that the two do not err together.
_TIGHT, _CONFIRMING = 1e-12, 1e-11


@dataclass(frozen=True)
class Truth:
    """Curves of the first subjects.

    Parameters
    ----------
    curves : ndarray, shape (E, T, W)
        The watched observables.
    sensitivities : ndarray, shape (T, k)
        Of the first watched observable and the first subject.
    confirmed : float
        Largest relative difference from the Radau method, where both were run; nan where it was not.
    """

    curves: Array
    sensitivities: Array
    confirmed: float


def truth_of(
    case: Case, subjects: int, confirm: int, tell: Callable[[float], None] = lambda done: None
) -> Truth:
    """The truth of the first subjects.

    Parameters
    ----------
    case : Case
    subjects, confirm : int
        How many, and for how many of them another method is asked too.
    tell : callable
        Told which part is done.

    Raises
    ------
    SolveError
        If a subject cannot be solved.
    """
    scale = case.system.atol
    tight = SolverOptions(rtol=_TIGHT, atol=1e-6 * scale, max_steps=200_000)
    confirming = SolverOptions("radau", _CONFIRMING, 1e-5 * scale, 200_000)
    work = [(k, tight) for k in range(subjects)] + [(k, confirming) for k in range(min(confirm, subjects))]
    found = []
    for done, (k, options) in enumerate(work):
        run = simulate(case.compiled, case.p[k], case.regimen, case.times, options).throw()
        found.append(run.observables[:, list(case.watched)])
        tell((done + 1) / (len(work) + 1))
    curves = np.array(found[:subjects])
    others = np.array(found[subjects:])
    confirmed = float("nan") if not len(others) else worst(others, curves[: len(others)])[0]
    slopes = simulate_with_sensitivities(
        case.compiled, case.p[0], case.regimen, case.times, case.sensitive,
        SolverOptions(rtol=1e-11, atol=1e-5 * scale, max_steps=200_000),
    ).throw()  # fmt: skip
    assert slopes.d_observables_dp is not None
    return Truth(curves, slopes.d_observables_dp[:, case.watched[0]], confirmed)


def worst(curves: Array, truth: Array) -> tuple[float, float, int]:
    """The largest and the median relative error, and how many subjects have no curve.

    Values below a millionth of their curve's peak do not count.

    Parameters
    ----------
    curves, truth : ndarray, shape (E, T, W)
    """
    there = np.all(np.isfinite(curves), axis=(1, 2))
    if not there.any():
        return float("nan"), float("nan"), len(curves)
    given, right = curves[there], truth[there]
    counted = np.abs(right) > FLOOR * np.abs(right).max(axis=1, keepdims=True)
    error = np.abs(given[counted] / right[counted] - 1.0)
    return float(error.max()), float(np.median(error)), int((~there).sum())


def worst_sensitivity(found: Array, truth: Array) -> float:
    """The largest error of a sensitivity over the largest value of it, shapes (T, k)."""
    if not np.all(np.isfinite(found)):
        return float("nan")
    return float((np.abs(found - truth).max(axis=0) / np.abs(truth).max(axis=0)).max())
