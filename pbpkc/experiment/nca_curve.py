"""From samples to the curve that is analysed: checks, values below quantification, the value at time 0."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pbpkc.experiment.nca_options import BLQRule, NCAOptions

FloatArray = NDArray[np.float64]

# A solver leaves negative values of the size of its absolute tolerance where a curve has died out. Up to this
# fraction of the largest value they are taken as 0; anything larger is not rounding.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Curve:
    """A curve ready for analysis.

    Parameters
    ----------
    time, concentration : ndarray, shape (T,)
        Samples from time 0 on, increasing, none negative.
    substituted : ndarray of bool, shape (T,)
        Which samples stand in for a value below quantification.
    start : float or None
        Concentration to add at time 0, where there is no sample that can be used; None where there is one.
    notes : tuple of str
        What was done.
    """

    time: FloatArray
    concentration: FloatArray
    substituted: NDArray[np.bool_]
    start: float | None
    notes: tuple[str, ...]


def prepare(time: ArrayLike, concentration: ArrayLike, blq: ArrayLike | None, options: NCAOptions) -> Curve:
    """The curve to analyse, from samples as they were taken.

    Parameters
    ----------
    time, concentration, blq
        See `pbpkc.experiment.nca.nca`.
    options : NCAOptions
        `blq_rule`, `route` and `c0_rule` are read.

    Raises
    ------
    ValueError
        Naming the argument, the sample and its value.
    """
    t, c, below = _checked(time, concentration, blq)
    notes: list[str] = []
    c = _without_rounding(c, below, notes)
    t, c, below = _apply_blq(t, c, below, options.blq_rule, notes)

    before = t < 0
    if before.any():
        notes.append(f"{_samples(int(before.sum()))} before the dose not used")
        t, c, below = t[~before], c[~before], below[~before]

    start: float | None = None
    if options.route == "bolus":
        if len(t) and t[0] == 0 and c[0] == 0:
            # A sample at the time of a bolus that reads nothing was drawn before it.
            notes.append("the sample at time 0 is 0 and was taken as drawn before the bolus")
            t, c, below = t[1:], c[1:], below[1:]
        if not (len(t) and t[0] == 0) and (c > 0).any():
            start = _c0(t, c, options, notes)
    elif len(t) and t[0] > 0:
        start = 0.0
        notes.append("no sample at time 0: the concentration there is taken as 0")
    return Curve(t, c, below, start, tuple(notes))


def _checked(
    time: ArrayLike, concentration: ArrayLike, blq: ArrayLike | None
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    t = _vector("time", time)
    c = _vector("concentration", concentration)
    if len(c) != len(t):
        raise ValueError(f"concentration has {len(c)} values and time has {len(t)}; they must be as many")
    below = np.zeros(len(t), dtype=bool) if blq is None else np.asarray(blq)
    if below.dtype != bool:
        raise ValueError(f"blq has values of type {below.dtype}; accepted are booleans, one a sample")
    if below.shape != t.shape:
        raise ValueError(f"blq has shape {below.shape} and time has {t.shape}; they must be the same")
    bad = np.flatnonzero(~np.isfinite(t))
    if len(bad):
        raise ValueError(f"time[{bad[0]}] is {t[bad[0]]}; times must be finite")
    step = np.diff(t)
    back = np.flatnonzero(step < 0)
    if len(back):
        i = int(back[0]) + 1
        raise ValueError(f"time[{i}] is {t[i]:g} after {t[i - 1]:g}; times must increase")
    same = np.flatnonzero(step == 0)
    if len(same):
        i = int(same[0]) + 1
        raise ValueError(f"time[{i}] is {t[i]:g}, as is time[{i - 1}]; each time may occur once")
    bad = np.flatnonzero(~np.isfinite(c) & ~below)
    if len(bad):
        raise ValueError(
            f"concentration[{bad[0]}] is {c[bad[0]]} at time {t[bad[0]]:g}; concentrations must be finite: "
            "leave missing samples out"
        )
    return t, c, below


def _vector(name: str, values: ArrayLike) -> FloatArray:
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is not an array of numbers: {error}") from None
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}; accepted is one dimension")
    if not len(array):
        raise ValueError(f"{name} is empty; at least one sample is needed")
    return array


def _without_rounding(c: FloatArray, below: NDArray[np.bool_], notes: list[str]) -> FloatArray:
    negative = (c < 0) & ~below
    if not negative.any():
        return c
    largest = float(np.max(c[~below]))
    worst = int(np.flatnonzero(negative)[np.argmin(c[negative])])
    if -c[worst] > _ROUNDING * max(largest, 0.0):
        raise ValueError(f"concentration[{worst}] is {c[worst]:g}; concentrations must not be negative")
    notes.append(
        f"{_samples(int(negative.sum()))} between {c[worst]:.2g} and 0, which is rounding, taken as 0"
    )
    return np.where(negative, 0.0, c)


def _apply_blq(
    t: FloatArray, c: FloatArray, below: NDArray[np.bool_], rule: BLQRule, notes: list[str]
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    if not below.any():
        return t, c, below
    quantified = np.flatnonzero(~below)
    place = np.arange(len(t))
    first, last = (quantified[0], quantified[-1]) if len(quantified) else (len(t), len(t))
    zero = np.zeros(len(t), dtype=bool)
    half = np.zeros(len(t), dtype=bool)
    if rule == "zero":
        zero = below
    elif rule == "half":
        half = below
    elif rule in ("zero_before_first_then_drop", "positional"):
        zero = below & (place < first)
        if rule == "positional":
            half = place == last + 1
    bad = np.flatnonzero(half & ~((c > 0) & np.isfinite(c)))
    if len(bad):
        raise ValueError(
            f"concentration[{bad[0]}] is {c[bad[0]]:g} and marked in blq; blq_rule {rule!r} needs the limit "
            "of quantification there"
        )
    c = np.where(half, c / 2, np.where(zero, 0.0, c))
    keep = ~below | zero | half
    for mask, what in ((zero, "taken as 0"), (half, "taken as half the limit"), (~keep, "left out")):
        if mask.any():
            notes.append(f"{_samples(int(mask.sum()))} below the limit of quantification {what}")
    return t[keep], c[keep], (below & keep)[keep]


def _c0(t: FloatArray, c: FloatArray, options: NCAOptions, notes: list[str]) -> float:
    if options.c0_rule == "back_extrapolate":
        if len(t) >= 2 and c[0] > c[1] > 0:
            slope = (math.log(c[1]) - math.log(c[0])) / (t[1] - t[0])
            c0 = math.exp(math.log(c[0]) - slope * t[0])
            notes.append(f"concentration at time 0 extrapolated from the samples at {t[0]:g} and {t[1]:g}")
            return c0
        notes.append("the first two samples do not fall: concentration at time 0 is the first positive one")
    else:
        notes.append("concentration at time 0 is the first positive one")
    return float(c[c > 0][0])


def _samples(number: int) -> str:
    return f"{number} sample{'' if number == 1 else 's'}"
