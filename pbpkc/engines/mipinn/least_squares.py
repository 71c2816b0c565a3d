"""The least-squares head: coefficients that make the residual smallest, as a pseudo-inverse gives them.

This is the closed-form head of the meta-inverse PINN (arXiv 2605.03511): the residuals of all equations at
all collocation points, weighted, are minimised over the coefficients. A nonlinear term is linearised at the
last iterate (Gauss-Newton).

What the residuals are weighed by decides how far the minimum is from the best fit of the features. Weighed
equation by equation, by 1 / (|J_ii| + 4 / T) as a trial did, a blood compartment that empties a thousand
times an hour counts little, though what its residual loses is lost to the body for hours. So the residuals
of one time are weighed together, by (sigma I - J)^-1: what they do to all states over an implicit Euler step
of length 1 / sigma. For whole-body paracetamol by mouth, with 24 features, that takes the largest error of
held-out solves from 2e-2 to 5e-4, that of the Galerkin head.

The normal equations have the square of the problem's condition, so coefficients are kept on orthonormal
features and a ridge of rounding size holds what features do not determine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.forcing import Forcing, Solved
from pbpkc.engines.mipinn.reads import Reads
from pbpkc.engines.mipinn.segment_plan import SegmentPlan, lifted
from pbpkc.engines.mipinn.structure import Structure
from pbpkc.engines.mipinn.tasks import Bound, stacked

Array = NDArray[np.float64]
Index = NDArray[np.intp]

#: Gauss-Newton stops when a step changes the coefficients by less, relative to the largest of a task.
TOLERANCE = 1e-8
MAX_ITERATIONS = 30
HALVINGS = 6

#: Tikhonov constant, relative to the trace of the normal matrix; 1e-10 would double the error.
RIDGE = 1e-15

#: Steps, in a segment, over which the effect of a residual is counted; 16 and 128 are within a factor of 2.
STEPS = 64.0

#: The same where equations are weighed one by one; less, for a residual of a slow state adds up.
ALONE = 4.0


class LeastSquaresHead:
    """Solves segments of one structure by least squares.

    Parameters
    ----------
    structure : Structure
    reads : Reads
    together : bool
        Whether residuals of one time are weighed together, or each by itself as in the training of networks.
    """

    name = "least-squares"
    iterates = True

    def __init__(self, structure: Structure, reads: Reads, together: bool = True) -> None:
        self.structure, self.reads, self.together = structure, reads, together
        s = structure
        self._entries = s.entries.tolist()
        self._states = s.states.tolist()
        self.steering = np.flatnonzero(s.steering)
        self.read = np.flatnonzero(s.steering[s.cols]).tolist()

    def solve(
        self,
        at: SegmentPlan,
        bound: Bound,
        forcing: Forcing,
        guess: Array,
        dy0: Array | None,
        whole: bool = True,
    ) -> Solved:
        """Coefficients, and their derivatives where `dy0` (B, S, k) is given; as `GalerkinHead.solve`."""
        b, n, k = bound.count, self.structure.size, at.mass.shape[1]
        guess = np.broadcast_to(guess, (b, n, k))
        w = np.empty((b, n, k))
        dw = None if dy0 is None else np.empty((b, n, k, dy0.shape[-1]))
        converged = np.zeros(b, dtype=bool)
        iterations = 0
        # The matrices are large, so there is nothing to gain from solving tasks side by side.
        for i in range(b):
            one = bound.only(i)
            here = forcing.only(i)
            problem = _Problem(self, at, one, here)
            found = problem.minimise(guess[i])
            w[i], converged[i] = found.w, found.converged
            iterations = max(iterations, found.iterations)
            if dw is not None and dy0 is not None:
                dw[i] = problem.sensitivities(found, dy0[i])
        return Solved(w, dw, converged, iterations)


@dataclass(frozen=True)
class _Minimum:
    """Coefficients (n, K), and what the last step was made with: the derivative A, and A'A with its ridge."""

    w: Array
    converged: bool
    iterations: int
    a: Array
    normal: Array


