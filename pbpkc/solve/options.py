"""How a solution is computed: method, tolerances, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Method = Literal["auto", "kernel", "linear", "reference", "lsoda", "bdf", "radau"]

#: Integrators of the reference solver.
Integrator = Literal["lsoda", "bdf", "radau"]

#: Share of the smallest dose of a species that its amounts are resolved to, at most; where rtol is
#: tighter than 1e-8, the share is too, so that the tail of a curve is as accurate as its peak.
DOSE_SHARE = 1e-12
#: The share in terms of rtol.
DOSE_SHARE_OF_RTOL = 1e-4
#: Absolute tolerance where no dose sets a scale; small enough that the relative tolerance governs.
NO_DOSE = 1e-20


@dataclass(frozen=True)
class SolverOptions:
    """Method and tolerances of the reference solver.

    Parameters
    ----------
    method : {"auto", "kernel", "linear", "reference", "lsoda", "bdf", "radau"}
        ``auto``: a compiled kernel where many runs repay it; ``kernel``, ``linear``: the nonlinear or the
        linear one in any case; ``reference``: LSODA.
    rtol : float
        Relative tolerance of one step, in [1e-14, 1e-1].
    atol : float, sequence of float, or None
        Absolute tolerance in the unit of each state. None: 1e-12 of the smallest dose for the states of
        a dosed species (1e-4 rtol of it where that is less), 1e-20 for all others.
    max_steps : int
        Steps allowed between two requested times.

    Raises
    ------
    ValueError
        For a method or a number outside what is accepted.
    """

    method: Method = "auto"
    rtol: float = 1e-8
    atol: float | Sequence[float] | None = None
    max_steps: int = 20_000

    @property
    def integrator(self) -> Integrator:
        """What solves one run by itself."""
        return self.method if self.method in ("bdf", "radau") else "lsoda"

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise ValueError(f"method is {self.method!r}; accepted are {', '.join(get_args(Method))}")
        if not 1e-14 <= self.rtol <= 1e-1:
            raise ValueError(f"rtol is {self.rtol!r}; accepted is 1e-14 to 1e-1")
        given = np.asarray(1.0 if self.atol is None else self.atol, dtype=float)
        if not np.all((given > 0.0) & np.isfinite(given)):
            raise ValueError(f"atol is {self.atol!r}; it must be above zero and finite")
        if self.max_steps < 1:
            raise ValueError(f"max_steps is {self.max_steps!r}; it must be at least 1")


def absolute_tolerance(
    options: SolverOptions, states: Sequence[Mapping[str, Any]], smallest_dose: Mapping[str, float]
) -> NDArray[np.float64]:
    """The absolute tolerance of every state.

    Parameters
    ----------
    options : SolverOptions
    states : sequence of mapping
        The manifest's states; ``species`` says which dose sets the scale.
    smallest_dose : mapping of str to float
        Smallest positive dose of each species, in the unit of the states.

    Returns
    -------
    ndarray, shape (S,), in the unit of each state

    Raises
    ------
    ValueError
        If `options.atol` has another length than the states.
    """
    if options.atol is not None:
        atol = np.asarray(options.atol, dtype=float)
        if atol.ndim and atol.shape != (len(states),):
            raise ValueError(f"atol has {atol.size} values; the model has {len(states)} states")
        return np.broadcast_to(atol, (len(states),)).copy()
    share = min(DOSE_SHARE, DOSE_SHARE_OF_RTOL * options.rtol)
    species = [state["species"] for state in states]
    return np.array([share * smallest_dose[s] if s in smallest_dose else NO_DOSE for s in species])
