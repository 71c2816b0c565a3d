"""Run scenarios."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pbpkc.experiment.bind import bind
from pbpkc.experiment.events import BoundRegimen, Event
from pbpkc.experiment.regimen import Regimen
from pbpkc.experiment.scenario import (
    DEFAULT_SAMPLES,
    Experiment,
    experiment,
    find_scenario,
    parameter_vector,
    sampling_times,
)
from pbpkc.jobs.feasible import infeasible
from pbpkc.jobs.individuals import individuals
from pbpkc.jobs.variants import Variants
from pbpkc.language.diagnostics import Diagnostic, raise_if_errors
from pbpkc.language.model import Model
from pbpkc.language.units import Unit
from pbpkc.solve.batch import KERNEL_NAMES, Plan, Subjects
from pbpkc.solve.batch_solve import solve_batch
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.output import Run
from pbpkc.solve.percentiles import LEVELS, PercentileCurve, percentile_curves
from pbpkc.solve.trajectory import Trajectory

if TYPE_CHECKING:
    import pandas as pd

    from pbpkc.jobs.spec import Spec
    from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SimulatedRun(Run):
    """One scenario, or one individual of a data scenario, with what was given.

    Parameters
    ----------
    scenario, id : str
        `id` is empty for a hand-written scenario.
    trajectory : Trajectory
    events : tuple of Event
        Doses as they reached the body.
    given : tuple of Event
        The same as they were administered: without lag, and whole where only a fraction is available.
    """

    events: tuple[Event, ...] = ()
    given: tuple[Event, ...] = ()


@dataclass(frozen=True)
class NotRun:
    """A person who was not run in a scenario, and why: a body that cannot be as the values say."""

    scenario: str
    id: str
    problems: tuple[Diagnostic, ...]


@dataclass(frozen=True)
class SolvedBy:
    """How the people of a scenario were solved.

    Parameters
    ----------
    scenario : str
    method : str
        ``kernel``, ``linear`` or ``reference``.
    reason : str
        Why it was that one.
    checked : tuple of str
        Ids of those who were solved by the reference too.
    worst, accepted : float
        The largest difference of their observables, in relative tolerances, and what is accepted of it; nan
        where none was compared.
    retried : tuple of str
        Ids of those whom the kernel did not finish and the reference solved, or failed to.
    """

    scenario: str
    method: str
    reason: str
    checked: tuple[str, ...] = ()
    worst: float = math.nan
    accepted: float = math.nan
    retried: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The same in a sentence."""
        compared = (
            f"; {len(self.checked)} of them again by the reference, the largest difference is "
            f"{self.worst:.3g} relative tolerances, accepted are {self.accepted:g}"
            # A kernel that did not stand is not used, and the reason holds the figures.
            if self.checked and self.worst == self.worst and self.method != "reference"
            else ""
        )
        solver = "the reference" if self.method == "reference" else f"the {KERNEL_NAMES[self.method]} kernel"
        return f"{self.scenario}: the people are solved by {solver}, since {self.reason}{compared}"


