"""The best residual standard deviation for given predictions, where it has a closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.likelihood import moments
from pbpkc.infer.observations import Scoring
from pbpkc.infer.predictor import Noise, Prediction

Array = NDArray[np.float64]


def best_scale(
    scoring: Scoring, prediction: Prediction, noise: Noise, parameter: int, value: float
) -> float | None:
    """The value of a parameter that multiplies every standard deviation, at the largest likelihood.

    With sd_i = s w_i and means that do not read s, the likelihood is largest where s^2 is the mean of
    ((x_i - mu_i) / w_i)^2, and falls to both sides.

    Parameters
    ----------
    scoring : Scoring
    prediction, noise
        At `value`; derivatives by natural parameters.
    parameter : int
        Its index among those.
    value : float
        Above zero.

    Returns
    -------
    float or None
        None where the parameter is not such a factor, or a value is censored or has no density.
    """
    q = scoring.quantified
    if scoring.censored.any() or not q.any() or not value > 0.0:
        return None
    m = moments(scoring, prediction.value, prediction.derivative, noise)
    sd, mean = m.sd[q], m.mean[q]
    if not (np.all(np.isfinite(mean)) and np.all(np.isfinite(sd)) and np.all(sd > 0.0)):
        return None
    if m.d_mean[q, parameter].any() or np.any(np.abs(m.d_sd[q, parameter] * value - sd) > 1e-12 * sd):
        return None
    log = scoring.lognormal[q]
    x = np.where(log, np.log(np.where(log, scoring.dv[q], 1.0)), scoring.dv[q])
    best = value * float(np.sqrt(np.mean(((x - mean) / sd) ** 2)))
    return best if np.isfinite(best) and best > 0.0 else None
