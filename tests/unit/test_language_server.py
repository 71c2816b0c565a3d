"""The language server over its pipes, as an editor drives it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lsp_client import COMMAND, Client

ROOT = Path(__file__).resolve().parents[2]

BODY = """pbpk 1
model body "What others use"
param cl "clearance" = 3 [L/h]   source "assumed"
param v = 30 [L]
species DRUG { mw = 250 [g/mol] }
lumen gut
pool plasma { volume = v }
sink out
process loss : plasma -> out rate cl * plasma.C
"""

SPEC = """pbpk 1
model study "Über µ and 𝒳 in quotes"
use "body.pbpk"
param ka = 1.2 [1/h]
process absorption "𝒳 ∈ gut" : gut -> plasma rate ka * gut.A
observe Cp "µg" = plasma.C in [µg/mL]
scenario oral "by mouth" { dose DRUG 100 [mg] into gut; run 24 [h] }
check cmax(oral.Cp) in (1, 10) [mg/L]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("editor")
    shutil.copytree(ROOT / "specs", folder, dirs_exist_ok=True)
    (folder / "body.pbpk").write_text(BODY, encoding="utf-8")
    client = Client(folder, "--no-proofs", patience=6)
    try:
        client.initialize()
        yield client
    finally:
        client.stop()


@pytest.fixture
def study(server: Client) -> Iterator[Client]:
    server.open("study.pbpk", SPEC)
    assert server.problems("study.pbpk") == []
    yield server
    server.tell("textDocument/didClose", textDocument={"uri": server.uri("study.pbpk")})


def _marked(text: str, place: dict[str, Any]) -> str:
    """The text of a range, counted in UTF-16."""
    lines = text.split("\n")
    start, end = place["start"], place["end"]
    if start["line"] != end["line"]:
        return "\n".join(lines[start["line"] : end["line"] + 1])
    line = lines[start["line"]].encode("utf-16-le")
    return line[2 * start["character"] : 2 * end["character"]].decode("utf-16-le")


def _applied(text: str, edits: list[dict[str, Any]]) -> str:
    def offset(place: dict[str, int]) -> int:
        lines = text.split("\n")
        before = "".join(line + "\n" for line in lines[: place["line"]])
        if place["line"] >= len(lines):
            return len(text)
        units = lines[place["line"]].encode("utf-16-le")[: 2 * place["character"]]
        return len(before) + len(units.decode("utf-16-le"))

    for edit in sorted(edits, key=lambda e: offset(e["range"]["start"]), reverse=True):
        start, end = offset(edit["range"]["start"]), offset(edit["range"]["end"])
        text = text[:start] + edit["newText"] + text[end:]
    return text


# ------------------------------------------------------------------ problems


def test_a_semantic_error_is_marked_and_goes_when_it_is_corrected(study: Client) -> None:
    wrong = SPEC.replace("rate ka *", "rate kaa *")
    study.change("study.pbpk", wrong)
    problem = next(p for p in study.problems("study.pbpk") if p["severity"] == 1)
    assert problem["code"] == "unknown-name" and problem["source"] == "pbpkc"
    assert "'kaa' is not declared" in problem["message"] and "help:" in problem["message"]
    # Two characters beyond the basic plane stand in front of it.
    assert _marked(wrong, problem["range"]) == "kaa"
    related = problem["relatedInformation"][0]
    assert related["message"] == "declared here"
    assert _marked(wrong, related["location"]["range"]) == "ka"
    study.change("study.pbpk", SPEC)
    assert study.problems("study.pbpk") == []


def test_a_syntax_error_hides_no_names(study: Client) -> None:
    broken = SPEC.replace("rate ka * gut.A", "rate ka * ")
    study.change("study.pbpk", broken)
    (problem,) = study.problems("study.pbpk")
    assert problem["code"] == "syntax"
    shown = study.ask("textDocument/hover", **study.at("study.pbpk", broken, "plas|ma.C"))
    assert "volume" in shown["contents"]["value"]
    offered = study.ask("textDocument/completion", **study.at("study.pbpk", broken, "rate ka * |"))
    assert {"ka", "cl", "gut", "plasma", "exp"} <= {item["label"] for item in offered["items"]}


