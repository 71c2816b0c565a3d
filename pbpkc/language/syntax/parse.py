"""Text to syntax tree, with every syntax error of the text reported at once."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from lark import Lark, Token
from lark.exceptions import UnexpectedInput, UnexpectedToken
from lark.lark import PostLex
from lark.lexer import TerminalDef
from lark.parsers.lalr_interactive_parser import InteractiveParser

from pbpkc.language.diagnostics import Diagnostic, Label, SpecError
from pbpkc.language.source import SourceFile, Span
from pbpkc.language.syntax.nodes import SyntaxTree
from pbpkc.language.syntax.statements import blank, enclosing_statement
from pbpkc.language.syntax.syntax_errors import Stop, has_header, no_header, syntax_error, wrong_word
from pbpkc.language.syntax.transform import ToNodes
from pbpkc.private_folder import private_folder
from pbpkc.resources import resource

#: A text with more syntax errors than this is probably not a spec at all.
MOST_ERRORS = 20

#: Larger texts are refused: no spec written by a person comes near it, and the tree of a dense one of this
#: size takes a third of a gigabyte.
MOST_CHARACTERS = 500_000

#: Numbers lie in this range: beyond double precision a literal is a mistake, and an exact 10^99999999 a trap.
LEAST, MOST = Fraction(1, 10**300), Fraction(10**300)

_MOST_DIGITS = 60


class _Refused(Exception):
    """The lexer met a token that the parser should not see: a word run into another, a giant number."""

    def __init__(self, token: Token, why: str) -> None:
        self.token, self.why = token, why


class _Separators(PostLex):
    """Drops separators inside parentheses, so that a long expression may be broken there."""

    always_accept = ("_SEP",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        depth = 0
        last: Token | None = None
        for token in stream:
            if last is not None and _runs_on(last, token):
                raise _Refused(last, "word")
            last = token
            if token.type == "LPAR":
                depth += 1
            elif token.type == "RPAR":
                depth -= 1
            elif token.type == "_SEP" and depth > 0:
                continue
            elif token.type == "NUMBER" and not _fits(str(token)):
                raise _Refused(token, "number")
            yield token


def _runs_on(last: Token, token: Token) -> bool:
    # Where no name can stand, the lexer takes `param` from the front of `paramter`.
    word = str(last)[-1:].isalnum() and last.type != "NUMBER" and str(token)[:1].isalnum()
    return word and last.end_pos == token.start_pos


def _fits(text: str) -> bool:
    mantissa, _, exponent = text.lower().partition("e")
    if len(mantissa) > _MOST_DIGITS or len(exponent) > 5:
        return False
    value = Fraction(text)
    return value == 0 or LEAST <= value <= MOST


@lru_cache(maxsize=1)
def _parser() -> Lark:
    grammar = resource("grammar", "pbpk.lark").read_text(encoding="utf-8")
    # Making the tables takes half a second; lark keeps them by the hash of grammar, options and versions, and
    # makes them anew where the file is damaged.
    tables = private_folder() / f"pbpk-{sys.version_info.major}.{sys.version_info.minor}.tables"
    return Lark(
        grammar,
        cache=str(tables),
        parser="lalr",
        lexer="contextual",
        postlex=_Separators(),
        propagate_positions=True,
        maybe_placeholders=True,
    )


def read_source(path: str | Path) -> SourceFile:
    """The text of a file as a `SourceFile`.

    Raises
    ------
    SpecError
        When the file cannot be read or is no UTF-8 text. A byte-order mark is dropped and Windows line
        ends are read as line ends.
    """
    return source_of(str(path), read_bytes(path))


def read_bytes(path: str | Path) -> bytes:
    """What a file holds, a little more than the longest spec at most.

    Raises
    ------
    SpecError
        When it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return file.read(4 * MOST_CHARACTERS + 1)
    except (OSError, ValueError) as error:
        raise SpecError(
            [
                Diagnostic(
                    "cannot-read",
                    f"'{path}' cannot be read: {_reason(path, error)}",
                    help="check the path",
                )
            ]
        ) from error


def source_of(name: str, raw: bytes) -> SourceFile:
    """The text that bytes hold as a `SourceFile`; as `read_source` for what was read already.

    Raises
    ------
    SpecError
        When it is too long or no UTF-8 text.
    """
    if len(raw) > 4 * MOST_CHARACTERS:
        raise SpecError([_too_long(name)])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise SpecError(
            [
                Diagnostic(
                    "not-text",
                    f"'{name}' is not UTF-8 text: line {line} holds a byte that means nothing in it",
                    help="save the file as UTF-8",
                )
            ]
        ) from error
    return SourceFile(name, text.replace("\r\n", "\n").replace("\r", "\n"))


def _too_long(name: str) -> Diagnostic:
    return Diagnostic(
        "too-long",
        f"'{name}' has more than {MOST_CHARACTERS:,} characters",
        help="a spec is far shorter; check that this file is one",
    )


def _reason(path: str | Path, error: Exception) -> str:
    try:
        if Path(path).is_dir():
            return "it is a folder"
    except (OSError, ValueError):
        pass
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return str(getattr(error, "strerror", None) or error).lower()


def parse(file: SourceFile) -> SyntaxTree:
    """The syntax tree of a text.

    Parameters
    ----------
    file : SourceFile

    Raises
    ------
    SpecError
        With one diagnostic for each statement that does not parse.
    """
    found = _whole_or_problems(file)
    if isinstance(found, SyntaxTree):
        return found
    raise SpecError(found[0])


@dataclass(frozen=True)
class Parsed:
    """What of a text could be read.

    Parameters
    ----------
    tree : SyntaxTree or None
        Of the statements that parse; None where not even those can be told apart.
    problems : tuple of Diagnostic
        Of the others.
    """

    tree: SyntaxTree | None
    problems: tuple[Diagnostic, ...] = ()


