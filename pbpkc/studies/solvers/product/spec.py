"""The spec of a problem, compiled: where every method of pbpkc begins."""

from __future__ import annotations

from pbpkc.compiler.driver import Compiled, compile_model
from pbpkc.experiment.bind import bind
from pbpkc.experiment.events import BoundRegimen
from pbpkc.experiment.scenario import experiment
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.runtime.load import load_numpy
from pbpkc.solve.schedule import Schedule, schedule
from pbpkc.solve.timeline import timeline
from pbpkc.studies.solvers.peers.problem import Problem


def compiled_stages(problem: Problem) -> Compiled:
    """All stages of the spec, from its text."""
    text = (problem.folder / "model.pbpk").read_text(encoding="utf-8")
    return compile_model(resolve(parse(SourceFile(f"{problem.name}.pbpk", text))), torch=False)


def bound_doses(problem: Problem, stages: Compiled) -> BoundRegimen:
    """The doses of the problem's scenario, the same for every subject."""
    values = {one.name: one.value for one in stages.analysed.system.parameters}
    return bind(experiment(stages.model, problem.scenario).regimen, values)


def compiled_spec(problem: Problem) -> tuple[CompiledModel, BoundRegimen]:
    """The numpy module of the spec, and the doses."""
    stages = compiled_stages(problem)
    return load_numpy(stages.generated), bound_doses(problem, stages)


def planned(
    problem: Problem, compiled: CompiledModel, regimen: BoundRegimen, columns: tuple[int, ...] = ()
) -> Schedule:
    """The doses and samples as a kernel takes them, with derivatives by some parameters."""
    inputs, names = compiled.manifest["inputs"], compiled.state_names
    along = regimen.by([compiled.parameter_names[column] for column in columns])
    segments = timeline(along, problem.times, inputs, names, p=compiled.parameters())
    return schedule([(segments, problem.times)], len(names), len(inputs), len(columns))
