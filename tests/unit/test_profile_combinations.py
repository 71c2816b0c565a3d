"""What profiles say of combinations, on profiles whose shape is known."""

from __future__ import annotations

import math

import numpy as np

from pbpkc.infer.named_combinations import Combination
from pbpkc.infer.profile_combinations import follow_combination, range_of
from pbpkc.infer.result import Profile, ProfilePoint

NAMES = ("vmax", "km", "sd")


def profile(points: list[tuple[float, float, float]]) -> Profile:
    """Of km, from (km, vmax, rise)."""
    return Profile(
        "km", "", 3.84, math.nan, math.nan, "", "", (), (),
        tuple(ProfilePoint(km, rise, (vmax, km, 1.0)) for km, vmax, rise in points),
    )  # fmt: skip


def quotient(power: float, low: float, high: float) -> Combination:
    return Combination(
        "vmax / km^p", "product", (("vmax", 1.0), ("km", -power)), 1.0, "", 0.1, low, high, 0.1
    )


def valley(power: float) -> Profile:
    """vmax follows km^power from 1 to 1e4, and the fit is as good everywhere."""
    return profile(
        [(float(km), float(km) ** power, 0.0 if km == 1.0 else 0.5) for km in np.logspace(0, 4, 9)]
    )


def test_a_combination_that_stays_is_left_as_it_is() -> None:
    found = quotient(1.0, 0.8, 1.25)
    followed = follow_combination(found, NAMES, [valley(1.0)], 1.96, 0.5)
    assert followed.combination is found and not followed.sentences


def test_one_that_leaves_its_interval_is_withdrawn_and_the_plain_one_told() -> None:
    followed = follow_combination(quotient(0.5, 0.8, 1.25), NAMES, [valley(1.0)], 1.96, 0.5)
    assert followed.combination is None
    first, second = followed.sentences
    assert "from 1 to 100" in first  # km^0.5 over four decades
    assert second == (
        "vmax / km stays between 1 and 1 times its value at the estimate: it is what the data tell."
    )
    free = follow_combination(quotient(0.5, 0.8, 1.25), NAMES, [valley(0.0)], 1.96, 0.5)
    assert "not determined either" in free.sentences[1]


def test_only_points_that_the_data_allow_count() -> None:
    beyond = profile([(1.0, 1.0, 0.0), (1.1, 1.0, 1.0), (100.0, 1.0, 4.0)])
    seen = range_of(NAMES, (("vmax", 1.0), ("km", -1.0)), [beyond])
    assert seen is not None
    assert (seen.low, seen.high) == (1.0 / 1.1, 1.0)
    assert range_of(NAMES, (("sd", 1.0),), [beyond]) is None
