"""Runs of many subjects cut where their states are put in a steady state, and where such a run is reset.

A kernel follows what lies between. Where a run begins in a steady state or where another ends, that is found
first, for all subjects at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.events import BoundRegimen, Event, Steady
from pbpkc.solve.batch_rest import Solver, resting_states
from pbpkc.solve.batch_steady import interval_segments, steady_starts
from pbpkc.solve.kernel import KernelRuns
from pbpkc.solve.passage import initial_states
from pbpkc.solve.schedule import NotScheduled, Schedule, schedule
from pbpkc.solve.steady_structure import steady_structure
from pbpkc.solve.timeline import Held, Segment, held_at_start, timeline

if TYPE_CHECKING:
    from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Courses:
    """What is done to B subjects.

    Parameters
    ----------
    p : ndarray, shape (B, P)
    regimens : tuple of BoundRegimen
        Where values are held, or starts have their own inputs, one for each subject.
    which : ndarray of int, shape (B,)
        The regimen of each.
    atol : ndarray, shape (R, S)
        Of each regimen.
    """

    p: Array
    regimens: tuple[BoundRegimen, ...]
    which: Places
    atol: Array

    def of(self, runs: Sequence[int]) -> tuple[Courses, Places]:
        """The subjects who have some of the regimens, and who they are."""
        who = np.flatnonzero(np.isin(self.which, runs))
        place = np.zeros(len(self.regimens), dtype=np.int64)
        place[list(runs)] = np.arange(len(runs))
        regimens = tuple(self.regimens[k] for k in runs)
        return Courses(self.p[who], regimens, place[self.which[who]], self.atol[list(runs)]), who

    def someone(self, run: int) -> Array:
        """Parameters of the first who has a regimen, shape (P,)."""
        return np.asarray(self.p[int(np.argmax(self.which == run))])


@dataclass(frozen=True)
class Piece:
    """Segments that a kernel follows at once, and what happens before them.

    Parameters
    ----------
    opening : Event or None
        A steady state, with what is `held` in it, or a reset; None for the beginning of the run.
    held : Held or None
    segments : tuple of Segment
    """

    opening: Event | None
    held: Held | None
    segments: tuple[Segment, ...]

    @property
    def samples(self) -> slice:
        """Which of the run's samples lie in it."""
        return slice(self.segments[0].samples.start, self.segments[-1].samples.stop)


def pieces(segments: Sequence[Segment]) -> tuple[Piece, ...]:
    """A run cut at its steady states, and at the resets behind the first of them."""
    found: list[Piece] = []
    opening: Event | None = None
    held: Held | None = None
    current: list[Segment] = []
    for segment in segments:
        reached, waiting, first = iter(segment.held), list[Event](), segment.samples.start
        for event in segment.events:
            if event.steady is None and not (event.kind == "reset" and (found or opening)):
                waiting.append(event)
                continue
            if waiting or (opening is not None and not current):
                # What happened before at the same time.
                current.append(
                    replace(segment, t1=segment.t0, events=tuple(waiting), samples=slice(first, first))
                )
            if current:
                found.append(Piece(opening, held, tuple(current)))
            opening, held = event, None if event.steady is None else next(reached)
            current, waiting = [], []
        current.append(replace(segment, events=tuple(waiting)))
    return (*found, Piece(opening, held, tuple(current)))


def starts(solver: Solver, courses: Courses) -> Array:
    """The states before any event, shape (B, S); nan where one was not found.

    Raises
    ------
    NotScheduled
        If one cannot be found by a kernel.
    """
    compiled, manifest = solver.compiled, solver.compiled.manifest
    y = initial_states(compiled, courses.p)
    after = [k for k, regimen in enumerate(courses.regimens) if regimen.after is not None]
    if after:
        some, who = courses.of(after)
        y[who] = _ends(solver, some)
    rests = [k for k, regimen in enumerate(courses.regimens) if regimen.rests and regimen.after is None]
    if rests:
        some, who = courses.of(rests)
        # No name is differentiated by.
        u = np.array([held_at_start(some.regimens[0], manifest["inputs"], p).u for p in some.p])
        u = u.reshape(len(who), len(manifest["inputs"]))
        y[who] = resting_states(
            solver, some.p, y[who], u, np.zeros_like(y[who]), some.atol[some.which]
        )  # fmt: skip
    return _given(courses, y)


