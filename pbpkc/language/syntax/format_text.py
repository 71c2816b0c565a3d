"""The layout of a text as people write it: nothing is lost, lines stay lines, columns stay columns."""

from __future__ import annotations

from pbpkc.language.syntax.format_columns import in_columns
from pbpkc.language.syntax.format_lines import lines_of
from pbpkc.language.syntax.nodes import SyntaxTree


def format_text(tree: SyntaxTree) -> str:
    """The text of a tree, laid out anew: indentation, blanks, empty lines, semicolons.

    Comments, the breaks of lines, brackets and the form of numbers stay. What an author has set below each
    other in neighbouring lines stays so.

    Parameters
    ----------
    tree : SyntaxTree
        Of a text that parses as a whole.

    Returns
    -------
    str
        Means the same and ends with a newline; formatting it again changes nothing.
    """
    lines = lines_of(tree.file.text)
    pieces: list[str] = []
    for line, starts in zip(lines, in_columns(lines), strict=True):
        if line.apart:
            pieces.append("\n")
        written = ""
        for cell, start in zip(line.cells, starts, strict=True):
            written += " " * (start - len(written)) + cell.text
        pieces.append(written + "\n")
    return "".join(pieces)
