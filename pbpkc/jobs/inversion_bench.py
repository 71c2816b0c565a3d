"""The benchmark of inversion: every part of it as steps that are kept when done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from itertools import count

from pbpkc.infer.assemble import assemble
from pbpkc.infer.problem import FitProblem
from pbpkc.jobs.bench_folder import key_of
from pbpkc.jobs.bench_steps import PARTS, Bench, Heard, schedule, spec_path
from pbpkc.jobs.individuals import individuals
from pbpkc.jobs.loaded import LoadedModel, load
from pbpkc.jobs.meta_train import MetaTrainJob, family_of
from pbpkc.jobs.method_names import METHODS
from pbpkc.language.units import parse_unit
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.studies.ablation import BRANCHES, FEATURES, Choices, ablate
from pbpkc.studies.limits import (
    METHOD,
    Limit,
    Stage1,
    ablation_limits,
    speed_limits,
    stage1_limits,
    synthetic_limits,
    table_limits,
)
from pbpkc.studies.paper_systems import SYSTEMS, PaperSystem
from pbpkc.studies.paper_table import (
    Estimate,
    Interval,
    KmProfile,
    Setup,
    clinical,
    estimate,
    interval,
    km_profile,
    setup,
)
from pbpkc.studies.scores import Cell, Summary, summarise
from pbpkc.studies.speed import TOLERANCES, Costs, Way, cost
from pbpkc.studies.synthetic import NOISES, Case, run_cell, together
from pbpkc.studies.truths import Known, people

#: Methods of the paper's table beside the two that are compared everywhere; the first data sets only.
OTHERS = tuple(name for name in METHODS if name not in (METHOD, "least-squares"))

#: Data sets that these see.
OTHERS_SEE = 3

#: Methods that restart by themselves, or know one start only.
ONE_START = ("trust-region", "trust-region-default", "pinn")

#: Tasks whose inversion is timed.
TIMED = 5


@dataclass(frozen=True)
class Estimates:
    """Rows of the paper's table for one kind of data."""

    rows: tuple[Estimate, ...]
    intervals: tuple[Interval, ...]
    profiles: tuple[KmProfile, ...]
    refused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Findings:
    """Everything that a run found."""

    stage1: tuple[Stage1, ...] = ()
    estimates: tuple[Estimate, ...] = ()
    intervals: tuple[Interval, ...] = ()
    profiles: tuple[KmProfile, ...] = ()
    refused: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()
    costs: tuple[Costs, ...] = ()
    choices: tuple[Choices, ...] = ()

    @property
    def summaries(self) -> tuple[Summary, ...]:
        """Of the cells."""
        return tuple(summarise(cell) for cell in self.cells)

    @property
    def limits(self) -> tuple[Limit, ...]:
        """What was demanded of the parts that were made, and what was found."""
        return (
            *stage1_limits(self.stage1),
            *speed_limits([row for one in self.costs for row in one.rows]),
            *synthetic_limits(self.summaries),
            *table_limits(self.estimates, self.intervals),
            *ablation_limits([row for one in self.choices for row in one.rows]),
        )


#: A piece of work: about how many seconds, what it is, and what does it.
Step = tuple[float, str, Callable[[Heard], None]]


def run(bench: Bench, tell: Callable[[float, float, str], None]) -> Findings:
    """Make all parts.

    Parameters
    ----------
    bench : Bench
    tell : callable
        Told (done, total, what is being done); about seconds.

    Raises
    ------
    TrainingError
        If a family cannot be trained on.
    """
    gathered: dict[str, list[object]] = {}
    makers = {"table": _table, "synthetic": _synthetic, "speed": _speed, "ablation": _ablation}
    steps = [s for part in PARTS if part in bench.options.parts for s in makers[part](bench, gathered)]
    total, done = sum(weight for weight, _, _ in steps), 0.0
    for weight, what, make in steps:
        tell(done, total, what)
        make(partial(_within, tell, done, weight, total, what))
        done += weight
    tables = [t for t in gathered.get("tables", []) if isinstance(t, Estimates)]
    unique = {s.scenario: s for s in gathered.get("stage1", []) if isinstance(s, Stage1)}
    return Findings(
        stage1=tuple(unique.values()),
        estimates=tuple(r for t in tables for r in t.rows),
        intervals=tuple(r for t in tables for r in t.intervals),
        profiles=tuple(r for t in tables for r in t.profiles),
        refused=tuple(dict.fromkeys(r for t in tables for r in t.refused)),
        cells=tuple(c for c in gathered.get("cells", []) if isinstance(c, Cell)),
        costs=tuple(c for c in gathered.get("costs", []) if isinstance(c, Costs)),
        choices=tuple(c for c in gathered.get("choices", []) if isinstance(c, Choices)),
    )


def _within(
    tell: Callable[[float, float, str], None],
    done: float,
    weight: float,
    total: float,
    what: str,
    part: float,
) -> None:
    tell(done + weight * part, total, what)


# ------------------------------------------------------------- the synthetic study


class _Material:
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


