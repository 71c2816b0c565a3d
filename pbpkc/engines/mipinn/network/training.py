"""Stage 1 with sine networks: trunks trained through the closed-form head, as in the meta-inverse PINN.

Each step takes some segments of the training tasks, solves all of them with the least-squares head on the
network's features, and moves the weights down the gradient of the loss through that solve (Adam; Kingma and
Ba 2015, ICLR). What comes out is a `Basis` like any other: both heads use it unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pbpkc.engines.mipinn.basis import Basis
from pbpkc.engines.mipinn.family import Task
from pbpkc.engines.mipinn.features import projected
from pbpkc.engines.mipinn.grid import Grid
from pbpkc.engines.mipinn.network.head import TorchHead
from pbpkc.engines.mipinn.network.loss import loss_of
from pbpkc.engines.mipinn.network.options import NetworkOptions
from pbpkc.engines.mipinn.network.segments import Segments, as_tensors
from pbpkc.engines.mipinn.network.sine import Network, scaled_time
from pbpkc.engines.mipinn.network.start import Start, begin
from pbpkc.engines.mipinn.snapshots import Snapshot
from pbpkc.engines.mipinn.structure import structure
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.runtime.load import load_torch

Array = NDArray[np.float64]
State = dict[str, Array]

#: Share of the steps over which the rate rises; then it falls as a cosine.
RISE = 0.05

#: Points of the loss that are kept for the record.
POINTS = 60

#: Adam's own constants.
BETA = (0.9, 0.999)
TINY = 1e-12


class Kept(Protocol):
    """Where the state of a training is kept."""

    def get(self) -> State | None:
        """The last state that was kept."""
        ...

    def put(self, state: State) -> None:
        """Keep a state in the place of the last one."""
        ...


@dataclass(frozen=True)
class TrainedNetwork:
    """What a training leaves.

    Parameters
    ----------
    basis : Basis
        The network's features at the nodes, in the order of what they contribute to the trajectories.
    network : Network
    loss : tuple of (int, float)
        Step, and the loss of the segments seen there.
    """

    basis: Basis
    network: Network
    loss: tuple[tuple[int, float], ...]


def train_network(
    compiled: CompiledModel,
    like: Basis,
    snapshots: Sequence[Snapshot],
    tasks: Mapping[int, Task],
    count: int,
    options: NetworkOptions,
    seed: int,
    kept: Kept | None = None,
    heard: Callable[[int, float], None] | None = None,
) -> TrainedNetwork:
    """Networks for the branches of one kind of segment.

    Parameters
    ----------
    compiled : CompiledModel
        With a torch text.
    like : Basis
        Of singular vectors, `count` of them: grid, branches, weights, and where the output map begins.
    snapshots : sequence of Snapshot
    tasks : mapping of int to Task
    count : int
        Features of a branch.
    options : NetworkOptions
    seed : int
        Of the first weights and of what each step looks at.
    kept : Kept, optional
        Asked for a state to go on from, told of a new one every `options.keep` steps.
    heard : callable, optional
        Told the number of steps done and the loss.
    """
    device = options.device
    every = structure(compiled, np.arange(len(compiled.state_names), dtype=np.intp))
    head = TorchHead(load_torch(compiled.generated), every, like, device)
    material = as_tensors(compiled, like, snapshots, tasks, device)
    typical = np.exp(np.mean(np.log(np.maximum(material.diagonal.cpu().numpy(), 1e-12)), axis=0))
    start = begin(
        like, _carried(like, snapshots), typical, count, options.width, seed, options.start == "projection"
    )
    run = _Run(head, material, start, like.grid, options, seed)
    state = kept.get() if kept is not None else None
    if state is not None:
        run.restore(state)
    while run.step < options.steps:
        run.advance()
        if heard is not None:
            heard(run.step, run.loss[-1][1])
        if kept is not None and (run.step % options.keep == 0 or run.step == options.steps):
            kept.put(run.state())
    return _finished(run, like, snapshots, start, count)


class _Run:
    """Weights on their way, with Adam's moments."""

    def __init__(
        self,
        head: TorchHead,
        material: Segments,
        start: Start,
        grid: Grid,
        options: NetworkOptions,
        seed: int,
    ) -> None:
        self.head, self.material, self.options, self.seed = head, material, options, seed
        self.rates = {n: torch.as_tensor(v, device=options.device) for n, v in start.rates.items()}
        x = scaled_time(grid.nodes, start.first, grid.length)
        self.x = torch.as_tensor(x, device=options.device)
        self.whitening = torch.as_tensor(start.whitening, device=options.device)
        self.parts = {
            n: torch.as_tensor(v, device=options.device).clone().requires_grad_(True)
            for n, v in start.parts.items()
        }
        self.mean = {n: torch.zeros_like(v) for n, v in self.parts.items()}
        self.square = {n: torch.zeros_like(v) for n, v in self.parts.items()}
        self.step = 0
        self.loss: list[tuple[int, float]] = []

    def features(self) -> Tensor:
        """Values at the nodes, shape (branches, K, N)."""
        p = self.parts
        hidden = torch.sin(p["w1"][..., None] * self.x + p["b1"][..., None])
        unit = torch.sin(p["w2"] @ hidden + p["b2"][..., None])
        return p["c"] @ (self.whitening @ (unit - unit[..., :1]))

    def advance(self) -> None:
        """One step."""
        o = self.options
        # What a step looks at depends on the seed and its number alone, so a resumed training sees the same.
        generator = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(3, self.step)))
        which = np.sort(generator.permutation(self.material.count)[: o.tasks])
        batch = self.material.picked(torch.as_tensor(which, device=o.device))
        value = loss_of(self.head, batch, self.head.orthonormal(self.features()), o.objective, o.passes)
        found = torch.autograd.grad(value, list(self.parts.values()))
        self.step += 1
        rise = max(1.0, RISE * o.steps)
        rate = o.learning_rate * min(1.0, self.step / rise)
        rate *= 0.5 * (1.0 + np.cos(np.pi * (self.step - 1) / o.steps))
        with torch.no_grad():
            for (name, part), slope in zip(self.parts.items(), found, strict=True):
                m, v = self.mean[name], self.square[name]
                m.mul_(BETA[0]).add_(slope, alpha=1.0 - BETA[0])
                v.mul_(BETA[1]).addcmul_(slope, slope, value=1.0 - BETA[1])
                size = (v / (1.0 - BETA[1] ** self.step)).sqrt() + TINY
                part -= rate * self.rates[name] / (1.0 - BETA[0] ** self.step) * m / size
        self.loss.append((self.step, float(value.detach())))

    def state(self) -> State:
        """All that a training needs to go on."""
        found: State = {"step": np.array([float(self.step)]), "loss": np.array([v for _, v in self.loss])}
        for name in self.parts:
            found[f"part.{name}"] = self.parts[name].detach().cpu().numpy()
            found[f"mean.{name}"] = self.mean[name].cpu().numpy()
            found[f"square.{name}"] = self.square[name].cpu().numpy()
        return found

    def restore(self, state: State) -> None:
        """Go on from a state."""
        self.step = int(state["step"][0])
        self.loss = [(k + 1, float(v)) for k, v in enumerate(state["loss"])]
        with torch.no_grad():
            for name in self.parts:
                for held, what in ((self.parts, "part"), (self.mean, "mean"), (self.square, "square")):
                    held[name].copy_(torch.as_tensor(state[f"{what}.{name}"]))


