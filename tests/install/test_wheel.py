"""The wheel works: built, installed into a fresh environment, used from another directory.

torch and the other libraries are not installed again: the fresh environment sees those of the running
one through a ``.pth`` file that stands behind its own site-packages. pbpkc itself must come from the
wheel, which the first test asserts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Installed:
    """A fresh environment with the wheel, and a directory with nothing of the repository in it."""

    wheel: Path
    binaries: Path
    elsewhere: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """What `command` of the environment prints, run from elsewhere."""
        environment = {
            k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        }
        program = shutil.which(command[0], path=str(self.binaries))
        assert program is not None, f"the wheel installed no '{command[0]}' into {self.binaries}"
        return subprocess.run(
            [program, *command[1:]],
            cwd=self.elsewhere,
            env=environment | {"NO_COLOR": "1", "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=300,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    base = tmp_path_factory.mktemp("wheel")
    # Nothing is fetched: the build backend is that of the running environment.
    offline = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run(
        [*offline, "wheel", "--no-deps", "--no-build-isolation", "-w", str(base), str(ROOT)],
        check=True,
        capture_output=True,
        timeout=300,
    )
    (wheel,) = base.glob("pbpkc-*.whl")

    home = base / "environment"
    venv.create(home, with_pip=False)
    scheme = {"base": str(home), "platbase": str(home)}
    site = Path(sysconfig.get_path("purelib", "venv", scheme))
    binaries = Path(sysconfig.get_path("scripts", "venv", scheme))
    python = next(p for p in binaries.iterdir() if p.stem == "python")
    subprocess.run(
        [*offline, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)],
        check=True,
        capture_output=True,
        timeout=300,
    )
    # A path line in a .pth is appended to sys.path, so the wheel's pbpkc is found first.
    libraries = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (site / "running_environment.pth").write_text("".join(f"{path}\n" for path in libraries))

    elsewhere = base / "elsewhere"
    elsewhere.mkdir()
    return Installed(wheel, binaries, elsewhere)


def test_the_package_comes_from_the_wheel(installed: Installed) -> None:
    program = (
        "from pbpkc import resources; print(resources.__file__);"
        "print(resources.resource('grammar', 'pbpk.lark').read_text())"
    )
    result = installed.run("python", "-c", program)
    assert result.returncode == 0, result.stderr
    where, grammar = result.stdout.split("\n", 1)
    assert Path(where).is_relative_to(installed.binaries.parent)
    assert grammar.strip() == (ROOT / "grammar" / "pbpk.lark").read_text().strip()


@pytest.mark.parametrize("directory", ["grammar", "templates", "specs"])
def test_the_wheel_carries_every_shipped_file(installed: Installed, directory: str) -> None:
    with ZipFile(installed.wheel) as archive:
        inside = {name for name in archive.namelist() if name.startswith(f"pbpkc/_data/{directory}/")}
    outside = {
        f"pbpkc/_data/{path.relative_to(ROOT).as_posix()}"
        for path in (ROOT / directory).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert outside, f"nothing stands in {directory}/"
    assert inside == outside


def test_a_shipped_spec_copied_elsewhere_checks_and_compiles(installed: Installed) -> None:
    spec = installed.elsewhere / "theophylline_oral.pbpk"
    shutil.copy(ROOT / "specs" / "theophylline_oral.pbpk", spec)

    checked = installed.run("pbpkc", "check", spec.name)
    assert checked.returncode == 0, checked.stdout + checked.stderr

    compiled = installed.run("pbpkc", "compile", spec.name, "-o", "build")
    assert compiled.returncode == 0, compiled.stdout + compiled.stderr
    written = {path.name for path in (installed.elsewhere / "build").iterdir()}
    assert {"model_numpy.py", "model_torch.py", "manifest.json"} <= written


def test_a_data_file_beside_the_copied_spec_is_found(installed: Installed) -> None:
    place = installed.elsewhere / "with_data"
    shutil.copytree(ROOT / "specs", place)
    result = installed.run("pbpkc", "simulate", "with_data/theophylline_oral.pbpk", "--scenario", "boeckmann")
    assert result.returncode == 0, result.stderr
    header, *rows = result.stdout.strip().splitlines()
    assert header.startswith("scenario,id,time,Cp")
    assert {row.split(",")[1] for row in rows} == {str(number) for number in range(1, 13)}


def test_a_broken_spec_is_refused_without_a_traceback(installed: Installed) -> None:
    (installed.elsewhere / "broken.pbpk").write_text("pbpk 1\nmodel broken\nstate x = \n")
    result = installed.run("pbpkc", "check", "broken.pbpk")
    assert result.returncode == 1
    assert "broken.pbpk" in result.stderr
    assert "Traceback" not in result.stderr + result.stdout


def test_the_lexer_of_the_wheel_is_found_and_the_extension_packed(installed: Installed) -> None:
    named = installed.run(
        "python", "-c", "from pygments.lexers import get_lexer_by_name; print(get_lexer_by_name('pbpk').name)"
    )
    assert named.stdout.strip() == "pbpk", named.stderr
    packed = installed.run("python", "-m", "pbpkc.editor.extension", "-o", "pbpk.vsix")
    assert packed.returncode == 0, packed.stderr
    assert (installed.elsewhere / "pbpk.vsix").stat().st_size > 1000
    agree = installed.run("python", "-m", "pbpkc.editor.keywords")
    assert agree.returncode == 0, agree.stdout + agree.stderr
