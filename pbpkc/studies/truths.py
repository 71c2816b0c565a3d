"""Tasks with a known truth: who is measured, what is true of them, and where searches begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.data import Dataset, Subject
from pbpkc.experiment.regimen import Regimen
from pbpkc.infer.assemble import assemble
from pbpkc.infer.compiled_predictor import CompiledPredictor
from pbpkc.infer.covariance import spread
from pbpkc.infer.likelihood import information_root
from pbpkc.infer.objective import scaled, scaled_noise
from pbpkc.infer.observations import plan
from pbpkc.infer.predictor import Failure, Noise, Prediction
from pbpkc.infer.problem import FitProblem, FitSubject
from pbpkc.infer.synthetic import draw
from pbpkc.infer.transform import ParameterSpace
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.solve.options import SolverOptions

Array = NDArray[np.float64]

#: Truths lie within this factor of the spec's values, first starts within the other of the truth.
TRUTH_FACTOR, START_FACTOR = 2.0, 8.0

#: Doses lie within this factor of the scenario's, as those of training do.
DOSE_FACTOR = 2.0

#: Part of a covariate's range that people are drawn from, the middle one.
MIDDLE = 0.8

#: Standard deviation of the logarithm that data without noise are fitted with.
NOISELESS_SD = 0.01


@dataclass(frozen=True)
class Schedule:
    """What is given and measured.

    Parameters
    ----------
    regimen : Regimen
    overrides : mapping of str to float
        What the scenario sets, canonical units.
    times : tuple of float, h
    observables : tuple of str
        All of them are measured at all times, each with its own error.
    noise : tuple of str
        Parameters of the spec that are the relative errors of these observables.
    """

    regimen: Regimen
    overrides: Mapping[str, float]
    times: tuple[float, ...]
    observables: tuple[str, ...]
    noise: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of measurements."""
        return len(self.times) * len(self.observables)


@dataclass(frozen=True)
class Person:
    """A task without its data.

    Parameters
    ----------
    number : int
    truth, start : array, shape (k,), canonical units
    covariates : mapping of str to float
    dose : float
        Factor on the scenario's amounts.
    """

    number: int
    truth: Array
    start: Array
    covariates: Mapping[str, float]
    dose: float


@dataclass(frozen=True)
class Known:
    """A task with what its truth predicts.

    Parameters
    ----------
    person : Person
    subject : FitSubject
        On the exact model; its measured values are the predictions themselves.
    exact : Prediction
        At the truth, with exact derivatives.
    """

    person: Person
    subject: FitSubject
    exact: Prediction


def draw_person(
    compiled: CompiledModel, problem: FitProblem, covariates: Sequence[str], number: int, seed: int
) -> Person:
    """A person; it depends on the seed and its number alone."""
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
    space = ParameterSpace(problem.parameters)
    k = space.size
    value = np.array([compiled.parameters()[compiled.parameter_index[n]] for n in space.names])
    truth = value * TRUTH_FACTOR ** generator.uniform(-1.0, 1.0, k)
    start = truth * START_FACTOR ** generator.uniform(-1.0, 1.0, k)
    start = space.to_natural(space.clip(space.to_scaled(start)))
    dose = float(DOSE_FACTOR ** generator.uniform(-1.0, 1.0))
    told = {}
    for name in covariates:
        low, high = _bounds(compiled, name)
        at = 0.5 + MIDDLE * (generator.random() - 0.5)
        told[name] = low + at * (high - low)
    return Person(number, truth, start, told, dose)


def _bounds(compiled: CompiledModel, name: str) -> tuple[float, float]:
    entry = compiled.manifest["parameters"][compiled.parameter_index[name]]
    low, high = entry["bounds"]
    return float(low), float(high)


def people(
    compiled: CompiledModel, schedule: Schedule, count: int, seed: int, solver: SolverOptions
) -> tuple[FitProblem, tuple[Known, ...]]:
    """Tasks and the problem that they are subjects of, on the exact model and without noise.

    Parameters
    ----------
    compiled : CompiledModel
        What is masked in it is unknown.
    schedule : Schedule
    count, seed : int
    solver : SolverOptions
        Of the exact model.

    Raises
    ------
    ArithmeticError
        If the solver fails at a truth, which a study cannot do without.
    """
    covariates = [
        str(e["name"])
        for e in compiled.manifest["parameters"]
        if e["kind"] == "covariate" and e["bounds"] and e["name"] not in schedule.overrides
    ]
    empty = assemble(compiled, dataset(compiled, schedule, [("0", {}, 1.0)]), solver)
    drawn = [draw_person(compiled, empty, covariates, number, seed) for number in range(count)]
    problem = assemble(
        compiled, dataset(compiled, schedule, [(str(p.number), p.covariates, p.dose) for p in drawn]), solver
    )
    known = tuple(know(subject, person) for subject, person in zip(problem.subjects, drawn, strict=True))
    return replace(problem, subjects=tuple(one.subject for one in known)), known


