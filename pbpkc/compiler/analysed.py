"""The `AnalysedSystem`: a `System` with its derivatives and what the form of its equations proves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pbpkc.compiler.conservation import Conservation
from pbpkc.compiler.dependencies import Dependencies
from pbpkc.compiler.differentiate import Derivatives
from pbpkc.compiler.linear import LinearPart
from pbpkc.compiler.system import System
from pbpkc.compiler.timescales import TimeScales


@dataclass(frozen=True)
class AnalysedSystem:
    """A `System`, its derivatives and its structure.

    Parameters
    ----------
    system : System
    derivatives : Derivatives
    sparsity : tuple of (int, int)
        Structurally non-zero entries of the Jacobian, row by row.
    linear : LinearPart
        A(p), b(p, u), and the terms that are of neither kind.
    conservation : Conservation
        Conserved totals, by exact rational null space of N.
    signs : mapping of (int, int) to str
        Sign of each entry of `sparsity` over the declared box: ``+``, ``-``, ``0`` or ``?``.
    time_scales : TimeScales
        At nominal parameters and one state, in hours.
    depends : Dependencies
        Which parameters, states and inputs stand behind each equation and observable.
    """

    system: System
    derivatives: Derivatives
    sparsity: tuple[tuple[int, int], ...]
    linear: LinearPart
    conservation: Conservation
    signs: Mapping[tuple[int, int], str]
    time_scales: TimeScales
    depends: Dependencies

    @property
    def linear_time_invariant(self) -> bool:
        """Whether the equations are dy/dt = A(p) y + b(p, u) and nothing else."""
        return self.linear.is_everything

    @property
    def reason(self) -> str:
        """Why the system is, or is not, linear and time-invariant."""
        return self.linear.reason(self.system)
