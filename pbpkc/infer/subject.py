"""The fit of one subject, from data to verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.covariance import spread
from pbpkc.infer.decide import After, Decided, at_rest, decide
from pbpkc.infer.identifiability import Identifiability, judge, scarcity, sizes
from pbpkc.infer.likelihood import information_root
from pbpkc.infer.objective import Objective, scaled, scaled_noise
from pbpkc.infer.observations import Scoring, obstacle, plan
from pbpkc.infer.optimise import Evaluation, minimise
from pbpkc.infer.options import FitOptions
from pbpkc.infer.predictor import Failure, Noise
from pbpkc.infer.problem import FitProblem, FitSubject
from pbpkc.infer.profile_combinations import with_profiles
from pbpkc.infer.profile_result import Profile
from pbpkc.infer.profile_subject import Profiled, profile_subject, threshold_of, wanted, with_intervals
from pbpkc.infer.result import StartRecord, SubjectFit, SubjectRow
from pbpkc.infer.rows import estimate_rows, prediction_rows, start_record
from pbpkc.infer.search import Heard, Searched, best_of
from pbpkc.infer.starts import subject_seed
from pbpkc.infer.summary_result import Matrix
from pbpkc.infer.transform import ParameterSpace
from pbpkc.infer.verdict_words import verdict_words
from pbpkc.language.units import measured

Array = NDArray[np.float64]

#: Difference of minus twice the log likelihood at which two optima can be told apart (95 % point of
#: chi-squared with one degree of freedom).
_TELL_APART = 3.841458820694124

#: 97.5 % point of the standard normal distribution.
_NORMAL = 1.959963984540054

#: The reference solver and the search may differ by this much in the objective before it is said.
_AGREEMENT = 1e-3

#: Better optima met by profiles that are followed up; the search was no good where there are more.
_MOST_BETTER = 3


def fit_subject(
    problem: FitProblem,
    subject: FitSubject,
    options: FitOptions,
    heard: Heard | None = None,
    searched: Sequence[Searched] = (),
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
    searched : sequence of Searched
        Of all starts, where they were made before.

    Returns
    -------
    SubjectFit
        A subject that cannot be fitted is a result whose `outcome` is ``"failed"``.
    """
    space = ParameterSpace(problem.parameters, with_priors=options.estimator == "map")
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
    searches = list(searched or problem.search(objective, options, seed, heard))
    profiles: tuple[Profile, ...] = ()
    met: list[str] = []
    while True:
        starts = tuple(start_record(i + 1, one.start, one.found, space) for i, one in enumerate(searches))
        best = best_of([one.found for one in searches])
        if best is None:
            first = searches[0].found
            failure = Failure(first.reason, first.suggestion)
            return _failed(subject, key, seed, scoring.count, starts, failure)
        decided = decide(space, subject, scoring, searches[best].found)
        if isinstance(decided, Failure):
            return _failed(subject, key, seed, scoring.count, starts, decided)
        found, after, told = decided.found, decided.after, [*searches[best].notes, *decided.notes, *met]
        end = found.end
        assert end is not None
        point = at_rest(end, space)
        theta = space.to_natural(point)

        plain = _plain_least_squares(options, subject, scoring, theta, after.noise)
        structural = int(np.count_nonzero(subject.predictor.shapes_prediction))
        freedom = max(scoring.count - structural, 0) if plain else 0
        inflation = (scoring.count / freedom if freedom else math.nan) if plain else 1.0
        quantile = _student(freedom) if plain else _NORMAL
        if options.profile is None:
            break
        profiled = _profiles(space, subject, scoring, decided, options, freedom, quantile, heard)
        profiles = profiled.profiles
        if profiled.better is None:
            break
        if len(met) == _MOST_BETTER:
            told.append(
                f"the profile of {profiled.parameter} met a still lower objective; more starts may help"
            )
            break
        lower = end.value - profiled.better.value
        met.append(
            f"the profile of {profiled.parameter} met an objective {lower:.3g} below that of every search; "
            "the estimate is from there"
        )
        again = profiled.better.point
        onwards = minimise(objective, again, space.lower, space.upper, space.reach, options.search)
        searches.append(Searched(again, onwards))

    root = information_root(
        scoring, scaled(after.search, after.chain), scaled_noise(after.noise, after.chain)
    )
    scarce = scarcity(space, root, after.noise, scoring.count)
    if plain and not freedom:
        scarce = (
            scarce or f"{scoring.count} observations for {structural} parameters leave no standard errors"
        )
    elif scarce and not plain and options.estimator == "ml":
        # Student's t is honest about one degree of freedom; the normal distribution knows nothing of it.
        inflation = math.nan
    verdict = judge(space, theta, root, quantile, inflation, scarce)
    covariance = _covariance(space, theta, point, root) * inflation
    errors = np.sqrt(np.diag(covariance))
    rss = _rss(scoring, after.reference)
    rows = estimate_rows(subject.id, space, point, searches[best].start, errors, quantile, verdict)
    verdict = with_profiles(verdict, profiles, quantile)
    verdict = replace(verdict, summary=verdict_words(verdict, profiles))
    notes = [
        *told,
        *(subject.remarks(theta) if subject.remarks is not None else ()),
        *_notes(space, searches, end, after, verdict, subject.exact is None),
    ]
    if not scoring.quantified.any():
        notes.insert(0, f"all {scoring.count} values are below quantification: they only say how small the "
                        "curve is, and estimates end where nothing larger is needed")  # fmt: skip
    converged = found.converged
    return SubjectFit(
        id=subject.id,
        key=key,
        seed=seed,
        outcome="converged" if converged else "not converged",
        reason="" if converged else found.reason,
        suggestion="" if converged else found.suggestion,
        notes=tuple(notes),
        estimates=with_intervals(rows, profiles),
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
        search_objective=decided.search_objective,
        identifiability=verdict,
        bias=decided.bias,
        polished=decided.polished,
        profiles=profiles,
        members=len(set(subject.owners)),
    )