def know(subject: FitSubject, person: Person) -> Known:
    """A subject with what its truth predicts in the place of measured values.

    Raises
    ------
    ArithmeticError
        If it cannot be predicted.
    """
    exact = subject.predictor.predict(person.truth)
    if isinstance(exact, Failure):
        raise ArithmeticError(f"task {person.number} cannot be predicted at its truth: {exact.reason}")
    seen = replace(subject.observations, dv=exact.value, error=("lognormal",) * len(subject.observations))
    return Known(person, replace(subject, observations=seen), exact)


def dataset(
    compiled: CompiledModel, schedule: Schedule, drawn: Sequence[tuple[str, Mapping[str, float], float]]
) -> Dataset:
    """The people (id, covariates, factor on doses) as the data that `assemble` reads, values still empty."""
    names = compiled.observable_names
    order = [names.index(name) for name in schedule.observables]
    time = np.repeat(np.asarray(schedule.times, dtype=float), len(order))
    index = np.tile(np.array(order, dtype=np.int64), len(schedule.times))
    blank = np.full(schedule.size, np.nan)
    subjects = tuple(
        Subject(
            id=id,
            covariates=dict(covariates),
            regimen=times_dose(schedule.regimen, dose),
            time=time,
            observable=index,
            dv=blank,
            censored=np.zeros(schedule.size, dtype=bool),
            lloq=blank,
            sd=blank,
            order=np.arange(schedule.size) + 1000,  # behind every dose of the same time
            line=np.zeros(schedule.size, dtype=np.int64),
        )
        for id, covariates, dose in drawn
    )
    units = tuple(str(o["unit"]) for o in compiled.manifest["observables"])
    return Dataset("", "", "synthetic", subjects, tuple(names), units, dict(schedule.overrides))


def times_dose(regimen: Regimen, factor: float) -> Regimen:
    """A regimen with all amounts, and rates, times a factor."""
    # A dose is divided by the size of the unit of its state: a smaller unit makes more of it.
    return replace(regimen, doses=tuple(replace(dose, scale=dose.scale / factor) for dose in regimen.doses))


def with_sd(subject: FitSubject, compiled: CompiledModel, names: Sequence[str], sd: float) -> FitSubject:
    """A subject on the exact model whose errors are `sd` (of the logarithm)."""
    predictor = exact_of(subject)
    base = predictor.base.copy()
    base[[compiled.parameter_index[name] for name in names]] = sd
    changed = replace(predictor, base=base)
    return replace(subject, predictor=changed, identity=f"{subject.identity} {sd!r}")


def exact_of(subject: FitSubject) -> CompiledPredictor:
    """The predictor of a subject that is on the exact model."""
    predictor = subject.predictor
    assert isinstance(predictor, CompiledPredictor)
    return predictor


def measured(
    known: Known, compiled: CompiledModel, names: Sequence[str], noise: float, seed: int, of: str = ""
) -> FitSubject:
    """The subject with data: `noise` is the standard deviation of ln(dv), 0 for none.

    What is drawn depends on the seed, the task, the noise and the text `of` alone; without that text the
    cells of a study would all see the same errors, and their counts would not add up to more. Data without
    noise are fitted with an error of `NOISELESS_SD`.
    """
    subject = with_sd(known.subject, compiled, names, noise or NOISELESS_SD)
    if noise == 0.0:
        return subject
    key = known.person.number, round(1e6 * noise), crc32(of.encode())
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
    seen = subject.observations
    dv, _ = draw(known.exact.value, subject.predictor.noise(known.person.truth), seen.error, generator)
    return replace(subject, observations=replace(seen, dv=dv))


def bounds(known: Known, space: ParameterSpace, sd: float) -> Array:
    """Cramer-Rao bounds of ln(theta) at the truth, shape (k,); nan where nothing is determined."""
    return combination_bounds(known, space, sd, np.eye(space.size))


def combination_bounds(known: Known, space: ParameterSpace, sd: float, weights: Array) -> Array:
    """Bounds of sums of ln(theta) with weights, shape (m, k)."""
    chain = space.chain(known.person.truth)
    n, k = known.exact.derivative.shape
    noise = Noise(np.full(n, sd), np.zeros(n), np.zeros((n, k)), np.zeros((n, k)))
    root = information_root(
        plan(known.subject.observations, "m3"), scaled(known.exact, chain), scaled_noise(noise, chain)
    )
    return np.asarray(np.sqrt(spread(root, np.ones(space.size)).variances(weights)))
