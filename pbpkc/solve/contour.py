"""The compiled linear kernel, called with arrays: no time is stepped through.

Each subject costs one sparse elimination a node of a contour, whatever the number of doses. The spectrum has
to lie in the sector that the contour goes round. That is proved for each subject: nothing off the diagonal of
A is negative and all flows leave, so the circuits of the graph bound the angle. Nodes for that bound are many
more than the spectra of bodies need; so the first try takes the sector of the model's own parameters, with a
margin, and computes the beginning of each window a second time with other nodes. A subject where the two
differ is computed again with the proved sector; one without a proof, by eigenvectors or matrix exponentials.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.native.failure import NoKernel
from pbpkc.native.lanes import lanes
from pbpkc.native.library import Function, compiled_library
from pbpkc.solve.contour_nodes import SMALLEST_ERROR, WIDEST_SECTOR
from pbpkc.solve.contour_plan import ContourPlan, plan
from pbpkc.solve.kernel import AT_ONCE, KernelRuns
from pbpkc.solve.linear_exact import exact_states
from pbpkc.solve.linear_matrices import input_kinds, matrices, sector_of
from pbpkc.solve.linear_steady import steady_states
from pbpkc.solve.linear_stretches import AT_START, OFFSET, RunGroup, run_groups
from pbpkc.solve.schedule import NotScheduled, Schedule

if TYPE_CHECKING:
    from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]
Places = NDArray[np.int64]

#: Version of the functions and of the structure that are shared with the C text.
ABI = 1

#: Error of the contour in terms of rtol, in parts of what enters: so small amounts of a late time or a small
#: organ are still as accurate as asked. Without states and with.
ERROR_SHARES = (1e-4, 1e-6)

#: What two contours may differ by, as a multiple of their expected error.
CHECK_FACTOR = 3.0

#: The sector of the first try: that of the model's own parameters times the factor, plus the margin.
_SECTOR_FACTOR, _SECTOR_MARGIN = 1.1, math.radians(1.0)

#: Status of a subject whose derivatives were asked for, and whose spectrum is not proved to lie in a sector.
UNPROVED = 5

#: How a subject was computed.
NARROW, PROVED, EXACT = 0, 1, 2

_DOUBLES = ctypes.POINTER(ctypes.c_double)
_INTEGERS = ctypes.POINTER(ctypes.c_int64)

#: What compiled code says of a subject.
GOOD, NOT_PROVED, NOT_AGREED, NO_VALUE = 0, 1, 2, 3

#: The fields of the C structure `Contour`, in its order.
_FIELDS: tuple[tuple[str, Any], ...] = (
    ("p", _DOUBLES), ("run", _INTEGERS), ("u", _DOUBLES), ("scale", _DOUBLES),
    ("given", ctypes.POINTER(_DOUBLES)), ("member", _INTEGERS),
    ("shift", ctypes.c_double), ("nodes", ctypes.c_int64), ("z", _DOUBLES), ("columns", ctypes.c_int64),
    ("column", _INTEGERS), ("samples", ctypes.c_int64), ("checks", ctypes.c_int64), ("matrix", _DOUBLES),
    ("used", _INTEGERS), ("size", _DOUBLES), ("allowed", ctypes.c_double), ("whole", ctypes.c_int64),
    ("row", _INTEGERS), ("out", _DOUBLES), ("d_scale", _DOUBLES), ("d_given", ctypes.POINTER(_DOUBLES)),
    ("d_out", _DOUBLES), ("verdict", _INTEGERS),
)  # fmt: skip


class _Contour(ctypes.Structure):
    _fields_ = _FIELDS


FUNCTIONS = (
    Function("pbpkc_sizes", (_INTEGERS,)),
    Function("pbpkc_places", (_INTEGERS,)),
    Function("pbpkc_contour", (ctypes.POINTER(_Contour), ctypes.c_int64, ctypes.c_int64), ctypes.c_int64),
)


@dataclass(frozen=True, kw_only=True)
class LinearRuns(KernelRuns):
    """What the linear kernel found for B subjects; `steps` counts the nodes of each.

    Parameters
    ----------
    way : ndarray of int, shape (B,)
        How each was computed: `NARROW`, `PROVED` or `EXACT`.
    """

    way: Places


def linear_kernel(compiled: CompiledModel, columns: tuple[int, ...] = ()) -> LinearKernel:
    """The compiled linear kernel of a model, from this user's cache where it is there.

    Parameters
    ----------
    compiled : CompiledModel
    columns : tuple of int
        Parameters that it gives derivatives of the observables by.

    Raises
    ------
    NoKernel
        If the model is not linear or this machine cannot make one; the reason is a sentence.
    """
    generated = compiled.generated
    if generated.kernel is None:
        raise NoKernel("the model came without the text of a kernel")
    source = generated.kernel.contour(columns)
    if not source.text:
        raise NoKernel(f"the model has no linear kernel: {source.reason}")
    library = compiled_library(
        source.text, name=str(generated.manifest["model"]), functions=FUNCTIONS, defines={"LANES": lanes()},
        optimise=2,
    )  # fmt: skip
    return LinearKernel(compiled, library)


class LinearKernel:
    """A loaded linear kernel of one model.

    Parameters
    ----------
    compiled : CompiledModel
    library : ctypes.CDLL
        Of the text that `pbpkc.compiler.contour.text` wrote.

    Raises
    ------
    ValueError
        If the library has another interface than this module.
    """

    def __init__(self, compiled: CompiledModel, library: ctypes.CDLL) -> None:
        sizes = (ctypes.c_int64 * 14)()
        library.pbpkc_sizes(sizes)
        (abi, self.lanes, self.states, self.parameters, self.inputs, self.rows, self.seen, self.directions,
         linear, offsets, *circuits, self.block, size) = list(sizes)  # fmt: skip
        if abi != ABI or size != ctypes.sizeof(_Contour):
            raise ValueError(f"the kernel has interface {abi}, {size} bytes; this program has {ABI}")
        places = (ctypes.c_int64 * (self.states + max(self.rows, 1)))()
        library.pbpkc_places(places)
        self.places = np.array(places[: self.states], dtype=np.int64)
        self.read_states = () if linear else tuple(places[self.states : self.states + self.rows])
        self.constant = offsets > 0
        self.observables = len(compiled.observable_names)
        self._run = library.pbpkc_contour
        self.compiled = compiled
        self.kinds = input_kinds(compiled)
        self.proved_sectors = tuple(_sector_of_circuit(m) for m in circuits)
        self.sectors = tuple(min(self._own_sector(), s) for s in self.proved_sectors)
        self._plans: dict[Any, ContourPlan] = {}
        self._groups: tuple[RunGroup, ...] = ()
        self._of: Schedule | None = None

    def solve(
        self,
        p: Array,
        y0: Array,
        schedule: Schedule,
        which: Places,
        rtol: float,
        states: bool = True,
        observables: bool = True,
        threads: int = 1,
        progress: Callable[[int, int], None] | None = None,
        ds0: Array | None = None,
    ) -> LinearRuns:
        """Solve B subjects.

        Parameters
        ----------
        p : ndarray, shape (B, P), canonical units
        y0 : ndarray, shape (B, S)
            Before the first event.
        schedule : Schedule
        which : ndarray of int, shape (B,)
            The run of the schedule of each subject. The fewer there are, the less is computed.
        rtol : float
        states, observables : bool
            Which of them are kept. Without states only what the observables depend on is computed, and `last`
            is nan.
        threads : int
            The result is the same for any number.
        progress : callable (done, all), optional
        ds0 : ndarray, shape (B, D, S), optional
            Derivatives of `y0`; needed where the kernel has directions. Then a subject without a proof is not
            solved: its status says so.

        Raises
        ------
        NotScheduled
            If something happens that a linear kernel cannot follow; with directions, where held inputs
            change, times move with a parameter, a steady state is reached, or an observable is not linear.
        """
        if self.directions:
            self._demand_differentiable(schedule, ds0)
        p = np.ascontiguousarray(p, dtype=float)
        y0 = np.ascontiguousarray(y0, dtype=float)
        which = np.ascontiguousarray(which, dtype=np.int64)
        count = len(p)
        rows = schedule.first_rows(which)
        # Observables that are no sums of states are made of all states, or of those they read.
        kept = states or (observables and bool(self.read_states))
        runs = LinearRuns(
            rows,
            np.empty((rows[-1], self.states)) if kept else None,
            np.empty((rows[-1], self.observables)) if observables else None,
            np.full((count, self.states), np.nan),
            np.full(count, np.nan),
            np.full(count, -1, dtype=np.int64),
            np.zeros(count, dtype=np.int64),
            np.zeros(count, dtype=np.int64),
            d_observables=np.full((rows[-1], self.directions, self.observables), np.nan)
            if self.directions
            else None,
            way=np.full(count, NARROW, dtype=np.int64),
        )
        done = 0
        for group in self._groups_of(schedule):
            members = np.flatnonzero(np.isin(which, group.runs))
            for first in range(0, len(members), AT_ONCE * threads):
                part = members[first : first + AT_ONCE * threads]
                done += len(part)
                for way in self._ways(kept):
                    if part.size:
                        job = _Job(self, runs, part, p, y0, schedule, which, group, rtol, way, threads, ds0)
                        part = job.follow(kept, observables)
                if self.directions:
                    runs.status[part] = UNPROVED
                    continue
                for run in np.unique(which[part]).tolist():
                    self._exactly(runs, part[which[part] == run], p, y0, schedule, run, rtol)
                if progress is not None:
                    progress(done, count)
        return runs if states or not kept else replace(runs, states=None)

    def _demand_differentiable(self, schedule: Schedule, ds0: Array | None) -> None:
        if ds0 is None or schedule.d_value is None:
            raise ValueError("the kernel has directions; ds0 and the derivatives of the schedule are missing")
        if self.read_states:
            raise NotScheduled("an observable is not linear in the states")
        if schedule.d_time is not None:
            raise NotScheduled("the time of a dose moves with a parameter")
        if any(len(group.form) > 1 or group.steady[0] for group in self._groups_of(schedule)):
            raise NotScheduled("derivatives are not carried over a change of a held input or a steady state")

    def _groups_of(self, schedule: Schedule) -> tuple[RunGroup, ...]:
        """The runs of a schedule by form; kept, with their plans, while the same schedule is used again."""
        if self._of is not schedule:
            self._plans, self._of = {}, schedule
            self._groups = run_groups(schedule, self.kinds, self.states)
        return self._groups

    def _ways(self, whole: bool) -> tuple[int, ...]:
        narrow = self.sectors[whole] < self.proved_sectors[whole]
        proved = self.proved_sectors[whole] <= WIDEST_SECTOR
        return (*((NARROW,) if narrow else ()), *((PROVED,) if proved else ()))

    def _exactly(
        self,
        runs: LinearRuns,
        members: Places,
        p: Array,
        y0: Array,
        schedule: Schedule,
        run: int,
        rtol: float,
    ) -> None:
        with np.errstate(all="ignore"):
            states, last = exact_states(
                self.compiled, self.kinds, p[members], y0[members], schedule, run, rtol
            )
        places = runs.rows[members][:, None] + np.arange(states.shape[1])
        if runs.states is not None:
            runs.states[places] = states
        if runs.observables is not None:
            runs.observables[places] = self.observed(states, p[members], schedule, run)
        runs.last[members] = last
        runs.status[members] = np.where(np.all(np.isfinite(states), axis=(1, 2)), 0, 3)
        runs.reached[members] = schedule.t1[schedule.segments[run + 1] - 1]
        runs.way[members] = EXACT

    def observed(self, states: Array, p: Array, schedule: Schedule, run: int) -> Array:
        """Observables (B, T, O) of states (B, T, S)."""
        first, last = int(schedule.segments[run]), int(schedule.segments[run + 1])
        begin = int(schedule.samples[first])
        found = np.empty((*states.shape[:2], self.observables))
        module = self.compiled.module
        people = p[:, None, :]
        c = module.prepare(people)
        for g in range(first, last):
            inside = slice(int(schedule.samples[g]), int(schedule.samples[g + 1]))
            if inside.stop == inside.start:
                continue
            times = schedule.times[inside]
            u = schedule.u[g] + np.outer(times - schedule.t0[g], schedule.slope[g])
            own = slice(inside.start - begin, inside.stop - begin)
            with np.errstate(all="ignore"):
                found[:, own] = module.observe(times, states[:, own], people, u, c)
        return found

    def plan_of(
        self, group: RunGroup, number: int, absent: tuple[int, ...], way: int, whole: bool, at_end: bool,
        rtol: float,
    ) -> ContourPlan:  # fmt: skip
        """The plan of a stretch."""
        key = (int(group.runs[0]), number, absent, way, whole, at_end, rtol)
        if key not in self._plans:
            sectors = self.sectors if way == NARROW else self.proved_sectors
            self._plans[key] = plan(
                group.form[number], sectors[whole], max(ERROR_SHARES[whole] * rtol, SMALLEST_ERROR),
                self.states if whole else self.seen, self.block, absent, checked=way == NARROW, at_end=at_end,
            )  # fmt: skip
        return self._plans[key]

    def call(self, plan: ContourPlan, threads: int, members: Places, whole: bool,
             arrays: Mapping[str, NDArray[Any]], given: Sequence[Array],
             d_given: Sequence[Array] = ()) -> None:  # fmt: skip
        """Compiled code for some subjects.

        `arrays` hold what of the C structure is not in the plan; `given` are whole states, each (B, S), from
        the column `AT_START` downwards; `d_given` are their derivatives, each (B, D, S).
        """
        contour = _Contour(
            shift=plan.shift, nodes=len(plan.z), columns=len(plan.columns), samples=plan.samples,
            checks=plan.checks, whole=int(whole), allowed=CHECK_FACTOR * (plan.check_error + plan.error),
        )  # fmt: skip
        columns = np.array(plan.columns, dtype=np.int64)
        of_plan = {
            "z": plan.z,
            "column": columns,
            "matrix": plan.matrix,
            "used": plan.used,
            "size": plan.sizes,
            "member": members,
        }
        contour.given, contour.d_given = _addresses(given), _addresses(d_given)
        for name, kind in _FIELDS:
            array = arrays.get(name, of_plan.get(name))
            if array is not None:
                assert array.flags.c_contiguous
                setattr(contour, name, array.ctypes.data_as(kind))

        def part(bounds: tuple[int, int]) -> None:
            if self._run(ctypes.byref(contour), *bounds):
                raise MemoryError("the linear kernel needs more memory than there is")

        size = max(1, -(-len(members) // threads))
        parts = [(k, min(k + size, len(members))) for k in range(0, len(members), size)]
        if len(parts) == 1:
            part(parts[0])
        else:
            # The compiled call lets other threads run.
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(part, parts))

    def _own_sector(self) -> float:
        """The sector of the first try, from the model's own parameters."""
        p = self.compiled.parameters()
        u = np.zeros(self.inputs)
        for k, item in enumerate(self.compiled.manifest["inputs"]):
            if item["kind"] == "held":
                u[k] = p[item["parameter"]]
        with np.errstate(all="ignore"):
            A, _ = matrices(self.compiled, p[None], u)
        if not np.all(np.isfinite(A)):
            return WIDEST_SECTOR
        return _SECTOR_FACTOR * sector_of(np.linalg.eigvals(A[0])) + _SECTOR_MARGIN