class _Problem:
    """One task's weighted residual as a function of the coefficients (n, K)."""

    def __init__(self, head: LeastSquaresHead, at: SegmentPlan, bound: Bound, forcing: Forcing) -> None:
        self.head, self.at, self.bound, self.forcing = head, at, bound, forcing
        s = self.structure = head.structure
        self.n, self.k, self.q = s.size, at.mass.shape[1], len(at.since)
        self.t = forcing.t0[:, None] + at.since
        u: list[Any] = bound.entries(forcing.u)
        for j in np.flatnonzero(forcing.slope).tolist():
            u[j] = forcing.u[:, j : j + 1] + forcing.slope[j] * at.since
        self.u = u
        self.effect = self._effect()

    def _effect(self) -> Array:
        """What scaled residuals do to the scaled states over a step from the beginning, shape (n, n), h."""
        bound, forcing, s, scale = self.bound, self.forcing, self.structure, self.at.scale
        y, u = bound.entries(forcing.y0), bound.entries(forcing.u)
        values = bound.evaluate("jacobian", float(forcing.t0[0]), y, u)
        entries = np.array([0.0 if e < 0 else float(values[e]) for e in self.head._entries])
        jacobian = np.zeros((self.n, self.n))
        jacobian[s.rows, s.cols] = np.where(np.isfinite(entries), entries, 0.0)
        alone = np.diag(1.0 / (np.abs(np.diagonal(jacobian)) + ALONE / self.at.length))
        if not self.head.together:
            return alone
        step = STEPS / self.at.length * np.eye(self.n) - jacobian * (scale / scale[:, None])
        try:
            found = np.asarray(np.linalg.inv(step))
        except np.linalg.LinAlgError:
            return alone  # a state that grows at just this rate
        return found if np.isfinite(found).all() else alone

    def curves(self, w: Array) -> tuple[list[Any], dict[int, Array]]:
        """Entries of y along the segment, at their floors where they lie below, and by how much."""
        y: list[Any] = self.bound.entries(self.forcing.y0)
        change = self.at.scale[:, None] * (w[:, None, :] @ self.at.phi)[:, 0]
        for place, state in enumerate(self.head._states):
            y[state] = self.forcing.y0[:, state : state + 1] + change[place]
        return lifted(self.at, self.head.steering, y)

    def residual(self, w: Array, y: list[Any], below: dict[int, Array]) -> Array:
        """Weighted residuals (n, Q)."""
        values = self.bound.evaluate("rhs", self.t, y, self.u)
        f = stacked([values[i] for i in self.head._states], (1, self.q))[0]
        if below:
            j = self.jacobian(y)
            for e in self.head.read:
                row, col = int(self.structure.rows[e]), int(self.structure.cols[e])
                if col in below:
                    f[row] += j[e] * below[col][0]
        f = f + self.forcing.extra[0, self.structure.states][:, None]
        slope = (w[:, None, :] @ self.at.slope)[:, 0]
        return self.weighed(slope - f / self.at.scale[:, None])

    def weighed(self, r: Array) -> Array:
        """Scaled residuals (n, Q, ...) with their weight."""
        found = (self.effect @ r.reshape(self.n, -1)).reshape(r.shape)
        result: Array = found * self.at.root.reshape(self.n, self.q, *([1] * (r.ndim - 2)))
        return result

    def jacobian(self, y: list[Any]) -> Array:
        """Values of the generated Jacobian along the segment, shape (E, Q)."""
        values = self.bound.evaluate("jacobian", self.t, y, self.u)
        found: Array = stacked([0.0 if e < 0 else values[e] for e in self.head._entries], (1, self.q))[0]
        return np.where(np.isfinite(found), found, 0.0)

    def derivative(self, j: Array) -> Array:
        """Derivative A of the weighted residuals by the coefficients, shape (n Q, n K)."""
        s, at = self.structure, self.at
        found = np.zeros((self.n, self.q, self.n, self.k))
        for e, (row, col) in enumerate(zip(s.rows.tolist(), s.cols.tolist(), strict=True)):
            found[row, :, col] = (-j[e] * at.phi[col] * (at.scale[col] / at.scale[row])).T
        for i in range(self.n):
            found[i, :, i] += at.slope[i].T
        return self.weighed(found).reshape(self.n * self.q, self.n * self.k)

    def normal(self, a: Array) -> Array:
        """The normal matrix (n K, n K), with its ridge."""
        full: Array = a.T @ a
        full[np.diag_indices_from(full)] += RIDGE * np.trace(full) / len(full) + 1e-300
        idle = np.flatnonzero(~np.any(self.at.phi, axis=-1).ravel())
        full[idle, idle] = 1.0
        return full

    def minimise(self, guess: Array) -> _Minimum:
        """Coefficients with the smallest residual."""
        w = guess.copy()
        y, below = self.curves(w)
        r = self.residual(w, y, below)
        size = float(np.sum(r * r))
        for iteration in range(1, MAX_ITERATIONS + 1):
            a = self.derivative(self.jacobian(y))
            normal = self.normal(a)
            try:
                step = np.linalg.solve(normal, a.T @ r.ravel())
            except np.linalg.LinAlgError:
                return _Minimum(w, False, iteration, a, normal)
            step = step.reshape(self.n, self.k)
            length = 1.0
            for _ in range(HALVINGS):
                trial = w - length * step
                y, below = self.curves(trial)
                r_new = self.residual(trial, y, below)
                now = float(np.sum(r_new * r_new))
                if now <= size * (1.0 + 1e-6) + 1e-300:
                    break
                length *= 0.25
            change = float(np.max(np.abs(length * step)))
            w, r, size = trial, r_new, now
            if not np.isfinite(size):
                return _Minimum(w, False, iteration, a, normal)
            if change <= TOLERANCE * max(float(np.max(np.abs(w))), 1e-300):
                return _Minimum(w, True, iteration, a, normal)
        return _Minimum(w, False, MAX_ITERATIONS, a, normal)

    def sensitivities(self, found: _Minimum, dy0: Array) -> Array:
        """Derivatives of the coefficients, shape (n, K, k).

        Those of Gauss and Newton, dw = -(A'A)^-1 A' dr: what the derivative of A itself adds is in proportion
        to the residual that is left, which a good basis makes small. A is that of the last step, which
        changed nothing any more, since A'A is most of the work.
        """
        s, at, count = self.structure, self.at, dy0.shape[-1]
        y, _ = self.curves(found.w)
        j = self.jacobian(y)
        direct = np.zeros((self.n, self.q, count))
        reads = self.head.reads
        if len(reads.entries):
            values = self.bound.evaluate("d_rhs_dp", self.t, y, self.u)
            f = stacked([values[e] for e in reads.entries.tolist()], (1, self.q))[0]
            for row, place, curve in zip(reads.rows.tolist(), reads.places.tolist(), f, strict=True):
                direct[row, :, place] += curve
        inner = dy0[s.states]
        for e, (row, col) in enumerate(zip(s.rows.tolist(), s.cols.tolist(), strict=True)):
            direct[row] += j[e][:, None] * inner[col]
        if self.forcing.d_rate is not None:
            direct += self.forcing.d_rate[0, s.states][:, None, :]
        dr = self.weighed(-direct / at.scale[:, None, None])
        first = np.asarray(np.linalg.solve(found.normal, found.a.T @ dr.reshape(self.n * self.q, count)))
        return -first.reshape(self.n, self.k, count)
