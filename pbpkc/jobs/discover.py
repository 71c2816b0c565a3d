"""Find the formula of an unknown term: a library of forms, each fitted to the data.

First the term is learned as a curve, which shows where the data look and gives every form a start: its
coefficients are fitted to the curve, which costs nothing. Then each form takes the term's place in the model
and is fitted to the *data*, with the spec's own masked parameters. Regressing the curve instead would count
its errors as if they were independent, and mostly chooses wrongly.

Forms are compared by BIC: the sum over subjects of -2 log L + k ln n, with n the observations that are
scored (censored ones included) and k all estimated parameters of the subject, those of the spec too. L is
the likelihood of the data alone: coefficients of forms have bounds and no prior that counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pbpkc.compiler.missing.library import Untried
from pbpkc.jobs.discover_average import Average, averaged
from pbpkc.jobs.discover_form import Tried, sample_of, try_form
from pbpkc.jobs.discover_prepare import Prepared, prepare
from pbpkc.jobs.fit import FitJob, Fitted, fit
from pbpkc.jobs.loaded import LoadedModel
from pbpkc.jobs.visited import curves, visited
from pbpkc.language.model import Unknown
from pbpkc.report.term_curves import TermCurve

#: Forms within this of the smallest BIC are told: data seldom decide between them.
WITHIN = 6.0


@dataclass(frozen=True)
class Discovery:
    """What was found for a term.

    Parameters
    ----------
    unknown : Unknown
    tried : tuple of Tried
        By BIC, those that do not count last.
    untried : tuple of Untried
    curves : tuple of TermCurve
        The learned curve.
    learned : Fitted
        Its fit.
    """

    unknown: Unknown
    tried: tuple[Tried, ...]
    untried: tuple[Untried, ...]
    curves: tuple[TermCurve, ...]
    learned: Fitted

    @property
    def best(self) -> float:
        """The smallest BIC."""
        return min((t.bic for t in self.tried if not t.reason), default=math.nan)

    @property
    def kept(self) -> tuple[Tried, ...]:
        """The forms within `WITHIN` of the smallest BIC."""
        return tuple(t for t in self.tried if not t.reason and t.bic <= self.best + WITHIN)

    @property
    def average(self) -> Average | None:
        """The mean of all forms' curves, weighted by exp(-BIC / 2); None where no form counts."""
        return averaged(self.tried, self.unknown)


def discover(
    loaded: LoadedModel,
    job: FitJob,
    name: str | None = None,
    forms: Sequence[str] = (),
    said: Sequence[str] = (),
    progress: Callable[[int, int, str], None] | None = None,
    only: Sequence[str] | None = None,
) -> Discovery:
    """Fit forms of an unknown term to data.

    Parameters
    ----------
    loaded : LoadedModel
        Settings of the run applied.
    job : FitJob
        Data, scenario, method and options of each fit.
    name : str, optional
        The term; the only one of the spec where left out.
    forms : sequence of str
        Further forms, ``"vmax * c^2 / (k^2 + c^2)"``.
    said : sequence of str
        Units and bounds of their names, ``"k [umol/L] in (1, 1e4)"``.
    progress : callable, optional
        Told (done, total, what comes next).
    only : sequence of str, optional
        Titles of the library's forms to be tried; all where left out.

    Raises
    ------
    SpecError
        For a term that does not exist, a form that cannot be read, or problems of the data.
    ValueError
        If the learned curve cannot be fitted for any subject.
    """
    return discover_prepared(prepare(loaded, name, forms, said, only), job, progress)


def discover_prepared(
    prepared: Prepared, job: FitJob, progress: Callable[[int, int, str], None] | None = None
) -> Discovery:
    """Fit what was prepared to data; see `discover`."""
    unknown, learned = prepared.unknown, prepared.learned
    total = len(prepared.candidates) + 1
    tell = progress or (lambda done, total, what: None)
    tell(0, total, "the curve")
    first = replace(job, options=replace(job.options, starts=1, profile=None))
    fitted = fit(prepared.curve, first)
    seen = visited(prepared.curve, fitted, learned)
    if not seen:
        reasons = "; ".join(f"{f.id}: {f.reason}" for f in fitted.result.fits)
        raise ValueError(f"the curve of '{unknown.name}' could not be fitted to any subject ({reasons})")
    sample = sample_of(fitted, learned, seen)
    found = []
    for done, one in enumerate(prepared.candidates):
        tell(done + 1, total, one.written.title)
        found.append(try_form(job, unknown, one, sample))
    found.sort(key=lambda t: (bool(t.reason), t.bic if math.isfinite(t.bic) else math.inf))
    tell(total, total, "")
    drawn = curves(prepared.curve, fitted, learned, seen)
    return Discovery(unknown, tuple(found), prepared.untried, drawn, fitted)
