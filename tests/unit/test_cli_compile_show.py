"""``pbpkc compile`` and ``pbpkc show``: stages as text, generated files, equations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_case import TINY, UNKNOWN, call, write

MODULES = ["kernel.c", "manifest.json", "model_numpy.py", "model_torch.py"]


def test_the_modules_are_written_and_the_same_every_time(tmp_path: Path) -> None:
    spec = write(tmp_path, TINY)
    ran = call("compile", spec, "-o", "build/deep", cwd=tmp_path)
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.startswith("wrote build/deep/model_numpy.py")
    first = tmp_path / "build" / "deep"
    assert sorted(path.name for path in first.iterdir()) == MODULES
    assert call("compile", spec, "-o", tmp_path / "again").code == 0
    for name in MODULES:
        assert (first / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    manifest = json.loads((first / "manifest.json").read_text())
    assert [s["name"] for s in manifest["states"]] == ["plasma.D", "gone.D"]
    assert (first / "model_numpy.py").read_text() == call("compile", spec, "--emit", "numpy").out
    assert (first / "manifest.json").read_text() == call("compile", spec, "--emit", "manifest").out


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("tree", "process out : plasma -> gone"),
        ("model", "model tiny"),
        ("system", "states"),
        ("analysed", "plasma.D"),
        ("numpy", "import"),
        ("torch", "import"),
        ("latex", "\\documentclass"),
        ("manifest", '"fingerprint"'),
        ("kernel", "static void rhs("),
    ],
)
def test_each_stage_is_text(stage: str, said: str, tmp_path: Path) -> None:
    ran = call("compile", write(tmp_path, TINY), "--emit", stage)
    assert (ran.code, ran.err) == (0, "")
    assert said in ran.out
    assert ran.out.endswith("\n")
    assert ran.out == call("compile", write(tmp_path, TINY), "--emit", stage).out


def test_the_tree_is_a_spec_again(tmp_path: Path) -> None:
    spec = write(tmp_path, TINY)
    again = write(tmp_path, call("compile", spec, "--emit", "tree").out, "again.pbpk")
    assert call("compile", again, "--emit", "numpy").out == call("compile", spec, "--emit", "numpy").out


@pytest.mark.parametrize("options", [(), ("--emit", "tree", "-o", "build"), ("--emit", "assembly")])
def test_wrong_usage(options: tuple[str, ...], tmp_path: Path) -> None:
    ran = call("compile", write(tmp_path, TINY), *options, cwd=tmp_path)
    assert ran.code == 2
    assert not ran.out
    assert "--emit" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["model.pbpk"]


def test_a_place_that_cannot_be_made(tmp_path: Path) -> None:
    ran = call("compile", write(tmp_path, TINY), "-o", "model.pbpk/build", cwd=tmp_path)
    assert ran.code == 2
    assert "is a file" in ran.err


def test_a_wrong_spec_leaves_no_folder(tmp_path: Path) -> None:
    spec = write(tmp_path, TINY.replace("rate k *", "rate kk *"))
    assert call("compile", spec, "-o", tmp_path / "build").code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["model.pbpk"]


def test_timings_go_to_standard_error(tmp_path: Path) -> None:
    ran = call("compile", write(tmp_path, TINY), "--emit", "system", "--timings")
    assert [line.split()[0] for line in ran.err.splitlines()] == ["lower", "simplify", "analyse", "generate"]
    assert "ms" not in ran.out


def test_settings_stand_in_what_is_compiled(tmp_path: Path) -> None:
    spec = write(tmp_path, TINY)
    manifest = json.loads(call("compile", spec, "--emit", "manifest", "--set", "k = 0.25 1/h").out)
    assert {p["name"]: p["value"] for p in manifest["parameters"]}["k"] == 0.25


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("text", "d plasma.D/dt"),
        ("table", "parameter"),
        ("latex", "\\frac{\\mathrm{d}A_{\\mathrm{plasma,D}}}{\\mathrm{d}t}"),
    ],
)
def test_the_equations(form: str, said: str, tmp_path: Path) -> None:
    ran = call("show", write(tmp_path, TINY), "--format", form)
    assert (ran.code, ran.err) == (0, "")
    assert said in ran.out


def test_the_equations_as_json(tmp_path: Path) -> None:
    found = call("show", write(tmp_path, TINY), "--format", "json", "--set", "k = 0.25 1/h").json()
    assert [e["state"] for e in found["equations"]] == ["plasma.D", "gone.D"]
    assert {p["name"]: p["value"] for p in found["parameters"]}["k"] == "0.25"


def test_an_unknown_term_is_shown_by_its_name(tmp_path: Path) -> None:
    ran = call("show", write(tmp_path, UNKNOWN))
    assert ran.code == 0
    assert "cap(" in ran.out


def test_the_modules_do_not_replace_the_spec(tmp_path: Path) -> None:
    write(tmp_path, TINY, "manifest.json")
    ran = call("compile", "manifest.json", "-o", ".", cwd=tmp_path)
    assert ran.code == 2
    assert "would be overwritten" in " ".join(ran.err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]
