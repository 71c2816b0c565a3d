"""Estimate masked parameters of each subject of a data file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.bind import bind
from pbpkc.experiment.data import Dataset
from pbpkc.experiment.scenario import parameter_vector, sampling_times
from pbpkc.infer.assemble import FIT_RTOL, assemble
from pbpkc.infer.fit import Progress, Store, demand_profiles
from pbpkc.infer.fit import fit as estimate
from pbpkc.infer.options import FitOptions
from pbpkc.infer.pooled import By, pool
from pbpkc.infer.posterior_nuts import demand_sampler
from pbpkc.infer.result import FitResult
from pbpkc.jobs.individuals import individuals
from pbpkc.jobs.method_names import NEED_TORCH
from pbpkc.jobs.methods import MethodOptions, with_method
from pbpkc.jobs.simulate import named
from pbpkc.jobs.variants import Variants
from pbpkc.language.diagnostics import Diagnostic, Problems, SpecError
from pbpkc.language.model import Model
from pbpkc.language.options.option_text import OptionError
from pbpkc.language.options.settings import read_value
from pbpkc.scale.pool import Pool
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.reference import simulate as solve

if TYPE_CHECKING:
    from pbpkc.jobs.spec import Spec
    from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]

#: Points of a fitted curve in plots.
CURVE_POINTS = 201


@dataclass(frozen=True)
class FitJob:
    """What is to be fitted and how; see `pbpkc.jobs.loaded.LoadedModel.fit` for the fields.

    `start` holds texts such as ``"ka = 4 [1/h]"``: where the first search begins, moved to the nearer bound
    if outside. `choices` are those that only some methods read.
    """

    data: str | Path | None = None
    scenario: str | None = None
    options: FitOptions = field(default_factory=FitOptions)
    solver: SolverOptions = field(default_factory=lambda: SolverOptions(rtol=FIT_RTOL))
    start: Sequence[str] = ()
    method: str = "least-squares"
    choices: MethodOptions = field(default_factory=MethodOptions)
    by: By = "subject"


@dataclass(frozen=True)
class Fitted:
    """A finished fit with what a report needs beside it.

    Parameters
    ----------
    result : FitResult
    dataset : Dataset
    compiled : CompiledModel
        The equations that were fitted.
    """

    result: FitResult
    dataset: Dataset
    compiled: CompiledModel


@dataclass(frozen=True)
class FittedCurve:
    """Observables of one subject at its estimate, on a dense grid.

    Parameters
    ----------
    id : str
    time : ndarray, shape (T,), h
    observables : mapping of name to ndarray, shape (T,)
        Each in its unit.
    """

    id: str
    time: Array
    observables: Mapping[str, Array]


def fit(
    loaded: Spec,
    job: FitJob,
    progress: Callable[[Progress], None] | None = None,
    open_store: Callable[[], Store] | None = None,
    where: Pool | None = None,
) -> Fitted:
    """Fit every subject of a data file; see `pbpkc.jobs.loaded.LoadedModel.fit`.

    Parameters
    ----------
    open_store : callable, optional
        Gives what keeps finished subjects, so that an interrupted fit goes on. Called when the spec and the
        data are known to be good, so that nothing is left behind where they are not.
    where : Pool, optional
        Where the subjects are fitted, in place of the processes of the options.

    Raises
    ------
    SpecError
        For problems in the spec's data block or the file.
    ValueError
        For a scenario that does not exist or has no data block, a profile of what is not estimated, and a
        posterior without the package that draws from it.
    """
    if job.options.posterior is not None:
        demand_sampler()
    dataset = individuals(loaded, job.scenario, job.data)
    starts, notes = _starts(loaded.model, dataset, job.start)
    told = {name: value for subject in dataset.subjects for name, value in subject.covariates.items()}
    variants = Variants(loaded, job.method in NEED_TORCH)
    settings = {**dataset.overrides, **told}
    _, compiled = (
        variants.for_run(settings, dataset.subjects[0].regimen)
        if dataset.subjects
        else variants.for_settings(settings)
    )
    unknowns = {n: str(u.default) for n, u in loaded.model.unknowns.items()}
    problem = assemble(
        compiled,
        dataset,
        job.solver,
        starts=starts,
        provenance={
            "spec": str(loaded.path),
            **{key: list(loaded.settings.get(key, ())) for key in ("set", "mask", "unmask", "unknown")},
            **({"learn": list(loaded.settings["learn"])} if loaded.settings.get("learn") else {}),
            "start": list(job.start),
            "spec_sha256": hashlib.sha256("\0".join(f.text for f in loaded.model.files).encode()).hexdigest(),
        },
        variant=repr(sorted(unknowns.items())),
    )
    problem = pool(with_method(problem, job.method, job.choices, job.options), job.by)
    demand_profiles(problem, job.options)
    store = open_store() if open_store is not None else None
    result = estimate(problem, job.options, progress, store, where)
    notes += _idle_rule(dataset, job.options.blq)
    return Fitted(result, replace(dataset, notes=(*dataset.notes, *notes)), compiled)


def _idle_rule(dataset: Dataset, rule: str) -> list[Diagnostic]:
    """A word where a rule for values below quantification was chosen and there are none."""
    if rule == "m3" or any(subject.censored.any() for subject in dataset.subjects):
        return []
    return [
        Diagnostic(
            "blq-without-cens",
            f"the rule '{rule}' for values below quantification (--blq) changes nothing: no scored row of "
            f"'{dataset.path}' has CENS 1",
            help="--blq acts on rows with CENS 1 only; write 1 into a column CENS where a value is below the "
            "limit",
            severity="note",
        )
    ]


def _starts(
    model: Model, dataset: Dataset, texts: Sequence[str]
) -> tuple[dict[str, float], list[Diagnostic]]:
    """Starting values by name, and notes on those that lie outside the bounds."""
    problems, notes = Problems(), []
    starts: dict[str, float] = {}
    estimated = {d.name: d for d in model.masked if d.name not in dataset.held}
    for text in texts:
        try:
            name, value = read_value(model, text, "--start")
        except SpecError as error:
            problems.extend(error.diagnostics)
            continue
        mask = estimated[name].mask if name in estimated else None
        if mask is None:
            problems.append(
                Diagnostic(
                    "misplaced",
                    f"--start {text}: '{name}' is not estimated",
                    help=f"estimated are: {', '.join(estimated) or 'none'}",
                )
            )
        elif name in starts:
            problems.append(
                Diagnostic("usage", f"--start names '{name}' twice", help="leave one of them out")
            )
        elif not mask.low <= value <= mask.high:
            notes.append(
                Diagnostic(
                    "start-outside",
                    f"--start {text}: it lies outside the bounds of '{name}'",
                    help="the search begins at the nearer bound",
                    severity="note",
                )
            )
        starts[name] = value
    if problems:
        raise OptionError(problems)
    return starts, notes


def fitted_curves(fitted: Fitted, subjects: Collection[str] | None = None) -> tuple[FittedCurve, ...]:
    """The curve of each subject at its own estimate, or where there is none at the pooled one.

    Parameters
    ----------
    fitted : Fitted
    subjects : collection of str, optional
        Whose curves are wanted [default: all].
    """
    result = fitted.result
    if not result.singles:
        return pooled_curves(fitted, subjects)
    parameters = [str(p["name"]) for p in result.parameters]
    return _curves(
        fitted,
        {f.id: dict(zip(parameters, f.theta, strict=True)) for f in result.singles if f.theta},
        subjects,
    )


def pooled_curves(fitted: Fitted, subjects: Collection[str] | None = None) -> tuple[FittedCurve, ...]:
    """The curve of each subject, with its own doses and covariates, at the estimate of all together.

    None where there is no such estimate.
    """
    together = fitted.result.pooled
    if together is None or not together.theta:
        return ()
    shared = dict(zip([str(p["name"]) for p in fitted.result.parameters], together.theta, strict=True))
    return _curves(fitted, {s.id: shared for s in fitted.dataset.subjects if len(s.time)}, subjects)


def _curves(
    fitted: Fitted, theta: Mapping[str, Mapping[str, float]], subjects: Collection[str] | None
) -> tuple[FittedCurve, ...]:
    """The curves of subjects that have parameters."""
    found = []
    compiled, dataset = fitted.compiled, fitted.dataset
    for subject in dataset.subjects:
        if subject.id not in theta or (subjects is not None and subject.id not in subjects):
            continue
        overrides = {**dataset.overrides, **subject.covariates, **theta[subject.id]}
        p = parameter_vector(compiled, overrides)
        try:
            bound = bind(subject.regimen, {**named(compiled, p), **overrides})
        except SpecError:
            continue  # a dose that means nothing at the estimate was told with the subject
        times = sampling_times(bound, CURVE_POINTS)
        run = solve(compiled, p, bound, times, SolverOptions())
        curves = dict(zip(run.observable_names, run.observables.T, strict=True))
        found.append(FittedCurve(subject.id, run.time, curves))
    return tuple(found)
