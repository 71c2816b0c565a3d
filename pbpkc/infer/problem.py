"""What is to be fitted: parameters, subjects with their data, and where they come from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.observations import Observations
from pbpkc.infer.options import FitOptions
from pbpkc.infer.predictor import Predictor
from pbpkc.infer.search import MultiStart, Search
from pbpkc.infer.transform import FittedParameter
from pbpkc.solve.output import versions

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CurveGrid:
    """Where the curves of one subject are drawn.

    Parameters
    ----------
    time : array, shape (m,), h
    observable : array of int, shape (m,)
        Index into the fit's observables.
    error : tuple of str, length m
        Kind of residual error of each.
    predictor : Predictor
        Predicts there, asked for `reference` and `noise` alone.
    owners : tuple of str
        Of a pooled subject: whose each place is; empty for a single one.
    """

    time: Array
    observable: NDArray[np.int64]
    error: tuple[str, ...]
    predictor: Predictor
    owners: tuple[str, ...] = ()


@dataclass(frozen=True)
class FitSubject:
    """One individual.

    Parameters
    ----------
    id : str
    observations : Observations
    predictor : Predictor
        Predicts at exactly these observations, in their order.
    identity : str
        Text that changes when anything the predictor depends on changes (doses, covariates, fixed
        parameters, solver options); used to tell whether a stored result is still good.
    exact : Predictor, optional
        The same on the exact model, where `predictor` is a faster approximation: its word counts at the
        optimum.
    remarks : callable, optional
        What to say of an estimate, shape (k,), canonical units: sentences for the notes.
    owners : tuple of str
        Of a pooled subject: whose each observation is; empty for a single one.
    curve : CurveGrid, optional
        Where prediction bands are drawn; at the observations if left out.
    """

    id: str
    observations: Observations
    predictor: Predictor
    identity: str = ""
    exact: Predictor | None = None
    remarks: Callable[[Array], tuple[str, ...]] | None = None
    owners: tuple[str, ...] = ()
    curve: CurveGrid | None = None


@dataclass(frozen=True)
class FitObservable:
    """An observable: its name and the text of its unit."""

    name: str
    unit: str


@dataclass(frozen=True)
class FitProblem:
    """Everything a fit needs.

    Parameters
    ----------
    parameters : tuple of FittedParameter
    subjects : tuple of FitSubject
    observables : tuple of FitObservable
        Those that `Observations.observable` counts.
    fingerprint : str
        Of the model's equations.
    provenance : mapping of str to (str or number)
        What the caller wants in ``fit.json``: names and hashes of spec and data, solver options, versions.
    time_unit : str
    time_factor : float
        Hours in one time unit of reports.
    search : Search
        What looks for the optimum.
    method : str
        Name of the whole method, as the user chose it.
    by : str
        Whether subjects are fitted each by itself, pooled, or both; see `pbpkc.infer.pooled.pool`.

    Raises
    ------
    ValueError
        If there are no subjects or parameters, or two subjects share an id.
    """

    parameters: tuple[FittedParameter, ...]
    subjects: tuple[FitSubject, ...]
    observables: tuple[FitObservable, ...]
    fingerprint: str = ""
    provenance: Mapping[str, object] = field(default_factory=dict)
    time_unit: str = "h"
    time_factor: float = 1.0
    search: Search = field(default_factory=MultiStart)
    method: str = "least-squares"
    by: str = "subject"

    def __post_init__(self) -> None:
        if not self.parameters:
            raise ValueError("parameters is empty; at least one masked parameter is needed")
        if not self.subjects:
            raise ValueError("subjects is empty; at least one is needed")
        ids = [subject.id for subject in self.subjects]
        if len(set(ids)) != len(ids):
            raise ValueError("two subjects have the same id")

    def key(self, subject: FitSubject, options: FitOptions) -> str:
        """SHA-256 of everything the fit of one subject depends on, versions of the programs included."""
        seen = subject.observations
        material = {
            "versions": versions(),
            "fingerprint": self.fingerprint,
            "options": options.identity(),
            "method": [self.method, self.search.name],
            "parameters": [
                [p.name, p.unit.text, p.low, p.high, p.start, p.scale, _prior(p)] for p in self.parameters
            ],
            "observables": [[o.name, o.unit] for o in self.observables],
            "time": [self.time_unit, self.time_factor],
            "id": subject.id,
            "subject": subject.identity,
            "data": [
                *(
                    getattr(seen, name).tolist()
                    for name in ("time", "observable", "dv", "censored", "lloq", "sd")
                ),
                list(seen.error),
            ],
        }
        return hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest()


def _prior(parameter: FittedParameter) -> list[object] | None:
    prior = parameter.prior
    counted = ["counted"] if parameter.counted else []
    return None if prior is None else [prior.family, sorted(prior.arguments.items()), *counted]
