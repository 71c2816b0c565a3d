"""The search for a point at which a claim about a `System` fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from pbpkc.compiler.numeric import Evaluation
from pbpkc.compiler.rewrite import definitions, inlined, sorted_symbols
from pbpkc.compiler.system import System
from pbpkc.compiler.trial_points import POINTS, trial_points

# What counts as negative, of the sum of the absolute terms: cancellation leaves about this much.
_ROUNDING = 1e-12

Failure = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.bool_]]


@dataclass(frozen=True)
class Counterexample:
    """The value of an expression and where it was found.

    `point` holds by name, in canonical units, what the expression reads: states, time, inputs, and
    parameters that are not at the spec's value.
    """

    value: float
    point: Mapping[str, float]


class Trial:
    """Trial points of one `System`, and the search for a counterexample among them."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._points = trial_points(system)
        self._definitions = definitions(system)
        self._names = {p.symbol: p.name for p in system.parameters}
        self._names |= {s.symbol: s.name for s in system.states}
        self._names |= {u.symbol: u.name for u in system.inputs} | {system.time: "t"}
        self._nominal = {p.symbol: p.value for p in system.parameters}

    def negative(
        self, expr: sp.Expr, fixed: Mapping[sp.Symbol, float] | None = None
    ) -> Counterexample | None:
        """A point at which the expression is below zero by more than rounding, or None.

        Parameters
        ----------
        expr : sympy.Expr
        fixed : mapping of Symbol to float, optional
            Values held, such as an empty reactant.
        """
        return self._search(expr, fixed or {}, lambda value, size: value < -_ROUNDING * size)

    def not_positive(self, expr: sp.Expr) -> Counterexample | None:
        """A point at which the expression is zero or below, or None."""
        return self._search(expr, {}, lambda value, size: value <= 0)

    def non_zero(self, expr: sp.Expr, fixed: Mapping[sp.Symbol, float]) -> Counterexample | None:
        """A point at which the expression is not zero by more than rounding, or None."""
        return self._search(expr, fixed, lambda value, size: np.abs(value) > _ROUNDING * size)

    def undefined(self, expr: sp.Expr) -> Counterexample | None:
        """A point at which the expression has no finite value, or None."""
        return self._search(expr, {}, lambda value, size: ~np.isfinite(value))

    def _search(
        self, expr: sp.Expr, fixed: Mapping[sp.Symbol, float], fails: Failure
    ) -> Counterexample | None:
        leaves = {**self._points, **{s: np.full(POINTS, v) for s, v in fixed.items()}}
        evaluation = Evaluation(self._system, leaves)
        try:
            value = np.broadcast_to(evaluation.value(expr), (POINTS,))
            size = sum((np.abs(evaluation.value(t)) for t in sp.Add.make_args(expr)), np.zeros(POINTS))
        except ValueError:  # an unknown term without a default has no value to try
            return None
        with np.errstate(invalid="ignore"):
            found = np.flatnonzero(fails(value, size))
        if not found.size:
            return None
        where = int(found[0])
        read = sorted_symbols(inlined(expr, self._definitions))
        point: dict[str, float] = {}
        for symbol in [*fixed, *(s for s in read if s not in fixed)]:
            at = float(leaves[symbol][where])
            # A parameter at the spec's value says nothing; states, time and inputs always do.
            if at != self._nominal.get(symbol):
                point[self._names[symbol]] = at
        return Counterexample(float(value[where]), point)


def point_text(point: Mapping[str, float]) -> str:
    """A point as text: ``kidney.X = 0, arterial.X = 1``."""
    return ", ".join(f"{name} = {value:.4g}" for name, value in point.items()) or "the values of the spec"
