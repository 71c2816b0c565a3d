"""From a compiled model and a data set to a `FitProblem`."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from pbpkc.experiment.data import Dataset, Subject
from pbpkc.experiment.events import BoundRegimen
from pbpkc.experiment.scenario import parameter_vector, sampling_times
from pbpkc.infer.compiled_predictor import CompiledPredictor, enters_prediction
from pbpkc.infer.kernel_predictor import KernelPredictor
from pbpkc.infer.observations import Observations
from pbpkc.infer.predictor import Failure
from pbpkc.infer.problem import CurveGrid, FitObservable, FitProblem, FitSubject
from pbpkc.infer.transform import FittedParameter
from pbpkc.language.diagnostics import Diagnostic, SpecError
from pbpkc.language.model import Prior
from pbpkc.language.units import parse_unit
from pbpkc.native.failure import NoKernel
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.solve.kernel import rosenbrock_kernel
from pbpkc.solve.options import SolverOptions

#: Relative tolerance of solves in a fit unless another is asked for. At 1e-8 the objective of a fit at 5 %
#: noise carries an error of a few 1e-5 from the solver; at 1e-10 it is about 1e-6, for a quarter more time.
FIT_RTOL = 1e-10

#: ``auto`` takes the kernel where subjects x states x (1 + parameters) is at least this: for less, the
#: reference has finished before the kernel is compiled.
WORTH_COMPILING = 60

#: Times of a prediction band between its ends, those of doses come on top.
BAND_TIMES = 61


def assemble(
    compiled: CompiledModel,
    dataset: Dataset,
    solver: SolverOptions | None = None,
    overrides: Mapping[str, float] | None = None,
    starts: Mapping[str, float] | None = None,
    provenance: Mapping[str, object] | None = None,
    variant: str = "",
) -> FitProblem:
    """What is to be fitted, from a model and its data.

    Parameters
    ----------
    compiled : CompiledModel
        Its masked parameters are estimated, but for those that the scenario or `overrides` sets.
    dataset : Dataset
        Read for the same model. Individuals without an observation are left out (the data set's notes name
        them).
    solver : SolverOptions, optional
        Where not given, rtol `FIT_RTOL`, and the kernel where the fit is long enough to repay it.
    overrides : mapping of str to float, optional
        Canonical values that replace the spec's and the scenario's; a masked name keeps that value.
    starts : mapping of str to float, optional
        Canonical first starting values of masked parameters, in place of the medians of their priors.
    provenance : mapping, optional
        Goes into ``fit.json`` as it is, after what is known here (data, solver).
    variant : str
        Text of whatever else the predictions depend on, as an expression given for an unknown term.

    Returns
    -------
    FitProblem

    Raises
    ------
    SpecError
        If nothing is masked, a measured observable has no error model, or an unknown term comes without
        exact derivatives.
    ValueError
        If `starts` names what is not estimated.
    """
    solver, overrides, starts = (
        solver or SolverOptions(rtol=FIT_RTOL),
        dict(overrides or {}),
        dict(starts or {}),
    )
    fixed = set(dataset.held) | set(overrides)
    columns = [
        i
        for i, entry in enumerate(compiled.manifest["parameters"])
        if entry["mask"] and entry["name"] not in fixed
    ]
    seen = [subject for subject in dataset.subjects if len(subject.time)]
    _demand(compiled, columns, seen)
    parameters = tuple(fitted_parameter(compiled.manifest["parameters"][i], starts) for i in columns)
    unknown = sorted(set(starts) - {p.name for p in parameters})
    if unknown:
        accepted = ", ".join(p.name for p in parameters)
        raise ValueError(f"starts names {', '.join(unknown)}; estimated are {accepted}")
    time_unit = parse_unit(compiled.manifest["time_unit"])
    kind, reason = _predictor(compiled, np.array(columns, dtype=np.int64), seen, solver)
    return FitProblem(
        parameters=parameters,
        subjects=tuple(
            _subject(
                kind,
                compiled,
                dataset,
                subject,
                np.array(columns, dtype=np.int64),
                solver,
                overrides,
                variant,
            )
            for subject in seen
        ),
        observables=tuple(
            FitObservable(name, unit)
            for name, unit in zip(dataset.observable_names, dataset.observable_units, strict=True)
        ),
        fingerprint=compiled.fingerprint,
        provenance={
            "model": compiled.manifest["model"],
            "data": dataset.path,
            "data_sha256": dataset.sha256,
            "scenario": dataset.scenario,
            "solver": asdict(solver),
            "solved_by": {"method": "kernel" if kind is KernelPredictor else "reference", "reason": reason},
            "set": overrides,
            **(provenance or {}),
        },
        time_unit=time_unit.text,
        time_factor=float(time_unit.factor),
    )


def _predictor(
    compiled: CompiledModel, columns: np.ndarray, subjects: Sequence[Subject], solver: SolverOptions
) -> tuple[type[CompiledPredictor], str]:
    """What predicts, and why.

    Raises
    ------
    NoKernel
        If the kernel was asked for by name and there is none.
    """
    if solver.method not in ("auto", "kernel"):
        return CompiledPredictor, f"the method {solver.method} was asked for"
    read = enters_prediction(compiled, columns)
    for subject in subjects:
        read = read | np.array([compiled.parameter_names[c] in subject.regimen.reads for c in columns])
    work = len(subjects) * len(compiled.state_names) * (1 + len(columns))
    if not read.any() or (solver.method == "auto" and work < WORTH_COMPILING):
        return CompiledPredictor, "the fit is too short to repay compiling a kernel"
    try:
        rosenbrock_kernel(compiled.generated, tuple(columns[read].tolist()))
    except NoKernel as error:
        if solver.method == "kernel":
            raise
        return CompiledPredictor, error.reason
    return KernelPredictor, "the model has a compiled kernel with derivatives"


def _demand(compiled: CompiledModel, columns: list[int], subjects: list[Subject]) -> None:
    problems = []
    if not columns:
        help = 'mask one, for example: --mask "ka in (0.1, 10) [1/h] scale log"'
        if terms := [entry["name"] for entry in compiled.manifest["unknowns"]]:
            names = " or ".join(f"--learn {name}" for name in terms)
            help += f"; or learn an unknown term from the data, with {names}, or with `pbpkc discover`"
        problems.append(
            Diagnostic("nothing-masked", "no parameter is masked, so there is nothing to estimate", help=help)
        )
    measured = sorted({int(i) for subject in subjects for i in subject.observable})
    for i in measured:
        entry = compiled.manifest["observables"][i]
        if entry["error"] is None:
            problems.append(
                Diagnostic(
                    "no-error-model",
                    f"observable '{entry['name']}' has data and no error model",
                    help=f"say how it errs, for example: observe {entry['name']} = ... error prop(10 [%])",
                )
            )
    for name in compiled.inexact_unknowns:
        problems.append(
            Diagnostic(
                "inexact-unknown",
                f"the unknown term '{name}' comes without derivatives, which a fit needs exactly",
                help="give it as an expression, or as a callable with `partials`",
            )
        )
    if problems:
        raise SpecError(problems)


def fitted_parameter(entry: Mapping[str, Any], starts: Mapping[str, float]) -> FittedParameter:
    """A masked parameter of a manifest as one to be estimated, with another first start if one is given."""
    mask = entry["mask"]
    prior = mask["prior"]
    return FittedParameter(
        name=entry["name"],
        unit=parse_unit(entry["unit"]),
        low=float(mask["low"]),
        high=float(mask["high"]),
        start=float(starts.get(entry["name"], entry["value"])),
        scale=mask["scale"],
        prior=None if prior is None else Prior(prior["family"], dict(prior["arguments"])),
        doc=entry["doc"],
        counted=bool(mask.get("counted", False)),
    )


def _subject(
    kind: type[CompiledPredictor],
    compiled: CompiledModel,
    dataset: Dataset,
    subject: Subject,
    columns: np.ndarray,
    solver: SolverOptions,
    overrides: Mapping[str, float],
    variant: str,
) -> FitSubject:
    base = parameter_vector(compiled, dataset.overrides, subject.covariates, overrides)
    kinds = [entry["error"] for entry in compiled.manifest["observables"]]
    predictor = kind(
        compiled, base, columns, subject.regimen, subject.time, subject.observable, subject.order, solver
    )
    bound = predictor.bound(base)
    material = {
        "parameters": np.where(np.isin(np.arange(len(base)), columns), 0.0, base).tolist(),
        "doses": str(bound) if isinstance(bound, Failure) else _doses(bound),
        "order": subject.order.tolist(),
        "solver": asdict(solver),
        "variant": variant,
    }
    return FitSubject(
        id=subject.id,
        observations=Observations(
            time=subject.time,
            observable=subject.observable,
            dv=subject.dv,
            censored=subject.censored,
            lloq=subject.lloq,
            sd=subject.sd,
            error=tuple(kinds[i] for i in subject.observable),
        ),
        predictor=predictor,
        identity=hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest(),
        curve=None if isinstance(bound, Failure) else _curve(predictor, bound, kinds),
    )


def _curve(predictor: CompiledPredictor, bound: BoundRegimen, kinds: Sequence[str]) -> CurveGrid:
    """Where this subject's curves are drawn: what was measured in it, evenly over its run."""
    last = float(np.max(predictor.time)) if bound.end is None else bound.end
    times = sampling_times(replace(bound, end=max(last, bound.begin + 1e-9)), BAND_TIMES)
    measured = np.unique(predictor.observable)
    time, observable = np.repeat(times, len(measured)), np.tile(measured, len(times))
    # A sample at the time of a dose sees it.
    late = np.full(len(time), np.iinfo(np.int64).max)
    dense = replace(predictor, time=time, observable=observable, order=late)
    return CurveGrid(time, observable, tuple(kinds[i] for i in observable), dense)


def _doses(bound: BoundRegimen) -> object:
    """Everything that is done to a subject as plain numbers, with their derivatives."""

    def plain(value: object) -> object:
        if isinstance(value, np.ndarray):
            return value.tolist()
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)
        if isinstance(value, Mapping):
            return {key: plain(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [plain(one) for one in value]
        return value

    return plain(asdict(bound))
