"""A trained model as a file: safetensors with one JSON text beside the arrays.

The file says what it was trained for. It is read without executing anything, and refused where it is
damaged, of another version, or of other equations than those at hand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from pbpkc.engines.mipinn.basis import Basis
from pbpkc.engines.mipinn.grid import Grid
from pbpkc.engines.mipinn.network.sine import PARTS, Network
from pbpkc.engines.mipinn.trained import KindModel, Memory, TrainedModel, equations_of
from pbpkc.experiment.whole_file import write_whole
from pbpkc.language.diagnostics import Diagnostic, SpecError
from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]

#: Of the file.
FORMAT = 1

_NAME = "pbpkc.mipinn"

#: Help where a path leads to none.
_WRITTEN = "give the FILE that `pbpkc meta-train -o FILE` wrote"


def write(path: Path, trained: TrainedModel) -> None:
    """Write a trained model; the file appears whole or not at all.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    arrays: dict[str, Array] = {}
    kinds: list[dict[str, object]] = []
    for number, (kind, one) in enumerate(sorted(trained.kinds.items())):
        kinds.append({"kind": kind, "given": dict(one.given), "degree": one.basis.grid.degree})
        arrays |= {
            f"{number}.edges": one.basis.grid.edges,
            f"{number}.branch": one.basis.branch.astype(np.int64),
            f"{number}.features": one.basis.features,
            f"{number}.weight": one.basis.weight,
            f"{number}.scale": one.basis.scale,
            f"{number}.floor": one.basis.floor,
            f"{number}.memory.keys": one.memory.keys,
            f"{number}.memory.size": one.memory.size,
            f"{number}.memory.w": one.memory.w,
        }
        if one.network is not None:
            kinds[-1]["network"] = {"first": one.network.first, "length": one.network.length}
            arrays |= {f"{number}.network.{part}": a for part, a in one.network.parts.items()}
    head = {
        "what": _NAME,
        "format": FORMAT,
        "equations": trained.equations,
        "fingerprint": trained.fingerprint,
        "model": trained.model,
        "kinds": kinds,
        "varied": {name: list(value) for name, value in trained.varied.items()},
        "fixed": dict(trained.fixed),
        "record": trained.record,
    }
    head["sha256"] = _digest(arrays)
    # One entry, because the order of several is not the same in every run.
    text = json.dumps(head, sort_keys=True, allow_nan=True)
    content = save({name: np.ascontiguousarray(a) for name, a in sorted(arrays.items())}, {_NAME: text})
    write_whole({Path(path): content})


def read(path: Path) -> TrainedModel:
    """A trained model from its file.

    Raises
    ------
    SpecError
        If the file is damaged, of another version, or no such file.
    OSError
        If it cannot be read.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise _refused(path, "does not exist", _WRITTEN) from None
    try:
        size = int.from_bytes(content[:8], "little")
        told = json.loads(content[8 : 8 + size]).get("__metadata__", {})
        head = json.loads(told[_NAME])
    except (ValueError, KeyError, AttributeError, UnicodeDecodeError):
        raise _refused(path, "is not a trained model", _WRITTEN) from None
    if head.get("format") != FORMAT:
        raise _refused(
            path,
            f"has format {head.get('format')!r}; this version reads format {FORMAT}",
            "train it again with this version: pbpkc meta-train SPEC -o FILE",
        )
    try:
        arrays = load(content)
        if head["sha256"] != _digest(arrays):
            raise ValueError("the arrays are not those that were written")
        kinds = {str(k["kind"]): _kind(arrays, number, k) for number, k in enumerate(head["kinds"])}
        return TrainedModel(
            equations=str(head["equations"]),
            fingerprint=str(head["fingerprint"]),
            model=str(head["model"]),
            kinds=kinds,
            varied={n: (float(a), float(b), bool(c)) for n, (a, b, c) in head["varied"].items()},
            fixed={n: float(v) for n, v in head["fixed"].items()},
            record=head["record"],
        )
    except (SafetensorError, ValueError, KeyError, TypeError):
        raise _refused(path, "is damaged", "copy it again, or train it again") from None


def _digest(arrays: Mapping[str, Array]) -> str:
    """SHA-256 of all arrays by name: a bit that flips in a file is no reason for another estimate."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(name.encode())
        found.update(np.ascontiguousarray(arrays[name]).tobytes())
    return found.hexdigest()


def demand_fit(trained: TrainedModel, compiled: CompiledModel, path: Path) -> None:
    """Refuse a trained model of other equations.

    Raises
    ------
    SpecError
        Saying whether it is another model, or another form of the same.
    """
    if trained.equations == equations_of(compiled):
        return
    name = str(compiled.manifest["model"])
    if trained.model != name:
        raise _refused(
            path,
            f"was trained for the model '{trained.model}', not for '{name}'",
            f"train one for this spec: pbpkc meta-train SPEC -o {path}",
        )
    raise _refused(
        path,
        f"was trained for other equations of the model '{name}'",
        "train it with the spec and the --mask, --learn and --unknown of this fit; values, priors and bounds "
        "may differ",
    )


def _kind(arrays: Mapping[str, Array], number: int, told: Mapping[str, object]) -> KindModel:
    def take(name: str) -> Array:
        return arrays[f"{number}.{name}"]

    grid = Grid(take("edges"), int(str(told["degree"])))
    branch = take("branch").astype(np.intp)
    basis = Basis(grid, branch, take("features"), take("weight"), take("scale"), take("floor"))
    if basis.features.shape[2] != len(grid.nodes) or basis.features.shape[0] <= int(basis.branch.max()):
        raise ValueError("features do not fit the grid")
    given: Mapping[str, tuple[float, float]] = told["given"]  # type: ignore[assignment]
    layers: Mapping[str, float] | None = told.get("network")  # type: ignore[assignment]
    return KindModel(
        basis,
        Memory(take("memory.keys"), take("memory.size"), take("memory.w")),
        {name: (float(low), float(high)) for name, (low, high) in given.items()},
        None if layers is None else Network(layers["first"], layers["length"], _parts(take)),
    )


def _parts(take: Callable[[str], Array]) -> dict[str, Array]:
    return {part: take(f"network.{part}") for part in PARTS}


def _refused(path: Path, what: str, help: str) -> SpecError:
    return SpecError([Diagnostic("trained-model", f"'{path}' {what}", help=help)])
