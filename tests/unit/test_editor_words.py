"""The words of the language in four places that must not disagree, and what is made of them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest
from pygments.token import Comment, Error, Keyword, Name, Number, String

from pbpkc.editor import keywords
from pbpkc.editor.analysis import analyse
from pbpkc.editor.completion import complete
from pbpkc.editor.extension import FILES, main, named_files, pack
from pbpkc.editor.lexer import PbpkLexer
from pbpkc.editor.meanings import MEANINGS, explained
from pbpkc.editor.texts import Texts
from pbpkc.editor.words import grammar_words, unlisted, word_groups
from pbpkc.language.binding.scope import RESERVED
from pbpkc.language.syntax.statements import DECLARING

ROOT = Path(__file__).resolve().parents[2]
SPECS = [*sorted((ROOT / "specs").rglob("*.pbpk")), ROOT / "tests" / "golden" / "everything.pbpk"]
EXTENSION = ROOT / "grammar" / "vscode"

WORDS = sorted({word for members in word_groups().values() for word in members})


# ------------------------------------------------------------------ one list


def test_every_word_of_the_grammar_is_reserved_and_listed() -> None:
    assert len(grammar_words()) > 60
    assert unlisted() == frozenset()


def test_generated_files_say_what_the_grammar_says() -> None:
    assert keywords.outdated() == [], "run `python -m pbpkc.editor.keywords --write`"


def test_a_file_that_disagrees_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "grammar", tmp_path / "grammar")
    monkeypatch.setattr("pbpkc.resources.ROOT", tmp_path)
    page = tmp_path / "grammar" / "README.md"
    page.write_text(page.read_text(encoding="utf-8").replace("    abs after", "    after"), encoding="utf-8")
    assert keywords.outdated() == [page]
    assert keywords.main([]) == 1
    assert keywords.main(["--write"]) == 0
    assert keywords.outdated() == []
    assert page.read_text(encoding="utf-8") == (ROOT / "grammar" / "README.md").read_text(encoding="utf-8")


def test_wrong_usage_of_the_generator(capsys: pytest.CaptureFixture[str]) -> None:
    assert keywords.main(["--wirte"]) == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize("word", WORDS)
def test_every_word_has_a_meaning(word: str) -> None:
    assert explained(word), f"say in pbpkc/editor/meanings.py what '{word}' means"


def test_no_meaning_is_given_to_what_is_no_word() -> None:
    assert set(MEANINGS) - set(WORDS) == set()


def test_the_server_offers_every_declaration(tmp_path: Path) -> None:
    text = "pbpk 1\nmodel m\n"
    texts = Texts()
    texts.put(tmp_path / "m.pbpk", text)
    offers, _ = complete(analyse(tmp_path / "m.pbpk", texts), len(text))
    assert set(DECLARING) == {offer.text for offer in offers}
    assert set(word_groups()["declarations"]) - {"pbpk"} == set(DECLARING)


# ------------------------------------------------------------------ colours


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_the_lexer_reads_every_spec_and_loses_nothing(spec: Path) -> None:
    text = spec.read_text(encoding="utf-8")
    tokens = list(PbpkLexer(stripnl=False, ensurenl=False).get_tokens(text))
    assert "".join(value for _, value in tokens) == text
    assert [value for kind, value in tokens if kind in Error] == []
    words = {value for kind, value in tokens if kind in Keyword}
    assert words <= RESERVED and "model" in words


def test_the_lexer_tells_things_apart() -> None:
    text = 'param rate_1 = exp(-2.5e-3 [1/h]) # x\nobserve y "a" = liver.X.Cu in [mg/L] error prop(s)\n'
    kinds = {value: kind for kind, value in PbpkLexer().get_tokens(text)}
    assert kinds["param"] in Keyword and kinds["in"] in Keyword and kinds["error"] in Keyword
    assert kinds["exp"] == kinds["prop"] == Name.Builtin
    assert kinds["Cu"] == Name.Property and kinds["rate_1"] == kinds["liver"] == Name
    assert kinds["2.5e-3"] == Number and kinds["# x"] == Comment.Single and kinds['"a"'] == String.Double
    assert kinds["[mg/L]"] == Name.Attribute


def test_the_lexer_is_registered() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pygments.lexers"] == {"pbpk": "pbpkc.editor.lexer:PbpkLexer"}
    assert PbpkLexer.aliases == ["pbpk"] and PbpkLexer.filenames == ["*.pbpk"]


def _textmate(line: str) -> list[tuple[str, str]]:
    """The pieces of a line and their scopes by TextMate's rule: the first place, then the first pattern.

    Its regular expressions are kept to what Python's understand too.
    """
    patterns = [
        (re.compile(p["match"]), p.get("name"), p.get("captures", {}))
        for p in json.loads(keywords.textmate())["patterns"]
    ]
    found, at = [], 0
    while at < len(line):
        matches = [(m.start(), i, m) for i, (p, _, _) in enumerate(patterns) if (m := p.search(line, at))]
        if not matches:
            break
        _, index, match = min(matches, key=lambda entry: entry[:2])
        assert match.end() > at
        _, name, captures = patterns[index]
        if name:
            found.append((match[0], name))
        found.extend((match[int(group)], rule["name"]) for group, rule in captures.items())
        at = match.end()
    return found


def test_textmate_colours_what_the_lexer_colours() -> None:
    line = 'process uptake "from [gut]" for i in 1..7 : si<i>.X -> gut.X  rate mm(v, k, si<i>.X.C) * t # end'
    scopes = dict(_textmate(line))
    assert scopes["process"] == "keyword.other.declaration.pbpk" and scopes["uptake"] == "entity.name.pbpk"
    assert scopes['"from [gut]"'] == "string.quoted.double.pbpk" and "[gut]" not in scopes
    assert scopes["for"] == scopes["in"] == scopes["rate"] == "keyword.control.clause.pbpk"
    assert scopes["mm"] == "support.function.pbpk" and scopes["C"] == "variable.other.property.pbpk"
    assert scopes["->"] == "keyword.operator.arrow.pbpk" and scopes["t"] == "constant.language.pbpk"
    assert scopes["# end"].startswith("comment") and scopes["7"] == "constant.numeric.pbpk"


@pytest.mark.parametrize("group", ["declarations", "clauses", "functions", "figures", "models", "attributes"])
def test_textmate_knows_every_word(group: str) -> None:
    for word in word_groups()[group]:
        call = group in ("functions", "figures", "models")
        scopes = dict(_textmate(f"x = {word}(1)" if call else f"x = {word} 1"))
        assert word in scopes, word


# ------------------------------------------------------------------ the extension


def test_the_manifest_names_what_is_there() -> None:
    manifest = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
    for name in named_files(manifest):
        assert (EXTENSION / name).is_file(), name
    assert {path.relative_to(EXTENSION).as_posix() for path in EXTENSION.rglob("*") if path.is_file()} == set(
        FILES
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert manifest["version"] == project["version"] and manifest["license"] == project["license"]
    assert "dependencies" not in manifest
    configuration = json.loads((EXTENSION / "language-configuration.json").read_text(encoding="utf-8"))
    assert configuration["comments"]["lineComment"] == "#"


def test_the_extension_is_packed_the_same_every_time(tmp_path: Path) -> None:
    place = tmp_path / "pbpk.vsix"
    assert main(["-o", str(place)]) == 0
    assert place.read_bytes() == pack()
    with ZipFile(place) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        assert names == {f"extension/{n}" for n in FILES} | {"extension.vsixmanifest", "[Content_Types].xml"}
        told = archive.read("extension.vsixmanifest").decode()
        types = archive.read("[Content_Types].xml").decode()
    assert 'Id="pbpk"' in told and 'Version="0.1.0"' in told and "&" not in told.replace("&amp;", "")
    assert all(
        f'Extension=".{name.rsplit(".", 1)[1]}"' in types for name in names if "Content_Types" not in name
    )


def test_packing_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main(["-o", str(tmp_path / "nowhere" / "x.vsix")]) == 1
    assert "cannot be written" in capsys.readouterr().err


NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_the_extension_brings_an_editor_to_the_server(tmp_path: Path, patience: float) -> None:
    """The extension's own code, with a stand-in for VS Code, and the real server behind it."""
    (tmp_path / "m.pbpk").write_text("pbpk 1\nmodel m\nparam a = 1\nparam b = 2 * aa\n", encoding="utf-8")
    assert NODE is not None
    ran = subprocess.run(
        [
            NODE,
            str(Path(__file__).with_name("vscode_standin.js")),
            str(EXTENSION),
            sys.executable,
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        timeout=60 * patience,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = json.loads(ran.stdout)
    assert [d["message"].split("\n")[0] for d in told["problems"] if d["severity"] == 0] == [
        "'aa' is not declared"
    ]
    assert "`a` = **1**" in told["hover"]
    assert told["definition"] == {"line": 2, "character": 6}
    assert "param" in told["completion"]
    assert told["symbols"] == ["m", "a", "b"]
    assert told["fix"] == ["write 'a'"]
    assert told["edits"] == 1
    assert told["refused"] == "'rate' is a word of the language"
    assert told["left"] == "ended"