def _synthetic(bench: Bench, gathered: dict[str, list[object]]) -> list[Step]:
    steps: list[Step] = []
    options = bench.options
    for case in options.cases:
        material = _Material(bench, case, options.tasks)
        steps.append((20.0, f"training: {case.name}", _training(bench, case, gathered, "synthetic")))
        for noise in options.noises(case):
            steps += _cell(bench, case, noise, material, gathered)
    return steps


def _training(
    bench: Bench, case: Case, gathered: dict[str, list[object]], part: str
) -> Callable[[Heard], None]:
    def make(heard: Heard) -> None:
        _, stage = bench.trained(_slug(case.name), bench.model_of(case), (case.scenario,))
        if part == "speed":  # what training costs is told once for each way of giving
            gathered.setdefault("stage1", []).append(stage)

    return make


def _cell(
    bench: Bench, case: Case, noise: float, material: _Material, gathered: dict[str, list[object]]
) -> list[Step]:
    options = bench.options
    made: list[Cell] = []

    def cell(method: str, tasks: int) -> Callable[[Heard], None]:
        def make(heard: Heard) -> None:
            key = key_of(case, noise, method, tasks, options.seed, options.fitting.identity(),
                         options.training, bench.paracetamol.generated.fingerprint)  # fmt: skip
            name = _slug(f"{case.name} {100 * noise:g} {method}")

            def fits() -> Cell:
                path, _ = bench.trained(_slug(case.name), bench.model_of(case), (case.scenario,))
                compiled, problem, known = material.drawn()
                way = bench.fast(path) if method == METHOD else bench.method(method)
                return run_cell(
                    problem, compiled, known[:tasks], case, noise, way, options.seed, options.fitting,
                    method == METHOD, lambda done: heard(done / tasks),
                )  # fmt: skip

            made.append(bench.folder.part(name, key, Cell, fits))

        return make

    def gather(heard: Heard) -> None:
        gathered.setdefault("cells", []).extend(together(made))

    what = f"{case.name}, {100 * noise:g} % noise"
    size = len(case.mask) + 1
    steps: list[Step] = [(0.1 * size * options.tasks, what, cell(METHOD, options.tasks))]
    exact = min(options.exact_tasks, options.tasks)
    if exact:
        steps.append((1.2 * size * exact, f"{what}, exactly", cell("least-squares", exact)))
    return [*steps, (0.0, what, gather)]


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in text.lower())


# ------------------------------------------------------------- speed


def _speed(bench: Bench, gathered: dict[str, list[object]]) -> list[Step]:
    options = bench.options
    steps: list[Step] = []
    cases = [c for c in options.cases if not c.why_apart]
    for case in cases[:1] if options.short else cases:
        steps.append((20.0, f"training: {case.name}", _training(bench, case, gathered, "speed")))
        if not case.scenario.startswith("po"):
            continue  # limits of time are for the oral case
        count = 1 if options.short else TIMED
        material = _Material(bench, case, count)
        steps.append(
            (25.0 * (len(case.mask) + 1), f"time: {case.name}", _timed(bench, case, material, gathered))
        )
    return steps


def _timed(
    bench: Bench, case: Case, material: _Material, gathered: dict[str, list[object]]
) -> Callable[[Heard], None]:
    options = bench.options

    def make(heard: Heard) -> None:
        key = key_of("speed", case, material.count, options.seed, options.fitting.identity(),
                     options.training, bench.paracetamol.generated.fingerprint)  # fmt: skip

        def fits() -> Costs:
            path, _ = bench.trained(_slug(case.name), bench.model_of(case), (case.scenario,))
            compiled, problem, known = material.drawn()
            ways = [Way(METHOD, options.solver.rtol, bench.fast(path))]
            exact = TOLERANCES[1:2] if options.short else TOLERANCES
            ways += [Way("least-squares", rtol, bench.method("least-squares")) for rtol in exact]
            return cost(problem, compiled, known, case, ways, options.seed, options.fitting, heard)

        gathered.setdefault("costs", []).append(
            bench.folder.part(_slug(f"speed {case.name}"), key, Costs, fits)
        )

    return make


# ------------------------------------------------------------- the paper's table


class _System:
    """One of the paper's systems, loaded when something first needs it."""

    def __init__(self, bench: Bench, system: PaperSystem) -> None:
        self.bench, self.system = bench, system
        self._loaded: LoadedModel | None = None

    @property
    def loaded(self) -> LoadedModel:
        """The spec."""
        if self._loaded is None:
            self._loaded = load(spec_path(self.system.spec))
        return self._loaded

    def setups(self, data: str) -> tuple[Setup, ...]:
        """What the fits of one kind of data need."""
        system, loaded, options = self.system, self.loaded, self.bench.options
        unit = parse_unit("L/h/mg")
        if data in system.data:
            found = individuals(loaded, data)
            return clinical(
                system.name, data, loaded.compiled, assemble(loaded.compiled, found, options.solver), unit
            )
        plasma = data == "plasma"
        scenarios = (system.scenario,) if plasma else system.design
        seen = ("Cv",) if plasma else ("Cv", system.amount)
        errors = ("s_v",) if plasma else ("s_v", "s_a")
        runs = {name: schedule(loaded, name, system.times, seen, errors) for name in scenarios}
        return (setup(system.name, data, loaded.compiled, runs, unit, options.solver),)

    def scenarios(self) -> tuple[str, ...]:
        """What a model is trained on so that it knows all that is fitted."""
        system = self.system
        return tuple(dict.fromkeys((system.scenario, *system.design, *system.data)))