def _profiles(
    space: ParameterSpace,
    subject: FitSubject,
    scoring: Scoring,
    decided: Decided,
    options: FitOptions,
    freedom: int,
    quantile: float,
    heard: Heard | None,
) -> Profiled:
    """Profiles on the model that had the last word: the exact one where that had to finish the fit."""
    assert decided.found.end is not None
    exactly = subject.exact is not None and decided.polished > 0
    predictor = subject.exact if exactly and subject.exact is not None else subject.predictor
    shapes = np.asarray(subject.predictor.shapes_prediction, dtype=bool)
    indices = wanted(options.profile or (), space, subject.predictor)
    sides = 0

    def side() -> None:
        nonlocal sides
        sides += 1
        if heard is not None:
            heard(options.starts + sides)

    return profile_subject(
        Objective(space, predictor, scoring),
        None if exactly else subject.exact,
        decided.found.end,
        indices,
        [threshold_of(bool(shapes[i]), scoring.count, freedom, quantile) for i in indices],
        side,
    )


def _plain_least_squares(
    options: FitOptions, subject: FitSubject, scoring: Scoring, theta: Array, noise: Noise
) -> bool:
    """Whether the error model is one masked sigma, added to every observation, and nothing else.

    Then the estimate is that of least squares, and standard errors are taken with n - p in place of n, as
    every least-squares program does.
    """
    only_noise = np.flatnonzero(~np.asarray(subject.predictor.shapes_prediction, dtype=bool))
    if options.estimator != "ml" or len(only_noise) != 1 or scoring.censored.any():
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
    searches: Sequence[Searched],
    end: Evaluation,
    after: After,
    verdict: Identifiability,
    compare: bool,
) -> list[str]:
    lowest = min(one.found.end.value for one in searches if one.found.end is not None)
    notes = [
        f"{name} ends at its {side} bound"
        for name, side in zip(space.names, space.at_bound(end.point), strict=True)
        if side != "no"
    ]
    if compare and abs(after.objective - end.value) > _AGREEMENT:
        notes.append(
            f"the reference solver gives an objective of {after.objective:.6g}, the search {end.value:.6g}: "
            "tighten the solver's rtol"
        )
    # What the data leave free differs between searches anyway, and the verdict says so.
    firm = np.array([v.identifiable for v in verdict.parameters])
    told: list[Array] = [end.point]
    for number, one in enumerate(searches, start=1):
        other = one.found.end
        if other is None or not one.found.converged or other.value - lowest > _TELL_APART:
            continue
        # Ten per cent, on either scale, is more than two searches of one optimum ever differ by.
        size = np.where(space.log, 1.0, np.maximum(np.abs(end.point), 1e-300))
        if all((np.abs(other.point - seen) / size)[firm].max(initial=0.0) > 0.1 for seen in told):
            told.append(other.point)
            values = ", ".join(
                f"{p.name} = {measured(f'{p.in_unit(v):.4g}', p.unit.text)}"
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
        bias=0.0,
        polished=0,
        members=len(set(subject.owners)),
    )


def _matrix(values: Array) -> Matrix:
    return tuple(tuple(float(v) for v in row) for row in values)
