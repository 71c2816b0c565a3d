"""Models whose profiles are known in closed form, as predictors."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from fit_standin import observations, unit
from scipy.special import lambertw

from pbpkc.infer import Failure, FitObservable, FitProblem, FitSubject, FittedParameter, Noise, Prediction


@dataclass
class Counting:
    """Counts what it is asked, as every stand-in here does."""

    asked: int = field(default=0, init=False)


@dataclass
class Linear(Counting):
    """y = X theta, with a known sigma, or one that is estimated (the last parameter)."""

    design: np.ndarray
    sigma: float | None = None
    off: float = 0.0  # what a fast model may be wrong by, relative, in the first column

    @property
    def shapes_prediction(self) -> np.ndarray:
        return np.array([True] * self.design.shape[1] + [False] * (self.sigma is None))

    def predict(self, theta: np.ndarray) -> Prediction | Failure:
        self.asked += 1
        n, m = self.design.shape
        derivative = np.zeros((n, len(theta)))
        derivative[:, :m] = self.design
        derivative[:, 0] *= 1.0 + self.off
        return Prediction(derivative @ theta, derivative)

    def noise(self, theta: np.ndarray) -> Noise:
        n, k = len(self.design), len(theta)
        slope = np.zeros((n, k))
        if self.sigma is None:
            slope[:, -1] = 1.0
        value = np.full(n, theta[-1] if self.sigma is None else self.sigma)
        return Noise(np.zeros(n), value, np.zeros((n, k)), slope)

    def reference(self, theta: np.ndarray) -> np.ndarray:
        return self.design @ theta[: self.design.shape[1]]


def linear_problem(sigma: float | None = 0.5, n: int = 12, bound: float = 1e3, **more: float) -> FitProblem:
    random = np.random.default_rng(4)
    design = np.column_stack([np.ones(n), np.linspace(0.0, 2.0, n), random.standard_normal(n)])
    dv = design @ [2.0, -1.0, 0.5] + 0.5 * random.standard_normal(n)
    names = ("a", "b", "c")
    parameters = [FittedParameter(x, unit("mg/L"), -bound, bound, 0.3, "natural") for x in names]
    if sigma is None:
        parameters.append(FittedParameter("s", unit("mg/L"), 1e-4, 10.0, 1.0))
    subject = FitSubject("1", observations(np.arange(n), dv), Linear(design, sigma, **more), "linear")
    return FitProblem(tuple(parameters), (subject,), (FitObservable("y", "mg/L"),))


@dataclass
class Saturable(Counting):
    """A bolus eliminated by Michaelis-Menten: theta = (vmax, km), error lognormal with a known sd.

    Km ln C + C = Km ln C0 + C0 - Vmax t, solved by Lambert's function (Schnell & Mendoza 1997).
    """

    times: np.ndarray
    c0: float
    sd: float = 0.05
    breaks_above: float = np.inf  # predictions fail for km above this

    @property
    def shapes_prediction(self) -> np.ndarray:
        return np.array([True, True])

    def predict(self, theta: np.ndarray) -> Prediction | Failure:
        self.asked += 1
        vmax, km = theta
        if km > self.breaks_above:
            return Failure("the solver stopped at 3 h", "raise max_steps")
        # In logarithms, because C0/Km exp((C0 - Vmax t)/Km) leaves all numbers where Km is far below C0.
        log = np.log(self.c0 / km) + (self.c0 - vmax * self.times) / km
        big = log > 500.0
        w = lambertw(np.exp(np.where(big, 0.0, log))).real
        guess = np.where(big, log - np.log(np.maximum(log, 1.0)), 1.0)
        for _ in range(5):
            guess = np.where(big, guess - (guess + np.log(guess) - log) / (1.0 + 1.0 / guess), 1.0)
        c = np.maximum(km * np.where(big, guess, w), 1e-300)
        d_vmax = -self.times / (km / c + 1.0)
        d_km = (vmax * self.times + c - self.c0) / km / (km / c + 1.0)
        return Prediction(c, np.column_stack([d_vmax, d_km]))

    def noise(self, theta: np.ndarray) -> Noise:
        n, flat = len(self.times), np.zeros((len(self.times), 2))
        return Noise(np.full(n, self.sd), np.zeros(n), flat, flat)

    def reference(self, theta: np.ndarray) -> np.ndarray | Failure:
        found = self.predict(theta)
        return found if isinstance(found, Failure) else found.value


def saturable_problem(c0: float, high: float = 1e6, seed: int = 1, **more: float) -> FitProblem:
    """Vmax 20 umol/h and Km 100 umol/L, in one litre; the higher c0, the more is told of Km."""
    times = np.linspace(0.5, 12.0, 12)
    model = Saturable(times, c0, **more)
    c = model.predict(np.array([20.0, 100.0])).value
    dv = c * np.exp(model.sd * np.random.default_rng(seed).standard_normal(len(times)))
    parameters = (
        FittedParameter("vmax", unit("umol/h"), 0.1, 1e6, 30.0),
        FittedParameter("km", unit("umol/L"), 1.0, high, 60.0),
    )
    subject = FitSubject("1", observations(times, dv, error="lognormal"), model, f"{c0!r}")
    return FitProblem(parameters, (subject,), (FitObservable("C", "umol/L"),))
