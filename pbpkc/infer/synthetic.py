"""Measurements drawn from a model: what a fit is tried on, and what a design is judged by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.observations import ERROR_KINDS
from pbpkc.infer.predictor import Noise

Array = NDArray[np.float64]


def draw(
    prediction: Array,
    noise: Noise,
    error: Sequence[str],
    generator: np.random.Generator,
    sd: Array | None = None,
    lloq: Array | None = None,
) -> tuple[Array, NDArray[np.bool_]]:
    """Measured values drawn from the error model around predictions.

    Parameters
    ----------
    prediction : array, shape (n,)
    noise : Noise
        Arguments of the error model; derivatives are not used.
    error : sequence of str, length n
        Kind of error of each observation.
    generator : numpy.random.Generator
        One standard normal number is drawn for each observation, in order.
    sd : array, shape (n,), optional
        For ``given``.
    lloq : array, shape (n,), optional
        Limits of quantification, nan where there is none.

    Returns
    -------
    dv : array, shape (n,)
        The limit itself for values below it.
    censored : array of bool, shape (n,)

    Raises
    ------
    ValueError
        For an unknown kind of error, or ``given`` without `sd`.
    """
    for kind in error:
        if kind not in ERROR_KINDS:
            raise ValueError(f"error is {kind!r}; accepted are {', '.join(ERROR_KINDS)}")
    kinds = np.array(error, dtype=object)
    if sd is None and (kinds == "given").any():
        raise ValueError("sd is None; the error given() needs a standard deviation for each observation")
    e = generator.standard_normal(len(prediction))
    spread = np.hypot(noise.proportional * prediction, noise.additive)
    if sd is not None:
        spread = np.where(kinds == "given", sd, spread)
    dv = prediction + spread * e
    log = kinds == "lognormal"
    dv = np.where(log, prediction * np.exp(np.where(log, noise.proportional, 0.0) * e), dv)
    if lloq is None:
        return dv, np.zeros(len(dv), dtype=bool)
    censored = np.isfinite(lloq) & (dv < lloq)
    return np.where(censored, lloq, dv), censored
