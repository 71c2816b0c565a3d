"""Powers whose slope has no end where a state is empty, so that a solver that stops there can say why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from pbpkc.compiler.differentiate import Derivatives
from pbpkc.compiler.gradient import power_slope
from pbpkc.compiler.system import System


@dataclass(frozen=True)
class SteepPower:
    """A state under a power whose exponent is, or may be, below 1.

    Parameters
    ----------
    rate, state : str
    exponent : str or float
        The name of a parameter, or a number.
    """

    rate: str
    state: str
    exponent: str | float

    def to_manifest(self) -> dict[str, Any]:
        """As plain data."""
        return {"rate": self.rate, "state": self.state, "exponent": self.exponent}


def steep_powers(system: System, derivatives: Derivatives) -> tuple[SteepPower, ...]:
    """The steep powers of a system, each state of each rate once.

    Only exponents that are a parameter or a number are told: of others nothing is known before they are
    computed.
    """
    names = {parameter.symbol: parameter.name for parameter in system.parameters}
    found: dict[SteepPower, None] = {}
    for rate, partials in zip(system.rates, derivatives.rates_by, strict=True):
        for state in system.states:
            slope = partials.get(state.symbol)
            for power in (
                sorted(slope.atoms(power_slope), key=sp.default_sort_key) if slope is not None else ()
            ):
                exponent = power.args[1]
                if exponent.is_number:
                    found[SteepPower(rate.name, state.name, float(exponent))] = None
                elif exponent in names:
                    found[SteepPower(rate.name, state.name, names[exponent])] = None
    return tuple(found)
