"""The choices of a non-compartmental analysis, each with a stated default.

Two programs give different figures for one curve when they choose differently here: the trapezoid, the
points of the terminal line, what a value below quantification counts as, and how the dose was given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

AUCMethod = Literal["linear", "linear_up_log_down"]
Route = Literal["extravascular", "bolus", "infusion"]
BLQRule = Literal["zero_before_first_then_drop", "drop", "zero", "half", "positional"]
C0Rule = Literal["back_extrapolate", "first_observed"]
TerminalRule = Literal["best_fit"] | int | tuple[float, float]

#: A longer terminal line is preferred while its adjusted R2 is this close to the best one.
R2_TOLERANCE = 1e-4


@dataclass(frozen=True)
class NCAOptions:
    """How a curve is analysed.

    Parameters
    ----------
    auc_method : {"linear_up_log_down", "linear"}
        Trapezoid between two samples. ``linear_up_log_down`` takes the exponential through the two where the
        concentration falls and both are positive, the straight line elsewhere (Chiou 1978; Purves 1992).
    terminal : "best_fit", int or (float, float)
        Points of the terminal line of ln C against time. ``"best_fit"``: the last n positive concentrations,
        n from `min_points` on, with the largest adjusted R2; of those within 1e-4 of it the one with most
        points, as in Phoenix WinNonlin and PKNCA (Denney 2015). It never uses points before the largest
        concentration, nor that point itself unless the route is a bolus, nor points before the end of an
        infusion. An int n, at least 2: the last n positive concentrations, whichever they are. A pair
        (t_low, t_high), in the time unit: all positive concentrations there, bounds inclusive.
    min_points : int
        Fewest points of a ``"best_fit"`` line, at least 3.
    blq_rule : str
        What a value below the limit of quantification counts as:

        * ``"zero_before_first_then_drop"``: 0 before the first quantified value, left out after it. PKNCA's
          default gives the same figures.
        * ``"drop"``: left out everywhere.
        * ``"zero"``: 0 everywhere.
        * ``"half"``: half the limit everywhere.
        * ``"positional"``: 0 before the first quantified value, left out between quantified values, half the
          limit for the first value after the last quantified one, and left out after that (M6 of Beal 2001
          at the end of the curve).

        What takes the place of such a value is then a concentration like any other: it counts in the areas,
        as last concentration and in the terminal line, and the result's notes say so.
    route : {"extravascular", "bolus", "infusion"}
        How the dose was given, at time 0. Where no sample was taken at time 0 the concentration there is 0,
        except after a bolus, where `c0_rule` decides.
    infusion_duration : float, optional
        Duration of the infusion from time 0, in the time unit; for ``"infusion"`` only, where it is required.
    c0_rule : {"back_extrapolate", "first_observed"}
        Concentration at time 0 of a bolus that has no positive sample there. ``"back_extrapolate"``: the
        log-linear line through the first two samples, or the first positive concentration where that line
        does not fall or does not exist (Gabrielsson & Weiner 2012). ``"first_observed"``: always the latter.

    Raises
    ------
    ValueError
        If a choice is not one of those listed, or does not fit the others.

    References
    ----------
    Gabrielsson J, Weiner D (2012) Non-compartmental analysis. Methods Mol Biol 929:377-389.
    Denney WS, Duvvuri S, Buckeridge C (2015) Simple, automatic noncompartmental analysis: the PKNCA R
    package. J Pharmacokinet Pharmacodyn 42(Suppl 1):S65.
    Chiou WL (1978) J Pharmacokinet Biopharm 6:539-546. Purves RD (1992) J Pharmacokinet Biopharm 20:211-226.
    Beal SL (2001) J Pharmacokinet Pharmacodyn 28:481-504.
    """

    auc_method: AUCMethod = "linear_up_log_down"
    terminal: TerminalRule = "best_fit"
    min_points: int = 3
    blq_rule: BLQRule = "zero_before_first_then_drop"
    route: Route = "extravascular"
    infusion_duration: float | None = None
    c0_rule: C0Rule = "back_extrapolate"

    def __post_init__(self) -> None:
        for name, kinds in (
            ("auc_method", AUCMethod),
            ("blq_rule", BLQRule),
            ("route", Route),
            ("c0_rule", C0Rule),
        ):
            value = getattr(self, name)
            if value not in get_args(kinds):
                raise ValueError(f"{name} is {value!r}; accepted are {', '.join(map(repr, get_args(kinds)))}")
        if not _is_int(self.min_points) or self.min_points < 3:
            raise ValueError(f"min_points is {self.min_points!r}; accepted is an integer of at least 3")
        _check_terminal(self.terminal)
        duration = self.infusion_duration
        if self.route == "infusion":
            if duration is None or not (math.isfinite(duration) and duration > 0):
                raise ValueError(
                    f"infusion_duration is {duration!r}; with route 'infusion' it is a positive number"
                )
        elif duration is not None:
            raise ValueError(f"infusion_duration is {duration!r}; with route {self.route!r} it is None")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_terminal(rule: object) -> None:
    if rule == "best_fit":
        return
    if isinstance(rule, int) and not isinstance(rule, bool) and rule >= 2:
        return
    if isinstance(rule, tuple) and len(rule) == 2 and rule[0] < rule[1]:
        return
    raise ValueError(
        f"terminal is {rule!r}; accepted are 'best_fit', an integer of at least 2 (the last points), "
        "or a pair (t_low, t_high) with t_low < t_high"
    )
