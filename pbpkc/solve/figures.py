"""Figures of a simulated curve: areas, extremes, half-life.

They are taken from the integrator's own polynomials, not from a sampling grid: areas by Gauss quadrature on
every step, extremes by a search within the step that holds them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pbpkc.solve.dense import DenseSolution, DenseStep

Array = NDArray[np.float64]

#: Gauss points a step: exact for the highest order LSODA uses (12).
GAUSS_POINTS = 7
#: Points a step at which an extreme is looked for before it is refined.
SEARCH_POINTS = 7
#: Share of the time since the last event whose slope is the terminal one.
TERMINAL_SHARE = 0.05

#: The figures, with the number of arguments each takes beside the curve.
FIGURES = {
    "auc": 0, "auc_inf": 0, "cmax": 0, "tmax": 0, "cmin": 0, "last": 0, "thalf": 0, "value": 1,
}  # fmt: skip


@dataclass(frozen=True)
class CurveFigures:
    """The figures of the observables of one run.

    Parameters
    ----------
    solution : DenseSolution
    observable_names : tuple of str
    """

    solution: DenseSolution
    observable_names: tuple[str, ...]

    def figure(self, name: str, observable: str, arguments: Sequence[float] = ()) -> float:
        """One figure of one observable.

        Parameters
        ----------
        name : str
            ``auc``: area from the beginning to the end of the run (unit of the observable times h).
            ``auc_inf``: the same and the last value divided by the terminal slope.
            ``cmax``, ``cmin``: largest and smallest value. ``tmax``: time of the largest (h).
            ``last``: value at the end. ``thalf``: ln 2 over the terminal slope (h), the slope of the
            logarithm over the last twentieth of the time since the last event.
            ``value``: value at a time.
        observable : str
        arguments : sequence of float
            For ``value`` the time, in h.

        Returns
        -------
        float
            nan where it is not defined: a curve that does not fall at its end has no half-life, a time
            outside the run no value, a run that failed no figures.

        Raises
        ------
        ValueError
            For a name that is no figure or no observable, or a wrong number of arguments.
        """
        if name not in FIGURES:
            raise ValueError(f"figure is {name!r}; there are {', '.join(FIGURES)}")
        if len(arguments) != FIGURES[name]:
            raise ValueError(f"{name} takes {FIGURES[name]} arguments beside the curve, not {len(arguments)}")
        if observable not in self.observable_names:
            raise ValueError(f"observable is {observable!r}; there are {', '.join(self.observable_names)}")
        if not self.solution.outcome.ok or not self.solution.steps:
            return math.nan
        o = self.observable_names.index(observable)
        match name:
            case "auc":
                return float(self._areas[o])
            case "auc_inf":
                return float(self._areas[o]) + self._value(o, self.solution.end) / self._terminal_slope(o)
            case "cmax":
                return self._extreme(o, 1.0)[1]
            case "tmax":
                return self._extreme(o, 1.0)[0]
            case "cmin":
                return self._extreme(o, -1.0)[1]
            case "last":
                return self._value(o, self.solution.end)
            case "thalf":
                return math.log(2.0) / self._terminal_slope(o)
        return self._value(o, float(arguments[0]))

    @cached_property
    def _areas(self) -> Array:
        nodes, weights = np.polynomial.legendre.leggauss(GAUSS_POINTS)
        curves = self._sample((nodes + 1.0) / 2.0)
        lengths = np.array([step.end - step.begin for step in self.solution.steps])
        area: Array = np.einsum("s,g,sgo->o", lengths, weights / 2.0, curves)
        return area

    @cached_property
    def _searched(self) -> Array:
        return self._sample(np.linspace(0.0, 1.0, SEARCH_POINTS))

    def _sample(self, shares: Array) -> Array:
        """The observables at shares of every step, shape (steps, len(shares), O)."""
        steps = self.solution.steps
        times = np.concatenate([_inside(step, shares) for step in steps])
        states = np.concatenate([step.states(_inside(step, shares)) for step in steps])
        inputs = np.concatenate([step.segment.inputs_at(_inside(step, shares)) for step in steps])
        return self.solution.observe(times, states, inputs).reshape(len(steps), shares.size, -1)

    def _extreme(self, o: int, sign: float) -> tuple[float, float]:
        """Time and value of the largest (sign 1) or smallest (-1) value."""
        searched = sign * self._searched[:, :, o]
        place, point = divmod(int(np.argmax(searched)), SEARCH_POINTS)
        step = self.solution.steps[place]
        shares = np.linspace(0.0, 1.0, SEARCH_POINTS)
        low, high = shares[max(0, point - 1)], shares[min(SEARCH_POINTS - 1, point + 1)]
        best_share, best = float(shares[point]), float(searched[place, point])
        # Each round narrows the bracket eightfold; the value settles long before the time does.
        for _ in range(8):
            trial = np.linspace(low, high, 17)
            values = sign * self._of_step(step, trial)[:, o]
            at = int(np.argmax(values))
            if values[at] > best:
                best_share, best = float(trial[at]), float(values[at])
            low, high = trial[max(0, at - 1)], trial[min(16, at + 1)]
        return float(_inside(step, np.array([best_share]))[0]), sign * best

    def _of_step(self, step: DenseStep, shares: Array) -> Array:
        times = _inside(step, shares)
        return self.solution.observe(times, step.states(times), step.segment.inputs_at(times))

    def _value(self, o: int, time: float) -> float:
        if not self.solution.begin <= time <= self.solution.end:
            return math.nan
        return float(self.solution.observables(time)[0, o])

    def _terminal_slope(self, o: int) -> float:
        """The rate at which the curve falls at its end (1/h); nan if it does not."""
        end = self.solution.end
        window = TERMINAL_SHARE * (end - self.solution.last_event)
        early, late = self._value(o, end - window), self._value(o, end)
        if not (window > 0.0 and early > late > 0.0):
            return math.nan
        return math.log(early / late) / window


def _inside(step: DenseStep, shares: Array) -> Array:
    return step.begin + shares * (step.end - step.begin)
