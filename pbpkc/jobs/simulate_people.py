"""Run scenarios for many people: each one's values are set as a run sets them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pbpkc.experiment.people import People
from pbpkc.experiment.scenario import DEFAULT_SAMPLES, find_scenario, sampling_times
from pbpkc.jobs.cohort import Cohort, cohort
from pbpkc.jobs.people_parts import Choice, Part, Solving, solve_people
from pbpkc.jobs.people_pool import parts_by
from pbpkc.jobs.simulate import (
    NotRun,
    SimulatedRun,
    Simulation,
    bound_scenario,
    not_numbers,
    written_scenarios,
)
from pbpkc.jobs.variants import Variants
from pbpkc.language.diagnostics import Diagnostic, SpecError
from pbpkc.language.expression import names_in
from pbpkc.scale.pool import Pool
from pbpkc.solve.options import SolverOptions

if TYPE_CHECKING:
    from pbpkc.jobs.spec import Spec

Array = NDArray[np.float64]


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
    pool: Pool | None = None,
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
        Threads of a kernel, processes of the reference; the result is the same for any number.
    states : bool
        Whether the states are kept, which take most of the memory.
    pool : Pool, optional
        Where the people are solved, if not here.

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
    prepared = prepare_people(loaded, people, scenarios, times, samples)
    how = Solving(options, states, workers, sum(len(one) for one in prepared.cohorts))
    runs: list[SimulatedRun] = []
    retried: dict[str, list[int]] = {}

    def take(part: Part) -> None:
        runs.extend(runs_of(part))
        retried.setdefault(part.cohort.scenario, []).extend(part.retried)

    def begin(choices: tuple[Choice, ...]) -> tuple[int, Callable[[Part], None]]:
        runs.clear()
        retried.clear()
        return 0, take

    choices = solve_people(prepared.cohorts, how, begin, progress, parts_by(pool))
    notes = [*prepared.notes]
    for run in runs:
        notes.extend(not_numbers(run, loaded.model.time_unit))
    return Simulation(
        loaded.model, tuple(runs), options, loaded.generated.fingerprint, tuple(notes), prepared.refused,
        tuple(one.solved_by(retried.get(one.cohort.scenario, ())) for one in choices),
    )  # fmt: skip


@dataclass(frozen=True)
class PreparedPeople:
    """People in numbers.

    Parameters
    ----------
    cohorts : tuple of Cohort
        One a scenario; nobody is missing but those in `refused`.
    refused : tuple of NotRun
    notes : tuple of Diagnostic
        What a reader should know.
    """

    cohorts: tuple[Cohort, ...]
    refused: tuple[NotRun, ...]
    notes: tuple[Diagnostic, ...]


def prepare_people(
    loaded: Spec,
    people: People,
    scenarios: Sequence[str] | None,
    times: ArrayLike | None,
    samples: int = DEFAULT_SAMPLES,
) -> PreparedPeople:
    """The people in numbers, scenario by scenario; parameters and what is raised as in `simulate_people`."""
    model, variants = loaded.model, Variants(loaded)
    names = written_scenarios(model, scenarios, times)
    for name in names:
        if find_scenario(model, name).data is not None:
            raise ValueError(
                f"scenario '{name}' reads its people from a data file; name a written one for a population"
            )
    cohorts: list[Cohort] = []
    refused: list[NotRun] = []
    for name in names:
        grid = (
            sampling_times(bound_scenario(model, variants, name)[2], samples)
            if times is None
            else np.asarray(times, dtype=float)
        )
        found, problems = cohort(model, variants, name, people, grid)
        refused += problems
        if found is not None and len(found):
            cohorts.append(found)
    if not cohorts:
        raise SpecError([problem for one in refused[:1] for problem in one.problems])
    return PreparedPeople(tuple(cohorts), tuple(refused), tuple(_notes(loaded, people, names)))


def runs_of(part: Part) -> Iterator[SimulatedRun]:
    """The people of a part, each with what was given."""
    for b in range(len(part.batch)):
        person = part.first + b
        who = part.cohort
        yield SimulatedRun(
            who.scenario, who.ids[person], part.batch.trajectory(b), who.events(person), who.given(person)
        )


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
