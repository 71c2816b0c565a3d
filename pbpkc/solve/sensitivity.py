"""Exact forward sensitivities: the derivatives of a run by parameters, solved along with it.

They obey ``ds/dt = J s + df/dp`` between events; `pbpkc.solve.jumps` has what they do there.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pbpkc.experiment.events import BoundRegimen
from pbpkc.solve.equations import SensitivityEquations
from pbpkc.solve.fixed_point import Unsteady
from pbpkc.solve.integrate import Integration, integrate
from pbpkc.solve.options import SolverOptions, absolute_tolerance
from pbpkc.solve.passage import Passage, refusal, sizes
from pbpkc.solve.reference import observe, outcome, parameter_array, record
from pbpkc.solve.timeline import Segment, timeline
from pbpkc.solve.trajectory import Trajectory

if TYPE_CHECKING:
    from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]


def simulate_with_sensitivities(
    compiled: CompiledModel,
    p: ArrayLike,
    regimen: BoundRegimen,
    times: ArrayLike,
    columns: Sequence[int],
    options: SolverOptions | None = None,
    order: NDArray[np.int64] | None = None,
) -> Trajectory:
    """States, observables and their derivatives by some parameters.

    Parameters
    ----------
    compiled : CompiledModel
    p : array, shape (P,), canonical units
    regimen : BoundRegimen
        Bound with the names of the parameters of `columns` that it reads; a column it was not bound with
        counts as one it does not read.
    times : array, shape (T,), h
    columns : sequence of int
        Indices of the parameters to differentiate by.
    options : SolverOptions, optional
        The tolerances hold for the sensitivities too, each scaled by the size of its parameter.
    order : array, shape (T,), optional
        As in `simulate`.

    Returns
    -------
    Trajectory
        With ``dy_dp`` (T, S, k) and ``d_observables_dp`` (T, O, k), by natural parameters in canonical
        units. At the time of an event that a parameter moves, the value is the one just after.

    Raises
    ------
    ValueError
        If `p`, `times` or `columns` do not fit.
    """
    options = options or SolverOptions()
    began = time.process_time()
    p, times = parameter_array(compiled, p), np.asarray(times, dtype=float)
    columns = tuple(int(column) for column in columns)
    if not all(0 <= column < p.size for column in columns) or len(set(columns)) < len(columns):
        raise ValueError(f"columns is {columns}; accepted are different indices below {p.size}")
    manifest = compiled.manifest
    active = _active(columns, compiled, regimen)
    solved = tuple(columns[i] for i in active)
    regimen = regimen.by([compiled.parameter_names[column] for column in solved])
    segments = timeline(regimen, times, manifest["inputs"], compiled.state_names, order, p=p)
    weights = sizes(p, solved)
    equations = SensitivityEquations(compiled, p, solved, weights)
    states = equations.states
    n, k = states.size, len(solved)
    atol = absolute_tolerance(options, manifest["states"], regimen.smallest_dose)

    passage = Passage(states, regimen, segments, options, atol, solved)
    values = np.full((times.size, n * (1 + k)), np.nan)
    found: list[Integration] = []
    reached, before = regimen.begin, None
    y = s = np.empty(0)
    for segment in segments:
        try:
            if before is None:
                y, s = passage.start.y, passage.start.s
            y, s = passage.enter_with(y, s, before, segment)
        except Unsteady as error:
            found.append(refusal(error, n, 0))
            reached = segment.t0
            break
        together = np.concatenate((y, (s * weights[:, None]).ravel()))
        part = integrate(
            equations.on(segment), together, segment.t1 - segment.t0, times[segment.samples] - segment.t0,
            options, np.tile(atol, k + 1),
        )  # fmt: skip
        values[segment.samples] = part.values
        found.append(part)
        reached, before = segment.t0 + part.reached, segment
        y, s = part.last[:n], part.last[n:].reshape(k, n) / weights[:, None]
        if part.reason:
            break

    curves = values[:, :n]
    dy_dp = np.zeros((times.size, n, len(columns)))
    dy_dp[:, :, active] = np.moveaxis(values[:, n:].reshape(times.size, k, n) / weights[:, None], 1, 2)
    dy_dp[np.isnan(curves)] = np.nan
    return Trajectory(
        times, curves, observe(states, segments, times, curves), compiled.state_names,
        compiled.observable_names, outcome(found, reached, states),
        record(options, atol, found, time.process_time() - began),
        dy_dp, _observe_sensitivity(equations, segments, times, curves, dy_dp, columns, active), columns,
    )  # fmt: skip


def _active(columns: Sequence[int], compiled: CompiledModel, regimen: BoundRegimen) -> list[int]:
    """Places of the columns that reach a state; the others (of an error model, say) cost nothing."""
    manifest, names = compiled.manifest, compiled.parameter_names
    read = {*manifest["d_rhs_dp"]["cols"], *manifest["d_initial_dp"]["cols"]}
    read |= set(compiled.held_parameters)
    moved: set[str] = set()
    for by in regimen.derivatives():
        if by is not None:
            moved |= {regimen.names[i] for i in np.flatnonzero(by).tolist()}
    return [i for i, column in enumerate(columns) if column in read or names[column] in moved]


def _columns_of(entries: Array, pattern: dict[str, list[int]], rows: int, columns: Sequence[int]) -> Array:
    """Some columns of a sparse matrix as a dense one, shape (..., rows, k)."""
    dense = np.zeros((*entries.shape[:-1], rows, len(columns)))
    position = {column: k for k, column in enumerate(columns)}
    chosen = [i for i, column in enumerate(pattern["cols"]) if column in position]
    if chosen:
        at = [pattern["rows"][i] for i in chosen]
        dense[..., at, [position[pattern["cols"][i]] for i in chosen]] = entries[..., chosen]
    return dense


def _observe_sensitivity(
    equations: SensitivityEquations,
    segments: Sequence[Segment],
    times: Array,
    y: Array,
    dy_dp: Array,
    columns: Sequence[int],
    active: Sequence[int],
) -> Array:
    """Derivatives of the observables at the samples, shape (T, O, k)."""
    states, manifest = equations.states, equations.states.compiled.manifest
    p, c, dc, module = states.p, states.c, equations.derivatives, states.module
    outputs = len(states.compiled.observable_names)
    u = np.concatenate([segment.inputs_at(times[segment.samples]) for segment in segments])
    with np.errstate(all="ignore"):
        by_state = _columns_of(
            module.d_observe_dy(times, y, p, u, c), manifest["d_observe_dy"], outputs, range(states.size)
        )
        by_parameter = module.d_observe_dp(times, y, p, u, c, dc)
        total = by_state @ dy_dp + _columns_of(by_parameter, manifest["d_observe_dp"], outputs, columns)
    if any(segment.d_u is not None for segment in segments) and manifest["d_observe_du"]["rows"]:
        by_input = _columns_of(
            module.d_observe_du(times, y, p, u, c), manifest["d_observe_du"], outputs, range(u.shape[1])
        )
        for segment in segments:
            for i in range(segment.samples.start, segment.samples.stop):
                moved = segment.d_inputs_at(float(times[i]))
                if moved is not None:
                    total[i][:, active] += by_input[i] @ moved.T
    return total
