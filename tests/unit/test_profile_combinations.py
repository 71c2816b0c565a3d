"""What profiles say of combinations, on profiles whose shape is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pbpkc.infer.identifiability import Identifiability, Verdict
from pbpkc.infer.named_combinations import Combination
from pbpkc.infer.profile_combinations import follow_combination, range_of, with_profiles
from pbpkc.infer.profile_result import Profile, ProfilePoint
from pbpkc.infer.verdict_words import verdict_words

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


def verdict(combination: Combination) -> Identifiability:
    free = tuple(Verdict(name, False, 9.0, "its bound is large", "weak") for name in NAMES[:2])
    return Identifiability(3, 3, (*free, Verdict("sd", True, 0.1, "")), (combination,))


def test_a_combination_that_stays_is_left_as_it_is() -> None:
    found = quotient(1.0, 0.8, 1.25)
    assert follow_combination(found, NAMES, [valley(1.0)], 1.96, 0.5) is None


def test_one_that_leaves_its_interval_is_withdrawn_and_the_plain_one_told() -> None:
    found = with_profiles(verdict(quotient(0.5, 0.8, 1.25)), [valley(1.0)], 1.96)
    assert found.combinations == () and found.any_combination
    (against,) = found.contradicted
    assert (against.low, against.high) == pytest.approx((1.0, 100.0))  # km^0.5 over four decades
    words = verdict_words(found)
    assert "from 1 to 100" in words[-2]
    assert words[-1] == (
        "vmax / km stays between 1 and 1 times its value at the estimate: it is what the data tell."
    )
    # What the text of the standard error would have said appears nowhere.
    assert not any(word.startswith("Determined is") for word in words)


def test_where_the_only_one_is_withdrawn_none_is_determined() -> None:
    found = with_profiles(verdict(quotient(0.5, 0.8, 1.25)), [valley(0.0)], 1.96)
    assert found.combinations == () and not found.any_combination
    words = verdict_words(found)
    assert words[-2].endswith("times its value at the estimate: it is not determined either.")
    assert words[-1] == "No combination of them is determined either."
    # It is said once, and of a combination without profiles that it stands on the curvature.
    assert sum(word == words[-1] for word in words) == 1
    alone = with_profiles(verdict(quotient(0.5, 0.8, 1.25)), [], 1.96)
    assert alone.local == ("vmax / km^p",)
    assert verdict_words(alone)[2].startswith("Determined is vmax / km^p")
    assert verdict_words(alone)[-1].endswith("--profile follows them.")


def test_only_points_that_the_data_allow_count() -> None:
    beyond = profile([(1.0, 1.0, 0.0), (1.1, 1.0, 1.0), (100.0, 1.0, 4.0)])
    seen = range_of(NAMES, (("vmax", 1.0), ("km", -1.0)), [beyond])
    assert seen is not None
    assert (seen.low, seen.high) == (1.0 / 1.1, 1.0)
    assert range_of(NAMES, (("sd", 1.0),), [beyond]) is None
