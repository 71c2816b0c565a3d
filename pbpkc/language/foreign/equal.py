"""The arrows of a model against its equations, in numbers: a slip of the algebra is never written."""

from __future__ import annotations

import random
from collections.abc import Sequence

from pbpkc.language.diagnostics import InternalError
from pbpkc.language.foreign.arrows import Arrow
from pbpkc.language.foreign.constants import NoNumber, followed, value_of
from pbpkc.language.foreign.model import OdeModel

#: Points at which both are worked out; positive, and none a round number.
_POINTS = 3

#: Of the sum of absolute terms, far above rounding and far below any term.
_TOLERANCE = 1e-9


def demand_equal(model: OdeModel, arrows: Sequence[Arrow]) -> None:
    """Compare the sum of the arrows with each equation.

    Raises
    ------
    InternalError
        Where they differ.
    """
    generator = random.Random(7)
    for _ in range(_POINTS):
        drawn = {n: generator.uniform(0.3, 3.0) for n in (*model.values, *model.compartments, "t")}
        known = followed({n: local.value for n, local in model.locals.items()}, drawn)
        found = dict.fromkeys(model.odes, 0.0)
        size = dict.fromkeys(model.odes, 1e-300)
        try:
            for arrow in arrows:
                rate = value_of(arrow.rate, known)
                for ends, sign in ((arrow.sources, -1.0), (arrow.targets, 1.0)):
                    for name, count in ends:
                        found[name] += sign * float(count) * rate
                        size[name] += abs(float(count) * rate)
            for name, ode in model.odes.items():
                wanted = value_of(ode, known)
                if abs(found[name] - wanted) > _TOLERANCE * max(size[name], abs(wanted)):
                    raise InternalError(f"the arrows of '{name}' are not its equation")
        except (NoNumber, ArithmeticError, ValueError):
            continue  # no value at this point, as a logarithm below zero has none
