"""The environment of the peers: made by ``python -m venv`` and pip, one package after the other."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pbpkc.experiment.whole_file import write_whole

#: pip may fetch and build for so long, s.
_PATIENCE = 1800.0

#: What every peer needs to read its problem.
_GROUND = ("numpy", "scipy")

_PEERS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Environment:
    """An environment with what could be installed in it.

    Parameters
    ----------
    python : Path
    versions : dict of str to str
        Of the packages that are there.
    refused : dict of str to str
        Why a package is not there.
    code : Path
        Folder to be put on the path of that Python: the peers' files and nothing else.
    notes : dict of str to str
        What is unusual about a package that is there.
    """

    python: Path
    versions: dict[str, str]
    refused: dict[str, str]
    code: Path
    notes: dict[str, str]


def peer_environment(
    folder: Path, packages: Sequence[str], tell: Callable[[str], None] = lambda text: None
) -> Environment:
    """The environment of a folder, made where it is not there; what is there is kept.

    Parameters
    ----------
    folder : Path
    packages : sequence of str
        Names for pip.
    tell : callable
        Told what is being done.
    """
    python = folder / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    folder.mkdir(parents=True, exist_ok=True)
    refused: dict[str, str] = {}
    notes: dict[str, str] = {}
    if not python.exists():
        tell("making an environment for the peers")
        made = _run([sys.executable, "-m", "venv", str(folder / "env")])
        if made:
            return Environment(python, {}, dict.fromkeys(packages, made), folder, {})
    there = _versions(python)
    for package in dict.fromkeys((*_GROUND, *packages)):
        if package.lower() in there or f"{package.lower()}-lsoda" in there:
            continue
        tell(f"installing {package}")
        reason = _pip(python, package)
        if package == "numbalsoda" and reason:
            reason = _numbalsoda_alone(python, folder, reason)
        if reason:
            refused[package] = reason
    there = _versions(python)
    if "numbalsoda-lsoda" in there:
        there["numbalsoda"] = there["numbalsoda-lsoda"]
        notes["numbalsoda"] = _ALONE
    return Environment(python, there, refused, _copied(folder), notes)


def _pip(python: Path, *arguments: str) -> str:
    """Install; why it could not be done, empty if it was."""
    return _run([str(python), "-m", "pip", "--disable-pip-version-check", "install", "-q", *arguments])


def _run(command: Sequence[str], cwd: Path | None = None) -> str:
    """Run a command; the last thing it said if it failed."""
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=_PATIENCE, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    errors = [line for line in said if line.lower().startswith(("error", "cmake error"))]
    return (errors or said or [f"exit status {done.returncode}"])[-1][:300]


def _versions(python: Path) -> dict[str, str]:
    """Packages of an environment and their versions."""
    program = (
        "import json, importlib.metadata as m;"
        "print(json.dumps({d.metadata['Name'].lower(): d.version for d in m.distributions()}))"
    )
    try:
        told = subprocess.run(
            [str(python), "-I", "-c", program], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(sorted(json.loads(told.stdout).items()))


def _copied(folder: Path) -> Path:
    """The peers' files under the names they have here, in a folder where nothing else of pbpkc stands."""
    code = folder / "code"
    place = code / "pbpkc" / "studies" / "solvers" / "peers"
    place.mkdir(parents=True, exist_ok=True)
    write_whole({place / one.name: one.read_bytes() for one in sorted(_PEERS.glob("*.*")) if one.is_file()})
    return code


# ------------------------------------------------------------- numbalsoda

_ALONE = "its LSODA alone, compiled from its source package: the rest of it needs a Fortran compiler"

_ALONE_INIT = '''"""The LSODA of numbalsoda, without its other solvers."""

from .driver import lsoda, lsoda_sig

__all__ = ["lsoda", "lsoda_sig"]
'''


def _numbalsoda_alone(python: Path, folder: Path, reason: str) -> str:
    """Compile the LSODA of numbalsoda, which is C++, where its Fortran part cannot be.

    Gives why it could not be done either, empty if it was.
    """
    compiler = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("clang++")
    if compiler is None:
        return f"{reason}; and there is no C++ compiler for its LSODA alone"
    work = folder / "numbalsoda"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    fetched = _run(
        [str(python), "-m", "pip", "--disable-pip-version-check", "download", "-q", "--no-deps",
         "--no-binary", "numbalsoda", "-d", str(work), "numbalsoda"]
    )  # fmt: skip
    archives = sorted(work.glob("numbalsoda-*.tar.gz"))
    if not archives:
        return f"{reason}; {fetched or 'its source package was not found'}"
    with tarfile.open(archives[0]) as archive:
        archive.extractall(work, filter="data")
    source = archives[0].with_name(archives[0].name.removesuffix(".tar.gz"))
    package = next((folder / "env").glob("[Ll]ib*/**/site-packages"), None)
    if package is None:
        return f"{reason}; the environment has no site-packages"
    place = package / "numbalsoda_lsoda"
    place.mkdir(exist_ok=True)
    failed = _run(
        [compiler, "-O3", "-std=c++11", "-shared", "-fPIC", "-o", str(place / "liblsoda.so"),
         str(source / "src" / "LSODA.cpp"), str(source / "src" / "wrapper.cpp")]
    )  # fmt: skip
    if failed:
        return f"{reason}; {failed}"
    version = source.name.removeprefix("numbalsoda-")
    told = package / f"numbalsoda_lsoda-{version}.dist-info"
    told.mkdir(exist_ok=True)
    write_whole(
        {
            place / "__init__.py": _ALONE_INIT,
            place / "driver.py": (source / "numbalsoda" / "driver.py").read_bytes(),
            told / "METADATA": f"Metadata-Version: 2.1\nName: numbalsoda-lsoda\nVersion: {version}\n",
        }
    )
    return ""
