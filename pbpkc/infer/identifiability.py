"""What the data determine: single parameters, and where these are not determined, combinations of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.combinations import Group
from pbpkc.infer.covariance import Spread, spread
from pbpkc.infer.named_combinations import Combination, name_combinations
from pbpkc.infer.transform import ParameterSpace

Array = NDArray[np.float64]

#: Largest relative Cramer-Rao bound of a parameter that is called identifiable.
LIMIT = 0.5

#: Why nothing is determined where there are no standard errors.
NO_ERRORS = "there are no more observations than parameters, which leaves no standard errors"

#: Relative bound from which on a parameter is free as far as a linearisation goes.
FREE = 1.0


@dataclass(frozen=True)
class Verdict:
    """What the data say about one parameter.

    Parameters
    ----------
    parameter : str
    identifiable : bool
    bound : float
        Cramer-Rao bound, relative to the estimate: the standard deviation of ln(theta) on a log scale, that
        of theta over |theta| on a natural one. nan where there is none.
    why : str
        A sentence without a full stop; empty where identifiable.
    """

    parameter: str
    identifiable: bool
    bound: float
    why: str


@dataclass(frozen=True)
class Identifiability:
    """The verdict on one subject.

    Parameters
    ----------
    rank, size : int
        Of the Fisher information of the data, priors not counted.
    parameters : tuple of Verdict
    combinations : tuple of Combination
        As many independent ones as are determined beyond the single parameters.
    summary : tuple of str
        The verdict in sentences, empty when every parameter is identifiable.
    followed : tuple of str
        Of these, what profiles say of combinations, or that none was made.
    """

    rank: int
    size: int
    parameters: tuple[Verdict, ...]
    combinations: tuple[Combination, ...]
    summary: tuple[str, ...]
    followed: tuple[str, ...] = ()


def judge(
    space: ParameterSpace, theta: Array, root: Array, quantile: float, inflation: float = 1.0
) -> Identifiability:
    """The verdict from the Fisher information at an estimate.

    A parameter is identifiable when the data determine it (no undetermined direction of the information
    has a part in it) and its Cramer-Rao bound is below 50 % of its estimate. For those that are not, small
    whole exponents are searched for products whose bound is below that limit, and at most half of the
    bounds of the parameters in it.

    Parameters
    ----------
    space : ParameterSpace
    theta : array, shape (k,)
        Estimates, canonical units.
    root : array, shape (m, k)
        Root of the information of the data on the scaled parameters.
    quantile : float
        Of the distribution behind 95 % intervals.
    inflation : float
        Factor on variances of intervals (n / (n - p) for plain least squares); the bounds themselves are
        not multiplied. nan where no more observations than parameters leave no standard errors: then nothing
        is determined.

    Returns
    -------
    Identifiability
    """
    spread_ = spread(root, sizes(space, theta))
    verdicts = _verdicts(space, theta, spread_)
    if not math.isfinite(inflation):
        # A curve through every value has no scatter, so that any bound would look small.
        verdicts = tuple(
            replace(v, identifiable=False, bound=math.nan, why=v.why or NO_ERRORS) for v in verdicts
        )
        told = (f"Nothing is determined: {NO_ERRORS}.",)
        return Identifiability(spread_.rank, space.size, verdicts, (), told)
    combinations = tuple(
        found
        for group in _groups(space, theta, verdicts, spread_)
        for found in name_combinations(group, space, theta, quantile, inflation, LIMIT)
    )
    return Identifiability(
        rank=spread_.rank,
        size=space.size,
        parameters=verdicts,
        combinations=combinations,
        summary=tuple(_sentences(verdicts, combinations, spread_, space)),
    )


def sizes(space: ParameterSpace, theta: Array) -> Array:
    """What counts as a change of one in each scaled parameter, shape (k,)."""
    width = np.where(np.isfinite(space.upper - space.lower), space.upper - space.lower, 0.0)
    natural = np.maximum(np.abs(theta), width)
    return np.where(space.log, 1.0, np.where(natural > 0.0, natural, 1.0))


def _verdicts(space: ParameterSpace, theta: Array, spread_: Spread) -> tuple[Verdict, ...]:
    variances = spread_.variances(np.eye(space.size))
    found = []
    for i, parameter in enumerate(space.parameters):
        if not spread_.observed[i]:
            noticeably = " noticeably" if spread_.length[i] > 0.0 else ""
            found.append(
                Verdict(parameter.name, False, math.nan, f"no observation depends on it{noticeably}")
            )
            continue
        if not math.isfinite(variances[i]):
            why = "the data leave it free together with others"
            found.append(Verdict(parameter.name, False, math.nan, why))
            continue
        size = 1.0 if space.log[i] else abs(float(theta[i]))
        if size == 0.0:
            why = "its estimate is 0, so that a relative bound means nothing"
            found.append(Verdict(parameter.name, False, math.nan, why))
            continue
        bound = math.sqrt(variances[i]) / size
        good = bound < LIMIT
        why = "" if good else f"its Cramer-Rao bound is {percent(bound)} of the estimate"
        found.append(Verdict(parameter.name, good, bound, why))
    return tuple(found)


def _groups(
    space: ParameterSpace, theta: Array, verdicts: tuple[Verdict, ...], spread_: Spread
) -> list[Group]:
    """Parameters that may stand in one combination: all on a log scale; natural ones of one dimension."""
    bounds = np.array([math.inf if math.isnan(v.bound) else v.bound for v in verdicts])
    weak = np.array([not v.identifiable for v in verdicts])
    dimensions = [p.unit.dimension for p in space.parameters]
    groups = [(np.flatnonzero(space.log & spread_.observed), True)]
    for dimension in dict.fromkeys(d for d, log in zip(dimensions, space.log, strict=True) if not log):
        same = np.array([d == dimension for d in dimensions])
        groups.append((np.flatnonzero(~space.log & same & spread_.observed), False))
    return [
        Group(indices, weak[indices], bounds[indices], spread_, None if log else theta)
        for indices, log in groups
        if len(indices) > 1 and weak[indices].any()
    ]


def percent(fraction: float) -> str:
    """``63 %``, ``1300 %``: two digits."""
    return f"{float(f'{100.0 * fraction:.2g}'):.15g} %"


def _sentences(
    verdicts: tuple[Verdict, ...],
    combinations: tuple[Combination, ...],
    spread_: Spread,
    space: ParameterSpace,
) -> list[str]:
    told = []
    lost = [v for v, seen in zip(verdicts, spread_.observed, strict=True) if not v.identifiable and seen]
    for verdict in verdicts:
        if not verdict.identifiable:
            told.append(f"{verdict.parameter} is not determined: {verdict.why}.")
    for found in combinations:
        told.append(determined(found))
        if found.beside:
            told.append(beside(found))
    if len(lost) > 1 and not combinations:
        told.append("No combination of them is determined either.")
    if spread_.rank < space.size:
        told.append(f"The information matrix has rank {spread_.rank} of {space.size}.")
    return told


def determined(found: Combination) -> str:
    """What is said of a determined combination, a sentence."""
    error = percent(found.relative_error)
    if found.leading == found.text and not math.isfinite(found.ci_low + found.ci_high):
        unit = f" {found.unit}" if found.unit != "1" else ""
        return f"Determined is {found.text} = {found.estimate:.4g}{unit} (standard error {error})."
    if found.leading != found.text:
        return (
            f"Determined is a {found.kind} of {len(found.weights)} parameters, chiefly {found.leading} "
            f"(standard error {error})."
        )
    return (
        f"Determined is {found.text} = {found.estimate:.4g} {found.unit} "
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
