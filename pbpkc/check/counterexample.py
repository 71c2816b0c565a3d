"""Points of the declared box at which a claim is tried: simple ones first, then random ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from pbpkc.compiler.enclosures import parameter_range
from pbpkc.compiler.numeric import Evaluation
from pbpkc.compiler.rewrite import definitions, inlined, sorted_symbols
from pbpkc.compiler.system import System

# A claim that fails does so on an open set nearly always; a few hundred points find it.
_POINTS = 400
_SEED = 20
# Amounts from a trace to a gross overdose, and times of a run.
_STATE_DECADES = (-3.0, 4.0)
_HOURS = 48.0
# What counts as negative, of the sum of the absolute terms: cancellation leaves about this much.
_ROUNDING = 1e-12

Points = dict[sp.Symbol, NDArray[np.float64]]


def sample_points(system: System) -> Points:
    """Values of all leaf symbols at the trial points, shape (n,) each.

    The first has nominal parameters and 1 in every state, the second the lowest and the third the highest
    parameters; the rest are random, with a third of the states empty.
    """
    random = np.random.default_rng(_SEED)
    points: Points = {}
    for parameter in system.parameters:
        allowed = parameter_range(parameter)
        low, high = allowed.low, allowed.high
        if low > 0 and math.isfinite(high):
            values = low * (high / low) ** random.random(_POINTS)
        elif math.isfinite(low) and math.isfinite(high):
            values = low + (high - low) * random.random(_POINTS)
        else:
            values = np.full(_POINTS, parameter.value)
            low = high = parameter.value
        values[:3] = parameter.value, low, high
        points[parameter.symbol] = values
    for state in system.states:
        values = 10 ** random.uniform(*_STATE_DECADES, _POINTS)
        values[random.random(_POINTS) < 1 / 3] = 0.0
        values[:3] = 1.0
        points[state.symbol] = values
    for entry in system.inputs:
        values = random.uniform(0.0, _HOURS, _POINTS)
        values[:3] = 0.0
        points[entry.symbol] = values
    times = random.uniform(0.0, _HOURS, _POINTS)
    times[:3] = 0.0
    points[system.time] = times
    return points


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
        self._points = sample_points(system)
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
        leaves = {**self._points, **{s: np.full(_POINTS, v) for s, v in fixed.items()}}
        evaluation = Evaluation(self._system, leaves)
        try:
            value = np.broadcast_to(evaluation.value(expr), (_POINTS,))
            size = sum((np.abs(evaluation.value(t)) for t in sp.Add.make_args(expr)), np.zeros(_POINTS))
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
