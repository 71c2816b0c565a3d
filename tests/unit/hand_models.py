"""Small models written down directly, in the shape of a compiled model, to test solvers by themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import sympy as sp

Array = np.ndarray
T = sp.Symbol("t")


class HandModel:
    """Equations in sympy, evaluated in plain Python for one state and in NumPy for many."""

    def __init__(
        self,
        states: Sequence[tuple[str, str | None]],
        parameters: Mapping[str, float],
        rhs: Mapping[str, Any],
        observables: Mapping[str, str],
        inputs: Sequence[tuple[str, str]] = (),
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        self.state_names = tuple(name for name, _ in states)
        self.parameter_names = tuple(parameters)
        self.observable_names = tuple(observables)
        self.held_parameters: tuple[int, ...] = ()
        self.input_names = tuple(f"{kind}_{target}" for kind, target in inputs)
        self.values = np.array(list(parameters.values()), dtype=float)
        y = [sp.Symbol(name) for name in self.state_names]
        p = [sp.Symbol(name) for name in self.parameter_names]
        u = [sp.Symbol(name) for name in self.input_names]
        f = [sp.sympify(rhs.get(name, 0)) for name in self.state_names]
        for k, (kind, target) in enumerate(inputs):
            if kind == "infusion":
                f[self.state_names.index(target)] += u[k]
        h = [sp.sympify(e) for e in observables.values()]
        y0 = [sp.sympify((initial or {}).get(name, 0)) for name in self.state_names]
        args = (T, y, p, u)

        def sparse(rows: list[Any], columns: list[Any]) -> tuple[list[Any], dict[str, list[int]]]:
            matrix = sp.Matrix(rows).jacobian(columns) if columns else sp.zeros(len(rows), 0)
            places = [(i, j) for i in range(matrix.rows) for j in range(matrix.cols) if matrix[i, j] != 0]
            pattern = {"rows": [i for i, _ in places], "cols": [j for _, j in places]}
            return [matrix[i, j] for i, j in places], pattern

        jacobian, jacobian_pattern = sparse(f, y)
        d_rhs, d_rhs_pattern = sparse(f, p)
        d_observe_y, d_observe_y_pattern = sparse(h, y)
        d_observe_p, d_observe_p_pattern = sparse(h, p)
        d_rhs_u, d_rhs_u_pattern = sparse(f, u)
        d_observe_u, d_observe_u_pattern = sparse(h, u)
        d_initial, d_initial_pattern = sparse(y0, p)
        self.manifest = {
            "states": [
                {"name": name, "species": species, "unit": "umol", "sink": False} for name, species in states
            ],
            "parameters": [{"name": name} for name in self.parameter_names],
            "inputs": [
                {"name": name, "kind": kind, "target": target}
                for name, (kind, target) in zip(self.input_names, inputs, strict=True)
            ],
            "observables": [{"name": name, "unit": "mg/L"} for name in self.observable_names],
            "jacobian": jacobian_pattern,
            "d_rhs_dp": d_rhs_pattern,
            "d_observe_dy": d_observe_y_pattern,
            "d_observe_dp": d_observe_p_pattern,
            "d_rhs_du": d_rhs_u_pattern,
            "d_observe_du": d_observe_u_pattern,
            "d_initial_dp": d_initial_pattern,
            "fingerprint": "hand",
        }

        def function(expressions: list[Any]) -> Callable[..., Array]:
            scalar = sp.lambdify(args, expressions, "math", cse=True)
            vector = sp.lambdify(args, expressions, "numpy", cse=True)

            def call(t: Any, y: Array, p: Array, u: Array, c: Any = None, dc: Any = None) -> Array:
                if y.ndim == 1:
                    return np.array(scalar(float(t), y.tolist(), p.tolist(), u.tolist()), dtype=float)
                values = vector(t, list(np.moveaxis(y, -1, 0)), p.tolist(), list(np.moveaxis(u, -1, 0)))
                shape = (*y.shape[:-1], len(expressions))
                out = np.empty(shape)
                for i, value in enumerate(values):
                    out[..., i] = value
                return out

            return call

        nothing = np.zeros(len(self.state_names))
        none = np.zeros(len(self.input_names))
        start, d_start = function(y0), function(d_initial)
        self.module = SimpleNamespace(
            prepare=lambda p: (),
            prepare_derivatives=lambda p, c: (),
            rhs=function(f),
            jacobian=function(jacobian),
            d_rhs_dp=function(d_rhs),
            observe=function(h),
            d_observe_dy=function(d_observe_y),
            d_observe_dp=function(d_observe_p),
            d_rhs_du=function(d_rhs_u),
            d_observe_du=function(d_observe_u),
            initial_state=lambda p, c=None: start(0.0, nothing, p, none),
            d_initial_dp=lambda p, c=None, dc=None: d_start(0.0, nothing, p, none),
        )

    def parameters(self) -> Array:
        """Default values."""
        return self.values.copy()


def one_compartment(clock: bool = False) -> HandModel:
    """Absorption, elimination; tlag, f1 and dur are read by doses only."""
    extra = [("tad", "X")] if clock else []
    return HandModel(
        states=[("gut", "X"), ("plasma", "X"), ("out", "X")],
        parameters={"ka": 1.1, "CL": 6.0, "V": 25.0, "tlag": 0.4, "f1": 0.8, "dur": 1.5, "amt": 600.0},
        rhs={
            "gut": "-ka*gut",
            "plasma": "ka*gut - CL/V*plasma" + ("*(1 + exp(-tad_X))" if clock else ""),
            "out": "CL/V*plasma" + ("*(1 + exp(-tad_X))" if clock else ""),
        },
        observables={"C": "plasma/V"},
        inputs=[("infusion", "plasma"), *extra],
    )


def two_compartments() -> HandModel:
    return HandModel(
        states=[("central", "X"), ("peripheral", "X")],
        parameters={"CL": 7.5, "V1": 20.0, "Q2": 0.5, "V2": 30.0},
        rhs={
            "central": "-CL/V1*central - Q2/V1*central + Q2/V2*peripheral",
            "peripheral": "Q2/V1*central - Q2/V2*peripheral",
        },
        observables={"C": "central/V1"},
        inputs=[("infusion", "central")],
    )


def robertson() -> HandModel:
    return HandModel(
        states=[("y1", None), ("y2", None), ("y3", None)],
        parameters={"k1": 0.04, "k2": 3e7, "k3": 1e4},
        rhs={
            "y1": "-k1*y1 + k3*y2*y3",
            "y2": "k1*y1 - k2*y2*y2 - k3*y2*y3",
            "y3": "k2*y2*y2",
        },
        observables={"c1": "y1", "c2": "y2", "c3": "y3"},
        initial={"y1": 1},
    )


def from_flat_json(problem: Mapping[str, Any]) -> HandModel:
    """A model from the flat form of the initial value problems."""
    names = list(problem["states"])
    rhs = {name: sp.sympify(text) for name, text in problem["odes"].items()}
    for name, text in reversed(
        [tuple(a) if not isinstance(a, dict) else (a["name"], a["expr"]) for a in problem["assignments"]]
    ):
        rhs = {k: e.subs(sp.Symbol(name), sp.sympify(text)) for k, e in rhs.items()}
    return HandModel(
        states=[(name, None) for name in names],
        parameters=dict(problem["constants"]) or {"one": 1.0},
        rhs=rhs,
        observables={f"o_{name}": name for name in names},
        initial=problem["states"],
    )
