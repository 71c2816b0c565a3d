"""Choices of stage 1: the tasks, the features, and what judges them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from pbpkc.engines.mipinn.network.options import NetworkOptions

#: What `--basis` accepts, with what each is.
BASES = {
    "svd": "singular vectors of reference trajectories",
    "network": "sine networks trained with the physics residual through the head",
    "chebyshev": "Chebyshev polynomials in the logarithm of time (a control)",
    "random": "random sine features in the logarithm of time (a control)",
}

#: So many features are tried however few tasks there are: those that nothing was learned for are zeros.
ALWAYS = 24


@dataclass(frozen=True)
class TrainingOptions:
    """How a model is trained.

    Parameters
    ----------
    tasks, held_out : int
        Tasks that features are learned from, and tasks that judge them.
    seed : int
    basis : {"svd", "network", "chebyshev", "random"}
    head : {"galerkin", "least-squares"}
        What solves the held-out tasks.
    branches, features : tuple of int
        What is tried; a single number fixes it. 0 branches: one for every state. No more features than tasks,
        or `ALWAYS`.
    tolerance : float
        Median relative error of the observables on held-out tasks that is good enough, above 0.
    network : NetworkOptions
        How networks are trained; the other bases do not read it.
    """

    tasks: int = 240
    held_out: int = 20
    seed: int = 0
    basis: str = "svd"
    head: str = "galerkin"
    branches: tuple[int, ...] = (1, 2, 4, 8, 16, 0)
    features: tuple[int, ...] = (8, 12, 16, 20, ALWAYS)
    tolerance: float = 1e-5
    network: NetworkOptions = field(default_factory=NetworkOptions)

    def __post_init__(self) -> None:
        if self.basis not in BASES:
            raise ValueError(f"basis is {self.basis!r}; accepted are {', '.join(BASES)}")
        for name, least in (("tasks", 2), ("held_out", 1), ("seed", 0)):
            value = getattr(self, name)
            if value < least:
                raise ValueError(f"{name} is {value!r}; accepted is an integer of at least {least}")
        if not self.branches or min(self.branches) < 0:
            raise ValueError(f"branches is {self.branches!r}; accepted are integers of 0 or more")
        if not self.features or min(self.features) < 1:
            raise ValueError(f"features is {self.features!r}; accepted are integers of 1 or more")
        # A feature is learned from tasks; thousands of empty ones would only make every solve endless.
        most = max(self.tasks, ALWAYS)
        if max(self.features) > most:
            raise ValueError(
                f"features is {self.features!r}; accepted are at most {most} with {self.tasks} tasks: "
                "features are learned from tasks"
            )
        if not 0.0 < self.tolerance < math.inf:
            raise ValueError(f"tolerance is {self.tolerance!r}; accepted is a finite number above 0")
