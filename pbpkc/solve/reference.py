"""The reference solution: SciPy's integrators with the generated Jacobian, restarted at every event."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pbpkc.experiment.events import BoundRegimen
from pbpkc.solve.equations import StateEquations
from pbpkc.solve.fixed_point import Unsteady
from pbpkc.solve.integrate import Integration, integrate
from pbpkc.solve.options import SolverOptions, absolute_tolerance
from pbpkc.solve.passage import Passage, refusal
from pbpkc.solve.steep import steep_suggestion
from pbpkc.solve.timeline import Segment, timeline
from pbpkc.solve.trajectory import Outcome, SolverRecord, Trajectory

if TYPE_CHECKING:
    from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]


def simulate(
    compiled: CompiledModel,
    p: ArrayLike,
    regimen: BoundRegimen,
    times: ArrayLike,
    options: SolverOptions | None = None,
    initial: ArrayLike | None = None,
    order: NDArray[np.int64] | None = None,
) -> Trajectory:
    """The states and observables of one run.

    Parameters
    ----------
    compiled : CompiledModel
    p : array, shape (P,), canonical units
        Every leaf parameter in the order of the manifest.
    regimen : BoundRegimen
    times : array, shape (T,), h
        Sorted, none before ``regimen.begin``. A sample at the time of a dose sees the dose.
    options : SolverOptions, optional
    initial : array, shape (S,), optional
        State at the beginning in place of the model's and the regimen's own.
    order : array, shape (T,), optional
        Row of each sample in a data file; a sample does not see a dose whose row stands behind its own.

    Returns
    -------
    Trajectory
        A failure is an outcome with its reason; what was computed until then is kept, nan after it.

    Raises
    ------
    ValueError
        If `p`, `times` or `initial` do not fit.
    """
    options = options or SolverOptions()
    began = time.process_time()
    p, times = parameter_array(compiled, p), np.asarray(times, dtype=float)
    manifest = compiled.manifest
    segments = timeline(regimen, times, manifest["inputs"], compiled.state_names, order, p=p)
    atol = absolute_tolerance(options, manifest["states"], regimen.smallest_dose)
    equations = StateEquations(compiled, p)
    passage = Passage(equations, regimen, segments, options, atol, initial=initial)

    values = np.full((times.size, equations.size), np.nan)
    found: list[Integration] = []
    reached = regimen.begin
    y: Array | None = None
    for segment in segments:
        try:
            y = passage.enter(passage.start.y if y is None else y, segment)
        except Unsteady as error:
            found.append(refusal(error, equations.size, 0))
            reached = segment.t0
            break
        part = integrate(
            equations.on(segment),
            y,
            segment.t1 - segment.t0,
            times[segment.samples] - segment.t0,
            options,
            atol,
        )
        values[segment.samples] = part.values
        found.append(part)
        reached, y = segment.t0 + part.reached, part.last
        if part.reason:
            break
    return Trajectory(
        times, values, observe(equations, segments, times, values), compiled.state_names,
        compiled.observable_names, outcome(found, reached, equations),
        record(options, atol, found, time.process_time() - began),
    )  # fmt: skip


def parameter_array(compiled: CompiledModel, p: ArrayLike) -> Array:
    """The parameters as an array of the right length.

    Raises
    ------
    ValueError
        If their number is wrong or one is not finite.
    """
    p = np.asarray(p, dtype=float)
    names = compiled.parameter_names
    if p.shape != (len(names),):
        raise ValueError(f"p has shape {p.shape}; the model has {len(names)} parameters")
    if not np.all(np.isfinite(p)):
        bad = [name for name, value in zip(names, p.tolist(), strict=True) if not np.isfinite(value)]
        raise ValueError(f"p is not finite for {', '.join(bad)}")
    return p


def observe(equations: StateEquations, segments: Sequence[Segment], times: Array, y: Array) -> Array:
    """The observables at the samples, shape (T, O); nan where the states are."""
    u = np.concatenate([segment.inputs_at(times[segment.samples]) for segment in segments])
    with np.errstate(all="ignore"):
        return np.asarray(equations.module.observe(times, y, equations.p, u, equations.c), dtype=float)


def outcome(found: Sequence[Integration], reached: float, equations: StateEquations) -> Outcome:
    """How the run ended, from its last segment."""
    last = found[-1]
    if not last.reason:
        return Outcome(True, reached=reached)
    steep = steep_suggestion(equations.compiled, equations.p) if last.stuck else ""
    return Outcome(False, f"{last.reason} at t = {reached:.6g} h", steep or last.suggestion, reached)


def record(
    options: SolverOptions, atol: Array, found: Sequence[Integration], cpu_seconds: float
) -> SolverRecord:
    """What the run cost."""
    return SolverRecord(
        options.integrator, options.rtol, tuple(atol.tolist()),
        sum(part.steps for part in found), sum(part.rhs_evaluations for part in found),
        sum(part.jacobian_evaluations for part in found), len(found), cpu_seconds,
    )  # fmt: skip
