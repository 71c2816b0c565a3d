"""A form of an unknown term fitted to data: where its search begins, and what is told of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from pbpkc.compiler.missing import Coefficient, Form, Learned
from pbpkc.compiler.missing.contradiction import contradiction
from pbpkc.compiler.missing.written import pasted
from pbpkc.infer.result import EstimateRow, FitResult
from pbpkc.jobs.discover_prepare import Candidate
from pbpkc.jobs.fit import FitJob, Fitted, fit
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.model import Unknown

Array = NDArray[np.float64]

#: Searches of a form's coefficients on the learned curve, fewer where two end at the same smallest sum.
_SEARCHES = 6

#: Points of the curve that a form is fitted to first.
_POINTS = 200


@dataclass(frozen=True)
class Tried:
    """A form that was fitted.

    Parameters
    ----------
    title, text : str
    coefficients : tuple of str
    k, n : int
        Estimated parameters and scored observations, over all subjects.
    objective, bic : float
        Minus twice the log likelihood, and the criterion; nan where a subject could not be fitted.
    estimates : tuple of EstimateRow
        Of all estimated parameters.
    lines : str
        What can stand in the spec in place of the declaration of the term.
    at, value, spread : ndarray, shape (m,)
        The curve along the first argument, the others at the middle of what was visited, and its standard
        error (delta method); canonical. With several subjects the curve of their geometric mean.
    reason : str
        Why it does not count: it contradicts the declaration at its estimate, or was not fitted.
    note : str
        Coefficients that end at a bound, where the form is a simpler one.
    """

    title: str
    text: str
    coefficients: tuple[str, ...]
    k: int
    n: int
    objective: float
    bic: float
    estimates: tuple[EstimateRow, ...]
    lines: str
    at: Array
    value: Array
    spread: Array
    reason: str = ""
    note: str = ""


@dataclass(frozen=True)
class Sample:
    """The learned curves at visited points: arguments (m, a), values (m,), and a grid along the first one."""

    arguments: Array
    values: Array
    grid: Array


def sample_of(fitted: Fitted, learned: Learned, seen: dict[str, Array]) -> Sample:
    """The learned curves of all subjects where their data looked."""
    names = [str(p["name"]) for p in fitted.result.parameters]
    arguments, values = [], []
    for one in fitted.result.fits:
        if one.id not in seen:
            continue
        theta = np.array([one.theta[names.index(c)] for c in learned.coefficients])
        points = np.unique(seen[one.id], axis=0)
        points = points[:: max(1, len(points) // _POINTS)]
        arguments.append(points)
        values.append(learned.form.values(learned.unknown, list(points.T), theta))
    whole = np.concatenate(arguments)
    middle = np.median(whole, axis=0)
    line = np.linspace(whole[:, 0].min(), whole[:, 0].max(), 81)
    grid = np.tile(middle, (len(line), 1))
    grid[:, 0] = line
    return Sample(whole, np.concatenate(values), grid)


def _regressed(form: Form, unknown: Unknown, sample: Sample, others: Mapping[str, float]) -> Array:
    """Coefficients that bring a form nearest to the learned curve: where its fit begins."""
    low = np.log([max(c.mask.low, 1e-300) for c in form.coefficients])
    high = np.log([c.mask.high for c in form.coefficients])
    size = float(np.sqrt(np.mean(sample.values**2))) or 1.0
    columns = list(sample.arguments.T)

    def off(point: Array) -> Array:
        found = form.values(unknown, columns, np.exp(point), others)
        return np.nan_to_num((found - sample.values) / size, nan=1e6, posinf=1e6, neginf=-1e6)

    rng = np.random.default_rng(0)
    best, least = np.log(form.start), math.inf
    for k in range(_SEARCHES):
        start = np.log(form.start) + (rng.normal(0.0, 1.5, len(low)) if k else 0.0)
        found = least_squares(off, np.clip(start, low + 1e-9, high - 1e-9), bounds=(low, high))
        cost = float(found.cost)
        if k and abs(cost - least) <= 1e-4 * least + 1e-12:
            break
        if cost < least:
            best, least = found.x, cost
    return np.asarray(np.clip(np.exp(best), np.exp(low), np.exp(high)))


def _start(coefficient: Coefficient, value: float) -> str:
    """A starting value as `--start` would have it."""
    unit = coefficient.unit
    shown = "" if unit.text == "1" else f" {unit}"
    return f"{coefficient.name} = {value / float(unit.factor)!r}{shown}"


def try_form(job: FitJob, unknown: Unknown, candidate: Candidate, sample: Sample) -> Tried:
    """Fit a form to the data of a job, from where it is nearest to the learned curve."""
    one, others, form = candidate.written, dict(candidate.others), candidate.written.form
    names = tuple(c.name for c in form.coefficients)
    if names:
        begin = _regressed(form, unknown, sample, others)
        starts = [_start(c, float(x)) for c, x in zip(form.coefficients, begin, strict=True)]
        job = replace(job, start=(*job.start, *starts))
    nothing = np.zeros(0)
    blank = Tried(
        one.title, one.text, names, 0, 0, math.nan, math.nan, (), "", sample.grid[:, 0], nothing, nothing
    )
    try:
        result = fit(candidate.spec, job).result
    except SpecError as error:
        return replace(blank, reason=error.diagnostics[0].message)
    failed = [f for f in result.fits if not f.theta]
    if failed:
        return replace(blank, reason=f"subject {failed[0].id} could not be fitted: {failed[0].reason}")
    estimated = [str(p["name"]) for p in result.parameters]
    theta = np.array([[f.theta[estimated.index(n)] for n in names] for f in result.fits])
    middle = np.exp(np.mean(np.log(theta), axis=0)) if names else np.zeros(0)
    n = sum(f.subject.n for f in result.fits)
    k = len(estimated) * len(result.fits)
    objective = sum(f.subject.objective for f in result.fits)
    bic = objective + sum(len(estimated) * math.log(f.subject.n) for f in result.fits)
    alone = len(result.fits) == 1
    rows = {r.parameter: r for r in result.fits[0].estimates} if alone else {}
    intervals = [
        (rows[c.name].ci_low * float(c.unit.factor), rows[c.name].ci_high * float(c.unit.factor))
        if c.name in rows
        else (math.nan, math.nan)
        for c in form.coefficients
    ]
    ends = [r.parameter for r in result.estimates if r.at_bound != "no" and r.parameter in names]
    reasons = [contradiction(form, unknown, np.array(row), others) for row in theta]
    return Tried(
        title=one.title,
        text=one.text,
        coefficients=names,
        k=k,
        n=n,
        objective=objective,
        bic=bic,
        estimates=result.estimates,
        lines=pasted(one, unknown, middle.tolist(), intervals),
        at=sample.grid[:, 0],
        value=form.values(unknown, list(sample.grid.T), middle, others),
        spread=_spread(form, unknown, sample, middle, others, _covariance(result, names)),
        reason=next((f"at its estimate {r}" for r in reasons if r is not None), ""),
        note=f"{', '.join(dict.fromkeys(ends))} at a bound: a simpler form" if ends else "",
    )


def _covariance(result: FitResult, names: tuple[str, ...]) -> Array:
    """Of the logarithms of a form's coefficients, or of their means over the subjects; nan where unknown."""
    estimated = [str(p["name"]) for p in result.parameters]
    places = [estimated.index(n) for n in names]
    blocks = [np.array(f.covariance)[np.ix_(places, places)] for f in result.fits]
    return np.asarray(np.sum(blocks, axis=0) / len(blocks) ** 2)


def _spread(
    form: Form,
    unknown: Unknown,
    sample: Sample,
    theta: Array,
    others: Mapping[str, float],
    covariance: Array,
) -> Array:
    """The standard error of a form along the grid; what the data do not determine stands still."""
    if not len(theta):
        return np.zeros(len(sample.grid))
    slopes = form.slopes(unknown, list(sample.grid.T), theta, others) * theta
    known = np.nan_to_num(covariance, nan=0.0)
    found: Array = np.sqrt(np.maximum(np.einsum("mi,ij,mj->m", slopes, known, slopes), 0.0))
    return found
