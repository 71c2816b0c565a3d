"""Non-compartmental figures of many curves: their summary, and the table as text, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pbpkc.experiment.nca import NCAResult
from pbpkc.language.diagnostics import Diagnostic

# Which points a line used, and how well it fits, have no mean worth reading.
_NOT_SUMMARISED = ("c0", "n_points", "lambda_z_from", "lambda_z_to", "r2_adj")

# Beyond this exponent exp() is no finite number.
_LARGEST = 700.0

_BLOCKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Observed", ("c0", "cmax", "tmax", "clast", "tlast", "auc_last", "aumc_last")),
    ("Terminal line", ("lambda_z", "half_life", "n_points", "lambda_z_from", "lambda_z_to", "r2_adj")),
    ("To infinity", ("auc_inf_obs", "aumc_inf_obs", "auc_extrap_pct", "mrt_inf_obs")),
    ("With the dose", ("cl_obs", "vz_obs", "vss_obs")),
)


@dataclass(frozen=True)
class NCARow:
    """One curve: the values that tell it apart, its dose with unit (None without one) and its figures."""

    group: tuple[str, ...]
    dose: str | None
    result: NCAResult


@dataclass(frozen=True)
class Summary:
    """One figure over the curves that have it.

    Parameters
    ----------
    n : int
        Curves whose figure is positive: only these have a logarithm, and enter.
    geometric_mean : float
        In the figure's unit; nan for n = 0.
    geometric_cv_pct : float, %
        ``100 sqrt(exp(s^2) - 1)`` with s the standard deviation (n - 1) of the logarithms; nan for n < 2 and
        where it is beyond all numbers.
    median : float
        In the figure's unit, over the same curves.
    """

    n: int
    geometric_mean: float
    geometric_cv_pct: float
    median: float


@dataclass(frozen=True)
class NCATable:
    """The figures of all curves of a file.

    Parameters
    ----------
    by : tuple of str
        Names of the columns that tell the curves apart; empty for one curve.
    rows : tuple of NCARow
    units : mapping of str to str
        Unit of each figure, by its name.
    remarks : tuple of str
        What was assumed and done for the whole file.
    refused : tuple of Diagnostic
        Curves that a single-dose analysis does not apply to; they have no row.
    summarised : bool
        Whether the curves are alike, so that a mean over them says something.
    """

    by: tuple[str, ...]
    rows: tuple[NCARow, ...]
    units: Mapping[str, str]
    remarks: tuple[str, ...]
    refused: tuple[Diagnostic, ...] = ()
    summarised: bool = True

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures, in order."""
        return tuple(self.units)

    def summary(self) -> Mapping[str, Summary]:
        """Each figure over the curves, those left out that have no meaningful mean."""
        if not self.summarised:
            return {}
        return {
            name: _summarise([row.result.figures()[name] for row in self.rows])
            for name in self.figures
            if name not in _NOT_SUMMARISED
        }

    def to_csv(self) -> str:
        """One row a curve and, for more than one, the geometric means below; units stand in the header.

        Dimensionless figures have no unit there. Numbers round-trip; an undetermined figure is empty.
        """
        out = io.StringIO()
        write = csv.writer(out, lineterminator="\n")
        heads = [f"{name} [{unit}]" if unit != "1" else name for name, unit in self.units.items()]
        labels = self.by or ("curve",)
        write.writerow([*labels, "dose", *heads, "notes"])
        for row in self.rows:
            cells = [_exact(value) for value in row.result.figures().values()]
            write.writerow([*(row.group or ("1",)), row.dose or "", *cells, "; ".join(row.result.notes)])
        summary = self.summary()
        if len(self.rows) > 1 and summary:
            cells = [_exact(summary[name].geometric_mean) if name in summary else "" for name in self.figures]
            write.writerow(["geometric mean", *[""] * (len(labels) - 1), "", *cells, ""])
        return out.getvalue()

    def to_json(self) -> str:
        """Units, curves with their notes, summary, remarks and refused curves; undetermined is null."""
        content = {
            "units": dict(self.units),
            "curves": [
                {
                    "curve": dict(zip(self.by, row.group, strict=True)),
                    "dose": row.dose,
                    "figures": {name: _null(value) for name, value in row.result.figures().items()},
                    "notes": list(row.result.notes),
                }
                for row in self.rows
            ],
            "summary": {
                name: {
                    "n": s.n,
                    "geometric_mean": _null(s.geometric_mean),
                    "geometric_cv_pct": _null(s.geometric_cv_pct),
                    "median": _null(s.median),
                }
                for name, s in self.summary().items()
            },
            "remarks": list(self.remarks),
            "refused": [dict(problem.to_json()) for problem in self.refused],
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    def to_text(self) -> str:
        """For reading: blocks of a width that fits a terminal, four significant digits, then the notes."""
        summary = self.summary() if len(self.rows) > 1 else {}
        lines = list(self.remarks)
        for title, names in _BLOCKS:
            shown = [n for n in names if any(_known(row.result.figures()[n]) for row in self.rows)]
            if shown:
                lines += ["", title, *self._block(shown, summary)]
        notes = self._notes()
        if notes:
            lines += ["", "Notes", *notes]
        return "\n".join(lines) + "\n"

    def _block(self, names: Sequence[str], summary: Mapping[str, Summary]) -> list[str]:
        labels = self.by or ("curve",)
        table = [[*labels, *names], [*("" for _ in labels), *(_bracket(self.units[n]) for n in names)]]
        for row in self.rows:
            figures = row.result.figures()
            table.append([*(row.group or ("1",)), *(_short(figures[n]) for n in names)])
        if any(n in summary for n in names):
            table.append([])
            for label, pick in _SUMMARY_LINES:
                cells = [pick(summary[n]) if n in summary else "" for n in names]
                table.append([label, *("" for _ in labels[1:]), *cells])
        columns = len(labels) + len(names)
        widths = [max(len(line[i]) for line in table if line) for i in range(columns)]
        return [
            "  ".join(
                cell.ljust(width) if i < len(labels) else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=bool(line)))
            ).rstrip()
            for line in table
        ]

    def _notes(self) -> list[str]:
        # Most notes are the same for many curves; each is said once.
        curves: dict[str, list[str]] = {}
        for row in self.rows:
            for note in row.result.notes:
                curves.setdefault(note, []).append("/".join(row.group) or "1")
        return [
            note if len(who) == len(self.rows) else f"{'/'.join(self.by)} {', '.join(who)}: {note}"
            for note, who in curves.items()
        ]


