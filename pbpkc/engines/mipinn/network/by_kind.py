"""The networks of a training: one for every kind of segment and number of branches, made when asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pbpkc.engines.mipinn.basis import Basis
from pbpkc.engines.mipinn.family import Task
from pbpkc.engines.mipinn.network.options import NetworkOptions
from pbpkc.engines.mipinn.network.sine import Network
from pbpkc.engines.mipinn.snapshots import Snapshot
from pbpkc.engines.mipinn.stage import Stage
from pbpkc.runtime.compiled import CompiledModel

if TYPE_CHECKING:
    from pbpkc.engines.mipinn.network.training import TrainedNetwork


@dataclass
class Networks:
    """Networks by kind of segment and number of branches.

    Parameters
    ----------
    compiled : CompiledModel
        With a torch text.
    options : NetworkOptions
    seed : int
    tasks : mapping of int to Task
    folder : Path, optional
        Where trainings keep how far they have come.
    heard : callable, optional
        Told of every step.
    """

    compiled: CompiledModel
    options: NetworkOptions
    seed: int
    tasks: Mapping[int, Task]
    folder: Path | None = None
    heard: Callable[[Stage], None] | None = None
    seconds: float = field(default=0.0, init=False)
    _made: dict[tuple[str, int], TrainedNetwork] = field(default_factory=dict, init=False, repr=False)

    def trained(self, kind: str, branches: int, like: Basis, snapshots: Sequence[Snapshot]) -> Basis:
        """Train a network, or go on with a training that was stopped.

        Parameters
        ----------
        kind : str
        branches : int
        like : Basis
            Singular vectors of the snapshots, as many as features are wanted.
        snapshots : sequence of Snapshot
        """
        # Loaded here: the other bases do without torch.
        from pbpkc.engines.mipinn.network.state_file import NetworkFile, key_of
        from pbpkc.engines.mipinn.network.training import train_network

        if not np.any(like.features):
            return like  # nothing moves in such a segment
        kept = None
        if self.folder is not None:
            key = key_of(self.compiled, like, snapshots, self.tasks, self.options, self.seed)
            kept = NetworkFile(self.folder, key)
        began = time.process_time()
        count = len(np.unique(like.branch))

        def hear(step: int, loss: float) -> None:
            if self.heard is not None:
                self.heard(Stage(step, self.options.steps, f"network of {count} branches, loss {loss:.3f}"))

        made = train_network(
            self.compiled, like, snapshots, self.tasks, like.count, self.options, self.seed, kept, hear
        )
        self._made[kind, branches] = made
        self.seconds += time.process_time() - began
        return made.basis

    def of(self, kind: str, branches: int, features: int) -> Network | None:
        """The network behind the first features; None where there is none."""
        found = self._made.get((kind, branches))
        return None if found is None else found.network.truncated(features)

    def loss(self, kind: str, branches: int) -> list[list[float]]:
        """Steps of a training with their loss; empty where nothing was trained."""
        found = self._made.get((kind, branches))
        return [] if found is None else [[float(step), value] for step, value in found.loss]
