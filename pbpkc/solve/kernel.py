"""The compiled nonlinear kernel, called with arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.compiler.module import GeneratedModule
from pbpkc.native.failure import NoKernel
from pbpkc.native.lanes import lanes
from pbpkc.native.library import Function, compiled_library
from pbpkc.solve.schedule import Schedule

Array = NDArray[np.float64]
Places = NDArray[np.int64]

#: Subjects of one call into compiled code: between calls there is progress, and Ctrl-C is heard.
AT_ONCE = 512

#: Version of the functions and of the structure that are shared with the C text.
ABI = 2

_DOUBLES = ctypes.POINTER(ctypes.c_double)
_INTEGERS = ctypes.POINTER(ctypes.c_int64)

#: The fields of the C structure `Batch`, in its order.
_FIELDS: tuple[tuple[str, Any], ...] = (
    ("p", _DOUBLES), ("y0", _DOUBLES), ("schedule", _INTEGERS), ("segments", _INTEGERS),
    ("t0", _DOUBLES), ("t1", _DOUBLES), ("u", _DOUBLES), ("slope", _DOUBLES), ("extra", _DOUBLES),
    ("jumps", _INTEGERS), ("jump_kind", _INTEGERS), ("jump_state", _INTEGERS), ("jump_value", _DOUBLES),
    ("samples", _INTEGERS), ("times", _DOUBLES), ("rows", _INTEGERS), ("atol", _DOUBLES),
    ("rtol", ctypes.c_double),
    ("max_steps", ctypes.c_int64), ("states", _DOUBLES), ("observed", _DOUBLES), ("last", _DOUBLES),
    ("reached", _DOUBLES), ("status", _INTEGERS), ("steps", _INTEGERS), ("rejected", _INTEGERS),
    ("ds0", _DOUBLES), ("d_value", _DOUBLES), ("d_time", _DOUBLES), ("d_rate", _DOUBLES),
    ("d_states", _DOUBLES), ("d_observed", _DOUBLES), ("d_last", _DOUBLES),
)  # fmt: skip


class _Batch(ctypes.Structure):
    _fields_ = _FIELDS


FUNCTIONS = (
    Function("pbpkc_sizes", (ctypes.POINTER(ctypes.c_int64),)),
    Function("pbpkc_solve", (ctypes.POINTER(_Batch), ctypes.c_int64, ctypes.c_int64)),
)


@dataclass(frozen=True)
class KernelRuns:
    """What a kernel found for B subjects.

    Parameters
    ----------
    rows : ndarray of int, shape (B + 1,)
        The first row of each subject in the arrays of samples.
    states : ndarray, shape (rows, S), or None
        Each in its unit; nan where a subject did not get.
    observables : ndarray, shape (rows, O), or None
    last : ndarray, shape (B, S)
        At the end of the run.
    reached : ndarray, shape (B,), h
    d_states : ndarray, shape (rows, D, S), or None
        Derivatives by the kernel's parameters, natural scale, canonical units.
    d_observables : ndarray, shape (rows, D, O), or None
    d_last : ndarray, shape (B, D, S), or None
    status : ndarray of int, shape (B,)
        0, or the number of a reason in `REASONS`.
    steps, rejected : ndarray of int, shape (B,)
    """

    rows: Places
    states: Array | None
    observables: Array | None
    last: Array
    reached: Array
    status: Places
    steps: Places
    rejected: Places
    d_states: Array | None = None
    d_observables: Array | None = None
    d_last: Array | None = None


#: Why a subject was not finished, and what to try.
REASONS: dict[int, tuple[str, str]] = {
    1: ("the step size became too small",
        "try other tolerances, or look for a rate that explodes or jumps"),
    2: ("the solver used up its steps before it reached the next sample",
        "allow more steps, loosen the tolerances, or look for a rate that explodes or jumps"),
    3: ("the equations have no value",
        "look for a division by zero, or for a rate that explodes"),
    4: ("the linear equations of a step could not be solved accurately",
        "try the reference solver (--solver reference)"),
    5: ("a flow of the linear equations is negative, or more comes out than goes in",
        "look at the values of this subject, or try the reference solver (--solver reference)"),
}  # fmt: skip


def rosenbrock_kernel(generated: GeneratedModule, columns: tuple[int, ...] = ()) -> Kernel:
    """The compiled nonlinear kernel of a model, from this user's cache where it is there.

    Parameters
    ----------
    generated : GeneratedModule
    columns : tuple of int
        Parameters that it gives derivatives by.

    Raises
    ------
    NoKernel
        If the model has none or this machine cannot make one; the reason is a sentence.
    """
    if generated.kernel is None:
        raise NoKernel("the model came without the text of a kernel")
    source = generated.kernel.rosenbrock(columns)
    if not source.text:
        raise NoKernel(f"the model has no kernel: {source.reason}")
    name = str(generated.manifest["model"])
    library = compiled_library(
        source.text,
        name=name,
        functions=FUNCTIONS,
        defines={"LANES": 1 if source.single else lanes()},
        # Loops gain from level 3; straight-line code runs no faster even with level 2, which compiles for
        # half as long again.
        optimise=3 if source.single else 1,
    )
    return Kernel(library)


class Kernel:
    """A loaded kernel of one system.

    Parameters
    ----------
    library : ctypes.CDLL
        Of the text that `pbpkc.compiler.kernel.rosenbrock` wrote.

    Raises
    ------
    ValueError
        If the library has another interface than this module.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        sizes = (ctypes.c_int64 * 8)()
        library.pbpkc_sizes(sizes)
        abi, self.lanes, self.states, self.parameters, self.inputs = sizes[:5]
        self.observables, self.directions, batch = sizes[5:]
        if abi != ABI or batch != ctypes.sizeof(_Batch):
            raise ValueError(f"the kernel has interface {abi}, {batch} bytes; this program has {ABI}")
        self._solve = library.pbpkc_solve

    def solve(
        self,
        p: Array,
        y0: Array,
        schedule: Schedule,
        which: Places,
        rtol: float,
        atol: Array,
        max_steps: int,
        states: bool = True,
        observables: bool = True,
        threads: int = 1,
        progress: Callable[[int, int], None] | None = None,
        ds0: Array | None = None,
        d_states: bool = False,
    ) -> KernelRuns:
        """Solve B subjects.

        Parameters
        ----------
        p : ndarray, shape (B, P), canonical units
        y0 : ndarray, shape (B, S)
            Before the first event.
        schedule : Schedule
        which : ndarray of int, shape (B,)
            The run of the schedule of each subject.
        rtol : float
        atol : ndarray, shape (runs, S), in the unit of each state
            For each run of the schedule.
        max_steps : int
            From one sample to the next.
        states, observables : bool
            Which of them are kept.
        threads : int
            The result is the same for any number.
        progress : callable (done, all), optional
        ds0 : ndarray, shape (B, D, S), optional
            Derivatives of `y0`; needed where the kernel has directions.
        d_states : bool
            Whether the derivatives of the states are kept, beside those of the observables.
        """
        p, y0 = _doubles(p), _doubles(y0)
        which = np.ascontiguousarray(which, dtype=np.int64)
        count = len(p)
        rows = schedule.first_rows(which)
        runs = KernelRuns(
            rows,
            np.full((rows[-1], self.states), np.nan) if states else None,
            np.full((rows[-1], self.observables), np.nan) if observables else None,
            np.full((count, self.states), np.nan),
            np.full(count, np.nan),
            np.full(count, -1, dtype=np.int64),
            np.zeros(count, dtype=np.int64),
            np.zeros(count, dtype=np.int64),
            np.full((rows[-1], self.directions, self.states), np.nan) if d_states else None,
            np.full((rows[-1], self.directions, self.observables), np.nan) if self.directions else None,
            np.full((count, self.directions, self.states), np.nan) if self.directions else None,
        )
        if self.directions and (ds0 is None or schedule.d_value is None):
            raise ValueError("the kernel has directions; ds0 and the derivatives of the schedule are missing")
        arrays = {
            "p": p, "y0": y0, "schedule": which, "segments": schedule.segments, "t0": schedule.t0,
            "t1": schedule.t1, "u": schedule.u, "slope": schedule.slope, "extra": schedule.extra,
            "jumps": schedule.jumps, "jump_kind": schedule.jump_kind, "jump_state": schedule.jump_state,
            "jump_value": schedule.jump_value, "samples": schedule.samples, "times": schedule.times,
            "rows": rows, "atol": _doubles(atol), "states": runs.states, "observed": runs.observables,
            "last": runs.last, "reached": runs.reached, "status": runs.status, "steps": runs.steps,
            "rejected": runs.rejected, "ds0": None if ds0 is None else _doubles(ds0),
            "d_value": schedule.d_value, "d_time": schedule.d_time, "d_rate": schedule.d_rate,
            "d_states": runs.d_states, "d_observed": runs.d_observables, "d_last": runs.d_last,
        }  # fmt: skip
        batch = _Batch(rtol=rtol, max_steps=max_steps)
        for name, kind in _FIELDS:
            if name in arrays:
                setattr(batch, name, _pointer(arrays[name], kind))

        def part(bounds: tuple[int, int]) -> int:
            self._solve(ctypes.byref(batch), *bounds)
            return bounds[1] - bounds[0]

        done = 0
        for finished in _each(part, list(_parts(count, threads)), threads):
            done += finished
            if progress is not None:
                progress(done, count)
        return runs


def _parts(count: int, threads: int) -> Iterator[tuple[int, int]]:
    size = min(AT_ONCE, max(1, -(-count // threads)))
    for first in range(0, count, size):
        yield first, min(first + size, count)


def _each(
    work: Callable[[tuple[int, int]], int], parts: list[tuple[int, int]], threads: int
) -> Iterator[int]:
    if threads == 1 or len(parts) < 2:
        yield from map(work, parts)
        return
    # The compiled call lets other threads run.
    with ThreadPoolExecutor(threads) as pool:
        try:
            yield from pool.map(work, parts)
        finally:
            pool.shutdown(cancel_futures=True)


def _doubles(values: Array) -> Array:
    return np.ascontiguousarray(values, dtype=np.float64)


def _pointer(array: NDArray[Any] | None, kind: Any) -> Any:
    if array is None or not array.size:
        return kind()
    assert array.flags.c_contiguous
    return array.ctypes.data_as(kind)
