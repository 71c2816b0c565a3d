"""Train a model on the family of tasks that a spec describes (stage 1 of MI-PINN)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pbpkc.body.people import JointDistribution, independent, joint_distribution
from pbpkc.engines.mipinn import checkpoint
from pbpkc.engines.mipinn.family import Family, Pattern, corners, draw_task, parameter_ranges
from pbpkc.engines.mipinn.kinds import unfollowed
from pbpkc.engines.mipinn.material import TrainingError
from pbpkc.engines.mipinn.network.device import demand_device, free_memory, step_memory
from pbpkc.engines.mipinn.partial import PartialFolder
from pbpkc.engines.mipinn.snapshots import SOLVER, grids, segments_of
from pbpkc.engines.mipinn.stage import Stage
from pbpkc.engines.mipinn.trained import equations_of
from pbpkc.engines.mipinn.training import Training, train
from pbpkc.engines.mipinn.training_options import TrainingOptions
from pbpkc.experiment.bind import bind
from pbpkc.experiment.data import Dataset
from pbpkc.experiment.regimen import Regimen
from pbpkc.experiment.scenario import find_scenario, parameter_vector
from pbpkc.jobs.individuals import individuals
from pbpkc.jobs.simulate import named, planned
from pbpkc.jobs.variants import Variants
from pbpkc.language.diagnostics import Diagnostic, SpecError
from pbpkc.solve.output import versions
from pbpkc.solve.timeline import timeline

if TYPE_CHECKING:
    from pbpkc.jobs.spec import Spec
    from pbpkc.runtime.compiled import CompiledModel


#: Trajectories in memory at the peak: as they are kept, normalised twice, and decomposed.
COPIES = 5.0


@dataclass(frozen=True)
class MetaTrainJob:
    """What is trained and how.

    Parameters
    ----------
    scenarios : sequence of str
        Patterns of doses; all written ones where empty. One that reads data gives a pattern an individual.
    dose_range, infusion_range : (float, float)
        Factors on amounts, and on the lengths of infusions.
    options : TrainingOptions
    """

    scenarios: Sequence[str] = ()
    dose_range: tuple[float, float] = (0.5, 2.0)
    infusion_range: tuple[float, float] = (1.0, 1.0)
    options: TrainingOptions = field(default_factory=TrainingOptions)

    def __post_init__(self) -> None:
        for name in ("dose_range", "infusion_range"):
            low, high = getattr(self, name)
            if not 0.0 < low <= high < float("inf"):
                raise ValueError(
                    f"{name} is ({low:g}, {high:g}); accepted are two factors above 0, the smaller one first"
                )


@dataclass(frozen=True)
class MetaTrained:
    """A finished training with the equations it is for, and the names of what was left out of the family."""

    training: Training
    compiled: CompiledModel
    family: Family
    reused: int


def meta_train(
    loaded: Spec,
    job: MetaTrainJob,
    output: Path | None = None,
    resume: bool = True,
    progress: Callable[[Stage], None] | None = None,
) -> MetaTrained:
    """Train, and write the model where `output` is given.

    Parameters
    ----------
    loaded : Spec
    job : MetaTrainJob
    output : Path, optional
        The file; trajectories and networks of a stopped training are kept in ``FILE.partial`` until it is
        written.
    resume : bool
        Whether these are taken over.
    progress : callable, optional

    Raises
    ------
    SpecError
        For a scenario that cannot be bound.
    ValueError
        For a scenario that does not exist, or one without an end; for a range of doses or infusions where no
        scenario has any; for a device that is not there.
    TrainingError
        If too many tasks of the family cannot be solved.
    """
    if job.options.basis == "network":
        demand_device(job.options.network.device)
    compiled, family = family_of(loaded, job)
    _demand_memory(compiled, family, job.options)
    partial = None
    if output is not None:
        partial = PartialFolder(output.with_name(output.name + ".partial"), _key(compiled, family, job))
        if not resume:
            partial.remove()
            partial = PartialFolder(partial.path, partial.key)
    reused = 0 if partial is None else partial.count
    folder = None if partial is None else partial.path
    training = train(compiled, family, job.options, progress, partial, folder)
    if output is not None and partial is not None:
        checkpoint.write(output, training.model)
        partial.remove()
    return MetaTrained(training, compiled, family, reused)


def family_of(loaded: Spec, job: MetaTrainJob) -> tuple[CompiledModel, Family]:
    """The equations and the family of tasks that a spec describes."""
    model = loaded.model
    names = list(job.scenarios) or [s.name for s in model.scenarios.values() if s.data is None]
    if not names:
        raise ValueError(
            "the spec has no written scenario to train on; name one that reads data, with --scenario"
        )
    gathered: list[tuple[str, Regimen, dict[str, float], Dataset | None]] = []
    for name in dict.fromkeys(names):
        if find_scenario(model, name).data is None:
            plan = planned(model, name)
            gathered.append((name, plan.regimen, dict(plan.overrides), None))
        else:
            dataset = individuals(loaded, name, scored=False)
            for one in dataset.subjects:
                overrides = {**dataset.overrides, **one.covariates}
                gathered.append((f"{name}:{one.id}", one.regimen, overrides, dataset))
    for name, regimen, _, _ in gathered:
        if what := regimen.solved_for:
            raise SpecError(
                [
                    Diagnostic(
                        "not-learned",
                        f"scenario '{name}' has {what}, which a fast model does not solve for",
                        help="train on scenarios that begin at given amounts, with doses that have a `count`",
                    )
                ]
            )
    every: dict[str, float] = {}
    for _, _, overrides, _ in gathered:
        every |= overrides
    _, compiled = Variants(loaded, job.options.basis == "network").for_settings(every)
    patterns = tuple(
        Pattern(name, regimen, overrides, _end(compiled, name, regimen, overrides))
        for name, regimen, overrides, _ in gathered
    )
    ranges = parameter_ranges(compiled)
    people = _people(loaded, compiled, {r.name for r in ranges})
    # A covariate that every individual brings with it is varied all the same: the next one is another person.
    brought = {name for p in patterns for name in p.overrides} & {
        r.name for r in ranges if r.why == "covariate"
    }
    patterns = tuple(
        replace(p, overrides={k: v for k, v in p.overrides.items() if k not in brought}) for p in patterns
    )
    _demand_followed(compiled, patterns)
    family = Family(ranges, patterns, job.dose_range, job.infusion_range, people)
    _demand_effect(compiled, family)
    return compiled, family


def _demand_effect(compiled: CompiledModel, family: Family) -> None:
    """Refuse factors on what no scenario has: they would look as if they had been heard."""
    kinds = {event.kind for task in corners(family, compiled) for event in task.regimen.events}
    for name, told, without, has, what in (
        ("infusion_range", family.infusion, (1.0, 1.0), "start" in kinds, "infuses anything"),
        ("dose_range", family.dose, MetaTrainJob().dose_range, bool(kinds - {"reset", "set"}), "has a dose"),
    ):
        if not has and told != without:
            raise ValueError(
                f"{name} is ({told[0]:g}, {told[1]:g}), and no scenario of this family {what} "
                f"({_names(family)}); leave it out, or train on a scenario that does"
            )


def _names(family: Family) -> str:
    """The patterns of a family by name, the first few."""
    names = [pattern.name for pattern in family.patterns]
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _demand_followed(compiled: CompiledModel, patterns: Sequence[Pattern]) -> None:
    """Refuse what changes in a way that features cannot follow, before hours are spent on it."""
    inputs = compiled.manifest["inputs"]
    for pattern in patterns if compiled.held_parameters else ():
        p = parameter_vector(compiled, pattern.overrides)
        bound = bind(pattern.regimen, {**named(compiled, p), **pattern.overrides})
        line = timeline(bound, np.zeros(0), inputs, compiled.state_names, end=pattern.end, p=p)
        why = unfollowed(line, inputs)
        if why:
            raise ValueError(
                f"scenario '{pattern.name}': {why}, which a trained model does not follow; train on another "
                "scenario, or fit with --method least-squares"
            )


def _end(compiled: CompiledModel, name: str, regimen: Regimen, overrides: dict[str, float]) -> float:
    p = parameter_vector(compiled, overrides)
    bound = bind(regimen, {**named(compiled, p), **overrides})
    end = bound.last_event if bound.end is None else bound.end
    if not end > bound.begin:
        raise ValueError(f"scenario '{name}' has no end; give it a `run`, such as: run 24 [h]")
    return float(end)


def _people(loaded: Spec, compiled: CompiledModel, taken: set[str]) -> JointDistribution | None:
    """What populations of the spec vary beyond masked parameters and covariates, each by itself."""
    found = {}
    for population in loaded.model.populations.values():
        for one in joint_distribution(loaded.model, population).marginals:
            if one.name not in taken and one.name in compiled.parameter_index:
                found[one.name] = one
    return independent(found.values()) if found else None


def _key(compiled: CompiledModel, family: Family, job: MetaTrainJob) -> str:
    """Hash of everything the trajectories depend on."""
    material = {
        "equations": equations_of(compiled),
        "parameters": compiled.parameters().tolist(),
        "ranges": [asdict(r) for r in family.ranges],
        "patterns": [
            [p.name, str(p.regimen.doses), str(p.regimen.changes), p.end, sorted(p.overrides.items())]
            for p in family.patterns
        ],
        "people": None if family.people is None else [asdict(m) for m in family.people.marginals],
        "dose": family.dose,
        "infusion": family.infusion,
        "seed": job.options.seed,
        "tasks": job.options.tasks + job.options.held_out,
        "solver": asdict(SOLVER),
        "versions": versions(),
    }
    return hashlib.sha256(json.dumps(material, sort_keys=True, default=str).encode()).hexdigest()


def estimated_memory(compiled: CompiledModel, family: Family, options: TrainingOptions) -> float:
    """Bytes that a training needs at its peak, about."""
    some = [draw_task(family, compiled, n, options.seed) for n in range(min(options.tasks, 10))]
    on = grids(compiled, some)
    per_task = [
        sum(len(on[kind].nodes) for kind, s in segments_of(compiled, task) if s.t1 > s.t0) for task in some
    ]
    kept = options.tasks * float(np.mean(per_task)) * len(compiled.state_names) * 8.0
    return COPIES * kept


def _demand_memory(compiled: CompiledModel, family: Family, options: TrainingOptions) -> None:
    """Refuse what the machine could not hold, before hours are spent on it."""
    there, wanted = free_memory("cpu"), estimated_memory(compiled, family, options)
    if there is not None and wanted > there:
        raise TrainingError(
            f"the trajectories of {options.tasks} tasks need about {wanted / 1e9:.1f} GB of memory, and "
            f"{there / 1e9:.1f} GB are free; train on fewer tasks (--tasks) or shorter courses of doses"
        )
    if options.basis != "network":
        return
    some = grids(
        compiled, [draw_task(family, compiled, n, options.seed) for n in range(min(options.tasks, 10))]
    )
    points = max((len(grid.quadrature()[0]) for grid in some.values()), default=0)
    network = options.network
    there = free_memory(network.device)
    wanted = step_memory(len(compiled.state_names), max(options.features), points, network)
    if there is not None and wanted > there:
        raise TrainingError(
            f"a step of the network's training needs about {wanted / 1e9:.1f} GB of memory, and "
            f"{there / 1e9:.1f} GB are free on {network.device}; ask for fewer features (--features)"
        )
