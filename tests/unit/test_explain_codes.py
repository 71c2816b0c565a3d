"""Every diagnostic code has an explanation, whose bad example yields it and whose good one does not."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_case import Ran, call

from pbpkc.body.usual_in_source import unusual_in_source
from pbpkc.compiler.lower import lower
from pbpkc.experiment.data import read_dataset
from pbpkc.jobs.remarks import remarks
from pbpkc.language.diagnostics import Diagnostic, SpecError
from pbpkc.language.explanations import CodeExplanation, Example, code_explanations
from pbpkc.language.foreign import import_model
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse

ROOT = Path(__file__).resolve().parents[2]
CODES = code_explanations()

#: What an editor says of a check in the background; it has the name of the check.
OF_PROGRAMS = {"check"}

#: Codes that are notes of right models as well.
OF_TWO_DEGREES = {"flow-sum"}


def of_spec(text: str, folder: Path) -> list[Diagnostic]:
    try:
        model = resolve(parse(SourceFile(str(folder / "spec.pbpk"), text)))
        lower(model)
    except SpecError as error:
        return list(error.diagnostics)
    return list(remarks(model))


def of_rows(example: Example, folder: Path) -> list[Diagnostic]:
    (folder / "trial.csv").write_text(example.rows, encoding="utf-8")
    try:
        model = resolve(parse(SourceFile(str(folder / "spec.pbpk"), example.spec)))
        return list(read_dataset(model).notes)
    except SpecError as error:
        return list(error.diagnostics)


def of_source(example: Example) -> list[Diagnostic]:
    try:
        found = import_model(SourceFile(example.name, example.source), look=unusual_in_source)
        return [*found.findings, *found.assumptions]
    except SpecError as error:
        return list(error.diagnostics)


def told(entry: CodeExplanation, example: Example | None, folder: Path) -> tuple[set[str], set[str]]:
    """The codes of errors, and all codes."""
    assert example is not None
    if entry.kind == "import":
        found = of_source(example)
    else:
        found = of_rows(example, folder) if entry.kind == "data" else of_spec(example.spec, folder)
    return {d.code for d in found if d.severity == "error"}, {d.code for d in found}


@pytest.mark.parametrize("code", [c for c, e in CODES.items() if e.kind in ("spec", "data", "import")])
def test_examples_are_what_they_say(code: str, tmp_path: Path) -> None:
    entry = CODES[code]
    errors, all_codes = told(entry, entry.bad, tmp_path)
    assert code in all_codes
    assert errors <= {code}
    errors, all_codes = told(entry, entry.good, tmp_path)
    assert errors == set()
    # What leaves the body is a note, and what leaves it by mistake a warning of the same code.
    assert code not in all_codes or code in OF_TWO_DEGREES


def _commands() -> list[object]:
    """Those that fit take seconds."""
    found = [(c, e.bad.command) for c, e in CODES.items() if e.kind == "run" and e.bad is not None]
    return [pytest.param(c, marks=[pytest.mark.long] if x.startswith("fit") else [], id=c) for c, x in found]


@pytest.fixture(scope="module")
def run_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[CodeExplanation, Example], Ran]:
    """Runs a command in a folder of its own; several codes share a good example."""
    done: dict[object, Ran] = {}

    def run(entry: CodeExplanation, example: Example) -> Ran:
        key = (example, tuple(sorted(entry.files.items())))
        if key not in done:
            folder = tmp_path_factory.mktemp("run")
            (folder / "spec.pbpk").write_text(example.spec, encoding="utf-8")
            for name, text in entry.files.items():
                (folder / name).write_text(text.lstrip("\n"), encoding="utf-8")
            done[key] = call(*shlex.split(example.command), cwd=folder)
        return done[key]

    return run


@pytest.mark.parametrize("code", _commands())
def test_commands_are_what_they_say(code: str, run_once: Callable[[CodeExplanation, Example], Ran]) -> None:
    entry = CODES[code]
    assert entry.bad is not None and entry.good is not None
    assert code in _told(run_once(entry, entry.bad))
    ran = run_once(entry, entry.good)
    assert code not in _told(ran)
    assert ran.code == 0, ran.err


def _told(ran: Ran) -> set[str]:
    return set(re.findall(r"^(?:error|warning|note)\[([a-z-]+)\]", ran.err, re.MULTILINE))


# ------------------------------------------------------------------ no code without an entry

#: Functions that give a code to a diagnostic, and at which of their arguments it stands.
_GIVERS = {
    "Diagnostic": 0, "_fail": 0, "fail": 0, "problem": 0, "_problem": 0, "refuse": 0, "_refuse": 0,
    "warn": 0, "_warning": 0, "_note": 0, "refused": 0, "_at": 1, "_error": 0,
}  # fmt: skip
_CODE = re.compile(r"[a-z]+(-[a-z]+)*")


def _constants(node: ast.expr | None) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _CODE.fullmatch(node.value):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _constants(node.body)
        yield from _constants(node.orelse)


def codes_in_source() -> set[str]:
    """Every code that pbpkc can give: given to a diagnostic, or a word like ``data-...``."""
    found: set[str] = set()
    for path in (ROOT / "pbpkc").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if re.fullmatch(r"(data|nca)-[a-z-]+", node.value) and "experiment" in path.parts:
                    found.add(node.value)
            elif isinstance(node, ast.Call):
                name = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                if name == "add" and len(node.args) > 1 and "experiment" in path.parts:
                    found.update(_constants(node.args[0]))
                elif (name in _GIVERS and "cli" not in path.parts[-2:-1]) or name == "Diagnostic":
                    at = _GIVERS[name]
                    given = node.args[at] if len(node.args) > at else None
                    named = next((k.value for k in node.keywords if k.arg == "code"), None)
                    found.update(_constants(given or named))
    return found


def test_every_code_of_the_source_has_an_entry() -> None:
    found = codes_in_source()
    assert len(found) > 180  # the search still finds them
    assert found - set(CODES) - OF_PROGRAMS == set()
    assert set(CODES) - found == set()


def test_every_code_of_a_rejected_spec_has_an_entry() -> None:
    shown = {
        code
        for path in (ROOT / "tests" / "rejected").rglob("*.txt")
        for code in re.findall(r"^\w+\[([a-z-]+)\]", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert shown - set(CODES) == set()


def test_entries_are_sentences_with_a_reason_where_there_is_no_example() -> None:
    for code, entry in CODES.items():
        assert entry.means.endswith("."), code
        assert (entry.kind == "none") == (entry.bad is None) == bool(entry.why), code


# ------------------------------------------------------------------ on the command line


def test_a_code_is_explained() -> None:
    ran = call("explain", "unit-mismatch")
    assert ran.code == 0
    assert ran.out.startswith("unit-mismatch\n\nTwo quantities that must have one unit")
    assert "bad (added to a spec" in ran.out and "param p = ka + cl\n" in ran.out and "good" in ran.out
    found = json.loads(call("explain", "unit-mismatch", "--format", "json").out)
    assert found["code"] == "unit-mismatch"
    assert found["bad"]["spec"].endswith("param p = ka + cl\n")


@pytest.mark.parametrize("code", CODES)
def test_every_code_can_be_printed(code: str) -> None:
    ran = call("explain", code)
    assert ran.code == 0 and ran.out.startswith(code)


def test_a_misspelt_code() -> None:
    ran = call("explain", "unit-mismach")
    assert ran.code == 2
    assert "'unit-mismatch'" in ran.err


def test_a_spec_without_a_name() -> None:
    ran = call("explain", "specs/paracetamol.pbpk")
    assert ran.code == 2
    assert "which name of the spec" in " ".join(ran.err.split())
