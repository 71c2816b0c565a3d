"""What networks are worth as features: how they are trained, with both heads, beside singular vectors.

Judged twice: by solves that training never saw, and by inversions without noise on the trained model alone.
There the reference solver has no say, and no exact step mends what the features miss.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.candidates import Candidates
from pbpkc.engines.mipinn.family import Family
from pbpkc.engines.mipinn.fast import FastModel
from pbpkc.engines.mipinn.heads import HEADS
from pbpkc.engines.mipinn.material import Material
from pbpkc.engines.mipinn.network.options import NetworkOptions
from pbpkc.engines.mipinn.predictor import FastPredictor
from pbpkc.engines.mipinn.selection import measure
from pbpkc.engines.mipinn.stage import Stage
from pbpkc.engines.mipinn.trained import TrainedModel
from pbpkc.engines.mipinn.training_options import TrainingOptions
from pbpkc.infer.objective import Objective
from pbpkc.infer.observations import plan
from pbpkc.infer.options import FitOptions
from pbpkc.infer.problem import FitProblem
from pbpkc.infer.search import best_of
from pbpkc.infer.transform import ParameterSpace
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.studies.truths import Known, exact_of, measured

Array = NDArray[np.float64]

#: Largest median error of the parameters, in percent, that is aimed at for networks with the paper's head.
ERROR_LIMIT = 0.5


@dataclass(frozen=True)
class Recipe:
    """Features and how they come about; 0 branches are one for every state.

    `objective` and `start` are those of `NetworkOptions`, and empty for singular vectors.
    """

    basis: str
    branches: int
    objective: str = ""
    start: str = ""

    @property
    def name(self) -> str:
        """For a reader."""
        count = f"{self.branches or 'all'} branch{'es' * (self.branches != 1)}"
        return ", ".join(x for x in (self.basis, count, self.objective, self.start and f"{self.start} start")
                         if x)  # fmt: skip


#: The default of `meta-train --basis network` first; then one choice at a time is another.
RECIPES = (
    Recipe("network", 4, "physics", "projection"),
    Recipe("network", 4, "projection", "projection"),
    Recipe("network", 4, "both", "projection"),
    Recipe("network", 4, "physics", "random"),
    Recipe("network", 1, "physics", "projection"),
    Recipe("svd", 4),
    Recipe("svd", 1),
    Recipe("svd", 0),
)


@dataclass(frozen=True)
class NetworkChoice:
    """One way to features, with one head.

    Parameters
    ----------
    scenario, basis : str
    branches : int
    objective, start, head : str
        With the basis and the branches, as of `Recipe`.
    features, steps : int
        Of a branch; of the training.
    trained_s : float
        Processor time of making the features from the reference trajectories.
    median, high, states : float
        As of `pbpkc.engines.mipinn.selection.Errors`.
    unsolved, held_out : int
    error, error_high : float
        Median and 90 % point of the relative errors of the parameters, %, over inversions.
    lost, inversions : int
        Searches that ended in a failure, of all.
    fit_ms : float
        Processor time of an inversion, median.
    """

    scenario: str
    basis: str
    branches: int
    objective: str
    start: str
    head: str
    features: int
    steps: int
    trained_s: float
    median: float
    high: float
    states: float
    unsolved: int
    held_out: int
    error: float
    error_high: float
    lost: int
    inversions: int
    fit_ms: float

    @property
    def recipe(self) -> Recipe:
        """What the features are."""
        return Recipe(self.basis, self.branches, self.objective, self.start)


@dataclass(frozen=True)
class NetworkPart:
    """What came of one recipe: a row for each head, and the loss as (step, value)."""

    recipe: Recipe
    rows: tuple[NetworkChoice, ...]
    loss: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Inversions:
    """Tasks with known truth: `people` gives them.

    Parameters
    ----------
    problem : FitProblem
    compiled : CompiledModel
    known : sequence of Known
    noise : tuple of str
        Parameters of the spec that are relative errors.
    options : FitOptions
    """

    problem: FitProblem
    compiled: CompiledModel
    known: Sequence[Known]
    noise: tuple[str, ...]
    options: FitOptions


def try_recipe(
    compiled: CompiledModel,
    family: Family,
    material: Material,
    scenario: str,
    options: TrainingOptions,
    recipe: Recipe,
    tasks: Inversions,
    heard: Callable[[float], None],
) -> NetworkPart:
    """Make the features of a recipe and judge them with both heads.

    Parameters
    ----------
    compiled : CompiledModel
        With a torch text.
    family : Family
    material : Material
    scenario : str
        Stands in the rows.
    options : TrainingOptions
        Its features (the largest number), seed, and of its network steps and width.
    recipe : Recipe
    tasks : Inversions
    heard : callable
        Told which part is done.
    """
    network = options.network
    if recipe.basis == "network":
        network = replace(network, objective=recipe.objective, start=recipe.start)
    options = replace(options, basis=recipe.basis, network=network)

    def listen(stage: Stage) -> None:
        heard(0.8 * stage.done / stage.total)

    maker = Candidates(compiled, family, material, options, None, listen)
    features = max(options.features)
    began = time.process_time()
    bases = [maker.basis(kind, recipe.branches, features) for kind in material.grids]
    spent = time.process_time() - began
    model, branches = maker.model(recipe.branches, features), maker.count(recipe.branches)
    seen = list(range(len(compiled.observable_names)))
    rows = []
    for head in HEADS:
        found = measure(compiled, model, material.held, branches, features, head, seen)
        errors, times, lost = invert(model, tasks, head)
        rows.append(
            NetworkChoice(
                scenario, recipe.basis, recipe.branches, recipe.objective, recipe.start, head,
                max(b.count for b in bases), _steps(network, recipe), spent,
                found.median, found.high, found.states, len(found.failed), len(material.held),
                *_middle(errors), lost, len(tasks.known), float(np.median(times)),
            )
        )  # fmt: skip
        heard(0.8 + 0.2 * len(rows) / len(HEADS))
    curves = [maker.networks.loss(kind, recipe.branches) for kind in material.grids]
    longest = max(curves, key=len)
    return NetworkPart(recipe, tuple(rows), tuple((step, value) for step, value in longest))


def invert(model: TrainedModel, tasks: Inversions, head: str) -> tuple[Array, list[float], int]:
    """Searches on the trained model alone, from data without noise.

    Returns
    -------
    errors : array, shape (m, k)
        Relative errors of the parameters of the searches that found an end.
    times : list of float, ms
    lost : int
        Searches without an end.
    """
    errors: list[Array] = []
    times: list[float] = []
    fast: FastModel | None = None
    names = tasks.compiled.observable_names
    for one in tasks.known:
        subject = measured(one, tasks.compiled, tasks.noise, 0.0, 0)
        exact = exact_of(subject)
        if fast is None:
            seen = [o for o in range(len(names)) if o in subject.observations.observable]
            columns = exact.columns[exact.shapes_prediction].astype(np.intp)
            fast = FastModel(exact.compiled, model, seen, columns, head)
        starts = one.person.start.tolist()
        given = zip(tasks.problem.parameters, starts, strict=True)
        space = ParameterSpace(tuple(replace(p, start=float(s)) for p, s in given))
        scoring = plan(subject.observations, tasks.options.blq)
        objective = Objective(space, FastPredictor(exact, fast), scoring)
        began = time.process_time()
        searches = tasks.problem.search(objective, tasks.options, tasks.options.seed, None)
        times.append(1e3 * (time.process_time() - began))
        best = best_of([s.found for s in searches])
        end = None if best is None else searches[best].found.end
        if end is not None:
            errors.append(np.abs(space.to_natural(end.point) / one.person.truth - 1.0))
    return np.array(errors), times, len(tasks.known) - len(errors)


def _middle(errors: Array) -> tuple[float, float]:
    """Median and 90 % point, in percent."""
    if not len(errors):
        return math.nan, math.nan
    return 100.0 * float(np.median(errors)), 100.0 * float(np.quantile(errors, 0.9))


def _steps(network: NetworkOptions, recipe: Recipe) -> int:
    return network.steps if recipe.basis == "network" else 0
