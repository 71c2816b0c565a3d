"""A profile likelihood as it stands in a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: What a profile comes to on one side: it crosses the threshold; it stays below, to a bound or as far as it
#: was followed; or it could not be followed so far.
EndKind = Literal["end", "open", "lost"]


@dataclass(frozen=True)
class ProfilePoint:
    """One point of a profile.

    `value` is in the parameter's unit, `objective_rise` above the optimum; `at` holds all parameters there,
    each in its unit, in the order of the fit.
    """

    value: float
    objective_rise: float
    at: tuple[float, ...]


@dataclass(frozen=True)
class Profile:
    """The profile likelihood of one parameter, all others at their best.

    Parameters
    ----------
    parameter, unit : str
    threshold : float
        Rise of the objective at which the 95 % interval ends: 3.84, or n ln(1 + t^2 / (n - p)) for plain
        least squares.
    low, high : float
        Ends of the interval, in `unit`; nan where the profile does not reach the threshold on that side.
    open_below, open_above : str
        Why the interval has no end on that side, empty where it has one or nothing is known of it.
    held_low, held_high : tuple of str
        Other parameters that stand at a bound of theirs where the interval ends, and not at the optimum:
        ``km at its upper bound``. The bound then sets this end as much as the data do.
    points : tuple of ProfilePoint
        By rising value, the optimum among them.
    lost_below, lost_above : str
        Why the profile could not be followed beyond its first or last point; empty where it could. Whether
        the interval has an end there is then not known.
    remade : bool
        Whether a fast model's profile was made again on the exact model, because the two disagreed.
    """

    parameter: str
    unit: str
    threshold: float
    low: float
    high: float
    open_below: str
    open_above: str
    held_low: tuple[str, ...]
    held_high: tuple[str, ...]
    points: tuple[ProfilePoint, ...]
    lost_below: str = ""
    lost_above: str = ""
    remade: bool = False

    @property
    def below(self) -> EndKind:
        """What it comes to downwards."""
        return "lost" if self.lost_below else "open" if self.open_below else "end"

    @property
    def above(self) -> EndKind:
        """What it comes to upwards."""
        return "lost" if self.lost_above else "open" if self.open_above else "end"
