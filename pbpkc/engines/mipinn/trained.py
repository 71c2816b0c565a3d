"""What stage 1 leaves: features of every kind of segment, what they were trained on, how good they are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.basis import Basis
from pbpkc.engines.mipinn.network.sine import Network
from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Memory:
    """Solutions of training tasks, where the iteration of a new one may begin.

    Parameters
    ----------
    keys : array, shape (m, d)
        Parameters that vary, each scaled to [0, 1] over its range, and the logarithm of the task's size.
    size : array, shape (m,)
        Sum of the states at the beginning and of what infusions bring.
    w : array, shape (m, S, K)
    """

    keys: Array
    size: Array
    w: Array


@dataclass(frozen=True)
class KindModel:
    """What was learned of one kind of segment.

    Parameters
    ----------
    basis : Basis
    memory : Memory
    given : mapping of str to (float, float)
        Smallest and largest bolus (umol) and rate of infusion (umol/h) that training gave, by state.
    network : Network, optional
        What the features are values of, where they are a network's.
    """

    basis: Basis
    memory: Memory
    given: Mapping[str, tuple[float, float]]
    network: Network | None = None


@dataclass(frozen=True)
class TrainedModel:
    """A trained representation.

    Parameters
    ----------
    equations : str
        Hash of the generated equations, see `equations_of`.
    fingerprint : str
        Of the spec it was trained on, values and masks included.
    model : str
        Name of the spec's model.
    kinds : mapping of str to KindModel
    varied : mapping of str to (float, float, bool)
        Range that training drew each parameter from, and whether evenly in the logarithm.
    fixed : mapping of str to float
        What every other parameter was that the prediction depends on.
    record : mapping
        Options, seeds, versions, tasks, time, and accuracy on held-out tasks: what JSON can hold.
    """

    equations: str
    fingerprint: str
    model: str
    kinds: Mapping[str, KindModel]
    varied: Mapping[str, tuple[float, float, bool]]
    fixed: Mapping[str, float]
    record: Mapping[str, object]

    def key(self, p: Array, index: Mapping[str, int], size: float) -> Array:
        """Where parameters, shape (P,), lie among the training tasks, shape (d,)."""
        found = []
        for name, (low, high, log) in self.varied.items():
            value = float(p[index[name]])
            if log:
                found.append(np.log(max(value, 1e-300) / low) / np.log(high / low))
            else:
                found.append((value - low) / (high - low))
        found.append(np.log10(max(size, 1e-300)))
        return np.array(found)


def equations_of(compiled: CompiledModel) -> str:
    """SHA-256 of the generated equations alone: values, masks and priors do not change it."""
    text = compiled.generated.numpy_text
    return hashlib.sha256(text[text.index("\nfrom ") :].encode()).hexdigest()
