"""diffrax: Kvaerno's method of order 5 in JAX, compiled by XLA, all subjects at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from pbpkc.studies.solvers.peers.problem import Array, Built, Problem

jax.config.update("jax_enable_x64", True)

_WORDS: Mapping[str, Any] = {
    "exp": jnp.exp, "log": jnp.log, "sqrt": lambda x: jnp.sqrt(jnp.maximum(x, 0.0)), "sin": jnp.sin,
    "cos": jnp.cos, "tan": jnp.tan, "tanh": jnp.tanh, "absolute": jnp.abs, "sign": jnp.sign,
    "floor": jnp.floor, "ceil": jnp.ceil, "minimum": jnp.minimum, "maximum": jnp.maximum, "where": jnp.where,
    "power": lambda b, n: jnp.power(jnp.maximum(b, 0.0), n), "nan": jnp.nan, "inf": jnp.inf,
}  # fmt: skip

#: Subjects that are solved at once; all wait for the slowest of them, and every number needs a compilation.
_TOGETHER = 10


def build(problem: Problem) -> Built:
    """Ready to solve: the compiled program of a run, for one subject and for ten."""
    equations = problem.equations(_WORDS)

    def rate(t, y, held):
        p, u, c = held
        return jnp.stack(equations.rhs(t, y, p, u, c))

    term, method = diffrax.ODETerm(rate), diffrax.Kvaerno5()
    control = diffrax.PIDController(rtol=problem.rtol, atol=problem.atol)

    def run(p):
        c = equations.prepare(p)
        y = jnp.stack([jnp.asarray(value, dtype=float) for value in equations.initial(p, c)])
        c = jnp.stack([jnp.asarray(value, dtype=float) for value in c]) if c else jnp.zeros(0)
        found = []
        for part in problem.stretches:
            solution = diffrax.diffeqsolve(
                term, method, part.t0, part.t1, None, y + part.jump, (p, part.u, c),
                saveat=diffrax.SaveAt(ts=part.grid[1:]), stepsize_controller=control, max_steps=1_000_000,
                adjoint=diffrax.ForwardMode(), throw=False,
            )  # fmt: skip
            found.append(solution.ys[: part.times.size])
            y = solution.ys[-1]
        return jnp.concatenate(found)

    many = jax.jit(jax.vmap(run))
    one = jax.jit(run)

    def solve(p: Array) -> Array:
        if len(p) == 1:
            return np.asarray(one(p[0]))[None]
        rest = -len(p) % _TOGETHER
        filled = np.concatenate((p, np.repeat(p[-1:], rest, axis=0)))
        groups = filled.reshape(-1, _TOGETHER, p.shape[1])
        return np.concatenate([np.asarray(many(group)) for group in groups])[: len(p)]

    inputs = np.concatenate([np.tile(part.u, (part.times.size, 1)) for part in problem.stretches])
    places = np.array(problem.sensitive)

    def watched(five, p):
        p = p.at[places].set(five)
        c = equations.prepare(p)
        see = jax.vmap(lambda t, y, u: equations.observe(t, y, p, u, c)[problem.watched[0]])
        return see(problem.times, run(p), inputs)

    slopes = jax.jit(jax.jacfwd(watched))

    def sensitivities(p: Array) -> Array:
        return np.array([slopes(one[places], one) for one in p])

    return Built(solve, "states", sensitivities)
