"""Many subjects of one model: what is asked for, and what is given back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.events import BoundRegimen
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.trajectory import Outcome, SolverRecord, Trajectory

if TYPE_CHECKING:
    from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]
Places = NDArray[np.int64]

#: What the methods that are compiled are called in sentences.
KERNEL_NAMES = {"kernel": "nonlinear", "linear": "linear"}


@dataclass(frozen=True)
class Plan:
    """What is done to a subject, and when it is looked at.

    Parameters
    ----------
    regimen : BoundRegimen
    times : ndarray, shape (T,), h
        Sorted, none before the regimen begins.
    order : ndarray of int, shape (T,), optional
        Row of each sample in a data file, as in `pbpkc.solve.reference.simulate`.
    """

    regimen: BoundRegimen
    times: Array
    order: Places | None = None


@dataclass(frozen=True)
class Subjects:
    """B subjects of one model, and how they are solved.

    Parameters
    ----------
    compiled : CompiledModel
    p : ndarray, shape (B, P), canonical units
    plans : tuple of Plan
        Subjects that are dosed alike share one.
    plan_of : ndarray of int, shape (B,)
    options : SolverOptions
    states : bool
        Whether the states are kept, which take most of the memory.
    workers : int
        Threads of a kernel, processes of the reference. The result is the same for any number.
    progress : callable (done, all), optional
    of : int
        How many there are in all where these are a part of them: ``auto`` decides by it.
    checked : tuple of int, optional
        Who is solved by the reference too, to verify a kernel; a small share of them if left out.
    """

    compiled: CompiledModel
    p: Array
    plans: tuple[Plan, ...]
    plan_of: Places
    options: SolverOptions
    states: bool = True
    workers: int = 1
    progress: Callable[[int, int], None] | None = None
    of: int = 0
    checked: tuple[int, ...] | None = None

    def __len__(self) -> int:
        """How many there are."""
        return len(self.p)

    def plan(self, subject: int) -> Plan:
        """What is done to one of them."""
        return self.plans[int(self.plan_of[subject])]

    def rows(self) -> Places:
        """The first sample of each, and the number of all, shape (B + 1,)."""
        counts = np.array([plan.times.size for plan in self.plans], dtype=np.int64)[self.plan_of]
        return np.concatenate(([0], np.cumsum(counts))).astype(np.int64)

    def batch(
        self,
        states: Array | None,
        observables: Array,
        outcomes: Sequence[Outcome],
        solvers: Sequence[SolverRecord],
        record: BatchRecord,
    ) -> Batch:
        """What was found for them."""
        return Batch(
            tuple(plan.times for plan in self.plans), self.plan_of, self.rows(), states, observables,
            tuple(outcomes), tuple(solvers), record, self.compiled.state_names,
            self.compiled.observable_names,
        )  # fmt: skip


@dataclass(frozen=True)
class Verification:
    """How a kernel compares with the reference on some subjects.

    Parameters
    ----------
    subjects : tuple of int
        Which were solved twice.
    worst : float
        Largest difference in relative tolerances; nan where none was compared.
    accepted : float
        What is accepted of it.
    """

    subjects: tuple[int, ...]
    worst: float
    accepted: float

    @property
    def holds(self) -> bool:
        """Whether the kernel's results are used."""
        return not self.worst > self.accepted


@dataclass(frozen=True)
class BatchRecord:
    """How a batch was solved.

    Parameters
    ----------
    method : str
        ``kernel``, ``linear`` or ``reference``.
    reason : str
        Why it was that one.
    verification : Verification or None
    retried : tuple of int
        Subjects that the kernel did not finish and the reference solved, or failed to.
    cpu_seconds : float
    """

    method: str
    reason: str
    verification: Verification | None
    retried: tuple[int, ...]
    cpu_seconds: float


@dataclass(frozen=True)
class Batch:
    """Curves of B subjects.

    Parameters
    ----------
    times : tuple of ndarray
        For each plan, h.
    plan_of : ndarray of int, shape (B,)
    rows : ndarray of int, shape (B + 1,)
        The first row of each subject in the arrays of samples.
    states : ndarray, shape (rows, S), or None
    observables : ndarray, shape (rows, O)
    outcomes : tuple of Outcome
        Of each subject.
    solvers : tuple of SolverRecord
        Of each subject.
    record : BatchRecord
    state_names, observable_names : tuple of str
    """

    times: tuple[Array, ...]
    plan_of: Places
    rows: Places
    states: Array | None
    observables: Array
    outcomes: tuple[Outcome, ...]
    solvers: tuple[SolverRecord, ...]
    record: BatchRecord
    state_names: tuple[str, ...]
    observable_names: tuple[str, ...]

    def __len__(self) -> int:
        """How many subjects."""
        return len(self.plan_of)

    def trajectory(self, subject: int) -> Trajectory:
        """The curves of one subject; without states where they were not kept."""
        part = slice(self.rows[subject], self.rows[subject + 1])
        time = self.times[self.plan_of[subject]]
        kept = self.states is not None
        y = self.states[part] if self.states is not None else np.empty((time.size, 0))
        return Trajectory(
            time, y, self.observables[part], self.state_names if kept else (), self.observable_names,
            self.outcomes[subject], self.solvers[subject],
        )  # fmt: skip
