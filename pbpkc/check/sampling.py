"""Random points at which equations and generated code are compared.

A comparison sees only what the points show. So points are added to the random ones until both sides of
every condition, and every term of every equation beside the others, have been seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, product

import numpy as np

from pbpkc.check.reference_values import Points, Reference, TrialFunction, reference_values
from pbpkc.check.traced import Array
from pbpkc.compiler.numeric import nominal_leaves
from pbpkc.compiler.system import Parameter, System

# Candidates from which points are chosen.
_CANDIDATES = 400

# Decades of a state without a start value, umol: amounts in the middle of a run, and what is left after
# many half-lives. Every second candidate mixes the two, so that a slow term is seen beside a fast one.
_AMPLE, _SPARSE = (-2.0, 3.0), (-10.0, -2.0)

# The same around a start value.
_AMPLE_AROUND, _SPARSE_AROUND = (-1.0, 2.0), (-9.0, -1.0)

# Of how many conditions all pairs are seen; more would add points without end.
_PAIRED = 24

# A term has been seen when it is this large a part of its equation: far above the tolerance.
_SEEN = 1e-9


def sample_points(system: System, seed: int, points: int) -> tuple[Points, tuple[str, ...]]:
    """Random points, and what they could not show.

    Parameters
    ----------
    system : System
    seed : int
    points : int
        How many random ones; more are added to see what these do not show.

    Returns
    -------
    Points
        States log-uniform over 2 to 13 decades (around the start value where that is not zero),
        parameters within 20 % of their value and within their bounds (a value of zero becomes one
        between 0.1 and 1, so that what it multiplies is seen), inputs not negative.
    tuple of str
        Conditions of which one side only, and terms that at no candidate, were seen.
    """
    rng = np.random.default_rng(seed)
    candidates = _candidates(system, rng, max(_CANDIDATES, 4 * points))
    unknowns = {u.name: TrialFunction(u) for u in system.unknowns if u.default is None}
    reference = reference_values(system, candidates, unknowns, slopes=False)
    usable = np.flatnonzero(_finite(reference))
    if len(usable) < points:
        # Some equation overflows nearly everywhere; what remains is compared all the same.
        usable = np.arange(len(candidates))
    chosen = [int(k) for k in usable[:points]]
    unseen = _both_sides(reference, usable, chosen)
    unseen += _every_term(system, reference, usable, chosen)
    return candidates.chosen(np.array(chosen)), tuple(unseen)


def _both_sides(reference: Reference, usable: Array, chosen: list[int]) -> list[str]:
    """Choose points for each side of each condition, and for each pair of sides of two conditions."""
    unseen = []
    conditions = list(reference.decisions.items())
    for condition, holds in conditions:
        for outcome in (True, False):
            if not np.any(holds[usable] == outcome):
                unseen.append(f"{condition} is {str(not outcome).lower()} at every point")
            _choose(holds == outcome, usable, chosen)
    # Two conditions often stand in one product, where one side of the first hides the second.
    for (_, first), (_, second) in combinations(conditions[:_PAIRED], 2):
        for one, other in product((True, False), repeat=2):
            _choose((first == one) & (second == other), usable, chosen)
    return unseen


def _choose(holds: Array, usable: Array, chosen: list[int]) -> None:
    if not np.any(holds[chosen]):
        found = usable[holds[usable]]
        chosen.extend(int(k) for k in found[:1])


def _every_term(system: System, reference: Reference, usable: Array, chosen: list[int]) -> list[str]:
    unseen = []
    rates, rhs = reference.quantities["rates"], reference.quantities["rhs"]
    for i, r in sorted(system.N):
        with np.errstate(all="ignore"):
            part = np.nan_to_num(np.abs(rates.value[:, r]) / rhs.size[:, i])
        if part[chosen].max() >= _SEEN:
            continue
        best = int(usable[np.argmax(part[usable])])
        if part[best] < _SEEN:
            rate, state = system.rates[r].name, system.states[i].name
            unseen.append(f"{rate} is never more than {part[best]:.0e} of d {state} / dt")
        else:
            chosen.append(best)
    return unseen


def _candidates(system: System, rng: np.random.Generator, n: int) -> Points:
    mixed = np.arange(n) % 2 == 1
    y = np.empty((n, len(system.states)))
    for k, start in enumerate(_initial_state(system)):
        ample = rng.uniform(*(_AMPLE_AROUND if start else _AMPLE), n)
        sparse = rng.uniform(*(_SPARSE_AROUND if start else _SPARSE), n)
        decade = np.where(mixed & (rng.uniform(size=n) < 0.5), sparse, ample)
        y[:, k] = (start or 1.0) * 10.0**decade
    p = np.empty((n, len(system.parameters)))
    for k, parameter in enumerate(system.parameters):
        p[:, k] = _parameter_values(parameter, rng, n)
    u = np.empty((n, len(system.inputs)))
    for k, entry in enumerate(system.inputs):
        if entry.kind == "held":
            start = next(p for p in system.parameters if p.name == entry.target)
            u[:, k] = np.clip(_parameter_values(start, rng, n), *entry.bounds)
        else:
            u[:, k] = rng.uniform(0.0, 24.0 if entry.kind == "tad" else 100.0, n)
    return Points(_log_uniform(rng, 1e-2, 48.0, n), y, p, u)


def _initial_state(system: System) -> Array:
    """The start values at the spec's parameters, zero where they have no finite value."""
    nominal = Points(
        np.zeros(1),
        np.ones((1, len(system.states))),
        np.array([[p.value for p in system.parameters]], dtype=float).reshape(1, -1),
        np.array([[nominal_leaves(system)[u.symbol] for u in system.inputs]], dtype=float).reshape(1, -1),
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
