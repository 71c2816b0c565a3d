"""What every command has in common: exit status, the two outputs, and what is said of mistakes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cli_case import BLOW_UP, TINY, call, write

from pbpkc.cli import group

PBPKC = [sys.executable, "-c", "from pbpkc.cli import main; main()"]


def test_help_lists_the_commands_without_importing_them() -> None:
    code = (
        "import sys\nsys.argv = ['pbpkc', '--help']\nfrom pbpkc.cli import main\n"
        "try: main()\nexcept SystemExit as stop: assert stop.code == 0, stop\n"
        "heavy = {'torch', 'sympy', 'pandas', 'scipy', 'matplotlib', 'numpy', 'lark'} & set(sys.modules)\n"
        "assert not heavy, heavy\nassert 'pbpkc.cli.fit' not in sys.modules"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    for name, summary in group.COMMANDS.items():
        assert name in ran.stdout
        assert summary
    assert "simulate" in ran.stdout


def test_readme_lists_the_commands_in_their_groups() -> None:
    text = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    section = text[text.index("## What you do with it") :]
    block = section.split("```")[1]
    listed: dict[str, list[str]] = {}
    for part in block.strip().split("\n\n"):
        head, *lines = part.split("\n")
        named = [re.match(r"pbpkc ([a-z-]+)", line) for line in lines]
        assert all(named), part
        listed[head.removeprefix("# ").capitalize()] = list(dict.fromkeys(m[1] for m in named if m))
    assert {name: sorted(commands) for name, commands in listed.items()} == {
        name: sorted(commands) for name, commands in group.GROUPS.items()
    }


@pytest.mark.parametrize("command", group.COMMANDS)
def test_each_command_has_the_help_that_the_overview_promises(command: str) -> None:
    ran = call(command, "--help")
    assert ran.code == 0
    assert group.SUMMARIES[command] in " ".join(ran.out.split())
    assert not ran.err


def test_a_misspelt_command_names_the_similar_one() -> None:
    ran = call("simulat", "x.pbpk")
    assert ran.code == 2
    assert not ran.out
    assert "Did you mean 'simulate'?" in ran.err


def test_a_command_that_is_like_none_lists_them() -> None:
    ran = call("frobnicate")
    assert ran.code == 2
    assert "check, show, explain" in " ".join(ran.err.split())


def test_version() -> None:
    assert call("--version").out.startswith("pbpkc, version ")


@pytest.mark.parametrize("command", ["check", "simulate", "fit", "show"])
def test_a_missing_spec_is_a_problem_and_not_a_traceback(command: str, tmp_path: Path) -> None:
    ran = call(command, "nowhere.pbpk", cwd=tmp_path)
    assert ran.code == 1
    assert not ran.out
    assert "'nowhere.pbpk' cannot be read" in ran.err
    assert ran.err.endswith("1 problem\n")


def test_a_folder_is_no_spec(tmp_path: Path) -> None:
    ran = call("check", tmp_path)
    assert ran.code == 1
    assert "folder" in ran.err


@pytest.mark.parametrize("command", ["check", "simulate", "fit", "show"])
def test_problems_of_a_spec_are_json_where_json_is_asked_for(command: str, tmp_path: Path) -> None:
    spec = write(tmp_path, TINY.replace("rate k *", "rate kk *"))
    ran = call(command, spec, "--format", "json")
    assert ran.code == 1
    assert not ran.err
    found = ran.json()
    assert found["ok"] is False
    problem = found["problems"][0]
    assert (problem["code"], problem["line"], problem["column"]) == ("unknown-name", 8, 35)
    assert problem["file"] == str(spec)


def test_all_problems_are_told_with_their_number(tmp_path: Path) -> None:
    ran = call(
        "check", write(tmp_path, TINY.replace("rate k *", "rate kk *").replace("into plasma", "into plasm"))
    )
    assert ran.code == 1
    assert "'kk'" in ran.err
    assert "'plasm'" in ran.err
    assert ran.err.endswith("2 problems\n")


def test_a_fault_of_the_program_asks_for_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr("pbpkc.jobs.loaded.load", broken)
    ran = call("check", write(tmp_path, TINY))
    assert ran.code == 3
    assert not ran.out
    assert "internal error: KeyError: 'lost'" in ran.err
    assert "Please report it" in ran.err
    monkeypatch.setenv("PBPKC_TRACEBACK", "1")
    with pytest.raises(KeyError):
        call("check", write(tmp_path, TINY))


def test_a_value_error_of_a_library_is_a_fault_and_one_of_ours_is_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = call("simulate", write(tmp_path, TINY), "--rtol", "3")
    assert ours.code == 2
    assert ours.err.startswith("error: rtol is 3.0; accepted is")

    def library(*_: object) -> None:
        json.loads("{")

    monkeypatch.setattr("pbpkc.jobs.loaded.load", library)
    assert call("check", write(tmp_path, TINY)).code == 3


def test_a_full_disk_is_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pbpkc.experiment.whole_file.os.replace", full)
    ran = call("simulate", write(tmp_path, TINY), "-o", "x.csv", cwd=tmp_path)
    assert ran.code == 1
    assert ran.err.startswith("error: No space left on device: 'x.csv'\n  = help: free space on the disk of ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.pbpk"]


def test_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pbpkc.jobs.loaded.load", stop)
    ran = call("check", write(tmp_path, TINY))
    assert ran.code == 130
    assert ran.err.strip() == "interrupted"


def test_a_reader_that_goes_away_is_no_error_and_changes_no_status(tmp_path: Path) -> None:
    tiny = write(tmp_path, TINY)
    failing = write(tmp_path, TINY.replace("in (9, 11)", "in (90, 110)"), "failing.pbpk")
    for arguments, status in (
        (["simulate", tiny, "--points", "20000"], 0),
        (["check", failing, "--no-torch"], 1),
    ):
        child = subprocess.Popen(
            [*PBPKC, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.close()
        assert child.stderr is not None
        # A busy machine may be slow enough for a line of progress.
        told = child.stderr.read().decode()
        assert not [line for line in told.splitlines() if not line.startswith(("simulating", "checking"))]
        child.stderr.close()
        assert child.wait(60) == status


def test_a_closed_standard_output_is_no_error(tmp_path: Path) -> None:
    ran = subprocess.run(
        [*PBPKC, "simulate", str(write(tmp_path, TINY)), "--points", "2"],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        preexec_fn=lambda: os.close(1),
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_no_warnings_of_libraries(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONWARNINGS"}
    ran = subprocess.run(
        [*PBPKC, "simulate", write(tmp_path, BLOW_UP), "--points", "3"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert ran.returncode == 4
    assert "Warning" not in ran.stderr


def test_check_without_torch_does_not_load_it_and_has_no_colours_when_piped(tmp_path: Path) -> None:
    code = (
        "import sys; from pbpkc.cli import main\n"
        "try: main()\nexcept SystemExit as stop: assert stop.code == 0\n"
        "assert 'torch' not in sys.modules"
    )
    command = [sys.executable, "-c", code, "check", str(write(tmp_path, TINY)), "--no-torch"]
    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "torch" not in ran.stdout
    assert "\x1b" not in ran.stdout + ran.stderr
