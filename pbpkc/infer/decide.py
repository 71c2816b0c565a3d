"""The reference solver's word on an optimum: whether it stands, and what is predicted there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.likelihood import evaluate, moments
from pbpkc.infer.observations import Scoring
from pbpkc.infer.optimise import Evaluation, Optimum
from pbpkc.infer.polish import bias, polish
from pbpkc.infer.predictor import Failure, Noise, Prediction, Predictor
from pbpkc.infer.problem import FitSubject
from pbpkc.infer.transform import ParameterSpace

Array = NDArray[np.float64]


def at_rest(end: Evaluation, space: ParameterSpace) -> Array:
    """The optimum, with parameters that nothing depends on back at the start of the spec.

    A search from elsewhere leaves them where it began, which would look like an estimate.
    """
    idle = (np.diag(end.curvature) == 0.0) & (end.gradient == 0.0)
    return np.where(idle, space.start, end.point)


@dataclass(frozen=True)
class Decided:
    """The optimum after the reference solver's word.

    `bias` (against the noise) and `polished` are 0 where the search was on the exact model already;
    `search_objective` is the search's own.
    """

    found: Optimum
    after: After
    search_objective: float
    bias: float
    polished: int
    notes: tuple[str, ...]


def decide(space: ParameterSpace, subject: FitSubject, scoring: Scoring, found: Optimum) -> Decided | Failure:
    """Look at the optimum with the reference solver; go on with the exact model where the bias matters."""
    assert found.end is not None
    value = found.end.value
    after = _look(space, subject, scoring, found)
    if isinstance(after, Failure):
        return after
    if subject.exact is None:
        return Decided(found, after, value, 0.0, 0, ())
    off = bias(scoring, after.search.value, after.reference, after.noise)
    if not off.matters:
        return Decided(found, after, value, off.worst, 0, ())
    better = polish(space, subject.exact, scoring, found.end.point)
    if isinstance(better, Failure):
        return Failure(f"the exact model failed at the estimate: {better.reason}", better.suggestion)
    exactly = _look(space, replace(subject, predictor=subject.exact), scoring, better)
    if isinstance(exactly, Failure):
        return exactly
    note = (
        f"the fast model lies up to {off.worst:.2g} standard deviations of the noise from the reference "
        f"solver at its optimum; {better.evaluations} exact evaluations finished the fit"
    )
    return Decided(better, exactly, value, off.worst, better.evaluations, (note,))


def _look(space: ParameterSpace, subject: FitSubject, scoring: Scoring, found: Optimum) -> After | Failure:
    assert found.end is not None
    point = at_rest(found.end, space)
    return _after(space, subject, scoring, point, space.to_natural(point))


@dataclass(frozen=True)
class After:
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
) -> After | Failure:
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
    return After(
        search=search,
        reference=reference,
        noise=noise,
        chain=space.chain(theta),
        objective=value.value + space.penalty(point)[0],
        sd=m.sd,
        mean=m.mean,
    )
