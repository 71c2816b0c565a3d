"""Models of any number of branches and features, all from the same material."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.basis import Basis
from pbpkc.engines.mipinn.branches import dissimilarity, group
from pbpkc.engines.mipinn.family import Family, corners
from pbpkc.engines.mipinn.fast import size_of
from pbpkc.engines.mipinn.features import projected, svd_basis
from pbpkc.engines.mipinn.fixed_bases import chebyshev_basis, random_basis
from pbpkc.engines.mipinn.kinds import infusion_targets
from pbpkc.engines.mipinn.material import Material
from pbpkc.engines.mipinn.network.by_kind import Networks
from pbpkc.engines.mipinn.network.sine import Network
from pbpkc.engines.mipinn.snapshots import segments_of
from pbpkc.engines.mipinn.stage import Stage
from pbpkc.engines.mipinn.trained import KindModel, Memory, TrainedModel, equations_of
from pbpkc.engines.mipinn.training_options import TrainingOptions
from pbpkc.infer.compiled_predictor import enters_prediction
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.solve.timeline import Segment

Array = NDArray[np.float64]

#: Tasks remembered as starts of the iteration.
REMEMBERED = 64

#: Segments of one kind that features are learned from; a course of many doses has thousands.
SEGMENTS = 600


class Candidates:
    """Models of any number of branches and features from one material.

    Parameters
    ----------
    compiled : CompiledModel
        With a torch text where the basis is a network.
    family : Family
    material : Material
    options : TrainingOptions
    folder : Path, optional
        Where networks keep how far they have come.
    heard : callable, optional
        Told of the steps of networks.
    """

    def __init__(
        self,
        compiled: CompiledModel,
        family: Family,
        material: Material,
        options: TrainingOptions,
        folder: Path | None = None,
        heard: Callable[[Stage], None] | None = None,
    ) -> None:
        self.compiled, self.family, self.material, self.options = compiled, family, material, options
        self.chosen = {kind: found[:SEGMENTS] for kind, found in material.snapshots.items()}
        self._ends = [x for task in corners(family, compiled) for x in segments_of(compiled, task)]
        self._distance: dict[str, Array] = {}
        self._bases: dict[tuple[str, int], Basis] = {}
        self.networks = Networks(compiled, options.network, options.seed, material.tasks, folder, heard)

    def count(self, branches: int) -> int:
        """Branches as a number: 0 is one for every state."""
        return branches or len(self.compiled.state_names)

    def branch(self, kind: str, branches: int) -> NDArray[np.intp]:
        """The branch of each state."""
        if kind not in self._distance:
            self._distance[kind] = dissimilarity(self.chosen[kind])
        return group(self._distance[kind], self.count(branches))

    def names(self, kind: str, branches: int) -> tuple[tuple[str, ...], ...]:
        """The states of each branch, those that never move left out."""
        branch = self.branch(kind, branches)
        moving = np.any([np.any(s.values != s.y0, axis=0) for s in self.chosen[kind]], axis=0)
        found = (
            tuple(
                name
                for name, b, moves in zip(self.compiled.state_names, branch, moving, strict=True)
                if b == k and moves
            )
            for k in range(int(branch.max()) + 1)
        )
        return tuple(group_ for group_ in found if group_)

    def basis(self, kind: str, branches: int, features: int) -> Basis:
        """Features of a kind."""
        key = kind, branches
        if key not in self._bases:
            count = max(self.options.features)
            grid, branch, found = self.material.grids[kind], self.branch(kind, branches), self.chosen[kind]
            if self.options.basis == "svd":
                made = svd_basis(grid, found, branch, count)
            elif self.options.basis == "network":
                like = svd_basis(grid, found, branch, count)
                made = self.networks.trained(kind, branches, like, found)
            else:
                make = chebyshev_basis if self.options.basis == "chebyshev" else random_basis
                made = make(svd_basis(grid, found, branch, 1), count, self.options.seed)
            self._bases[key] = made
        return self._bases[key].truncated(features)

    def model(self, branches: int, features: int, record: Mapping[str, object] | None = None) -> TrainedModel:
        """The trained model with so many branches and features."""
        compiled = self.compiled
        varied, fixed = _ranges(compiled, self.family, self.material)
        name = str(compiled.manifest["model"])
        shell = TrainedModel(
            equations_of(compiled), compiled.fingerprint, name, {}, varied, fixed, record or {}
        )
        kinds = {}
        for kind in self.material.grids:
            basis = self.basis(kind, branches, features)
            kinds[kind] = self._kind(shell, kind, basis, self.networks.of(kind, branches, features))
        return replace(shell, kinds=kinds)

    def _kind(self, shell: TrainedModel, kind: str, basis: Basis, network: Network | None) -> KindModel:
        found = self.chosen[kind]
        some = found[:: max(1, len(found) // REMEMBERED)][:REMEMBERED]
        states = np.arange(len(self.compiled.state_names), dtype=np.intp)
        targets = infusion_targets(self.compiled.manifest["inputs"])
        zero = np.zeros(len(states))
        sizes = np.array(
            [
                size_of(
                    s.y0, s.segment.u, zero if s.segment.extra is None else s.segment.extra, targets,
                    basis.grid.length,
                )
                for s in some
            ]
        )  # fmt: skip
        index = self.compiled.parameter_index
        keys = np.array(
            [
                shell.key(self.material.tasks[s.task].p, index, size)
                for s, size in zip(some, sizes, strict=True)
            ]
        )
        return KindModel(
            basis,
            Memory(keys, sizes, projected(basis, some, states)),
            _given([s.segment for s in found] + [s for k, s in self._ends if k == kind], self.compiled),
            network,
        )


def _ranges(
    compiled: CompiledModel, family: Family, material: Material
) -> tuple[dict[str, tuple[float, float, bool]], dict[str, float]]:
    """Parameters that differ between tasks, with their range and whether it is logarithmic; the others."""
    varied = {r.name: (r.low, r.high, r.log) for r in family.ranges if r.low < r.high}
    p = np.array([t.p for t in material.tasks.values()])
    for k, name in enumerate(compiled.parameter_names):
        low, high = float(p[:, k].min()), float(p[:, k].max())
        if name not in varied and low < high:
            varied[name] = (low, high, low > 0.0 and high > 3.0 * low)
    acts = enters_prediction(compiled, np.arange(p.shape[1]))
    fixed = {
        name: float(p[0, k])
        for k, name in enumerate(compiled.parameter_names)
        if name not in varied and acts[k]
    }
    return varied, fixed


def _given(segments: Sequence[Segment], compiled: CompiledModel) -> dict[str, tuple[float, float]]:
    """Range of what was given, or set, at the beginning of segments, by state or held name."""
    seen: dict[str, list[float]] = {}
    for segment in segments:
        for event in segment.events:
            if event.gives or event.kind == "set":
                name = event.species if event.kind == "set" else compiled.state_names[event.state]
                seen.setdefault(name, []).append(event.value)
    return {name: (min(values), max(values)) for name, values in sorted(seen.items())}
