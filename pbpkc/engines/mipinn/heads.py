"""The heads: what finds the coefficients of a segment from the generated equations."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.forcing import Forcing, Solved
from pbpkc.engines.mipinn.galerkin import GalerkinHead
from pbpkc.engines.mipinn.least_squares import LeastSquaresHead
from pbpkc.engines.mipinn.reads import reads_of
from pbpkc.engines.mipinn.segment_plan import SegmentPlan
from pbpkc.engines.mipinn.structure import Structure
from pbpkc.engines.mipinn.tasks import Bound
from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]
Index = NDArray[np.intp]

#: What `--head` accepts.
HEADS = ("galerkin", "least-squares")

__all__ = ["HEADS", "Forcing", "Head", "Solved", "make_head"]


class Head(Protocol):
    """Finds coefficients."""

    @property
    def iterates(self) -> bool:
        """Whether a start matters: False where the equations are linear."""
        ...

    def solve(
        self,
        at: SegmentPlan,
        bound: Bound,
        forcing: Forcing,
        guess: Array,
        dy0: Array | None,
        whole: bool = True,
    ) -> Solved:
        """Coefficients of B tasks, with their derivatives where `dy0` (B, S, k) is given.

        Without `whole` those of states that are not wanted may stay zero.
        """
        ...


def make_head(
    name: str, compiled: CompiledModel, structure: Structure, columns: Index, wanted: Index
) -> Head:
    """The head of a name for some states, differentiating by the parameters in `columns`.

    `wanted` are the states, among those of the structure, that are read at the samples.
    """
    if name not in HEADS:
        raise ValueError(f"head is {name!r}; accepted are {', '.join(HEADS)}")
    reads = reads_of(compiled, structure, columns)
    if name == "least-squares":
        return LeastSquaresHead(structure, reads)
    return GalerkinHead(structure, reads, wanted)
