"""The canonical layout of a text, with nothing lost: comments and blank lines stay where they are."""

from __future__ import annotations

import re

from pbpkc.language.format import format_statement
from pbpkc.language.nodes import Statement, SyntaxTree
from pbpkc.language.syntax_errors import has_header


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
    header = has_header(text)
    assert header is not None, "a tree has a header"
    head, _, _ = header[0].rpartition("pbpk")
    pieces = [_between("\n" + head).lstrip("\n"), f"pbpk {tree.version}"]
    done = header.end()
    for statement in tree.statements:
        pieces += [_between(text[done : statement.span.start]), _statement(statement)]
        done = statement.span.end
    pieces.append(_between(text[done:]))
    return "".join(pieces).rstrip("\n") + "\n"


def _between(text: str) -> str:
    """Comments and line ends between two statements; ``;`` becomes a line end."""
    lines = [line.partition("#") for line in text.split("\n")]
    comments = [(sign + comment).rstrip() for _, sign, comment in lines]
    if len(comments) == 1:
        comments.append("")
    if comments[0]:
        comments[0] = "  " + comments[0]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(comments))


def _statement(statement: Statement) -> str:
    own = statement.span.text
    if "#" in re.sub(r'"[^"\n]*"', "", own):
        return "\n".join(line.rstrip() for line in own.split("\n"))
    return format_statement(statement)