def test_an_error_in_a_used_file_is_told_where_it_is_used(study: Client) -> None:
    study.open("body.pbpk", BODY.replace("cl * plasma.C", "cl * plasma.C +"))
    study.change("study.pbpk", SPEC + "\n")
    (problem,) = study.problems("study.pbpk")
    assert _marked(SPEC, problem["range"]) == 'use "body.pbpk"'
    assert problem["message"].startswith("in body.pbpk, line 9: ")
    assert problem["relatedInformation"][0]["location"]["uri"] == study.uri("body.pbpk")
    study.tell("textDocument/didClose", textDocument={"uri": study.uri("body.pbpk")})


def test_a_used_file_counts_as_it_stands_on_the_screen(study: Client) -> None:
    told = len(study.published)
    study.open("body.pbpk", BODY.replace("param cl", "param clr").replace("rate cl", "rate clr"))
    study.problems("body.pbpk")
    study.change("study.pbpk", SPEC + "let half = cl / v\n")
    problem = next(p for p in study.problems("study.pbpk") if p["severity"] == 1)
    assert "'cl' is not declared" in problem["message"]
    assert len(study.published) > told
    study.tell("textDocument/didClose", textDocument={"uri": study.uri("body.pbpk")})


def test_windows_line_ends_are_line_ends(study: Client) -> None:
    wrong = SPEC.replace("rate ka *", "rate kaa *")
    study.change("study.pbpk", wrong.replace("\n", "\r\n"))
    problem = next(p for p in study.problems("study.pbpk") if p["severity"] == 1)
    assert _marked(wrong, problem["range"]) == "kaa"


def test_a_file_that_is_no_spec_is_a_problem_and_no_failure(server: Client) -> None:
    for text in ("", "\0\1", "not a spec", "pbpk 1", "pbpk 1\nmodel m\nparam a = [", "𝒳" * 1000):
        server.open("strange.pbpk", text)
        assert server.problems("strange.pbpk")
        position = {
            "textDocument": {"uri": server.uri("strange.pbpk")},
            "position": {"line": 9, "character": 9},
        }
        server.ask("textDocument/hover", **position)
        server.ask("textDocument/completion", **position)
        server.ask("textDocument/definition", **position)
    server.tell("textDocument/didClose", textDocument={"uri": server.uri("strange.pbpk")})


def test_an_edit_of_33_states_is_answered_at_once(
    server: Client, figure: Callable[..., None], patience: float
) -> None:
    name = "paracetamol_oral.pbpk"
    text = (server.folder / name).read_text(encoding="utf-8")
    server.open(name, text)
    server.problems(name)
    wrong = text.replace("rate k_empty", "rate k_emty")
    taken = []
    for state in (wrong, text, wrong, text, wrong):
        start = time.perf_counter()
        server.change(name, state)
        found = server.problems(name)
        taken.append(time.perf_counter() - start)
        assert any(p["code"] == "unknown-name" for p in found) == (state is wrong)
    figure("language server, problems after an edit of 33 states", max(taken), "s", below=0.3)
    assert max(taken) < 0.3 * patience, taken
    if sys.platform == "linux":
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        peak = next(int(line.split()[1]) for line in status.split("\n") if line.startswith("VmHWM"))
        figure("language server, memory", peak / 1024, "MB", below=500.0)
        assert peak / 1024 < 500
    server.tell("textDocument/didClose", textDocument={"uri": server.uri(name)})


# ------------------------------------------------------------------ places


