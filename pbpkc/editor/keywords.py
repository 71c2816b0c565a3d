"""Grammars for editors and the list of words in the reference, made from the grammar of the language.

``python -m pbpkc.editor.keywords`` says which files have come apart from the grammar (exit status 1);
with ``--write`` it writes them.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pbpkc.editor.words import word_groups
from pbpkc.experiment.whole_file import write_whole
from pbpkc.language.binding.scope import RESERVED
from pbpkc.resources import resource

#: Where the generated files stand, from the top of the repository.
TEXTMATE = ("grammar", "vscode", "syntaxes", "pbpk.tmLanguage.json")
REFERENCE = ("grammar", "README.md")

#: The list stands at the end of its page, below this heading and what introduces it.
_HEADING = "## Words of the language"

_WIDTH = 134


def textmate() -> str:
    """The TextMate grammar, by which VS Code and many other editors colour a text."""
    groups = word_groups()
    patterns: list[Mapping[str, Any]] = [
        _match("comment.line.number-sign.pbpk", "#.*$"),
        _match("string.quoted.double.pbpk", '"[^"]*"'),
        _match("constant.other.unit.pbpk", r"\[[^\]]*\]"),
        _match("constant.numeric.pbpk", r"\b[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?"),
        _declared(groups["declarations"]),
        _match("variable.other.property.pbpk", rf"(?<=\.)({_any(groups['quantities'])})\b"),
        _match(
            "support.function.pbpk",
            rf"(?<![.\w])({_any([*groups['functions'], *groups['figures'], *groups['models']])})(?=\s*\()",
        ),
        _match("keyword.other.declaration.pbpk", rf"(?<![.\w])({_any(groups['declarations'])})\b"),
        _match("keyword.control.clause.pbpk", rf"(?<![.\w])({_any(groups['clauses'])})\b"),
        _match("constant.language.pbpk", rf"(?<![.\w])({_any(groups['constants'])})\b"),
        _match("variable.other.property.pbpk", rf"\b({_any(groups['attributes'])})\b"),
        _match("support.constant.column.pbpk", rf"(?<![.\w])({_any(groups['data'])})\b"),
        _match("keyword.operator.arrow.pbpk", "<->|->"),
        _match("keyword.operator.pbpk", r"\.\.|<=|>=|[-+*/^=<>~]"),
    ]
    grammar = {
        "$comment": "Made by `python -m pbpkc.editor.keywords --write` from grammar/pbpk.lark.",
        "name": "pbpk",
        "scopeName": "source.pbpk",
        "fileTypes": ["pbpk"],
        "patterns": patterns,
    }
    return json.dumps(grammar, indent=2) + "\n"


def _match(name: str, pattern: str) -> Mapping[str, Any]:
    return {"name": name, "match": pattern}


def _declared(words: Iterable[str]) -> Mapping[str, Any]:
    """A declaration with the name it declares, which stands out."""
    return {
        "match": rf"^\s*({_any(words)})\s+([A-Za-z_]\w*)",
        "captures": {
            "1": {"name": "keyword.other.declaration.pbpk"},
            "2": {"name": "entity.name.pbpk"},
        },
    }


def _any(words: Iterable[str]) -> str:
    # The longest first: the first alternative that fits is taken.
    return "|".join(sorted(words, key=lambda word: (-len(word), word)))


def reference(page: str) -> str:
    """The language reference with its list of words as the language has it now.

    Raises
    ------
    ValueError
        When the page has no such list.
    """
    head, heading, tail = page.partition(_HEADING)
    found = re.search(r"(?m)(?:^    [a-z][^\n]*\n?)+", tail)
    if not heading or found is None:
        raise ValueError(f"the language reference has no list below '{_HEADING}'")
    words = " ".join(sorted(RESERVED))
    lines = textwrap.fill(words, _WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 4)
    return head + heading + tail[: found.start()] + lines + "\n" + tail[found.end() :]


def generated() -> Mapping[Path, str]:
    """The text that each generated file should have."""
    page = resource(*REFERENCE)
    return {
        resource("grammar", "vscode", "syntaxes") / TEXTMATE[-1]: textmate(),
        page: reference(page.read_text(encoding="utf-8")),
    }


def outdated() -> list[Path]:
    """The files that say something else than the grammar."""
    return [
        path
        for path, text in generated().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """Compare or write; the exit status."""
    if arguments not in ([], ["--write"]):
        print("usage: python -m pbpkc.editor.keywords [--write]", file=sys.stderr)
        return 2
    stale = outdated()
    if arguments:
        write_whole({path: text for path, text in generated().items() if path in stale})
    for path in stale:
        print(f"{'wrote' if arguments else 'outdated:'} {path}")
    return 0 if arguments or not stale else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
