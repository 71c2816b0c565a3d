"""`pbpkc format`: what it writes, what it leaves, what it says."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
from cli_case import TINY, call, write

LOOSE = TINY.replace("param k = 0.1", "param  k=0.1").replace("model tiny", "model   tiny")


def test_a_file_is_written_in_place_once(tmp_path: Path) -> None:
    path = write(tmp_path, LOOSE)
    path.chmod(0o640)
    ran = call("format", path)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"formatted  {path}\n1 of 1 file formatted\n"
    assert path.read_text() == TINY
    assert path.stat().st_mode & 0o777 == 0o640
    before = path.stat().st_mtime_ns
    ran = call("format", path)
    assert ran.out == "0 of 1 file formatted\n" and path.stat().st_mtime_ns == before
    assert [p.name for p in tmp_path.iterdir()] == ["model.pbpk"]


def test_line_ends_and_the_mark_of_windows_stay(tmp_path: Path) -> None:
    path = tmp_path / "windows.pbpk"
    path.write_bytes(b"\xef\xbb\xbf" + LOOSE.replace("\n", "\r\n").encode())
    assert call("format", path).code == 0
    assert path.read_bytes() == b"\xef\xbb\xbf" + TINY.replace("\n", "\r\n").encode()
    assert call("format", path, "--check").code == 0


def test_check_names_what_would_change_and_writes_nothing(tmp_path: Path) -> None:
    loose, tidy = write(tmp_path, LOOSE, "loose.pbpk"), write(tmp_path, TINY, "tidy.pbpk")
    ran = call("format", tmp_path, "--check")
    assert ran.code == 1
    assert ran.out == f"would change  {loose}\n1 of 2 files would change\n"
    assert loose.read_text() == LOOSE
    assert call("format", tidy, "--check").code == 0
    ran = call("format", loose, tidy, "--check", "--format", "json")
    assert ran.code == 1
    assert ran.json() == {
        "ok": False,
        "files": [{"file": str(loose), "changed": True}, {"file": str(tidy), "changed": False}],
        "problems": [],
    }


def test_diff_shows_the_lines(tmp_path: Path) -> None:
    path = write(tmp_path, LOOSE)
    ran = call("format", path, "--diff")
    assert ran.code == 0
    assert ran.out.startswith(f"--- {path}\n+++ {path}\n@@ ")
    assert "-param  k=0.1 [1/h]\n+param k = 0.1 [1/h]\n" in ran.out
    assert path.read_text() == LOOSE
    assert call("format", path, "--diff", "--check").code == 1


def test_output_elsewhere(tmp_path: Path) -> None:
    path, other = write(tmp_path, LOOSE), tmp_path / "other.pbpk"
    assert call("format", path, "-o", other).code == 0
    assert (path.read_text(), other.read_text()) == (LOOSE, TINY)


def test_standard_input_goes_to_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    def typed(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))

    typed(LOOSE)
    ran = call("format", "-")
    assert (ran.code, ran.out, ran.err) == (0, TINY, "")
    typed(LOOSE)
    ran = call("format", "-", "--check")
    assert (ran.code, ran.out) == (1, "would change  standard input\n1 of 1 file would change\n")
    typed("pbpk 1\nparam = 3\n")
    ran = call("format", "-")
    assert (ran.code, ran.out) == (1, "")
    assert "standard input:2:7" in ran.err


def test_a_file_with_a_syntax_error_is_left_and_the_others_are_written(tmp_path: Path) -> None:
    broken = LOOSE.replace("sink gone", "sink")
    wrong, loose = write(tmp_path, broken, "a.pbpk"), write(tmp_path, LOOSE, "b.pbpk")
    ran = call("format", wrong, loose, tmp_path / "none.pbpk")
    assert ran.code == 1
    assert wrong.read_text() == broken and loose.read_text() == TINY
    assert "a.pbpk:6:" in ran.err and "there is no such file" in ran.err and "2 problems" in ran.err
    ran = call("format", wrong, loose, "--format", "json")
    assert ran.code == 1
    assert [p["code"] for p in ran.json()["problems"]] == ["syntax"]
    assert [f["changed"] for f in ran.json()["files"]] == [False]


def test_a_link_stays_one(tmp_path: Path) -> None:
    path = write(tmp_path, LOOSE)
    link = tmp_path / "link.pbpk"
    link.symlink_to(path.name)
    ran = call("format", link, path)
    assert ran.out.endswith("1 of 1 file formatted\n")
    assert link.is_symlink() and path.read_text() == TINY


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="everything may be written by root"
)
def test_a_file_that_may_not_be_written(tmp_path: Path) -> None:
    path, other = write(tmp_path, LOOSE), write(tmp_path, LOOSE, "other.pbpk")
    path.chmod(0o444)
    ran = call("format", path, other)
    assert ran.code == 1 and str(path) in ran.err
    assert other.read_text() == LOOSE


@pytest.mark.parametrize(
    "arguments",
    [
        ("-", "a.pbpk"),
        ("a.pbpk", "b.pbpk", "-o", "c.pbpk"),
        (".", "-o", "c.pbpk"),
        ("a.pbpk", "--check", "-o", "c.pbpk"),
        (),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert call("format", *arguments, cwd=tmp_path).code == 2
