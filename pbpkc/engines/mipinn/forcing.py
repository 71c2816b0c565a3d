"""What a head is given for a segment beside its plan, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Forcing:
    """What acts on a segment beside the states.

    Parameters
    ----------
    t0 : float or array, shape (B,), h
    y0 : array, shape (B, S)
        States after the events at the beginning.
    u : array, shape (B, K)
    slope : array, shape (K,)
        The inputs are ``u + slope * since``.
    extra : array, shape (B, S)
        Infusions into states without an input.
    d_rate : array, shape (B, S, k), optional
        Derivatives of all infusions.
    """

    t0: Array
    y0: Array
    u: Array
    slope: Array
    extra: Array
    d_rate: Array | None = None

    def only(self, i: int) -> Forcing:
        """The same for one of the tasks."""
        one = slice(i, i + 1)
        rate = None if self.d_rate is None else self.d_rate[one]
        return Forcing(self.t0[one], self.y0[one], self.u[one], self.slope, self.extra[one], rate)


@dataclass(frozen=True)
class Solved:
    """Coefficients of a segment.

    Parameters
    ----------
    w : array, shape (B, n, K)
    dw : array, shape (B, n, K, k), optional
    converged : array of bool, shape (B,)
    iterations : int
    """

    w: Array
    dw: Array | None
    converged: NDArray[np.bool_]
    iterations: int
