"""Stage 1: from a family of tasks to a trained model.

Tasks are drawn and solved by the reference solver; their trajectories give features for every kind of
segment; held-out solves decide how many branches and features there are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.basis import Basis
from pbpkc.engines.mipinn.branches import dissimilarity, group
from pbpkc.engines.mipinn.family import Family, Task, corners, draw_task
from pbpkc.engines.mipinn.fast import size_of
from pbpkc.engines.mipinn.features import projected, svd_basis
from pbpkc.engines.mipinn.fixed_bases import chebyshev_basis, random_basis
from pbpkc.engines.mipinn.grid import Grid
from pbpkc.engines.mipinn.kinds import infusion_targets
from pbpkc.engines.mipinn.network import Network
from pbpkc.engines.mipinn.network_options import NetworkOptions
from pbpkc.engines.mipinn.networks import Networks
from pbpkc.engines.mipinn.selection import Errors, HeldOut, choose, hold_out, measure
from pbpkc.engines.mipinn.snapshots import Failed, Snapshot, Trajectory, follow, grids, segments_of, snapshots
from pbpkc.engines.mipinn.stage import Stage
from pbpkc.engines.mipinn.trained import KindModel, Memory, TrainedModel, equations_of
from pbpkc.infer.compiled_predictor import enters_prediction
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.solve.output import versions
from pbpkc.solve.timeline import Segment

Array = NDArray[np.float64]

#: What `--basis` accepts, with what each is.
BASES = {
    "svd": "singular vectors of reference trajectories",
    "network": "sine networks trained with the physics residual through the head",
    "chebyshev": "Chebyshev polynomials in the logarithm of time (a control)",
    "random": "random sine features in the logarithm of time (a control)",
}

#: Tasks remembered as starts of the iteration.
REMEMBERED = 64

#: Segments of one kind that features are learned from; a course of many doses has thousands.
SEGMENTS = 600

#: Share of tasks that may fail before training gives up: what failed is then the model's fault.
FAILING = 0.2


@dataclass(frozen=True)
class TrainingOptions:
    """How a model is trained.

    Parameters
    ----------
    tasks, held_out : int
        Tasks that features are learned from, and tasks that judge them.
    seed : int
    basis : {"svd", "network", "chebyshev", "random"}
    head : {"galerkin", "least-squares"}
        What solves the held-out tasks.
    branches, features : tuple of int
        What is tried; a single number fixes it. 0 branches: one for every state.
    tolerance : float
        Median relative error of the observables on held-out tasks that is good enough.
    network : NetworkOptions
        How networks are trained; the other bases do not read it.
    """

    tasks: int = 240
    held_out: int = 20
    seed: int = 0
    basis: str = "svd"
    head: str = "galerkin"
    branches: tuple[int, ...] = (1, 2, 4, 8, 16, 0)
    features: tuple[int, ...] = (8, 12, 16, 20, 24)
    tolerance: float = 1e-5
    network: NetworkOptions = field(default_factory=NetworkOptions)

    def __post_init__(self) -> None:
        if self.basis not in BASES:
            raise ValueError(f"basis is {self.basis!r}; accepted are {', '.join(BASES)}")
        for name, least in (("tasks", 2), ("held_out", 1), ("seed", 0)):
            value = getattr(self, name)
            if value < least:
                raise ValueError(f"{name} is {value!r}; accepted is an integer of at least {least}")
        if not self.branches or min(self.branches) < 0:
            raise ValueError(f"branches is {self.branches!r}; accepted are integers of 0 or more")
        if not self.features or min(self.features) < 1:
            raise ValueError(f"features is {self.features!r}; accepted are integers of 1 or more")


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


@dataclass(frozen=True)
class Training:
    """A finished training.

    Parameters
    ----------
    model : TrainedModel
    tried : tuple of Errors
        Every candidate, in the order in which they were tried.
    chosen : Errors
    branch_names : mapping of str to tuple of tuple of str
        For every kind the states of each branch that move.
    cpu_seconds : mapping of str to float
        What it cost: reference trajectories, networks where there are any, and all. Not part of the model,
        whose bytes are the same every time.
    target : float
        The tolerance that a candidate had to meet.
    """

    model: TrainedModel
    tried: tuple[Errors, ...]
    chosen: Errors
    branch_names: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    cpu_seconds: Mapping[str, float] = field(default_factory=dict, compare=False)
    target: float = 1e-5


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
    """
    count = options.tasks + options.held_out
    tasks = [draw_task(family, compiled, number, options.seed) for number in range(count)]
    on = grids(compiled, [*tasks, *corners(family, compiled)])
    if not on:
        raise TrainingError("no task has a run of any length; give the scenario a `run`")
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


