"""Segments of the training tasks as tensors: what a network is trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pbpkc.engines.mipinn.basis import Basis
from pbpkc.engines.mipinn.family import Task
from pbpkc.engines.mipinn.snapshots import Snapshot
from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Segments:
    """B segments of one kind, at its Q quadrature points.

    Parameters
    ----------
    p : Tensor, shape (B, P)
    t : Tensor, shape (B, Q), h
    u : Tensor, shape (B, Q, K)
    extra : Tensor, shape (B, S)
        Infusions into states without an input.
    y0 : Tensor, shape (B, S)
        At the beginning, from the reference trajectory.
    y : Tensor, shape (B, Q, S)
        The reference trajectory.
    diagonal : Tensor, shape (B, S), 1/h
        |J_ii| at the beginning, by which the least-squares head weighs an equation.
    peak : Tensor, shape (B, S)
        Largest value of each state, 0 for one that is idle in a task.
    """

    p: Tensor
    t: Tensor
    u: Tensor
    extra: Tensor
    y0: Tensor
    y: Tensor
    diagonal: Tensor
    peak: Tensor

    @property
    def count(self) -> int:
        """Number of segments, B."""
        return int(self.p.shape[0])

    def picked(self, which: Tensor) -> Segments:
        """Some of them."""
        return Segments(
            self.p[which], self.t[which], self.u[which], self.extra[which], self.y0[which], self.y[which],
            self.diagonal[which], self.peak[which],
        )  # fmt: skip


def as_tensors(
    compiled: CompiledModel,
    like: Basis,
    snapshots: Sequence[Snapshot],
    tasks: Mapping[int, Task],
    device: str,
) -> Segments:
    """Snapshots of one kind as tensors."""
    return Segments(*(torch.as_tensor(a, device=device) for a in arrays_of(compiled, like, snapshots, tasks)))


def arrays_of(
    compiled: CompiledModel, like: Basis, snapshots: Sequence[Snapshot], tasks: Mapping[int, Task]
) -> tuple[Array, ...]:
    """The arrays of `Segments`, in its order."""
    since, _ = like.grid.quadrature()
    at = like.grid.values_at(since)
    p = np.array([tasks[s.task].p for s in snapshots])
    t0 = np.array([s.segment.t0 for s in snapshots])
    u0 = np.array([s.segment.u for s in snapshots])
    u = np.array([s.segment.u + since[:, None] * s.segment.slope for s in snapshots])
    y0 = np.array([s.y0 for s in snapshots])
    extra = np.array(
        [np.zeros(y0.shape[1]) if s.segment.extra is None else s.segment.extra for s in snapshots]
    )
    values = np.array([s.values for s in snapshots])
    dense = np.array([compiled.jacobian_dense(t, y, q, v) for t, y, q, v in zip(t0, y0, p, u0, strict=True)])
    diagonal = np.abs(np.diagonal(dense, axis1=1, axis2=2))
    peak = np.abs(values).max(1)
    # As for the SVD: a state that hardly moves in a task has no shape there.
    peak = np.where(peak > 1e-10 * peak.max(0), peak, 0.0)
    return p, t0[:, None] + since, u, extra, y0, at @ values, diagonal, peak
