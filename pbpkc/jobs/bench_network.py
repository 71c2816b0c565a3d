"""Steps about networks as features: each recipe is trained and judged in a step of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

from pbpkc.engines.mipinn.family import Family
from pbpkc.engines.mipinn.material import Material, gather
from pbpkc.engines.mipinn.network.options import NetworkOptions
from pbpkc.engines.mipinn.training_options import TrainingOptions
from pbpkc.jobs.bench_folder import key_of
from pbpkc.jobs.bench_steps import Bench, CaseTasks, Gathered, Heard, Step
from pbpkc.jobs.meta_train import MetaTrainJob, family_of
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.studies.network_choices import RECIPES, Inversions, NetworkPart, Recipe, try_recipe
from pbpkc.studies.synthetic import CASES

#: Inversions that judge each recipe.
INVERSIONS = 20

#: The case that networks are judged in.
CASE = next(case for case in CASES if case.name == "oral, 3 unknown")


class _Shared:
    """Reference trajectories and tasks, made when a step first needs them."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    @property
    def options(self) -> TrainingOptions:
        """Of every recipe."""
        options = self.bench.options
        network = NetworkOptions(steps=4, tasks=6) if options.short else NetworkOptions(steps=200)
        return replace(options.training, network=network, features=(12,) if options.short else (24,))

    @cached_property
    def material(self) -> tuple[CompiledModel, Family, Material]:
        """The family and its trajectories."""
        # With a torch text, whatever the basis of the first recipe.
        job = MetaTrainJob((CASE.scenario,), options=replace(self.options, basis="network"))
        compiled, family = family_of(self.bench.model_of(CASE), job)
        return compiled, family, gather(compiled, family, self.options)

    @cached_property
    def tasks(self) -> Inversions:
        """Tasks with known truth."""
        options = self.bench.options
        compiled, problem, known = CaseTasks(self.bench, CASE, 2 if options.short else INVERSIONS).drawn()
        return Inversions(problem, compiled, known, CASE.noise, options.fitting)


def network_steps(bench: Bench, gathered: Gathered) -> list[Step]:
    """Steps about networks."""
    shared = _Shared(bench)
    short = bench.options.short
    recipes = [r for r in RECIPES if not short or (r.branches == 4 and r.objective in ("physics", ""))]
    return [
        (
            (8.0 if short else 480.0) if recipe.basis == "network" else 4.0 if short else 60.0,
            f"features: {recipe.name}",
            _tried(bench, shared, recipe, gathered),
        )
        for recipe in recipes
    ]


def _tried(bench: Bench, shared: _Shared, recipe: Recipe, gathered: Gathered) -> Callable[[Heard], None]:
    options = bench.options

    def make(heard: Heard) -> None:
        key = key_of("network", CASE, recipe, shared.options, INVERSIONS, options.seed,
                     options.fitting.identity(), bench.paracetamol.generated.fingerprint)  # fmt: skip

        def part() -> NetworkPart:
            compiled, family, material = shared.material
            return try_recipe(
                compiled, family, material, CASE.scenario, shared.options, recipe, shared.tasks, heard
            )

        name = "network_" + "_".join(str(x) for x in (recipe.basis, recipe.branches, recipe.objective,
                                                      recipe.start) if x != "")  # fmt: skip
        gathered.setdefault("networks", []).append(bench.folder.part(name, key, NetworkPart, part))

    return make
