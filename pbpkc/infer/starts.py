"""Where the searches of one subject begin."""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.transform import ParameterSpace

Array = NDArray[np.float64]

#: Further starts lie within this factor of the first, on a log scale.
FACTOR = 8.0


def subject_seed(seed: int, subject: str) -> int:
    """Seed of one subject: the same whichever process fits it, and whoever else is in the data."""
    digest = hashlib.sha256(f"{seed}:{subject}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def starting_points(space: ParameterSpace, count: int, seed: int) -> Array:
    """Starting points on the scaled parameters.

    The first is the start of the spec (the median of the prior). The others fill a box around it evenly: a
    factor of 8 to both sides on a log scale, two longest steps (half the bounds, where there are two) on a
    natural one, cut to the bounds. Even filling is by the sequence of Halton (1960, Numer Math 2:84), all
    its points shifted by one random vector drawn from the seed (Cranley & Patterson 1976, SIAM J Numer Anal
    13:904).

    Parameters
    ----------
    space : ParameterSpace
    count : int
        At least 1.
    seed : int
        Of the subject, see `subject_seed`.

    Returns
    -------
    array, shape (count, k)
        The first m of a larger count are those of count m.

    Raises
    ------
    ValueError
        If `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"starts is {count!r}; accepted is an integer of at least 1")
    width = np.where(space.log, math.log(FACTOR), 2.0 * space.reach)
    low = np.maximum(space.lower, space.start - width)
    high = np.minimum(space.upper, space.start + width)
    shift = np.random.default_rng(seed).random(space.size)
    points = np.empty((count, space.size))
    points[0] = space.start
    bases = _primes(space.size)
    for row in range(1, count):
        u = np.array([_radical_inverse(row, base) for base in bases])
        points[row] = low + (u + shift) % 1.0 * (high - low)
    return points


def _radical_inverse(index: int, base: int) -> float:
    value, factor = 0.0, 1.0 / base
    while index:
        index, digit = divmod(index, base)
        value += digit * factor
        factor /= base
    return value


def _primes(count: int) -> list[int]:
    found: list[int] = []
    candidate = 2
    while len(found) < count:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return found
