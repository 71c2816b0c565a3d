"""One chain of the no-U-turn sampler, from pyro: the only place that knows pyro.

The density comes with its exact gradient, so nothing is differentiated here; the random numbers of the
process are left as they were.

References
----------
Hoffman MD, Gelman A (2014) J Mach Learn Res 15:1593-1623.
Betancourt M (2017) arXiv:1701.02434 (multinomial sampling from a trajectory).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Doublings of a trajectory: at most 255 evaluations for one draw.
MOST_DOUBLINGS = 8

#: Wished mean acceptance of the points of a trajectory.
ACCEPTANCE = 0.7

#: A log density and its gradient at x, shape (k,); -inf where there is none.
LogDensity = Callable[[Array], tuple[float, Array]]


@dataclass(frozen=True)
class Chain:
    """Draws of one chain.

    Parameters
    ----------
    points : array, shape (n, k)
    divergences : int
        Draws whose trajectory left the density's energy by more than 1000.
    step : float
        Step size of the integrator.
    """

    points: Array
    divergences: int
    step: float


def demand_sampler() -> None:
    """Do nothing if pyro can be imported.

    Raises
    ------
    ValueError
        If it is not installed.
    """
    if find_spec("pyro") is None:
        raise ValueError(
            "a posterior needs the package pyro-ppl, which is not installed; install it with "
            "pip install 'pbpkc[bayes]' or pip install pyro-ppl"
        )


def sample(
    density: LogDensity,
    start: Array,
    draws: int,
    warmup: int,
    seed: int,
    heard: Callable[[int], None] | None = None,
) -> Chain:
    """Draws from a density whose spread is about one in every direction.

    Parameters
    ----------
    density : callable
    start : array, shape (k,)
        Where the density is not zero.
    draws, warmup : int
        Kept, and made before to find the step size.
    seed : int
    heard : callable, optional
        Called with the number of draws made, warm-up included.
    """
    import pyro
    import torch
    from pyro.infer.mcmc import NUTS

    class Potential(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, x: torch.Tensor) -> torch.Tensor:
            value, gradient = density(x.numpy())
            context.gradient = torch.from_numpy(-gradient)
            return torch.tensor(-value, dtype=torch.float64)

        @staticmethod
        def backward(context: Any, *slopes: torch.Tensor) -> torch.Tensor:
            gradient: torch.Tensor = slopes[0] * context.gradient
            return gradient

    # Looking whether each probability is one costs a fifth of the time.
    with torch.random.fork_rng(devices=[]), pyro.validation_enabled(False):
        torch.manual_seed(seed)
        kernel: Any = NUTS(
            potential_fn=lambda at: Potential.apply(at["x"]),  # type: ignore[no-untyped-call]
            # Coordinates are round already; an estimate from a short warm-up would only add noise to them.
            adapt_mass_matrix=False,
            target_accept_prob=ACCEPTANCE,
            max_tree_depth=MOST_DOUBLINGS,
        )
        kernel.initial_params = {"x": torch.tensor(start, dtype=torch.float64)}
        kernel.setup(warmup)
        at = kernel.initial_params
        points = np.empty((draws, len(start)))
        for number in range(-warmup, draws):
            at = kernel.sample(at)
            if number >= 0:
                points[number] = at["x"].detach().numpy()
            if heard is not None:
                heard(number + warmup + 1)
        return Chain(points, len(kernel.diagnostics()["divergences"]), float(kernel.step_size))
