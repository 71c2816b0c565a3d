"""Run scenarios for people of whom there may be millions: in parts, on disk, and on from where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np

from pbpkc.jobs.people_parts import Choice, Part, Solving, solve_people
from pbpkc.jobs.people_pool import parts_by
from pbpkc.jobs.people_store import PeopleStore
from pbpkc.jobs.simulate import NotRun, SimulatedRun, SolvedBy, hole
from pbpkc.jobs.simulate_people import PreparedPeople
from pbpkc.language.diagnostics import Diagnostic
from pbpkc.language.model import Model
from pbpkc.scale.pool import Pool
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.output import versions
from pbpkc.solve.percentiles import PercentileCurve, percentiles_of_table
from pbpkc.solve.trajectory import Outcome, SolverRecord, Trajectory

if TYPE_CHECKING:
    from pbpkc.jobs.spec import Spec


@dataclass(frozen=True)
class StreamedPeople:
    """People who were run, with their numbers in a store.

    Parameters
    ----------
    model : Model
    choices : tuple of Choice
        Of each scenario.
    options : SolverOptions
        As asked for.
    fingerprint : str
    store : PeopleStore
    not_run : tuple of NotRun
    prepared_notes : tuple of Diagnostic
    """

    model: Model
    choices: tuple[Choice, ...]
    options: SolverOptions
    fingerprint: str
    store: PeopleStore
    not_run: tuple[NotRun, ...]
    prepared_notes: tuple[Diagnostic, ...]

    @property
    def runs(self) -> Sequence[SimulatedRun]:
        """Every run with its observables, made when it is looked at."""
        return _StoredRuns(self)

    @cached_property
    def failed(self) -> tuple[Mapping[int, Outcome], ...]:
        """Who has no whole curve, by the place in each cohort."""
        found: tuple[dict[int, Outcome], ...] = tuple({} for _ in self.choices)
        for part in self.store.finished:
            for b, reason, suggestion, reached in part.failed:
                at = float("nan") if reached is None else reached
                found[part.cohort][b] = Outcome(False, reason, suggestion, at)
        return found

    @cached_property
    def solved_by(self) -> tuple[SolvedBy, ...]:
        """How the people of each scenario were solved."""
        retried: list[list[int]] = [[] for _ in self.choices]
        for part in self.store.finished:
            retried[part.cohort] += part.retried
        return tuple(one.solved_by(who) for one, who in zip(self.choices, retried, strict=True))

    @cached_property
    def notes(self) -> tuple[Diagnostic, ...]:
        """What a reader should know of the people and the numbers."""
        unit = self.model.time_unit
        found = [*self.prepared_notes]
        for part in self.store.finished:
            who = self.choices[part.cohort].cohort
            for b, o, count, first in part.holes:
                where = f"{who.scenario} {who.ids[b]}".strip()
                name = who.compiled.observable_names[o]
                found.append(hole(name, where, count, who.times.size, float(who.times[first]), unit))
        return tuple(found)

    def percentiles(self, levels: Sequence[float]) -> tuple[PercentileCurve, ...]:
        """Percentiles over the people, one for each scenario and observable; `levels` in %, rising."""
        found: list[PercentileCurve] = []
        for one, table, failed in zip(self.choices, self.store.tables, self.failed, strict=True):
            who = one.cohort
            among = np.ones(len(who), dtype=bool)
            among[list(failed)] = False
            names = who.compiled.observable_names
            found += percentiles_of_table(who.scenario, names, levels, who.times, table.at, among)
        return tuple(found)


class _StoredRuns(Sequence[SimulatedRun]):
    """Runs of a store, scenario by scenario."""

    def __init__(self, people: StreamedPeople) -> None:
        self._people = people
        self._ends = np.cumsum([len(one.cohort) for one in people.choices])

    def __len__(self) -> int:
        return int(self._ends[-1])

    @overload
    def __getitem__(self, place: int) -> SimulatedRun: ...
    @overload
    def __getitem__(self, place: slice) -> list[SimulatedRun]: ...
    def __getitem__(self, place: int | slice) -> SimulatedRun | list[SimulatedRun]:
        if isinstance(place, slice):
            return [self[k] for k in range(*place.indices(len(self)))]
        if not 0 <= place < len(self):
            raise IndexError(place)
        c = int(np.searchsorted(self._ends, place, side="right"))
        who = self._people.choices[c].cohort
        b = place - (int(self._ends[c]) - len(who))
        outcome = self._people.failed[c].get(b) or Outcome(True, reached=float(who.times[-1]))
        record = SolverRecord(
            self._people.solved_by[c].method, self._people.options.rtol, (), 0, 0, 0, 0, 0.0
        )
        trajectory = Trajectory(
            who.times, np.empty((who.times.size, 0)), self._people.store.tables[c].person(b), (),
            who.compiled.observable_names, outcome, record,
        )  # fmt: skip
        return SimulatedRun(who.scenario, who.ids[b], trajectory, who.events(b), who.given(b))


def stream_people(
    loaded: Spec,
    prepared: PreparedPeople,
    options: SolverOptions,
    states: bool,
    workers: int,
    folder: Path | None = None,
    hear: Callable[[int, int], None] | None = None,
    begun: Callable[[StreamedPeople], None] | None = None,
    pool: Pool | None = None,
) -> StreamedPeople:
    """Run people and keep what is found in a store.

    Parameters
    ----------
    loaded : Spec
    prepared : PreparedPeople
    options : SolverOptions
    states : bool
        Whether the rows have a column for every state.
    workers : int
        Threads of a kernel, processes of the reference; the result is the same for any number.
    folder : Path, optional
        Where the store keeps rows and numbers. What a stopped run left there is taken over.
    hear : callable (done, all), optional
    begun : callable, optional
        Told what was taken over, before anything more is solved.
    pool : Pool, optional
        Where the parts are solved, if not here.

    Raises
    ------
    OtherRun
        If the folder holds something else.
    OSError
        If it cannot be written.
    """
    cohorts = prepared.cohorts
    how = Solving(options, states, workers, sum(len(one) for one in cohorts))
    unit = float(loaded.model.time_unit.factor)
    kept: list[StreamedPeople] = []

    def begin(choices: tuple[Choice, ...]) -> tuple[int, Callable[[Part], None]]:
        if kept:  # a kernel is not believed: nothing of it stays
            kept[-1].store.remove()
            kept[-1].store.close()
        store = PeopleStore(cohorts, unit, states, folder, _key(loaded, choices, how))
        kept.append(
            StreamedPeople(
                loaded.model, choices, options, loaded.generated.fingerprint, store, prepared.refused,
                prepared.notes,
            )
        )  # fmt: skip
        if begun is not None:
            begun(kept[-1])
        return len(store.finished), store.add

    choices = solve_people(cohorts, how, begin, hear, parts_by(pool))
    return replace(kept[-1], choices=choices)


def _key(loaded: Spec, choices: Sequence[Choice], how: Solving) -> str:
    """Hash of everything that the numbers depend on."""
    found = hashlib.sha256()
    for text in _texts(loaded, choices, how):
        found.update(text)
        found.update(b"\0")
    return found.hexdigest()


def _texts(loaded: Spec, choices: Sequence[Choice], how: Solving) -> Iterator[bytes]:
    told = {"versions": versions(), "solver": asdict(how.options), "states": how.states}
    yield json.dumps({**told, "settings": loaded.settings}, sort_keys=True, default=str).encode()
    for file in loaded.model.files:
        yield file.text.encode()
    for one in choices:
        who = one.cohort
        yield f"{who.scenario} {who.compiled.fingerprint} {one.record.method} {one.size}".encode()
        yield "\n".join(who.ids).encode()
        yield who.times.tobytes()
        yield who.p.tobytes()
        for name, value in sorted(who.overrides.items()):
            yield name.encode() + np.asarray(value).tobytes()
