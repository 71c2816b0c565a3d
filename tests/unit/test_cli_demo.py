"""``pbpkc demo``: it runs the two commands that it prints, and stops at the first that fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_case import call


def test_the_demo_checks_fits_and_writes_the_report(tmp_path: Path) -> None:
    ran = call("demo", "-o", "my demo", cwd=tmp_path)
    assert ran.code == 0, ran.err
    commands = [line for line in ran.out.splitlines() if line.startswith("$ ")]
    assert [line.split()[2] for line in commands] == ["check", "fit"]
    assert commands[1].endswith("theophylline_oral.pbpk -o 'my demo'")
    assert "every check held" in ran.out
    assert "12 subjects in " in ran.out
    assert ran.out.endswith("open my demo/report.html\n")
    assert (tmp_path / "my demo" / "report.html").stat().st_size > 10_000


def test_the_demo_stops_where_a_step_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbpkc.check.report.CheckReport.ok", False)
    ran = call("demo", "-o", "demo", cwd=tmp_path)
    assert ran.code == 1
    assert "$ pbpkc fit" not in ran.out
    assert not (tmp_path / "demo").exists()


def test_a_place_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    ran = call("demo", "-o", "taken/demo", cwd=tmp_path)
    assert ran.code == 2
    assert not ran.out
