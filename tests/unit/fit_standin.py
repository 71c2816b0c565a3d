"""One-compartment oral models in closed form, as predictors for the tests of the fit.

They stand where the reference solver stands in the product, with derivatives written by hand, so that a
wrong estimate is a fault of the fit and not of a solver.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pbpkc.infer import Failure, FittedParameter, Noise, Observations, Prediction
from pbpkc.language.units import Unit, parse_unit


def unit(text: str) -> Unit:
    return parse_unit(text)


def bateman(t: np.ndarray, dose: float, ka: float, cl: float, v: float) -> tuple[np.ndarray, np.ndarray]:
    """Concentration after an oral dose and its derivatives by ka, cl, v (shape (n, 3)).

    C = dose ka / (v (ka - ke)) (exp(-ke t) - exp(-ka t)), ke = cl / v (Bateman 1910), written with
    expm1 so that ka near ke loses no digits.
    """
    ke = cl / v
    d = ka - ke
    if abs(d) < 1e-7 * ka:
        d = 1e-7 * ka
    f = -np.exp(-ke * t) * np.expm1(-d * t) / d  # (e^-ke t - e^-ka t) / (ka - ke)
    c = dose * ka / v * f
    df_dka = (t * np.exp(-ka * t) - f) / d
    df_dke = (-t * np.exp(-ke * t) + f) / d
    dc_dka = c / ka + dose * ka / v * df_dka
    dc_dke = dose * ka / v * df_dke
    return c, np.stack([dc_dka, dc_dke / v, -c / v - dc_dke * cl / v**2], axis=1)


@dataclass(frozen=True)
class Oral:
    """theta = (ka, cl, v[, sigma]); noise additive or proportional with sigma, or as given."""

    times: np.ndarray
    dose: float
    error: str = "add"
    fixed: float | None = None
    broken_above: float | None = None  # predictions fail for ka above this

    @property
    def shapes_prediction(self) -> np.ndarray:
        return np.array([True, True, True] + ([] if self.fixed is not None else [False]))

    def predict(self, theta: np.ndarray) -> Prediction | Failure:
        if self.broken_above is not None and theta[0] > self.broken_above:
            return Failure("the solver stopped at 0.1 h", "raise max_steps")
        c, dc = bateman(self.times, self.dose, *theta[:3])
        derivative = np.zeros((len(c), len(theta)))
        derivative[:, :3] = dc
        return Prediction(c, derivative)

    def noise(self, theta: np.ndarray) -> Noise:
        n, k = len(self.times), len(theta)
        value = np.full(n, theta[3] if self.fixed is None else self.fixed)
        slope = np.zeros((n, k))
        if self.fixed is None:
            slope[:, 3] = 1.0
        zero, flat = np.zeros(n), np.zeros((n, k))
        if self.error == "add":
            return Noise(zero, value, flat, slope)
        return Noise(value, zero, slope, flat)

    def reference(self, theta: np.ndarray) -> np.ndarray | Failure:
        found = self.predict(theta)
        return found if isinstance(found, Failure) else found.value


def oral_parameters(
    sigma: bool = True, start: tuple[float, ...] = (1.5, 0.04, 0.5, 0.5)
) -> tuple[FittedParameter, ...]:
    """Theophylline's masked parameters per kg, as in language.md 6.1."""
    rows = [
        FittedParameter("ka", unit("1/h"), 0.1, 10.0, start[0]),
        FittedParameter("cl", unit("L/h/kg"), 0.005, 0.3, start[1]),
        FittedParameter("v", unit("L/kg"), 0.1, 2.0, start[2]),
    ]
    if sigma:
        rows.append(FittedParameter("s", unit("1"), 0.01, 5.0, start[3]))
    return tuple(rows)


def observations(
    times: ArrayLike,
    dv: ArrayLike,
    error: str = "add",
    censored: ArrayLike | None = None,
    lloq: ArrayLike | None = None,
    sd: ArrayLike | None = None,
) -> Observations:
    """Observations of one observable, all with one kind of error."""
    n = len(times)
    return Observations(
        time=np.asarray(times, float),
        observable=np.zeros(n, dtype=np.int64),
        dv=np.asarray(dv, float),
        censored=np.zeros(n, dtype=bool) if censored is None else np.asarray(censored, bool),
        lloq=np.full(n, np.nan) if lloq is None else np.broadcast_to(np.asarray(lloq, float), (n,)).copy(),
        sd=np.full(n, np.nan) if sd is None else np.asarray(sd, float),
        error=(error,) * n,
    )
