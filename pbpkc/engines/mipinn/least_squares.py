"""The least-squares head: coefficients that make the residual smallest, as a pseudo-inverse gives them.

This is the closed-form head of the meta-inverse PINN (arXiv 2605.03511): the residuals of all equations at
all collocation points, weighted, are minimised over the coefficients. A nonlinear term is linearised at the
last iterate (Gauss-Newton). Here the normal equations are assembled block by block, since each equation reads
few states; their condition is the square of the problem's, so coefficients are kept on orthonormal features
and a ridge of rounding size holds what features do not determine.
"""

from __future__ import annotations

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


class LeastSquaresHead:
    """Solves segments of one structure by least squares.

    Parameters
    ----------
    structure : Structure
    reads : Reads
    """

    name = "least-squares"
    iterates = True

    def __init__(self, structure: Structure, reads: Reads) -> None:
        self.structure, self.reads = structure, reads
        s = structure
        self._groups = [np.flatnonzero(s.rows == i) for i in range(s.size)]
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
            w[i], converged[i], made = problem.minimise(guess[i])
            iterations = max(iterations, made)
            if dw is not None and dy0 is not None:
                dw[i] = problem.sensitivities(w[i], dy0[i])
        return Solved(w, dw, converged, iterations)


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
        # A residual counts in terms of what its state can correct: 1 / (|J_ii| + 4 / T), in the weight of the
        # basis. Without it the fastest state is all that matters.
        y = bound.entries(forcing.y0)
        values = bound.evaluate("jacobian", float(forcing.t0[0]), y, bound.entries(forcing.u))
        diagonal = np.array(
            [
                abs(float(values[e])) if e >= 0 else 0.0
                for e in (
                    head._entries[g[np.flatnonzero(s.cols[g] == i)[0]]] for i, g in enumerate(head._groups)
                )
            ]
        )
        self.root = at.root / (diagonal + 4.0 / at.length)[:, None]

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
        result: Array = self.root * (slope - f / self.at.scale[:, None])
        return result

    def jacobian(self, y: list[Any]) -> Array:
        """Values of the generated Jacobian along the segment, shape (E, Q)."""
        values = self.bound.evaluate("jacobian", self.t, y, self.u)
        found: Array = stacked([0.0 if e < 0 else values[e] for e in self.head._entries], (1, self.q))[0]
        return np.where(np.isfinite(found), found, 0.0)

    def blocks(self, j: Array) -> list[Array]:
        """For each equation the derivative of its residuals by the coefficients it reads, (Q, m K)."""
        s, at = self.structure, self.at
        found = []
        for i, group in enumerate(self.head._groups):
            parts = []
            for e in group.tolist():
                col = int(s.cols[e])
                part = -j[e] * at.phi[col] * (at.scale[col] / at.scale[i])
                if col == i:
                    part = part + at.slope[i]
                parts.append(part)
            found.append((np.concatenate(parts) * self.root[i]).T)
        return found

    def normal(self, blocks: list[Array]) -> Array:
        """The normal matrix (n K, n K), with its ridge."""
        matrix = np.zeros((self.n, self.n, self.k, self.k))
        for i, block in enumerate(blocks):
            cols = self.structure.cols[self.head._groups[i]]
            gram = (block.T @ block).reshape(len(cols), self.k, len(cols), self.k).transpose(0, 2, 1, 3)
            matrix[np.ix_(cols, cols)] += gram
        full = matrix.transpose(0, 2, 1, 3).reshape(self.n * self.k, self.n * self.k)
        full[np.diag_indices_from(full)] += RIDGE * np.trace(full) / len(full) + 1e-300
        idle = np.flatnonzero(~np.any(self.at.phi, axis=-1).ravel())
        full[idle, idle] = 1.0
        return full

    def project(self, blocks: list[Array], r: Array) -> Array:
        """A' r for residuals (n, Q, ...), shape (n K, ...)."""
        found = np.zeros((self.n, self.k, *r.shape[2:]))
        for i, block in enumerate(blocks):
            cols = self.structure.cols[self.head._groups[i]]
            found[cols] += (block.T @ r[i]).reshape(len(cols), self.k, *r.shape[2:])
        return found.reshape(self.n * self.k, *r.shape[2:])

    def minimise(self, guess: Array) -> tuple[Array, bool, int]:
        """Coefficients with the smallest residual, whether they were found, and the iterations."""
        w = guess.copy()
        y, below = self.curves(w)
        r = self.residual(w, y, below)
        size = float(np.sum(r * r))
        for iteration in range(1, MAX_ITERATIONS + 1):
            blocks = self.blocks(self.jacobian(y))
            try:
                step = np.linalg.solve(self.normal(blocks), self.project(blocks, r))
            except np.linalg.LinAlgError:
                return w, False, iteration
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
                return w, False, iteration
            if change <= TOLERANCE * max(float(np.max(np.abs(w))), 1e-300):
                return w, True, iteration
        return w, False, MAX_ITERATIONS

    def sensitivities(self, w: Array, dy0: Array) -> Array:
        """Derivatives of the coefficients, shape (n, K, k).

        Those of Gauss and Newton, dw = -(A'A)^-1 A' dr: what the derivative of A itself adds is in proportion
        to the residual that is left, which a good basis makes small.
        """
        s, at, count = self.structure, self.at, dy0.shape[-1]
        y, _ = self.curves(w)
        j = self.jacobian(y)
        blocks = self.blocks(j)
        normal = self.normal(blocks)
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
        dr = -direct * (self.root / at.scale[:, None])[..., None]
        first = np.asarray(np.linalg.solve(normal, self.project(blocks, dr)))
        return -first.reshape(self.n, self.k, count)
