"""Whether a form contradicts what is declared of its term."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pbpkc.compiler.missing.form import Form
from pbpkc.language.model import Unknown

Array = NDArray[np.float64]

#: Draws of the coefficients: a form that contradicts the declaration at all of them cannot keep it.
_DRAWS = 60

_ROUNDING = 1e-9
_ALONG = {1: 201, 2: 25}


def contradiction(
    form: Form, unknown: Unknown, theta: Array, others: Mapping[str, float] | None = None
) -> str | None:
    """What a form at given coefficients breaks, over the declared ranges of the arguments; None for nothing.

    Parameters
    ----------
    form : Form
    unknown : Unknown
    theta : ndarray, shape (k,)
        Canonical.
    others : mapping of str to float, optional
        Values of what the form reads of the model.
    """
    axes = [
        a.low + (a.high - a.low) * np.linspace(0.0, 1.0, _ALONG.get(len(unknown.arguments), 9)) ** 2
        for a in unknown.arguments
    ]
    grids = [np.asarray(g) for g in np.meshgrid(*axes, indexing="ij")]
    values = form.values(unknown, grids, theta, others)
    if not np.all(np.isfinite(values)):
        return "it has no value everywhere in the range of its arguments"
    size = float(np.abs(values).max()) or 1.0
    factor = float(unknown.unit.factor)
    unit = "" if unknown.unit.text == "1" else f" {unknown.unit.text}"
    for at, wanted in unknown.anchors:
        found = float(form.values(unknown, [np.asarray(x) for x in at], theta, others))
        if abs(found - wanted) > _ROUNDING * max(size, abs(wanted)):
            place = ", ".join(
                f"{a.name} = {x / float(a.unit.factor):.4g}"
                for a, x in zip(unknown.arguments, at, strict=True)
            )
            return f"it is {found / factor:.3g}{unit} at {place}, declared is {wanted / factor:.3g}{unit}"
    if unknown.range is not None:
        low, high = unknown.range
        if values.min() < low - _ROUNDING * size or values.max() > high + _ROUNDING * size:
            worst = values.min() if low - values.min() > values.max() - high else values.max()
            return (
                f"it reaches {worst / factor:.3g}{unit}, the declared range is "
                f"({low / factor:.4g}, {high / factor:.4g}){unit}"
            )
    for shape, name in unknown.shapes:
        axis = [a.name for a in unknown.arguments].index(name)
        change = np.diff(values, axis=axis) * (1.0 if shape == "rising" else -1.0)
        if change.min() < -_ROUNDING * size:
            word = "falls" if shape == "rising" else "rises"
            return f"it {word} in {name}, declared is {shape}"
    return None


def sometimes_contradicts(form: Form, unknown: Unknown) -> str | None:
    """What a form breaks for any of many coefficients anywhere within their bounds; None for nothing."""
    rng = np.random.default_rng(0)
    for _ in range(_DRAWS):
        theta = np.array([_anywhere(c.mask.low, c.mask.high, c.mask.scale, rng) for c in form.coefficients])
        broken = contradiction(form, unknown, theta)
        if broken is not None:
            return broken
    return contradiction(form, unknown, form.start)


def _anywhere(low: float, high: float, scale: str, rng: np.random.Generator) -> float:
    if scale == "log":
        return math.exp(rng.uniform(math.log(low), math.log(high)))
    return float(rng.uniform(low, high))


def always_contradicts(form: Form, unknown: Unknown, others: Mapping[str, float] | None = None) -> str | None:
    """What a form breaks for all of many coefficients within their bounds; None if it can keep everything."""
    rng = np.random.default_rng(0)
    first: str | None = None
    for _ in range(_DRAWS):
        theta = np.array([_drawn(c.mask.low, c.mask.high, c.start, rng) for c in form.coefficients])
        broken = contradiction(form, unknown, theta, others)
        if broken is None:
            return None
        first = first or broken
        if not form.coefficients:
            break
    return first


def _drawn(low: float, high: float, start: float, rng: np.random.Generator) -> float:
    """Near the start for the most part: bounds are wide."""
    value = start * math.exp(rng.normal(0.0, min(3.0, 0.25 * math.log(high / low))))
    return min(max(value, low), high)
