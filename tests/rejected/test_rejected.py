"""Every bad spec is refused with the text beside it: its place marked, and what to write instead.

Each ``NAME.pbpk`` has its ``NAME.txt``. After a change of wording, read the new texts aloud, then write them
with ``PBPKC_REGENERATE=1 pytest tests/rejected``.
"""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest

from pbpkc.compiler.lower import lower
from pbpkc.jobs.remarks import remarks
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.resolve import resolve
from pbpkc.language.syntax.parse import MOST_CHARACTERS, parse, read_source

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

# Files that other specs use; by themselves they are no bad specs.
USED = {"used_body", "used_with_errors"}
FOLDERS = (HERE / "syntax", HERE / "meaning")
SPECS = sorted(path for folder in FOLDERS for path in folder.glob("*.pbpk") if path.stem not in USED)

# What is wrong with a file and not with its text, built by a test below.
OF_FILES = {"cannot-read", "not-text", "too-long", "no-header"}


def refusal(path: str | Path) -> str:
    """What a user reads about a spec: its errors, or its warnings where it is accepted."""
    try:
        model = resolve(parse(read_source(path)))
        lower(model)
    except SpecError as error:
        return "\n\n".join(d.render() for d in error.diagnostics) + "\n"
    said = remarks(model)
    assert said, f"{path} is accepted without a word"
    return "\n\n".join(d.render() for d in said) + "\n"


@pytest.mark.parametrize("path", SPECS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_bad_spec_is_refused_in_these_words(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    found = refusal(path.name)
    expected = path.with_suffix(".txt")
    if os.environ.get("PBPKC_REGENERATE"):
        expected.write_text(found, encoding="utf-8")
    assert found == expected.read_text(encoding="utf-8")


def test_no_expected_text_is_left_behind() -> None:
    assert [p.name for p in expected_texts() if not p.with_suffix(".pbpk").exists()] == []


def expected_texts() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in folder.glob("*.txt"))


# ------------------------------------------------------------------ every code has its spec


def raised_codes(path: Path) -> set[str]:
    """The codes that a module gives to `Diagnostic` and to ``fail``."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("Diagnostic", "_fail", "fail") and isinstance(node.args[0].value, str):
                found.add(node.args[0].value)
    return found


def source_files() -> list[Path]:
    # What `--set` and its like refuse is no spec.
    of_options = re.compile("option|settings")
    folder = ROOT / "pbpkc" / "language"
    language = [
        p
        for p in sorted(folder.rglob("*.py"))
        if not of_options.search(p.stem) and p.relative_to(folder).parts[0] not in ("foreign", "options")
    ]
    others = ("compiler/lower.py", "compiler/partition.py", "body/usual.py", "check/extraction.py")
    return [*language, *(ROOT / "pbpkc" / name for name in others)]


def test_every_code_has_a_spec() -> None:
    raised = set().union(*(raised_codes(path) for path in source_files()))
    shown = {
        code
        for path in expected_texts()
        for code in re.findall(r"^\w+\[([a-z-]+)\]", path.read_text(), re.MULTILINE)
    }
    assert len(raised) > 60  # the search above still finds them
    assert raised - shown - OF_FILES == set()


def test_every_problem_marks_its_place_and_says_what_to_change() -> None:
    # What is missing in the whole of a spec has no place in it.
    without_place = {"no-state"}
    for path in expected_texts():
        for text in path.read_text(encoding="utf-8").split("\n\n"):
            code = re.match(r"\w+\[([a-z-]+)\]", text)
            assert code, path
            assert re.search(r"^ *--> ", text, re.MULTILINE) or code[1] in without_place, path
            assert re.search(r"^  help: ", text, re.MULTILINE) or text.startswith("note["), path


# ------------------------------------------------------------------ files that are no specs


def test_a_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path) == (
        f"error[cannot-read]: '{tmp_path}' cannot be read: it is a folder\n  help: check the path\n"
    )


def test_no_such_file(tmp_path: Path) -> None:
    path = tmp_path / "x.pbpk"
    assert f"error[cannot-read]: '{path}' cannot be read: there is no such file\n" in refusal(path)


def test_a_name_that_no_file_can_have() -> None:
    assert "error[cannot-read]" in refusal("a\0b.pbpk")


def test_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin.pbpk"
    path.write_bytes('pbpk 1\nmodel m "Körper"\n'.encode("latin-1"))
    assert refusal(path) == (
        f"error[not-text]: '{path}' is not UTF-8 text: line 2 holds a byte that means nothing in it\n"
        "  help: save the file as UTF-8\n"
    )


def test_a_binary_file(tmp_path: Path) -> None:
    path = tmp_path / "binary.pbpk"
    path.write_bytes(b"pbpk 1\0\0\1")
    assert "error[not-text]" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b"   \r\n"])
def test_an_empty_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "empty.pbpk"
    path.write_bytes(content)
    assert (
        refusal(path)
        == f"error[no-header]: '{path}' is empty\n  help: a spec begins with the line `pbpk 1`\n"
    )


def test_a_giant_file(tmp_path: Path) -> None:
    path = tmp_path / "giant.pbpk"
    path.write_text("pbpk 1\n" + "#" * MOST_CHARACTERS)
    assert f"error[too-long]: '{path}' has more than 500,000 characters\n" in refusal(path)
