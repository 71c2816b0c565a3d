"""Numbers of loaded modules at given points, target by target, for comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pbpkc.check.reference_values import Points, Reference
from pbpkc.check.traced import Array

#: Quantities by what they depend on: constants, the defaults of unknown terms, a point, parameters only.
PREPARED = ("constants", "d_constants")
DEFAULTS = "defaults"
AT_A_POINT = (
    "rhs", "rates", "jacobian", "d_rhs_dp", "d_rhs_du", "observe", "d_observe_dy", "d_observe_dp",
    "d_observe_du",
)  # fmt: skip
OF_PARAMETERS = ("initial_state", "d_initial_dp", "noise", "d_noise_dp", "lloq")


def numpy_scalars(model: Any, points: Points, wanted: Sequence[str]) -> Iterator[tuple[str, Array]]:
    """Point by point in Python floats, as a solver calls it."""
    n = range(len(points))
    c = [model.prepare(points.p[k]) for k in n]
    dc = [model.prepare_derivatives(points.p[k], c[k]) for k in n]
    for quantity, rows in (("constants", c), ("d_constants", dc)):
        if quantity in wanted:
            yield quantity, np.array([[float(x) for x in row] for row in rows]).reshape(len(points), -1)
    for quantity in (q for q in AT_A_POINT if q in wanted):
        function = getattr(model, quantity)
        more = [(dc[k],) if quantity.endswith("_dp") else () for k in n]
        yield (
            quantity,
            np.array(
                [function(points.t[k], points.y[k], points.p[k], points.u[k], c[k], *more[k]) for k in n]
            ),
        )
    for quantity in (q for q in OF_PARAMETERS if q in wanted):
        function = getattr(model, quantity)
        yield quantity, np.array([function(points.p[k]) for k in n]).reshape(len(points), -1)


def numpy_arrays(model: Any, points: Points, wanted: Sequence[str]) -> Iterator[tuple[str, Array]]:
    """All points in one call."""
    for quantity in (q for q in AT_A_POINT if q in wanted):
        yield quantity, getattr(model, quantity)(points.t, points.y, points.p, points.u)
    for quantity in (q for q in OF_PARAMETERS if q in wanted):
        yield quantity, getattr(model, quantity)(points.p).reshape(len(points), -1)


def torch_values(model: Any, points: Points, wanted: Sequence[str]) -> Iterator[tuple[str, Array]]:
    """All points in one call, in float64."""
    import torch

    t, y, p, u = (torch.as_tensor(x) for x in (points.t, points.y, points.p, points.u))
    c = model.prepare(p)
    dc = model.prepare_derivatives(p, c)
    for quantity, columns in (("constants", c), ("d_constants", dc)):
        if quantity in wanted:
            values = np.empty((len(points), len(columns)))
            for k, column in enumerate(columns):
                values[:, k] = column if isinstance(column, (int, float)) else column.detach().numpy()
            yield quantity, values
    for quantity in (q for q in AT_A_POINT if q in wanted):
        more = (dc,) if quantity.endswith("_dp") else ()
        yield quantity, getattr(model, quantity)(t, y, p, u, c, *more).detach().numpy()
    for quantity in (q for q in OF_PARAMETERS if q in wanted):
        yield quantity, getattr(model, quantity)(p).detach().numpy().reshape(len(points), -1)


def default_values(model: Any, reference: Reference, target: str) -> Array:
    """Value and partial derivatives of the defaults of unknown terms."""
    columns = []
    for name, rows in reference.arguments.items():
        term = model.module.unknowns[name]
        arguments: Any = tuple(rows.T)
        if target == "torch":
            import torch

            arguments = tuple(torch.as_tensor(x.copy()) for x in arguments)
        for value in (term(*arguments), *term.partials(*arguments)):
            columns.append(np.broadcast_to(np.asarray(value), len(rows)))
    return np.stack(columns, axis=1)


def autograd(model: Any, points: Points) -> Iterator[tuple[str, Array]]:
    """Derivatives by torch's reverse mode, at the places of the analytic ones."""
    import torch

    t, y, p, u = (torch.as_tensor(x) for x in (points.t, points.y, points.p, points.u))
    for quantity, function, argument in (
        ("jacobian", model.rhs, 1),
        ("d_rhs_dp", model.rhs, 2),
        ("d_rhs_du", model.rhs, 3),
        ("d_observe_dy", model.observe, 1),
        ("d_observe_dp", model.observe, 2),
        ("d_observe_du", model.observe, 3),
    ):
        if argument == 3 and not u.shape[-1]:
            yield quantity, np.empty((len(points), 0))
            continue
        dense = torch.func.vmap(torch.func.jacrev(function, argnums=argument))(t, y, p, u)
        rows, columns = model.sparsity(quantity)
        yield quantity, dense.detach().numpy()[:, rows, columns]
