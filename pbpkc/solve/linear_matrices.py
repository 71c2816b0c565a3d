"""The matrices of a linear system for many subjects, from the generated numpy code."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pbpkc.solve.linear_stretches import InputKinds

if TYPE_CHECKING:
    from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]


def input_kinds(compiled: CompiledModel) -> InputKinds:
    """What each input of a linear model is, and which of them its matrices or observables read."""
    inputs = compiled.manifest["inputs"]
    place = {name: k for k, name in enumerate(compiled.state_names)}
    held = {item["name"]: k for k, item in enumerate(inputs) if item["kind"] == "held"}
    depends = compiled.manifest["depends"]
    read = {
        name for group in ("equations", "observables") for entry in depends[group].values()
        for name in entry["inputs"]
    }  # fmt: skip
    return InputKinds(
        tuple((k, place[item["target"]]) for k, item in enumerate(inputs) if item["kind"] == "infusion"),
        tuple(k for name, k in held.items() if name in read),
    )


def matrices(compiled: CompiledModel, p: Array, u: Array) -> tuple[Array, Array]:
    """A and b of dy/dt = A y + b + infusions.

    Parameters
    ----------
    compiled : CompiledModel
        Linear and time-invariant between events.
    p : ndarray, shape (B, P), canonical units
    u : ndarray, shape (K,) or (B, K)
        Held inputs.

    Returns
    -------
    tuple of ndarray
        Shapes (B, S, S) and (B, S).
    """
    nothing = np.zeros((len(p), len(compiled.state_names)))
    u = np.broadcast_to(without_infusions(compiled, u), (len(p), u.shape[-1]))
    c = compiled.prepare(p)
    A = compiled.jacobian_dense(0.0, nothing, p, u, c)
    b = compiled.rhs(0.0, nothing, p, u, c)
    return np.broadcast_to(A, (len(p), *A.shape[-2:])), np.broadcast_to(b, nothing.shape)


def without_infusions(compiled: CompiledModel, u: Array) -> Array:
    """The inputs with all rates of infusion zero."""
    running = [k for k, item in enumerate(compiled.manifest["inputs"]) if item["kind"] == "infusion"]
    found = np.array(u, dtype=float)
    found[..., running] = 0.0
    return found


def sector_of(eigenvalues: NDArray[np.complex128], shift: float = 0.0) -> float:
    """The half-angle about the negative real axis, seen from `shift`, that holds some eigenvalues (rad)."""
    size = float(np.abs(eigenvalues).max(initial=0.0))
    kept = eigenvalues[np.abs(eigenvalues) > 1e-12 * size] - shift
    if not kept.size:
        return 0.0
    return float(np.max(math.pi - np.abs(np.angle(kept))))
