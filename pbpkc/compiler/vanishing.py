"""Sums that are zero although none of their terms is.

Clearance and volume both proportional to body weight leave a rate constant that weight does not change:
its derivative is a sum of terms that cancel. Such a derivative is dropped, so that the sparsity says
what depends on what, and nothing is computed that is rounding only.
"""

from __future__ import annotations

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from pbpkc.compiler.gradient import power_slope
from pbpkc.compiler.numeric import Evaluation
from pbpkc.compiler.rewrite import inlined
from pbpkc.compiler.system import System

# At how many points a sum has to look like zero before the proof is tried.
_POINTS = 3

# Relative to the sum of absolute terms; rounding of a few dozen operations stays below.
_ROUNDING = 1e-13


class Vanishing:
    """Tells which sums of one `System` are zero for every value of its symbols.

    Parameters
    ----------
    system : System
    """

    def __init__(self, system: System) -> None:
        rng = np.random.default_rng(0)
        self._leaves = {
            p.symbol: (p.value or 1.0) * rng.uniform(0.9, 1.1, _POINTS) for p in system.parameters
        }
        moving = [system.time, *(s.symbol for s in system.states), *(u.symbol for u in system.inputs)]
        self._leaves |= {symbol: rng.uniform(0.5, 20.0, _POINTS) for symbol in moving}
        self._evaluation = Evaluation(system, self._leaves)
        self._definitions = {a.symbol: sp.sympify(a.expr) for a in (*system.constants, *system.curves)}

    def define(self, symbol: sp.Symbol, expr: sp.Expr) -> None:
        """Let `symbol` stand for `expr` in sums asked about from now on."""
        self._definitions[symbol] = expr
        self._leaves[symbol] = self._value(expr)

    def __call__(self, terms: list[sp.Expr]) -> bool:
        """Whether the sum of the terms is zero, and proved to be."""
        total = sp.Add(*terms)
        if total == 0:
            return True
        parts = sp.Add.make_args(total)
        if len(parts) == 1:
            return False
        values = np.array([np.broadcast_to(self._value(part), _POINTS) for part in parts])
        if not values.any():
            # A branch that is not taken at these points is no sum that cancels; its proof takes seconds.
            return False
        # Written so that a value that does not exist (nan) is no sign of a zero.
        if not np.all(np.abs(values.sum(axis=0)) <= _ROUNDING * np.abs(values).sum(axis=0)):
            return False
        whole = inlined(total, self._definitions).replace(power_slope, lambda b, n: n * b ** (n - 1))
        numerator, _ = sp.fraction(sp.together(whole))
        return bool(sp.expand(numerator) == 0)

    def _value(self, expr: sp.Expr) -> np.ndarray:
        if expr.has(AppliedUndef):
            # What an unknown term is does not matter here; most sums do not hold one.
            return np.full(_POINTS, np.nan)
        try:
            return np.asarray(self._evaluation.value(expr))
        except ValueError:  # a curve that reads an unknown term without a default
            return np.full(_POINTS, np.nan)
