"""CVODE with generated C and KLU: an installed SUNDIALS, found where the C compiler looks."""

from __future__ import annotations

from pbpkc.studies.solvers.peers.cvode_loop import compiled_loop
from pbpkc.studies.solvers.peers.problem import Built, Problem

#: SUNDIALS 7 has a library of its own for what all its parts share.
_LIBRARIES = ("cvode", "nvecserial", "sunmatrixdense", "sunmatrixsparse", "sunlinsoldense", "sunlinsolklu")

#: Debian has KLU's headers, which those of SUNDIALS include, in a folder where compilers do not look.
KLU_HEADERS = ("-I/usr/include/suitesparse",)


def build(problem: Problem) -> Built:
    """Ready to solve."""
    flags = ["-DKLU", *KLU_HEADERS]
    libraries = [f"-lsundials_{name}" for name in _LIBRARIES]
    try:
        return compiled_loop(problem, False, [*libraries, "-lsundials_core", "-lklu"], flags)
    except ValueError:
        return compiled_loop(problem, False, [*libraries, "-lklu"], flags)
