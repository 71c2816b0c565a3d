"""Time and memory as a user meets them: whole commands in fresh processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peak memory is read from /proc"
)

# The peak of the program itself: the kernel's ru_maxrss would count the test process it was forked from.
_PROGRAM = """
import atexit, sys
def tell():
    status = open("/proc/self/status").read()
    open("peak", "w").write(status.split("VmHWM:")[1].split()[0])
atexit.register(tell)
from pbpkc.cli import main
main()
"""


def _run(*arguments: str, cwd: Path) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak memory (MB) of a command."""
    start = time.perf_counter()
    command = [sys.executable, "-c", _PROGRAM, *arguments]
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    told = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, told
    wall = time.perf_counter() - start
    return wall, usage.ru_utime + usage.ru_stime, int((cwd / "peak").read_text()) / 1024


@pytest.mark.long
def test_from_text_to_the_first_simulation(
    specs: Path, tmp_path: Path, figure: Callable[..., None], patience: float
) -> None:
    arguments = ["simulate", str(specs / "paracetamol.pbpk"), "-s", "po_1g", "-o", "po.csv"]
    wall, _, memory = _run(*arguments, cwd=tmp_path)
    figure("paracetamol, text to first simulation, cold", wall, "s", below=5.0)
    figure("paracetamol, text to first simulation, memory", memory, "MB", below=1000.0)
    assert wall < patience * 5.0
    assert memory < 1000.0


@pytest.mark.long
def test_the_fit_of_twelve_subjects(
    specs: Path, tmp_path: Path, figure: Callable[..., None], patience: float
) -> None:
    wall, _, memory = _run("fit", str(specs / "theophylline_oral.pbpk"), "-o", "fit", cwd=tmp_path)
    figure("theophylline, 12-subject fit with its report, cold", wall, "s", below=20.0)
    figure("theophylline, 12-subject fit, memory", memory, "MB", below=1000.0)
    assert wall < patience * 20.0
    assert memory < 1000.0


@pytest.mark.long
def test_the_whole_check(specs: Path, tmp_path: Path, figure: Callable[..., None], patience: float) -> None:
    wall, _, memory = _run("check", str(specs / "paracetamol.pbpk"), cwd=tmp_path)
    figure("paracetamol, pbpkc check with torch, cold", wall, "s", below=30.0)
    figure("paracetamol, pbpkc check with torch, memory", memory, "MB", below=1000.0)
    assert wall < patience * 30.0
    assert memory < 1000.0


def test_the_help_page_is_quick(tmp_path: Path, figure: Callable[..., None], patience: float) -> None:
    # The least of three: the machine may be busy, the program is not slower for it.
    cpu = min(_run("--help", cwd=tmp_path)[1] for _ in range(3))
    figure("pbpkc --help, CPU", cpu, "s", below=0.3)
    assert cpu < patience * 0.3
    code = (
        "import time, sys; a = time.process_time(); import pbpkc; b = time.process_time(); "
        "assert not {'torch', 'sympy', 'pandas', 'scipy', 'matplotlib'} & sys.modules.keys(); print(b - a)"
    )
    spent = min(float(subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path)) for _ in range(3))
    figure("import pbpkc, CPU", spent, "s", below=0.3)
    assert spent < patience * 0.3
