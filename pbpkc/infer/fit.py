"""The fit of all subjects, in one process or several."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np

from pbpkc.infer.options import FitOptions
from pbpkc.infer.posterior import posterior
from pbpkc.infer.posterior_nuts import demand_sampler
from pbpkc.infer.problem import FitProblem, FitSubject
from pbpkc.infer.result import FitResult, SubjectFit, Timing
from pbpkc.infer.search import Searched
from pbpkc.infer.spread_starts import Part, alone, parts_of, search_part
from pbpkc.infer.subject import fit_subject
from pbpkc.infer.transform import FittedParameter, ParameterSpace
from pbpkc.infer.two_stage import two_stage
from pbpkc.native.failure import NoKernel
from pbpkc.scale.cluster_worker import ClusterError, address, no_kernel
from pbpkc.scale.pool import Pool, Result, Task
from pbpkc.scale.processes import elsewhere

#: A posterior counts for so many times the work before it.
_POSTERIOR = 9

#: The verdict against one search.
_VERDICT = 0.2


@dataclass(frozen=True)
class Progress:
    """How far a fit has come.

    Parameters
    ----------
    done : float
        Subjects, with the part of the one in work.
    total : int
    subject : str
        The one that was worked on last.
    """

    done: float
    total: int
    subject: str


class Store(Protocol):
    """Where finished subjects are kept, so that an interrupted fit can go on."""

    def get(self, key: str) -> SubjectFit | None:
        """The stored fit with this key, None if there is none."""
        ...

    def put(self, fit: SubjectFit) -> None:
        """Keep a finished subject."""
        ...


def fit(
    problem: FitProblem,
    options: FitOptions | None = None,
    progress: Callable[[Progress], None] | None = None,
    store: Store | None = None,
    pool: Pool | None = None,
) -> FitResult:
    """Estimates of every subject.

    Parameters
    ----------
    problem : FitProblem
    options : FitOptions, optional
    progress : callable, optional
        Called after every search and every subject (after subjects only, with several processes).
    store : Store, optional
        Asked for a finished subject before it is fitted, told of each one after.
    pool : Pool, optional
        Where the subjects are fitted, in place of the processes of `options`.

    Returns
    -------
    FitResult
        In the order of the subjects and with the same numbers, whatever the number of processes. A subject
        that fails is told with its reason; the others are delivered.

    Raises
    ------
    ValueError
        If a prior leaves nothing within the bounds (``map``, posterior), a profile is asked for of what is
        not estimated, or the package that draws from a posterior is missing.
    ClusterError
        If the pool is a cluster that fails.
    """
    options = options or FitOptions()
    # All of these refuse before any work is done.
    ParameterSpace(
        problem.parameters, with_priors=options.estimator == "map" or options.posterior is not None
    )
    demand_profiles(problem, options)
    if options.posterior is not None:
        demand_sampler()
    wall, cpu = time.perf_counter(), time.process_time()
    total = len(problem.subjects)
    fits: dict[str, SubjectFit] = {}
    open_: list[FitSubject] = []
    for subject in problem.subjects:
        known = store.get(problem.key(subject, options)) if store is not None else None
        if known is None:
            open_.append(subject)
        else:
            fits[subject.id] = known
    reused, told, cpu_elsewhere = len(fits), [], 0.0

    def keep(done: SubjectFit) -> None:
        fits[done.id] = done
        if store is not None:
            store.put(done)
        if progress is not None:
            progress(Progress(float(len(fits)), total, done.id))

    ready = options.workers if pool is None else pool.workers
    parts = parts_of(problem, open_, options, ready)
    workers = min(ready, max(len(open_), len(parts)))
    away = workers > 1 or (pool is not None and bool(open_))

    def tell(part: float) -> None:
        # With more workers than subjects the searches come first, which are most of the work.
        if progress is not None:
            progress(Progress(len(fits) + 0.9 * part * len(open_), total, open_[0].id))

    finished = _elsewhere(problem, open_, parts, options, pool or workers, tell) if away else iter(())
    while True:
        try:
            done, seconds = next(finished)
        except StopIteration:
            break
        except ClusterError:
            raise
        except Exception as error:
            # No process to be had, or a callable that cannot be sent to one. A fault of the fit itself shows
            # again below, in this process.
            told.append(
                f"further processes could not be used ({type(error).__name__}); this one did the rest"
            )
            break
        cpu_elsewhere += seconds
        keep(done)
    for subject in open_:
        if subject.id not in fits:
            keep(_whole(problem, subject, options, _hear(progress, len(fits), total, subject, options)))

    ordered = tuple(fits[subject.id] for subject in problem.subjects)
    summary, population = two_stage(problem.parameters, [one for one in ordered if not one.members])
    return FitResult(
        fits=ordered,
        parameters=tuple(_describe(parameter) for parameter in problem.parameters),
        observables=tuple({"name": o.name, "unit": o.unit} for o in problem.observables),
        options={
            "method": problem.method,
            "by": problem.by,
            "search": problem.search.name,
            **options.identity(),
        },
        provenance={"fingerprint": problem.fingerprint, **problem.provenance},
        summary=summary,
        population=population,
        time_unit=problem.time_unit,
        timing=Timing(
            wall_seconds=time.perf_counter() - wall,
            cpu_seconds=time.process_time() - cpu + cpu_elsewhere,
            workers=max(workers, 1),
            reused=reused,
            notes=tuple(told),
        ),
    )


def demand_profiles(problem: FitProblem, options: FitOptions) -> None:
    """Refuse profiles of what is not estimated.

    Raises
    ------
    ValueError
        With the names that can be asked for.
    """
    lost = sorted(set(options.profile or ()) - {p.name for p in problem.parameters})
    if lost:
        accepted = ", ".join(p.name for p in problem.parameters)
        raise ValueError(f"profile names {', '.join(lost)}; estimated are {accepted}")


def _hear(
    progress: Callable[[Progress], None] | None,
    done: int,
    total: int,
    subject: FitSubject,
    options: FitOptions,
) -> Callable[[float], None] | None:
    if progress is None:
        return None
    tell = progress
    share = _searches(subject, options) * (1 if options.posterior is None else 1 + _POSTERIOR)
    return lambda made: tell(Progress(done + min(made / share, 0.99), total, subject.id))


def _searches(subject: FitSubject, options: FitOptions) -> float:
    """What a subject's work counts before its posterior.

    A search counts for its share, as does each side of a profile, and a little is left for the verdict, with
    which the subject is done.
    """
    sides = 0
    if options.profile is not None:
        shaping = np.count_nonzero(np.asarray(subject.predictor.shapes_prediction, dtype=bool))
        sides = 2 * (len(options.profile) or int(shaping))
    return options.starts + sides + _VERDICT


def _whole(
    problem: FitProblem,
    subject: FitSubject,
    options: FitOptions,
    heard: Callable[[float], None] | None = None,
    searched: Sequence[Searched] = (),
) -> SubjectFit:
    """One subject with everything that was asked about it."""
    found = fit_subject(problem, subject, options, heard, searched)
    if options.posterior is None or not found.theta:
        return found
    before = _searches(subject, options)
    tell = heard or (lambda made: None)
    drawn = posterior(
        problem,
        subject,
        options,
        np.array(found.theta),
        found.seed,
        lambda part: tell(before * (1.0 + _POSTERIOR * part)),
    )
    return replace(found, posterior=drawn)


def _elsewhere(
    problem: FitProblem,
    subjects: list[FitSubject],
    parts: Sequence[Part],
    options: FitOptions,
    where: Pool | int,
    tell: Callable[[float], None],
) -> Iterator[tuple[SubjectFit, float]]:
    """Fits as they are finished, each with the CPU seconds it took; by a pool or a number of processes."""
    searched: dict[str, list[Searched]] = {subject.id: [] for subject in subjects}
    spent = dict.fromkeys(searched, 0.0)
    found: dict[int, tuple[Searched, ...]] = {}
    for index, (some, seconds) in _done(partial(_searched, options), parts, where):
        found[index] = some
        spent[parts[index].problem.subjects[0].id] += seconds
        tell(len(found) / len(parts))
    for index, part in enumerate(parts):
        searched[part.problem.subjects[0].id] += found[index]
    tasks = [(alone(problem, subject), tuple(searched[subject.id])) for subject in subjects]
    for _, (fit_, seconds) in _done(partial(_one, options), tasks, where):
        yield fit_, seconds + spent[fit_.id]


def _done(
    work: Callable[[Task], Result], tasks: Sequence[Task], where: Pool | int
) -> Iterator[tuple[int, Result]]:
    """Results by a pool or a number of processes."""
    # A pool of processes can hang for ever on what it cannot send (its feeding thread dies with work still
    # queued), so that is tried first.
    for task in tasks:
        pickle.dumps(task)
    if isinstance(where, int):
        yield from elsewhere(work, tasks, max(1, min(where, len(tasks))))
    else:
        yield from where.each_done(work, tasks)


def _searched(options: FitOptions, part: Part) -> tuple[tuple[Searched, ...], float]:
    return _on_a_worker(partial(search_part, options, part))


def _one(options: FitOptions, task: tuple[FitProblem, tuple[Searched, ...]]) -> tuple[SubjectFit, float]:
    problem, searched = task
    return _on_a_worker(partial(_whole, problem, problem.subjects[0], options, None, searched))


def _on_a_worker(work: Callable[[], Result]) -> tuple[Result, float]:
    """What is found, and the CPU seconds that it took."""
    began = time.process_time()
    try:
        return work(), time.process_time() - began
    except NoKernel as error:
        if address():
            raise no_kernel(error.reason) from None
        raise


def _describe(parameter: FittedParameter) -> Mapping[str, object]:
    prior = parameter.prior
    return {
        "name": parameter.name,
        "unit": parameter.unit.text,
        "canonical_per_unit": float(parameter.unit.factor),
        "scale": parameter.scale,
        "low": parameter.in_unit(parameter.low),
        "high": parameter.in_unit(parameter.high),
        "start": parameter.in_unit(parameter.start),
        "prior": None
        if prior is None
        else {"family": prior.family, "canonical_arguments": dict(prior.arguments)},
        **({"prior_counts": True} if prior is not None and parameter.counted else {}),
    }
