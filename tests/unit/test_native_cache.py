"""`pbpkc cache`, and what is removed from the cache when."""

from __future__ import annotations

import calendar
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from cli_case import call
from native_case import TEXT, forget, needs_gcc, own_cache, program

from pbpkc.native import build as building
from pbpkc.native.build import build
from pbpkc.native.cache import Cleared, clear, kept, prune
from pbpkc.native.entry import digest, library_path, record_path
from pbpkc.native.library import compiled_library
from pbpkc.native.lock import one_at_a_time
from pbpkc.native.toolchain import Toolchain

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="stand-ins are shell scripts")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with own_cache(tmp_path, monkeypatch) as folder:
        yield folder


@pytest.fixture
def quick(tmp_path: Path) -> Toolchain:
    """A compiler that takes no time: its library is the text."""
    return Toolchain((str(program(tmp_path / "quick", "cp kernel.c kernel.so")),), "quick", "quick 1.0\nmore")


def filled(cache: Path, quick: Toolchain, count: int = 4, size: int = 1000) -> list[str]:
    """Keys of so many entries of this size and a little more, the first used last."""
    keys = []
    for i in range(count):
        path = build(f"{i}" * size, quick, name=f"model {i}")
        key = path.stem.removeprefix("kernel-")
        os.utime(path, (1e9, 1e9))
        os.utime(record_path(cache, key), (1e9 + 60 * (count - i), 1e9 + 60 * (count - i)))
        keys.append(key)
    return keys


# ---- what is removed


