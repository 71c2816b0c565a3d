"""One fit for all subjects together: their predictors stacked into one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.observations import Observations
from pbpkc.infer.predictor import Failure, Noise, Prediction, Predictor
from pbpkc.infer.problem import CurveGrid, FitProblem, FitSubject

Array = NDArray[np.float64]

By = Literal["subject", "pooled", "both"]

#: The pooled fit's id.
POOLED_ID = "ALL"


@dataclass(frozen=True)
class PooledPredictor:
    """The predictions of several subjects one after the other, each with its own doses and covariates.

    Parameters
    ----------
    ids : tuple of str
    predictors : tuple of Predictor
        One for each, all of the same parameters.
    """

    ids: tuple[str, ...]
    predictors: tuple[Predictor, ...]

    @property
    def shapes_prediction(self) -> NDArray[np.bool_]:
        """Which parameters enter the prediction of any subject, shape (k,)."""
        every = np.array([np.asarray(p.shapes_prediction, dtype=bool) for p in self.predictors])
        return np.asarray(every.any(axis=0))

    def predict(self, theta: Array) -> Prediction | Failure:
        """Predictions of all, in the order of the subjects; a failure of one is a failure."""
        made = []
        for id, predictor in zip(self.ids, self.predictors, strict=True):
            found = predictor.predict(theta)
            if isinstance(found, Failure):
                return _of(id, found)
            made.append(found)
        return Prediction(
            np.concatenate([one.value for one in made]), np.concatenate([one.derivative for one in made])
        )

    def noise(self, theta: Array) -> Noise:
        """Arguments of the error model of all."""
        made = [predictor.noise(theta) for predictor in self.predictors]
        return Noise(
            np.concatenate([one.proportional for one in made]),
            np.concatenate([one.additive for one in made]),
            np.concatenate([one.d_proportional for one in made]),
            np.concatenate([one.d_additive for one in made]),
        )

    def reference(self, theta: Array) -> Array | Failure:
        """Predictions of all from the reference solver."""
        made = []
        for id, predictor in zip(self.ids, self.predictors, strict=True):
            found = predictor.reference(theta)
            if isinstance(found, Failure):
                return _of(id, found)
            made.append(found)
        return np.concatenate(made)


@dataclass(frozen=True)
class PooledRemarks:
    """What there is to say of a shared estimate for single subjects, each sentence once."""

    subjects: tuple[FitSubject, ...]

    def __call__(self, theta: Array) -> tuple[str, ...]:
        """Sentences with the subjects that they are about, unless these are all."""
        whose: dict[str, list[str]] = {}
        for subject in self.subjects:
            for sentence in subject.remarks(theta) if subject.remarks is not None else ():
                whose.setdefault(sentence, []).append(subject.id)
        return tuple(
            sentence if len(ids) == len(self.subjects) else f"subject {', '.join(ids)}: {sentence}"
            for sentence, ids in whose.items()
        )


def _of(id: str, failure: Failure) -> Failure:
    return Failure(f"subject {id}: {failure.reason}", failure.suggestion)


def pool(problem: FitProblem, by: By) -> FitProblem:
    """The problem with the subjects fitted each by itself, all together, or both.

    Parameters
    ----------
    problem : FitProblem
        Of single subjects.
    by : {"subject", "pooled", "both"}
        The pooled fit comes last; its id is ``ALL``.

    Raises
    ------
    ValueError
        If `by` is not one of these, or a subject of the data has the pooled fit's id beside it.
    """
    if by not in get_args(By):
        raise ValueError(f"by is {by!r}; accepted are {', '.join(map(repr, get_args(By)))}")
    if by == "subject":
        return problem
    if by == "both" and any(subject.id == POOLED_ID for subject in problem.subjects):
        raise ValueError(
            f"by is 'both', and a subject of the data is called {POOLED_ID}, as the pooled fit is; "
            "rename it, or run 'subject' and 'pooled' one after the other"
        )
    together = pooled_subject(problem.subjects)
    return replace(problem, subjects=(*(problem.subjects if by == "both" else ()), together), by=by)


def pooled_subject(subjects: tuple[FitSubject, ...]) -> FitSubject:
    """All subjects as one, whose predictor asks each of theirs."""
    ids = tuple(subject.id for subject in subjects)
    seen = [subject.observations for subject in subjects]
    exact = None
    if any(subject.exact is not None for subject in subjects):
        exact = PooledPredictor(ids, tuple(subject.exact or subject.predictor for subject in subjects))
    material = json.dumps([[subject.id, len(subject.observations), subject.identity] for subject in subjects])
    return FitSubject(
        id=POOLED_ID,
        observations=Observations(
            time=np.concatenate([one.time for one in seen]),
            observable=np.concatenate([one.observable for one in seen]),
            dv=np.concatenate([one.dv for one in seen]),
            censored=np.concatenate([one.censored for one in seen]),
            lloq=np.concatenate([one.lloq for one in seen]),
            sd=np.concatenate([one.sd for one in seen]),
            error=tuple(kind for one in seen for kind in one.error),
        ),
        predictor=PooledPredictor(ids, tuple(subject.predictor for subject in subjects)),
        identity=hashlib.sha256(material.encode()).hexdigest(),
        exact=exact,
        remarks=PooledRemarks(subjects) if any(s.remarks is not None for s in subjects) else None,
        owners=tuple(subject.id for subject in subjects for _ in range(len(subject.observations))),
        curve=_curves(subjects),
    )


def _curves(subjects: tuple[FitSubject, ...]) -> CurveGrid | None:
    """The curves of all, one after the other; None where one has none."""
    there = [(subject.id, subject.curve) for subject in subjects if subject.curve is not None]
    if len(there) < len(subjects):
        return None
    return CurveGrid(
        time=np.concatenate([curve.time for _, curve in there]),
        observable=np.concatenate([curve.observable for _, curve in there]),
        error=tuple(kind for _, curve in there for kind in curve.error),
        predictor=PooledPredictor(tuple(id for id, _ in there), tuple(curve.predictor for _, curve in there)),
        owners=tuple(id for id, curve in there for _ in range(len(curve.time))),
    )
