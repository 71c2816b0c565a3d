"""Texts become libraries once, whole, and whatever goes wrong is one sentence."""

from __future__ import annotations

import ctypes
import errno
import json
import math
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from native_case import FUNCTIONS, GCC, TEXT, counting_compiler, forget, needs_gcc, own_cache, program

from pbpkc.native import build as building
from pbpkc.native import library
from pbpkc.native.build import build
from pbpkc.native.entry import digest, read_record
from pbpkc.native.failure import BuildFailure, CompilerHangs, KernelNote
from pbpkc.native.library import Function, compiled_library
from pbpkc.native.toolchain import Toolchain, find_toolchain

pytestmark = [needs_gcc, pytest.mark.skipif(sys.platform == "win32", reason="stand-ins are shell scripts")]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with own_cache(tmp_path, monkeypatch) as folder:
        yield folder


@pytest.fixture
def compilations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a line for each compilation; $CC writes it."""
    log = tmp_path / "compilations"
    log.write_text("")
    monkeypatch.setenv("CC", str(counting_compiler(tmp_path / "counting", log)))
    return log


def count(log: Path) -> int:
    return len(log.read_text().splitlines())


def stand_in(path: Path, text: str) -> Toolchain:
    return Toolchain((str(program(path, text)),), path.name, "stand-in 1.0")


# ---- what works


def test_a_text_becomes_functions() -> None:
    found = compiled_library(TEXT, name="roots", functions=FUNCTIONS, defines={"SHIFT": 3})
    assert found.shifted_root(2.0) == math.sqrt(2.0) + 3
    # With -ffast-math this would be 0.
    assert found.is_nan(math.nan) == 1
    assert compiled_library(TEXT, name="roots", defines={"SHIFT": 3}) is found
    assert compiled_library(TEXT, name="roots", functions=FUNCTIONS).shifted_root(4.0) == 2.0


def test_a_second_process_does_not_compile(compilations: Path, cache: Path) -> None:
    compiled_library(TEXT, name="roots")
    forget()
    assert compiled_library(TEXT, name="roots", functions=FUNCTIONS).shifted_root(9.0) == 3.0
    assert count(compilations) == 1
    (record,) = [read_record(path) for path in cache.glob("*.json")]
    (made,) = cache.glob("*.so")
    assert record is not None
    assert (record.model, record.sha256, record.library_bytes) == ("roots", digest(made), made.stat().st_size)
    assert record.text_bytes == len(TEXT) and "-O3" in record.flags and record.compiler
    assert sorted(path.suffix for path in cache.iterdir()) == [".json", ".so"]
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


def test_many_processes_make_one_entry(compilations: Path, cache: Path) -> None:
    code = (
        "import ctypes; from pbpkc.native.library import Function, compiled_library;"
        f"f = Function('shifted_root', (ctypes.c_double,), ctypes.c_double); text = {TEXT!r};"
        "print(compiled_library(text, name='many', functions=[f]).shifted_root(16.0))"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(8)
    ]
    answers = [process.communicate(timeout=120) for process in started]
    assert answers == [("4.0\n", "")] * 8
    assert count(compilations) == 1
    assert sorted(path.suffix for path in cache.iterdir()) == [".json", ".so"]


def test_without_locks_many_builds_leave_a_whole_entry(
    compilations: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbpkc.native.lock._locked", lambda path, seconds: None)
    toolchain = find_toolchain()
    # As two processes that both found nothing.
    monkeypatch.setattr(building, "whole_library", lambda folder, key: None)
    paths = {build(TEXT, toolchain) for _ in range(2)}
    monkeypatch.undo()
    (path,) = paths
    record = read_record(path.with_suffix(".json"))
    assert count(compilations) == 2
    assert record is not None and record.sha256 == digest(path)


# ---- damage


@pytest.mark.parametrize(
    "damage", ["cut", "empty", "changed", "gone", "no record", "broken record", "odd record"]
)
def test_a_damaged_entry_is_built_again(compilations: Path, cache: Path, damage: str) -> None:
    compiled_library(TEXT, name="roots")
    forget()
    (made,), (record,) = cache.glob("*.so"), cache.glob("*.json")
    whole = made.read_bytes()
    content = json.loads(record.read_text())
    # Not in place: this process has the file mapped.
    made.unlink()
    left = {"cut": whole[:1000], "empty": b"", "changed": whole[:-1] + b"x"}.get(damage, whole)
    if damage != "gone":
        made.write_bytes(left)
    if damage == "no record":
        record.unlink()
    elif damage == "broken record":
        record.write_text(record.read_text()[:40])
    elif damage == "odd record":
        record.write_text(json.dumps({**content, "model": 3}))
    assert compiled_library(TEXT, name="roots", functions=FUNCTIONS).shifted_root(25.0) == 5.0
    assert count(compilations) == 2
    assert digest(made) == json.loads(record.read_text())["sha256"]


def test_an_entry_that_cannot_be_loaded_is_built_again(compilations: Path, cache: Path) -> None:
    # Not loaded: the system would remember it by its path.
    build(TEXT, find_toolchain())
    (made,), (record,) = cache.glob("*.so"), cache.glob("*.json")
    made.unlink()
    made.write_bytes(b"not a library")
    record.write_text(json.dumps({**json.loads(record.read_text()), "sha256": digest(made)}))
    assert compiled_library(TEXT, name="roots", functions=FUNCTIONS).shifted_root(36.0) == 6.0
    assert count(compilations) == 2


def test_a_library_that_can_never_be_loaded_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", str(program(tmp_path / "liar", "echo liar 1.0; echo text > kernel.so")))
    with pytest.raises(BuildFailure, match="the compiled kernel cannot be loaded"):
        compiled_library(TEXT, name="roots")


# ---- compilers that fail


def test_a_broken_compiler_is_quoted(tmp_path: Path, cache: Path) -> None:
    broken = stand_in(
        tmp_path / "broken", "echo first >&2; echo 'kernel.c:1: error: no \033[31m' >&2; exit 1"
    )
    with pytest.raises(BuildFailure) as caught:
        build(TEXT, broken)
    assert caught.value.reason == f"the C compiler {tmp_path}/broken failed (kernel.c:1: error: no �[31m)"
    assert list(cache.iterdir()) == []


def test_a_text_that_is_no_c_is_quoted(compilations: Path) -> None:
    for _ in range(2):
        with pytest.raises(BuildFailure, match=r"failed \(kernel.c:1:1: error: "):
            compiled_library("this is no C", name="wrong")
    # The failure is remembered.
    assert count(compilations) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("exit 3", r"failed \(exit status 3\)"),
        ("kill -9 $$", r"failed \(exit status -9\)"),
        ("exit 0", "reported no error, but wrote no library"),
        (": > kernel.so", "reported no error, but wrote no library"),
        ("yes error | head -c 1000000; exit 1", "error; error; error"),
    ],
)
def test_silent_and_chatty_failures(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BuildFailure, match=said) as caught:
        build(TEXT, stand_in(tmp_path / "odd", text))
    assert len(caught.value.reason) < 500


def test_a_server_that_a_compiler_leaves_behind_is_not_waited_for(tmp_path: Path) -> None:
    leaving = program(
        tmp_path / "leaving",
        f'setsid sh -c "echo \\$\\$ > {tmp_path}/server; exec sleep 30" & exec "{GCC}" "$@"',
    )
    began = time.monotonic()
    build(TEXT, Toolchain((str(leaving),), "leaving", "leaving 1.0"))
    assert time.monotonic() - began < 20.0
    os.kill(int((tmp_path / "server").read_text()), 9)


def test_a_compiler_that_went_away(tmp_path: Path) -> None:
    with pytest.raises(BuildFailure, match="cannot be started: No such file"):
        build(TEXT, Toolchain((str(tmp_path / "gone"),), "gone", "gone 1.0"))


def test_a_compiler_that_hangs_is_ended_with_its_children(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = tmp_path / "beat"
    hanging = program(
        tmp_path / "hanging",
        'case "$*" in *--version*) echo hanging 1.0; exit ;; esac\n'
        f'(while :; do echo x >> "{beat}"; sleep 0.02; done) & while :; do sleep 1; done',
    )
    monkeypatch.setenv("CC", str(hanging))
    began = time.monotonic()
    with pytest.raises(CompilerHangs, match=r"did not end within 0.5 s and was stopped; PBPKC_NATIVE=off"):
        compiled_library(TEXT, name="roots", time_limit=0.5)
    assert beat.exists()
    size = beat.stat().st_size
    time.sleep(0.3)
    assert beat.stat().st_size == size
    assert list(cache.iterdir()) == []
    # It is not asked again, with no text.
    second = time.monotonic()
    with pytest.raises(CompilerHangs):
        compiled_library(TEXT + "\n", name="roots", time_limit=60.0)
    assert time.monotonic() - second < 5.0 < 60.0 and time.monotonic() - began < 60.0


def test_an_interrupt_ends_the_compiler(tmp_path: Path, cache: Path) -> None:
    program(
        tmp_path / "hanging",
        'case "$*" in *--version*) echo hanging 1.0; exit ;; esac\n'
        f'echo $$ > "{tmp_path}/pid"; exec sleep 60',
    )
    code = f"from pbpkc.native.library import compiled_library; compiled_library({TEXT!r}, name='x')"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "CC": str(tmp_path / "hanging")},
        stderr=subprocess.PIPE,
    )
    pid = tmp_path / "pid"
    end = time.monotonic() + 60
    while not (pid.exists() and pid.read_text().strip()) and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(2)
    process.communicate(timeout=60)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert list(cache.iterdir()) == []


# ---- folders that take nothing


def test_below_a_file_a_folder_of_the_process_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    forget()
    with pytest.warns(KernelNote, match="kept for this process alone") as told:
        found = compiled_library(TEXT, name="roots", functions=FUNCTIONS)
        compiled_library(TEXT, name="roots", defines={"SHIFT": 1})
    assert found.shifted_root(4.0) == 2.0
    assert len(told) == 1 and "file" in str(told[0].message)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
@pytest.mark.parametrize("step", ["write", "replace"])
def test_a_folder_that_takes_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch, number: int, step: str
) -> None:
    real_replace, real_write = os.replace, Path.write_text

    def replace(source: Path, target: Path) -> None:
        if Path(target).parent == cache:
            raise OSError(number, os.strerror(number), str(target))
        real_replace(source, target)

    def write_text(path: Path, text: str, **options: str) -> int:
        if cache in path.parents:
            raise OSError(number, os.strerror(number), str(path))
        return real_write(path, text, **options)

    if step == "replace":
        monkeypatch.setattr(building.os, "replace", replace)
    else:
        monkeypatch.setattr(Path, "write_text", write_text)
    with pytest.warns(KernelNote, match=os.strerror(number)):
        found = compiled_library(TEXT, name="roots", functions=FUNCTIONS)
    assert found.shifted_root(4.0) == 2.0
    assert list(cache.iterdir()) == []


def test_a_disk_that_fills_while_compiling(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filling = program(
        tmp_path / "filling",
        f'case "$*/$PWD" in *--version*) ;; *{cache}*) echo "error: No space left on device"; exit 1 ;;\n'
        f'esac\nexec "{GCC}" "$@"',
    )
    monkeypatch.setenv("CC", str(filling))
    with pytest.warns(KernelNote, match="No space left on device"):
        found = compiled_library(TEXT, name="roots", functions=FUNCTIONS)
    assert found.shifted_root(4.0) == 2.0


def test_no_place_at_all_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(building.os, "replace", full)
    with (
        pytest.warns(KernelNote),
        pytest.raises(BuildFailure, match="there is no place for a compiled kernel: No space left"),
    ):
        compiled_library(TEXT, name="roots")


def test_a_disk_that_holds_nothing_to_be_run(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = library.load

    def load(path: Path) -> ctypes.CDLL:
        if path.parent == cache:
            raise OSError(f"{path}: failed to map segment from shared object")
        return real(path)

    monkeypatch.setattr(library, "load", load)
    with pytest.warns(KernelNote, match="nothing in it can be loaded"):
        found = compiled_library(TEXT, name="roots", functions=FUNCTIONS)
    assert found.shifted_root(4.0) == 2.0
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("which", ["kernels", "above"])
def test_a_folder_that_others_can_write_is_not_trusted(cache: Path, which: str) -> None:
    cache.mkdir(parents=True)
    folder = cache if which == "kernels" else cache.parent
    folder.chmod(0o777)
    with pytest.warns(KernelNote, match="others can write to it"):
        compiled_library(TEXT, name="roots")
    assert list(cache.iterdir()) == []


def test_a_link_is_not_followed(cache: Path, tmp_path: Path) -> None:
    cache.parent.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    cache.symlink_to(tmp_path / "elsewhere")
    with pytest.warns(KernelNote, match="it is a link"):
        compiled_library(TEXT, name="roots")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_function_that_is_not_there_is_a_fault() -> None:
    with pytest.raises(AttributeError):
        compiled_library(TEXT, name="roots", functions=[Function("absent", ())])
    assert library._failed == {}
