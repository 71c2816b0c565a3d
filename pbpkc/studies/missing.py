"""Missing terms: curve and formula in place of UGT2B15's (the paper's second task), and of a liver's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Hours of the samples, those of Rawlins (1977).
TIMES = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0)

#: Errors of data without noise, and levels of noise, as standard deviations of ln(dv).
NOISELESS_SD, NOISES = 0.01, (0.0, 0.05, 0.10)

#: What is measured: plasma alone, as in the paper, and with the amount that was made.
CHANNELS = (("Cv",), ("Cv", "A2b15"))

#: What the data come from, as an option of the command line, and its values (umol/h) at umol/L.
TRUTH = "v_ugt2b15 = 145.8 [mmol/h] * c / (23000 [umol/L] + c)"
TITLE = "Michaelis-Menten"

#: The two systems. The paper's has ten samples of one dose; the other has two doses, twelve samples after
#: each and one channel beside plasma, which is what limits are for.
PAPER, LIVER = "paracetamol, UGT2B15", "theophylline, liver"

#: Largest errors of the curve that are aimed at, in percent of the range of its true values.
CURVE_LIMITS = {0.0: 0.3, 0.05: 1.2, 0.10: 2.0}


def truth(c: Array) -> Array:
    """The rate that is to be found, umol/h, at unbound concentrations in umol/L."""
    return np.asarray(145_800.0 * c / (23_000.0 + c))


@dataclass(frozen=True)
class Missing:
    """What one data set gave.

    Parameters
    ----------
    system : str
    channels : tuple of str
    noise : float
    replicate : int
    curve_error : float
        Root mean square of the error of the curve over the visited concentrations, % of the range of the true
        values there.
    low, high : float, umol/L
        Visited concentrations.
    kept : tuple of str
        Forms within 6 units of the smallest BIC.
    in_set : bool
        Whether the true form is among them.
    cpu_s : float
    failed : str
        Why there is no result; empty otherwise.
    """

    system: str
    channels: tuple[str, ...]
    noise: float
    replicate: int
    curve_error: float
    low: float
    high: float
    kept: tuple[str, ...]
    in_set: bool
    cpu_s: float
    failed: str = ""


@dataclass(frozen=True)
class Missings:
    """The rows of one level of noise."""

    rows: tuple[Missing, ...]


def curve_error(at: Array, value: Array) -> float:
    """Error of a learned curve at visited concentrations, %."""
    if len(at) < 2:
        return math.nan
    c = np.linspace(float(at.min()), float(at.max()), 201)
    exact = truth(c)
    off = np.interp(c, at, value) - exact
    return 100.0 * float(np.sqrt(np.mean(off**2)) / np.ptp(exact))
