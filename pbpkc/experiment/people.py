"""Virtual people as a table: a CSV file with one row a person, and a JSON file beside it with the units."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.whole_file import write_whole
from pbpkc.language.units import Unit

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

#: Version of the JSON file's own form.
FORMAT = 1

#: Percentiles of a summary.
SUMMARY_LEVELS = (5.0, 25.0, 50.0, 75.0, 95.0)


@dataclass(frozen=True)
class ColumnSummary:
    """One quantity over the people, in its unit; `sd` is nan for a single person.

    `percentiles` maps a level in % to the value, by linear interpolation between the ordered values.
    """

    name: str
    unit: str
    n: int
    mean: float
    sd: float
    low: float
    high: float
    percentiles: Mapping[float, float]


@dataclass(frozen=True)
class People:
    """Virtual people, with what sets them apart.

    Parameters
    ----------
    ids : tuple of str
        Shape (n,); each differs from the others.
    names : tuple of str
        The definitions that differ, shape (k,).
    units : tuple of Unit
        Shape (k,).
    values : ndarray, shape (n, k)
        Each column in its unit.
    provenance : mapping
        How they came about, as plain data: model, population, fingerprint, seed, versions, settings.
    path : str
        Of the file they were read from; empty if they were drawn in this run.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    units: tuple[Unit, ...]
    values: Array
    provenance: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""

    def __len__(self) -> int:
        """How many there are."""
        return len(self.ids)

    def columns(self) -> dict[str, Array]:
        """Each quantity of all people, shape (n,), canonical units."""
        return {
            name: column * float(unit.factor) + float(unit.offset)
            for name, unit, column in zip(self.names, self.units, self.values.T, strict=True)
        }

    def to_frame(self) -> pd.DataFrame:
        """A pandas view: ``id`` and the quantities, each in its unit."""
        import pandas as pd

        columns = dict(zip(self.names, self.values.T, strict=True))
        return pd.DataFrame({"id": list(self.ids), **columns})

    def summary(self) -> tuple[ColumnSummary, ...]:
        """Each quantity over the people: mean, standard deviation (n - 1), range and percentiles."""
        found = []
        for name, unit, column in zip(self.names, self.units, self.values.T, strict=True):
            levels = np.percentile(column, SUMMARY_LEVELS)
            found.append(
                ColumnSummary(
                    name,
                    unit.text,
                    len(column),
                    float(np.mean(column)),
                    float(np.std(column, ddof=1)) if len(column) > 1 else math.nan,
                    float(column.min()),
                    float(column.max()),
                    dict(zip(SUMMARY_LEVELS, levels.tolist(), strict=True)),
                )
            )
        return tuple(found)

    def to_csv(self) -> str:
        """``id`` and the quantities; numbers read back to the same bits."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["id", *self.names])
        for id, row in zip(self.ids, self.values.tolist(), strict=True):
            writer.writerow([id, *map(repr, row)])
        return text.getvalue()

    def to_json(self) -> str:
        """What stands beside the CSV file: the unit of each column, and how the people came about."""
        content = {
            "format": FORMAT,
            **self.provenance,
            "columns": units_by_column(self.names, [unit.text for unit in self.units]),
        }
        return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def write(self, path: str | Path) -> tuple[Path, Path]:
        """Write ``path`` and ``path.json``, both or neither.

        Raises
        ------
        OSError
            If the folder does not exist or cannot be written.
        """
        path = Path(path)
        beside = beside_of(path)
        write_whole({path: self.to_csv(), beside: self.to_json()})
        return path, beside


def beside_of(path: Path) -> Path:
    """The JSON file that holds the units of a CSV file."""
    return path.with_name(path.name + ".json")


def units_by_column(names: Sequence[str], units: Sequence[str]) -> dict[str, str | None]:
    """The ``columns`` of the JSON file; an id has no unit."""
    return {"id": None, **dict(zip(names, units, strict=True))}