def test_the_last_used_stay(cache: Path, quick: Toolchain) -> None:
    keys = filled(cache, quick)
    assert [one.key for one in kept(cache)] == keys
    size = kept(cache)[0].size
    prune(cache, keep=keys[3], limit=2 * size + size // 2)
    # The last stays because it was just made, though it was used least recently.
    assert [one.key for one in kept(cache)] == [keys[0], keys[3]]
    prune(cache, keep=keys[3], limit=0)
    assert [one.key for one in kept(cache)] == [keys[3]]


def test_a_build_keeps_the_limit(cache: Path, quick: Toolchain, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = filled(cache, quick)
    size = kept(cache)[0].size
    monkeypatch.setattr(building, "prune", partial(prune, limit=3 * size + size // 2))
    new = build("x" * 1000, quick).stem.removeprefix("kernel-")
    assert [one.key for one in kept(cache)] == [new, keys[0], keys[1]]


def test_being_found_counts_as_used(cache: Path, quick: Toolchain) -> None:
    keys = filled(cache, quick)
    build("3" * 1000, quick)
    assert [one.key for one in kept(cache)] == [keys[3], *keys[:3]]


def test_what_killed_builds_left_goes_after_an_hour(cache: Path, quick: Toolchain) -> None:
    filled(cache, quick, count=1)
    for name in ("build-old", "build-new"):
        (cache / name).mkdir()
        (cache / name / "kernel.c").write_text("text")
    lock = cache / f"kernel-{'a' * 40}.lock"
    lock.write_text("")
    for path in (cache / "build-old", lock):
        os.utime(path, (1e9, 1e9))
    build("another", quick)
    assert not (cache / "build-old").exists() and not lock.exists()
    assert (cache / "build-new").exists()


def test_clearing_leaves_what_is_not_ours(cache: Path, quick: Toolchain) -> None:
    filled(cache, quick, count=2)
    others = [cache / name for name in ("notes.txt", "kernel-1.so", "kernel.c", "kernel-" + "g" * 40 + ".so")]
    for path in others:
        path.write_text("mine")
    (cache / "build-").mkdir()
    (cache / "build-1").mkdir()
    (cache / "build-1" / "kernel.c").write_text("12345")
    size = sum(one.size for one in kept(cache))
    assert clear(cache) == Cleared(2, size + 5)
    assert sorted(cache.iterdir()) == sorted([*others, cache / "build-"])
    assert clear(cache) == Cleared(0, 0)
    assert clear(cache / "absent") == Cleared(0, 0) and kept(cache / "absent") == ()


# ---- the lock


def test_a_second_waits_and_a_dead_one_is_not_waited_for(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    code = (
        "import sys, time; from pathlib import Path; from pbpkc.native.lock import one_at_a_time\n"
        "with one_at_a_time(Path(sys.argv[1]), 60):\n    print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE)
    assert other.stdout is not None and other.stdout.readline() == b"held\n"
    began = time.monotonic()
    with one_at_a_time(lock, 0.3):
        waited = time.monotonic() - began
    assert waited >= 0.3
    assert lock.exists()  # it is the other's
    other.kill()
    other.communicate()
    began = time.monotonic()
    with one_at_a_time(lock, 60):
        assert time.monotonic() - began < 30
    assert not lock.exists()


def test_without_a_place_for_a_lock_the_work_is_done(tmp_path: Path) -> None:
    with one_at_a_time(tmp_path / "absent" / "lock", 60):
        done = True
    assert done


# ---- the command


@needs_gcc
def test_the_list_names_model_compiler_and_size(cache: Path) -> None:
    compiled_library(TEXT, name="paracetamol")
    ran = call("cache")
    assert ran.code == 0 and not ran.err
    head, row, _, total, compiler = ran.out.splitlines()
    assert head.split() == ["model", "compiler", "size", "last", "used"]
    assert row.startswith("paracetamol  ") and "kB" in row
    assert total.startswith("1 kernel, ") and total.endswith(f"kB of at most 500.0 MB, in {cache}")
    assert compiler.startswith("compiler: ")
    told = call("cache", "--format", "json").json()
    (one,) = told["kernels"]
    assert (one["model"], one["damaged"], one["compiler"]) == ("paracetamol", False, told["compiler"])
    assert one["bytes"] == told["bytes"] == sum(path.stat().st_size for path in cache.iterdir())
    used = calendar.timegm(time.strptime(one["last_used"], "%Y-%m-%dT%H:%M:%SZ"))
    assert abs(time.time() - used) < 600
    assert (told["folder"], told["limit_bytes"], told["no_compiler"]) == (str(cache), 500_000_000, None)


def test_clear_says_what_went(cache: Path, quick: Toolchain) -> None:
    filled(cache, quick, count=3)
    size = sum(one.size for one in kept(cache))
    (cache / "mine").write_text("x")
    ran = call("cache", "clear")
    assert (ran.code, ran.out) == (0, f"removed 3 kernels, {size / 1e3:.1f} kB, from {cache}\n")
    assert [path.name for path in cache.iterdir()] == ["mine"]
    assert call("cache", "clear", "--format", "json").json() == {
        "folder": str(cache),
        "kernels": 0,
        "bytes": 0,
    }
    assert "0 kernels, 0 bytes of at most" in call("cache").out


def test_path_is_the_folder(cache: Path) -> None:
    assert call("cache", "path").out == f"{cache}\n"


def test_damage_and_control_characters_are_shown_as_such(cache: Path, quick: Toolchain) -> None:
    keys = filled(cache, quick, count=2)
    library_path(cache, keys[0]).write_text("cut")
    record = record_path(cache, keys[1])
    record.write_text(json.dumps({**json.loads(record.read_text()), "model": "\033[31mred\n"}))
    assert json.loads(record.read_text())["sha256"] == digest(library_path(cache, keys[1]))
    out = call("cache").out
    assert "damaged, compiled again when needed" in out and "quick 1.0" in out
    assert "\N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER}" in out and "\033" not in out
    assert sorted(one["damaged"] for one in call("cache", "--format", "json").json()["kernels"]) == [
        False,
        True,
    ]


def test_without_a_compiler_the_list_says_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PBPKC_NATIVE", "off")
    assert "compiler: none; compiled kernels are turned off by PBPKC_NATIVE=off" in call("cache").out
    assert "PBPKC_NATIVE=off" in call("cache", "--format", "json").json()["no_compiler"]
    monkeypatch.setenv("PBPKC_NATIVE", "perhaps")
    ran = call("cache")
    assert (ran.code, ran.err) == (2, "error: PBPKC_NATIVE=perhaps: accepted are on and off\n")


def test_a_note_is_a_line_and_not_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    ran = subprocess.run(
        [sys.executable, "-m", "pbpkc", "cache", "path"],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "file")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0
    assert ran.stderr.startswith("note: compiled kernels are kept for this process alone (")
    assert ran.stderr.count("\n") == 1
    forget()
