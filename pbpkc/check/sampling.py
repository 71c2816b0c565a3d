"""Random points at which equations and generated code are compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pbpkc.check.reference_values import Points, Reference, TrialFunction, reference_values
from pbpkc.check.traced import Array
from pbpkc.compiler.system import Parameter, System

# Candidates from which points are chosen. The first finite ones are taken as they come; the others
# serve to see both sides of every condition.
_CANDIDATES = 400

# A state without a start value: umol, from traces to grams.
_LOW, _HIGH = 1e-2, 1e3


def sample_points(system: System, seed: int, points: int) -> tuple[Points, tuple[str, ...]]:
    """Random points, and the conditions of which only one side was seen.

    Parameters
    ----------
    system : System
    seed : int
    points : int
        How many at least. More are added where an ``if``, ``min`` or ``max`` would otherwise be seen
        from one side only.

    Returns
    -------
    Points
        States log-uniform over four to five decades (around the start value where that is not zero),
        parameters within 20 % of their value and within their bounds (a value of zero becomes one
        between 0.1 and 1, so that what it multiplies is seen), inputs not negative.
    tuple of str
        Conditions that had one outcome at every candidate, as text.
    """
    rng = np.random.default_rng(seed)
    candidates = _candidates(system, rng, max(_CANDIDATES, 4 * points))
    unknowns = {u.name: TrialFunction(u) for u in system.unknowns if u.default is None}
    reference = reference_values(system, candidates, unknowns, slopes=False)
    usable = np.flatnonzero(_finite(reference))
    if len(usable) < points:
        # Some equation overflows nearly everywhere; what remains is compared all the same.
        usable = np.arange(len(candidates))
    chosen = list(usable[:points])
    one_sided = []
    for condition, holds in reference.decisions.items():
        for outcome in (True, False):
            found = usable[holds[usable] == outcome]
            if not len(found):
                one_sided.append(f"{condition} is {str(not outcome).lower()} at every point")
            elif not np.any(holds[chosen] == outcome):
                chosen.append(found[0])
    return candidates.chosen(np.array(chosen)), tuple(one_sided)


def _candidates(system: System, rng: np.random.Generator, n: int) -> Points:
    nominal = _initial_state(system)
    y = np.empty((n, len(system.states)))
    for k, start in enumerate(nominal):
        if start:
            y[:, k] = start * 10.0 ** rng.uniform(-1.0, 1.0, n)
        else:
            y[:, k] = _log_uniform(rng, _LOW, _HIGH, n)
    p = np.empty((n, len(system.parameters)))
    for k, parameter in enumerate(system.parameters):
        p[:, k] = _parameter_values(parameter, rng, n)
    u = np.empty((n, len(system.inputs)))
    for k, entry in enumerate(system.inputs):
        u[:, k] = rng.uniform(0.0, 24.0 if entry.kind == "tad" else 100.0, n)
    return Points(_log_uniform(rng, 1e-2, 48.0, n), y, p, u)


def _initial_state(system: System) -> Array:
    """The start values at the spec's parameters, zero where they have no finite value."""
    nominal = Points(
        np.zeros(1),
        np.ones((1, len(system.states))),
        np.array([[p.value for p in system.parameters]], dtype=float).reshape(1, -1),
        np.zeros((1, len(system.inputs))),
    )
    unknowns = {u.name: TrialFunction(u) for u in system.unknowns if u.default is None}
    start = reference_values(system, nominal, unknowns, slopes=False).quantities["initial_state"].value[0]
    return np.where(np.isfinite(start), start, 0.0)


def _parameter_values(parameter: Parameter, rng: np.random.Generator, n: int) -> Array:
    low, high = -np.inf, np.inf
    if parameter.mask is not None:
        low, high = parameter.mask.low, parameter.mask.high
    elif parameter.bounds is not None:
        low, high = parameter.bounds
    if parameter.value == 0.0:
        return np.clip(rng.uniform(0.1, 1.0, n), low, high)
    return np.clip(parameter.value * rng.uniform(0.8, 1.2, n), low, high)


def _log_uniform(rng: np.random.Generator, low: float, high: float, n: int) -> Array:
    return low * (high / low) ** rng.uniform(0.0, 1.0, n)


def _finite(reference: Reference) -> Array:
    fine = np.ones(len(reference.points), dtype=bool)
    for name, expected in reference.quantities.items():
        if name != "lloq":
            fine &= np.isfinite(expected.value).all(axis=1)
    return fine


def trial_functions(system: System) -> Mapping[str, TrialFunction]:
    """A function for every unknown term."""
    return {u.name: TrialFunction(u) for u in system.unknowns}
