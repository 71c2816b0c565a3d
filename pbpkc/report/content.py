"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pbpkc.check.report import CheckReport
from pbpkc.compiler.system import System
from pbpkc.experiment.data import Dataset
from pbpkc.infer.result import FitResult
from pbpkc.language.model import Model, Unknown
from pbpkc.report.fit_series import Curve
from pbpkc.report.term_curves import TermCurve
from pbpkc.solve.output import versions


@dataclass(frozen=True)
class ReportContent:
    """Everything that stands in a report.

    Parameters
    ----------
    model : Model
        As it was fitted: with the masks and values of this run.
    system : System
        Its equations as lowered from the spec, before they were simplified.
    result : FitResult
    dataset : Dataset
        That was fitted.
    curves : sequence of Curve
        Observables on a dense grid at the estimates, of the subjects that have some and are drawn.
    checks : CheckReport, optional
        What `pbpkc check` found; a report without says that nothing was checked.
    command : str
        What repeats the run in a shell; left out where empty.
    versions : mapping of str to str
        Of what computed the numbers.
    pooled : sequence of Curve
        The same at the estimate of all subjects together, where it stands beside those of single ones.
    terms : sequence of (Unknown, sequence of TermCurve)
        Unknown terms that were learned, with their curves.
    """

    model: Model
    system: System
    result: FitResult
    dataset: Dataset
    curves: Sequence[Curve]
    checks: CheckReport | None = None
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=versions)
    pooled: Sequence[Curve] = ()
    terms: Sequence[tuple[Unknown, Sequence[TermCurve]]] = ()
