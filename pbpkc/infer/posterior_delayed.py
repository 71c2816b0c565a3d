"""Chains on the exact posterior in which a fast model decides which steps are worth an exact solve.

Each move is some steps of a random walk on the fast posterior, which costs no exact solve. Where it ends
elsewhere, the exact model is asked, and the move is accepted with probability
min(1, [pi(y) / pi(x)] / [pi*(y) / pi*(x)]), pi the exact posterior and pi* the fast one. That leaves pi
invariant, however wrong pi* is; a worse pi* makes the chain slower.

References
----------
Christen JA, Fox C (2005) J Comput Graph Stat 14:795-810.
Liu JS (2001) Monte Carlo Strategies in Scientific Computing, section 9.4.3 (several steps in one move).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Steps on the fast posterior within one move. More carry it further, but where the fast model is wrong
#: further moves are refused more often.
STEPS = 5

#: Step of a random walk in units of the posterior's spread: 2.38 over the square root of the dimension
#: (Roberts, Gelman & Gilks 1997, Ann Appl Probab 7:110-120).
_WALK = 2.38

#: Log densities at a point; -inf where there is none.
Value = Callable[[Array], float]


@dataclass(frozen=True)
class DelayedChain:
    """Draws of one chain.

    Parameters
    ----------
    points : array, shape (n, k)
    fast : array, shape (n,)
        Log density of the fast posterior there.
    exact : array, shape (n,)
        Of the exact one.
    asked, accepted : int
        Moves for which the exact model was asked, and those that were accepted.
    """

    points: Array
    fast: Array
    exact: Array
    asked: int
    accepted: int


def delayed_chain(
    fast: Value,
    exact: Value,
    start: Array,
    root: Array,
    draws: int,
    warmup: int,
    generator: np.random.Generator,
    heard: Callable[[int], None] | None = None,
) -> DelayedChain:
    """Draws from the exact posterior.

    Parameters
    ----------
    fast, exact : callable
        Log densities of one and the same coordinates, each up to a constant.
    start : array, shape (k,)
        Where both are finite.
    root : array, shape (k, k)
        R with R R' about the covariance of the posterior.
    draws, warmup : int
        Moves that are kept, and moves before them.
    generator : numpy.random.Generator
    heard : callable, optional
        Called with the number of moves made.
    """
    k = len(start)
    step = root * (_WALK / math.sqrt(k))
    here, quick, slow = start, fast(start), exact(start)
    points, fasts, exacts = np.empty((draws, k)), np.empty(draws), np.empty(draws)
    asked = accepted = 0
    for number in range(-warmup, draws):
        there, value = here, quick
        for _ in range(STEPS):
            trial = there + step @ generator.standard_normal(k)
            trial_value = fast(trial)
            if math.log(generator.random()) < trial_value - value:
                there, value = trial, trial_value
        chance = math.log(generator.random())
        if there is not here:
            answer = exact(there)
            asked += 1
            if chance < (answer - slow) - (value - quick):
                here, quick, slow = there, value, answer
                accepted += 1
        if number >= 0:
            points[number], fasts[number], exacts[number] = here, quick, slow
        if heard is not None:
            heard(number + warmup + 1)
    return DelayedChain(points, fasts, exacts, asked, accepted)
