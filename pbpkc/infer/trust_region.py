"""SciPy's trust region as a search: what a solver-based fit is without this room.

`scipy.optimize.least_squares` with ``method="trf"`` is the algorithm behind MATLAB's ``lsqcurvefit``
(trust-region-reflective), so it stands for that one: one search from the start as given, within the bounds,
on weighted residuals. It minimises a sum of squares and nothing else, so the likelihood has to be one:

* a standard deviation that depends on no prediction and no parameter (a fixed ``add``, ``lognormal``, or
  ``given``), or that one estimated sigma scales in every observation alike: the weights are exact;
* a ``prop`` or ``combined`` error with fixed numbers: the weights are those of the last prediction, and the
  search is repeated with new ones until they stay (iterated weights, Carroll & Ruppert 1988, Transformation
  and Weighting in Regression, section 2.4), which differs from maximum likelihood by a fraction of
  its standard error where the error is a few per cent.

Values below quantification that are scored by their probability, an estimated proportional error and priors
are no sum of squares: the search refuses them and says what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from pbpkc.infer.likelihood import Moments, moments
from pbpkc.infer.objective import Objective
from pbpkc.infer.optimise import Optimum
from pbpkc.infer.options import FitOptions
from pbpkc.infer.predictor import Failure, Noise, Prediction
from pbpkc.infer.search import Heard, Searched

Array = NDArray[np.float64]
Found = TypeVar("Found", Array, Prediction)

#: Weights are the last ones when no standard deviation changes by more than this, relative.
_SAME_WEIGHTS = 1e-2

#: Rounds of new weights at most; the change shrinks by the square of the relative error in each.
_ROUNDS = 6


@dataclass(frozen=True)
class TrustRegion:
    """SciPy's ``least_squares`` from the start of the spec, within the bounds, on the scaled parameters.

    Parameters
    ----------
    jac : {"exact", "2-point"}
        ``exact``: exact sensitivities, and steps scaled by the Jacobian (``x_scale="jac"``).
        ``2-point``: everything as SciPy has it by default, forward differences over ``sqrt(eps)`` among it.
    max_nfev : int
        Evaluations of the residuals in each round, those of the differences not counted.
    """

    jac: Literal["exact", "2-point"] = "exact"
    max_nfev: int = 200

    @property
    def name(self) -> str:
        """The algorithm and where its derivatives come from."""
        return f"scipy least_squares trf, jac {self.jac}, {self.max_nfev} evaluations a round"

    def __call__(
        self, objective: Objective, options: FitOptions, seed: int, heard: Heard | None
    ) -> Sequence[Searched]:
        """The one search from the start as given."""
        start = objective.space.start
        hindrance = not_least_squares(objective)
        if hindrance is None:
            found = self._search(objective, start)
        else:
            found = Optimum(None, False, hindrance.reason, hindrance.suggestion, 0, 0, np.inf)
        if heard is not None:
            heard(1)
        return [Searched(start, found)]

    def _search(self, objective: Objective, start: Array) -> Optimum:
        residuals = _Residuals(objective, start)
        point = start[residuals.free]
        bounds = objective.space.lower[residuals.free], objective.space.upper[residuals.free]
        more: dict[str, Any] = (
            {"jac": residuals.jacobian, "x_scale": "jac"} if self.jac == "exact" else {"jac": "2-point"}
        )
        status, message, promise = 1, "nothing shapes the prediction", 0.0
        try:
            for _ in range(_ROUNDS if len(point) else 0):
                found = least_squares(
                    residuals, point, bounds=bounds, method="trf", max_nfev=self.max_nfev, **more
                )
                point, status, message = found.x, int(found.status), str(found.message)
                promise = float(found.optimality)
                if not residuals.reweight(point):
                    break
            else:
                if len(point):
                    status, message = 0, "the weights of the error model still change after the last round"
        except (_SolveError, ValueError, np.linalg.LinAlgError) as error:
            # SciPy stops on a start without residuals, and on a derivative without numbers.
            why = residuals.failure or Failure(str(error))
            return Optimum(
                None, False, why.reason, why.suggestion, residuals.solves, residuals.failed, np.inf
            )
        # The likelihood there, with sigma at its best where one is estimated.
        end = objective(residuals.full(point))
        if isinstance(end, Failure):
            return Optimum(None, False, end.reason, end.suggestion, residuals.solves, 1, np.inf)
        reason = message.strip().rstrip(".").replace("`", "")
        help_ = "" if status > 0 else "start nearer, or use --method least-squares"
        return Optimum(end, status > 0, reason, help_, residuals.solves, residuals.failed, promise)


class _SolveError(ArithmeticError):
    """A prediction that is needed and has no value; SciPy knows no other way out."""


class _Residuals:
    """Weighted residuals as a function of the parameters that shape the prediction."""

    def __init__(self, objective: Objective, start: Array) -> None:
        self.objective = objective
        self.start = start
        self.free = np.flatnonzero(np.asarray(objective.predictor.shapes_prediction, dtype=bool))
        self.scored = objective.scoring.quantified
        self.solves = self.failed = 0
        self.failure: Failure | None = None
        scoring = objective.scoring
        log = scoring.lognormal & self.scored
        self.measured = np.where(log, np.log(np.where(log, scoring.dv, 1.0)), scoring.dv)
        # The first weights are those of the measured values themselves.
        self.sd = self._moments(start, np.where(self.scored, scoring.dv, 1.0), None).sd

    def full(self, values: Array) -> Array:
        """All scaled parameters."""
        point = self.start.copy()
        point[self.free] = values
        return self.objective.space.clip(point)

    def __call__(self, values: Array) -> Array:
        point = self.full(values)
        found = self._counted(self.objective.predictor.reference(self.objective.space.to_natural(point)))
        if found is None:
            # SciPy comes nearer where residuals are not finite.
            return np.full(int(np.count_nonzero(self.scored)), np.nan)
        return self._weighted(self._moments(point, found, None).mean - self.measured)

    def jacobian(self, values: Array) -> Array:
        """Exact, shape (n, free)."""
        point = self.full(values)
        theta = self.objective.space.to_natural(point)
        found = self._counted(self.objective.predictor.predict(theta))
        if found is None:
            raise _SolveError
        m = self._moments(point, found.value, found.derivative)
        return self._weighted((m.d_mean * self.objective.space.chain(theta))[:, self.free])

    def reweight(self, values: Array) -> bool:
        """New weights at the prediction; whether they changed."""
        point = self.full(values)
        found = self._counted(self.objective.predictor.reference(self.objective.space.to_natural(point)))
        if found is None:
            raise _SolveError
        sd = self._moments(point, found, None).sd
        change = np.abs(sd - self.sd)[self.scored] > _SAME_WEIGHTS * self.sd[self.scored]
        self.sd = sd
        return bool(change.any())

    def _weighted(self, rows: Array) -> Array:
        sd = np.where(self.sd > 0.0, self.sd, 1.0)[self.scored]
        rows = rows[self.scored]
        found: Array = rows / (sd if rows.ndim == 1 else sd[:, None])
        return found

    def _counted(self, found: Found | Failure) -> Found | None:
        self.solves += 1
        if isinstance(found, Failure):
            self.failure, self.failed = found, self.failed + 1
            return None
        return found

    def _moments(self, point: Array, y: Array, dy: Array | None) -> Moments:
        noise = self.objective.predictor.noise(self.objective.space.to_natural(point))
        if dy is None:
            dy = np.zeros((len(y), 0))
            flat = np.zeros((len(y), 0))
            noise = Noise(noise.proportional, noise.additive, flat, flat)
        return moments(self.objective.scoring, y, dy, noise)


def not_least_squares(objective: Objective) -> Failure | None:
    """Why the likelihood of these data is no sum of squares, or None where it is one."""
    space, scoring = objective.space, objective.scoring
    if scoring.censored.any():
        return Failure(
            f"{int(scoring.censored.sum())} values below quantification are scored by their probability, "
            "which is no sum of squares",
            "use --method least-squares, or another rule for them (--blq drop, half or zero)",
        )
    value, slope, bend = space.penalty(space.start)
    if value or slope.any() or bend.any():
        return Failure(
            "priors are no part of a sum of squares that the trust region sees",
            "leave out --map, or use --method least-squares",
        )
    only_noise = np.flatnonzero(~np.asarray(objective.predictor.shapes_prediction, dtype=bool))
    theta = space.to_natural(space.start)
    noise = objective.predictor.noise(theta)
    scored = scoring.quantified
    by = np.abs(noise.d_proportional[scored]) + np.abs(noise.d_additive[scored])
    by[scoring.given[scored]] = 0.0
    read = np.flatnonzero(by.any(axis=0))
    if not len(read):
        return None
    names = ", ".join(space.names[i] for i in read)
    one = int(read[0])
    sd = np.where(scoring.lognormal, noise.proportional, noise.additive)
    slope = np.where(scoring.lognormal, noise.d_proportional[:, one], noise.d_additive[:, one])
    plain = scoring.lognormal | (noise.proportional == 0.0) & ~noise.d_proportional.any(axis=1)
    scales_all = (
        len(read) == 1
        and one in only_noise
        and bool((plain & ~scoring.given)[scored].all())
        and np.allclose((slope * theta[one])[scored], sd[scored], rtol=1e-12, atol=0.0)
    )
    if scales_all:
        return None
    return Failure(
        f"the residual error is estimated ({names}), and the likelihood is then no sum of squares",
        f"hold it (--unmask {space.names[one]}), or use --method least-squares",
    )
