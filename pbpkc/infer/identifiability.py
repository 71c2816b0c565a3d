"""What the data determine: single parameters, and where these are not determined, combinations of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.combinations import Group
from pbpkc.infer.covariance import Spread, spread
from pbpkc.infer.named_combinations import Combination, name_combinations
from pbpkc.infer.predictor import Noise
from pbpkc.infer.transform import ParameterSpace

Array = NDArray[np.float64]

#: Largest relative Cramer-Rao bound of a parameter that is called identifiable.
LIMIT = 0.5

#: Relative bound from which on a parameter is free as far as a linearisation goes.
FREE = 1.0

#: Why a parameter is not determined: no observation depends on it; free together with others; its estimate
#: is 0; its bound is above the limit; too few observations for any word. Empty where it is determined.
Cause = Literal["", "unseen", "free", "zero", "weak", "scarce"]


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
        `cause` as a sentence without a full stop; empty where identifiable.
    cause : {"", "unseen", "free", "zero", "weak", "scarce"}
    """

    parameter: str
    identifiable: bool
    bound: float
    why: str
    cause: Cause = ""


@dataclass(frozen=True)
class Contradicted:
    """A combination that is determined by the curvature at the estimate, and is not along profiles.

    Parameters
    ----------
    combination : Combination
    low, high : float
        Between which profiles take it where the data allow it, in its unit.
    plain : str
        The same parameters with exponents of 1; empty where these are its own.
    plain_low, plain_high : float
        Smallest and largest factor to its estimate that this one takes there; nan where `plain` is empty.
    plain_holds : bool
        Whether these factors are as near as those of something determined.
    """

    combination: Combination
    low: float
    high: float
    plain: str = ""
    plain_low: float = math.nan
    plain_high: float = math.nan
    plain_holds: bool = False


@dataclass(frozen=True)
class Identifiability:
    """The verdict on one subject, as values; `pbpkc.infer.verdict_words` writes the text once all is known.

    Parameters
    ----------
    rank, size : int
        Of the Fisher information of the data, priors not counted.
    parameters : tuple of Verdict
    combinations : tuple of Combination
        As many independent ones as are determined beyond the single parameters.
    contradicted : tuple of Contradicted
        Others that profiles took back.
    local : tuple of str
        Leading parts of `combinations` that stand on the curvature at the estimate alone: of parameters that
        are free themselves and were not profiled.
    scarce : str
        Why nothing is determined whatever the curvature says; empty where it has a say.
    summary : tuple of str
        The verdict in sentences, empty when every parameter is identifiable.
    """

    rank: int
    size: int
    parameters: tuple[Verdict, ...]
    combinations: tuple[Combination, ...]
    contradicted: tuple[Contradicted, ...] = ()
    local: tuple[str, ...] = ()
    scarce: str = ""
    summary: tuple[str, ...] = ()

    @property
    def any_combination(self) -> bool:
        """Whether some combination holds, be it one that only profiles tell."""
        return bool(self.combinations) or any(one.plain_holds for one in self.contradicted)


def judge(
    space: ParameterSpace,
    theta: Array,
    root: Array,
    quantile: float,
    inflation: float = 1.0,
    scarce: str = "",
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
        not multiplied.
    scarce : str
        Why nothing is determined, whatever the information; see `scarcity`.

    Returns
    -------
    Identifiability
    """
    spread_ = spread(root, sizes(space, theta))
    verdicts = _verdicts(space, theta, spread_)
    if scarce:
        verdicts = tuple(
            v
            if v.cause == "unseen"
            else replace(v, identifiable=False, bound=math.nan, why=scarce, cause="scarce")
            for v in verdicts
        )
        return Identifiability(spread_.rank, space.size, verdicts, (), scarce=scarce)
    combinations = tuple(
        found
        for group in _groups(space, theta, verdicts, spread_)
        for found in name_combinations(group, space, theta, quantile, inflation, LIMIT)
    )
    return Identifiability(spread_.rank, space.size, verdicts, combinations)


def scarcity(space: ParameterSpace, root: Array, noise: Noise, n: int) -> str:
    """Why the data determine nothing, whatever the information says; empty where they may.

    Where the error is estimated too, a curve through as many values as there are parameters leaves no scatter
    to judge it by, so that any bound looks small. An error that the spec gives is known without that.

    Parameters
    ----------
    space : ParameterSpace
    root : array, shape (m, k)
        Root of the information of the data.
    noise : Noise
        At the estimate.
    n : int
        Observations.
    """
    if not (noise.d_proportional.any() or noise.d_additive.any()):
        return ""
    # Coefficients of learned terms are held by their priors; what no observation sees takes nothing from it.
    own = np.array([not parameter.counted for parameter in space.parameters])
    size = int(np.count_nonzero(own & (np.linalg.norm(root, axis=0) > 0.0)))
    if n > size:
        return ""
    return f"there are no more observations ({n}) than parameters ({size}, the residual error among them)"


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
            why = f"no observation depends on it{noticeably}"
            found.append(Verdict(parameter.name, False, math.nan, why, "unseen"))
            continue
        if not math.isfinite(variances[i]):
            why = "the data leave it free together with others"
            found.append(Verdict(parameter.name, False, math.nan, why, "free"))
            continue
        size = 1.0 if space.log[i] else abs(float(theta[i]))
        if size == 0.0:
            why = "its estimate is 0, so that a relative bound means nothing"
            found.append(Verdict(parameter.name, False, math.nan, why, "zero"))
            continue
        bound = math.sqrt(variances[i]) / size
        good = bound < LIMIT
        why = "" if good else f"its Cramer-Rao bound is {percent(bound)} of the estimate"
        found.append(Verdict(parameter.name, good, bound, why, "" if good else "weak"))
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
