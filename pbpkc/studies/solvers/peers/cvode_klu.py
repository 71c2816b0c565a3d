"""CVODE with generated C and KLU: an installed SUNDIALS, found where the C compiler looks."""

from __future__ import annotations

from pbpkc.studies.solvers.peers.cvode_loop import compiled_loop
from pbpkc.studies.solvers.peers.problem import Built, Problem

#: SUNDIALS 7 has a library of its own for what all its parts share.
_LIBRARIES = ("cvode", "nvecserial", "sunmatrixdense", "sunmatrixsparse", "sunlinsoldense", "sunlinsolklu")


def build(problem: Problem) -> Built:
    """Ready to solve."""
    libraries = [f"-lsundials_{name}" for name in _LIBRARIES]
    try:
        return compiled_loop(problem, False, [*libraries, "-lsundials_core", "-lklu"], ["-DKLU"])
    except ValueError:
        return compiled_loop(problem, False, [*libraries, "-lklu"], ["-DKLU"])
