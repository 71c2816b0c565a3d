"""The methods that are compared: pbpkc's own, and the programs that users have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


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
PRODUCT = (Method("reference", "pbpkc, reference (SciPy LSODA)", f"{_PRODUCT}.reference", product=True),)

#: The peers, the simplest first.
PEERS = (
    Method("scipy", "SciPy LSODA, Python Jacobian", f"{_PEERS}.scipy_lsoda"),
    Method("numba_scipy", "SciPy LSODA, numba Jacobian", f"{_PEERS}.numba_scipy", packages=("numba",)),
    Method("numbalsoda", "numbalsoda (LSODA)", f"{_PEERS}.numbalsoda", packages=("numba", "numbalsoda")),
    Method(
        "roadrunner",
        "libroadrunner (CVODE)",
        f"{_PEERS}.roadrunner",
        packages=("libroadrunner", "antimony"),
    ),
)
