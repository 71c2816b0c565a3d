"""Finished trajectories of a training that was stopped, so that the same training goes on from there."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.snapshots import Trajectory
from pbpkc.experiment.whole_file import write_whole

Array = NDArray[np.float64]

#: Trajectories in one file; a file a task would be many, one file for all would be written again and again.
TOGETHER = 20

#: Files in which networks keep how far they have come (`network.state_file`).
NETWORKS = "network-*.safetensors"


class PartialFolder:
    """Trajectories in a folder beside the model to be written.

    Parameters
    ----------
    path : Path
        Made when the first trajectories are kept.
    key : str
        Hash of all that they depend on; what was kept under another key is not used.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = Path(path), key
        self._known: dict[int, Trajectory] = {}
        self._waiting: dict[str, Array] = {}
        self._count = 0
        self._read()

    @property
    def count(self) -> int:
        """Trajectories known from an earlier run."""
        return len(self._known)

    def get(self, number: int) -> Trajectory | None:
        """The trajectory of a task, None if it was not kept."""
        return self._known.get(number)

    def put(self, number: int, found: Trajectory) -> None:
        """Keep a trajectory; it is on disk once `TOGETHER` of them are."""
        for k, (y0, values) in enumerate(found):
            self._waiting[f"{number}.{k}.y0"] = y0
            self._waiting[f"{number}.{k}.values"] = values
        self._count += 1
        if self._count >= TOGETHER:
            self._write(number)

    def remove(self) -> None:
        """Drop everything that was kept; somebody else's files stay."""
        if not self.path.is_dir():
            return
        kept = (*self.path.glob("trajectories-*.npz"), *self.path.glob(NETWORKS))
        for file in (*kept, self.path / "key.json"):
            file.unlink(missing_ok=True)
        if not any(self.path.iterdir()):
            self.path.rmdir()

    def _write(self, number: int) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        np.savez(content, **self._waiting)  # type: ignore[arg-type]
        files: dict[Path, str | bytes] = {self.path / f"trajectories-{number:06d}.npz": content.getvalue()}
        files[self.path / "key.json"] = json.dumps({"key": self.key}) + "\n"
        write_whole(files)
        self._waiting, self._count = {}, 0

    def _read(self) -> None:
        try:
            known = json.loads((self.path / "key.json").read_text())["key"] == self.key
        except (OSError, ValueError, KeyError, TypeError):
            return
        if not known:
            self.remove()
            return
        for file in sorted(self.path.glob("trajectories-*.npz")):
            parts: dict[int, dict[int, dict[str, Array]]] = {}
            try:
                with np.load(file, allow_pickle=False) as content:
                    for name in content.files:
                        number, k, what = name.split(".")
                        parts.setdefault(int(number), {}).setdefault(int(k), {})[what] = content[name]
            except (OSError, ValueError, zipfile.BadZipFile):
                continue  # cut short: its tasks are solved again
            for task, segments in parts.items():
                self._known[task] = [(segments[k]["y0"], segments[k]["values"]) for k in sorted(segments)]
