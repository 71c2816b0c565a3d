"""The compiled kernel by other compilers, for other processors, and under the checkers of memory.

What the compiler of this machine made for this processor is the measure. Where a tool is missing, its test is
skipped and says which.
"""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pbpkc.solve.kernel as kernels
from pbpkc.jobs.loaded import load
from pbpkc.jobs.simulate import bound_scenario
from pbpkc.jobs.variants import Variants
from pbpkc.native.order import order
from pbpkc.native.toolchain import Toolchain
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.solve.equations import StateEquations
from pbpkc.solve.kernel import Kernel, KernelRuns, rosenbrock_kernel
from pbpkc.solve.options import SolverOptions, absolute_tolerance
from pbpkc.solve.passage import Passage
from pbpkc.solve.schedule import Schedule, schedule
from pbpkc.solve.timeline import timeline

SPECS = Path(__file__).parents[2] / "specs"
DRIVER = Path(__file__).parent / "elsewhere" / "driver.c"

CASES = [("theophylline_oral", "single"), ("paracetamol", "po_qid")]

VARIED = {"BW", "ka", "cl", "v", "km_ugt", "km_sult", "vmax_ugt", "vmax_sult", "k_empty"}

RTOL = 1e-8
#: What two compilers may differ by: rounding errors change which steps are taken, within the tolerance.
APART = 10 * RTOL

COPIES = 9


@dataclass(frozen=True)
class Problem:
    """Some people, and when they get what."""

    compiled: CompiledModel
    people: np.ndarray
    start: np.ndarray
    plan: Schedule
    atol: np.ndarray

    def solved(self, kernel: Kernel) -> KernelRuns:
        """What a kernel makes of it."""
        return kernel.solve(
            self.people,
            self.start,
            self.plan,
            np.zeros(len(self.people), dtype=np.int64),
            RTOL,
            self.atol,
            20_000,
        )

    @property
    def text(self) -> str:
        """The C text of its kernel."""
        assert self.compiled.generated.kernel is not None
        return self.compiled.generated.kernel.rosenbrock().text


@cache
def problem(name: str, scenario: str, copies: int = COPIES) -> Problem:
    """A spec's scenario for copies of one person with other elimination and absorption."""
    loaded = load(SPECS / f"{name}.pbpk")
    compiled, p, bound = bound_scenario(loaded.model, Variants(loaded), scenario)
    times = np.linspace(bound.begin, bound.end or 0.0, 41)
    segments = timeline(bound, times, compiled.manifest["inputs"], compiled.state_names, p=p)
    plan = schedule([(segments, times)], len(compiled.state_names), len(compiled.manifest["inputs"]))
    options = SolverOptions(rtol=RTOL)
    atol = absolute_tolerance(options, compiled.manifest["states"], bound.smallest_dose)
    start = Passage(StateEquations(compiled, p), bound, segments, options, atol).start.y
    people = np.repeat(p[None], copies, 0)
    # A body is still one: its fractions stay as they are.
    varied = [n for n, q in enumerate(compiled.manifest["parameters"]) if str(q["name"]) in VARIED]
    draw = np.random.default_rng(1).standard_normal((copies, len(varied)))
    people[:, varied] *= np.exp(0.1 * draw)
    return Problem(compiled, people, np.repeat(start[None], copies, 0), plan, atol[None])


