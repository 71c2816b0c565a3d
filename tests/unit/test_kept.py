"""Specs that are kept compiled: the same results, and never those of another text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import pbpkc.compiler.driver as driver
import pbpkc.jobs.kept as keeping
from pbpkc import private_folder
from pbpkc.jobs.loaded import load

SPEC = """pbpk 1
model kept
use "part.pbpk"
species D { mw = 200 [g/mol] }
pool p { volume = v }
sink out
process el : p -> out rate 2 [L/h] * p.C
observe Cp = p.C in [umol/L]
scenario s { dose D 10 [mg] into p; run 10 [h] }
"""

PART = "pbpk 1\nparam v = 5 [L]\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of this test alone, with keeping on."""
    monkeypatch.setenv("PBPKC_KEEP", "on")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    private_folder.private_folder.cache_clear()
    (tmp_path / "kept.pbpk").write_text(SPEC, encoding="utf-8")
    (tmp_path / "part.pbpk").write_text(PART, encoding="utf-8")
    yield tmp_path / "kept.pbpk"
    private_folder.private_folder.cache_clear()


def _no_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the spec was compiled again")

    monkeypatch.setattr(driver, "compile_model", never)
    monkeypatch.setattr(driver, "read", never)


def test_the_second_run_compiles_nothing_and_gives_the_same(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model, the generated text and the curves are equal."""
    first = load(place)
    curve = first.simulate("s").observables["Cp"]
    text = first.generated.kernel.rosenbrock().text  # type: ignore[union-attr]
    _no_compiling(monkeypatch)
    second = load(place)
    assert second.model == first.model
    assert second.generated.numpy_text == first.generated.numpy_text
    assert second.generated.kernel.rosenbrock().text == text  # type: ignore[union-attr]
    np.testing.assert_array_equal(second.simulate("s").observables["Cp"], curve)


def test_a_changed_file_is_read_again(place: Path) -> None:
    """The spec itself, and a file that it uses."""
    peak = load(place).simulate("s").observables["Cp"][0]
    (place.parent / "part.pbpk").write_text(PART.replace("5 [L]", "10 [L]"), encoding="utf-8")
    assert load(place).simulate("s").observables["Cp"][0] == pytest.approx(peak / 2)
    place.write_text(SPEC.replace("10 [mg]", "30 [mg]"), encoding="utf-8")
    assert load(place).simulate("s").observables["Cp"][0] == pytest.approx(1.5 * peak)


def test_another_program_compiles_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another version of pbpkc kept is not taken."""
    load(place).simulate("s")
    assert keeping.kept(place) is not None
    monkeypatch.setattr(keeping, "_program", lambda: "another")
    assert keeping.kept(place) is None


def test_a_damaged_file_is_not_believed(place: Path) -> None:
    """One byte, half of it, none of it: the spec is compiled again, and kept whole."""
    curve = load(place).simulate("s").observables["Cp"]
    (file,) = (place.parent / "cache").rglob("*.spec")
    whole = file.read_bytes()
    for wrong in (whole[:-1] + bytes([whole[-1] ^ 1]), whole[: len(whole) // 2], b"", b"\xff" * 40):
        file.write_bytes(wrong)
        assert keeping.kept(place) is None
        np.testing.assert_array_equal(load(place).simulate("s").observables["Cp"], curve)
        assert file.read_bytes() == whole


def test_what_a_run_changes_is_not_kept(place: Path) -> None:
    """``--set`` makes another model, which is compiled for itself."""
    plain = load(place).simulate("s").observables["Cp"]
    load(place).with_settings(set="v = 20 [L]").simulate("s")
    np.testing.assert_array_equal(load(place).simulate("s").observables["Cp"], plain)


def test_off_keeps_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither written nor read."""
    monkeypatch.setenv("PBPKC_KEEP", "off")
    load(place).simulate("s")
    assert not list((place.parent / "cache").rglob("*.spec"))


def test_kernels_of_a_changed_used_file_are_written_again(place: Path) -> None:
    """The text of the spec itself stays, and its kernels would be those of the other body."""

    def texts() -> tuple[str, str]:
        kernels = load(place).generated.kernel
        assert kernels is not None
        return kernels.rosenbrock().text, kernels.contour().text

    first = texts()
    assert texts() == first
    (place.parent / "part.pbpk").write_text(
        "pbpk 1\nparam w = 5 [L]\nparam v = w + 1 [L]\n", encoding="utf-8"
    )
    changed = texts()
    assert changed[0] != first[0]
    assert changed[1] != first[1]


def test_damaged_kernels_are_written_again(place: Path) -> None:
    """Whatever stands in their file."""
    kernels = load(place).generated.kernel
    assert kernels is not None
    text = kernels.rosenbrock().text
    (file,) = (place.parent / "cache").rglob("*.kernels")
    for wrong in (b"", b"\xff" * 40, file.read_bytes()[:-1]):
        file.write_bytes(wrong)
        again = load(place).generated.kernel
        assert again is not None
        assert again.rosenbrock().text == text
