"""Tasks whose truth is known: one subject of a scenario, measured with the error that its spec declares."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pbpkc.compiler.driver import Compiled, compile_file
from pbpkc.experiment.data import Dataset, Subject
from pbpkc.experiment.scenario import experiment
from pbpkc.infer.assemble import assemble
from pbpkc.infer.predictor import Failure
from pbpkc.infer.problem import FitProblem
from pbpkc.infer.synthetic import draw
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.runtime.load import load_numpy
from pbpkc.solve.options import SolverOptions

Array = NDArray[np.float64]

#: A row behind those of every dose.
_AFTER = 1_000_000


@dataclass(frozen=True)
class Design:
    """What is measured, and what is not known.

    Parameters
    ----------
    spec : Path
    scenario : str
    observables : tuple of str
    times : tuple of float, h
    masked : tuple of str
        Estimated; every other masked parameter of the spec is held at its median or at `held`.
    held : mapping of str to float
        Canonical values.
    spread : float
        Truths lie within this factor of the medians, evenly on a logarithmic scale.
    """

    spec: Path
    scenario: str
    observables: tuple[str, ...]
    times: tuple[float, ...]
    masked: tuple[str, ...]
    held: Mapping[str, float]
    spread: float = 2.0


@dataclass(frozen=True)
class Task:
    """Data of one subject with the parameters that made them, canonical units, in the problem's order."""

    problem: FitProblem
    truth: Array


def tasks(design: Design, count: int, seed: int, solver: SolverOptions | None = None) -> list[Task]:
    """Tasks of a design, the first m of a larger count being those of count m.

    Raises
    ------
    ValueError
        If the solver fails at a truth, or `masked` is not masked in the spec.
    """
    stages = compile_file(design.spec, torch=True)
    model = load_numpy(stages.generated)
    names = {entry["name"]: entry["value"] for entry in model.manifest["parameters"] if entry["mask"]}
    wrong = sorted(set(design.masked) - set(names))
    if wrong:
        raise ValueError(f"masked names {', '.join(wrong)}; masked in the spec are {', '.join(names)}")
    held = {name: design.held.get(name, value) for name, value in names.items() if name not in design.masked}
    return [_task(design, stages, model, held, [seed, number], solver) for number in range(count)]


def _task(
    design: Design,
    stages: Compiled,
    model: CompiledModel,
    held: Mapping[str, float],
    seed: Sequence[int],
    solver: SolverOptions | None,
) -> Task:
    generator = np.random.default_rng(list(seed))
    empty = _dataset(design, stages, model)
    problem = assemble(model, empty, solver, held)
    reach = math.log(design.spread)
    truth = np.array([p.start * math.exp(generator.uniform(-reach, reach)) for p in problem.parameters])
    subject = problem.subjects[0]
    exact = subject.predictor.reference(truth)
    if isinstance(exact, Failure):
        raise ValueError(f"the solver fails at the truth {truth.tolist()}: {exact}")
    dv, _ = draw(exact, subject.predictor.noise(truth), subject.observations.error, generator)
    measured = replace(empty, subjects=(replace(empty.subjects[0], dv=dv),))
    return Task(assemble(model, measured, solver, held), truth)


def _dataset(design: Design, stages: Compiled, model: CompiledModel) -> Dataset:
    chosen = experiment(stages.model, design.scenario)
    index = [model.observable_names.index(name) for name in design.observables]
    count = len(design.times) * len(index)
    nothing = np.full(count, math.nan)
    subject = Subject(
        id="1",
        covariates={},
        regimen=chosen.regimen,
        time=np.repeat(np.asarray(design.times, dtype=float), len(index)),
        observable=np.tile(index, len(design.times)).astype(np.int64),
        dv=nothing,
        censored=np.zeros(count, dtype=bool),
        lloq=nothing,
        sd=nothing,
        # Every sample of the time of a dose sees the dose.
        order=_AFTER + np.arange(count),
        line=np.arange(count),
    )
    units = tuple(str(entry["unit"]) for entry in model.manifest["observables"])
    return Dataset(
        "drawn", "", design.scenario, (subject,), model.observable_names, units,
        overrides=chosen.overrides, held=chosen.held,
    )  # fmt: skip
