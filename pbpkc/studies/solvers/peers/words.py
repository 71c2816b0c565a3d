"""The words of generated equations for plain Python numbers and for numpy arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def _where(condition: Any, a: float, b: float) -> float:
    return a if condition else b


def _power(b: float, n: float) -> float:
    return float(max(b, 0.0) ** n)


def _sqrt(x: float) -> float:
    return math.sqrt(x) if x > 0.0 else 0.0


def _sign(x: float) -> float:
    return float((x > 0.0) - (x < 0.0))


#: For floats; numba compiles each of these functions too.
FLOATS: Mapping[str, Any] = {
    "exp": math.exp, "log": math.log, "sqrt": _sqrt, "sin": math.sin, "cos": math.cos, "tan": math.tan,
    "tanh": math.tanh, "absolute": abs, "sign": _sign, "floor": math.floor, "ceil": math.ceil,
    "minimum": min, "maximum": max, "where": _where, "power": _power, "nan": math.nan, "inf": math.inf,
}  # fmt: skip

#: For arrays.
ARRAYS: Mapping[str, Any] = {
    "exp": np.exp, "log": np.log, "sqrt": lambda x: np.sqrt(np.maximum(x, 0.0)), "sin": np.sin, "cos": np.cos,
    "tan": np.tan, "tanh": np.tanh, "absolute": np.abs, "sign": np.sign, "floor": np.floor, "ceil": np.ceil,
    "minimum": np.minimum, "maximum": np.maximum, "where": np.where,
    "power": lambda b, n: np.power(np.maximum(b, 0.0), n), "nan": math.nan, "inf": math.inf,
}  # fmt: skip
