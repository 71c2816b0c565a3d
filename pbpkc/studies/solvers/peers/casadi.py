"""CasADi: CVODES on its own expressions, whose Jacobian and sensitivities it derives itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import casadi as ca
import numpy as np

from pbpkc.studies.solvers.peers.problem import Array, Built, Problem
from pbpkc.studies.solvers.peers.subjects import preparation

_WORDS: Mapping[str, Any] = {
    "exp": ca.exp, "log": ca.log, "sqrt": lambda x: ca.sqrt(ca.fmax(x, 0.0)), "sin": ca.sin, "cos": ca.cos,
    "tan": ca.tan, "tanh": ca.tanh, "absolute": ca.fabs, "sign": ca.sign, "floor": ca.floor, "ceil": ca.ceil,
    "minimum": ca.fmin, "maximum": ca.fmax, "where": ca.if_else,
    "power": lambda b, n: ca.fmax(b, 0.0) ** n, "nan": float("nan"), "inf": float("inf"),
}  # fmt: skip


_COMPILED: Mapping[str, Any] = {"jit": True, "compiler": "shell", "jit_options": {"flags": ["-O2"]}}


def build(problem: Problem, jit: bool = False) -> Built:
    """Ready to solve: an integrator for each stretch between two events.

    With `jit` the expressions are compiled by the C compiler of this machine.
    """
    prepare, equations = preparation(problem), problem.equations(_WORDS)
    size, wide, inputs, held = (
        len(problem.states), len(problem.parameters), len(problem.inputs), problem.constants,
    )  # fmt: skip
    y, q = ca.SX.sym("y", size), ca.SX.sym("q", wide + held + inputs)
    p, c, u = (ca.vertsplit(part) for part in ca.vertsplit(q, [0, wide, wide + held, wide + held + inputs]))
    rate = ca.vertcat(*equations.rhs(0.0, ca.vertsplit(y), p, u, c))
    # Without the second-order terms in the Jacobian of the sensitivities they cost less, and err no more.
    options = {"reltol": problem.rtol, "abstol": problem.atol, "max_num_steps": 100_000,
               "second_order_correction": False, **(_COMPILED if jit else {})}  # fmt: skip
    integrators = [
        ca.integrator(f"stretch_{g}", "cvodes", {"x": y, "p": q, "ode": rate}, part.t0,
                      part.grid[1:].tolist(), options)
        for g, part in enumerate(problem.stretches)
    ]  # fmt: skip

    def solve(p: Array) -> Array:
        constants, starts = prepare(p)
        found = np.empty((len(p), len(problem.times), size))
        for i in range(len(p)):
            y = starts[i]
            for part, run in zip(problem.stretches, integrators, strict=True):
                values = np.concatenate((p[i], constants[i], part.u))
                states = run(x0=y + part.jump, p=values)["xf"].full().T
                found[i, part.samples], y = states[: part.times.size], states[-1]
        return found

    # The whole run as one function of the parameters, differentiated forward along five of them.
    all_p = ca.MX.sym("p", wide)
    columns = ca.vertsplit(all_p)
    constants = equations.prepare(columns)
    now = ca.vertcat(*equations.initial(columns, constants))
    watched = []
    for part, run in zip(problem.stretches, integrators, strict=True):
        values = ca.vertcat(all_p, *constants, part.u)
        states = run(x0=now + part.jump, p=values)["xf"]
        now = states[:, -1]
        seen = ca.horzsplit(states)[: part.times.size]
        watched += [
            equations.observe(t, ca.vertsplit(x), columns, part.u.tolist(), constants)[problem.watched[0]]
            for t, x in zip(part.times.tolist(), seen, strict=True)
        ]
    curve = ca.Function("curve", [all_p], [ca.vertcat(*watched)])
    slopes = curve.forward(len(problem.sensitive))
    seeds = np.zeros((wide, len(problem.sensitive)))
    seeds[list(problem.sensitive), np.arange(len(problem.sensitive))] = 1.0
    unknown = ca.DM(len(problem.times), 1)

    def sensitivities(p: Array) -> Array:
        return np.array([slopes(one, unknown, seeds).full() for one in p])

    return Built(solve, "states", sensitivities)