def given_starts(compiled: CompiledModel, courses: Courses) -> Array:
    """The states before any event where no run begins in a steady state or after another, shape (B, S)."""
    return _given(courses, initial_states(compiled, courses.p))


def _given(courses: Courses, y: Array) -> Array:
    """States with the initial values that regimens set."""
    for k, regimen in enumerate(courses.regimens):
        for given in regimen.starts:
            y[courses.which == k, given.state] = given.value
    return y


def _ends(solver: Solver, courses: Courses) -> Array:
    """Where the runs before end, shape (B, S); nan where one does not."""
    compiled = solver.compiled
    p, regimens = courses.p.copy(), []
    for k, regimen in enumerate(courses.regimens):
        assert regimen.after is not None
        for name, value in regimen.after.overrides.items():
            if name in compiled.parameter_index:
                p[courses.which == k, compiled.parameter_index[name]] = value
        regimens.append(regimen.after.regimen)
    before = Courses(p, tuple(regimens), courses.which, courses.atol)
    runs = [
        timeline(regimen, np.zeros(0), compiled.manifest["inputs"], compiled.state_names, end=regimen.end,
                 p=before.someone(k))
        for k, regimen in enumerate(regimens)
    ]  # fmt: skip
    nothing = [np.zeros(0)] * len(runs)
    y0 = starts(solver, before)
    found = follow(solver, before, runs, nothing, y0, states=False, observables=False)
    return np.where((found.status == 0)[:, None], found.last, np.nan)


def follow(
    solver: Solver,
    courses: Courses,
    runs: Sequence[Sequence[Segment]],
    times: Sequence[Array],
    y0: Array,
    states: bool,
    observables: bool,
    progress: Callable[[int, int], None] | None = None,
) -> KernelRuns:
    """Solve the runs of B subjects.

    Parameters
    ----------
    solver : Solver
    courses : Courses
    runs : sequence of segments
        Of each regimen.
    times : sequence of ndarray, h
        Of the samples of each regimen.
    y0 : ndarray, shape (B, S)
        Of `starts`.
    states, observables : bool
        Which of them are kept.
    progress : callable (done, all), optional

    Raises
    ------
    NotScheduled
        If a kernel cannot follow one of them.
    """
    split = [pieces(segments) for segments in runs]
    most = max(len(parts) for parts in split)
    whole, y = _Whole(solver, courses, times, states, observables), y0.copy()
    for turn in range(most):
        having = [k for k, parts in enumerate(split) if len(parts) > turn]
        some, who = courses.of(having)
        parts = [split[k][turn] for k in having]
        if any(part.opening is not None for part in parts):
            y[who] = _opened(solver, some, parts, y[who], y0[who])
        plan = _scheduled(solver, parts, [times[k][split[k][turn].samples] for k in having])
        found = solver.kernel.solve(
            some.p, y[who], plan, some.which, solver.rtol, some.atol, solver.max_steps, states=states,
            observables=observables, threads=solver.threads,
            progress=progress if turn == most - 1 else None,
        )  # fmt: skip
        if most == 1:
            return found
        whole.take(found, who, np.array([part.samples.start for part in parts])[some.which])
        y[who] = np.where((found.status == 0)[:, None], found.last, np.nan)
    return whole.runs


def _scheduled(solver: Solver, parts: Sequence[Piece], times: Sequence[Array]) -> Schedule:
    sizes = len(solver.compiled.state_names), len(solver.compiled.manifest["inputs"])
    runs = [(part.segments, sampled) for part, sampled in zip(parts, times, strict=True)]
    return schedule([(_from_zero(segments), sampled) for segments, sampled in runs], *sizes)


