"""Compiled specs that are kept for this user: what did not change is neither parsed nor compiled again.

What is kept stands in the user's private folder, which nobody else can write to, so it is as trustworthy as
the program. It is found by the spec's own text and the program's files, and believed only if every file that
the spec uses has the text it had. ``PBPKC_KEEP=off`` keeps nothing and takes nothing.
"""

from __future__ import annotations

import copyreg
import hashlib
import io
import json
import os
import pickle
import platform
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pbpkc
from pbpkc.compiler.kernel.source import WrittenKernel
from pbpkc.private_folder import private_folder

if TYPE_CHECKING:
    from pbpkc.compiler.kernel.source import Kernels, KernelText
    from pbpkc.compiler.module import GeneratedModule
    from pbpkc.language.model import Model

#: Kept specs that nobody used for longer than this are removed when another is kept.
_KEEP_DAYS = 30.0

#: Version of the files' own form.
_FORM = 1


class KeptKernels:
    """Texts of kernels that are kept beside a module; one that was never written is written now, and kept.

    Parameters
    ----------
    generated : GeneratedModule
        Whose equations they solve: another text has other kernels.
    make : callable
        Gives what writes texts; it compiles the spec.
    """

    def __init__(self, generated: GeneratedModule, make: Callable[[], Kernels]) -> None:
        self._key, self._make = _text_digest(generated.numpy_text), make
        self._texts: dict[tuple[str, tuple[int, ...]], KernelText] = {}
        if _on():
            with suppress(Exception):  # whatever is wrong with what is kept, the texts are written again
                self._texts = _read(_place("kernels", self._key), {})

    def rosenbrock(self, columns: tuple[int, ...] = ()) -> KernelText:
        """The nonlinear kernel's."""
        return self._text("rosenbrock", columns)

    def contour(self, columns: tuple[int, ...] = ()) -> KernelText:
        """The linear kernel's."""
        return self._text("contour", columns)

    def _text(self, kind: str, columns: tuple[int, ...]) -> KernelText:
        if (kind, columns) not in self._texts:
            self._texts[kind, columns] = getattr(self._make(), kind)(columns)
            if _on():
                with suppress(Exception):
                    _write(_place("kernels", self._key), self._texts, {})
        return self._texts[kind, columns]

    def __reduce__(self) -> tuple[Callable[..., Kernels], tuple[dict[tuple[int, ...], KernelText], ...]]:
        # Another process needs texts alone; the plain ones are among them.
        self.rosenbrock()
        self.contour()
        return WrittenKernel, (self._of("rosenbrock"), self._of("contour"))

    def _of(self, kind: str) -> dict[tuple[int, ...], KernelText]:
        return {columns: text for (which, columns), text in self._texts.items() if which == kind}


def kept(path: Path) -> tuple[Model, GeneratedModule] | None:
    """A spec as it was compiled before, without its kernels.

    None if it or the program has changed, or it was never kept.
    """
    if not _on():
        return None
    with suppress(Exception):  # whatever is wrong with what is kept, the spec is compiled again
        found = _read(_spec_place(path), None)
        if found is not None:
            model, generated = found
            return model, generated
    return None


def keep(path: Path, model: Model, generated: GeneratedModule) -> None:
    """Keep a compiled spec; where that cannot be, nothing is kept and nothing is said."""
    if not _on():
        return
    with suppress(Exception):
        files = {str(Path(one.name).absolute()): _text_digest(one.text) for one in model.files}
        # A file that changed between reading and keeping would be kept with the wrong text.
        if all(_digest(Path(name)) == digest for name, digest in files.items()):
            _write(_spec_place(path), (model, replace(generated, kernel=None)), files)
            _sweep(private_folder() / "specs")


def _on() -> bool:
    return os.environ.get("PBPKC_KEEP", "").strip().lower() not in ("off", "0", "no")


def _read(place: Path, nothing: Any) -> Any:
    """What a file holds, if it is whole and every file that it was made of has the text it had."""
    if not place.exists():
        return nothing
    content = place.read_bytes()
    length = int.from_bytes(content[:8], "big")
    head, body = json.loads(content[8 : 8 + length]), content[8 + length :]
    if head["sha256"] != hashlib.sha256(body).hexdigest():
        return nothing
    if any(_digest(Path(name)) != digest for name, digest in head["files"].items()):
        return nothing
    os.utime(place)
    return pickle.loads(body)


def _write(place: Path, value: Any, files: Mapping[str, str]) -> None:
    file = io.BytesIO()
    _Pickler(file, protocol=5).dump(value)
    body = file.getvalue()
    text = json.dumps({"sha256": hashlib.sha256(body).hexdigest(), "files": files}).encode()
    place.parent.mkdir(mode=0o700, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=place.parent, suffix=".tmp")
    with os.fdopen(handle, "wb") as target:
        target.write(len(text).to_bytes(8, "big") + text + body)
    os.replace(temporary, place)


def frozen(items: dict[Any, Any]) -> Mapping[Any, Any]:
    """A read-only view of a mapping, as it comes back from a file."""
    return MappingProxyType(items)


def _reduced(view: MappingProxyType[Any, Any]) -> tuple[Callable[..., Any], tuple[dict[Any, Any]]]:
    return frozen, (dict(view),)


class _Pickler(pickle.Pickler):
    dispatch_table = {**copyreg.dispatch_table, MappingProxyType: _reduced}  # noqa: RUF012 - pickle's own way


def _spec_place(path: Path) -> Path:
    return _place("spec", f"{path.absolute()} {_digest(path)}")


def _place(kind: str, key: str) -> Path:
    found = hashlib.sha256()
    for part in (_FORM, key, _program(), platform.python_version()):
        found.update(f"{part}\n".encode())
    return private_folder() / "specs" / f"{found.hexdigest()[:40]}.{kind}"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=1)
def _program() -> str:
    """What decides how a spec is compiled: files of pbpkc by size and time, libraries by version."""
    from importlib.metadata import version

    root = Path(pbpkc.__file__).parent
    stamp = hashlib.sha256(version("sympy").encode() + version("lark").encode())
    for folder in (root, root.parent / "grammar", root.parent / "templates"):
        for base, folders, files in os.walk(folder):
            folders[:] = sorted(f for f in folders if f != "__pycache__")
            for name in sorted(files):
                told = os.stat(os.path.join(base, name))
                stamp.update(f"{base}/{name} {told.st_size} {told.st_mtime_ns}\n".encode())
    return stamp.hexdigest()


def _sweep(folder: Path) -> None:
    oldest = time.time() - 86400.0 * _KEEP_DAYS
    for one in folder.iterdir():
        with suppress(OSError):
            if one.stat().st_mtime < oldest:
                one.unlink()
