"""The search for combinations of parameters whose variance is small.

Where a Michaelis-Menten elimination is seen far below its Km, neither Vmax nor Km is determined, Vmax/Km
is. On a log scale such a quotient is a linear combination with weights (1, -1), so candidates are all
vectors of small whole numbers, judged by the delta method. Where none of them is determined, the
directions of the information matrix itself are what is left to name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import combinations, product
from math import gcd

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.covariance import Spread

Array = NDArray[np.float64]

# Weights of two are tried among at most this many parameters, and four together among at most that many.
_FEW = 6
_SEVERAL = 10

# Among candidates that are about as well determined as the best (its bound times this), the simplest wins.
_AS_GOOD = 3.0

# A direction is simplified while its bound grows by no more than this factor.
_AS_SIMPLE = 2.0

# The exponents that are tried for a direction, beside the largest, which is one.
_SIMPLE = (0.0, 0.5, 1.0)

# Simple exponents stand for a direction's own while its standard deviation grows by no more than this factor.
_THE_SAME = 1.1

# A combination has to be determined this much better than any of its weak members to be worth naming.
_GAIN = 0.5


@dataclass(frozen=True)
class Group:
    """Parameters that may be combined with each other.

    Parameters
    ----------
    indices : array of int, shape (m,)
        Into the parameters of the fit.
    weak : array of bool, shape (m,)
        Those not determined alone. Every combination holds at least one of them.
    bounds : array, shape (m,)
        Relative Cramer-Rao bounds, inf where there is none.
    spread : Spread
        Of all parameters.
    theta : array, shape (k,), optional
        All estimates; given for natural-scale parameters, where a bound is relative to the sum's value.
    """

    indices: NDArray[np.int64]
    weak: NDArray[np.bool_]
    bounds: Array
    spread: Spread
    theta: Array | None = None


def find_combinations(group: Group, limit: float) -> list[Array]:
    """Weight vectors over all parameters, shape (k,), of determined combinations.

    Parameters
    ----------
    group : Group
    limit : float
        Largest relative bound of a combination that is called determined.

    Returns
    -------
    list of array
        Independent of each other beyond parameters that are determined alone, best and simplest first;
        fewer than the group has weak members.
    """
    candidates = np.array(list(_candidates(len(group.indices), group.weak)), dtype=float)
    if not len(candidates):
        return []
    k = len(group.spread.length)
    weights = np.zeros((len(candidates), k))
    weights[:, group.indices] = candidates
    bounds = np.sqrt(group.spread.variances(weights))
    if group.theta is not None:
        size = np.abs(weights @ group.theta)
        bounds = np.where(size > 0.0, bounds / np.where(size > 0.0, size, 1.0), np.nan)
    member = np.where((candidates != 0.0) & group.weak, group.bounds, np.inf).min(axis=1)
    good = np.isfinite(bounds) & (bounds < limit) & (bounds <= _GAIN * member)
    candidates, weights, bounds = candidates[good], weights[good], bounds[good]
    effort = np.abs(candidates).sum(axis=1)
    relative = bounds / np.linalg.norm(candidates, axis=1)

    chosen: list[Array] = []
    reached = np.zeros((0, int(group.weak.sum())))
    open_ = np.ones(len(candidates), dtype=bool)
    while open_.any() and len(chosen) < int(group.weak.sum()):
        near = open_ & (relative <= _AS_GOOD * relative[open_].min())
        # Simplest first, then best; the order of enumeration settles what is left.
        best = min(np.flatnonzero(near), key=lambda i: (effort[i], bounds[i], int(i)))
        chosen.append(weights[best])
        reached = np.vstack([reached, candidates[best][group.weak]])
        open_ &= _independent(reached, candidates[:, group.weak])
    return chosen


def determined_directions(group: Group, limit: float) -> list[Array]:
    """Combinations with real weights, for where no small whole ones are determined.

    These are the directions of the group's weak members that carry most information once all other
    parameters are left free.

    Parameters
    ----------
    group : Group
        Of log-scale parameters.
    limit : float
        Largest bound of a direction, its largest weight being one.

    Returns
    -------
    list of array, shape (k,)
        The largest weight is 1; best determined first. Empty where fewer than two members are weak.
    """
    weak = group.indices[group.weak]
    if len(weak) < 2:
        return []
    values, vectors = np.linalg.eigh(group.spread.marginal_information(weak))
    found = []
    for value, vector in zip(values[::-1], vectors.T[::-1], strict=True):
        direction = vector / vector[np.argmax(np.abs(vector))]
        if value <= 0.0 or np.linalg.norm(direction) >= limit * np.sqrt(value):
            break
        weights = np.zeros(len(group.spread.length))
        weights[weak] = direction
        found.append(_without_trifles(weights, group.spread))
    return found


def simple_exponents(directions: list[Array], spread: Spread) -> list[Array]:
    """Directions with halves and ones for weights where the data hardly tell them apart from their own.

    Parameters
    ----------
    directions : list of array, shape (k,)
        From `determined_directions`.
    spread : Spread
    """
    simple: list[Array] = []
    for weights in directions:
        other = _simplest(weights, spread)
        # Two directions that are much alike must not become one.
        alike = simple and np.linalg.matrix_rank(np.array([*simple, other])) <= len(simple)
        simple.append(weights if alike else other)
    return simple


def _simplest(weights: Array, spread: Spread) -> Array:
    """The simplest weights 0, 1/2 and 1 that are about as well determined as those of a direction."""
    members = np.flatnonzero(weights)
    if len(members) > _FEW:
        return weights
    largest = members[np.argmax(np.abs(weights[members]))]
    others = [int(i) for i in members if i != largest]
    trials = np.tile(
        np.where(np.arange(len(weights)) == largest, weights, 0.0), (len(_SIMPLE) ** len(others), 1)
    )
    trials[:, others] = np.array(list(product(_SIMPLE, repeat=len(others)))) * np.sign(weights[others])
    variances = spread.variances(trials)
    good = (variances <= _THE_SAME**2 * float(spread.variances(weights)[0])) & (trials[:, others] != 0.0).any(
        axis=1
    )
    if not good.any():
        return weights
    effort = np.count_nonzero(trials, axis=1) + np.count_nonzero(np.abs(trials) == 0.5, axis=1)
    simplest: Array = trials[min(np.flatnonzero(good), key=lambda i: (effort[i], variances[i], int(i)))]
    return simplest


def _without_trifles(weights: Array, spread: Spread) -> Array:
    """The direction without members that hardly take part: those it is about as well determined without."""
    bound = _AS_SIMPLE**2 * float(spread.variances(weights)[0])
    for i in np.argsort(np.abs(weights), kind="stable"):
        if weights[i] == 0.0 or np.count_nonzero(weights) <= 2:
            continue
        fewer = weights.copy()
        fewer[i] = 0.0
        if float(spread.variances(fewer)[0]) <= bound:  # never true of nan, an undetermined direction
            weights = fewer
    return weights


def _candidates(m: int, weak: NDArray[np.bool_]) -> Iterator[tuple[int, ...]]:
    """Whole vectors of at least two entries without a common divisor, one of each pair of opposites."""
    steps = (1, -1, 2, -2) if m <= _FEW else (1, -1)
    most = 4 if m <= _SEVERAL else 3
    for count in range(2, min(m, most) + 1):
        for members in combinations(range(m), count):
            if not any(weak[i] for i in members):
                continue
            for values in product(steps, repeat=count):
                if values[0] < 0 or reduce(gcd, values) != 1:
                    continue
                vector = [0] * m
                for i, value in zip(members, values, strict=True):
                    vector[i] = value
                yield tuple(vector)


def _independent(reached: Array, rows: Array) -> NDArray[np.bool_]:
    """Which rows are not in the space that the reached rows span."""
    basis = np.linalg.qr(reached.T)[0]
    rest = rows - (rows @ basis) @ basis.T
    independent: NDArray[np.bool_] = np.linalg.norm(rest, axis=1) > 1e-9 * np.maximum(
        1.0, np.linalg.norm(rows, axis=1)
    )
    return independent