def test_hover_says_value_unit_and_source(study: Client) -> None:
    shown = study.ask("textDocument/hover", **study.at("study.pbpk", SPEC, "rate k|a *"))
    assert "`ka` = **1.2 [1/h]**" in shown["contents"]["value"]
    assert _marked(SPEC, shown["range"]) == "ka"
    shown = study.ask("textDocument/hover", **study.at("study.pbpk", SPEC, "plasma.|C in"))
    assert "plasma.DRUG.C = plasma.DRUG / plasma.volume" in shown["contents"]["value"]
    shown = study.ask("textDocument/hover", **study.at("study.pbpk", SPEC, "gut.|A"))
    assert "d gut.DRUG / dt =\n  - ka * gut.DRUG" in shown["contents"]["value"]
    shown = study.ask("textDocument/hover", **study.at("study.pbpk", SPEC, "cm|ax"))
    assert "largest value" in shown["contents"]["value"]
    shown = study.ask("textDocument/hover", **study.at("study.pbpk", SPEC, "[µ|g/mL]"))
    assert "`[kg/L]`" in shown["contents"]["value"]


def test_definition_leads_into_used_files_and_the_library(study: Client) -> None:
    (place,) = study.ask("textDocument/definition", **study.at("study.pbpk", SPEC, "-> plas|ma"))
    assert place["uri"] == study.uri("body.pbpk")
    assert _marked(BODY, place["range"]) == "plasma"
    (place,) = study.ask("textDocument/definition", **study.at("study.pbpk", SPEC, '"bo|dy.pbpk'))
    assert place["uri"] == study.uri("body.pbpk")
    name = "paracetamol_oral.pbpk"
    text = (study.folder / name).read_text(encoding="utf-8")
    study.open(name, text)
    (place,) = study.ask("textDocument/definition", **study.at(name, text, "smallg|ut.APAP"))
    assert place["uri"].endswith("/library/human_adult.pbpk")
    study.tell("textDocument/didClose", textDocument={"uri": study.uri(name)})


def test_references_are_found_in_every_file_that_shares_the_name(study: Client) -> None:
    where = study.at("study.pbpk", SPEC, "-> plas|ma")
    found = study.ask("textDocument/references", **where, context={"includeDeclaration": True})
    files = [place["uri"].rsplit("/", 1)[1] for place in found]
    assert files.count("study.pbpk") == 2 and files.count("body.pbpk") == 3
    read = study.ask("textDocument/references", **where, context={"includeDeclaration": False})
    assert len(read) == len(found) - 1


def test_symbols_are_the_declarations(study: Client) -> None:
    found = study.ask("textDocument/documentSymbol", textDocument={"uri": study.uri("study.pbpk")})
    assert [s["name"] for s in found] == ["study", "ka", "absorption", "Cp", "oral"]
    assert all(_marked(SPEC, s["selectionRange"]) == s["name"] for s in found)


# ------------------------------------------------------------------ changes


def test_rename_changes_every_file_and_nothing_else(study: Client) -> None:
    edit = study.ask("textDocument/rename", **study.at("study.pbpk", SPEC, "-> plas|ma"), newName="blood_1")
    assert set(edit["changes"]) == {study.uri("study.pbpk"), study.uri("body.pbpk")}
    assert _applied(BODY, edit["changes"][study.uri("body.pbpk")]) == BODY.replace("plasma", "blood_1")
    assert _applied(SPEC, edit["changes"][study.uri("study.pbpk")]) == SPEC.replace("plasma", "blood_1")


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ("rate", "a word of the language"),
        ("cl", "'cl' is declared in body.pbpk, line 3"),
        ("1st", "is no name"),
        ("k-a", "is no name"),
        ("", "is no name"),
    ],
)
def test_a_rename_that_would_break_is_refused(study: Client, new: str, why: str) -> None:
    answer = study.request("textDocument/rename", **study.at("study.pbpk", SPEC, "rate k|a *"), newName=new)
    assert why in answer["error"]["message"]


