"""Random effects of a model as lines of a population block."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from pbpkc.language.foreign.model import Effects


def population_lines(effects: Sequence[Effects], names: Mapping[str, str]) -> list[str]:
    """``ETA1 ~ normal(0, sd = 0.3)`` and ``correlate``: how people differ by their random effects.

    A covariance matrix that no effects can have is left out.
    """
    lines: list[str] = []
    for block in effects:
        if _possible(block):
            lines += _block(block, names)
    return lines


def _possible(block: Effects) -> bool:
    size = len(block.names)
    full = np.zeros((size, size))
    for i, row in enumerate(block.covariance):
        for j, value in enumerate(row):
            full[i, j] = full[j, i] = float(value)
    if np.any(np.diag(full) < 0):
        return False
    moving = np.diag(full) > 0
    kept = full[np.ix_(moving, moving)]
    return bool(kept.size == 0 or np.linalg.eigvalsh(kept)[0] > 1e-12 * np.trace(kept))


def _block(block: Effects, names: Mapping[str, str]) -> Iterator[str]:
    deviations = [math.sqrt(float(row[-1])) for row in block.covariance]
    for name, deviation in zip(block.names, deviations, strict=True):
        if deviation > 0:
            yield f"{names[name]} ~ normal(0, sd = {deviation:.12g})"
    for i, row in enumerate(block.covariance):
        for j, value in enumerate(row[:-1]):
            if value and deviations[i] and deviations[j]:
                correlation = float(value) / deviations[i] / deviations[j]
                yield f"correlate {names[block.names[j]]}, {names[block.names[i]]} = {correlation:.12g}"
