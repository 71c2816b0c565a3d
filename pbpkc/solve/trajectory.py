"""What a solver gives back: values at times, how they were found, and whether it went well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]


class SolveError(RuntimeError):
    """A solution that failed, for callers who asked for an exception."""


@dataclass(frozen=True)
class Outcome:
    """How a solution ended.

    Parameters
    ----------
    ok : bool
    reason : str
        A sentence that says what stopped it; empty if nothing did.
    suggestion : str
        What to try.
    reached : float, h
        The time up to which the values hold.
    """

    ok: bool
    reason: str = ""
    suggestion: str = ""
    reached: float = float("nan")


@dataclass(frozen=True)
class SolverRecord:
    """How the values were found.

    Parameters
    ----------
    method : str
    rtol : float
    atol : tuple of float
        One a state, in its unit.
    steps, rhs_evaluations, jacobian_evaluations : int
    segments : int
        Restarts, one for every time at which a dose or an input changes.
    cpu_seconds : float
    """

    method: str
    rtol: float
    atol: tuple[float, ...]
    steps: int
    rhs_evaluations: int
    jacobian_evaluations: int
    segments: int
    cpu_seconds: float


@dataclass(frozen=True)
class Trajectory:
    """A simulated run.

    Parameters
    ----------
    time : ndarray, shape (T,), h
    y : ndarray, shape (T, S)
        States, each in its unit; nan where the solver did not get.
    observables : ndarray, shape (T, O)
        In the unit of each observable.
    state_names, observable_names : tuple of str
    outcome : Outcome
    solver : SolverRecord
    dy_dp : ndarray, shape (T, S, k), optional
        Sensitivities by the parameters of `columns`, natural scale, canonical units.
    d_observables_dp : ndarray, shape (T, O, k), optional
    columns : tuple of int
        Parameter indices the sensitivities are by.
    """

    time: Array
    y: Array
    observables: Array
    state_names: tuple[str, ...]
    observable_names: tuple[str, ...]
    outcome: Outcome
    solver: SolverRecord
    dy_dp: Array | None = None
    d_observables_dp: Array | None = None
    columns: tuple[int, ...] = ()

    def observable(self, name: str) -> Array:
        """The curve of one observable, shape (T,).

        Raises
        ------
        ValueError
            If there is no such observable.
        """
        if name not in self.observable_names:
            raise ValueError(f"observable is {name!r}; there are {', '.join(self.observable_names)}")
        return self.observables[:, self.observable_names.index(name)]

    def state(self, name: str) -> Array:
        """The curve of one state, shape (T,).

        Raises
        ------
        ValueError
            If there is no such state.
        """
        if name not in self.state_names:
            raise ValueError(f"state is {name!r}; there are {', '.join(self.state_names)}")
        return self.y[:, self.state_names.index(name)]

    def throw(self) -> Trajectory:
        """The trajectory itself, if it went well.

        Raises
        ------
        SolveError
            With the reason and the suggestion, if it did not.
        """
        if not self.outcome.ok:
            raise SolveError(f"{self.outcome.reason}. {self.outcome.suggestion}")
        return self

    def to_frame(self, states: bool = False) -> pd.DataFrame:
        """A pandas view: ``time``, the observables, and the states if asked for."""
        import pandas as pd

        columns = {"time": self.time}
        columns.update(zip(self.observable_names, self.observables.T, strict=True))
        if states:
            columns.update(zip(self.state_names, self.y.T, strict=True))
        return pd.DataFrame(columns)
