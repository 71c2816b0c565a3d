"""The files of a fit: written whole or not at all, and read back to go on where a run stopped.

The tables and ``fit.json`` hold the same bytes for the same input, options and seed, for any number of
processes. What differs between runs (times, processes) stands in ``timing.json`` alone. While a fit runs,
finished subjects are kept in ``partial/``, which goes when the files are written.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from pbpkc.experiment.whole_file import write_whole
from pbpkc.infer.codec import from_plain, to_plain
from pbpkc.infer.posterior_files import POSTERIOR_FILES, posterior_tables, with_tables, without_tables
from pbpkc.infer.result import EstimateRow, FitResult, PredictionRow, SubjectFit, SubjectRow
from pbpkc.infer.stale_files import PROFILES, remove_stale
from pbpkc.infer.summary_result import SummaryRow
from pbpkc.solve.output import versions

#: Of ``fit.json``.
FORMAT = 1

#: The files a finished fit leaves, in the order in which they are written; ``fit.json`` last, since its
#: presence says that the others are there.
FILES = ("estimates.csv", "subjects.csv", "predictions.csv", "summary.csv", "timing.json", "fit.json")

_PARTIAL = "partial"


@dataclass
class FitFolder:
    """A directory that keeps finished subjects, as a `pbpkc.infer.fit.Store`.

    Parameters
    ----------
    path : Path
        Made if it does not exist.
    resume : bool
        Whether subjects of an earlier run with identical input and options are taken over. A different
        spec, dose, value, option or seed is another key and is fitted anew.
    """

    path: Path
    resume: bool = True
    _known: dict[str, SubjectFit] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self.path = Path(self.path)
        self.path.mkdir(parents=True, exist_ok=True)
        if self.resume:
            self._known = {fit.key: fit for fit in (*_finished(self.path), *_partial(self.path))}

    def get(self, key: str) -> SubjectFit | None:
        """The subject fitted earlier under this key, None if there is none."""
        return self._known.get(key)

    def put(self, fit: SubjectFit) -> None:
        """Keep a finished subject until the files are written."""
        folder = self.path / _PARTIAL
        folder.mkdir(exist_ok=True)
        write_whole({folder / f"{fit.key}.json": _json(to_plain(fit))})

    def write(self, result: FitResult) -> tuple[Path, ...]:
        """Write the files of a finished fit, and drop what was kept on the way and what an earlier fit left.

        Returns
        -------
        tuple of Path
            In the order of `FILES`, before the last ``profiles.csv`` where profiles were asked for, and the
            files of a posterior where it was.
        """
        texts = {
            "estimates.csv": table(EstimateRow, result.estimates),
            "subjects.csv": table(SubjectRow, result.subjects),
            "predictions.csv": table(PredictionRow, result.predictions),
            "summary.csv": table(SummaryRow, result.summary),
            "timing.json": _json(to_plain(result.timing)),
            "fit.json": _json(document(result)),
        }
        names: tuple[str, ...] = FILES[:-1]
        if any(fit.profiles for fit in result.fits):
            texts[PROFILES] = profile_table(result)
            names += (PROFILES,)
        if result.has_posterior:
            texts |= posterior_tables(result, table, lines)
            names += POSTERIOR_FILES
        names += FILES[-1:]
        # Before the first, so that no table of the last fit stands beside one of this.
        remove_stale(self.path, names, texts["fit.json"])
        # One at a time, so that the order holds.
        for name in names:
            write_whole({self.path / name: texts[name]})
        written = tuple(self.path / name for name in names)
        folder = self.path / _PARTIAL
        if folder.is_dir():
            for left in folder.glob("*.json"):
                left.unlink(missing_ok=True)
            # Somebody else's file in it is no reason to fail.
            if not any(folder.iterdir()):
                folder.rmdir()
        return written


def document(result: FitResult) -> Mapping[str, object]:
    """What ``fit.json`` holds: everything needed to repeat the run, and its numbers."""
    return {
        "format": FORMAT,
        "provenance": to_plain(result.provenance),
        "versions": versions(),
        "options": to_plain(result.options),
        "outcome": result.outcome,
        "objective": "minus twice the log likelihood; for estimator map plus minus twice the log prior "
        "density of the scaled parameters"
        + (", which counts for coefficients of learned terms always" if result.learned else ""),
        "standard_errors": "on the scale of each parameter: of ln(parameter) for scale log, in its unit else",
        "intervals": "95 % Wald on that scale; quantile of Student's t with n - p degrees of freedom for "
        "plain least squares, whose variances are multiplied by n / (n - p), of the normal distribution "
        "else; such an interval knows no bounds (ci_beyond names those it crosses). There is none where a "
        "residual error is estimated from no more observations than parameters. "
        "Profiles end where the objective, the others at their best, has risen by the threshold. A "
        "posterior has the mean, sd, median and 2.5 and 97.5 % points of its draws, in each parameter's unit",
        "time_unit": result.time_unit,
        "parameters": to_plain(result.parameters),
        "observables": to_plain(result.observables),
        "summary": to_plain(result.summary),
        "population": to_plain(result.population),
        "subjects": [to_plain(without_tables(fit)) for fit in result.fits],
    }


def profile_table(result: FitResult) -> str:
    """The points of all profiles as CSV: behind the profiled parameter, all parameters there.

    Each parameter stands in its unit of ``estimates.csv``.
    """
    names = [str(parameter["name"]) for parameter in result.parameters]
    rows = (
        (fit.id, profile.parameter, point.value, profile.unit, point.objective_rise, *point.at)
        for fit in result.fits
        for profile in fit.profiles
        for point in profile.points
    )
    return lines(["id", "parameter", "value", "unit", "objective_rise", *names], rows)


def table(kind: type, rows: Iterable[object]) -> str:
    """Rows of one dataclass as CSV: numbers as Python prints them, nan as an empty cell."""
    names = [f.name for f in fields(kind)]
    return lines(names, ([getattr(row, name) for name in names] for row in rows))


def lines(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows under the names of their columns as CSV, as `table` writes them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return text.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, float):
        return repr(float(value)) if math.isfinite(value) else ""  # numpy's own are written with their type
    return "; ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _finished(path: Path) -> list[SubjectFit]:
    """Subjects of a finished run; none where there is no file, or one that cannot be read."""
    try:
        stored = json.loads((path / "fit.json").read_text(encoding="utf-8"))
        if stored["format"] != FORMAT:
            return []
        return with_tables([from_plain(SubjectFit, entry) for entry in stored["subjects"]], path)
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _partial(path: Path) -> list[SubjectFit]:
    found = []
    for file in sorted((path / _PARTIAL).glob("*.json")):
        try:
            found.append(from_plain(SubjectFit, json.loads(file.read_text(encoding="utf-8"))))
        except (OSError, ValueError):
            continue
    return found
