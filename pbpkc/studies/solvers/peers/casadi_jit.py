"""CasADi with its expressions compiled by the C compiler of this machine."""

from __future__ import annotations

from pbpkc.studies.solvers.peers.casadi import build as build_plain
from pbpkc.studies.solvers.peers.problem import Built, Problem


def build(problem: Problem) -> Built:
    """Ready to solve."""
    return build_plain(problem, jit=True)
