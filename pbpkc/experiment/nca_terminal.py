"""The terminal line: ln C against time at the end of a curve."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.nca_options import R2_TOLERANCE, NCAOptions

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class TerminalLine:
    """A fitted terminal line.

    Parameters
    ----------
    lambda_z : float, 1/time
        Minus the slope of ln C, positive.
    r2_adj : float
        Adjusted R2; nan for two points.
    points : tuple of int
        Indices of the samples used, in order.
    """

    lambda_z: float
    r2_adj: float
    points: tuple[int, ...]


def fit_terminal(time: FloatArray, concentration: FloatArray, options: NCAOptions) -> TerminalLine | str:
    """The terminal line of a curve, or a sentence on why there is none.

    Unweighted least squares of ln C on t over the points that `NCAOptions.terminal` chooses; only positive
    concentrations take part.

    Parameters
    ----------
    time, concentration : ndarray, shape (T,)
        Increasing times from 0, and concentrations that are not negative; observed ones only, without a value
        extrapolated to time 0.
    options : NCAOptions
        `terminal`, `min_points`, `route` and `infusion_duration` are read.
    """
    positive = np.flatnonzero(concentration > 0)
    rule = options.terminal
    if rule == "best_fit":
        return _best_fit(time, concentration, positive, options)
    if isinstance(rule, tuple):
        low, high = rule
        chosen = positive[(time[positive] >= low) & (time[positive] <= high)]
        if len(chosen) < 2:
            return f"the window {low:g} to {high:g} holds {_count(len(chosen))}; a line needs at least 2"
    else:
        chosen = positive[-rule:]
        if len(chosen) < rule:
            return f"the curve has {_count(len(positive))}; the last {rule} were asked for"
    line = _fit(time, concentration, chosen)
    if line is None:
        return "the concentration does not fall over the points chosen for the terminal line"
    return line


def _count(number: int) -> str:
    return f"{number} positive concentration{'' if number == 1 else 's'}"


def _best_fit(
    time: FloatArray, concentration: FloatArray, positive: NDArray[np.intp], options: NCAOptions
) -> TerminalLine | str:
    peak = int(np.argmax(concentration))
    bolus = options.route == "bolus"
    eligible = positive[positive >= peak] if bolus else positive[positive > peak]
    place = "from Cmax on" if bolus else "after Cmax"
    if options.route == "infusion" and options.infusion_duration is not None:
        eligible = eligible[time[eligible] >= options.infusion_duration]
        place = "after Cmax and the end of the infusion"
    if len(eligible) < options.min_points:
        return f"{_count(len(eligible))} {place}; the terminal line needs at least {options.min_points}"

    # All lines that end in the last point, by sums that run from the end. Taken from the last point they stay
    # small where it matters; the line chosen is fitted again below, so rounding here cannot reach a figure.
    x = (time[eligible] - time[eligible[-1]])[::-1]
    y = np.log(concentration[eligible] / concentration[eligible[-1]])[::-1]
    n = np.arange(1, len(x) + 1)
    sx, sy = np.cumsum(x), np.cumsum(y)
    use = slice(options.min_points - 1, None)
    sxx = (np.cumsum(x * x) - sx * sx / n)[use]
    sxy = (np.cumsum(x * y) - sx * sy / n)[use]
    syy = (np.cumsum(y * y) - sy * sy / n)[use]
    n = n[use]
    falling = np.flatnonzero((sxy < 0) & (syy > 0))
    if not len(falling):
        return f"no line through the last {options.min_points} or more points {place} falls"
    r2 = np.minimum(sxy[falling] ** 2 / (sxx[falling] * syy[falling]), 1.0)
    adjusted = 1 - (1 - r2) * (n[falling] - 1) / (n[falling] - 2)
    most = int(n[falling[np.flatnonzero(adjusted >= adjusted.max() - R2_TOLERANCE)[-1]]])
    line = _fit(time, concentration, eligible[-most:])
    if line is None:
        return f"no line through the last {options.min_points} or more points {place} falls"
    return line


def _fit(time: FloatArray, concentration: FloatArray, points: NDArray[np.intp]) -> TerminalLine | None:
    x = time[points] - np.mean(time[points])
    y = np.log(concentration[points])
    y = y - np.mean(y)
    sxx = float(x @ x)
    slope = float(x @ y) / sxx
    if not slope < 0:
        return None
    left = y - slope * x
    n = len(points)
    # 1 - R2 from the residuals: a line through simulated data may fit to the last digit.
    unexplained = float(left @ left) / float(y @ y)
    r2_adj = 1 - unexplained * (n - 1) / (n - 2) if n > 2 else math.nan
    return TerminalLine(-slope, r2_adj, tuple(int(i) for i in points))