def _finished(
    run: _Run, like: Basis, snapshots: Sequence[Snapshot], start: Start, count: int
) -> TrainedNetwork:
    """The network with orthonormal features, those first that carry most of the trajectories."""
    parts = {n: v.detach().cpu().numpy() for n, v in run.parts.items()}
    out = parts.pop("c") @ start.whitening
    network = Network(start.first, like.grid.length, {**parts, "out": out})
    basis = replace(like, features=network.features_at(like.grid.nodes))
    turned = np.zeros((len(out), count, out.shape[2]))
    since, weights = like.grid.quadrature()
    at = like.grid.values_at(since)
    for b in range(len(out)):
        if not np.any(like.features[b]):
            continue  # states that never move have no features
        root = np.sqrt(np.maximum(at @ like.weight[b], 0.0) * weights)[:, None]
        triangle = np.linalg.qr((at @ basis.features[b].T) * root)[1]
        turned[b, : start.count] = np.linalg.solve(triangle.T, out[b])
    network = replace(network, parts={**parts, "out": turned})
    basis = replace(like, features=network.features_at(like.grid.nodes))
    for b, inside in enumerate(_coefficients(basis, snapshots)):
        # The right vectors of the triangle are those of the whole table.
        if np.any(inside):
            turned[b] = np.linalg.svd(np.linalg.qr(inside)[1])[2] @ turned[b]
    network = replace(network, parts={**parts, "out": turned})
    basis = replace(like, features=network.features_at(like.grid.nodes))
    chosen = sorted({1, *np.linspace(1, len(run.loss), min(POINTS, len(run.loss))).astype(int).tolist()})
    return TrainedNetwork(basis, network, tuple(run.loss[k - 1] for k in chosen))


def _coefficients(basis: Basis, snapshots: Sequence[Snapshot]) -> list[Array]:
    """Best fits to the trajectories in terms of each state's peak: for a branch one row a task and state."""
    fitted = projected(basis, snapshots, np.arange(len(basis.branch), dtype=np.intp))  # (tasks, S, K)
    size = np.array([np.abs(s.values).max(0) for s in snapshots]) / basis.scale
    fitted = fitted / np.where(size > 0.0, size, np.inf)[..., None]
    return [fitted[:, basis.branch == b].reshape(-1, basis.count) for b in range(len(basis.features))]


def _carried(basis: Basis, snapshots: Sequence[Snapshot]) -> Array:
    """Root mean square of the coefficients of each feature, shape (branches, K)."""
    return np.array([np.sqrt(np.mean(rows**2, axis=0)) for rows in _coefficients(basis, snapshots)])
