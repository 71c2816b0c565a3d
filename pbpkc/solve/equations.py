"""The equations of one segment as functions that an integrator calls, states alone or with sensitivities.

The functions take the time since the segment began. That keeps steps of nanoseconds after a dose apart from
rounding when the dose falls a thousand hours into the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.solve.timeline import Segment

if TYPE_CHECKING:
    from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]


@dataclass
class Fault:
    """The first time an equation had no value, and why. It is filled while the integrator runs."""

    time: float | None = None
    message: str = ""
    count: int = 0

    def note(self, time: float, message: str) -> None:
        """Keep the first fault; give up when there is no end of them."""
        if self.time is None:
            self.time, self.message = time, message
        self.count += 1
        if self.count > 5_000:
            raise FloatingPointError(message)


@dataclass
class Coupling:
    """Whether the part of the Jacobian below its diagonal blocks turned out to be needed."""

    needed: bool = False


@dataclass(frozen=True)
class Equations:
    """What an integrator needs for one segment.

    Parameters
    ----------
    rhs : callable (since, z) -> (N,)
    jacobian_transposed : callable (since, z) -> (N, N) or (N, lower + upper + 1)
        Entry (j, i) is d rhs_i / d z_j, or in banded form (j, i - j + upper). The array is reused by the
        next call.
    size : int
    fault : Fault
    band : (int, int) or None
        Lower and upper bandwidth where the matrix is kept in bands.
    complete : callable (since, z) -> (N, N), optional
        The whole matrix, where `jacobian_transposed` leaves some of it out.
    coupling : Coupling, optional
        Shared by all segments, beside `complete`.
    """

    rhs: Callable[[float, Array], Array]
    jacobian_transposed: Callable[[float, Array], Array]
    size: int
    fault: Fault
    band: tuple[int, int] | None = None
    complete: Callable[[float, Array], Array] | None = None
    coupling: Coupling | None = None


class StateEquations:
    """The states of a model with given parameters.

    Parameters
    ----------
    compiled : CompiledModel
    p : ndarray, shape (P,), canonical units
    """

    def __init__(self, compiled: CompiledModel, p: Array) -> None:
        self.compiled = compiled
        self.module: Any = compiled.module
        self.p = p
        self.c = self.module.prepare(p)
        self.size = len(compiled.state_names)
        pattern = compiled.manifest["jacobian"]
        rows, cols = (np.asarray(pattern[name], dtype=np.intp) for name in ("rows", "cols"))
        self.rows, self.cols = rows, cols
        self.transposed = cols * self.size + rows
        self.band = (int(max(0, *(rows - cols))), int(max(0, *(cols - rows)))) if rows.size else (0, 0)
        self.in_band = cols * (sum(self.band) + 1) + rows - cols + self.band[1]

    def on(self, segment: Segment) -> Equations:
        """The equations with the inputs of a segment."""
        fault = Fault()
        inputs = _running_inputs(segment)
        evaluate, jacobian, p, c, t0, extra = (
            self.module.rhs,
            self.module.jacobian,
            self.p,
            self.c,
            segment.t0,
            segment.extra,
        )
        nothing = np.full(self.size, np.nan)

        def rhs(since: float, y: Array) -> Array:
            try:
                value: Array = evaluate(t0 + since, y, p, inputs(since), c)
            except (ArithmeticError, ValueError) as error:
                fault.note(t0 + since, str(error))
                return nothing
            return value if extra is None else value + extra

        buffer = np.zeros((self.size, self.size))
        flat, places = buffer.reshape(-1), self.transposed

        def jacobian_transposed(since: float, y: Array) -> Array:
            try:
                flat[places] = jacobian(t0 + since, y, p, inputs(since), c)
            except (ArithmeticError, ValueError) as error:
                fault.note(t0 + since, str(error))
                flat[places] = np.nan
            return buffer

        return Equations(rhs, jacobian_transposed, self.size, fault)


class SensitivityEquations:
    """States and their derivatives by some parameters, as one system.

    With ``s = dy/dp`` the sensitivities follow ``ds/dt = J s + df/dp``. The system is kept as
    ``z = (y, s_1 w_1, ..., s_k w_k)`` with a weight for each parameter, so that one tolerance fits all.

    Parameters
    ----------
    compiled : CompiledModel
    p : ndarray, shape (P,), canonical units
    columns : sequence of int
        Parameters to differentiate by.
    weights : ndarray, shape (k,)
        Size of each parameter. More than there are columns: what follows are derivatives by states of an
        earlier time, which nothing drives.
    """

    def __init__(self, compiled: CompiledModel, p: Array, columns: Sequence[int], weights: Array) -> None:
        self.states = StateEquations(compiled, p)
        module, manifest = self.states.module, compiled.manifest
        self.derivatives = module.prepare_derivatives(p, self.states.c)
        self.weights = weights
        self.coupling = Coupling()
        self.count = len(weights)
        self.size = self.states.size * (1 + self.count)
        position = {column: k for k, column in enumerate(columns)}
        rows, cols = manifest["d_rhs_dp"]["rows"], manifest["d_rhs_dp"]["cols"]
        chosen = [i for i, col in enumerate(cols) if col in position]
        self.chosen = np.array(chosen, dtype=np.intp)
        self.forcing_places = np.array(
            [position[cols[i]] * self.states.size + rows[i] for i in chosen], dtype=np.intp
        )
        self.forcing_weights = np.array([weights[position[cols[i]]] for i in chosen])

    def on(self, segment: Segment) -> Equations:
        """The equations with the inputs of a segment."""
        states, n, k = self.states, self.states.size, self.count
        plain = states.on(segment)
        fault = plain.fault
        jacobian, by_parameter = states.module.jacobian, states.module.d_rhs_dp
        p, c, dc, t0 = states.p, states.c, self.derivatives, segment.t0
        inputs = _running_inputs(segment)
        chosen, forcing_places, forcing_weights = self.chosen, self.forcing_places, self.forcing_weights
        # d f / d y, transposed: sensitivities stand in rows, so a product with it steps all of them.
        slope = np.zeros((n, n))
        slope_flat, transposed = slope.reshape(-1), states.transposed
        forcing = np.zeros((k, n))
        forcing_flat = forcing.reshape(-1)
        driven = None if segment.d_rate is None else len(segment.d_rate)
        constant = None if segment.d_rate is None else segment.d_rate * self.weights[:driven, None]
        moved = self._input_forcing(segment)
        nothing = np.full(self.size, np.nan)

        def rhs(since: float, z: Array) -> Array:
            y = z[:n]
            t, u = t0 + since, inputs(since)
            out = np.empty(n + k * n)
            out[:n] = plain.rhs(since, y)
            try:
                slope_flat[transposed] = jacobian(t, y, p, u, c)
                forcing_flat[forcing_places] = by_parameter(t, y, p, u, c, dc)[chosen] * forcing_weights
            except (ArithmeticError, ValueError) as error:
                fault.note(t, str(error))
                return nothing
            tail = out[n:].reshape(k, n)
            # A trial step may overshoot beyond what a float holds; the step is then refused, not reported.
            with np.errstate(over="ignore", invalid="ignore"):
                np.matmul(z[n:].reshape(k, n), slope, out=tail)
            tail += forcing
            if constant is not None:
                tail[:driven] += constant
            if moved is not None:
                more = moved(t, y, u)
                tail[: len(more)] += more
            return out

        # The true matrix also has d(J s + df/dp)/dy below the diagonal blocks. Leaving it out costs no
        # accuracy, and in weakly nonlinear models only one more iteration of the corrector: what it
        # lacks is nilpotent. What remains repeats one block along the diagonal, so it has the band of a
        # single block, and the linear algebra is linear in the number of parameters.
        lower, upper = states.band
        bands = np.zeros((k + 1, n, lower + upper + 1))
        first, places = bands[0].reshape(-1), states.in_band

        def jacobian_transposed(since: float, z: Array) -> Array:
            try:
                first[places] = jacobian(t0 + since, z[:n], p, inputs(since), c)
            except (ArithmeticError, ValueError) as error:
                fault.note(t0 + since, str(error))
                first[places] = np.nan
            bands[1:] = bands[0]
            return bands.reshape(self.size, lower + upper + 1)

        def complete(since: float, z: Array) -> Array:
            return self._complete(segment, since, z)

        return Equations(rhs, jacobian_transposed, self.size, fault, states.band, complete, self.coupling)

    def _complete(self, segment: Segment, since: float, z: Array) -> Array:
        """The whole Jacobian, shape (N, N): SciPy's BDF and Radau need it, and LSODA in stiff kinetics.

        The second derivatives are difference quotients of the first: it only steers Newton's method.
        """
        states, n, k = self.states, self.states.size, self.count
        module, p, c = states.module, states.p, states.c
        t, y, s = segment.t0 + since, z[:n], z[n:].reshape(k, n)
        step = 1e-7 * np.maximum(np.abs(y), 1e-3 * np.max(np.abs(y), initial=1e-30))
        points = np.concatenate((y[None], y + np.diag(step)))
        u = np.broadcast_to(segment.inputs_at(t), (n + 1, segment.u.size))
        slopes = module.jacobian(t, points, p, u, c)
        forcing = module.d_rhs_dp(t, points, p, u, c, self.derivatives)[:, self.chosen] * self.forcing_weights
        matrix = np.zeros((self.size, self.size))
        rows, cols = states.rows, states.cols
        for block in range(k + 1):
            matrix[block * n + rows, block * n + cols] = slopes[0]
        by_state = np.zeros((n, k, n))  # d(J s + df/dp)[k, i] / d y_j at [j, k, i]
        bend = (slopes[1:] - slopes[0]) / step[:, None]
        for entry, (row, col) in enumerate(zip(rows.tolist(), cols.tolist(), strict=True)):
            by_state[:, :, row] += np.outer(bend[:, entry], s[:, col])
        by_state.reshape(n, k * n)[:, self.forcing_places] += (forcing[1:] - forcing[0]) / step[:, None]
        matrix[n:, :n] = by_state.reshape(n, k * n).T
        return matrix

    def _input_forcing(self, segment: Segment) -> Callable[[float, Array, Array], Array] | None:
        """What clocks and held inputs that depend on parameters add to the sensitivities, shape (k, S)."""
        if segment.d_u is None:
            return None
        states, weights = self.states, self.weights[: len(segment.d_u), None]
        pattern = states.compiled.manifest["d_rhs_du"]
        used = np.any(segment.d_u, axis=0)
        if segment.d_slope is not None:
            used |= np.any(segment.d_slope, axis=0)
        chosen = [e for e, col in enumerate(pattern["cols"]) if used[col]]
        rows = np.array([pattern["rows"][e] for e in chosen], dtype=np.intp)
        cols = np.array([pattern["cols"][e] for e in chosen], dtype=np.intp)
        by_input, p, c = states.module.d_rhs_du, states.p, states.c
        matrix = np.zeros((segment.u.size, states.size))

        def forcing(t: float, y: Array, u: Array) -> Array:
            matrix[cols, rows] = by_input(t, y, p, u, c)[chosen]
            moved = segment.d_inputs_at(t)
            assert moved is not None
            return (weights * moved) @ matrix

        return forcing


def _running_inputs(segment: Segment) -> Callable[[float], Array]:
    """The inputs as a function of the time since the segment began; the array is reused."""
    u = segment.u.copy()
    running = np.flatnonzero(segment.slope).tolist()
    if not running:
        return lambda since: u
    origin, slope = segment.u.tolist(), segment.slope.tolist()

    def inputs(since: float) -> Array:
        for k in running:
            u[k] = origin[k] + slope[k] * since
        return u

    return inputs