def parse_what_stands(file: SourceFile) -> Parsed:
    """The statements of a text that parse, and what is wrong with the others.

    For editors: in the middle of typing a text rarely parses as a whole. Places are those of the text.
    """
    found = _whole_or_problems(file)
    if isinstance(found, SyntaxTree):
        return Parsed(found)
    problems, rest = found
    for _ in range(MOST_ERRORS if rest else 0):
        attempt = _attempt(file, rest, 0)
        if isinstance(attempt, SyntaxTree):
            return Parsed(attempt, tuple(problems))
        shorter = rest
        for stop in attempt:
            shorter = blank(shorter, *_lost(shorter, stop.at))
        if shorter == rest:
            break
        rest = shorter
    return Parsed(None, tuple(problems))


def _whole_or_problems(file: SourceFile) -> SyntaxTree | tuple[list[Diagnostic], str]:
    """The tree, or the problems and the text without the statements that have them."""
    if len(file.text) > MOST_CHARACTERS:
        return [_too_long(file.name)], ""
    if "\0" in file.text:
        wrong = Diagnostic("not-text", f"'{file.name}' is not a text file", help="a spec is a text in UTF-8")
        return [wrong], ""
    if not has_header(file.text):
        return [no_header(file)], ""
    problems: list[Diagnostic] = []
    text = file.text
    done = 0
    while True:
        found = _attempt(file, text, done)
        if isinstance(found, SyntaxTree) or not found[0].in_the_way:
            break
        stop = found[0]
        problems.append(stop.problem)
        begin, end = _lost(text, stop.at, done)
        blanked = blank(text, begin, end)
        if blanked == text:
            return problems, ""
        text, done = blanked, end
        if len(problems) >= MOST_ERRORS or stop.last:
            return problems, text
    if done:
        # The statements in front of the last error were not read together with those behind it.
        found = _attempt(file, text, 0)
    if isinstance(found, SyntaxTree):
        return (problems, text) if problems else found
    for stop in found[: MOST_ERRORS - len(problems)]:
        problems.append(stop.problem)
        text = blank(text, *_lost(text, stop.at))
    return problems, text


def _lost(text: str, at: int, done: int = 0) -> tuple[int, int]:
    """The statement around an error, without the header, which is needed to go on.

    What stands in front of `done` is known, and no statement goes over it.
    """
    begin, end = enclosing_statement(text, at, done)
    header = has_header(text)
    return (max(begin, header.end()) if header else begin), end


def _ahead(text: str, done: int) -> str:
    """The text with one comment between its header and a place; what follows stays where it was."""
    header = has_header(text)
    if header is None or done <= header.end():
        return text
    return header[0] + "#" * (done - header.end() - 1) + "\n" + text[done:]


def _attempt(file: SourceFile, text: str, done: int) -> SyntaxTree | list[Stop]:
    """The tree of what stands behind a place, or what is wrong there.

    That is one thing that does not parse, or all that parses and says something impossible.
    """
    ahead = _ahead(text, done)
    reader = ToNodes(file)
    try:
        # A newline at the end lets a comment on the last line end like any other.
        tree = reader.transform(_parser().parse(ahead + "\n"))
    except _Refused as error:
        return [_refusal(error, file, text, ahead)]
    except UnexpectedInput as error:
        stopped = error.pos_in_stream
        ended = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        at = len(text) if ended or stopped is None or stopped < 0 else stopped
        return [syntax_error(file, text, at, done, lambda place: _state_at(ahead, place), terminals())]
    return [Stop(wrong, wrong.labels[0].span.start, in_the_way=False) for wrong in reader.misread] or tree


def terminals() -> Collection[TerminalDef]:
    """The terminals of the grammar."""
    return _parser().terminals


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a text that parses, without separators and comments; a word used as a name is a name."""
    interactive: InteractiveParser = _parser().parse_interactive(text + "\n")
    return (token for token in interactive.iter_parse() if token.type != "_SEP")


def _state_at(text: str, at: int) -> tuple[set[str], Token | None]:
    """The terminals that could stand at a place, and the token in front of it."""
    interactive: InteractiveParser = _parser().parse_interactive(text + "\n")
    before: Token | None = None
    try:
        for token in interactive.iter_parse():
            if token.start_pos is not None and token.start_pos >= at:
                break
            before = token
    except UnexpectedInput:
        pass
    accepted: set[str] = interactive.accepts()  # type: ignore[no-untyped-call]
    return accepted, before


def accepted_behind(text: str) -> set[str]:
    """The terminals that could stand next behind a text that is the beginning of a spec."""
    # A character that no terminal has stops the parser exactly there.
    interactive: InteractiveParser = _parser().parse_interactive(text + "\x01")
    try:
        for _ in interactive.iter_parse():
            pass
    except (UnexpectedInput, _Refused):
        pass
    accepted: set[str] = interactive.accepts()  # type: ignore[no-untyped-call]
    return accepted


def _refusal(error: _Refused, file: SourceFile, text: str, ahead: str) -> Stop:
    start = error.token.start_pos or 0
    span = Span(file, start, start + len(error.token))
    if error.why == "word":
        accepted, _ = _state_at(ahead, start)
        return Stop(wrong_word(file, text, start, accepted, terminals()), start)
    shown = str(error.token) if len(error.token) <= 30 else str(error.token)[:30] + "..."
    return Stop(
        Diagnostic(
            "bad-number",
            f"the number {shown} is outside what can be computed with",
            (Label(span),),
            help=f"numbers lie between 1e-300 and 1e300 and have at most {_MOST_DIGITS} digits",
        ),
        start,
    )
