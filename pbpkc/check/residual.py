"""Whether the generated residual vanishes on the reference solution, in integrated form.

A solver's solution satisfies the equations at its steps, not its interpolant's derivative between them. So
the residual is checked through integrals: over each step of the solver, y(b) - y(a) must equal the integral
of dydt - r, where r is the generated residual. For r = dydt - rhs that integrand is the right-hand side,
however dydt is chosen.

The solution is Radau's, an implicit Runge-Kutta method of collocation type: its own weights at its own
nodes integrate the right-hand side to the accuracy of its Newton iteration, stiff or not (Hairer & Wanner
1996, Solving Ordinary Differential Equations II, section IV.5). With other points on an interpolant the
error of a state times the stiffness of its equation would hide a wrong term.

What is accepted of a step of width h is 100 (w_i + h sum_j |J_ij| w_j) with w = rtol |y| + atol: the error
that the solver is allowed in the states, carried through the equation. In a stiff equation (Robertson's
second state at the end of its run has h |J| = 10^14) the second part is what rounding and the Newton
iteration leave; a wrong term is larger still by 1/rtol.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.solve.dense import DenseSolution, DenseStep

Array = NDArray[np.float64]

#: Nodes and weights of the three-stage Radau IIA method.
_ROOT = 6.0**0.5
NODES = np.array([(4.0 - _ROOT) / 10.0, (4.0 + _ROOT) / 10.0, 1.0])
WEIGHTS = np.array([(16.0 - _ROOT) / 36.0, (16.0 + _ROOT) / 36.0, 1.0 / 9.0])

#: Accepted defect of a step, in units of the states' own tolerances carried through the equation.
ACCEPTED = 100.0

#: Steps are taken together while their Jacobians hold no more numbers than this (64 MB).
MOST_NUMBERS = 8_000_000

#: Jacobian of the equations, (T, S, S), at the same arguments without dydt.
Jacobian = Callable[[Array, Array, Array], Array]

#: Residual of states y (T, S) and derivatives dydt (T, S) at times t (T,) with inputs u (T, K): (T, S).
Residual = Callable[[Array, Array, Array, Array], Array]


@dataclass(frozen=True)
class Defect:
    """The worst step of one run.

    Parameters
    ----------
    state : str
    time : float, h
        Where the step begins.
    ratio : float
        Defect in units of what the tolerances allow, see above; at most `ACCEPTED`.
    steps : int
        Steps looked at.
    """

    state: str
    time: float
    ratio: float
    steps: int

    @property
    def ok(self) -> bool:
        """Whether the residual vanishes within what the solver promises."""
        return self.ratio <= ACCEPTED


def worst_defect(
    solution: DenseSolution, residual: Residual, jacobian: Jacobian, state_names: tuple[str, ...]
) -> Defect:
    """The largest integrated residual over the steps of a Radau solution.

    Parameters
    ----------
    solution : DenseSolution
        Of the method ``radau``.
    residual : callable
        The generated residual, ``r = dydt - rhs``, with inputs given beside.
    jacobian : callable
        Of the equations, for the size of an accepted error.
    state_names : tuple of str

    Raises
    ------
    ValueError
        If the solution comes from another method.
    """
    if solution.solver.method != "radau":
        raise ValueError(f"solution is by {solution.solver.method!r}; accepted is 'radau'")
    worst = Defect("", solution.begin, 0.0, len(solution.steps))
    size = len(state_names)
    at_once = max(1, MOST_NUMBERS // (3 * size * size))
    for first in range(0, len(solution.steps), at_once):
        steps = solution.steps[first : first + at_once]
        ratio = _ratios(solution, steps, residual, jacobian)
        if not np.all(np.isfinite(ratio)):
            index, place = np.argwhere(~np.isfinite(ratio))[0]
            return Defect(state_names[place], steps[index].begin, float("inf"), len(solution.steps))
        index, place = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
        if ratio[index, place] > worst.ratio:
            worst = Defect(
                state_names[place], steps[index].begin, float(ratio[index, place]), len(solution.steps)
            )
    return worst


def _ratios(
    solution: DenseSolution, steps: Sequence[DenseStep], residual: Residual, jacobian: Jacobian
) -> Array:
    """Defects of steps in units of what the tolerances allow, shape (steps, S)."""
    rtol, atol = solution.solver.rtol, np.asarray(solution.solver.atol)
    width = np.array([step.end - step.begin for step in steps])
    at = np.array([step.begin for step in steps])[:, None] + width[:, None] * NODES
    # The last node of Radau's method is the end of the step.
    values = np.array(
        [step.states(np.concatenate(([step.begin], times))) for step, times in zip(steps, at, strict=True)]
    )
    first, y, last = values[:, 0], values[:, 1:], values[:, -1]
    u = np.array([step.segment.inputs_at(times) for step, times in zip(steps, at, strict=True)])
    # Any dydt serves: it cancels. The chord's slope keeps the numbers of one size.
    slope = np.broadcast_to(((last - first) / width[:, None])[:, None], y.shape)
    flat = (at.size, y.shape[-1])
    inputs = u.reshape(at.size, u.shape[-1])
    rest = slope - residual(at.ravel(), y.reshape(flat), slope.reshape(flat), inputs).reshape(y.shape)
    integral = width[:, None] * np.einsum("k,bks->bs", WEIGHTS, rest)
    allowed = rtol * np.maximum(np.abs(first), np.abs(last)) + atol
    matrices = np.abs(jacobian(at.ravel(), y.reshape(flat), inputs))
    stiffness = matrices.reshape(len(steps), NODES.size, *matrices.shape[1:]).max(axis=1)
    scale = allowed + width[:, None] * np.einsum("bij,bj->bi", stiffness, allowed)
    ratio: Array = np.abs(last - first - integral) / scale
    return ratio