@dataclass(frozen=True)
class Simulation:
    """What `simulate` gives: one `Run` for each scenario, individual or person of a population.

    ``result.observables["Cp"]`` is the curve of an observable in the first run; `to_frame` holds all. `notes`
    say what a reader should know of the data files and the numbers; `not_run` holds the people of a
    population whose bodies cannot be, `solved_by` how its people were solved.
    """

    model: Model
    runs: tuple[SimulatedRun, ...]
    options: SolverOptions
    fingerprint: str
    notes: tuple[Diagnostic, ...] = ()
    not_run: tuple[NotRun, ...] = ()
    solved_by: tuple[SolvedBy, ...] = ()

    @property
    def trajectory(self) -> Trajectory:
        """The first run's."""
        return self.runs[0].trajectory

    @property
    def time(self) -> Array:
        """Sampling times of the first run, h."""
        return self.trajectory.time

    @property
    def observables(self) -> Mapping[str, Array]:
        """Curves of the first run by name, each in its unit."""
        t = self.trajectory
        return dict(zip(t.observable_names, t.observables.T, strict=True))

    @property
    def states(self) -> Mapping[str, Array]:
        """States of the first run by name."""
        t = self.trajectory
        return dict(zip(t.state_names, t.y.T, strict=True))

    @property
    def failures(self) -> tuple[SimulatedRun, ...]:
        """Runs that the solver did not finish."""
        return tuple(r for r in self.runs if not r.trajectory.outcome.ok)

    def percentiles(self, levels: Sequence[float] = LEVELS) -> tuple[PercentileCurve, ...]:
        """Percentiles over the people, one for each scenario and observable.

        Parameters
        ----------
        levels : sequence of float
            In %, rising.

        Raises
        ------
        ValueError
            For levels that do not fit, or people who were looked at at different times.
        """
        return percentile_curves(self.runs, levels)

    def to_frame(self, states: bool = False) -> pd.DataFrame:
        """All runs as one table: scenario, id, time, observables, and the states if asked for."""
        import pandas as pd

        frames = []
        for run in self.runs:
            frame = run.trajectory.to_frame(states)
            frame.insert(0, "scenario", run.scenario)
            frame.insert(1, "id", run.id)
            frames.append(frame)
        return pd.concat(frames, ignore_index=True)


def simulate(
    loaded: Spec,
    scenarios: Sequence[str] | None,
    times: ArrayLike | None,
    options: SolverOptions,
    samples: int = DEFAULT_SAMPLES,
    progress: Callable[[int, int], None] | None = None,
) -> Simulation:
    """Run scenarios; see `pbpkc.jobs.loaded.LoadedModel.simulate`.

    `samples` is the number of evenly spaced times where none are given; `progress` is told how many of how
    many runs are done.
    """
    model = loaded.model
    names = written_scenarios(model, scenarios, times)
    variants = Variants(loaded)
    prepared: list[_Prepared] = []
    notes: list[Diagnostic] = []
    for name in names:
        if find_scenario(model, name).data is None:
            plan = planned(model, name)
            prepared.append(_prepare(variants, name, "", plan.regimen, plan.overrides, times, samples))
        else:
            dataset = individuals(loaded, name, scored=False)
            notes.extend(dataset.notes)
            for one in dataset.subjects:
                overrides = {**dataset.overrides, **one.covariates}
                prepared.append(_prepare(variants, name, one.id, one.regimen, overrides, times, samples))
    runs = _solved(prepared, options, progress)
    for run in runs:
        notes.extend(not_numbers(run, model.time_unit))
    return Simulation(model, tuple(runs), options, loaded.generated.fingerprint, tuple(notes))


def written_scenarios(
    model: Model, scenarios: Sequence[str] | None, times: ArrayLike | None
) -> tuple[str, ...]:
    """The scenarios to run, each once: those that are named, else all written ones.

    Raises
    ------
    ValueError
        If there is none, or no time to look at them.
    """
    if times is not None and not np.size(times):
        raise ValueError("times is empty; accepted is one time or more in h, or None for an even grid")
    names = tuple(dict.fromkeys(scenarios or [s.name for s in model.scenarios.values() if s.data is None]))
    if not names:
        raise ValueError("the spec has no written scenario to run; name one that reads data, or write one")
    return names


def planned(model: Model, name: str) -> Experiment:
    """A written scenario, if a body can be as it says.

    Raises
    ------
    SpecError
        For a setting that has no value, or leaves a volume or a flow negative.
    """
    plan = experiment(model, name)
    raise_if_errors(infeasible(model, plan.overrides, f"scenario '{name}'"))
    return plan


def bound_scenario(model: Model, variants: Variants, name: str) -> tuple[CompiledModel, Array, BoundRegimen]:
    """What one written scenario needs to be solved: the equations, p, and its doses and starts as numbers.

    Raises
    ------
    SpecError
        As `planned`, and for a dose that has no value.
    """
    plan = planned(model, name)
    return bound_at(variants, plan.regimen, plan.overrides)


