"""The choices of a benchmark of inversion, and what its parts share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pbpkc.engines.mipinn.training_options import TrainingOptions
from pbpkc.infer.options import FitOptions
from pbpkc.infer.problem import FitProblem
from pbpkc.jobs.bench_folder import BenchFolder, key_of
from pbpkc.jobs.loaded import LoadedModel, load
from pbpkc.jobs.meta_train import MetaTrainJob, meta_train
from pbpkc.jobs.methods import MethodOptions, with_method
from pbpkc.jobs.simulate import planned
from pbpkc.resources import resource
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.solve.options import SolverOptions
from pbpkc.studies.limits import Stage1
from pbpkc.studies.synthetic import CASES, Case
from pbpkc.studies.truths import Known, Schedule, people

#: Parts, in the order in which they are made, with what each is.
PARTS = {
    "table": "the paper's three systems by every method, with clinical means and designs",
    "synthetic": "one, three and five unknowns at three levels of noise",
    "speed": "processor time against least squares on exact solves",
    "ablation": "branches, bases and heads by held-out error",
    "network": "networks as features: how they are trained, with both heads, beside singular vectors",
    "missing": "the paper's missing term, as a curve and as a formula",
}

#: Searches of one fit.
STARTS = 3

#: Of the exact solver. The optimum is the same to seven digits as at the default of a fit, in half the time.
RTOL = 1e-8

Heard = Callable[[float], None]

#: A piece of work: about how many seconds, what it is, and what does it.
Step = tuple[float, str, Callable[[Heard], None]]

#: What steps found, by kind.
Gathered = dict[str, list[object]]


@dataclass(frozen=True)
class BenchOptions:
    """How much is done.

    Parameters
    ----------
    parts : tuple of str
        Of `PARTS`.
    tasks : int
        Of a cell of the synthetic study.
    exact_tasks : int
        The first ones of them, which least squares on the exact solver fits too.
    replicates : int
        Data sets of each system and noise in the paper's table.
    seed : int
    short : bool
        Small trainings, and one or two of everything: for tests.

    Raises
    ------
    ValueError
        For a part that does not exist, or a number that is too small.
    """

    parts: tuple[str, ...] = tuple(PARTS)
    tasks: int = 200
    exact_tasks: int = 50
    replicates: int = 20
    seed: int = 0
    short: bool = False

    def __post_init__(self) -> None:
        wrong = [name for name in self.parts if name not in PARTS]
        if wrong or not self.parts:
            raise ValueError(f"part is {', '.join(wrong) or 'missing'}; accepted are {', '.join(PARTS)}")
        for name, least in (("tasks", 1), ("exact_tasks", 0), ("replicates", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)!r}; accepted is at least {least}")

    @property
    def training(self) -> TrainingOptions:
        """Of every model of the run."""
        if self.short:
            return TrainingOptions(tasks=30, held_out=4, seed=self.seed, branches=(0,), features=(16,))
        return TrainingOptions(seed=self.seed)

    @property
    def training_seconds(self) -> float:
        """About, of one model: a training's weight among the steps."""
        return 8.0 if self.short else 20.0

    @property
    def fitting(self) -> FitOptions:
        """Of every fit."""
        return FitOptions(starts=STARTS, seed=self.seed)

    @property
    def solver(self) -> SolverOptions:
        """The exact one."""
        return SolverOptions(rtol=RTOL)

    @property
    def cases(self) -> tuple[Case, ...]:
        """Of the synthetic study."""
        return CASES[1:2] if self.short else CASES

    def noises(self, case: Case) -> tuple[float, ...]:
        """Levels of noise of a case."""
        return (case.noises[-1],) if self.short else case.noises


@dataclass(frozen=True)
class Bench:
    """A run: its choices and its folder."""

    options: BenchOptions
    folder: BenchFolder

    @cached_property
    def paracetamol(self) -> LoadedModel:
        """The spec of the synthetic study."""
        return load(spec_path("paracetamol.pbpk"))

    def model_of(self, case: Case) -> LoadedModel:
        """The spec with the unknowns of a case."""
        return self.paracetamol.with_settings(mask=case.mask, unmask=case.unmask)

    def trained(self, name: str, loaded: LoadedModel, scenarios: Sequence[str]) -> tuple[Path, Stage1]:
        """A model trained on scenarios, with what that cost; made once."""
        path = self.folder.model(name)
        options = self.options.training
        key = key_of(name, loaded.generated.fingerprint, list(scenarios), options)

        def make() -> Stage1:
            made = meta_train(loaded, MetaTrainJob(tuple(scenarios), options=options), path).training
            chosen = made.chosen
            return Stage1(
                "+".join(scenarios), made.cpu_seconds["all"], chosen.branches, chosen.features,
                options.tasks, chosen.median, chosen.high, chosen.states,
            )  # fmt: skip

        return path, self.folder.part(f"training-{name}", key, Stage1, make, path)

    def fast(self, path: Path) -> Callable[[FitProblem], FitProblem]:
        """Fits on a trained model."""
        return lambda problem: with_method(problem, "mi-pinn", MethodOptions(model=path))

    def method(self, name: str) -> Callable[[FitProblem], FitProblem]:
        """Fits by any other method."""
        return lambda problem: with_method(problem, name, options=self.options.fitting)


def schedule(
    loaded: LoadedModel,
    scenario: str,
    times: tuple[float, ...],
    observables: tuple[str, ...],
    noise: tuple[str, ...],
) -> Schedule:
    """What a scenario gives, measured at some times."""
    plan = planned(loaded.model, scenario)
    return Schedule(plan.regimen, plan.overrides, times, observables, noise)


def spec_path(name: str) -> Path:
    """A spec of record."""
    return resource("specs", name)


def slug(text: str) -> str:
    """A name for a file."""
    return "".join(c if c.isalnum() else "_" for c in text.lower())


class CaseTasks:
    """The tasks of a case, drawn when something first needs them."""

    def __init__(self, bench: Bench, case: Case, count: int) -> None:
        self.bench, self.case, self.count = bench, case, count
        self._drawn: tuple[CompiledModel, FitProblem, tuple[Known, ...]] | None = None

    def drawn(self) -> tuple[CompiledModel, FitProblem, tuple[Known, ...]]:
        """The equations, the problem and its tasks."""
        if self._drawn is None:
            case, options = self.case, self.bench.options
            loaded = self.bench.model_of(case)
            at = schedule(loaded, case.scenario, case.times, case.observables, case.noise)
            problem, known = people(loaded.compiled, at, self.count, options.seed, options.solver)
            self._drawn = loaded.compiled, problem, known
        return self._drawn
