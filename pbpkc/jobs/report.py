"""The report of a fit: checks, curves, plots and one page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pbpkc.jobs.check import check
from pbpkc.jobs.fit import Fitted, fitted_curves, pooled_curves
from pbpkc.jobs.learned_terms import learned_terms
from pbpkc.report.content import ReportContent
from pbpkc.report.fit_series import drawn_subjects
from pbpkc.report.html import write_report
from pbpkc.report.plots import write_fit_plots

if TYPE_CHECKING:
    from pbpkc.jobs.spec import Spec


def write_fit_report(
    folder: Path,
    spec: Spec,
    fitted: Fitted,
    command: str = "",
    progress: Callable[[int, int, str], None] | None = None,
) -> list[Path]:
    """Write the plots of a fit and ``report.html`` into a folder.

    Parameters
    ----------
    folder : Path
        Exists.
    spec : Spec
        As it was fitted, settings of the run applied.
    fitted : Fitted
    command : str
        What repeats the run in a shell.
    progress : callable, optional
        Told (done, total, what comes next).

    Returns
    -------
    list of Path
        What was written.
    """
    tell = progress or (lambda done, total, what: None)
    tell(0, 3, "checks")
    checks = check(spec)
    tell(1, 3, "plots")
    drawn = drawn_subjects(fitted.dataset)
    curves = fitted_curves(fitted, drawn)
    pooled = pooled_curves(fitted, drawn) if fitted.result.singles else ()
    written = list(write_fit_plots(folder, fitted.result, fitted.dataset, curves, pooled=pooled))
    terms, files = learned_terms(folder, spec, fitted)
    written += files
    tell(2, 3, "page")
    content = ReportContent(
        model=spec.model,
        system=spec.stages.lowered,
        result=fitted.result,
        dataset=fitted.dataset,
        curves=curves,
        pooled=pooled,
        checks=checks,
        command=command,
        terms=terms,
    )
    page = folder / "report.html"
    write_report(page, content)
    return [*written, page]
