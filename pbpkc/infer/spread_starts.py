"""Starts of few subjects on many workers: their searches are made first, in parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from pbpkc.infer.objective import Objective
from pbpkc.infer.observations import obstacle, plan
from pbpkc.infer.options import FitOptions
from pbpkc.infer.problem import FitProblem, FitSubject
from pbpkc.infer.search import MultiStart, Searched
from pbpkc.infer.starts import subject_seed
from pbpkc.infer.transform import ParameterSpace

#: A part of fewer starts costs more to send than it saves: kernels follow 4 or 8 side by side.
_LEAST = 8


@dataclass(frozen=True)
class Part:
    """Some of the starts of one subject.

    Parameters
    ----------
    problem : FitProblem
        Of that subject alone.
    first, last : int
        The starts from `first` to before `last`.
    """

    problem: FitProblem
    first: int
    last: int


def alone(problem: FitProblem, subject: FitSubject) -> FitProblem:
    """The problem of one subject, so that no process is sent the data of all."""
    return replace(problem, subjects=(subject,), provenance={})


def parts_of(
    problem: FitProblem, subjects: Sequence[FitSubject], options: FitOptions, workers: int
) -> tuple[Part, ...]:
    """The starts of all subjects, in parts for so many workers.

    None where there are subjects enough for the workers, too few starts, or where a search depends on those
    before it.
    """
    if not subjects or options.agree or not isinstance(problem.search, MultiStart):
        return ()
    count = min(-(-workers // len(subjects)), options.starts // _LEAST)
    if count < 2:
        return ()
    edges = np.linspace(0, options.starts, count + 1).astype(int).tolist()
    return tuple(
        Part(alone(problem, subject), first, last) for subject in subjects for first, last in pairwise(edges)
    )


def search_part(options: FitOptions, part: Part) -> tuple[Searched, ...]:
    """What the searches of a part find: the same as among all starts.

    Empty where the observations cannot be scored; the fit says why.
    """
    problem, subject = part.problem, part.problem.subjects[0]
    scoring = plan(subject.observations, options.blq)
    if obstacle(subject.observations, scoring) is not None:
        return ()
    assert isinstance(problem.search, MultiStart)
    space = ParameterSpace(problem.parameters, with_priors=options.estimator == "map")
    return tuple(
        problem.search.part(
            Objective(space, subject.predictor, scoring), options, subject_seed(options.seed, subject.id),
            None, part.first, part.last,
        )
    )  # fmt: skip
