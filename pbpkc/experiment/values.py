"""What a regimen is made of: quantities that may read parameters, and the numbers they become."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pbpkc.language.evaluate import Dual
from pbpkc.language.expression import Expr
from pbpkc.language.source import Span

#: What a quantity becomes: a number, or one with its derivatives.
Value = float | Dual

#: A number, or an expression of the model's names (canonical units).
Quantity = float | Dual | Expr

#: Gives a quantity its value; the word and the place are for the message if it has none.
Reader = Callable[[Quantity, str, "Span | None"], Value]


def number(value: Value) -> float:
    """The number of a float or a `Dual`."""
    return value.value if isinstance(value, Dual) else float(value)


def gradient(value: Value) -> NDArray[np.float64] | None:
    """The gradient of a `Dual`, None for a number or where all of it vanishes."""
    return value.grad if isinstance(value, Dual) and np.any(value.grad) else None
