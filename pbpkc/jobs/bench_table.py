"""Steps of the paper's table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from itertools import count

from pbpkc.infer.assemble import assemble
from pbpkc.jobs.bench_folder import key_of
from pbpkc.jobs.bench_steps import Bench, Gathered, Heard, Step, schedule, slug, spec_path
from pbpkc.jobs.individuals import individuals
from pbpkc.jobs.loaded import LoadedModel, load
from pbpkc.jobs.method_names import METHODS
from pbpkc.language.units import parse_unit
from pbpkc.studies.limits import METHOD
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
from pbpkc.studies.synthetic import NOISES

#: Methods of the paper's table beside the two that are compared everywhere; the first data sets only.
OTHERS = tuple(name for name in METHODS if name not in (METHOD, "least-squares"))

#: Data sets that these see.
OTHERS_SEE = 3

#: Methods that restart by themselves, or know one start only.
ONE_START = ("trust-region", "trust-region-default", "pinn")


@dataclass(frozen=True)
class Estimates:
    """Rows of the paper's table for one kind of data."""

    rows: tuple[Estimate, ...]
    intervals: tuple[Interval, ...]
    profiles: tuple[KmProfile, ...]
    refused: tuple[str, ...] = ()


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


def table_steps(bench: Bench, gathered: Gathered) -> list[Step]:
    """Steps of the paper's table."""
    options = bench.options
    steps: list[Step] = []
    for system in SYSTEMS[:1] if options.short else SYSTEMS:
        at = _System(bench, system)
        steps.append(
            (options.training_seconds, f"training: {system.title}", partial(_train_system, bench, at))
        )
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
    gathered: Gathered,
) -> Callable[[Heard], None]:  # fmt: skip
    options = bench.options

    def make(heard: Heard) -> None:
        key = key_of(at.system, data, noise, sets, others, options.seed, options.fitting.identity(),
                     options.training, at.loaded.generated.fingerprint)  # fmt: skip
        name = slug(f"table {at.system.name} {data} {100 * noise:g}")
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