def _table(bench: Bench, gathered: dict[str, list[object]]) -> list[Step]:
    options = bench.options
    steps: list[Step] = []
    for system in SYSTEMS[:1] if options.short else SYSTEMS:
        at = _System(bench, system)
        steps.append((25.0, f"training: {system.title}", partial(_train_system, bench, at)))
        cases: list[tuple[str, float, int]] = [
            (data, noise, options.replicates if noise else min(OTHERS_SEE, options.replicates))
            for data in ("plasma", "design")
            for noise in (NOISES[::2] if options.short else NOISES)
        ]
        cases += [(data, float("nan"), 1) for data in system.data]
        for data, noise, sets in cases[:2] if options.short else cases:
            others = 0 if options.short or data == "design" else min(OTHERS_SEE, sets)
            weight = 4.0 * sets + 60.0 * others
            what = f"{system.title}: {data}" + (f", {100 * noise:g} % noise" if noise == noise else "")
            steps.append((weight, what, _fits(bench, at, data, noise, sets, others, gathered)))
    return steps


def _train_system(bench: Bench, at: _System, heard: Heard) -> None:
    bench.trained(at.system.name, at.loaded, at.scenarios())


def _fits(
    bench: Bench, at: _System, data: str, noise: float, sets: int, others: int,
    gathered: dict[str, list[object]],
) -> Callable[[Heard], None]:  # fmt: skip
    options = bench.options

    def make(heard: Heard) -> None:
        key = key_of(at.system, data, noise, sets, others, options.seed, options.fitting.identity(),
                     options.training, at.loaded.generated.fingerprint)  # fmt: skip
        name = _slug(f"table {at.system.name} {data} {100 * noise:g}")
        gathered.setdefault("tables", []).append(
            bench.folder.part(
                name, key, Estimates, lambda: _estimates(bench, at, data, noise, sets, others, heard)
            )
        )

    return make


def _estimates(
    bench: Bench, at: _System, data: str, noise: float, sets: int, others: int, heard: Heard
) -> Estimates:
    options = bench.options
    path, _ = bench.trained(at.system.name, at.loaded, at.scenarios())
    fast = bench.fast(path)
    rows, intervals, refused = [], [], []
    profiles: list[KmProfile] = []
    steps = count(1)
    (one,) = at.setups(data)
    total = sets * 3 + others * len(OTHERS) + 1
    for k in range(sets):
        for name in (METHOD, "least-squares", *(OTHERS if k < others else ())):
            if name == "cma-es" and find_spec("cma") is None:
                refused.append("cma-es is left out: its package is not installed (pip install 'pbpkc[fit]')")
                continue
            way = fast if name == METHOD else bench.method(name)
            fitting = options.fitting
            if name in ONE_START:
                fitting = replace(fitting, starts=1)
            try:
                rows.append(estimate(one, noise, options.seed, k, name, way, fitting))
            except ValueError as error:
                refused.append(f"{at.system.name}, {data}: {name} was refused: {error}")
            heard(next(steps) / total)
        intervals.append(interval(one, noise, options.seed, k, fast, options.fitting))
        heard(next(steps) / total)
        if k == 0:
            profile = km_profile(one, noise, options.seed, k, fast, options.fitting)
            profiles += [] if profile is None else [profile]
    return Estimates(tuple(rows), tuple(intervals), tuple(profiles), tuple(dict.fromkeys(refused)))


# ------------------------------------------------------------- ablation


def _ablation(bench: Bench, gathered: dict[str, list[object]]) -> list[Step]:
    return [
        (
            10.0 if bench.options.short else 120.0,
            f"choices of stage 1: {scenario}",
            _ablated(bench, scenario, gathered),
        )
        for scenario in (("po_1g",) if bench.options.short else ("po_1g", "iv_1g"))
    ]


def _ablated(bench: Bench, scenario: str, gathered: dict[str, list[object]]) -> Callable[[Heard], None]:
    options = bench.options
    training = options.training
    training = (
        replace(training, branches=(1, 0), features=(12, 16))
        if options.short
        else replace(training, branches=BRANCHES, features=FEATURES)
    )

    def make(heard: Heard) -> None:
        loaded = bench.paracetamol
        key = key_of("ablation", scenario, training, loaded.generated.fingerprint)

        def choices() -> Choices:
            compiled, family = family_of(loaded, MetaTrainJob((scenario,), options=training))
            return ablate(compiled, family, scenario, training, heard)

        gathered.setdefault("choices", []).append(
            bench.folder.part(f"ablation_{scenario}", key, Choices, choices)
        )

    return make
