"""Estimate masked parameters of each subject of a data file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.data import Dataset, read_dataset
from pbpkc.experiment.regimen import bind
from pbpkc.experiment.scenario import parameter_vector, sampling_times
from pbpkc.infer.assemble import FIT_RTOL, assemble
from pbpkc.infer.fit import Progress, Store
from pbpkc.infer.fit import fit as estimate
from pbpkc.infer.options import FitOptions
from pbpkc.infer.result import FitResult
from pbpkc.jobs.simulate import named
from pbpkc.jobs.variants import Variants
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.settings import read_value
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
    if outside.
    """

    data: str | Path | None = None
    scenario: str | None = None
    options: FitOptions = FitOptions()
    solver: SolverOptions = SolverOptions(rtol=FIT_RTOL)
    start: Sequence[str] = ()


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
    store: Store | None = None,
) -> Fitted:
    """Fit every subject of a data file; see `pbpkc.jobs.loaded.LoadedModel.fit`.

    Parameters
    ----------
    store : Store, optional
        Keeps finished subjects, so that an interrupted fit goes on.

    Raises
    ------
    SpecError
        For problems in the spec's data block or the file.
    ValueError
        For a scenario that does not exist or has no data block.
    """
    dataset = read_dataset(loaded.model, job.scenario, job.data)
    told = {name: value for subject in dataset.subjects for name, value in subject.covariates.items()}
    _, compiled = Variants(loaded).for_settings({**dataset.overrides, **told})
    unknowns = {n: str(u.default) for n, u in loaded.model.unknowns.items()}
    problem = assemble(
        compiled,
        dataset,
        job.solver,
        starts=dict(read_value(loaded.model, text, "--start") for text in job.start),
        provenance={
            "spec": str(loaded.path),
            "spec_sha256": hashlib.sha256("\0".join(f.text for f in loaded.model.files).encode()).hexdigest(),
        },
        variant=repr(sorted(unknowns.items())),
    )
    return Fitted(estimate(problem, job.options, progress, store), dataset, compiled)


def fitted_curves(fitted: Fitted, solver: SolverOptions | None = None) -> tuple[FittedCurve, ...]:
    """The curve of each subject that has an estimate."""
    found = []
    compiled, dataset = fitted.compiled, fitted.dataset
    parameters = [str(p["name"]) for p in fitted.result.parameters]
    theta = {f.id: dict(zip(parameters, f.theta, strict=True)) for f in fitted.result.fits if f.theta}
    for subject in dataset.subjects:
        if subject.id not in theta:
            continue
        overrides = {**dataset.overrides, **subject.covariates, **theta[subject.id]}
        p = parameter_vector(compiled, overrides)
        try:
            bound = bind(subject.regimen, {**named(compiled, p), **overrides})
        except SpecError:
            continue  # a dose that means nothing at the estimate was told with the subject
        times = sampling_times(bound, CURVE_POINTS)
        run = solve(compiled, p, bound, times, solver or SolverOptions())
        curves = dict(zip(run.observable_names, run.observables.T, strict=True))
        found.append(FittedCurve(subject.id, run.time, curves))
    return tuple(found)
