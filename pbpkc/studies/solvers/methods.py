"""The methods that are compared: pbpkc's own, and the programs that users have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pbpkc.studies.solvers.system_programs import compiler_missing, desolve_missing, sundials_missing


def _nothing_missing() -> str:
    return ""


@dataclass(frozen=True)
class Method:
    """A way of solving.

    Parameters
    ----------
    name, title : str
    module : str
        Whose ``build(problem)`` gives a `pbpkc.studies.solvers.peers.problem.Built`.
    product : bool
        Whether it is pbpkc's own, and runs in pbpkc's environment.
    packages : tuple of str
        What pip has to install for it.
    missing : callable
        Why this machine does not have what else it needs; empty if it does.
    """

    name: str
    title: str
    module: str
    product: bool = False
    packages: tuple[str, ...] = ()
    missing: Callable[[], str] = _nothing_missing


_PEERS = "pbpkc.studies.solvers.peers"
_PRODUCT = "pbpkc.studies.solvers.product"

#: pbpkc's own. Another one is a module with `build` in the folder ``product``, and a line here.
PRODUCT = (
    Method("reference", "pbpkc reference", f"{_PRODUCT}.reference", product=True),
    Method("kernel", "pbpkc kernel", f"{_PRODUCT}.kernel", product=True, missing=compiler_missing),
    Method("linear", "pbpkc linear kernel", f"{_PRODUCT}.linear", product=True, missing=compiler_missing),
)

#: The peers, the simplest first. Each is as strong as its users make it: analytic Jacobians where it takes
#: one, the whole loop compiled where it can be, what depends on parameters alone computed once.
PEERS = (
    Method("scipy", "SciPy LSODA", f"{_PEERS}.scipy_lsoda"),
    Method("numba_scipy", "SciPy LSODA, numba", f"{_PEERS}.numba_scipy", packages=("numba",)),
    Method("numbalsoda", "numbalsoda LSODA", f"{_PEERS}.numbalsoda", packages=("numba", "numbalsoda")),
    Method("roadrunner", "libroadrunner", f"{_PEERS}.roadrunner", packages=("libroadrunner", "antimony")),
    Method("sksundae", "scikit-sundae CVODE, numba", f"{_PEERS}.sksundae",
           packages=("scikit-sundae", "numba")),
    Method("casadi", "CasADi CVODES", f"{_PEERS}.casadi", packages=("casadi",)),
    Method("casadi_jit", "CasADi CVODES, C", f"{_PEERS}.casadi_jit", packages=("casadi",),
           missing=compiler_missing),
    Method("diffrax", "diffrax Kvaerno5", f"{_PEERS}.diffrax", packages=("diffrax",)),
    Method("cvode_c", "CVODE, generated C", f"{_PEERS}.cvode_c", packages=("scikit-sundae",),
           missing=compiler_missing),
    Method("cvode_klu", "CVODE with KLU, generated C", f"{_PEERS}.cvode_klu", missing=sundials_missing),
    Method("desolve", "R deSolve LSODA, generated C", f"{_PEERS}.desolve", missing=desolve_missing),
)  # fmt: skip
