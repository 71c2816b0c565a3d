"""The fit of one subject, from data to verdict."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.covariance import spread
from pbpkc.infer.identifiability import Identifiability, judge, sizes
from pbpkc.infer.likelihood import evaluate, information_root, moments
from pbpkc.infer.objective import Objective, scaled, scaled_noise
from pbpkc.infer.observations import Scoring, obstacle, plan
from pbpkc.infer.optimise import Evaluation, Optimum, minimise
from pbpkc.infer.options import FitOptions
from pbpkc.infer.predictor import Failure, Noise, Prediction, Predictor
from pbpkc.infer.problem import FitProblem, FitSubject
from pbpkc.infer.result import Matrix, StartRecord, SubjectFit, SubjectRow
from pbpkc.infer.rows import estimate_rows, prediction_rows, start_record
from pbpkc.infer.starts import starting_points, subject_seed
from pbpkc.infer.transform import ParameterSpace

Array = NDArray[np.float64]

#: Two searches found the same optimum when objective and scaled parameters agree within these.
_SAME_OBJECTIVE = 1e-4
_SAME_POINT = 1e-2

#: Difference of minus twice the log likelihood at which two optima can be told apart (95 % point of
#: chi-squared with one degree of freedom).
_TELL_APART = 3.841458820694124

#: 97.5 % point of the standard normal distribution.
_NORMAL = 1.959963984540054

#: The reference solver and the search may differ by this much in the objective before it is said.
_AGREEMENT = 1e-3

Heard = Callable[[int], None]


def fit_subject(
    problem: FitProblem, subject: FitSubject, options: FitOptions, heard: Heard | None = None
) -> SubjectFit:
    """The estimates of one subject with everything that is said about them.

    Parameters
    ----------
    problem : FitProblem
        Gives parameters and units.
    subject : FitSubject
    options : FitOptions
    heard : callable, optional
        Called with the number of searches made, after each.

    Returns
    -------
    SubjectFit
        A subject that cannot be fitted is a result whose `outcome` is ``"failed"``.
    """
    space = ParameterSpace(problem.parameters, with_priors=options.method == "map")
    scoring = plan(subject.observations, options.blq)
    seed = subject_seed(options.seed, subject.id)
    key = problem.key(subject, options)
    hindrance = obstacle(subject.observations, scoring)
    if hindrance is not None:
        failure = Failure(
            hindrance, "leave the observation out, or change its error model or the rule for it"
        )
        return _failed(subject, key, seed, scoring.count, (), failure)

    objective = Objective(space, subject.predictor, scoring)
    searches = _search(space, objective, options, seed, heard)
    starts = tuple(start_record(i + 1, begin, found, space) for i, (begin, found) in enumerate(searches))
    best = _best([found for _, found in searches])
    if best is None:
        first = searches[0][1]
        return _failed(subject, key, seed, scoring.count, starts, Failure(first.reason, first.suggestion))
    found = searches[best][1]
    end = found.end
    assert end is not None
    point = _at_rest(end, space)
    theta = space.to_natural(point)
    after = _after(space, subject, scoring, point, theta)
    if isinstance(after, Failure):
        return _failed(subject, key, seed, scoring.count, starts, after)

    plain = _plain_least_squares(options, subject, scoring, theta, after.noise)
    structural = int(np.count_nonzero(subject.predictor.shapes_prediction))
    freedom = max(scoring.count - structural, 0) if plain else 0
    inflation = (scoring.count / freedom if freedom else math.nan) if plain else 1.0
    quantile = _student(freedom) if plain else _NORMAL

    root = information_root(
        scoring, scaled(after.search, after.chain), scaled_noise(after.noise, after.chain)
    )
    verdict = judge(space, theta, root, quantile, inflation)
    covariance = _covariance(space, theta, point, root) * inflation
    errors = np.sqrt(np.diag(covariance))
    rss = _rss(scoring, after.reference)
    notes = _notes(space, searches, best, end.value, after, verdict)
    if plain and not freedom:
        notes.append(f"{scoring.count} observations for {structural} parameters leave no standard errors")
    converged = found.converged
    return SubjectFit(
        id=subject.id,
        key=key,
        seed=seed,
        outcome="converged" if converged else "not converged",
        reason="" if converged else found.reason,
        suggestion="" if converged else found.suggestion,
        notes=tuple(notes),
        estimates=estimate_rows(subject.id, space, point, searches[best][0], errors, quantile, verdict),
        subject=SubjectRow(
            id=subject.id,
            n=scoring.count,
            objective=after.objective,
            rss=rss,
            starts=len(starts),
            converged="yes" if converged else "no",
            reason="" if converged else str(Failure(found.reason, found.suggestion)),
        ),
        predictions=prediction_rows(problem, subject, scoring, after.reference, after.mean, after.sd),
        best=best + 1,
        starts=starts,
        theta=tuple(theta.tolist()),
        covariance=_matrix(covariance),
        correlation=_matrix(covariance / np.outer(errors, errors)),
        quantile=quantile,
        degrees_of_freedom=freedom,
        residual_sd=math.sqrt(rss / freedom) if freedom else math.nan,
        search_objective=end.value,
        identifiability=verdict,
    )


def _search(
    space: ParameterSpace, objective: Objective, options: FitOptions, seed: int, heard: Heard | None
) -> list[tuple[Array, Optimum]]:
    """Searches from every start, fewer where enough of them agree."""
    searches: list[tuple[Array, Optimum]] = []
    for point in starting_points(space, options.starts, seed):
        found = minimise(objective, point, space.lower, space.upper, space.reach, options.search)
        searches.append((point, found))
        if heard is not None:
            heard(len(searches))
        if options.agree and _agreeing([found for _, found in searches]) >= options.agree:
            break
    return searches


def _agreeing(found: list[Optimum]) -> int:
    """How many searches converged to the best optimum found so far."""
    best = _best(found)
    if best is None or not found[best].converged:
        return 0
    top = found[best].end
    assert top is not None
    return sum(
        one.converged
        and one.end is not None
        and one.end.value - top.value <= _SAME_OBJECTIVE
        and bool(
            np.all(np.abs(one.end.point - top.point) <= _SAME_POINT * np.maximum(1.0, np.abs(top.point)))
        )
        for one in found
    )


def _best(found: list[Optimum]) -> int | None:
    """The search with the smallest objective; one that converged where several reach it."""
    values = [math.inf if one.end is None else one.end.value for one in found]
    lowest = min(values)
    if math.isinf(lowest):
        return None
    # Rounding must not decide between equals: the first of those that converged is taken.
    near = [i for i, value in enumerate(values) if value <= lowest + 1e-7 * max(1.0, abs(lowest))]
    return next((i for i in near if found[i].converged), values.index(lowest))


def _at_rest(end: Evaluation, space: ParameterSpace) -> Array:
    """The optimum, with parameters that nothing depends on back at the start of the spec.

    A search from elsewhere leaves them where it began, which would look like an estimate.
    """
    idle = (np.diag(end.curvature) == 0.0) & (end.gradient == 0.0)
    return np.where(idle, space.start, end.point)


@dataclass(frozen=True)
class _After:
    """The optimum seen again: by the sensitivities (`search`) and by the reference solver."""

    search: Prediction
    reference: Array
    noise: Noise
    chain: Array
    objective: float
    sd: Array
    mean: Array


def _after(
    space: ParameterSpace, subject: FitSubject, scoring: Scoring, point: Array, theta: Array
) -> _After | Failure:
    predictor: Predictor = subject.predictor
    search = predictor.predict(theta)
    if isinstance(search, Failure):
        return search
    reference = predictor.reference(theta)
    if isinstance(reference, Failure):
        return Failure(
            f"the reference solver failed at the estimate: {reference.reason}", reference.suggestion
        )
    noise = predictor.noise(theta)
    seen = Prediction(reference, search.derivative)
    value = evaluate(scoring, seen, noise)
    if isinstance(value, Failure):
        return value
    m = moments(scoring, reference, search.derivative, noise)
    return _After(
        search=search,
        reference=reference,
        noise=noise,
        chain=space.chain(theta),
        objective=value.value + space.penalty(point)[0],
        sd=m.sd,
        mean=m.mean,
    )


def _plain_least_squares(
    options: FitOptions, subject: FitSubject, scoring: Scoring, theta: Array, noise: Noise
) -> bool:
    """Whether the error model is one masked sigma, added to every observation, and nothing else.

    Then the estimate is that of least squares, and standard errors are taken with n - p in place of n, as
    every least-squares program does.
    """
    only_noise = np.flatnonzero(~np.asarray(subject.predictor.shapes_prediction, dtype=bool))
    if options.method != "ml" or len(only_noise) != 1 or scoring.censored.any():
        return False
    if any(kind != "add" for kind in subject.observations.error):
        return False
    slope = noise.d_additive[:, only_noise[0]]
    others = np.delete(noise.d_additive, only_noise[0], axis=1)
    proportional_to_sigma = np.allclose(slope * theta[only_noise[0]], noise.additive, rtol=1e-12, atol=0.0)
    return bool(proportional_to_sigma and np.ptp(noise.additive) == 0.0 and not others.any())


def _covariance(space: ParameterSpace, theta: Array, point: Array, root: Array) -> Array:
    """Inverse of the information of data and, where they count, priors, on the scaled parameters."""
    _, _, bend = space.penalty(point)
    prior = np.diag(np.sqrt(np.maximum(0.5 * bend, 0.0)))
    return spread(np.vstack([root, prior]), sizes(space, theta)).covariance()


def _student(freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.975)) if freedom else math.nan


def _rss(scoring: Scoring, prediction: Array) -> float:
    q = scoring.quantified
    return float(np.sum((scoring.dv[q] - prediction[q]) ** 2))


def _notes(
    space: ParameterSpace,
    searches: list[tuple[Array, Optimum]],
    best: int,
    lowest: float,
    after: _After,
    verdict: Identifiability,
) -> list[str]:
    end = searches[best][1].end
    assert end is not None
    notes = [
        f"{name} ends at its {side} bound"
        for name, side in zip(space.names, space.at_bound(end.point), strict=True)
        if side != "no"
    ]
    if abs(after.objective - lowest) > _AGREEMENT:
        notes.append(
            f"the reference solver gives an objective of {after.objective:.6g}, the search {lowest:.6g}: "
            "tighten the solver's rtol"
        )
    # What the data leave free differs between searches anyway, and the verdict says so.
    firm = np.array([v.identifiable for v in verdict.parameters])
    told: list[Array] = [end.point]
    for number, (_, found) in enumerate(searches, start=1):
        other = found.end
        if other is None or not found.converged or other.value - lowest > _TELL_APART:
            continue
        # Ten per cent, on either scale, is more than two searches of one optimum ever differ by.
        size = np.where(space.log, 1.0, np.maximum(np.abs(end.point), 1e-300))
        if all((np.abs(other.point - seen) / size)[firm].max(initial=0.0) > 0.1 for seen in told):
            told.append(other.point)
            values = ", ".join(
                f"{p.name} = {p.in_unit(v):.4g} {p.unit.text}"
                for p, v in zip(space.parameters, space.to_natural(other.point).tolist(), strict=True)
            )
            notes.append(
                f"search {number} ends at another point whose objective is only "
                f"{max(other.value - lowest, 0.0):.2g} larger, too little to tell the two apart: {values}"
            )
    return notes


def _failed(
    subject: FitSubject, key: str, seed: int, n: int, starts: tuple[StartRecord, ...], failure: Failure
) -> SubjectFit:
    return SubjectFit(
        id=subject.id,
        key=key,
        seed=seed,
        outcome="failed",
        reason=failure.reason,
        suggestion=failure.suggestion,
        notes=(),
        estimates=(),
        subject=SubjectRow(subject.id, n, math.nan, math.nan, len(starts), "no", str(failure)),
        predictions=(),
        best=0,
        starts=starts,
        theta=(),
        covariance=(),
        correlation=(),
        quantile=math.nan,
        degrees_of_freedom=0,
        residual_sd=math.nan,
        search_objective=math.nan,
        identifiability=None,
    )


def _matrix(values: Array) -> Matrix:
    return tuple(tuple(float(v) for v in row) for row in values)
