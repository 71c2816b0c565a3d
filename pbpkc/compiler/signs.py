"""The sign structure of the Jacobian over the declared box."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import sympy as sp

from pbpkc.compiler.enclosures import Enclosures
from pbpkc.compiler.numeric import Evaluation
from pbpkc.compiler.system import System
from pbpkc.compiler.trial_points import trial_points

# Cancellation leaves about this much of the sum of the absolute terms.
_ROUNDING = 1e-12


def jacobian_signs(system: System, jacobian: Mapping[tuple[int, int], sp.Expr]) -> dict[tuple[int, int], str]:
    """The sign of every structurally non-zero entry of the Jacobian.

    Parameters
    ----------
    system : System
    jacobian : mapping of (int, int) to Expr
        d(dy_i/dt)/dy_j in parameters, constants, curves, states, time and inputs.

    Returns
    -------
    mapping of (int, int) to str
        ``+`` never negative, ``-`` never positive, ``0`` zero, ``?`` either or not proved, with states
        and time not negative, masked parameters and covariates within their bounds and all others at
        their values.
    """
    enclosures = Enclosures(system)
    tried = Evaluation(system, trial_points(system))
    signs: dict[tuple[int, int], str] = {}
    for key in sorted(jacobian):
        expr = jacobian[key]
        sign = enclosures.plain(expr).sign
        # Rearranging is the slow part, and in vain where both signs occur.
        if sign == "?" and not _takes_both_signs(tried, expr):
            sign = enclosures.refined(expr).sign
        signs[key] = sign
    return signs


def _takes_both_signs(tried: Evaluation, expr: sp.Expr) -> bool:
    try:
        value = tried.value(expr)
        size = sum(np.abs(tried.value(term)) for term in sp.Add.make_args(expr))
    except ValueError:  # an unknown term without a default
        return False
    with np.errstate(invalid="ignore"):
        return bool(np.any(value < -_ROUNDING * size) and np.any(value > _ROUNDING * size))
