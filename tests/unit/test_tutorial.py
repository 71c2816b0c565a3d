"""The tutorial of the language reference: what its commands print, and the figures that they make.

After a change, look at the differences and write page and figures anew with ``PBPKC_REGENERATE=1 pytest
tests/unit/test_tutorial.py``; an output with lines left out (``...``) is then changed by hand.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from reference_page import PAGE, Block, blocks, page

FIGURES = PAGE.parent / "figures"
REGENERATE = bool(os.environ.get("PBPKC_REGENERATE"))

#: What a command prints while it works, where standard error is no terminal.
PROGRESS = re.compile(r"(checking|compiling|simulating|fitting|report)\b.*")

#: A figure looks the same while its numbers, in points, differ by less.
SAME = 0.02

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Command:
    """A line behind ``$`` and what the page prints below it."""

    typed: str
    printed: tuple[str, ...]
    line: int


def commands(block: Block) -> list[Command]:
    found: list[Command] = []
    for number, line in enumerate(block.text.split("\n"), block.line):
        if line.startswith("$ "):
            found.append(Command(line[2:], (), number))
        else:
            assert found, f"line {number} of the page is printed by no command"
            last = found.pop()
            found.append(Command(last.typed, (*last.printed, line), last.line))
    return found


def printed(typed: str, folder: Path) -> list[str]:
    """The lines that a command prints, those of its progress left out."""
    from pbpkc.cli import main

    words = shlex.split(typed)
    assert words[0] == "pbpkc", typed
    shown = io.StringIO()
    before, sys.argv = sys.argv, words
    try:
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(shown),
            contextlib.redirect_stderr(shown),
            contextlib.suppress(SystemExit),
        ):
            main()
    finally:
        sys.argv = before
    lines = [line.rstrip() for line in shown.getvalue().rstrip("\n").split("\n")]
    return [line for line in lines if not PROGRESS.fullmatch(line)]


def matches(expected: tuple[str, ...], found: list[str]) -> bool:
    """Whether lines are those expected; ``...`` stands for any number of them."""
    pattern = "".join(r"(?:.*\n)*?" if line == "..." else re.escape(line) + r"\n" for line in expected)
    return re.fullmatch(pattern, "\n".join(found) + "\n") is not None


@dataclass(frozen=True)
class Walked:
    """What following the tutorial from its top left behind."""

    folder: Path
    printed: dict[Command, list[str]]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    folder = tmp_path_factory.mktemp("tutorial")
    made: dict[Command, list[str]] = {}
    for block in tutorial():
        saved = re.fullmatch(r"# saved as (\S+)", block.first)
        added = re.fullmatch(r"# added to (\w+)", block.first)
        if block.language == "console":
            made |= {c: printed(c.typed, folder) for c in commands(block)}
        elif saved:
            (folder / saved[1]).write_text(block.text + "\n", encoding="utf-8")
        elif added:
            with open(folder / f"{added[1]}.pbpk", "a", encoding="utf-8") as file:
                file.write("\n" + block.text.split("\n", 1)[1] + "\n")
        elif block.language == "pbpk":
            name = re.search(r"^model (\w+)", block.text, re.MULTILINE)
            assert name, f"line {block.line}"
            (folder / f"{name[1]}.pbpk").write_text(block.text + "\n", encoding="utf-8")
    return Walked(folder, made)


def tutorial() -> list[Block]:
    """The blocks of the tutorial; commands stand nowhere else on the page."""
    ends = page()[: page().index("\n## Text\n")].count("\n")
    assert all(b.line < ends for b in blocks() if b.language in ("console", "csv"))
    return [b for b in blocks() if b.line < ends]


def figures() -> dict[str, str]:
    """Of each picture on the page its text."""
    return {
        name: text for text, name in re.findall(r"^!\[(.+)\]\(figures/(\w+\.svg)\)$", page(), re.MULTILINE)
    }


def test_commands_print_what_the_page_says(walked: Walked) -> None:
    assert len(walked.printed) >= 8
    if REGENERATE:
        lines = page().split("\n")
        for command, found in sorted(walked.printed.items(), key=lambda item: -item[0].line):
            if "..." not in command.printed:
                lines[command.line : command.line + len(command.printed)] = found
        PAGE.write_text("\n".join(lines), encoding="utf-8")
        return
    for command, found in walked.printed.items():
        assert matches(command.printed, found), "\n".join([f"$ {command.typed}", *found])


def test_a_line_that_is_not_printed_is_found() -> None:
    assert matches(("a", "...", "d"), ["a", "b", "c", "d"]) and matches(("...",), ["a"])
    assert not matches(("a", "...", "c"), ["a", "b", "c", "d"])
    assert not matches(("a",), ["a", "b"])


def test_every_figure_is_made_by_a_command_of_the_page(walked: Walked) -> None:
    assert 3 <= len(figures()) <= 6
    assert {path.name for path in FIGURES.iterdir()} == set(figures())
    for name in figures():
        made = list(walked.folder.rglob(name))
        assert len(made) == 1, name
        if REGENERATE:
            (FIGURES / name).write_bytes(made[0].read_bytes())
        assert_alike(made[0].read_text(encoding="utf-8"), (FIGURES / name).read_text(encoding="utf-8"))
        assert made[0].stat().st_size < 60_000, name


def assert_alike(made: str, kept: str) -> None:
    """Two pictures are alike if they are the same but for the last digits of places."""
    number = re.compile(r"(?<![\w#.])-?\d+(?:\.\d+)?")
    assert number.sub("0", made) == number.sub("0", kept)
    for one, other in zip(number.findall(made), number.findall(kept), strict=True):
        assert abs(float(one) - float(other)) < SAME


def test_a_figure_that_differs_is_found() -> None:
    text = (FIGURES / "one_pool.svg").read_text(encoding="utf-8")
    assert_alike(text, text)
    at = text.index("L ", text.index('id="line2d_', text.index("matplotlib.axis_2")))
    with pytest.raises(AssertionError):
        assert_alike(text, text[:at] + "L 1" + text[at + 2 :])
