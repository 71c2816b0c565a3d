"""The states in which nothing changes any more, for many subjects: as `pbpkc.solve.equilibrium`, by a kernel.

The kernel follows all subjects for ever longer times; Newton's method, for all of them at once, finds the
steady state near where they have come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pbpkc.solve.equilibrium import HORIZONS, NEAR, NEUTRAL, NEWTON_STEPS, NOTHING, ROUNDING, VANISHED
from pbpkc.solve.fixed_point import Bordered
from pbpkc.solve.kernel import Kernel
from pbpkc.solve.schedule import NotScheduled, schedule
from pbpkc.solve.steady_structure import SteadyStructure, steady_structure
from pbpkc.solve.timeline import Segment

if TYPE_CHECKING:
    from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]
Places = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Solver:
    """A kernel, and how it is called.

    Parameters
    ----------
    compiled : CompiledModel
    kernel : Kernel
        Without directions.
    rtol : float
    max_steps, threads : int
    """

    compiled: CompiledModel
    kernel: Kernel
    rtol: float
    max_steps: int
    threads: int


def resting_states(solver: Solver, p: Array, start: Array, u: Array, extra: Array, atol: Array) -> Array:
    """The steady states with constant inputs, shape (B, S); nan where none was found.

    Parameters
    ----------
    solver : Solver
    p : ndarray, shape (B, P)
    start : ndarray, shape (B, S)
        Their conserved totals, and the states that only receive, are those of the steady state.
    u : ndarray, shape (B, K)
        Inputs.
    extra : ndarray, shape (B, S)
        Infusions into states without an input of their own.
    atol : ndarray, shape (B, S)

    Raises
    ------
    NotScheduled
        If the equations read the time.
    """
    manifest = solver.compiled.manifest
    structure = steady_structure(manifest)
    if structure.reads_time:
        raise NotScheduled("the equations read the time, so they have no steady state")
    flow = _Flow(solver.compiled, structure, p, u, extra)
    kept, y = structure.kept, start.copy()
    settled = np.full_like(start, np.nan)
    working, reached = np.arange(len(p)), 0.0
    for horizon in (0.0, *HORIZONS):
        if horizon > reached:
            runs = [
                ((Segment(0.0, horizon - reached, (), slice(0, 0), a, np.zeros_like(a), b),), np.zeros(0))
                for a, b in zip(u[working], extra[working], strict=True)
            ]
            found = solver.kernel.solve(
                p[working], y[working], schedule(runs, start.shape[1], u.shape[1]), np.arange(len(working)),
                solver.rtol, atol[working], solver.max_steps, states=False, observables=False,
                threads=solver.threads,
            )  # fmt: skip
            good = found.status == 0
            y[working], reached = found.last, horizon
            working = working[good]
        if not len(working):
            break
        near = _newton(flow.of(working), y[working], start[working], atol[working])
        done = np.all(np.isfinite(near), axis=1)
        settled[working[done]], working = near[done], working[~done]
    rest, largest = settled[:, kept], np.abs(settled).max(axis=1, keepdims=True, initial=0.0)
    # What only receives is as it was.
    settled[:, structure.left] = np.where(np.isfinite(largest), start[:, structure.left], np.nan)
    settled[:, kept] = np.where(np.abs(rest) < VANISHED * largest, 0.0, rest)
    if structure.stores.size:
        gains = np.abs(flow.slope(settled)[:, structure.stores]).max(axis=1)
        settled[~(gains <= NOTHING * largest[:, 0])] = np.nan
    return settled


@dataclass(frozen=True)
class _Flow:
    """The equations of B subjects with constant inputs."""

    compiled: CompiledModel
    structure: SteadyStructure
    p: Array
    u: Array
    extra: Array

    def of(self, who: Places) -> _Flow:
        """Some of the subjects."""
        return _Flow(self.compiled, self.structure, self.p[who], self.u[who], self.extra[who])

    def slope(self, y: Array) -> Array:
        """dy/dt, shape (B, S)."""
        with np.errstate(all="ignore"):
            value = self.compiled.rhs(0.0, y, self.p, self.u, self.compiled.prepare(self.p))
        return np.asarray(value + self.extra)

    def jacobian(self, y: Array) -> Array:
        """Of the kept states, shape (B, R, R)."""
        kept = self.structure.kept
        with np.errstate(all="ignore"):
            full = self.compiled.jacobian_dense(0.0, y, self.p, self.u, self.compiled.prepare(self.p))
        return np.array(np.broadcast_to(full, (len(y), *full.shape[-2:]))[:, kept[:, None], kept])


def _newton(flow: _Flow, y: Array, start: Array, atol: Array) -> Array:
    """The steady state near each state, if it is stable; nan where there is none."""
    structure, kept = flow.structure, flow.structure.kept
    origin, y, found = y, y.copy(), np.full_like(y, np.nan)
    working, last = np.arange(len(y)), np.full(len(y), np.inf)
    for _ in range(NEWTON_STEPS):
        here = y[working]
        part = flow.of(working)
        slope, matrix = part.slope(here)[:, kept], part.jacobian(here)
        fine = np.all(np.isfinite(slope), axis=1) & np.all(np.isfinite(matrix), axis=(1, 2))
        working, here, slope, matrix = working[fine], here[fine], slope[fine], matrix[fine]
        if not len(working):
            break
        missing = (start[working] - here)[:, kept] @ structure.totals.T
        step = _steps(matrix, structure, _sizes(here[:, kept]), -slope, missing)
        here[:, kept] += step
        y[working] = here
        size = np.maximum(_sizes(here[:, kept]), atol[working][:, kept])
        allowed = NEAR * np.maximum(size, _sizes(origin[working][:, kept])) + 10.0 * atol[working][:, kept]
        with np.errstate(invalid="ignore"):
            near = np.all(np.abs(here - origin[working])[:, kept] <= allowed, axis=1)
        change = np.max(np.abs(step) / size, axis=1, initial=0.0)
        rests = near & ((change <= ROUNDING) | ((change <= 1e-9) & (change >= 0.5 * last[working])))
        if np.any(rests):
            stable = _stable(matrix[rests], len(structure.totals))
            found[working[rests][stable]] = here[rests][stable]
        last[working] = change
        working = working[near & ~rests]
    return found


def _steps(matrix: Array, structure: SteadyStructure, size: Array, right: Array, missing: Array) -> Array:
    """Newton's steps (B, R) with the totals kept, as `Bordered` has them; nan where there is none."""
    count, rows = size.shape
    weights = structure.totals * size[:, None, :]
    norm = np.linalg.norm(weights, axis=2, keepdims=True)
    full = np.zeros((count, rows + len(structure.totals), rows + len(structure.totals)))
    full[:, :rows, :rows] = matrix * size[:, None, :] / size[:, :, None]
    full[:, rows:, :rows] = weights / norm
    full[:, :rows, rows:] = full[:, rows:, :rows].transpose(0, 2, 1)
    wanted = np.concatenate((right / size, missing / norm[..., 0]), axis=1)
    try:
        return np.asarray(np.linalg.solve(full, wanted[..., None])[:, :rows, 0] * size)
    except np.linalg.LinAlgError:
        # One of them is singular: what there is of a solution, each by itself.
        found = np.full_like(right, np.nan)
        for b in range(count):
            step = Bordered(matrix[b], structure, size[b], 1e-14).solve(right[b], missing[b])
            if step is not None:
                found[b] = step
        return found


def _stable(matrix: Array, totals: int) -> Flags:
    """Whether small deviations vanish; as many directions as there are totals are neutral, shape (B,)."""
    if not matrix.shape[1]:
        return np.ones(len(matrix), dtype=bool)
    found = np.linalg.eigvals(matrix)
    values = np.take_along_axis(found, np.argsort(np.abs(found), axis=1), axis=1)
    fastest = np.abs(values[:, -1])
    growth = np.max(values[:, totals:].real, axis=1, initial=-np.inf)
    return np.asarray(growth <= NEUTRAL * fastest)


def _sizes(kept: Array) -> Array:
    largest = np.abs(kept).max(axis=1, keepdims=True, initial=0.0)
    return np.maximum(np.abs(kept), np.where(largest > 0.0, 1e-9 * largest, 1.0))
