"""Combinations of parameters along profiles: whether what the curvature at the estimate says of them holds.

A standard error knows the neighbourhood of the estimate. Where single parameters are free over orders of
magnitude, the combination that is determined there may be another one elsewhere: below its Km a saturable
rate tells Vmax / Km, at its Km something else. Every point of a profile below the threshold is compatible
with the data, so an interval that leaves such points out is too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pbpkc.infer.identifiability import FREE, LIMIT, Contradicted, Identifiability
from pbpkc.infer.named_combinations import Combination, product_text
from pbpkc.infer.profile_result import Profile

#: ln of a value may leave its Wald interval by this part of its width before the interval is withdrawn:
#: profiles are curved a little everywhere.
_LEEWAY = 0.5


@dataclass(frozen=True)
class Range:
    """Smallest and largest factor to the estimate that a product takes where the data allow it."""

    low: float
    high: float


def range_of(
    names: Sequence[str], weights: Sequence[tuple[str, float]], profiles: Sequence[Profile]
) -> Range | None:
    """The range of a product of powers over all points of profiles below their thresholds.

    Parameters
    ----------
    names : sequence of str
        All parameters, in the order of the fit.
    weights : sequence of (str, float)
        Exponents.
    profiles : sequence of Profile

    Returns
    -------
    Range or None
        None where no profile of a parameter in it was made, or a value is not positive.
    """
    members = {name for name, _ in weights}
    low = high = 0.0
    seen = False
    for profile in profiles:
        if profile.parameter not in members:
            continue
        seen = True
        best = min(profile.points, key=lambda point: abs(point.objective_rise))
        for point in profile.points:
            if point.objective_rise > profile.threshold:
                continue
            change = 0.0
            for name, weight in weights:
                i = names.index(name)
                if not (point.at[i] > 0.0 and best.at[i] > 0.0):
                    return None
                change += weight * math.log(point.at[i] / best.at[i])
            low, high = min(low, change), max(high, change)
    return Range(math.exp(low), math.exp(high)) if seen else None


def follow_combination(
    found: Combination, names: Sequence[str], profiles: Sequence[Profile], quantile: float, limit: float
) -> Contradicted | None:
    """The word of the profiles on a combination that the standard error calls determined.

    Parameters
    ----------
    found : Combination
    names : sequence of str
        All parameters, in the order of the fit.
    profiles : sequence of Profile
    quantile : float
        Behind 95 % intervals.
    limit : float
        Largest relative error that counts as determined.

    Returns
    -------
    Contradicted or None
        None where its interval holds, or no profile tells.
    """
    if found.kind != "product" or not (found.estimate > 0.0 and found.ci_low > 0.0):
        return None
    along = range_of(names, found.weights, profiles)
    if along is None:
        return None
    low, high = along.low * found.estimate, along.high * found.estimate
    leeway = (found.ci_high / found.ci_low) ** _LEEWAY
    if low * leeway >= found.ci_low and high <= found.ci_high * leeway:
        return None
    plain = [(name, math.copysign(1.0, weight)) for name, weight in found.weights]
    apart = range_of(names, plain, profiles)
    text = product_text([name for name, _ in plain], [weight for _, weight in plain])
    if apart is None or text == found.text:
        return Contradicted(found, low, high)
    error = math.log(apart.high / apart.low) / (2.0 * quantile)
    return Contradicted(found, low, high, text, apart.low, apart.high, error < limit)


def with_profiles(verdict: Identifiability, profiles: Sequence[Profile], quantile: float) -> Identifiability:
    """The verdict with what profiles say of combinations."""
    names = [v.parameter for v in verdict.parameters]
    free = {v.parameter for v in verdict.parameters if not v.bound < FREE}
    profiled = {profile.parameter for profile in profiles}
    kept, contradicted, local = [], [], []
    for found in verdict.combinations:
        against = follow_combination(found, names, profiles, quantile, LIMIT)
        if against is not None:
            contradicted.append(against)
            continue
        kept.append(found)
        members = {name for name, _ in found.weights}
        if found.kind == "product" and members & free and not members & profiled:
            local.append(found.leading)
    return replace(verdict, combinations=tuple(kept), contradicted=tuple(contradicted), local=tuple(local))