def train(
    compiled: CompiledModel,
    family: Family,
    options: TrainingOptions,
    heard: Callable[[Stage], None] | None = None,
    partial: Partial | None = None,
    folder: Path | None = None,
) -> Training:
    """A trained model.

    Parameters
    ----------
    compiled : CompiledModel
    family : Family
    options : TrainingOptions
    heard : callable, optional
    partial : Partial, optional
        Asked for finished trajectories, told of each new one.
    folder : Path, optional
        Where networks keep how far they have come.

    Raises
    ------
    TrainingError
        If too many tasks fail.
    """
    began = time.process_time()
    material = gather(compiled, family, options, heard, partial)
    solved = time.process_time() - began
    observables = [k for k, o in enumerate(compiled.manifest["observables"])]
    makers = Candidates(compiled, family, material, options, folder, heard)
    states = len(compiled.state_names)
    # More branches than states are one for every state, which is tried once.
    numbers = dict.fromkeys(min(b, states) if b else states for b in options.branches)
    grid = [(b, f) for b in numbers for f in options.features]
    tried: list[Errors] = []
    for number, (branches, features) in enumerate(grid):
        candidate = makers.model(branches, features)
        tried.append(
            measure(
                compiled,
                candidate,
                material.held,
                makers.count(branches),
                features,
                options.head,
                observables,
            )
        )
        if heard is not None:
            heard(Stage(number + 1, len(grid), "branches and features by held-out solves"))
    chosen = choose(tried, options.tolerance)
    branches, features = grid[tried.index(chosen)]
    record: dict[str, object] = {
        "options": {n: v for n, v in asdict(options).items() if n != "network" or options.basis == n},
        "versions": versions(),
        "patterns": sorted({t.pattern for t in material.tasks.values()}),
        "dose": list(family.dose),
        "infusion": list(family.infusion),
        "failed": [asdict(f) for f in material.failed],
        "tried": [asdict(e) for e in tried],
        "accuracy": asdict(chosen),
        "stagnates": stagnates(tried, chosen),
    }
    if options.basis == "network":
        record["loss"] = {kind: makers.networks.loss(kind, branches) for kind in sorted(material.grids)}
    model = makers.model(branches, features, record)
    names = {kind: makers.names(kind, branches) for kind in material.grids}
    seconds = {"trajectories": solved, "all": time.process_time() - began}
    if options.basis == "network":
        seconds["networks"] = makers.networks.seconds
    return Training(model, tuple(tried), chosen, names, seconds, options.tolerance)


