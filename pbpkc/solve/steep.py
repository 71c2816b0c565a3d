"""Why a solver may stop where a state is empty: a power below 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pbpkc.runtime.compiled import CompiledModel


def steep_suggestion(compiled: CompiledModel, p: NDArray[np.float64]) -> str:
    """What to think of where steps become too small: powers below 1 of a state; empty where there are none.

    Under ``dc/dt = -k c^n`` with n < 1 a state is empty after a finite time. Its slope has no end there, so
    that the state bends sharply where it arrives, and the equations of a step have hardly a solution.

    Parameters
    ----------
    compiled : CompiledModel
    p : ndarray, shape (P,), canonical units
    """
    told = []
    for one in compiled.manifest.get("steep", ()):
        exponent = one["exponent"]
        value = float(p[compiled.parameter_index[exponent]]) if isinstance(exponent, str) else exponent
        if value < 1.0:
            told.append(f"the rate '{one['rate']}' takes '{one['state']}' to the power {value:.4g}")
    if not told:
        return ""
    return (
        f"{' and '.join(dict.fromkeys(told[:2]))}: below 1 such a power empties a state in finite time, with "
        "a slope without end there; bound the exponent from below, or end the run before"
    )