def test_what_has_no_name_cannot_be_renamed(study: Client) -> None:
    answer = study.request("textDocument/prepareRename", **study.at("study.pbpk", SPEC, "scen|ario"))
    assert answer["error"]["message"] == "there is no name of the spec here"


def test_the_library_is_not_renamed(study: Client) -> None:
    name = "paracetamol_oral.pbpk"
    text = (study.folder / name).read_text(encoding="utf-8")
    study.open(name, text)
    answer = study.request("textDocument/rename", **study.at(name, text, "smallg|ut.APAP"), newName="jejunum")
    assert "human_adult.pbpk, which ships with pbpkc" in answer["error"]["message"]
    study.tell("textDocument/didClose", textDocument={"uri": study.uri(name)})


def test_a_misspelt_name_has_a_fix(study: Client) -> None:
    wrong = SPEC.replace("rate ka *", "rate kaa *")
    study.change("study.pbpk", wrong)
    problem = next(p for p in study.problems("study.pbpk") if p["code"] == "unknown-name")
    found = study.ask(
        "textDocument/codeAction",
        textDocument={"uri": study.uri("study.pbpk")},
        range=problem["range"],
        context={"diagnostics": [problem]},
    )
    assert [action["title"] for action in found] == ["write 'ka'"]
    assert _applied(wrong, found[0]["edit"]["changes"][study.uri("study.pbpk")]) == SPEC


def test_layout_keeps_comments_and_is_stable(study: Client) -> None:
    loose = SPEC.replace("param ka =", "# why\nparam     ka   =  ").replace("run 24", "run    24")
    study.change("study.pbpk", loose)
    document = {
        "textDocument": {"uri": study.uri("study.pbpk")},
        "options": {"tabSize": 2, "insertSpaces": True},
    }
    edits = study.ask("textDocument/formatting", **document)
    text = _applied(loose, edits)
    assert "# why\nparam ka = 1.2 [1/h]\n" in text and "run 24 [h] }" in text
    study.change("study.pbpk", text)
    assert study.ask("textDocument/formatting", **document) == []
    study.change("study.pbpk", text + "param = ")
    assert study.ask("textDocument/formatting", **document) == []


# ------------------------------------------------------------------ beginning and end


def test_an_editor_that_prefers_bytes_is_answered_in_utf_16(tmp_path: Path) -> None:
    client = Client(tmp_path, "--no-proofs", patience=6)
    try:
        told = client.ask(
            "initialize",
            processId=None,
            rootUri=None,
            capabilities={"general": {"positionEncodings": ["utf-8", "utf-16"]}},
        )
        assert told["capabilities"]["positionEncoding"] == "utf-16"
        assert client.leave() == 0
        assert client.errors() == ""
    finally:
        client.stop()


def test_garbage_between_messages_is_passed_over(tmp_path: Path) -> None:
    client = Client(tmp_path, "--no-proofs", patience=6)
    try:
        client.raw(b"hello\r\n\r\nworld\r\n" + b"\xff\xfe\x00\r\n" * 100)
        client.raw(b"Content-Length: 5\r\n\r\n{{{{{")
        client.raw(b'Content-Length: 13\r\n\r\n{"id": "x/y"}')
        client.initialize()
        assert "error" in client.request("x/y")
        client.send({"id": 77, "method": "textDocument/hover", "params": {"nothing": 1}})
        client.open("m.pbpk", "pbpk 1\nmodel m\n")
        assert [(p["code"], p["severity"]) for p in client.problems("m.pbpk")] == [("no-state", 3)]
        assert client.leave() == 0
        assert client.errors() == ""
    finally:
        client.stop()


@pytest.mark.parametrize("length", [99999999, 10**18], ids=["too-short", "absurd"])
def test_a_message_that_never_comes_whole_ends_the_server(
    tmp_path: Path, length: int, patience: float
) -> None:
    ran = subprocess.run(
        [*COMMAND, "--no-proofs"],
        input=b"Content-Length: %d\r\n\r\n{}" % length,
        capture_output=True,
        cwd=tmp_path,
        timeout=30 * patience,
    )
    assert ran.returncode in (0, 1)
    assert b"Traceback" not in ran.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process as POSIX does")
