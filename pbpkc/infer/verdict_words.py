"""The verdict on one subject in sentences, written once after profiles have had their say."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pbpkc.infer.identifiability import LIMIT, Contradicted, Identifiability, percent
from pbpkc.infer.named_combinations import Combination
from pbpkc.infer.profile_result import Profile
from pbpkc.language.units import measured


def verdict_words(found: Identifiability, profiles: Sequence[Profile] = ()) -> tuple[str, ...]:
    """All that is said of a subject, sentence by sentence; empty when every parameter is determined.

    Parameters
    ----------
    found : Identifiability
    profiles : sequence of Profile
    """
    return tuple(_sentences(found, profiles))


def _sentences(found: Identifiability, profiles: Sequence[Profile]) -> Iterator[str]:
    if found.scarce:
        yield f"Nothing is determined: {found.scarce}."
    else:
        for verdict in found.parameters:
            if not verdict.identifiable:
                yield f"{verdict.parameter} is not determined: {verdict.why}."
        for combination in found.combinations:
            yield determined(combination)
            if combination.beside:
                yield beside(combination)
        if not found.contradicted and _none(found):
            yield NO_COMBINATION
        if found.rank < found.size:
            yield f"The information matrix has rank {found.rank} of {found.size}."
    for profile in profiles:
        if text := profile_told(profile):
            yield text
    yield from combinations_followed(found)


#: Where several parameters are free and nothing is known of them together.
NO_COMBINATION = "No combination of them is determined either."


def _none(found: Identifiability) -> bool:
    free = [v for v in found.parameters if not v.identifiable and v.cause != "unseen"]
    return len(free) > 1 and not found.any_combination


def combinations_followed(found: Identifiability) -> Iterator[str]:
    """What profiles say of combinations, or that none was made where one would tell."""
    for one in found.contradicted:
        yield from _contradicted(one)
    if found.contradicted and _none(found):
        yield NO_COMBINATION
    for leading in found.local:
        yield (
            f"That of {leading} is read from the curvature at the estimate; where single parameters are "
            "this free it may not hold away from it: --profile follows them."
        )


def _contradicted(one: Contradicted) -> Iterator[str]:
    found = one.combination
    value = measured(f"{found.estimate:.4g}", found.unit)
    yield (
        f"{found.text} = {value} looks determined at the estimate (interval "
        f"{found.ci_low:.4g} to {found.ci_high:.4g}), and is not: along the profiles, where the data allow "
        f"it, it goes from {one.low:.4g} to {one.high:.4g}."
    )
    if one.plain:
        yield (
            f"{one.plain} stays between {one.plain_low:.3g} and {one.plain_high:.3g} times its value at the "
            "estimate: "
            + ("it is what the data tell." if one.plain_holds else "it is not determined either.")
        )


def determined(found: Combination) -> str:
    """What is said of a determined combination, a sentence."""
    error, value = percent(found.relative_error), measured(f"{found.estimate:.4g}", found.unit)
    if found.leading == found.text and not math.isfinite(found.ci_low + found.ci_high):
        return f"Determined is {found.text} = {value} (standard error {error})."
    if found.leading != found.text:
        return (
            f"Determined is a {found.kind} of {len(found.weights)} parameters, chiefly {found.leading} "
            f"(standard error {error})."
        )
    return (
        f"Determined is {found.text} = {value} "
        f"(95 % interval {found.ci_low:.4g} to {found.ci_high:.4g}; standard error {error})."
    )


def beside(found: Combination) -> str:
    """What is said of the same parameters with other exponents, a sentence."""
    if found.beside_error < found.relative_error:
        return f"{found.beside} is determined better, to {percent(found.beside_error)}."
    if math.isnan(found.beside_error):
        return f"{found.beside} itself is not determined: the data leave it free."
    much = "not determined: its" if found.beside_error >= LIMIT else "determined less well: its"
    return f"{found.beside} itself is {much} standard error is {percent(found.beside_error)}."


def profile_told(profile: Profile) -> str:
    """What a profile says beyond its interval, in sentences; empty where both ends are its own."""
    below, above = profile.open_below, profile.open_above
    name, unit, found = profile.parameter, profile.unit, []
    if below and above:
        whys = below if below == above else f"below, {below}; above, {above}"
        found.append(f"By its profile {name} is bounded neither below nor above: {whys}.")
    elif below or above:
        side, other = ("below", profile.high) if below else ("above", profile.low)
        least = f"at {'most' if below else 'least'} {measured(f'{other:.4g}', unit)} (95 %) and "
        found.append(
            f"By its profile {name} is {least if math.isfinite(other) else ''}not bounded {side}: "
            f"{below or above}."
        )
    found += profile_lost(profile)
    for end, held in ((profile.low, profile.held_low), (profile.high, profile.held_high)):
        if held:
            found.append(
                f"The profile of {name} ends at {measured(f'{end:.4g}', unit)} with {', '.join(held)}: a "
                "wider bound would move this end out."
            )
    return " ".join(found)


def profile_lost(profile: Profile) -> list[str]:
    """Where a profile could not be followed, and that no bound and no lack of one follows from it."""
    sides = (
        ("below", profile.lost_below, profile.points[0].value),
        ("above", profile.lost_above, profile.points[-1].value),
    )
    return [
        f"The profile of {profile.parameter} could not be followed {side} "
        f"{measured(f'{last:.4g}', profile.unit)} ({why}): whether the data bound it {side} is not known."
        for side, why, last in sides
        if why
    ]
