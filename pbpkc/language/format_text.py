"""The canonical layout of a text, with nothing lost: comments and blank lines stay where they are."""

from __future__ import annotations

import re

from pbpkc.language.format import format_statement
from pbpkc.language.nodes import Statement, SyntaxTree


def format_text(tree: SyntaxTree) -> str:
    """The text of a tree with each statement in its canonical form.

    What stands between statements is kept: comments, and up to one blank line. A statement with a comment
    inside keeps its own layout, for a comment belongs to the line it stands on.

    Parameters
    ----------
    tree : SyntaxTree
        Of a text that parses as a whole.

    Returns
    -------
    str
        Ends with a newline; formatting it again changes nothing.
    """
    text = tree.file.text
    pieces: list[str] = []
    done = 0
    for statement in tree.statements:
        pieces.append(_between(text[done : statement.span.start], first=done == 0))
        pieces.append(_statement(statement))
        done = statement.span.end
    pieces.append(_between(text[done:], first=False))
    return "".join(pieces).rstrip("\n") + "\n"


def _between(text: str, first: bool) -> str:
    """Comments and line ends between two statements; ``;`` becomes a line end."""
    text = text if first else re.sub(r"^[ \t]*;[ \t]*(?=[^\s#;]|$)", "\n", text)
    lines = [re.sub(r"^[ \t;]+(?=#|$)|[ \t;]+$", "", line) for line in text.split("\n")]
    if not first and len(lines) == 1:
        lines.append("")
    if not first and lines[0].startswith("#"):
        lines[0] = "  " + lines[0]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line if line.strip() else "" for line in lines))


def _statement(statement: Statement) -> str:
    own = statement.span.text
    if "#" in re.sub(r'"[^"\n]*"', "", own):
        return "\n".join(line.rstrip() for line in own.split("\n"))
    return format_statement(statement)
