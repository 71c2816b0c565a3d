"""Steps of the synthetic study, and of the times that inversions take."""

from __future__ import annotations

from collections.abc import Callable

from pbpkc.jobs.bench_folder import key_of
from pbpkc.jobs.bench_steps import Bench, CaseTasks, Gathered, Heard, Step, slug
from pbpkc.studies.limits import METHOD
from pbpkc.studies.scores import Cell
from pbpkc.studies.speed import TOLERANCES, Costs, Way, cost
from pbpkc.studies.synthetic import Case, run_cell, together

#: Tasks whose inversion is timed.
TIMED = 5


def synthetic_steps(bench: Bench, gathered: Gathered) -> list[Step]:
    """Steps of the synthetic study."""
    steps: list[Step] = []
    options = bench.options
    for case in options.cases:
        material = CaseTasks(bench, case, options.tasks)
        what = f"training: {case.name}"
        steps.append((options.training_seconds, what, _training(bench, case, gathered, "synthetic")))
        for noise in options.noises(case):
            steps += _cell(bench, case, noise, material, gathered)
    return steps


def _training(bench: Bench, case: Case, gathered: Gathered, part: str) -> Callable[[Heard], None]:
    def make(heard: Heard) -> None:
        _, stage = bench.trained(slug(case.name), bench.model_of(case), (case.scenario,))
        if part == "speed":  # what training costs is told once for each way of giving
            gathered.setdefault("stage1", []).append(stage)

    return make


def _cell(bench: Bench, case: Case, noise: float, material: CaseTasks, gathered: Gathered) -> list[Step]:
    options = bench.options
    made: list[Cell] = []

    def cell(method: str, tasks: int) -> Callable[[Heard], None]:
        def make(heard: Heard) -> None:
            key = key_of(case, noise, method, tasks, options.seed, options.fitting.identity(),
                         options.training, bench.paracetamol.generated.fingerprint)  # fmt: skip
            name = slug(f"{case.name} {100 * noise:g} {method}")

            def fits() -> Cell:
                path, _ = bench.trained(slug(case.name), bench.model_of(case), (case.scenario,))
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


# ------------------------------------------------------------- speed


def speed_steps(bench: Bench, gathered: Gathered) -> list[Step]:
    """Steps of the times that inversions take."""
    options = bench.options
    steps: list[Step] = []
    cases = [c for c in options.cases if not c.why_apart]
    for case in cases[:1] if options.short else cases:
        what = f"training: {case.name}"
        steps.append((options.training_seconds, what, _training(bench, case, gathered, "speed")))
        if not case.scenario.startswith("po"):
            continue  # limits of time are for the oral case
        count = 1 if options.short else TIMED
        material = CaseTasks(bench, case, count)
        steps.append(
            (25.0 * (len(case.mask) + 1), f"time: {case.name}", _timed(bench, case, material, gathered))
        )
    return steps


def _timed(bench: Bench, case: Case, material: CaseTasks, gathered: Gathered) -> Callable[[Heard], None]:
    options = bench.options

    def make(heard: Heard) -> None:
        key = key_of("speed", case, material.count, options.seed, options.fitting.identity(),
                     options.training, bench.paracetamol.generated.fingerprint)  # fmt: skip

        def fits() -> Costs:
            path, _ = bench.trained(slug(case.name), bench.model_of(case), (case.scenario,))
            compiled, problem, known = material.drawn()
            ways = [Way(METHOD, options.solver.rtol, bench.fast(path))]
            exact = TOLERANCES[1:2] if options.short else TOLERANCES
            ways += [Way("least-squares", rtol, bench.method("least-squares")) for rtol in exact]
            return cost(problem, compiled, known, case, ways, options.seed, options.fitting, heard)

        gathered.setdefault("costs", []).append(
            bench.folder.part(slug(f"speed {case.name}"), key, Costs, fits)
        )

    return make
