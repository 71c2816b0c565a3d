"""The choices of a physics-informed network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Weighting = Literal["uncertainty", "fixed"]
ResidualScale = Literal["relaxation", "log-time"]


@dataclass(frozen=True)
class PinnOptions:
    """How the network is built and trained.

    The defaults are the base of `pbpkc.studies.pinn_tuning`, which has the table of what else was tried, with
    more epochs.

    Parameters
    ----------
    epochs : int
        Steps of Adam.
    refine : float
        Iterations of L-BFGS after them, for each epoch.
    restarts : int
        Networks that train side by side, from different parameters and weights. The one with the smallest
        loss is taken; the solver has no say in it.
    width, depth : int
        Neurons of a hidden layer, and hidden layers, of the network of each segment between doses.
    points : int
        Collocation points of a segment.
    rate, parameter_rate : float
        Learning rates of Adam for the network and for the masked parameters, at the beginning; both fall to
        a hundredth along a half cosine.
    warm_up : float
        Part of the epochs in which the network learns the equations at the starting parameters alone.
    weighting : {"uncertainty", "fixed"}
        How the residual is weighed against the data. ``"uncertainty"``: the residuals of each state are
        errors whose variance is learned along with everything else (Kendall, Gal & Cipolla 2018, CVPR 7482).
        ``"fixed"``: their mean square, times `weight`.
    weight : float
        ``"uncertainty"``: as how many observations the residuals count. ``"fixed"``: what their mean square
        is multiplied by.
    tighten : float
        Factor by which residuals count more from one to the next of four stages of L-BFGS, for
        ``"uncertainty"``.
    residual : {"relaxation", "log-time"}
        What a residual is divided by: the state's scale and its own rate, so that it estimates the error of
        the state; or the rate at which logarithmic time passes.
    floor : float
        Residuals are weighed by the inverse of the state's trajectory at the starting parameters, but by no
        more than 1 / floor times its peak's weight. 1: all times weigh the same.

    Raises
    ------
    ValueError
        If a choice is not one of those listed, or a number is out of range.
    """

    epochs: int = 1000
    refine: float = 3.0
    restarts: int = 1
    width: int = 32
    depth: int = 3
    points: int = 64
    rate: float = 1e-2
    parameter_rate: float = 2e-2
    warm_up: float = 0.25
    weighting: Weighting = "uncertainty"
    weight: float = 300.0
    tighten: float = 1.0
    residual: ResidualScale = "relaxation"
    floor: float = 0.3

    def __post_init__(self) -> None:
        for name, kinds in (("weighting", Weighting), ("residual", ResidualScale)):
            value = getattr(self, name)
            if value not in get_args(kinds):
                raise ValueError(f"{name} is {value!r}; accepted are {', '.join(map(repr, get_args(kinds)))}")
        for name, least in (("epochs", 10), ("restarts", 1), ("width", 1), ("depth", 1), ("points", 4)):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, int) or number < least:
                raise ValueError(f"{name} is {number!r}; accepted is an integer of at least {least}")
        for name in ("rate", "parameter_rate", "weight", "tighten"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} is {getattr(self, name)!r}; accepted is a number above 0")
        if not self.refine >= 0.0:
            raise ValueError(f"refine is {self.refine!r}; accepted is 0 or more")
        if not 0.0 <= self.warm_up < 1.0:
            raise ValueError(f"warm_up is {self.warm_up!r}; accepted is 0 up to, not including, 1")
        if not 0.0 < self.floor <= 1.0:
            raise ValueError(f"floor is {self.floor!r}; accepted is above 0 to 1")
