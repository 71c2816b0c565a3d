"""Output that cannot be written: the message names what the user asked for, and nothing is left behind."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest
from cli_case import TINY, call, study, write

from pbpkc.experiment.whole_file import write_whole


def refuse(*args: object, **named: object) -> None:
    raise PermissionError(errno.EACCES, "Permission denied", "/somewhere/tmpabc123")


@pytest.mark.parametrize(
    "command",
    [
        ("simulate", "model.pbpk", "-o", "out/x.csv"),
        ("simulate", "model.pbpk", "-o", "x.csv", "--plot", "out/x.svg"),
        ("fit", "model.pbpk", "-o", "out"),
        ("fit", "model.pbpk", "-o", "out/new"),
        ("meta-train", "model.pbpk", "-o", "out/x.mipinn"),
        ("compile", "model.pbpk", "-o", "out"),
    ],
)
def test_a_folder_that_takes_no_file_is_refused_before_any_work(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study(tmp_path)
    (tmp_path / "out").mkdir()
    before = sorted(tmp_path.iterdir())
    real = tempfile.TemporaryFile

    def only_out(*args: object, dir: Path, **named: object) -> object:
        return refuse() if Path(dir).name == "out" else real(dir=dir)

    monkeypatch.setattr(tempfile, "TemporaryFile", only_out)
    ran = call(*command, cwd=tmp_path)
    assert ran.code == 2
    told = " ".join(ran.err.replace("│", " ").split())
    assert f"'{command[-1]}' cannot be written: the folder" in told
    assert "out' takes no file (Permission denied); change its permissions, or name another place" in told
    assert "tmpabc123" not in told
    assert sorted(tmp_path.iterdir()) == before and not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "free space on the disk of"),
        (errno.EACCES, "change the permissions of it and of the folder"),
        (errno.EROFS, "is on a disk that is only read; name another place"),
        (errno.ENOENT, "its folder takes no files: name another place"),
    ],
)
def test_what_fails_late_names_the_file_asked_for(
    number: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tempfile.mkstemp

    def full(dir: Path | None = None, prefix: str = "tmp", **named: object) -> tuple[int, str]:
        if prefix == ".x.csv.":
            raise OSError(number, os.strerror(number), str(tmp_path / ".x.csv.tmpabc123"))
        return real(dir=dir, prefix=prefix, **named)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(tempfile, "mkstemp", full)
    ran = call("simulate", str(write(tmp_path, TINY)), "-o", str(tmp_path / "x.csv"), cwd=tmp_path)
    assert ran.code == 1
    assert f"error: {os.strerror(number)}: '{tmp_path / 'x.csv'}'\n  = help: " in ran.err
    assert said in ran.err and "tmpabc123" not in ran.err


def test_an_error_of_a_file_names_that_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        write_whole({tmp_path / "none" / "x.csv": ""})
    assert missing.value.filename == str(tmp_path / "none" / "x.csv")
    (tmp_path / "taken").mkdir()
    with pytest.raises(IsADirectoryError) as taken:
        write_whole({tmp_path / "first": "", tmp_path / "taken": ""})
    assert taken.value.filename == str(tmp_path / "taken")
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]
