"""The paper's table redone: Km and Vmax of one pathway from one venous channel, by every method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.assemble import assemble
from pbpkc.infer.compiled_predictor import CompiledPredictor
from pbpkc.infer.options import FitOptions
from pbpkc.infer.pooled import pooled_subject
from pbpkc.infer.predictor import Failure
from pbpkc.infer.problem import FitProblem
from pbpkc.infer.profile_result import Profile
from pbpkc.infer.result import SubjectFit
from pbpkc.infer.subject import fit_subject
from pbpkc.infer.transform import ParameterSpace
from pbpkc.language.units import Unit
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.reference import simulate
from pbpkc.studies.linear_regime import RATIO, by_ratio
from pbpkc.studies.synthetic import fit_one
from pbpkc.studies.truths import (
    NOISELESS_SD,
    START_FACTOR,
    Known,
    Person,
    Schedule,
    combination_bounds,
    dataset,
    know,
    measured,
)

Array = NDArray[np.float64]
Method = Callable[[FitProblem], FitProblem]

#: Times at which trajectories are compared.
COMPARED = 121


@dataclass(frozen=True)
class Estimate:
    """What one method made of one data set.

    Parameters
    ----------
    system, data : str
        `data` says what was fitted: ``plasma``, ``design`` or the name of a scenario that reads data.
    noise : float
        Standard deviation of ln(dv); nan for clinical means.
    replicate : int
    method : str
    km, vmax, ratio : float
        In the units of the spec, the ratio of these; nan where there is no estimate.
    ratio_error, km_error : float
        ln(estimate / truth), nan for clinical means.
    states, states_raw : float
        Mean squared error over all states and times against the truth: each state over its peak, and in
        umol^2. nan for clinical means.
    residual : float
        Root mean square of ln(measured / predicted).
    km_determined : bool
        What the fit says of Km.
    said : str
        The verdict in sentences.
    outcome : str
    polished : int
    cpu_ms, search_ms : float
    objective : float
    """

    system: str
    data: str
    noise: float
    replicate: int
    method: str
    km: float
    vmax: float
    ratio: float
    ratio_error: float
    km_error: float
    states: float
    states_raw: float
    residual: float
    km_determined: bool
    said: str
    outcome: str
    polished: int
    cpu_ms: float
    search_ms: float
    objective: float


@dataclass(frozen=True)
class Interval:
    """What one data set says of Vmax / Km, whatever Km is.

    Parameters
    ----------
    system, data : str
    noise : float
    replicate : int
    ratio, low, high : float
        Estimate and 95 % interval by profile likelihood, in the unit of the spec; nan where an end is open.
    covered : bool
        Whether it holds the truth; False for clinical means.
    error : float
        ln(estimate / truth).
    bound, bound_known : float
        Cramer-Rao bounds of ln(Vmax / Km) at the truth, with Km free and with Km known.
    """

    system: str
    data: str
    noise: float
    replicate: int
    ratio: float
    low: float
    high: float
    covered: bool
    error: float
    bound: float
    bound_known: float


@dataclass(frozen=True)
class KmProfile:
    """The profile likelihood of Km for one data set: values in umol/L and rises of the objective."""

    system: str
    data: str
    noise: float
    value: tuple[float, ...]
    rise: tuple[float, ...]
    threshold: float
    low: float
    high: float


@dataclass(frozen=True)
class Setup:
    """Everything that fits of one kind of data of one system need.

    Parameters
    ----------
    system, data : str
    compiled : CompiledModel
    problem : FitProblem
        On the exact model; its subjects are the runs that are measured together.
    known : tuple of Known
        One a run, empty for clinical means.
    noise : tuple of str
        Parameters that are the relative errors.
    unit : Unit
        Of the ratio.
    """

    system: str
    data: str
    compiled: CompiledModel
    problem: FitProblem
    known: tuple[Known, ...]
    noise: tuple[str, ...]
    unit: Unit


def setup(
    system: str,
    data: str,
    compiled: CompiledModel,
    schedules: Mapping[str, Schedule],
    unit: Unit,
    solver: SolverOptions,
) -> Setup:
    """A setup of runs whose truth is the spec's; `schedules` by the name of the scenario.

    Raises
    ------
    ArithmeticError
        If the solver fails at the truth.
    """
    problem: FitProblem | None = None
    known: list[Known] = []
    for name, one in schedules.items():
        made = assemble(compiled, dataset(compiled, one, [(name, {}, 1.0)]), solver)
        problem = problem or made
        truth = np.array([p.start for p in made.parameters])  # the spec's values
        known.append(know(made.subjects[0], Person(0, truth, truth, {}, 1.0)))
    assert problem is not None
    noise = next(iter(schedules.values())).noise
    return Setup(system, data, compiled, replace(problem, subjects=tuple(k.subject for k in known)),
                 tuple(known), noise, unit)  # fmt: skip


def drawn_start(problem: FitProblem, seed: int, replicate: int) -> Array:
    """Where all methods begin: up to a factor 8 from the spec's values, within the bounds."""
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(replicate, 8)))
    space = ParameterSpace(problem.parameters)
    value = np.array([p.start for p in problem.parameters])
    start = value * START_FACTOR ** generator.uniform(-1.0, 1.0, space.size)
    return space.to_natural(space.clip(space.to_scaled(start)))


