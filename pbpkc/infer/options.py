"""The choices of a fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from pbpkc.infer.observations import BLQRule
from pbpkc.infer.optimise import SearchOptions
from pbpkc.infer.posterior_result import PosteriorOptions

Estimator = Literal["ml", "map"]


@dataclass(frozen=True)
class FitOptions:
    """How the subjects are fitted.

    Parameters
    ----------
    estimator : {"ml", "map"}
        Maximum likelihood, or maximum a posteriori (the priors of the masked parameters added).
    starts : int
        Searches of one subject, see `pbpkc.infer.starts`.
    agree : int
        No further search is made once this many have converged to the best optimum found so far (the
        objective within 1e-4, the parameters within 1 %). 0: all are always made.
    seed : int
        Of the run; each subject has its own seed made from it and the subject's id.
    blq : {"m3", "drop", "half", "zero"}
        What a value below the limit of quantification counts as, see `pbpkc.infer.observations.plan`.
    workers : int
        Processes. The result is the same for any number.
    search : SearchOptions
        When a search stops.
    profile : tuple of str, optional
        Parameters whose profile likelihood is followed; empty: all that shape the prediction; None: no
        profiles.
    posterior : PosteriorOptions, optional
        How to draw from the posterior of each subject; None: it is not drawn from.

    Raises
    ------
    ValueError
        If a choice is not one of those listed.
    """

    estimator: Estimator = "ml"
    starts: int = 3
    agree: int = 0
    seed: int = 0
    blq: BLQRule = "m3"
    workers: int = 1
    search: SearchOptions = field(default_factory=SearchOptions)
    profile: tuple[str, ...] | None = None
    posterior: PosteriorOptions | None = None

    def __post_init__(self) -> None:
        for name, kinds in (("estimator", Estimator), ("blq", BLQRule)):
            value = getattr(self, name)
            if value not in get_args(kinds):
                raise ValueError(f"{name} is {value!r}; accepted are {', '.join(map(repr, get_args(kinds)))}")
        for name, least in (("starts", 1), ("agree", 0), ("seed", 0), ("workers", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} is {value!r}; accepted is an integer of at least {least}")

    def identity(self) -> dict[str, str | int | float]:
        """What the result depends on: everything but the number of processes."""
        return {
            "estimator": self.estimator,
            "starts": self.starts,
            "agree": self.agree,
            "seed": self.seed,
            "blq": self.blq,
            "tolerance": self.search.tolerance,
            "resolution": self.search.resolution,
            "max_evaluations": self.search.max_evaluations,
            **({} if self.profile is None else {"profile": ", ".join(self.profile) or "structural"}),
            **({} if self.posterior is None else self.posterior.identity()),
        }
