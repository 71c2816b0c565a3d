"""How fast the equations are: eigenvalues of the Jacobian at one state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp

from pbpkc.compiler.numeric import Evaluation, nominal_leaves
from pbpkc.compiler.system import System

# Eigenvalues come from an iteration whose last digits differ between machines; what is reported
# must not.
_DIGITS = 4
# An eigenvalue this far below the largest entry of the matrix is rounding.
_ROUNDING = 1e-14


@dataclass(frozen=True)
class TimeScales:
    """Time scales at one state with nominal parameters.

    Parameters
    ----------
    state : tuple of float
        Where: one value for each state, in its unit.
    hours : tuple of float
        1/|Re(eigenvalue)| for each eigenvalue with a real part, slowest first, to four digits.
    oscillating : tuple of float
        Periods in hours of the eigenvalues with an imaginary part, slowest first.
    growing : int
        Number of eigenvalues with a positive real part.
    at_rest : int
        Number of directions in which nothing moves (conserved totals, sinks).
    outcome : str
        Empty, or why there are no time scales.
    """

    state: tuple[float, ...]
    hours: tuple[float, ...]
    oscillating: tuple[float, ...]
    growing: int
    at_rest: int
    outcome: str = ""

    @property
    def stiffness(self) -> float | None:
        """The slowest over the fastest time scale; None where there are none."""
        return self.hours[0] / self.hours[-1] if self.hours else None


def time_scales(
    system: System,
    jacobian: Mapping[tuple[int, int], sp.Expr],
    at_rest: int,
    state: Sequence[float] | None = None,
) -> TimeScales:
    """Time scales of a `System`, in hours.

    Parameters
    ----------
    system : System
    jacobian : mapping of (int, int) to Expr
        d(dy_i/dt)/dy_j.
    at_rest : int
        Number of eigenvalues known to be zero: states less the rank of N.
    state : sequence of float, length S, optional
        Where the Jacobian is taken, for example the start with the first dose in. If left out: the
        initial values, or 1 in every state when those are all zero.

    Raises
    ------
    ValueError
        If `state` has another length than the states.
    """
    size = len(system.states)
    leaves = nominal_leaves(system)
    if state is None:
        start = [float(Evaluation(system, leaves).value(sp.sympify(e))) for e in system.initial]
        state = start if any(start) else [1.0] * size
    if len(state) != size:
        raise ValueError(f"state has {len(state)} values, the system {system.name} has {size} states")
    where = tuple(float(v) for v in state)
    evaluation = Evaluation(
        system, {**leaves, **{s.symbol: v for s, v in zip(system.states, where, strict=True)}}
    )
    matrix = np.zeros((size, size))
    try:
        for (i, j), expr in jacobian.items():
            matrix[i, j] = float(evaluation.value(expr))
    except ValueError as problem:
        return TimeScales(where, (), (), 0, 0, str(problem))
    if not np.all(np.isfinite(matrix)):
        return TimeScales(where, (), (), 0, 0, "the Jacobian is not finite at this state")
    values = np.linalg.eigvals(matrix) if size else np.zeros(0)
    values = values[np.argsort(np.abs(values))][min(at_rest, size) :]
    values = values[np.abs(values) > _ROUNDING * size * np.abs(matrix).max(initial=0.0)]
    real, turning = values.real, np.abs(values.imag)
    # A pair that only rounding made complex has an imaginary part far below its real one.
    turning = turning[turning > 1e-6 * np.abs(values)]
    return TimeScales(
        state=where,
        hours=_rounded(1 / np.abs(real[real != 0])),
        oscillating=tuple(dict.fromkeys(_rounded(2 * np.pi / turning))),
        growing=int(np.sum(real > 0)),
        at_rest=size - len(values),
    )


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(sorted((float(f"{v:.{_DIGITS - 1}e}") for v in values), reverse=True))
