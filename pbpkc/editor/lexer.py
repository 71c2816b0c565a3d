"""Colours of specs for whatever uses Pygments: documents, reports, terminals.

Registered by an entry point, so ``pygmentize -l pbpk`` and a block ``pbpk`` in Sphinx find it.
"""

from __future__ import annotations

from typing import ClassVar

from pygments.lexer import RegexLexer, words
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Whitespace

from pbpkc.editor.words import word_groups

_GROUPS = word_groups()


def _called(*groups: str) -> words:
    names = [word for group in groups for word in _GROUPS[group]]
    return words(tuple(names), prefix=r"(?<![.\w])", suffix=r"(?=\s*\()")


class PbpkLexer(RegexLexer):  # type: ignore[misc]  # pygments has no annotations
    """The language of pbpkc."""

    name = "pbpk"
    aliases: ClassVar[list[str]] = ["pbpk"]
    filenames: ClassVar[list[str]] = ["*.pbpk"]
    mimetypes: ClassVar[list[str]] = ["text/x-pbpk"]

    tokens: ClassVar[dict[str, list[object]]] = {
        "root": [
            (r"\s+", Whitespace),
            (r"#[^\n]*", Comment.Single),
            (r'"[^"\n]*"', String.Double),
            (r"\[[^\]\n]*\]", Name.Attribute),  # a unit
            (r"[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", Number),
            (words(_GROUPS["quantities"], prefix=r"(?<=\.)", suffix=r"\b"), Name.Property),
            (_called("functions", "figures", "models"), Name.Builtin),
            (words(_GROUPS["declarations"], prefix=r"(?<![.\w])", suffix=r"\b"), Keyword.Declaration),
            (words(_GROUPS["clauses"], prefix=r"(?<![.\w])", suffix=r"\b"), Keyword),
            (words(_GROUPS["constants"], prefix=r"(?<![.\w])", suffix=r"\b"), Name.Constant),
            (words(_GROUPS["attributes"], prefix=r"\b", suffix=r"\b"), Name.Property),
            (r"[A-Za-z_]\w*", Name),
            (r"<->|->|<=|>=|\.\.|[-+*/^=<>~:]", Operator),
            (r"[(){},;.]", Punctuation),
        ]
    }
