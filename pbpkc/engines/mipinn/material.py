"""What stage 1 learns from and is judged on: tasks of the family, followed by the reference solver."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pbpkc.engines.mipinn.family import Family, Task, corners, draw_task
from pbpkc.engines.mipinn.grid import Grid
from pbpkc.engines.mipinn.selection import HeldOut, hold_out
from pbpkc.engines.mipinn.snapshots import Failed, Snapshot, Trajectory, follow, grids, snapshots
from pbpkc.engines.mipinn.stage import Stage
from pbpkc.engines.mipinn.training_options import ALWAYS, TrainingOptions
from pbpkc.infer.compiled_predictor import enters_prediction
from pbpkc.runtime.compiled import CompiledModel

#: Share of tasks that may fail before training gives up: what failed is then the model's fault.
FAILING = 0.2


class TrainingError(Exception):
    """A family that cannot be trained on; the text says why and what to change."""


class Partial(Protocol):
    """Where finished trajectories are kept, so that a stopped training goes on."""

    def get(self, number: int) -> Trajectory | None:
        """What is known of a task."""
        ...

    def put(self, number: int, found: Trajectory) -> None:
        """Keep a finished task."""
        ...


@dataclass(frozen=True)
class Material:
    """What features are learned from and judged on.

    Parameters
    ----------
    grids : mapping of str to Grid
    snapshots : mapping of str to list of Snapshot
    tasks : mapping of int to Task
    held : tuple of HeldOut
    failed : tuple of Failed
    """

    grids: Mapping[str, Grid]
    snapshots: Mapping[str, list[Snapshot]]
    tasks: Mapping[int, Task]
    held: tuple[HeldOut, ...]
    failed: tuple[Failed, ...]


def gather(
    compiled: CompiledModel,
    family: Family,
    options: TrainingOptions,
    heard: Callable[[Stage], None] | None = None,
    partial: Partial | None = None,
) -> Material:
    """Draw tasks and follow them with the reference solver.

    Raises
    ------
    TrainingError
        If too many fail; says which and why.
    ValueError
        If more features are asked for than a grid holds.
    """
    count = options.tasks + options.held_out
    tasks = [draw_task(family, compiled, number, options.seed) for number in range(count)]
    on = grids(compiled, [*tasks, *corners(family, compiled)])
    if not on:
        raise TrainingError("no task has a run of any length; give the scenario a `run`")
    _demand_held(on, options)
    by_kind: dict[str, list[Snapshot]] = {kind: [] for kind in on}
    failed: list[Failed] = []
    for task in tasks[: options.tasks]:
        found = partial.get(task.number) if partial is not None else None
        if found is None:
            made = follow(compiled, task, on)
            if isinstance(made, Failed):
                failed.append(made)
            else:
                found = made
                if partial is not None:
                    partial.put(task.number, made)
        for one in snapshots(compiled, task, found) if found is not None else ():
            by_kind[one.kind].append(one)
        if heard is not None:
            heard(Stage(task.number + 1, count, "reference trajectories"))
    held: list[HeldOut] = []
    for task in tasks[options.tasks :]:
        judged = hold_out(compiled, task)
        if isinstance(judged, str):
            failed.append(Failed(task.number, task.pattern, judged))
        else:
            held.append(judged)
        if heard is not None:
            heard(Stage(task.number + 1, count, "held-out trajectories"))
    if len(failed) > FAILING * count or not held or any(not found for found in by_kind.values()):
        raise TrainingError(_why(failed, count, compiled, {t.number: t for t in tasks}))
    return Material(on, by_kind, {t.number: t for t in tasks}, tuple(held), tuple(failed))


def _demand_held(on: Mapping[str, Grid], options: TrainingOptions) -> None:
    """Refuse more features than there are independent functions on the longest grid."""
    most = max(ALWAYS, *(len(grid.nodes) - 1 for grid in on.values()))
    if max(options.features) > most:
        raise ValueError(
            f"features is {options.features!r}; accepted are at most {most} here: the time grid of this "
            "family holds no more that differ"
        )


def _why(failed: Sequence[Failed], count: int, compiled: CompiledModel, tasks: Mapping[int, Task]) -> str:
    lines = [f"{len(failed)} of {count} tasks of the family could not be solved"]
    for one in failed[:5]:
        lines.append(f"  task {one.task} ({one.pattern}): {one.reason}")
    if len(failed) > 5:
        lines.append(f"  and {len(failed) - 5} more")
    if failed:
        acts = enters_prediction(compiled, np.arange(len(compiled.parameter_names)))
        entries = zip(compiled.manifest["parameters"], acts, strict=True)
        masked = [e["name"] for e, enters in entries if e["mask"] and enters]
        index = compiled.parameter_index
        bad = np.array([[tasks[f.task].p[index[name]] for name in masked] for f in failed])
        ends = ", ".join(
            f"{name} from {low:.4g} to {high:.4g}"
            for name, low, high in zip(masked, bad.min(0), bad.max(0), strict=True)
        )
        lines.append(f"there, in canonical units: {ends}")
        lines.append("narrow the bounds of the masked parameters, or the dose range")
    return "\n".join(lines)
