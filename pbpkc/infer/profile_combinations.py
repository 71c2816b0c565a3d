"""Combinations of parameters along profiles: whether what the curvature at the estimate says of them holds.

A standard error knows the neighbourhood of the estimate. Where single parameters are free over orders of
magnitude, the combination that is determined there may be another one elsewhere: below its Km a saturable
rate tells Vmax / Km, at its Km something else. Every point of a profile below the threshold is compatible
with the data, so an interval that leaves such points out is too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pbpkc.infer.named_combinations import Combination, product_text
from pbpkc.infer.result import Profile

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


@dataclass(frozen=True)
class Followed:
    """What profiles say of a combination.

    Parameters
    ----------
    combination : Combination or None
        None where its interval does not hold.
    sentences : tuple of str
    """

    combination: Combination | None
    sentences: tuple[str, ...]


def follow_combination(
    found: Combination, names: Sequence[str], profiles: Sequence[Profile], quantile: float, limit: float
) -> Followed:
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
    """
    if found.kind != "product" or not (found.estimate > 0.0 and found.ci_low > 0.0):
        return Followed(found, ())
    along = range_of(names, found.weights, profiles)
    if along is None:
        return Followed(found, ())
    low, high = along.low * found.estimate, along.high * found.estimate
    leeway = (found.ci_high / found.ci_low) ** _LEEWAY
    if low * leeway >= found.ci_low and high <= found.ci_high * leeway:
        return Followed(found, ())
    told = [
        f"{found.text} = {found.estimate:.4g} {found.unit} looks determined at the estimate (interval "
        f"{found.ci_low:.4g} to {found.ci_high:.4g}), and is not: along the profiles, where the data allow "
        f"it, it goes from {low:.4g} to {high:.4g}."
    ]
    plain = [(name, math.copysign(1.0, weight)) for name, weight in found.weights]
    apart = range_of(names, plain, profiles)
    text = product_text([name for name, _ in plain], [weight for _, weight in plain])
    if apart is not None and text != found.text:
        error = math.log(apart.high / apart.low) / (2.0 * quantile)
        told.append(
            f"{text} stays between {apart.low:.3g} and {apart.high:.3g} times its value at the estimate: "
            + ("it is what the data tell." if error < limit else "it is not determined either.")
        )
    return Followed(None, tuple(told))


def local_only(found: Combination) -> str:
    """What is said of a combination of parameters that are free themselves, where no profile was made."""
    return (
        f"That of {found.leading} is read from the curvature at the estimate; where single parameters are "
        "this free it may not hold away from it: --profile follows them."
    )