class _Job:
    """Some subjects whose runs have one form, on one kind of contour."""

    def __init__(
        self, kernel: LinearKernel, runs: LinearRuns, members: Places, p: Array, y0: Array,
        schedule: Schedule, which: Places, group: RunGroup, rtol: float, way: int, threads: int,
        ds0: Array | None,
    ) -> None:  # fmt: skip
        self.kernel, self.runs, self.members, self.p, self.y0 = kernel, runs, members, p, y0
        self.ds0 = None if ds0 is None else np.ascontiguousarray(ds0, dtype=float)
        self.schedule, self.which, self.group = schedule, which, group
        self.rtol, self.way, self.threads = rtol, way, threads
        self.verdict = np.full(len(p), GOOD, dtype=np.int64)
        self.one_row = np.arange(len(p), dtype=np.int64)
        self.worst = np.full(len(members), GOOD, dtype=np.int64)
        self.nodes = 0
        self.settled = self._settled()

    def _settled(self) -> list[Array]:
        """The steady states of doses, each (B, S)."""
        found = [np.zeros(self.y0.shape) for _ in self.group.steady[0]]
        for run in np.unique(self.which[self.members]).tolist() if found else ():
            own = self.members[self.which[self.members] == run]
            for target, reached in zip(found, self.group.steady[self.group.place[run]], strict=True):
                with np.errstate(all="ignore"):
                    target[own] = steady_states(
                        self.kernel.compiled, self.kernel.kinds, self.p[own], self.y0[own], reached, self.rtol
                    )
        return found

    def follow(self, states: bool, observables: bool) -> Places:
        """Compute what is wanted, and give back the subjects for which that was not to be believed."""
        kernel, runs, members, form = self.kernel, self.runs, self.members, self.group.form
        at = 0
        for number, stretch in enumerate(form):
            row = runs.rows[:-1] + at
            if states and runs.states is not None:
                self._call(number, runs.states, row, whole=True)
            if observables and not kernel.read_states and runs.observables is not None:
                self._call(number, runs.observables, row, whole=False)
            if number < len(form) - 1 or states:
                # Each subject is read before it is written.
                self._call(number, runs.last, self.one_row, whole=True, at_end=True)
            at += stretch.times.size
        good = self.worst == GOOD
        fine = members[good]
        if kernel.read_states and observables and runs.states is not None and runs.observables is not None:
            for run in np.unique(self.which[fine]).tolist():
                own = fine[self.which[fine] == run]
                places = runs.rows[own][:, None] + np.arange(at)
                runs.observables[places] = kernel.observed(
                    runs.states[places], self.p[own], self.schedule, run
                )
        if not states:
            runs.last[members] = np.nan
        runs.status[fine], runs.way[fine], runs.steps[fine] = 0, self.way, self.nodes
        runs.reached[fine] = form[-1].end
        left: Places = members[~good]
        return left

    def _call(self, number: int, out: Array, row: Places, whole: bool, at_end: bool = False) -> None:
        kernel, group = self.kernel, self.group
        empty = {AT_START: not self.y0.any(), OFFSET: not kernel.constant}
        absent = tuple(column for column, nothing in empty.items() if nothing)
        plan = kernel.plan_of(group, number, absent, self.way, whole, at_end, self.rtol)
        arrays = {
            "p": self.p, "run": group.place[self.which], "u": group.u[number],
            "scale": np.ascontiguousarray(group.scale[number][:, list(plan.places)]),
            "row": row, "out": out, "verdict": self.verdict,
        }  # fmt: skip
        d_given: tuple[Array, ...] = ()
        if kernel.directions and not whole and self.ds0 is not None and self.runs.d_observables is not None:
            slopes = group.d_scale[number]
            arrays["d_scale"] = np.ascontiguousarray(slopes[:, :, list(plan.places)])
            arrays["d_out"] = self.runs.d_observables
            d_given = (self.ds0, self.ds0)
        given = (self.y0, self.runs.last, *self.settled)
        kernel.call(plan, self.threads, self.members, whole, arrays, given, d_given)
        self.nodes += len(plan.z)
        self.worst = np.maximum(self.worst, self.verdict[self.members])


def _addresses(arrays: Sequence[Array]) -> Any:
    """Where some arrays begin, as C takes it."""
    return (_DOUBLES * max(1, len(arrays)))(*(array.ctypes.data_as(_DOUBLES) for array in arrays))


def _sector_of_circuit(states: int) -> float:
    """The half-angle that a longest circuit of some states allows."""
    return 0.0 if states <= 2 else math.pi / 2 - math.pi / states
