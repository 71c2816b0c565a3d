"""Minus twice the log likelihood of one subject, its exact gradient and its Fisher information.

Every error model is brought to one form: the scored value x (dv, or ln dv where the error is lognormal) is
normal with mean mu and standard deviation sigma, both functions of the prediction y and of the arguments
of the error model:

==========================  ======  ==========================
error                       mu      sigma
==========================  ======  ==========================
prop(a), add(b), combined   y       sqrt((a y)^2 + b^2)
lognormal(s)                ln y    s
given()                     y       the data's SD
==========================  ======  ==========================

A censored value below the limit L has the probability Phi(z), z = (L - mu)/sigma (ln L where lognormal).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from pbpkc.infer.observations import Scoring
from pbpkc.infer.predictor import Failure, Noise, Prediction

Array = NDArray[np.float64]

_LOG_2PI = math.log(2.0 * math.pi)


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of the scored value, with derivatives by the masked parameters.

    `mean`, `sd` have shape (n,); `d_mean`, `d_sd` shape (n, k). Rows of a lognormal error are on the scale
    of ln(dv).
    """

    mean: Array
    sd: Array
    d_mean: Array
    d_sd: Array


@dataclass(frozen=True)
class Likelihood:
    """Minus twice the log likelihood and what the search needs of it.

    Parameters
    ----------
    value : float
        With all constants: of dv itself, also where the error is lognormal.
    gradient : array, shape (k,)
        Exact.
    curvature : array, shape (k, k)
        Approximation to the second derivative, never negative definite: twice the expected information of
        the quantified values, and the exact curvature of ln Phi by z of the censored ones.
    """

    value: float
    gradient: Array
    curvature: Array


def moments(scoring: Scoring, y: Array, dy: Array, noise: Noise) -> Moments:
    """Mean and standard deviation of each scored value.

    Parameters
    ----------
    scoring : Scoring
    y, dy : array, shapes (n,) and (n, k)
        Prediction and its derivatives.
    noise : Noise
    """
    a, b = noise.proportional, noise.additive
    spread = a * y
    sd = np.hypot(spread, b)
    safe = np.where(sd > 0.0, sd, 1.0)[:, None]
    d_spread = noise.d_proportional * y[:, None] + a[:, None] * dy
    # Without a safe divisor a prediction of exactly zero under a proportional error would give 0/0; there
    # sd is |a y| and its one-sided derivative that of a y.
    d_sd = np.where(
        sd[:, None] > 0.0, (spread[:, None] * d_spread + b[:, None] * noise.d_additive) / safe, 0.0
    )
    mean, d_mean = y, dy
    if scoring.lognormal.any():
        log = scoring.lognormal
        positive = log & (y > 0.0)
        mean = np.where(log, np.where(positive, np.log(np.where(positive, y, 1.0)), -np.inf), mean)
        d_mean = np.where(
            log[:, None],
            np.where(positive[:, None], dy / np.where(positive, y, 1.0)[:, None], 0.0),
            d_mean,
        )
        sd, d_sd = np.where(log, a, sd), np.where(log[:, None], noise.d_proportional, d_sd)
    if scoring.given.any():
        sd = np.where(scoring.given, scoring.sd, sd)
        d_sd = np.where(scoring.given[:, None], 0.0, d_sd)
    return Moments(mean, sd, d_mean, d_sd)


def evaluate(scoring: Scoring, prediction: Prediction, noise: Noise) -> Likelihood | Failure:
    """Minus twice the log likelihood with its gradient and curvature.

    Parameters
    ----------
    scoring : Scoring
        n observations.
    prediction, noise
        At the same parameters; derivatives by whatever the caller differentiates by.

    Returns
    -------
    Likelihood or Failure
        A failure where a prediction is not finite, or gives a measured value no density (a prediction of
        zero under a proportional or lognormal error).
    """
    y = prediction.value
    scored = scoring.quantified | scoring.censored
    if not np.isfinite(y[scored]).all() or not np.isfinite(prediction.derivative[scored]).all():
        return Failure("a prediction or its derivative is not finite")
    m = moments(scoring, y, prediction.derivative, noise)
    wrong = scoring.quantified & ~((m.sd > 0.0) & np.isfinite(m.mean))
    if wrong.any():
        i = int(np.argmax(wrong))
        return Failure(
            f"the prediction at {scoring.time[i]:.6g} h is {y[i]:.6g}, which gives the measured value "
            f"{scoring.dv[i]:.6g} no density under its error model",
            "give the error model an additive part, or leave the observation out",
        )
    k = prediction.derivative.shape[1]
    value, gradient, curvature = 0.0, np.zeros(k), np.zeros((k, k))

    q = scoring.quantified
    if q.any():
        x = np.where(
            scoring.lognormal[q], np.log(np.where(scoring.lognormal[q], scoring.dv[q], 1.0)), scoring.dv[q]
        )
        sd = m.sd[q]
        e = (x - m.mean[q]) / sd
        u, w = m.d_mean[q] / sd[:, None], m.d_sd[q] / sd[:, None]
        value += float(np.sum(_LOG_2PI + 2.0 * np.log(sd) + e * e))
        value += 2.0 * float(np.sum(x[scoring.lognormal[q]]))
        gradient += 2.0 * ((1.0 - e * e) @ w - e @ u)
        curvature += 2.0 * (u.T @ u + 2.0 * (w.T @ w))

    c = scoring.censored
    if c.any():
        z, dz = _standardised_limit(scoring, m, c)
        if (z == -np.inf).any():
            return Failure("a prediction without any residual error lies above the limit of quantification")
        log_p = log_ndtr(z)
        ratio = np.where(np.isfinite(z), np.exp(-0.5 * z * z - 0.5 * _LOG_2PI - log_p), 0.0)
        value -= 2.0 * float(np.sum(log_p))
        gradient -= 2.0 * (ratio @ dz)
        bend = ratio * (ratio + np.where(np.isfinite(z), z, 0.0))
        curvature += 2.0 * ((dz * np.maximum(bend, 0.0)[:, None]).T @ dz)
    return Likelihood(value, gradient, curvature)