def _summarise(values: Sequence[float]) -> Summary:
    positive = np.array([value for value in values if _known(value) and value > 0])
    n = len(positive)
    if not n:
        return Summary(0, math.nan, math.nan, math.nan)
    logs = np.log(positive)
    # Equal values have no spread; their mean may be off by a rounding error and would show one.
    spread = float(np.std(logs, ddof=1)) if np.ptp(positive) > 0 else 0.0
    return Summary(
        n,
        float(np.exp(np.mean(logs))),
        100 * math.sqrt(math.expm1(spread**2)) if n > 1 and spread**2 < _LARGEST else math.nan,
        float(np.median(positive)),
    )


def _known(value: float) -> bool:
    return math.isfinite(value)


def _exact(value: float) -> str:
    return repr(value) if _known(value) else ""


def _null(value: float) -> float | None:
    return value if _known(value) else None


def _short(value: float) -> str:
    return f"{value:.4g}" if _known(value) else "-"


def _bracket(unit: str) -> str:
    return "" if unit == "1" else f"[{unit}]"


_SUMMARY_LINES: tuple[tuple[str, Callable[[Summary], str]], ...] = (
    ("geometric mean", lambda s: _short(s.geometric_mean)),
    ("geometric CV %", lambda s: _short(s.geometric_cv_pct)),
    ("median", lambda s: _short(s.median)),
    ("n", lambda s: str(s.n)),
)
