"""One segment by one integrator: values at the wanted times, and what became of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import BDF, LSODA, ODEintWarning, Radau, odeint

from pbpkc.solve.equations import Equations
from pbpkc.solve.options import SolverOptions

Array = NDArray[np.float64]

_SMALL = "the step size became too small"

#: Words of LSODA's messages, what they mean, and what to try.
_LSODA_FAILURES = (
    ("Excess work", "the solver used up its steps before it reached the next sample",
     "allow more steps, loosen the tolerances, or look for a rate that explodes or jumps"),
    ("Excess accuracy", "the tolerances ask for more than double precision holds", "raise rtol or atol"),
    ("Repeated error test", _SMALL,
     "try another method (bdf, radau), other tolerances, or look for a rate that explodes or jumps"),
    ("Repeated convergence", "the implicit equations of a step could not be solved",
     "try another method (bdf, radau), other tolerances, or look for a rate that explodes or jumps"),
)  # fmt: skip

#: Matrices in one segment, and in terms of evaluations, from which on an incomplete one is replaced.
#: Whole-body models stay near 0.05; atmospheric chemistry and Robertson's reaction, where the incomplete
#: matrix makes five to ten times as many steps, are at 0.17.
STUBBORN_AFTER = 100
STUBBORN_SHARE = 0.12

Function = Callable[[float, Array], Array]

_STEPPERS: dict[str, Any] = {"lsoda": LSODA, "bdf": BDF, "radau": Radau}


@dataclass(frozen=True)
class Step:
    """One step of an integrator, with the polynomial between its ends.

    Parameters
    ----------
    begin, end : float, h
        Since the segment began.
    interpolate : callable (since,) -> (N, m)
    """

    begin: float
    end: float
    interpolate: Callable[[Array], Array]


@dataclass(frozen=True)
class Integration:
    """What an integrator found on one segment.

    Parameters
    ----------
    values : ndarray, shape (m, N)
        At the wanted times; nan where it did not get.
    last : ndarray, shape (N,)
        At the end.
    reached : float, h
        Since the segment began.
    reason, suggestion : str
        Empty if it went well.
    steps, rhs_evaluations, jacobian_evaluations : int
    stuck : bool
        Whether it ended because steps became too small or too many.
    path : tuple of Step
        Only if asked for.
    """

    values: Array
    last: Array
    reached: float
    reason: str
    suggestion: str
    steps: int
    rhs_evaluations: int
    jacobian_evaluations: int
    stuck: bool = False
    path: tuple[Step, ...] = field(default=(), repr=False)


def integrate(
    equations: Equations,
    start: Array,
    duration: float,
    wanted: Array,
    options: SolverOptions,
    atol: Array,
    keep_path: bool = False,
) -> Integration:
    """Integrate one segment.

    Parameters
    ----------
    equations : Equations
    start : ndarray, shape (N,)
    duration : float, h
    wanted : ndarray, shape (m,), h
        Since the segment began, sorted, in [0, duration].
    options : SolverOptions
    atol : ndarray, shape (N,)
    keep_path : bool
        Keep every step with its interpolant.

    Notes
    -----
    LSODA (Hindmarsh 1983; Petzold 1983) runs in SciPy's compiled loop. Whatever goes wrong there is
    repeated step by step, which is slower and can say where and why it ended.
    """
    if duration <= 0.0:
        return Integration(np.repeat(start[None], wanted.size, 0), start, 0.0, "", "", 0, 0, 0)
    if not np.all(np.isfinite(start)):
        return _unusable(
            start, wanted, "a state is not a finite number", "look at the initial values and doses"
        )
    if options.integrator == "lsoda" and not keep_path:
        try:
            found = _lsoda_loop(equations, start, duration, wanted, options, atol)
        except _Stubborn:
            assert equations.coupling is not None
            equations.coupling.needed = True
            found = _lsoda_loop(equations, start, duration, wanted, options, atol)
        if found is not None:
            return found
        equations.fault.time, equations.fault.count = None, 0
    return _step_by_step(equations, start, duration, wanted, options, atol, keep_path)


def _lsoda_loop(
    equations: Equations, start: Array, duration: float, wanted: Array, options: SolverOptions, atol: Array
) -> Integration | None:
    lower, upper = equations.band or (None, None)
    rhs, jacobian, transposed = equations.rhs, equations.jacobian_transposed, True
    if equations.complete is not None and equations.coupling is not None:
        if equations.coupling.needed:
            lower, upper, jacobian, transposed = None, None, equations.complete, False
        else:
            rhs, jacobian = _watched(rhs, jacobian)
    grid, place = np.unique(np.concatenate(([0.0], wanted, [duration])), return_inverse=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ODEintWarning)
        try:
            values, info = odeint(
                rhs, start, grid, Dfun=jacobian, col_deriv=transposed,
                full_output=True, tfirst=True, rtol=options.rtol, atol=atol, mxstep=options.max_steps,
                ml=lower, mu=upper,
            )  # fmt: skip
        except FloatingPointError:
            return None
    if "successful" not in info["message"]:
        return _lsoda_failure(values, info, grid, place)
    if not np.all(np.isfinite(values)):
        return None
    return Integration(values[place[1:-1]], values[-1], duration, "", "", *_counts(info, -1))


class _Stubborn(Exception):
    """The corrector keeps asking for new matrices: what the matrix lacks matters here."""


def _watched(rhs: Function, jacobian: Function) -> tuple[Function, Function]:
    """The functions, with an eye on how often a new matrix is asked for."""
    evaluations = matrices = 0

    def counted_rhs(since: float, z: Array) -> Array:
        nonlocal evaluations
        evaluations += 1
        return rhs(since, z)

    def counted_jacobian(since: float, z: Array) -> Array:
        nonlocal matrices
        matrices += 1
        if matrices > STUBBORN_AFTER and matrices > STUBBORN_SHARE * evaluations:
            raise _Stubborn
        return jacobian(since, z)

    return counted_rhs, counted_jacobian


def _lsoda_failure(
    values: Array, info: dict[str, Any], grid: Array, place: NDArray[np.intp]
) -> Integration | None:
    """What was computed before LSODA gave up; None if that cannot be told."""
    told = next(((why, what) for words, why, what in _LSODA_FAILURES if words in info["message"]), None)
    if told is None:
        return None
    # Rows behind the failing one are not filled, so the first time that was not reached marks it.
    failed = int(np.argmax(~(info["tcur"] >= grid[1:]))) + 1
    values[failed:] = np.nan
    if not np.all(np.isfinite(values[:failed])):
        return None
    reached = float(max(info["tcur"][failed - 1], grid[failed - 1]))
    stuck = "accuracy" not in info["message"]
    return Integration(values[place[1:-1]], values[-1], reached, *told, *_counts(info, failed - 1), stuck)


def _counts(info: dict[str, Any], row: int) -> tuple[int, int, int]:
    """Steps, evaluations of the equations and of their Jacobian until one of the times."""
    return int(info["nst"][row]), int(info["nfe"][row]), int(info["nje"][row])


def _step_by_step(
    equations: Equations,
    start: Array,
    duration: float,
    wanted: Array,
    options: SolverOptions,
    atol: Array,
    keep_path: bool,
) -> Integration:
    if not np.all(np.isfinite(equations.rhs(0.0, start))):
        reason = equations.fault.message or "a rate is not a finite number"
        return _unusable(start, wanted, f"the equations have no value at the start: {reason}",
                         "look for a division by zero or a logarithm of zero in the rates")  # fmt: skip
    values = np.full((wanted.size, start.size), np.nan)
    done = int(np.searchsorted(wanted, 0.0, side="right"))
    values[:done] = start
    path: list[Step] = []
    steps, since_sample, reason, suggestion = 0, 0, "", ""

    def jacobian(since: float, z: Array) -> Array:
        if equations.complete is not None and options.integrator != "lsoda":
            return equations.complete(since, z)
        matrix = equations.jacobian_transposed(since, z)
        return _full(matrix, *equations.band) if equations.band else matrix.T.copy()

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        solver = _STEPPERS[options.integrator](
            equations.rhs, 0.0, start, duration, rtol=options.rtol, atol=atol, jac=jacobian
        )
        last, reached = start, 0.0
        while solver.status == "running":
            try:
                message = solver.step()
            except (FloatingPointError, ValueError, np.linalg.LinAlgError) as error:
                reason, suggestion = _explain(str(error), equations)
                break
            if solver.status == "failed" or not np.all(np.isfinite(solver.y)):
                reason, suggestion = _explain(message or "a state is not a finite number", equations)
                break
            steps += 1
            since_sample += 1
            last, reached = np.array(solver.y), float(solver.t)
            upto = int(np.searchsorted(wanted, reached, side="right"))
            if upto > done or keep_path:
                dense = solver.dense_output()
                if upto > done:
                    values[done:upto] = dense(wanted[done:upto]).T
                    done, since_sample = upto, 0
                if keep_path:
                    path.append(Step(float(solver.t_old), reached, dense))
            if since_sample >= options.max_steps:
                reason = f"the solver took {since_sample} steps without reaching the next sample"
                suggestion = (
                    "allow more steps, loosen the tolerances, or look for a rate that explodes or jumps"
                )
                break
    return Integration(
        values, last if not reason else np.full(start.size, np.nan), reached, reason, suggestion,
        steps, int(solver.nfev), int(solver.njev), _SMALL in reason or "without reaching" in reason,
        tuple(path),
    )  # fmt: skip


def _full(bands: Array, lower: int, upper: int) -> Array:
    """A square matrix from its transposed bands."""
    size = bands.shape[0]
    matrix = np.zeros((size, size))
    for offset in range(-upper, lower + 1):
        columns = np.arange(max(0, -offset), min(size, size - offset))
        matrix[columns + offset, columns] = bands[columns, offset + upper]
    return matrix


def _explain(message: str, equations: Equations) -> tuple[str, str]:
    """Reason and suggestion for what an integrator says when it stops."""
    fault = equations.fault
    if fault.time is not None:
        return (
            f"the equations have no value: {fault.message}",
            "look for a root, a power or a logarithm of a quantity that can become zero or negative",
        )
    if "finite" in message:
        return "a state is no longer a finite number", "look for a rate that explodes"
    return (
        _SMALL,
        "try another method (lsoda, bdf, radau), other tolerances, or look for a rate that explodes or jumps",
    )


def _unusable(start: Array, wanted: Array, reason: str, suggestion: str) -> Integration:
    values = np.full((wanted.size, start.size), np.nan)
    values[wanted <= 0.0] = start
    return Integration(values, np.full(start.size, np.nan), 0.0, reason, suggestion, 0, 1, 0)
