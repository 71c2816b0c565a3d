"""Which compiler is used, and what is said where there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from native_case import GCC, TEXT, needs_gcc, own_cache, program

from pbpkc.native import toolchain
from pbpkc.native.failure import KernelNote, NoCompiler
from pbpkc.native.library import compiled_library
from pbpkc.native.order import order
from pbpkc.native.toolchain import NO_COMPILER, Toolchain, find_toolchain

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="stand-ins are shell scripts")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with own_cache(tmp_path, monkeypatch) as folder:
        yield folder


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder where programs are looked for; no wheel is installed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda name: None)
    return folder


def saying(folder: Path, name: str) -> Path:
    return program(folder / name, f"echo '{name} of a test 1.0'")


def test_order_is_cc_gcc_clang_cc(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for name in ("cc", "clang", "gcc"):
        saying(path, name)
        toolchain._found.cache_clear()
        found.append(find_toolchain())
    saying(path, "special")
    monkeypatch.setenv("CC", "special -m64 'a word'")
    found.append(find_toolchain())
    assert [one.name for one in found] == ["cc", "clang", "gcc", "special"]
    assert found[-1].command == (str(path / "special"), "-m64", "a word")
    assert found[-1].title == "special of a test 1.0"
    assert all(one.remark == "" for one in found)


def test_the_wheel_is_last(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheel = tmp_path / "site" / "ziglang"
    wheel.mkdir(parents=True)
    (wheel / "__init__.py").write_text("")
    (wheel / "__main__.py").write_text("import sys; print('zig stand-in', *sys.argv[1:])")
    monkeypatch.undo()
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.syspath_prepend(str(wheel.parent))
    monkeypatch.setenv("PYTHONPATH", str(wheel.parent))
    toolchain._found.cache_clear()
    found = find_toolchain()
    assert (found.name, found.is_zig) == ("zig", True)
    assert found.title == "zig stand-in cc --version"
    assert "-mcpu=native" in order(TEXT, found).flags
    saying(path, "cc")
    toolchain._found.cache_clear()
    assert find_toolchain().name == "cc"


@needs_gcc
def test_the_wheel_compiles(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheel = tmp_path / "site" / "ziglang"
    wheel.mkdir(parents=True)
    (wheel / "__main__.py").write_text(
        "import os, sys\n"
        "assert sys.argv[1] == 'cc'\n"
        "words = [w for w in sys.argv[2:] if w != '-mcpu=native']\n"
        f"os.execv({GCC!r}, [{GCC!r}, *words])\n"
    )
    monkeypatch.undo()
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # Its assembler and linker are still on the path of the child; of ours only gcc is hidden.
    monkeypatch.setattr(toolchain, "_USUAL", ())
    monkeypatch.syspath_prepend(str(wheel.parent))
    monkeypatch.setenv("PYTHONPATH", str(wheel.parent))
    toolchain._found.cache_clear()
    assert compiled_library(TEXT, name="wheel").is_nan(0) == 0


def test_none_is_one_sentence(path: Path) -> None:
    with pytest.raises(NoCompiler) as caught:
        compiled_library(TEXT, name="none")
    assert caught.value.reason == NO_COMPILER
    assert "install gcc or clang, or `pip install 'pbpkc[native]'`" in caught.value.reason


@pytest.mark.parametrize(
    "wished", ["nope-compiler", "'unbalanced", "/", "gcc; touch X", "broken", "mute", "text"]
)
def test_a_cc_that_cannot_be_run_is_told_and_the_next_serves(
    path: Path, monkeypatch: pytest.MonkeyPatch, wished: str
) -> None:
    saying(path, "gcc")
    program(path / "broken", "echo no; exit 1")
    program(path / "mute", "exit 0")
    (path / "text").write_text("not a program")
    (path / "text").chmod(0o755)
    monkeypatch.setenv("CC", wished)
    found = find_toolchain()
    assert found.name == "gcc"
    silent = wished in ("broken", "mute", "text")
    why = (
        "did not say its version within 10 s, as a compiler does"
        if silent
        else "names no compiler that can be run"
    )
    assert found.remark.startswith("CC=") and found.remark.endswith(f"{why}, so gcc is used")


def test_a_cc_that_cannot_be_run_and_nothing_else(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "nope-compiler")
    with pytest.raises(
        NoCompiler, match="CC=nope-compiler names no compiler that can be run, and no C compiler"
    ):
        find_toolchain()


def test_a_compiler_that_never_says_its_version_is_left(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "_VERSION_SECONDS", 0.2)
    program(path / "gcc", "while :; do :; done")
    saying(path, "clang")
    assert find_toolchain().name == "clang"


@needs_gcc
@pytest.mark.filterwarnings("ignore::pbpkc.native.failure.KernelNote")
def test_no_text_reaches_a_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    monkeypatch.chdir(tmp_path)
    for wished in (
        f"{GCC}; touch {trace}",
        f"{GCC} $(touch {trace})",
        f"{GCC} `touch {trace}`",
        f"{GCC} && touch {trace}",
    ):
        toolchain._found.cache_clear()
        monkeypatch.setenv("CC", wished)
        try:
            compiled_library(TEXT, name=f"x; touch {trace}")
        except Exception as failure:
            assert type(failure).__module__.startswith("pbpkc.native")
        assert not trace.exists()
    assert not list(tmp_path.glob("touch*"))


@needs_gcc
def test_what_stands_in_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "nope-compiler")
    with pytest.warns(KernelNote, match="CC=nope-compiler names no compiler") as told:
        compiled_library(TEXT, name="a")
        compiled_library(TEXT, name="a", defines={"SHIFT": 1})
    assert len(told) == 1


@pytest.mark.parametrize("word", ["off", "OFF", " off "])
def test_kernels_can_be_turned_off(monkeypatch: pytest.MonkeyPatch, word: str, cache: Path) -> None:
    monkeypatch.setenv("PBPKC_NATIVE", word)
    with pytest.raises(NoCompiler, match="turned off by PBPKC_NATIVE=off"):
        compiled_library(TEXT, name="off")
    assert not cache.exists()


def test_another_word_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PBPKC_NATIVE", "of")
    with pytest.raises(ValueError, match="PBPKC_NATIVE=of: accepted are on and off"):
        find_toolchain()


def test_macros_are_names_and_numbers() -> None:
    compiler = Toolchain(("/bin/gcc",), "gcc", "gcc 1.0")
    assert order("", compiler, {"B": "double", "A": -1}).flags[-2:] == ("-DA=-1", "-DB=double")
    for macro, value in (("A B", 1), ("A", "1\n#include"), ("A", "x y"), ("-A", 1)):
        with pytest.raises(ValueError, match="defines"):
            order("", compiler, {macro: value})
    with pytest.raises(ValueError, match="optimise"):
        order("", compiler, optimise=4)


def test_the_key_holds_everything_that_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = Toolchain(("/bin/gcc",), "gcc", "gcc 1.0")
    one = order("a", compiler, name="x")
    others = [
        order("b", compiler),
        order("a", compiler, {"A": 1}),
        order("a", compiler, optimise=2),
        order("a", Toolchain(("/bin/gcc",), "gcc", "gcc 1.1")),
        order("a", Toolchain(("/bin/gcc", "-m32"), "gcc", "gcc 1.0")),
    ]
    assert len({one.key, *(other.key for other in others)}) == 6
    assert order("a", compiler, name="y").key == one.key
    before = one.key
    monkeypatch.setattr("pbpkc.native.order._processor", lambda: "another processor")
    assert one.key != before