def with_data(at: Setup, noise: float, seed: int, replicate: int) -> FitProblem:
    """The problem with measured values: drawn from the truth, or as they were read."""
    if not at.known:
        return at.problem
    subjects = []
    for place, one in enumerate(at.known):
        numbered = replace(one, person=replace(one.person, number=10 * replicate + place))
        subjects.append(measured(numbered, at.compiled, at.noise, noise, seed, f"{at.system} {at.data}"))
    return replace(at.problem, subjects=tuple(subjects))


def pooled(problem: FitProblem) -> FitProblem:
    """Runs that are measured together as one subject."""
    if len(problem.subjects) == 1:
        return problem
    return replace(problem, subjects=(pooled_subject(problem.subjects),))


def estimate(
    at: Setup, noise: float, seed: int, replicate: int, name: str, method: Method, options: FitOptions
) -> Estimate:
    """The fit of one data set by one method."""
    ready = pooled(method(with_data(at, noise, seed, replicate)))
    start = drawn_start(at.problem, seed, replicate)
    found = fit_one(ready, ready.subjects[0], start.tolist(), options)
    return _scored(at, noise, replicate, name, found.fit, found.cpu_ms, found.search_ms)


def _scored(
    at: Setup, noise: float, replicate: int, name: str, fit: SubjectFit, cpu_ms: float, search_ms: float
) -> Estimate:
    places = {p.name: i for i, p in enumerate(at.problem.parameters)}
    nan = float("nan")
    km = vmax = ratio_error = km_error = states = raw = residual = nan
    if fit.theta:
        theta = np.array(fit.theta)
        km, vmax = (at.problem.parameters[places[n]].in_unit(theta[places[n]]) for n in ("Km", "Vmax"))
        seen = [(row.dv, row.pred) for row in fit.predictions]
        dv, pred = np.array(seen).T
        residual = float(np.sqrt(np.mean(np.log(dv / pred) ** 2)))
        if at.known:
            error = np.log(theta / at.known[0].person.truth)
            km_error = float(error[places["Km"]])
            ratio_error = float(error[places["Vmax"]] - error[places["Km"]])
            states, raw = trajectory_error(at, theta)
    verdict = (
        {v.parameter: v.identifiable for v in fit.identifiability.parameters} if fit.identifiability else {}
    )
    return Estimate(
        system=at.system, data=at.data, noise=noise, replicate=replicate, method=name, km=km, vmax=vmax,
        ratio=vmax / km, ratio_error=ratio_error, km_error=km_error, states=states, states_raw=raw,
        residual=residual, km_determined=verdict.get("Km", False),
        said=" ".join(fit.identifiability.summary) if fit.identifiability else fit.reason,
        outcome=fit.outcome, polished=fit.polished, cpu_ms=cpu_ms, search_ms=search_ms,
        objective=fit.subject.objective,
    )  # fmt: skip