def information_root(scoring: Scoring, prediction: Prediction, noise: Noise) -> Array:
    """A matrix R with R' R the expected Fisher information of minus the log likelihood.

    For a measured value the information on (mu, sigma) is diag(1, 2)/sigma^2. Where a limit of
    quantification acts (rule M3), it is that of a normal variable censored from the left at z standard
    deviations, which an observation carries whether or not it was censored in the event. With phi, Phi at z:

        I_mu,mu       = (1 - Phi + z phi + phi^2/Phi) / sigma^2
        I_mu,sigma    = ((z^2 + 1) phi + z phi^2/Phi) / sigma^2
        I_sigma,sigma = (2 (1 - Phi) + z phi + z^3 phi + z^2 phi^2/Phi) / sigma^2

    (integrals of the squared scores; the censored normal regression of Tobin 1958, Econometrica 26:24).
    The root is kept instead of the product because its singular values show twice as many digits of what
    is nearly undetermined.

    Parameters
    ----------
    scoring, prediction, noise
        As in `evaluate`, at a point where that succeeds.

    Returns
    -------
    array, shape (2 s, k)
        s is the number of scored observations.
    """
    m = moments(scoring, prediction.value, prediction.derivative, noise)
    scored = scoring.quantified | scoring.censored
    z, _ = _standardised_limit(scoring, m, scored)
    sd = np.where(m.sd[scored] > 0.0, m.sd[scored], 1.0)[:, None]
    u, w = m.d_mean[scored] / sd, m.d_sd[scored] / sd
    # Where the standard deviation is zero (a censored value predicted as zero under a proportional error)
    # the outcome is certain and carries nothing.
    certain = ~(m.sd[scored] > 0.0) | (z == np.inf)
    finite = np.isfinite(z)
    s = np.where(finite, z, 0.0)
    phi = np.where(finite, np.exp(-0.5 * s * s - 0.5 * _LOG_2PI), 0.0)
    above = np.where(finite, np.exp(log_ndtr(-s)), 1.0)
    squared = np.where(finite, np.exp(-s * s - _LOG_2PI - log_ndtr(s)), 0.0)
    mm = above + s * phi + squared
    ms = (s * s + 1.0) * phi + s * squared
    ss = 2.0 * above + s * phi + s**3 * phi + s * s * squared
    mm = np.where(certain, 0.0, np.maximum(mm, 0.0))
    first = np.sqrt(mm)
    cross = np.where(first > 0.0, ms / np.where(first > 0.0, first, 1.0), 0.0)
    second = np.sqrt(np.maximum(np.where(certain, 0.0, ss) - cross * cross, 0.0))
    cross = np.where(certain, 0.0, cross)
    root: Array = np.concatenate([first[:, None] * u + cross[:, None] * w, second[:, None] * w])
    return root


def _standardised_limit(scoring: Scoring, m: Moments, rows: NDArray[np.bool_]) -> tuple[Array, Array]:
    """The limit L as z = (L - mu)/sigma, with derivatives, for some rows; -inf where no limit acts."""
    limit = scoring.limit[rows]
    log = scoring.lognormal[rows]
    limit = np.where(log & (limit > 0.0), np.log(np.where(limit > 0.0, limit, 1.0)), limit)
    mean, sd = m.mean[rows], m.sd[rows]
    distance = limit - mean
    positive = sd > 0.0
    z = np.where(positive, distance / np.where(positive, sd, 1.0), np.where(distance > 0.0, np.inf, -np.inf))
    z = np.where(np.isneginf(limit), -np.inf, z)
    usable = positive & np.isfinite(z)
    inner = m.d_mean[rows] + np.where(usable, z, 0.0)[:, None] * m.d_sd[rows]
    dz = np.where(usable[:, None], -inner / np.where(positive, sd, 1.0)[:, None], 0.0)
    return z, dz
