"""The observations of one subject, and what a value below quantification counts as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BLQRule = Literal["m3", "drop", "half", "zero"]

#: Kinds of residual error the language has.
ERROR_KINDS = ("prop", "add", "combined", "lognormal", "given")


@dataclass(frozen=True)
class Observations:
    """Measured values of one subject, in the order of the data file.

    Parameters
    ----------
    time : array, shape (n,)
        Hours.
    observable : array of int, shape (n,)
        Index into the fit's observables.
    dv : array, shape (n,)
        Measured, in the observable's unit. For a censored value whatever the file holds.
    censored : array of bool, shape (n,)
        Below the limit of quantification.
    lloq : array, shape (n,)
        Limit of quantification in the observable's unit, nan where none is known.
    sd : array, shape (n,)
        Standard deviation told by the data, for the error model ``given``; else nan.
    error : tuple of str, length n
        One of `ERROR_KINDS` for each.

    Raises
    ------
    ValueError
        If the lengths differ or a kind of error is not known.
    """

    time: Array
    observable: NDArray[np.int64]
    dv: Array
    censored: NDArray[np.bool_]
    lloq: Array
    sd: Array
    error: tuple[str, ...]

    def __post_init__(self) -> None:
        n = len(self.time)
        for name in ("observable", "dv", "censored", "lloq", "sd", "error"):
            if len(getattr(self, name)) != n:
                raise ValueError(f"{name} has {len(getattr(self, name))} entries; time has {n}")
        for kind in self.error:
            if kind not in ERROR_KINDS:
                raise ValueError(f"error is {kind!r}; accepted are {', '.join(ERROR_KINDS)}")

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True)
class Scoring:
    """How each observation enters the likelihood, once a rule for censored values is chosen.

    Parameters
    ----------
    time : array, shape (n,), h
    dv : array, shape (n,)
        The value scored: measured, or put in its place by the rule.
    quantified : array of bool, shape (n,)
        Scored by the density of `dv`.
    censored : array of bool, shape (n,)
        Scored by the probability of being below `limit`. An observation that is neither is left out.
    limit : array, shape (n,)
        Limit under which the observation would have been censored; -inf where no such limit is at work.
    lognormal, given : array of bool, shape (n,)
    sd : array, shape (n,)
    """

    time: Array
    dv: Array
    quantified: NDArray[np.bool_]
    censored: NDArray[np.bool_]
    limit: Array
    lognormal: NDArray[np.bool_]
    given: NDArray[np.bool_]
    sd: Array

    @property
    def count(self) -> int:
        """Number of observations that are scored."""
        return int(np.count_nonzero(self.quantified | self.censored))


def plan(observations: Observations, rule: BLQRule) -> Scoring:
    """Decide how each observation is scored.

    Parameters
    ----------
    observations : Observations
    rule : {"m3", "drop", "half", "zero"}
        What a censored value counts as:

        * ``"m3"``: the probability of a value below the limit (M3 of Beal 2001; the least biased rule where
          much is censored, Bergstrand & Karlsson 2009).
        * ``"drop"``: nothing (M1).
        * ``"half"``: a measurement of half the limit (M5).
        * ``"zero"``: a measurement of 0 (M7).

    Raises
    ------
    ValueError
        If the rule is not one of these.

    References
    ----------
    Beal SL (2001) J Pharmacokinet Pharmacodyn 28:481-504.
    Bergstrand M, Karlsson MO (2009) AAPS J 11:371-380.
    """
    if rule not in get_args(BLQRule):
        raise ValueError(f"blq is {rule!r}; accepted are {', '.join(get_args(BLQRule))}")
    kinds = np.array(observations.error, dtype=object)
    below = observations.censored
    dv, quantified, censored = observations.dv.copy(), ~below, np.zeros_like(below)
    limit = np.full(len(observations), -np.inf)
    if rule == "m3":
        censored = below.copy()
        # A value under the limit that was reported all the same shows that the limit did not act on it.
        acts = np.isfinite(observations.lloq) & (below | (observations.dv >= observations.lloq))
        limit = np.where(acts, observations.lloq, limit)
    elif rule in ("half", "zero"):
        quantified = np.ones_like(below)
        dv = np.where(below, (0.5 if rule == "half" else 0.0) * observations.lloq, dv)
        dv = np.where(below & (rule == "zero"), 0.0, dv)
    return Scoring(
        time=observations.time,
        dv=dv,
        quantified=quantified,
        censored=censored,
        limit=limit,
        lognormal=kinds == "lognormal",
        given=kinds == "given",
        sd=observations.sd,
    )


def obstacle(observations: Observations, scoring: Scoring) -> str | None:
    """Why these observations have no likelihood whatever the parameters are, or None.

    The sentence names the first observation it is about.
    """
    if not scoring.count:
        return "no observation is scored"
    checks = (
        (scoring.quantified & ~np.isfinite(scoring.dv), "has no value that can be scored"),
        (observations.censored & ~np.isfinite(observations.lloq) & scoring.censored,
         "is below a limit of quantification that neither the data nor the spec tells"),
        (scoring.quantified & scoring.lognormal & ~(scoring.dv > 0.0),
         "is not above 0, where a lognormal error has no density"),
        (scoring.censored & scoring.lognormal & ~(scoring.limit > 0.0),
         "has a limit of quantification that is not above 0, where the error is lognormal"),
        ((scoring.quantified | scoring.censored) & scoring.given & ~(scoring.sd > 0.0),
         "has no standard deviation above 0 in the data, as the error given() needs"),
    )  # fmt: skip
    for wrong, text in checks:
        if wrong.any():
            i = int(np.argmax(wrong))
            return f"the observation at {observations.time[i]:.6g} h (value {scoring.dv[i]:.6g}) {text}"
    return None