@cache
def measure(name: str, scenario: str) -> KernelRuns:
    """What the usual compiler's kernel gives."""
    if not (shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")):
        pytest.skip("no C compiler to compare with")
    case = problem(name, scenario)
    return case.solved(rosenbrock_kernel(case.compiled.generated))


def demand_same(found: KernelRuns, expected: KernelRuns) -> None:
    """Finished, and the same curves, relative to each curve's peak a millionth and above."""
    assert np.all(found.status == 0)
    for ours, theirs in ((found.states, expected.states), (found.observables, expected.observables)):
        assert ours is not None
        assert theirs is not None
        floor = 1e-6 * np.nanmax(np.abs(theirs), axis=0) + 1e-300
        assert np.nanmax(np.abs(ours - theirs) / np.maximum(np.abs(theirs), floor)) < APART


class Elsewhere:
    """A kernel in a program of its own; to `Kernel` it looks like a loaded library.

    Parameters
    ----------
    words : tuple of str
        The command that runs it.
    place : Path
        For the files between.
    """

    def __init__(self, words: tuple[str, ...], place: Path) -> None:
        self.words, self.place = words, place
        self.arrays: dict[int, np.ndarray] = {}

    def pbpkc_sizes(self, sizes: Any) -> None:
        """As of a library."""
        sizes[:] = [int(line) for line in self._run().split()]

    def pbpkc_solve(self, reference: Any, first: int, last: int) -> None:
        """As of a library."""
        batch, used, parts = reference._obj, [], []
        for field, kind in type(batch)._fields_:
            value = getattr(batch, field)
            if kind in (ctypes.c_double, ctypes.c_int64):
                parts += [np.int64(-1).tobytes(), bytes(kind(value))]
            else:
                address = ctypes.cast(value, ctypes.c_void_p).value
                array = self.arrays[address] if address else np.empty(0)
                parts += [np.int64(array.nbytes).tobytes(), array.tobytes()]
                used += [array] if address else []
        parts.append(np.array([first, last], dtype=np.int64).tobytes())
        (self.place / "in").write_bytes(b"".join(parts))
        self._run(str(self.place / "in"), str(self.place / "out"))
        found, at = (self.place / "out").read_bytes(), 0
        for array in used:
            part = np.frombuffer(found[at : at + array.nbytes], array.dtype).reshape(array.shape)
            at += array.nbytes
            if not np.array_equal(part, array, equal_nan=array.dtype.kind == "f"):
                array[...] = part

    def pointer(self, array: np.ndarray | None, kind: Any) -> Any:
        """As `kernels._pointer`, with the arrays remembered by their address."""
        if array is not None and array.size:
            self.arrays[array.ctypes.data] = array
        return _pointer(array, kind)

    def _run(self, *words: str) -> str:
        done = subprocess.run((*self.words, *words), capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert not done.stderr
        return done.stdout


_pointer = kernels._pointer

Program = Callable[..., Kernel]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """A function that compiles a text into a program of its own, and gives the kernel in it."""

    def made(
        text: str, compiler: tuple[str, ...], *flags: str, lanes: int = 4, run: tuple[str, ...] = ()
    ) -> Kernel:
        (tmp_path / "kernel.c").write_text(text, encoding="utf-8")
        shutil.copy(DRIVER, tmp_path)
        command = (
            *compiler, *flags, "-ffp-contract=fast", "-fno-math-errno", "-std=gnu11", f"-DLANES={lanes}",
            "-o", "driver", "driver.c", "-lm",
        )  # fmt: skip
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr
        elsewhere = Elsewhere((*run, str(tmp_path / "driver")), tmp_path)
        monkeypatch.setattr(kernels, "_pointer", elsewhere.pointer)
        kernel = Kernel(elsewhere)  # type: ignore[arg-type]
        assert kernel.lanes == lanes
        return kernel

    return made


def tool(name: str) -> str:
    """Where a program is; without it the test is skipped."""
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not on this machine")
    return found


@pytest.mark.parametrize(("name", "scenario"), CASES)
@pytest.mark.parametrize("compiler", ["gcc", "clang", "zig"])
def test_every_compiler_gives_the_same_curves(
    name: str, scenario: str, compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As pbpkc calls them, by $CC."""
    expected = measure(name, scenario)
    if compiler == "zig":
        if importlib.util.find_spec("ziglang") is None:
            pytest.skip("the wheel ziglang is not installed")
        monkeypatch.setenv("CC", f"{sys.executable} -m ziglang cc")
    else:
        monkeypatch.setenv("CC", tool(compiler))
    case = problem(name, scenario)
    demand_same(case.solved(rosenbrock_kernel(case.compiled.generated)), expected)


@pytest.mark.parametrize(("name", "scenario"), CASES)
def test_a_64_bit_arm_gives_the_same_curves(name: str, scenario: str, program: Program) -> None:
    """Two lanes of NEON, in an emulator."""
    expected, qemu = measure(name, scenario), tool("qemu-aarch64")
    kernel = program(
        problem(name, scenario).text, (tool("aarch64-linux-gnu-gcc"),), "-O2", "-mcpu=neoverse-n1",
        lanes=2, run=(qemu, "-L", "/usr/aarch64-linux-gnu"),
    )  # fmt: skip
    demand_same(problem(name, scenario).solved(kernel), expected)


@pytest.mark.long
def test_no_byte_beside_an_array_is_touched(program: Program) -> None:
    """Nor is anything done that C leaves undefined; under the checkers of gcc."""
    name, scenario = CASES[0]
    kernel = program(
        problem(name, scenario).text, (tool("gcc"),), "-O0", "-g1", "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
    )  # fmt: skip
    demand_same(problem(name, scenario).solved(kernel), measure(name, scenario))


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="AVX-512 is of x86 processors")
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_eight_lanes_fill_the_widest_registers(compiler: str, tmp_path: Path) -> None:
    """Of AVX-512, which the machine that compiles need not have."""
    text = problem(*CASES[0]).text
    flags = [
        flag
        for flag in order(text, Toolchain((tool(compiler),), compiler, ""), {"LANES": 8}, optimise=2).flags
        if flag not in ("-march=native", "-shared")
    ]
    (tmp_path / "kernel.c").write_text(text, encoding="utf-8")
    command = (tool(compiler), *flags, "-march=x86-64-v4", "-S", "-o", "kernel.s", "kernel.c")
    subprocess.run(command, cwd=tmp_path, check=True, timeout=240)
    lines = (tmp_path / "kernel.s").read_text().splitlines()
    arithmetic = [line for line in lines if re.match(r"\s*v(f?n?m(add|sub)\d*|add|sub|mul|div)pd\s", line)]
    assert arithmetic
    assert sum("%zmm" in line for line in arithmetic) > 0.9 * len(arithmetic)
