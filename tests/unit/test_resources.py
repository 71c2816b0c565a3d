"""Shipped files are found in an editable installation; tests/install covers the wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbpkc.resources import resource

ROOT = Path(__file__).resolve().parents[2]


def test_a_shipped_file_is_found_from_any_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resource("specs", "theophylline_oral.pbpk") == ROOT / "specs" / "theophylline_oral.pbpk"
    assert resource("specs").is_dir()


def test_an_unknown_file_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"'specs/absent\.pbpk' does not ship with pbpkc"):
        resource("specs", "absent.pbpk")
