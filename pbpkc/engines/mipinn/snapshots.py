"""Reference trajectories of tasks on the grids of their segments: what features are learned from.

They come from the reference solver, segment by segment. A segment is followed to the end of its kind's grid,
beyond the event that ends it, so that all segments of a kind are sampled alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.family import Task
from pbpkc.engines.mipinn.grid import Grid, geometric
from pbpkc.engines.mipinn.kinds import infusion_targets, kind_of
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.solve.equations import StateEquations
from pbpkc.solve.integrate import integrate
from pbpkc.solve.jumps import jumped
from pbpkc.solve.options import SolverOptions, absolute_tolerance
from pbpkc.solve.timeline import Segment, base_inputs, timeline

Array = NDArray[np.float64]

#: Features are wanted to 1e-6; tighter tolerances only cost time.
SOLVER = SolverOptions(rtol=1e-9)

#: Tasks whose time scales are looked at.
SCALED = 40


@dataclass(frozen=True)
class Snapshot:
    """One segment of one task.

    Parameters
    ----------
    kind : str
    task : int
    segment : Segment
    y0 : array, shape (S,)
        State after the events at its beginning.
    values : array, shape (N, S)
        States at the nodes of the kind's grid.
    """

    kind: str
    task: int
    segment: Segment
    y0: Array
    values: Array


@dataclass(frozen=True)
class Failed:
    """A task whose reference solve failed, and why."""

    task: int
    pattern: str
    reason: str


def segments_of(compiled: CompiledModel, task: Task) -> list[tuple[str, Segment]]:
    """The segments of a task with their kinds; those without length left out but for their events."""
    manifest = compiled.manifest
    targets = infusion_targets(manifest["inputs"])
    found = timeline(
        task.regimen, np.zeros(0), manifest["inputs"], compiled.state_names, end=task.end, p=task.p
    )
    return [
        (kind_of(segment, k == 0, targets, compiled.state_names), segment) for k, segment in enumerate(found)
    ]


def grids(compiled: CompiledModel, tasks: Sequence[Task]) -> dict[str, Grid]:
    """A grid for every kind of segment that the tasks have, as long as the longest of the kind."""
    longest: dict[str, float] = {}
    for task in tasks:
        for kind, segment in segments_of(compiled, task):
            longest[kind] = max(longest.get(kind, 0.0), segment.t1 - segment.t0)
    fastest = fastest_scale(compiled, tasks)
    return {
        kind: geometric(length, min(fastest, length))
        for kind, length in sorted(longest.items())
        if length > 0.0
    }


def fastest_scale(compiled: CompiledModel, tasks: Sequence[Task]) -> float:
    """The shortest time scale of some tasks where they begin, h; inf where nothing moves.

    One over the largest eigenvalue of the Jacobian, by size: the spec's own values would miss a parameter
    that the family makes eight times as fast.
    """
    largest = 0.0
    for task in tasks[:: max(1, len(tasks) // SCALED)]:
        y = np.array(compiled.initial_state(task.p), dtype=float)
        for event in task.regimen.events:
            if event.kind == "bolus":
                y[event.state] += event.value
        u = base_inputs(compiled.manifest["inputs"], task.p)
        matrix = compiled.jacobian_dense(task.regimen.begin, y, task.p, u)
        if np.all(np.isfinite(matrix)):
            largest = max(largest, float(np.abs(np.linalg.eigvals(matrix)).max()))
    return 1.0 / largest if largest > 0.0 else np.inf


#: State at the beginning (S,) and at the nodes (N, S), for each segment that has a length.
Trajectory = list[tuple[Array, Array]]


def follow(
    compiled: CompiledModel,
    task: Task,
    on: Mapping[str, Grid],
    options: SolverOptions = SOLVER,
) -> Trajectory | Failed:
    """The reference trajectory of a task."""
    equations = StateEquations(compiled, task.p)
    atol = absolute_tolerance(options, compiled.manifest["states"], task.regimen.smallest_dose)
    y = np.array(equations.module.initial_state(task.p, equations.c), dtype=float)
    for start in task.regimen.starts:
        y[start.state] = start.value
    beginning = y
    found = []
    for kind, segment in segments_of(compiled, task):
        y = jumped(y, segment, beginning)
        length = segment.t1 - segment.t0
        if length <= 0.0:
            continue
        wanted, place = np.unique(np.append(on[kind].nodes, length), return_inverse=True)
        part = integrate(equations.on(segment), y, float(wanted[-1]), wanted, options, atol)
        if part.reason:
            return Failed(task.number, task.pattern, f"{part.reason} at {segment.t0 + part.reached:.4g} h")
        found.append((y, part.values[place[:-1]]))
        y = part.values[place[-1]]
    return found


def snapshots(compiled: CompiledModel, task: Task, trajectory: Trajectory) -> list[Snapshot]:
    """A trajectory as snapshots of its segments."""
    lasting = [(kind, s) for kind, s in segments_of(compiled, task) if s.t1 > s.t0]
    return [
        Snapshot(kind, task.number, segment, y0, values)
        for (kind, segment), (y0, values) in zip(lasting, trajectory, strict=True)
    ]