def test_a_killed_editor_takes_the_server_with_it(tmp_path: Path, patience: float) -> None:
    # The editor holds the only ends of the pipes; it prints the server's process and waits.
    editor = (
        "import subprocess, sys\n"
        f"server = subprocess.Popen({COMMAND!r}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "print(server.pid, flush=True)\n"
        "server.wait()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", editor], stdout=subprocess.PIPE, cwd=tmp_path, text=True
    )
    assert process.stdout is not None
    server = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    end = time.monotonic() + 20 * patience
    while time.monotonic() < end and _runs(server):
        time.sleep(0.1)
    assert not _runs(server)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat")
        # What nobody waits for stays as a zombie.
        return not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except ProcessLookupError:
        return False


def test_without_pygls_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules['pygls'] = None\n"
        "sys.argv = ['pbpkc', 'language-server']\n"
        "from pbpkc.cli import main; main()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert ran.returncode == 2
    assert "pip install 'pbpkc[editor]'" in ran.stderr and "Traceback" not in ran.stderr


@pytest.mark.parametrize("options", [["--tcp", "port"], ["--tcp", "0"], ["--stdio", "--tcp", "2087"]])
def test_wrong_usage_is_status_2(options: list[str], tmp_path: Path) -> None:
    ran = subprocess.run([*COMMAND, *options], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert ran.returncode == 2 and "Traceback" not in ran.stderr


def test_a_text_without_a_file_is_served(server: Client) -> None:
    document = {
        "uri": "untitled:Untitled-1",
        "languageId": "pbpk",
        "version": 1,
        "text": "pbpk 1\nmodel m\nparam a = b\n",
    }
    server.tell("textDocument/didOpen", textDocument=document)
    shown = server.ask(
        "textDocument/hover", textDocument={"uri": document["uri"]}, position={"line": 2, "character": 0}
    )
    assert "A value" in shown["contents"]["value"]
    told = next(t for t in server.published if t["uri"] == document["uri"])
    assert "unknown-name" in {d["code"] for d in told["diagnostics"]}
    server.tell("textDocument/didClose", textDocument={"uri": document["uri"]})


def test_a_port_serves_one_editor_and_ends_with_it(tmp_path: Path, patience: float) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [*COMMAND, "--no-proofs", "--tcp", str(port)], cwd=tmp_path, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        assert process.stderr.readline() == b"waiting for an editor on 127.0.0.1:%d\n" % port
        asked = {"processId": None, "rootUri": None, "capabilities": {}}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": asked}).encode()
        with socket.create_connection(("127.0.0.1", port), timeout=20 * patience) as line:
            line.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert line.recv(15) == b"Content-Length:"
        assert process.wait(timeout=20 * patience) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


# ------------------------------------------------------------------ the proofs beside it


@pytest.mark.slow
def test_proofs_come_later_and_go_with_the_next_edit(tmp_path: Path) -> None:
    client = Client(tmp_path, patience=12)
    fails = SPEC.replace("(1, 10) [mg/L]", "(100, 200) [mg/L]")
    (tmp_path / "body.pbpk").write_text(BODY, encoding="utf-8")
    try:
        client.initialize()
        client.open("study.pbpk", fails)
        assert client.problems("study.pbpk") == []
        client.published.clear()
        # Typing goes on being answered while they run.
        (problem,) = client.problems("study.pbpk")
        assert problem["code"] == "expectation" and problem["severity"] == 1
        assert _marked(fails, problem["range"]).startswith("check cmax(oral.Cp)")
        assert "expected in (100, 200)" in problem["message"]
        client.change("study.pbpk", fails + "\n")
        assert client.problems("study.pbpk") == []
        assert client.leave() == 0
    finally:
        client.stop()
