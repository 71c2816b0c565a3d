"""The network: time to all states, one small perceptron for each segment between doses.

A state is its value after the last dose plus ``scale s net(s)``, where s runs from 0 to 1 on the segment's
logarithmic clock: the initial condition holds exactly, and steep beginnings are as wide as slow ends. What
a segment ends with is where the next begins, so doses are jumps that hold exactly too. Time derivatives are
carried forward through the layers beside the values.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pbpkc.engines.pinn.grid import Grid


@dataclass(frozen=True)
class Clock:
    """The logarithmic clock at the points of a grid, shapes (G, T, 1)."""

    value: Tensor
    slope: Tensor
    runs: Tensor

    @staticmethod
    def of(grid: Grid, since: NDArray[np.float64] | None = None) -> Clock:
        """The clock at the grid's points, or at others, shape (G, T)."""
        at = torch.as_tensor(grid.since if since is None else since)[..., None]
        short = torch.as_tensor(grid.short)[:, None, None]
        length = torch.as_tensor(grid.length)[:, None, None]
        runs = length > 0.0
        whole = torch.where(runs, torch.log1p(length / short), torch.ones_like(length))
        value = torch.log1p(at / short) / whole * runs
        return Clock(value, 1.0 / ((at + short) * whole), runs.to(value.dtype))


def initial_weights(
    shape: tuple[int, int], width: int, depth: int, states: int, generator: torch.Generator
) -> list[Tensor]:
    """Matrices and offsets of every layer, each with the leading axes `shape` (restarts, segments).

    Glorot's normal start (Glorot & Bengio 2010, AISTATS 9:249); the last layer begins at a tenth of it, near
    states that stay where they were.
    """
    sizes = [1, *[width] * depth, states]
    found = []
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        spread = (2.0 / (fan_in + fan_out)) ** 0.5 * (0.1 if layer == depth else 1.0)
        drawn = torch.randn((*shape, fan_in, fan_out), generator=generator, dtype=torch.float64)
        offset = torch.zeros((*shape, 1, fan_out), dtype=torch.float64)
        if layer == 0:
            # Slopes large enough for the clock's range, and bends spread over it.
            drawn = drawn * 4.0
            offset = torch.randn(offset.shape, generator=generator, dtype=torch.float64)
        found += [drawn * spread, offset]
    return found


def states(weights: list[Tensor], clock: Clock, grid: Grid, initial: Tensor) -> tuple[Tensor, Tensor]:
    """All states and their time derivatives at the points of a clock.

    Parameters
    ----------
    weights : list of Tensor
        As of `initial_weights`, leading axes (B, G).
    clock : Clock
        Its point number ``grid.collocation - 1`` is the end of each segment.
    grid : Grid
    initial : Tensor, shape (B, S)
        State before the first dose.

    Returns
    -------
    y, dydt : Tensor, shape (B, G, T, S)
    """
    scale = torch.as_tensor(grid.scale)
    h, dh = 2.0 * clock.value - 1.0, 2.0 * clock.slope
    last = len(weights) // 2 - 1
    for layer in range(last + 1):
        matrix, offset = weights[2 * layer], weights[2 * layer + 1]
        h, dh = h @ matrix + offset, dh @ matrix
        if layer < last:
            h = torch.tanh(h)
            dh = (1.0 - h * h) * dh
    moved = scale * clock.value * h
    speed = scale * (clock.slope * h + clock.value * dh)
    ends = moved[:, :, grid.collocation - 1] * clock.runs[:, 0]
    before = torch.cumsum(ends, dim=1) - ends
    base = initial[:, None] + before + torch.cumsum(torch.as_tensor(grid.jump), dim=0)
    return base[:, :, None] + moved, speed
