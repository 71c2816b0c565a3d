"""What is estimated: the masked parameters, each on the scale it was declared with.

A parameter declared ``scale log`` is estimated as ln(theta), any other as theta itself. Everything in
this room that is called *scaled* is on that scale; theta is in canonical units (umol, L, h, kg).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.priors import log_density, support
from pbpkc.language.model import Prior
from pbpkc.language.units import Unit

Array = NDArray[np.float64]

#: Longest step of one iteration on a log-scale parameter: a factor of about 7.4.
LOG_STEP_LIMIT = 2.0

# A prior whose density ends at a finite value may be infinite there (beta); the estimate stays this
# fraction of the interval away from such an end.
_INSIDE = 1e-9


@dataclass(frozen=True)
class FittedParameter:
    """One masked parameter.

    Parameters
    ----------
    name : str
        As in the spec.
    unit : Unit
        In which estimates are reported.
    low, high, start : float
        Bounds and first starting value (the median of the prior, unless the user gave another), canonical
        units. A start outside the bounds is moved to the nearer one.
    scale : {"log", "natural"}
    prior : Prior, optional
        Canonical units. Maximum likelihood uses it for nothing but `start`, unless it is `counted`.
    doc : str
    counted : bool
        Whether the prior counts in maximum likelihood too.

    Raises
    ------
    ValueError
        If the bounds are empty, or do not fit the scale.
    """

    name: str
    unit: Unit
    low: float
    high: float
    start: float
    scale: str = "log"
    prior: Prior | None = None
    doc: str = ""
    counted: bool = False

    def __post_init__(self) -> None:
        if self.scale not in ("log", "natural"):
            raise ValueError(f"scale of {self.name!r} is {self.scale!r}; accepted are 'log' and 'natural'")
        if not self.low < self.high:
            raise ValueError(f"bounds of {self.name!r} are ({self.low!r}, {self.high!r}); low is below high")
        if self.scale == "log" and self.low < 0.0:
            raise ValueError(f"low of {self.name!r} is {self.low!r}; scale log needs a bound of 0 or more")
        if not math.isfinite(self.start) or (self.scale == "log" and not self.start > 0.0):
            raise ValueError(f"start of {self.name!r} is {self.start!r}; accepted is a finite number, "
                             "above 0 on a log scale")  # fmt: skip

    def to_scaled(self, value: float) -> float:
        """The estimated quantity for a value in canonical units; -inf and inf for the ends of a log scale."""
        if self.scale == "natural" or math.isinf(value):
            return value
        return math.log(value) if value > 0.0 else -math.inf

    def to_natural(self, point: float) -> float:
        """The value in canonical units for an estimated quantity."""
        return math.exp(point) if self.scale == "log" else point

    def in_unit(self, value: float) -> float:
        """A value in canonical units as a number of `unit`."""
        return (value - float(self.unit.offset)) / float(self.unit.factor)


@dataclass(frozen=True)
class ParameterSpace:
    """All masked parameters together, as vectors of length k in the order of `parameters`.

    Parameters
    ----------
    parameters : tuple of FittedParameter
    with_priors : bool
        Maximum a posteriori: bounds are cut to the support of each prior, and `penalty` counts. Without,
        that holds for the parameters whose prior is counted anyway.

    Raises
    ------
    ValueError
        If there are none, two share a name, or a prior has no support within the bounds.
    """

    parameters: tuple[FittedParameter, ...]
    with_priors: bool = False
    _limits: tuple[tuple[float, float], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.parameters:
            raise ValueError("parameters is empty; at least one masked parameter is needed")
        names = [p.name for p in self.parameters]
        if len(set(names)) != len(names):
            raise ValueError(f"parameters are {', '.join(names)}; each name stands once")
        object.__setattr__(self, "_limits", tuple(self._limit(p) for p in self.parameters))

    def _limit(self, parameter: FittedParameter) -> tuple[float, float]:
        low, high = parameter.low, parameter.high
        if (self.with_priors or parameter.counted) and parameter.prior is not None:
            start, end = support(parameter.prior)
            if parameter.prior.family == "beta":
                start, end = start + _INSIDE, end - _INSIDE
            low, high = max(low, start), min(high, end)
            if not low < high:
                raise ValueError(
                    f"bounds of {parameter.name!r} leave nothing of its {parameter.prior.family} prior"
                )
        return low, high

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(p.name for p in self.parameters)

    @property
    def size(self) -> int:
        """Number of parameters, k."""
        return len(self.parameters)

    @cached_property
    def log(self) -> NDArray[np.bool_]:
        """Which are estimated as logarithms, shape (k,)."""
        return np.array([p.scale == "log" for p in self.parameters])

    @cached_property
    def lower(self) -> Array:
        """Lower bounds, scaled, shape (k,)."""
        return np.array([p.to_scaled(low) for p, (low, _) in zip(self.parameters, self._limits, strict=True)])

    @cached_property
    def upper(self) -> Array:
        """Upper bounds, scaled, shape (k,)."""
        return np.array(
            [p.to_scaled(high) for p, (_, high) in zip(self.parameters, self._limits, strict=True)]
        )

    @cached_property
    def start(self) -> Array:
        """First starting point, scaled, inside the bounds, shape (k,)."""
        values = [
            p.to_scaled(min(max(p.start, low), high))
            for p, (low, high) in zip(self.parameters, self._limits, strict=True)
        ]
        return self.clip(np.array(values))

    @cached_property
    def reach(self) -> Array:
        """Longest step of one iteration, scaled, shape (k,).

        A factor of e^2 on a log scale. On a natural scale a quarter of the bounds where both are finite,
        else the size of the start or of the prior's spread, whichever is larger.
        """
        reach = np.full(self.size, LOG_STEP_LIMIT)
        for i in np.flatnonzero(~self.log):
            parameter, width = self.parameters[i], float(self.upper[i] - self.lower[i])
            if math.isfinite(width):
                reach[i] = 0.25 * width
            else:
                spread = parameter.prior.arguments.get("sd", 0.0) if parameter.prior else 0.0
                reach[i] = max(abs(float(self.start[i])), 2.0 * spread) or 1.0
        return reach

    def clip(self, point: Array) -> Array:
        """The nearest point inside the bounds, scaled."""
        return np.clip(point, self.lower, self.upper)

    def to_natural(self, point: Array) -> Array:
        """Values in canonical units, shape (k,), never outside the bounds.

        exp(ln(bound)) may miss the bound by a rounding error, which an argument of a square root notices.
        """
        values = np.where(self.log, np.exp(np.where(self.log, point, 0.0)), point)
        low, high = np.transpose(self._limits)
        return np.clip(values, low, high)

    def to_scaled(self, values: Sequence[float] | Array) -> Array:
        """Estimated quantities for values in canonical units, shape (k,)."""
        return np.array([p.to_scaled(float(v)) for p, v in zip(self.parameters, values, strict=True)])

    def chain(self, theta: Array) -> Array:
        """d(theta)/d(scaled) for values in canonical units: theta on a log scale, else 1; shape (k,)."""
        return np.where(self.log, theta, 1.0)

    def at_bound(self, point: Array) -> tuple[str, ...]:
        """For each parameter ``"lower"``, ``"upper"`` or ``"no"``."""
        near = 1e-9 * np.maximum(1.0, np.abs(point))
        return tuple(
            "lower" if low else "upper" if high else "no"
            for low, high in zip(point <= self.lower + near, point >= self.upper - near, strict=True)
        )

    def penalty(self, point: Array) -> tuple[float, Array, Array]:
        """Minus twice the log density of the priors at a scaled point.

        Returns
        -------
        value : float
            inf outside a prior's support, 0 without priors.
        gradient : array, shape (k,)
        curvature : array, shape (k,)
            Second derivatives; the priors are independent, so this is the diagonal of the matrix. It may
            be negative (the tail of a lognormal prior on a natural scale).
        """
        value, gradient, curvature = 0.0, np.zeros(self.size), np.zeros(self.size)
        for i, parameter in enumerate(self.parameters):
            if parameter.prior is not None and (self.with_priors or parameter.counted):
                # The declared bounds truncate, not those cut a little shorter for the search.
                bounds = parameter.low, parameter.high
                density = log_density(parameter.prior, parameter.scale, *bounds, float(point[i]))
                value -= 2.0 * density.value
                gradient[i] = -2.0 * density.slope
                curvature[i] = -2.0 * density.curvature
        return value, gradient, curvature
