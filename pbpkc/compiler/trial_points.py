"""Points of the declared box at which claims about a `System` are tried."""

from __future__ import annotations

import math

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from pbpkc.compiler.enclosures import parameter_range
from pbpkc.compiler.system import Input, System

#: A claim that fails does so on an open set nearly always; a few hundred points find it.
POINTS = 400
_SEED = 20
# Amounts from a trace to a gross overdose, and times of a run.
_STATE_DECADES = (-3.0, 4.0)
_HOURS = 48.0

Points = dict[sp.Symbol, NDArray[np.float64]]


def trial_points(system: System) -> Points:
    """Values of all leaf symbols at the trial points, shape (n,) each.

    The first has nominal parameters and 1 in every state, the second the lowest and the third the highest
    parameters; the rest are random, with a third of the states empty.
    """
    random = np.random.default_rng(_SEED)
    points: Points = {}
    for parameter in system.parameters:
        allowed = parameter_range(parameter)
        points[parameter.symbol] = _within(allowed.low, allowed.high, parameter.value, random)
    for state in system.states:
        values = 10 ** random.uniform(*_STATE_DECADES, POINTS)
        values[random.random(POINTS) < 1 / 3] = 0.0
        values[:3] = 1.0
        points[state.symbol] = values
    start = {p.name: p.value for p in system.parameters}
    for entry in system.inputs:
        if entry.kind == "held":
            points[entry.symbol] = _held(entry, start[entry.target], random)
            continue
        values = random.uniform(0.0, _HOURS, POINTS)
        values[:3] = 0.0
        points[entry.symbol] = values
    times = random.uniform(0.0, _HOURS, POINTS)
    times[:3] = 0.0
    points[system.time] = times
    return points


def _within(low: float, high: float, value: float, random: np.random.Generator) -> NDArray[np.float64]:
    if low > 0 and math.isfinite(high):
        values = low * (high / low) ** random.random(POINTS)
    elif math.isfinite(low) and math.isfinite(high):
        values = low + (high - low) * random.random(POINTS)
    else:
        values = np.full(POINTS, value)
        low = high = value
    values[:3] = value, low, high
    return values


def _held(entry: Input, value: float, random: np.random.Generator) -> NDArray[np.float64]:
    """What a held input may be; without bounds some decades around its value, zero and, if it may, below."""
    low, high = entry.bounds
    if math.isfinite(low) and math.isfinite(high):
        return _within(low, high, value, random)
    values = (abs(value) or 1.0) * 10 ** random.uniform(-2.0, 2.0, POINTS)
    values[random.random(POINTS) < 1 / 3] = 0.0
    if low < 0:
        values *= random.choice([-1.0, 1.0], POINTS)
    values[:3] = value
    return np.clip(values, low, high)