def bound_at(
    variants: Variants, regimen: Regimen, overrides: Mapping[str, float], until: float = -np.inf
) -> tuple[CompiledModel, Array, BoundRegimen]:
    """The equations in which what is set is a parameter, p, and the regimen as numbers.

    Doses that go on are given until the end of the run, or until `until` (h) if that is later.

    Raises
    ------
    SpecError
        For a dose that has no value.
    """
    _, compiled = variants.for_run(overrides, regimen)
    p = parameter_vector(compiled, overrides)
    return compiled, p, bind(regimen, {**named(compiled, p), **overrides}, until=until)


@dataclass(frozen=True)
class _Prepared:
    """One run in numbers."""

    scenario: str
    id: str
    compiled: CompiledModel
    p: Array
    plan: Plan
    given: tuple[Event, ...]


def _prepare(
    variants: Variants,
    scenario: str,
    id: str,
    regimen: Regimen,
    overrides: Mapping[str, float],
    times: ArrayLike | None,
    samples: int,
) -> _Prepared:
    last = -np.inf if times is None else float(np.max(times))
    compiled, p, bound = bound_at(variants, regimen, overrides, last)
    at = sampling_times(bound, samples) if times is None else np.asarray(times, dtype=float)
    return _Prepared(scenario, id, compiled, p, Plan(bound, at), as_given(compiled, p, regimen, overrides))


def _solved(
    prepared: Sequence[_Prepared], options: SolverOptions, progress: Callable[[int, int], None] | None
) -> list[SimulatedRun]:
    """All runs; those of one form of the model together.

    Raises
    ------
    NoKernel
        If a kernel was asked for by name that cannot do it.
    """
    groups: dict[int, list[int]] = {}
    for k, one in enumerate(prepared):
        groups.setdefault(id(one.compiled), []).append(k)
    curves: dict[int, Trajectory] = {}
    for members in groups.values():
        so_far = len(curves)
        batch = solve_batch(
            Subjects(
                prepared[members[0]].compiled,
                np.array([prepared[k].p for k in members]),
                tuple(prepared[k].plan for k in members),
                np.arange(len(members), dtype=np.int64),
                options,
                progress=None if progress is None else _offset(progress, so_far, len(prepared)),
            )
        )
        curves.update({k: batch.trajectory(b) for b, k in enumerate(members)})
    return [
        SimulatedRun(one.scenario, one.id, curves[k], one.plan.regimen.events, one.given)
        for k, one in enumerate(prepared)
    ]


def _offset(progress: Callable[[int, int], None], before: int, all: int) -> Callable[[int, int], None]:
    return lambda done, _: progress(before + done, all)


def as_given(
    compiled: CompiledModel, p: Array, regimen: Regimen, overrides: Mapping[str, float]
) -> tuple[Event, ...]:
    """The doses as they were administered: without lag, and whole."""
    whole = replace(regimen, doses=tuple(replace(dose, lag=None, fraction=None) for dose in regimen.doses))
    return bind(whole, {**named(compiled, p), **overrides}).events


def not_numbers(run: SimulatedRun, unit: Unit) -> Iterator[Diagnostic]:
    """Observables that have no value although the solver finished."""
    found = run.trajectory
    if not found.outcome.ok:
        return
    for name, curve in zip(found.observable_names, found.observables.T, strict=True):
        wrong = ~np.isfinite(curve)
        if wrong.any():
            where = f"{run.scenario} {run.id}".strip()
            first = float(found.time[int(np.argmax(wrong))])
            yield hole(name, where, int(wrong.sum()), len(curve), first, unit)


def hole(name: str, where: str, count: int, of: int, first: float, unit: Unit) -> Diagnostic:
    """An observable that has no value at some times, the first of them `first` (h)."""
    return Diagnostic(
        "not-a-number",
        f"'{name}' of '{where}' is no number at {count} of {of} times, "
        f"first at {first / float(unit.factor):.4g} {unit}",
        help="look for a division by zero, or the logarithm of what is not positive",
        severity="warning",
    )


def named(compiled: CompiledModel, p: Array) -> dict[str, float]:
    """Parameters by name."""
    return dict(zip(compiled.parameter_names, (float(x) for x in p), strict=True))
