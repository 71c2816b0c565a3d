"""Stage 1: from a family of tasks to a trained model.

Tasks are drawn and solved by the reference solver; their trajectories give features for every kind of
segment; held-out solves decide how many branches and features there are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pbpkc.engines.mipinn.candidates import Candidates
from pbpkc.engines.mipinn.family import Family
from pbpkc.engines.mipinn.material import Material, Partial, gather
from pbpkc.engines.mipinn.selection import Errors, choose, measure
from pbpkc.engines.mipinn.stage import Stage
from pbpkc.engines.mipinn.trained import TrainedModel
from pbpkc.engines.mipinn.training_options import TrainingOptions
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.solve.output import versions


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
    makers = Candidates(compiled, family, material, options, folder, heard)
    states = len(compiled.state_names)
    observables = list(range(len(compiled.observable_names)))
    # More branches than states are one for every state, which is tried once.
    numbers = dict.fromkeys(min(b, states) if b else states for b in options.branches)
    grid = [(b, f) for b in numbers for f in options.features]
    tried: list[Errors] = []
    for number, (branches, features) in enumerate(grid):
        model, count = makers.model(branches, features), makers.count(branches)
        tried.append(measure(compiled, model, material.held, count, features, options.head, observables))
        if heard is not None:
            heard(Stage(number + 1, len(grid), "branches and features by held-out solves"))
    chosen = choose(tried, options.tolerance)
    branches, features = grid[tried.index(chosen)]
    record = _record(family, material, options, tried, chosen)
    if options.basis == "network":
        record["loss"] = {kind: makers.networks.loss(kind, branches) for kind in sorted(material.grids)}
    model = makers.model(branches, features, record)
    names = {kind: makers.names(kind, branches) for kind in material.grids}
    seconds = {"trajectories": solved, "all": time.process_time() - began}
    if options.basis == "network":
        seconds["networks"] = makers.networks.seconds
    return Training(model, tuple(tried), chosen, names, seconds, options.tolerance)


def _record(
    family: Family, material: Material, options: TrainingOptions, tried: Sequence[Errors], chosen: Errors
) -> dict[str, object]:
    """How the model came about, as it stands in its file."""
    return {
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


def stagnates(tried: Sequence[Errors], chosen: Errors) -> bool:
    """Whether the error stopped falling with the number of features well above rounding.

    A wrong source term or a wrong Jacobian shows like that, so it is a test of the whole chain.
    """
    line = sorted((e.features, e.median) for e in tried if e.branches == chosen.branches)
    if len(line) < 3:
        return False
    return bool(line[-1][1] > 0.5 * line[len(line) // 2][1] and line[-1][1] > 1e-4)
