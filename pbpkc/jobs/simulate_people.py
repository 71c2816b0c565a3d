"""Run scenarios for many people: each one's values are set as a run sets them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pbpkc.experiment.events import BoundRegimen, Event
from pbpkc.experiment.people import People
from pbpkc.experiment.scenario import DEFAULT_SAMPLES, experiment, find_scenario, sampling_times
from pbpkc.jobs.feasible import infeasible
from pbpkc.jobs.settings import with_values
from pbpkc.jobs.simulate import (
    NotRun,
    SimulatedRun,
    Simulation,
    as_given,
    bound_at,
    bound_scenario,
    not_numbers,
    written_scenarios,
)
from pbpkc.jobs.variants import Variants
from pbpkc.language.diagnostics import Diagnostic, SpecError
from pbpkc.language.expression import names_in
from pbpkc.language.model import Model
from pbpkc.scale.processes import each_done
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.reference import simulate as solve
from pbpkc.solve.trajectory import Trajectory

if TYPE_CHECKING:
    from pbpkc.jobs.spec import Spec
    from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]

#: People that one process is given at a time: few enough for progress to be seen, many enough that sending
#: the equations along costs nothing beside solving them.
_CHUNK = 16


@dataclass(frozen=True)
class _Person:
    """One person in one scenario, in numbers."""

    scenario: str
    id: str
    compiled: CompiledModel
    p: Array
    bound: BoundRegimen
    given: tuple[Event, ...]
    times: Array


@dataclass(frozen=True)
class _Task:
    """What a process is sent: people, and how they are solved."""

    people: tuple[_Person, ...]
    options: SolverOptions
    states: bool


def simulate_people(
    loaded: Spec,
    people: People,
    scenarios: Sequence[str] | None,
    times: ArrayLike | None,
    options: SolverOptions,
    samples: int = DEFAULT_SAMPLES,
    progress: Callable[[int, int], None] | None = None,
    workers: int = 1,
    states: bool = True,
) -> Simulation:
    """Run written scenarios for each of the people.

    Parameters
    ----------
    loaded : Spec
    people : People
        Their values come before what a scenario's ``set`` says of the same name.
    scenarios : sequence of str, optional
        All written ones if left out.
    times : array, h, optional
        When to sample. Without, the grid of the scenario with the model's own values, so that every person
        is looked at at the same times.
    options : SolverOptions
    samples : int
        Evenly spaced times where none are given.
    progress : callable, optional
        Told how many of how many runs are done.
    workers : int
        Processes; the result is the same for any number.
    states : bool
        Whether the states are kept, which take most of the memory.

    Returns
    -------
    Simulation
        Scenario by scenario, the people in their order. Who cannot be run is in `not_run`.

    Raises
    ------
    ValueError
        For a scenario that does not exist or reads data, or times that do not fit.
    SpecError
        If nobody can be run, with the reasons of the first.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers!r}; accepted is 1 or more")
    model, variants = loaded.model, Variants(loaded)
    names = written_scenarios(model, scenarios, times)
    for name in names:
        if find_scenario(model, name).data is not None:
            raise ValueError(
                f"scenario '{name}' reads its people from a data file; name a written one for a population"
            )
    prepared: list[_Person] = []
    refused: list[NotRun] = []
    for name in names:
        grid = (
            sampling_times(bound_scenario(model, variants, name)[2], samples)
            if times is None
            else np.asarray(times, dtype=float)
        )
        for id, values in people.canonical():
            try:
                prepared.append(_prepare(model, variants, name, id, values, grid))
            except SpecError as error:
                refused.append(NotRun(name, id, error.diagnostics))
    if not prepared:
        raise SpecError([problem for one in refused[:1] for problem in one.problems])
    tasks = [_Task(tuple(prepared[i : i + _CHUNK]), options, states) for i in range(0, len(prepared), _CHUNK)]
    found: dict[int, list[Trajectory]] = {}
    done = 0
    for index, solved in each_done(_solve, tasks, workers):
        found[index] = solved
        done += len(solved)
        if progress is not None:
            progress(done, len(prepared))
    trajectories = [one for index in range(len(tasks)) for one in found[index]]
    runs = tuple(
        SimulatedRun(one.scenario, one.id, trajectory, one.bound.events, one.given)
        for one, trajectory in zip(prepared, trajectories, strict=True)
    )
    notes = [*_notes(loaded, people, names)]
    for run in runs:
        notes.extend(not_numbers(run, model.time_unit))
    return Simulation(model, runs, options, loaded.generated.fingerprint, tuple(notes), tuple(refused))


def _prepare(
    model: Model, variants: Variants, name: str, id: str, values: Mapping[str, float], times: Array
) -> _Person:
    """A person in numbers.

    Raises
    ------
    SpecError
        If the values lie outside the bounds of covariates, or no body can be as they say.
    """
    problems = list(_outside(model, id, values))
    if problems:
        raise SpecError(problems)
    own = with_values(model, values)
    plan = experiment(own, name)
    overrides = {**values, **plan.overrides}
    problems = infeasible(model, overrides, f"person '{id}' in scenario '{name}'")
    if problems:
        raise SpecError(problems)
    compiled, p, bound = bound_at(variants, plan.regimen, overrides, float(np.max(times)))
    given = as_given(compiled, p, plan.regimen, overrides)
    return _Person(name, id, compiled, p, bound, given, times)


def _outside(model: Model, id: str, values: Mapping[str, float]) -> Iterator[Diagnostic]:
    """Covariates outside their bounds."""
    for name, value in values.items():
        definition = model.definitions[name]
        bounds, unit = definition.bounds, definition.unit
        if bounds is None or bounds[0] <= value <= bounds[1]:
            continue
        shown, low, high = (f"{(x - float(unit.offset)) / float(unit.factor):g}" for x in (value, *bounds))
        yield Diagnostic(
            "out-of-bounds",
            f"person '{id}': the covariate '{name}' is {shown} {unit}",
            help=f"the spec allows ({low}, {high}) {unit}",
        )


def _solve(task: _Task) -> list[Trajectory]:
    """The curves of the people of a task, in their order."""
    found = []
    for one in task.people:
        curve = solve(one.compiled, one.p, one.bound, one.times, task.options)
        if not task.states:
            curve = replace(curve, y=np.empty((curve.time.size, 0)), state_names=())
        found.append(curve)
    return found


def _notes(loaded: Spec, people: People, scenarios: Sequence[str]) -> Iterator[Diagnostic]:
    """What comes from the people although the run or a scenario says something of it too."""
    for name in people.names:
        if name in loaded.given:
            yield _overruled(name, "this run")
        for scenario in scenarios:
            sets = loaded.model.scenarios[scenario].sets
            if any(key == name and name not in names_in(value) for key, value in sets):
                yield _overruled(name, f"scenario '{scenario}'")
    drawn = people.provenance.get("model")
    if people.path and drawn is not None and drawn != loaded.model.name:
        yield Diagnostic(
            "people-model",
            f"the people of '{people.path}' were drawn from the model '{drawn}'",
            help=f"their columns are used as values of '{loaded.model.name}'",
            severity="note",
        )


def _overruled(name: str, who: str) -> Diagnostic:
    return Diagnostic(
        "set-and-people",
        f"'{name}' is set by {who} and is a column of the people, whose values are used",
        help=f"leave the column '{name}' out to set it",
        severity="note",
    )
