"""What experiments could tell of the masked parameters if they were measured without error.

A local rank test (Pohjanpalo 1978, Math Biosci 41:21; Jacquez & Greif 1985, Math Biosci 77:201): where the
curves of all observables, seen everywhere, have linearly dependent derivatives by the parameters, no data can
tell these apart. Full rank at one point means full rank at almost all points, since the derivatives are
analytic; a lack of rank is believed only if several points have it.

The derivatives come from a solver, with an error. So "seen everywhere" is many times, and "without error"
is an error of 0.0001 % of each value: what is left open then is left open by any data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.identifiability import LIMIT, Identifiability, judge
from pbpkc.infer.transform import ParameterSpace

Array = NDArray[np.float64]

#: Relative error of the measurements that are imagined.
ERROR = 1e-6

#: Values below this part of a curve's maximum count as if they were as large: the solver's error there.
_FLOOR = 1e-2

#: Points at which a lack of rank must show.
POINTS = 3

# Points lie within this factor of the first starts (on a natural scale within a quarter of the bounds).
_FACTOR = 2.0

#: Curves and their derivatives by the parameters of a space: (m, O) and (m, O, k), at natural values (k,).
Curves = Callable[[Array], tuple[Array, Array]]


@dataclass(frozen=True)
class Told:
    """What one experiment, or several together, could tell.

    Parameters
    ----------
    verdict : Identifiability
        At measurement errors of 0.0001 %.
    error : float
        The relative error of measurements at which the first of the parameters stops being determined, if
        the curves are seen densely (100 values each); nan where one is not determined anyway.
    hardest : str
        That parameter.
    unseen : tuple of str
        Parameters that change nothing.
    """

    verdict: Identifiability
    error: float
    hardest: str
    unseen: tuple[str, ...]

    @property
    def all(self) -> bool:
        """Whether all parameters can be told apart."""
        return all(one.identifiable for one in self.verdict.parameters)


def structural_identifiability(
    space: ParameterSpace, experiments: Sequence[Curves], seed: int = 0
) -> tuple[tuple[Told, ...], Told]:
    """What each experiment could tell of the parameters, and what all of them together could.

    Parameters
    ----------
    space : ParameterSpace
    experiments : sequence of callable
        Each gives its curves, in any unit, and their derivatives. nan where they cannot be computed.
    seed : int
        Of the points.

    Returns
    -------
    tuple of Told, Told

    Raises
    ------
    ValueError
        If the curves cannot be computed at any of the points.
    """
    generator = np.random.default_rng(seed)
    found: list[tuple[tuple[Told, ...], Told]] = []
    for _ in range(POINTS):
        theta = space.to_natural(_point(space, generator))
        roots = [_root(space, theta, curves) for curves in experiments]
        if not all(np.all(np.isfinite(root)) for root in roots):
            continue
        each = tuple(_told(space, theta, root) for root in roots)
        found.append((each, _told(space, theta, np.concatenate(roots))))
        if all(one.all for one in each):
            break
    if not found:
        raise ValueError("the curves cannot be computed at any of the points")
    # The best point speaks for each: elsewhere a rank can only be lost.
    each = tuple(_best([point[0][i] for point in found]) for i in range(len(experiments)))
    return each, _best([point[1] for point in found])


def _point(space: ParameterSpace, generator: np.random.Generator) -> Array:
    step = generator.uniform(-1.0, 1.0, space.size)
    return space.clip(space.start + step * np.where(space.log, math.log(_FACTOR), space.reach))


def _root(space: ParameterSpace, theta: Array, curves: Curves) -> Array:
    """Root of the information, shape (m O, k)."""
    values, slopes = curves(theta)
    size = np.maximum(np.abs(values), _FLOOR * np.max(np.abs(values), axis=0, initial=0.0))
    seen = np.where(size > 0.0, size, np.inf)
    root: Array = (slopes / (ERROR * seen)[..., None] * space.chain(theta)).reshape(-1, space.size)
    return root


def _told(space: ParameterSpace, theta: Array, root: Array) -> Told:
    verdict = judge(space, theta, root, 1.96)
    bounds = [one.bound if one.identifiable else math.nan for one in verdict.parameters]
    worst = int(np.argmax(bounds))
    # The bound grows with the error; a parameter is lost where it reaches the limit.
    error = ERROR * LIMIT / bounds[worst] if bounds[worst] > 0.0 else math.nan
    unseen = tuple(n for n, column in zip(space.names, root.T, strict=True) if np.linalg.norm(column) < 1.0)
    return Told(verdict, error, verdict.parameters[worst].parameter, unseen)


def _best(points: Sequence[Told]) -> Told:
    def quality(one: Told) -> tuple[int, float]:
        return sum(v.identifiable for v in one.verdict.parameters), one.error if one.error > 0.0 else 0.0

    return max(points, key=quality)
