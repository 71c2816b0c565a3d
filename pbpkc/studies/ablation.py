"""What each choice of stage 1 is worth, by the error of solves that training never saw."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from pbpkc.engines.mipinn.candidates import Candidates
from pbpkc.engines.mipinn.family import Family
from pbpkc.engines.mipinn.material import Material, gather
from pbpkc.engines.mipinn.selection import Errors, measure
from pbpkc.engines.mipinn.training_options import TrainingOptions
from pbpkc.runtime.compiled import CompiledModel

#: Numbers of branches; 0 is one for every state.
BRANCHES = (1, 2, 4, 8, 16, 0)

FEATURES = (8, 12, 16, 20, 24)

#: The least-squares head is slower by an order, so it is tried for fewer.
FEATURES_OF_LEAST_SQUARES = (12, 16, 20)

#: Fixed representations beside the learned one.
CONTROLS = ("chebyshev", "random")


@dataclass(frozen=True)
class Choice:
    """One combination of choices and its errors on held-out tasks.

    Parameters
    ----------
    scenario, varied, basis, head : str
        `varied` says which choice this row is about.
    branches, features : int
    median : float
        Relative error of the observables over tasks and times, of the worst observable.
    high : float
        95 % point over tasks of a task's largest.
    states : float
        Mean squared error of all states, each over its peak, mean over tasks.
    unsolved, tasks : int
    solve_ms : float
        Processor time of one solve of all states, without derivatives.
    """

    scenario: str
    varied: str
    basis: str
    head: str
    branches: int
    features: int
    median: float
    high: float
    states: float
    unsolved: int
    tasks: int
    solve_ms: float


@dataclass(frozen=True)
class Choices:
    """The table of one family."""

    rows: tuple[Choice, ...]


def combinations(
    branches: tuple[int, ...], features: tuple[int, ...]
) -> Iterator[tuple[str, str, str, int, int]]:
    """What is tried: (varied, basis, head, branches, features)."""
    for b in branches:
        for f in features:
            yield "branches", "svd", "galerkin", b, f
    for basis in CONTROLS:
        for f in features:
            yield "basis", basis, "galerkin", 0, f
    for f in features:
        if f in FEATURES_OF_LEAST_SQUARES:
            yield "head", "svd", "least-squares", 0, f


def ablate(
    compiled: CompiledModel,
    family: Family,
    scenario: str,
    options: TrainingOptions,
    heard: Callable[[float], None] | None = None,
) -> Choices:
    """Try choices on one family of tasks.

    Parameters
    ----------
    compiled : CompiledModel
    family : Family
    scenario : str
        Stands in the rows.
    options : TrainingOptions
        Its tasks, seed, branches and features are used.
    heard : callable, optional
        Told which part is done, from 0 to 1.

    Raises
    ------
    TrainingError
        If too many tasks of the family fail.
    """
    material = gather(compiled, family, options)
    todo = list(combinations(options.branches, options.features))
    makers: dict[str, Candidates] = {}
    rows = []
    for done, (varied, basis, head, branches, features) in enumerate(todo):
        if heard is not None:
            heard(0.3 + 0.7 * done / len(todo))
        if basis not in makers:
            makers[basis] = Candidates(compiled, family, material, replace(options, basis=basis))
        rows.append(
            _row(compiled, material, makers[basis], scenario, varied, basis, head, branches, features)
        )
    return Choices(tuple(rows))


def _row(
    compiled: CompiledModel,
    material: Material,
    maker: Candidates,
    scenario: str,
    varied: str,
    basis: str,
    head: str,
    branches: int,
    features: int,
) -> Choice:
    model = maker.model(branches, features)
    seen = list(range(len(compiled.observable_names)))
    began = time.process_time()
    found: Errors = measure(compiled, model, material.held, maker.count(branches), features, head, seen)
    spent = 1e3 * (time.process_time() - began) / len(material.held)
    return Choice(
        scenario, varied, basis, head, found.branches, features, found.median, found.high, found.states,
        len(found.failed), len(material.held), spent,
    )  # fmt: skip
