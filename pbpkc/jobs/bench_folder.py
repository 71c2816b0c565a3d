"""The folder of a benchmark: what is finished is kept there, so that a stopped run goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pbpkc.experiment.whole_file import write_whole
from pbpkc.infer.codec import from_plain, to_plain
from pbpkc.solve.output import versions

T = TypeVar("T")


def key_of(*material: object) -> str:
    """Hash of everything that a finished part depends on, versions of the programs included."""
    text = json.dumps([to_plain(m) for m in material] + [versions()], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class BenchFolder:
    """Finished parts under ``parts/``, trained models under ``models/``.

    Parameters
    ----------
    path : Path
        Made if it is not there.
    resume : bool
        Whether finished parts of an earlier run are taken over.
    """

    path: Path
    resume: bool = True
    taken: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        for folder in (self.path, self.path / "parts", self.path / "models"):
            folder.mkdir(parents=True, exist_ok=True)

    def part(
        self, name: str, key: str, kind: type[T], make: Callable[[], T], beside: Path | None = None
    ) -> T:
        """A part that was finished before under this key, or that is made now and kept.

        Without the file `beside`, which belongs to it, it counts as not finished.
        """
        place = self.path / "parts" / f"{name}.json"
        if self.resume and (beside is None or beside.exists()):
            try:
                stored = json.loads(place.read_text(encoding="utf-8"))
                if stored["key"] == key:
                    found = from_plain(kind, stored["value"])
                    self.taken += 1
                    return found
            except (OSError, ValueError, KeyError, TypeError):
                pass  # not there, or of another version: made anew
        made = make()
        value = {"key": key, "value": to_plain(made)}
        write_whole({place: json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n"})
        return made

    def model(self, name: str) -> Path:
        """Where a trained model stands."""
        return self.path / "models" / f"{name}.mipinn"
