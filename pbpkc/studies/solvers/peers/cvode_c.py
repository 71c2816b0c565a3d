"""CVODE with generated C: equations, Jacobian and the loop over subjects compiled by the C compiler.

The libraries are those of SUNDIALS inside the wheel of scikit-sundae: nothing else has to be installed. Few
states are solved with dense matrices, many with SuperLU.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from pbpkc.studies.solvers.peers.cvode_loop import compiled_loop
from pbpkc.studies.solvers.peers.problem import Built, Problem

#: From so many states on SuperLU is faster than dense matrices.
_SPARSE_FROM = 60

_LIBRARIES = ("core", "cvode", "nvecserial", "sunmatrixdense", "sunmatrixsparse", "sunlinsoldense",
              "sunlinsolsuperlumt")  # fmt: skip


def build(problem: Problem) -> Built:
    """Ready to solve."""
    found = find_spec("sksundae")
    if found is None or found.origin is None:
        raise ValueError("scikit-sundae is not installed")
    folder = Path(found.origin).parents[1] / "scikit_sundae.libs"
    libraries = [path for name in _LIBRARIES for path in sorted(folder.glob(f"libsundials_{name}-*"))]
    if len(libraries) < len(_LIBRARIES):
        raise ValueError("the wheel of scikit-sundae brings no libraries of SUNDIALS on this system")
    dense = len(problem.states) < _SPARSE_FROM
    return compiled_loop(problem, dense, [*map(str, libraries), f"-Wl,-rpath,{folder}"], [])
