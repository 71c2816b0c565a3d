"""The files of a posterior, and what is read back from them when a finished fit is taken over.

``fit.json`` holds the summaries; draws and bands stand in tables of their own and are joined to it again.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path

from pbpkc.infer.posterior_result import BandRow, PosteriorDraws, PosteriorRow
from pbpkc.infer.result import FitResult, SubjectFit, draw_columns

#: Written where a posterior was asked for.
POSTERIOR_FILES = ("posterior.csv", "posterior_summary.csv", "posterior_bands.csv")

#: Rows of one dataclass as text, see `pbpkc.infer.output.table`.
Table = Callable[[type, Iterable[object]], str]
Lines = Callable[[Sequence[str], Iterable[Sequence[object]]], str]


def posterior_tables(result: FitResult, table: Table, lines: Lines) -> dict[str, str]:
    """The texts of `POSTERIOR_FILES`.

    Parameters
    ----------
    result : FitResult
    table, lines : callable
        Write rows of a dataclass, and rows under given names, as CSV.
    """
    parameters = [str(parameter["name"]) for parameter in result.parameters]
    return {
        "posterior.csv": lines(draw_columns(parameters), result.draws()),
        "posterior_summary.csv": table(PosteriorRow, result.posterior),
        "posterior_bands.csv": table(BandRow, result.bands),
    }


def without_tables(fit: SubjectFit) -> SubjectFit:
    """A fit without what stands in the tables."""
    if fit.posterior is None:
        return fit
    return replace(fit, posterior=replace(fit.posterior, bands=(), draws=None))


def with_tables(fits: Sequence[SubjectFit], folder: Path) -> list[SubjectFit]:
    """Fits of ``fit.json`` with what stands in the tables; those whose tables are not whole are left out.

    Raises
    ------
    OSError, ValueError, KeyError
        If a table that is needed cannot be read.
    """
    if not any(fit.posterior is not None and fit.posterior.check is not None for fit in fits):
        return list(fits)
    bands: dict[str, list[BandRow]] = {}
    with (folder / "posterior_bands.csv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            values = {
                f.name: line[f.name] if f.name in ("id", "observable", "subject") else _number(line[f.name])
                for f in fields(BandRow)
            }
            bands.setdefault(line["id"], []).append(BandRow(**values))  # type: ignore[arg-type]
    drawn: dict[str, list[list[str]]] = {}
    with (folder / "posterior.csv").open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows, None)
        for row in rows:
            drawn.setdefault(row[0], []).append(row)
    joined = []
    for fit in fits:
        posterior = fit.posterior
        if posterior is None or posterior.check is None:
            joined.append(fit)
        elif len(drawn.get(fit.id, ())) == posterior.check.draws:
            draws = _draws(drawn[fit.id])
            joined.append(
                replace(fit, posterior=replace(posterior, bands=tuple(bands.get(fit.id, ())), draws=draws))
            )
    return joined


def _draws(rows: Sequence[Sequence[str]]) -> PosteriorDraws:
    return PosteriorDraws(
        chain=tuple(int(row[1]) for row in rows),
        draw=tuple(int(row[2]) for row in rows),
        values=tuple(tuple(_number(cell) for cell in row[3:-2]) for row in rows),
        log_density=tuple(_number(row[-2]) for row in rows),
        weight=tuple(_number(row[-1]) for row in rows),
    )


def _number(cell: str) -> float:
    return float(cell) if cell else math.nan