def stagnates(tried: Sequence[Errors], chosen: Errors) -> bool:
    """Whether the error stopped falling with the number of features well above rounding.

    A wrong source term or a wrong Jacobian shows like that, so it is a test of the whole chain.
    """
    line = sorted((e.features, e.median) for e in tried if e.branches == chosen.branches)
    if len(line) < 3:
        return False
    return bool(line[-1][1] > 0.5 * line[len(line) // 2][1] and line[-1][1] > 1e-4)


class Candidates:
    """Models of any number of branches and features from one material.

    Parameters
    ----------
    compiled : CompiledModel
        With a torch text where the basis is a network.
    family : Family
    material : Material
    options : TrainingOptions
    folder : Path, optional
        Where networks keep how far they have come.
    heard : callable, optional
        Told of the steps of networks.
    """

    def __init__(
        self,
        compiled: CompiledModel,
        family: Family,
        material: Material,
        options: TrainingOptions,
        folder: Path | None = None,
        heard: Callable[[Stage], None] | None = None,
    ) -> None:
        self.compiled, self.family, self.material, self.options = compiled, family, material, options
        self.chosen = {kind: found[:SEGMENTS] for kind, found in material.snapshots.items()}
        self._ends = [x for task in corners(family, compiled) for x in segments_of(compiled, task)]
        self._distance: dict[str, Array] = {}
        self._bases: dict[tuple[str, int], Basis] = {}
        self.networks = Networks(compiled, options.network, options.seed, material.tasks, folder, heard)

    def count(self, branches: int) -> int:
        """Branches as a number: 0 is one for every state."""
        return branches or len(self.compiled.state_names)

    def branch(self, kind: str, branches: int) -> NDArray[np.intp]:
        """The branch of each state."""
        if kind not in self._distance:
            self._distance[kind] = dissimilarity(self.chosen[kind])
        return group(self._distance[kind], self.count(branches))

    def names(self, kind: str, branches: int) -> tuple[tuple[str, ...], ...]:
        """The states of each branch, those that never move left out."""
        branch = self.branch(kind, branches)
        moving = np.any([np.any(s.values != s.y0, axis=0) for s in self.chosen[kind]], axis=0)
        found = (
            tuple(
                name
                for name, b, moves in zip(self.compiled.state_names, branch, moving, strict=True)
                if b == k and moves
            )
            for k in range(int(branch.max()) + 1)
        )
        return tuple(group_ for group_ in found if group_)

    def basis(self, kind: str, branches: int, features: int) -> Basis:
        """Features of a kind."""
        key = kind, branches
        if key not in self._bases:
            count = max(self.options.features)
            grid, branch, found = self.material.grids[kind], self.branch(kind, branches), self.chosen[kind]
            if self.options.basis == "svd":
                made = svd_basis(grid, found, branch, count)
            elif self.options.basis == "network":
                like = svd_basis(grid, found, branch, count)
                made = self.networks.trained(kind, branches, like, found)
            else:
                make = chebyshev_basis if self.options.basis == "chebyshev" else random_basis
                made = make(svd_basis(grid, found, branch, 1), count, self.options.seed)
            self._bases[key] = made
        return self._bases[key].truncated(features)

    def model(self, branches: int, features: int, record: Mapping[str, object] | None = None) -> TrainedModel:
        """The trained model with so many branches and features."""
        compiled, family = self.compiled, self.family
        varied: dict[str, tuple[float, float, bool]] = {
            r.name: (r.low, r.high, r.log) for r in family.ranges if r.low < r.high
        }
        p = np.array([t.p for t in self.material.tasks.values()])
        for k, name in enumerate(compiled.parameter_names):
            low, high = float(p[:, k].min()), float(p[:, k].max())
            if name not in varied and low < high:
                varied[name] = (low, high, low > 0.0 and high > 3.0 * low)
        acts = enters_prediction(compiled, np.arange(p.shape[1]))
        fixed = {
            name: float(p[0, k])
            for k, name in enumerate(compiled.parameter_names)
            if name not in varied and acts[k]
        }
        shell = TrainedModel(
            equations_of(compiled), compiled.fingerprint, str(compiled.manifest["model"]), {}, varied, fixed,
            record or {},
        )  # fmt: skip
        kinds = {
            kind: self._kind(
                shell,
                kind,
                self.basis(kind, branches, features),
                self.networks.of(kind, branches, features),
            )
            for kind in self.material.grids
        }
        return TrainedModel(
            shell.equations, shell.fingerprint, shell.model, kinds, varied, fixed, shell.record
        )

    def _kind(self, shell: TrainedModel, kind: str, basis: Basis, network: Network | None) -> KindModel:
        found = self.chosen[kind]
        some = found[:: max(1, len(found) // REMEMBERED)][:REMEMBERED]
        states = np.arange(len(self.compiled.state_names), dtype=np.intp)
        targets = infusion_targets(self.compiled.manifest["inputs"])
        zero = np.zeros(len(states))
        sizes = np.array(
            [
                size_of(
                    s.y0, s.segment.u, zero if s.segment.extra is None else s.segment.extra, targets,
                    basis.grid.length,
                )
                for s in some
            ]
        )  # fmt: skip
        index = self.compiled.parameter_index
        keys = np.array(
            [
                shell.key(self.material.tasks[s.task].p, index, size)
                for s, size in zip(some, sizes, strict=True)
            ]
        )
        return KindModel(
            basis,
            Memory(keys, sizes, projected(basis, some, states)),
            _given([s.segment for s in found] + [s for k, s in self._ends if k == kind], self.compiled),
            network,
        )


def _given(segments: Sequence[Segment], compiled: CompiledModel) -> dict[str, tuple[float, float]]:
    """Range of what was given at the beginning of segments, by state."""
    seen: dict[str, list[float]] = {}
    for segment in segments:
        for event in segment.events:
            if event.kind != "stop":
                seen.setdefault(compiled.state_names[event.state], []).append(event.value)
    return {name: (min(values), max(values)) for name, values in sorted(seen.items())}