def trajectory_error(at: Setup, theta: Array) -> tuple[float, float]:
    """Mean squared error of all states at an estimate over all times of the first run.

    Returns
    -------
    scaled, raw : float
        Each state over its peak at the truth; and in umol^2. States that never move do not count.
    """
    first = at.known[0]
    predictor = first.subject.predictor
    assert isinstance(predictor, CompiledPredictor)
    curves = []
    for values in (first.person.truth, theta):
        p = predictor.all_parameters(values)
        bound = predictor.bound(p)
        assert not isinstance(bound, Failure)
        end = float(predictor.time[-1])
        times = np.linspace(bound.begin, end, COMPARED)
        curves.append(simulate(at.compiled, p, bound, times, predictor.solver).y)
    peak = np.abs(curves[0]).max(0)
    moves = peak > 0.0
    off = (curves[1] - curves[0])[:, moves]
    return float(np.mean((off / peak[moves]) ** 2)), float(np.mean(off**2))


def interval(
    at: Setup, noise: float, seed: int, replicate: int, method: Method, options: FitOptions
) -> Interval:
    """The interval of Vmax / Km by its own profile likelihood."""
    ready = by_ratio(pooled(method(with_data(at, noise, seed, replicate))), at.unit)
    fit = fit_subject(ready, ready.subjects[0], replace(options, profile=(RATIO,)))
    nan = float("nan")
    row = next((r for r in fit.estimates if r.parameter == RATIO), None)
    value = nan if row is None else row.estimate
    found = fit.profiles[0] if fit.profiles else None
    low, high = (nan, nan) if found is None else (found.low, found.high)
    bound = known = truth = nan
    if at.known:
        names = [p.name for p in at.problem.parameters]
        km, vmax = names.index("Km"), names.index("Vmax")
        theta = at.known[0].person.truth
        truth = float(theta[vmax] / theta[km] / float(at.unit.factor))
        bound, known = _bounds(at, noise or NOISELESS_SD, km, vmax)
    inside = not (low > truth or high < truth) if at.known and found is not None else False
    return Interval(
        at.system, at.data, noise, replicate, value, low, high, inside,
        float(np.log(value / truth)) if at.known else nan, bound, known,
    )  # fmt: skip


def _bounds(at: Setup, sd: float, km: int, vmax: int) -> tuple[float, float]:
    """Bounds of ln(Vmax / Km) with Km free and with Km known, of all runs together."""
    space = ParameterSpace(at.problem.parameters)
    subject = (
        at.known[0].subject if len(at.known) == 1 else pooled_subject(tuple(k.subject for k in at.known))
    )
    exact = subject.predictor.predict(at.known[0].person.truth)
    assert not isinstance(exact, Failure)
    every = Known(at.known[0].person, subject, exact)
    weights = np.zeros((1, space.size))
    weights[0, vmax], weights[0, km] = 1.0, -1.0
    free = float(combination_bounds(every, space, sd, weights)[0])
    # With Km known only the column of Vmax is left.
    root = np.linalg.norm(exact.derivative[:, vmax] * every.person.truth[vmax] / exact.value) / sd
    return free, float(1.0 / root)


def km_profile(
    at: Setup, noise: float, seed: int, replicate: int, method: Method, options: FitOptions
) -> KmProfile | None:
    """The profile likelihood of Km; None where the fit failed."""
    ready = pooled(method(with_data(at, noise, seed, replicate)))
    fit = fit_subject(ready, ready.subjects[0], replace(options, profile=("Km",)))
    if not fit.profiles:
        return None
    found: Profile = fit.profiles[0]
    return KmProfile(
        at.system, at.data, noise,
        tuple(p.value for p in found.points), tuple(p.objective_rise for p in found.points),
        found.threshold, found.low, found.high,
    )  # fmt: skip


def clinical(
    system: str, data: str, compiled: CompiledModel, problem: FitProblem, unit: Unit
) -> tuple[Setup, ...]:
    """Setups of the mean profiles of a data file, each by itself."""
    return tuple(
        Setup(system, data, compiled, replace(problem, subjects=(subject,)), (), (), unit)
        for subject in problem.subjects
    )
