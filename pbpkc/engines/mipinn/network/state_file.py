"""How far the training of a network has come, as a file that is read without executing anything."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from pbpkc.engines.mipinn.basis import Basis
from pbpkc.engines.mipinn.family import Task
from pbpkc.engines.mipinn.network.options import NetworkOptions
from pbpkc.engines.mipinn.network.segments import arrays_of
from pbpkc.engines.mipinn.snapshots import Snapshot
from pbpkc.engines.mipinn.trained import equations_of
from pbpkc.experiment.whole_file import write_whole
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.solve.output import versions

Array = NDArray[np.float64]


class NetworkFile:
    """The last state of one training, in a folder.

    Parameters
    ----------
    folder : Path
        Made when the first state is kept.
    key : str
        Hash of all that the training depends on; it is in the file's name, so another training has another
        file.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.path = Path(folder) / f"network-{key[:16]}.safetensors"

    def get(self) -> dict[str, Array] | None:
        """The last state that was kept; None where there is none, or the file was cut short."""
        try:
            return dict(load_file(self.path))
        except (OSError, SafetensorError):
            return None

    def put(self, state: Mapping[str, Array]) -> None:
        """Keep a state in the place of the last one.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole({self.path: save({n: np.ascontiguousarray(a) for n, a in sorted(state.items())})})


def key_of(
    compiled: CompiledModel,
    like: Basis,
    snapshots: Sequence[Snapshot],
    tasks: Mapping[int, Task],
    options: NetworkOptions,
    seed: int,
) -> str:
    """SHA-256 of all that the training of a network depends on."""
    told = {
        "equations": equations_of(compiled),
        "options": {n: v for n, v in asdict(options).items() if n != "keep"},
        "seed": seed,
        "versions": versions(),
    }
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for values in (
        *arrays_of(compiled, like, snapshots, tasks), like.branch, like.features, like.weight, like.scale,
        like.floor, like.grid.edges,
    ):  # fmt: skip
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
