"""What a fit leaves of the terms it learned: their curves as tables and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pbpkc.experiment.whole_file import write_whole
from pbpkc.jobs.visited import curves
from pbpkc.report.plot_style import picture
from pbpkc.report.term_curves import SIZE, TermCurve, curve_table, term_figure

if TYPE_CHECKING:
    from pbpkc.jobs.fit import Fitted
    from pbpkc.jobs.spec import Spec
    from pbpkc.language.model import Unknown


def learned_terms(
    folder: Path, spec: Spec, fitted: Fitted
) -> tuple[tuple[tuple[Unknown, tuple[TermCurve, ...]], ...], list[Path]]:
    """Write ``unknown_NAME.csv`` and ``unknown_NAME.svg`` for each learned term.

    Parameters
    ----------
    folder : Path
        Exists.
    spec : Spec
        As it was fitted.
    fitted : Fitted

    Returns
    -------
    tuple of (Unknown, tuple of TermCurve)
    list of Path
        What was written: a picture is of the first subject and argument.
    """
    found, files = [], {}
    for learned in spec.learned:
        drawn = curves(spec, fitted, learned)
        if not drawn:
            continue
        found.append((learned.unknown, drawn))
        name = f"unknown_{learned.unknown.name}"
        files[folder / f"{name}.csv"] = curve_table(learned.unknown, drawn).encode()
        files[folder / f"{name}.svg"] = picture(term_figure(learned.unknown, drawn[0]), SIZE, "svg", name)
    write_whole(files)
    return tuple(found), list(files)
