"""System -> AnalysedSystem: derivatives, and what the form of the equations proves."""

from __future__ import annotations

from collections.abc import Sequence

from pbpkc.compiler.analysed import AnalysedSystem
from pbpkc.compiler.analysis_manifest import analysis_to_manifest
from pbpkc.compiler.conservation import conserved_totals
from pbpkc.compiler.dependencies import dependencies
from pbpkc.compiler.differentiate import differentiate
from pbpkc.compiler.linear import linear_part
from pbpkc.compiler.signs import jacobian_signs
from pbpkc.compiler.system import System
from pbpkc.compiler.timescales import time_scales

__all__ = ["AnalysedSystem", "analyse", "analysis_to_manifest"]


def analyse(system: System, state: Sequence[float] | None = None) -> AnalysedSystem:
    """The derivatives and the structure of a `System`.

    Parameters
    ----------
    system : System
    state : sequence of float, length S, optional
        Where time scales are taken, each in its state's unit; see `time_scales`.

    Raises
    ------
    ValueError
        If `state` has another length than the states.
    """
    derivatives = differentiate(system)
    conservation = conserved_totals(system)
    return AnalysedSystem(
        system=system,
        derivatives=derivatives,
        sparsity=tuple(sorted(derivatives.jacobian)),
        linear=linear_part(system),
        conservation=conservation,
        signs=jacobian_signs(system, derivatives.jacobian),
        time_scales=time_scales(system, derivatives.jacobian, len(system.states) - conservation.rank, state),
        depends=dependencies(system),
    )
