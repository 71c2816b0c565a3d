"""Progress: silent for short work, plain lines where piped, nothing on standard output."""

from __future__ import annotations

import contextlib
import io
import sys
import time
from pathlib import Path

import pytest
from cli_case import TINY, write

from pbpkc.cli import main, progress


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 0.15)


def errors(work: object) -> list[str]:
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        work()  # type: ignore[operator]
    return told.getvalue().splitlines()


def test_short_work_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 60)

    def work() -> None:
        with progress.bar("fitting") as tell, progress.status("checking") as say:
            tell(1, 3, "ID 1")
            say("mass")

    assert errors(work) == []


def test_long_work_without_a_word_says_what_it_is() -> None:
    def work() -> None:
        with progress.status("compiling"):
            time.sleep(0.3)

    assert errors(work) == ["compiling"]


def test_the_first_line_is_the_latest_and_later_ones_follow_at_once() -> None:
    def work() -> None:
        with progress.status("checking") as say:
            say("units")
            say("mass")
            time.sleep(0.3)
            say("code")

    assert errors(work) == ["checking: mass", "checking: code"]


def test_a_count_is_told_sparingly_with_the_time_left() -> None:
    def work() -> None:
        with progress.bar("fitting") as tell:
            for done in range(1, 41):
                tell(done, 40, "ID 7")
                time.sleep(0.02)

    began = time.monotonic()
    lines = errors(work)
    assert 2 <= len(lines) <= (time.monotonic() - began) / 0.15 + 1
    assert len(lines) < 40
    assert all(
        line.startswith("fitting ID 7: ") and " %, about " in line and line.endswith(" s left")
        for line in lines
    )


def test_a_count_without_a_word() -> None:
    def work() -> None:
        with progress.bar("simulating") as tell:
            tell(0, 4, "")
            time.sleep(0.3)

    assert errors(work) == ["simulating: 0 %"]


def test_nothing_is_said_after_the_end_even_if_it_fails() -> None:
    def work() -> None:
        with contextlib.suppress(KeyError), progress.bar("fitting"):
            raise KeyError
        time.sleep(0.3)

    assert errors(work) == []


class Terminal(io.StringIO):
    """A stream that says it is a screen."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_line_is_cleared_and_colours_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def screen() -> tuple[str, str]:
        out, err = Terminal(), Terminal()
        monkeypatch.setattr(sys, "argv", ["pbpkc", "check", str(write(tmp_path, TINY)), "--no-torch"])
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as stop,
        ):
            main()
        assert stop.value.code == 0
        return out.getvalue(), err.getvalue()

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR")
    out, err = screen()
    assert "\x1b[32mheld" in out
    assert "checking" in err
    assert err.endswith("\x1b[2K")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in screen()[0]


def test_the_bar_on_a_terminal_tells_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    err = Terminal()
    with contextlib.redirect_stderr(err), progress.bar("benchmark", rate=1.0) as tell:
        tell(100.0, 5000.0, "training")
        time.sleep(0.3)
    assert "benchmark training" in err.getvalue() and "about 82 min left" in err.getvalue()