def _from_zero(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Segments whose samples are counted from the first."""
    first = segments[0].samples.start
    return tuple(
        replace(part, samples=slice(part.samples.start - first, part.samples.stop - first))
        for part in segments
    )


class _Whole:
    """The results of all pieces in one place."""

    def __init__(
        self, solver: Solver, courses: Courses, times: Sequence[Array], states: bool, observables: bool
    ) -> None:
        counts = np.array([sampled.size for sampled in times], dtype=np.int64)[courses.which]
        rows = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        size, count = len(courses.p), len(solver.compiled.state_names)
        seen = len(solver.compiled.observable_names)
        self.runs = KernelRuns(
            rows,
            np.full((rows[-1], count), np.nan) if states else None,
            np.full((rows[-1], seen), np.nan) if observables else None,
            np.full((size, count), np.nan),
            np.full(size, np.nan),
            np.zeros(size, dtype=np.int64),
            np.zeros(size, dtype=np.int64),
            np.zeros(size, dtype=np.int64),
        )

    def take(self, found: KernelRuns, who: Places, first: Places) -> None:
        """Put one piece where it belongs; `first` is its first sample of each subject."""
        runs = self.runs
        counts = np.diff(found.rows)
        begins = np.repeat(runs.rows[who] + first - found.rows[:-1], counts)
        rows = begins + np.arange(found.rows[-1])
        if runs.states is not None:
            runs.states[rows] = found.states
        if runs.observables is not None:
            runs.observables[rows] = found.observables
        # Once a piece is not finished, nothing after it counts.
        go_on = who[runs.status[who] == 0]
        good = runs.status[who] == 0
        runs.last[go_on], runs.reached[go_on] = found.last[good], found.reached[good]
        runs.status[go_on] = found.status[good]
        runs.steps[who] += found.steps
        runs.rejected[who] += found.rejected


def _opened(solver: Solver, courses: Courses, parts: Sequence[Piece], y: Array, start: Array) -> Array:
    """States after what opens a piece: a reset brings back the start, a steady state is looked for."""
    found = y.copy()
    kinds: dict[str, list[int]] = {}
    for k, part in enumerate(parts):
        if part.opening is not None and part.opening.steady is None:
            found[courses.which == k] = start[courses.which == k]
        elif part.opening is not None:
            assert part.opening.steady is not None
            kinds.setdefault("constant" if part.opening.steady.period is None else "periodic", []).append(k)
    for kind, runs in kinds.items():
        some, who = courses.of(runs)
        chosen = [_Settling.of(parts[k]) for k in runs]
        settled = (_constant if kind == "constant" else _periodic)(solver, some, chosen, start[who])
        adds = np.array([one.steady.adds for one in chosen])[some.which]
        if np.any(adds):
            # What these doses alone add to a body without doses, on top of what is there.
            nothing = [replace(one, steady=replace(one.steady, running=())) for one in chosen]
            more = settled - _constant(solver, some, nothing, start[who])
            more[:, steady_structure(solver.compiled.manifest).left] = 0.0
            settled = np.where(adds[:, None], y[who] + more, settled)
        found[who] = settled
    return found


@dataclass(frozen=True)
class _Settling:
    """Doses whose steady state is looked for, and what is held then."""

    steady: Steady
    held: Held

    @classmethod
    def of(cls, part: Piece) -> _Settling:
        assert part.opening is not None
        assert part.opening.steady is not None
        assert part.held is not None
        return cls(part.opening.steady, part.held)


def _constant(solver: Solver, courses: Courses, chosen: Sequence[_Settling], start: Array) -> Array:
    """Steady states of infusions that never change, or of none."""
    manifest, names = solver.compiled.manifest, solver.compiled.state_names
    if any(one.steady.running for one in chosen) and steady_structure(manifest).clocks:
        raise NotScheduled("a constant infusion has no last dose, and the equations read the time since it")
    ports = {item["target"]: k for k, item in enumerate(manifest["inputs"]) if item["kind"] == "infusion"}
    u = np.array([one.held.u for one in chosen]).reshape(len(chosen), len(manifest["inputs"]))
    extra = np.zeros((len(chosen), len(names)))
    for k, one in enumerate(chosen):
        for running in one.steady.running:
            port = ports.get(names[running.state])
            if port is None:
                extra[k, running.state] += running.rate
            else:
                u[k, port] += running.rate
    which = courses.which
    return resting_states(solver, courses.p, start, u[which], extra[which], courses.atol[which])


def _periodic(solver: Solver, courses: Courses, chosen: Sequence[_Settling], start: Array) -> Array:
    """Steady states of doses with an interval; nan where there is none."""
    manifest, names = solver.compiled.manifest, solver.compiled.state_names
    runs = [(interval_segments(one.steady, manifest, names, one.held), np.zeros(0)) for one in chosen]
    found = steady_starts(
        solver.kernel, manifest, courses.p, start, schedule(runs, len(names), len(manifest["inputs"])),
        courses.which, solver.rtol, courses.atol, solver.max_steps, solver.threads,
    )  # fmt: skip
    return np.where(found.found[:, None], found.y, np.nan)
