"""The sign structure of the Jacobian over the declared box."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from pbpkc.compiler.enclosures import Enclosures
from pbpkc.compiler.system import System


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
    return {key: enclosures.refined(jacobian[key]).sign for key in sorted(jacobian)}
