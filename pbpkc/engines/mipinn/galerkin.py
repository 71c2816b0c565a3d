"""The Galerkin head: coefficients whose residual is orthogonal to the features.

With y_i = y_i(0) + scale_i w_i . phi_i the residual of equation i, scaled, is projected on its own features
in the weighted inner product of the basis:

    int psi_i (w_i . phi_i' - f_i(t, y, p, u) / scale_i) ds = 0.

Equations that are linear with constant coefficients become blocks made of integrals that were computed once;
what only they read is eliminated before anything is iterated, and what the unknowns do not touch is
eliminated once for all estimates (`condensed`). The others are integrated numerically and solved by Newton's
method with the generated Jacobian. The sensitivities are those of the head's own equations, from the factors
at hand: exact derivatives of what the head computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.condensed import Condensed, Outside, condense, eliminate_outside, order
from pbpkc.engines.mipinn.forcing import Forcing, Solved
from pbpkc.engines.mipinn.reads import Reads
from pbpkc.engines.mipinn.segment_plan import SegmentPlan, lifted
from pbpkc.engines.mipinn.structure import Structure
from pbpkc.engines.mipinn.tasks import Bound, constants, stacked

Array = NDArray[np.float64]
Index = NDArray[np.intp]

#: Newton's method stops when a step changes the coefficients by less, relative to the largest of a task.
TOLERANCE = 1e-7
MAX_ITERATIONS = 25
HALVINGS = 6


@dataclass(frozen=True)
class _Fixed:
    """Parts of a plan.

    Tests and masses of curved equations over their scale, (c, K, Q) and (c, K); tests (L, K, Q) and features
    (L, Q, K) of the iteration's couplings; projections of the other couplings, (F, K, K).
    """

    test: Array
    mass: Array
    left: Array
    right: Array
    coupling: Array


class GalerkinHead:
    """Solves segments of one structure.

    Parameters
    ----------
    structure : Structure
    reads : Reads
        Entries of d rhs / d p for the parameters to differentiate by.
    wanted : array of int
        States, among those of the structure, whose coefficients are always computed.
    """

    name = "galerkin"

    def __init__(self, structure: Structure, reads: Reads, wanted: Index) -> None:
        self.structure = structure
        self.reads = reads
        s = structure
        touched = np.zeros(s.size, dtype=bool)
        for needed in (reads.rows, reads.states, wanted):
            touched[needed] = True
        self.order = order(s.size, s.rows, s.cols, s.core, touched)
        # Couplings that the iteration handles: a curved equation and a state it reads with a coefficient
        # that may change.
        self.live = np.flatnonzero(s.curved[s.rows] & s.steering[s.cols])
        self.fixed = np.flatnonzero(~(s.curved[s.rows] & s.steering[s.cols]))
        self.curved = np.flatnonzero(s.curved)
        self.iterates = bool(len(self.curved))
        self.steering = np.flatnonzero(s.steering)
        where = np.full(s.size, -1)
        where[self.order.core] = np.arange(len(self.order.core))
        self.core_curved, self.core_steering = where[self.curved], where[self.steering]
        self.live_row, self.live_col = where[s.rows[self.live]], where[s.cols[self.live]]
        self._states = s.states.tolist()
        self._fixed_entries = s.entries[self.fixed].tolist()
        self._live_entries = s.entries[self.live].tolist()
        self._diagonal = np.flatnonzero(s.rows == s.cols)
        self._live_cols = s.cols[self.live].tolist()
        self._row_places = np.searchsorted(self.curved, s.rows[self.live]).tolist()
        self._kept = np.isin(self.fixed, self.order.kept)
        self._known: dict[int, tuple[SegmentPlan, _Fixed]] = {}
        self._outside: dict[int, tuple[SegmentPlan, bytes, Outside]] = {}

    def solve(
        self,
        at: SegmentPlan,
        bound: Bound,
        forcing: Forcing,
        guess: Array,
        dy0: Array | None,
        whole: bool = True,
    ) -> Solved:
        """Coefficients, and their derivatives where `dy0` is given.

        Parameters
        ----------
        at : SegmentPlan
        bound : Bound
            B tasks.
        forcing : Forcing
        guess : array, shape (n, K) or (B, n, K)
            Where Newton's method begins.
        dy0 : array, shape (B, S, k), optional
            Derivatives of ``forcing.y0`` by the columns of `reads`.
        whole : bool
            Otherwise coefficients that nobody wants may stay zero.
        """
        s, b = self.structure, bound.count
        k = at.mass.shape[1]
        y0, u0 = bound.entries(forcing.y0), bound.entries(forcing.u)
        t0 = float(forcing.t0[0]) if b == 1 else forcing.t0[:, None]
        begin = bound.evaluate("rhs", t0, y0, u0)
        start = (constants([begin[i] for i in self._states], b) + forcing.extra[:, s.states]) / at.scale
        values = bound.evaluate("jacobian", t0, y0, u0)
        constant = constants([0.0 if e < 0 else values[e] for e in self._fixed_entries], b)

        blocks = np.zeros((b, len(s.rows), k, k))
        blocks[:, self.fixed] = -constant[..., None, None] * self._fixed(at).coupling
        blocks[:, self._diagonal] += at.stiffness
        right = start[..., None] * at.mass
        right[:, self.curved] = 0.0
        gone = condense(self.order, self._outer(at, constant, blocks), blocks)
        matrix = gone.matrix()
        reduced, parts = gone.reduce(right[..., None])
        offset = reduced[..., 0]

        if len(self.curved):
            begin_at = np.broadcast_to(guess, (b, s.size, k))[:, self.order.core]
            x, final, converged, iterations = self._newton(
                at, bound, forcing, y0, u0, matrix, offset, begin_at
            )
        else:
            x = np.asarray(np.linalg.solve(matrix, offset[..., None])[..., 0]) if offset.size else offset
            converged, iterations, final = np.ones(b, bool), 0, matrix
        w = gone.expand(x[..., None], parts, whole)[..., 0]
        dw = None
        if dy0 is not None:
            dw = self._sensitivities(at, bound, forcing, y0, u0, w, dy0, gone, final, constant, whole)
        return Solved(w, dw, converged, iterations)

    def _outer(self, at: SegmentPlan, constant: Array, blocks: Array) -> Outside:
        """The states that the unknowns do not touch, eliminated again only where a coefficient changed."""
        key = len(constant).to_bytes(8) + constant[:, self._kept].tobytes()
        known = self._outside.get(id(at))
        if known is None or known[0] is not at or known[1] != key:
            known = self._outside[id(at)] = (at, key, eliminate_outside(self.order, blocks))
        return known[2]

    def _fixed(self, at: SegmentPlan) -> _Fixed:
        """What of a plan the iteration needs in another form, made once."""
        known = self._known.get(id(at))
        if known is None or known[0] is not at:
            s, curved, live = self.structure, self.curved, self.live
            rows, cols = s.rows[live], s.cols[live]
            ratio = (at.scale[s.cols] / at.scale[s.rows])[:, None, None]
            made = _Fixed(
                at.test[curved] / at.scale[curved, None, None],
                at.mass[curved] / at.scale[curved, None],
                at.test[rows],
                np.swapaxes(at.phi[cols], -1, -2) * ratio[live],
                at.coupling[self.fixed] * ratio[self.fixed],
            )
            known = self._known[id(at)] = (at, made)
        return known[1]

    # ---- the iteration

    def _curves(self, at: SegmentPlan, forcing: Forcing, y0: list[Any], w: Array, states: Index) -> list[Any]:
        """Entries of y with some states as curves (B, Q), the others at their start."""
        y = list(y0)
        inside = self.structure.states[states]
        change = at.scale[states][:, None] * (w[:, :, None, :] @ at.phi[states])[:, :, 0]
        for place, state in enumerate(inside.tolist()):
            y[state] = forcing.y0[:, state : state + 1] + change[:, place]
        return y

    def _live_slopes(self, at: SegmentPlan, bound: Bound, t: Any, y: list[Any], u: list[Any]) -> Array:
        """The generated Jacobian of the iteration's couplings along the segment, shape (B, L, Q)."""
        values = bound.evaluate("jacobian", t, y, u)
        j = stacked([0.0 if e < 0 else values[e] for e in self._live_entries], (bound.count, len(at.since)))
        # The slope of a root or a power at a floor of zero is infinite: there the line is level.
        return j if np.isfinite(j).all() else np.where(np.isfinite(j), j, 0.0)

    def _inputs(self, at: SegmentPlan, forcing: Forcing, u0: list[Any]) -> tuple[Any, list[Any]]:
        """Time and inputs along the segment; an input that does not run stays a number."""
        u = list(u0)
        for k in np.flatnonzero(forcing.slope).tolist():
            u[k] = forcing.u[:, k : k + 1] + forcing.slope[k] * at.since
        return forcing.t0[:, None] + at.since, u

    def _newton(
        self,
        at: SegmentPlan,
        bound: Bound,
        forcing: Forcing,
        y0: list[Any],
        u0: list[Any],
        matrix: Array,
        offset: Array,
        guess: Array,
    ) -> tuple[Array, Array, NDArray[np.bool_], int]:
        """Coefficients of the core (B, c K), the last matrix, which tasks converged, and the iterations."""
        s, b = self.structure, bound.count
        c, k, q = len(self.order.core), at.mass.shape[1], len(at.since)
        t, u = self._inputs(at, forcing, u0)
        rows = s.states[self.curved]
        places = rows.tolist()
        fixed = self._fixed(at)
        test, left, right = fixed.test, fixed.left, fixed.right
        extra = forcing.extra[:, rows, None] * fixed.mass
        floor = 1e-12 * np.linalg.norm(offset, axis=-1)

        def curves(x: Array) -> tuple[list[Any], dict[int, Array]]:
            w = x.reshape(b, c, k)[:, self.core_steering]
            return lifted(at, self.steering, self._curves(at, forcing, y0, w, self.steering))

        def residual(x: Array, y: list[Any], below: dict[int, Array]) -> Array:
            values = bound.evaluate("rhs", t, y, u)
            f = stacked([values[i] for i in places], (b, q))
            if below:
                j = self._live_slopes(at, bound, t, y, u)
                for e, (row, col) in enumerate(zip(self._row_places, self._live_cols, strict=True)):
                    if col in below:
                        f[:, row] += j[:, e] * below[col]
            value = ((matrix @ x[..., None])[..., 0] - offset).reshape(b, c, k)
            value[:, self.core_curved] -= (test @ f[..., None])[..., 0] + extra
            return value.reshape(b, c * k)

        def slope(y: list[Any]) -> Array:
            j = self._live_slopes(at, bound, t, y, u)
            full = matrix.copy()
            # One pair of states has one coupling, so nothing is added twice.
            full.reshape(b, c, k, c, k)[:, self.live_row, :, self.live_col] -= np.moveaxis(
                (left * j[:, :, None, :]) @ right, 1, 0
            )
            return full

        x = guess.reshape(b, c * k)
        y, below = curves(x)
        r = residual(x, y, below)
        size = np.linalg.norm(r, axis=-1)
        done = np.zeros(b, dtype=bool)
        iterations = 0
        while True:
            iterations += 1
            j = slope(y)
            try:
                step = np.linalg.solve(j, r[..., None])[..., 0]
            except np.linalg.LinAlgError:
                break
            change = np.abs(step).max(-1)
            done = change <= TOLERANCE * np.maximum(np.abs(x).max(-1), 1e-300)
            if done.all():
                # The step is taken, and by then the error is the square of it: no need to look again.
                x = x - step
                break
            if iterations == MAX_ITERATIONS:
                break
            shorten = np.ones((b, 1))
            for _ in range(HALVINGS):
                trial = x - shorten * step
                y, below = curves(trial)
                r = residual(trial, y, below)
                now = np.linalg.norm(r, axis=-1)
                # A residual at rounding level may wander; only a real increase shortens the step.
                worse = ~(now <= 2.0 * np.maximum(size, floor))
                if not worse.any():
                    break
                shorten = np.where(worse[:, None], 0.25 * shorten, shorten)
            x, size = trial, now
        return x, j, done & np.isfinite(size), iterations

    # ---- derivatives

    def _sensitivities(
        self,
        at: SegmentPlan,
        bound: Bound,
        forcing: Forcing,
        y0: list[Any],
        u0: list[Any],
        w: Array,
        dy0: Array,
        gone: Condensed,
        final: Array,
        constant: Array,
        whole: bool,
    ) -> Array:
        """Derivatives of the coefficients, shape (B, n, K, k)."""
        s, b, q = self.structure, bound.count, len(at.since)
        k = at.mass.shape[1]
        t, u = self._inputs(at, forcing, u0)
        count = dy0.shape[-1]
        right = np.zeros((b, s.size, k, count))
        reads = self.reads
        if len(reads.entries):
            y = self._curves(at, forcing, y0, w[:, reads.states], reads.states)
            values = bound.evaluate("d_rhs_dp", t, y, u)
            f = stacked([values[e] for e in reads.entries.tolist()], (b, q))
            projected = (at.test[reads.rows] @ f[..., None])[..., 0] / at.scale[reads.rows, None]
            # An equation has one entry for a parameter, so nothing is added twice.
            right[:, reads.rows, :, reads.places] += np.moveaxis(projected, 1, 0)
        if forcing.d_rate is not None:
            inflow = forcing.d_rate[:, s.states] / at.scale[:, None]
            right += inflow[:, :, None, :] * at.mass[..., None]
        if np.any(dy0):
            inner = dy0[:, s.states]
            matrix = np.zeros((b, s.size, s.size))
            matrix[:, s.rows[self.fixed], s.cols[self.fixed]] = constant
            right += ((matrix @ inner) / at.scale[:, None])[:, :, None, :] * at.mass[..., None]
            if len(self.live):
                y, _ = lifted(
                    at, self.steering, self._curves(at, forcing, y0, w[:, self.steering], self.steering)
                )
                j = self._live_slopes(at, bound, t, y, u)
                rows = s.rows[self.live]
                moved = (at.test[rows] @ j[..., None]) * inner[:, s.cols[self.live], None, :]
                moved /= at.scale[rows, None, None]
                first = np.flatnonzero(np.diff(rows, prepend=-1))
                right[:, rows[first]] += np.add.reduceat(moved, first, axis=1)
        reduced, parts = gone.reduce(right)
        x = np.asarray(np.linalg.solve(final, reduced)) if reduced.size else reduced
        return gone.expand(x, parts, whole)
