"""Words for text that does not parse: what stands there, what could, what the writer may have meant."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from string import ascii_letters, digits

from lark import Token
from lark.lexer import TerminalDef

from pbpkc.language.diagnostics import Diagnostic, Label, printable, similar
from pbpkc.language.source import SourceFile, Span
from pbpkc.language.syntax.habits import habit
from pbpkc.language.syntax.repairs import repaired_slip, wrong_keyword
from pbpkc.language.syntax.slips import how_it_is_written, likely_slip
from pbpkc.language.syntax.statements import DECLARING, enclosing_statement, left_open
from pbpkc.language.syntax.stops import Place

#: The terminals that could stand at a place, and the token in front of it.
State = tuple[set[str], Token | None]

#: What a terminal is called in a message.
_HUMAN = {
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": 'a text in quotes ("...")',
    "UNIT": "a unit ([mg/L])",
    "SUB": "an index (<1>)",
    "CMP": "a comparison (< <= > >=)",
    "_SEP": "the end of the line",
    "$END": "the end of the file",
}
_OPERATORS = {"PLUS", "MINUS", "STAR", "SLASH", "CIRCUMFLEX"}
_EXPRESSION = {"NAME", "NUMBER", "LPAR", "MINUS", "IF"}


@dataclass(frozen=True)
class Stop:
    """One problem of a text.

    Parameters
    ----------
    problem : Diagnostic
    at : int
        The offset it is about.
    last : bool
        Whether it is of no use to look for more behind it.
    in_the_way : bool
        Whether the text behind it is not read yet.
    """

    problem: Diagnostic
    at: int
    last: bool = False
    in_the_way: bool = True


def has_header(text: str) -> re.Match[str] | None:
    """The version of the language, where a text begins with it."""
    return re.match(r"(?:\s|#[^\n]*\n|;)*pbpk[ \t]+[0-9][0-9.]*", text)


def no_header(file: SourceFile) -> Diagnostic:
    """The refusal of a text that is no spec."""
    if not file.text.strip():
        return Diagnostic("no-header", f"'{file.name}' is empty", help="a spec begins with the line `pbpk 1`")
    first = next(i for i, char in enumerate(file.text) if not char.isspace())
    end = file.text.find("\n", first)
    span = Span(file, first, len(file.text) if end < 0 else end)
    return Diagnostic(
        "no-header",
        f"'{file.name}' does not begin with the version of the language",
        (Label(span, "the first line"),),
        help="write `pbpk 1` as the first line",
    )


def wrong_word(
    file: SourceFile, text: str, at: int, accepted: set[str], terminals: Collection[TerminalDef]
) -> Diagnostic:
    """A word that begins like one of the language and is none: ``paramter``."""
    match = re.compile(r"\w+").match(text, at)
    assert match is not None
    words = _keywords(accepted, terminals)
    near = similar(match[0], words)
    return Diagnostic(
        "syntax",
        f"'{match[0]}' cannot stand here",
        (Label(Span(file, at, match.end()), "here"),),
        (_could_stand(accepted, terminals),),
        f"a word with a similar spelling can stand here: '{near}'" if near else None,
        fixes=wrong_keyword(Span(file, at, match.end()), words, near),
    )


def syntax_error(
    file: SourceFile,
    text: str,
    at: int,
    done: int,
    state_at: Callable[[int], State],
    terminals: Collection[TerminalDef],
) -> Stop:
    """The problem at the place where a parse stopped.

    Parameters
    ----------
    file : SourceFile
    text : str
        The file's text, statements with earlier errors made blank.
    at : int
        Where the parser or the lexer stopped.
    done : int
        Where the statement begins that it read first.
    state_at : callable
        Gives the terminals that could stand at a place and the token in front of it.
    terminals : collection of TerminalDef
        Of the grammar.
    """
    accepted, before = state_at(at)
    begin, _ = enclosing_statement(text, max(done, min(at, len(text)) - 1), done)
    opened = _unclosed(file, text, begin, at, done)
    if opened is not None:
        return opened
    words = [t.pattern.value for t in terminals if t.pattern.type == "str" and t.pattern.value[0].isalpha()]
    start, end, found = _found(text, at)
    help_at = at
    if before is not None and before.type == "NAME" and str(before) in words and before.start_pos is not None:
        # `process p : a -> rate k` reads `rate` as a name; the mistake is there, not behind it.
        keyword = str(before)
        if not (start < len(text) and text[start] in "=.~"):
            start, end, found = before.start_pos, before.start_pos + len(keyword), f"'{keyword}'"
            help_at = start
            accepted, before = state_at(start)
    elif before is None:
        begin = done
    place = Place(text, help_at, begin, frozenset(accepted), before, frozenset(words))
    keywords = _keywords(accepted, terminals)
    word = text[start:end]
    near = similar(word, keywords) if word.isidentifier() and word not in words else None
    help = habit(place)
    slip = likely_slip(place)
    respelt = help is None and near is not None and (place.at_beginning or slip is None)
    if respelt:
        help = f"a word with a similar spelling can stand here: '{near}'"
    help = help or slip or how_it_is_written(place)
    notes = (_could_stand(accepted, terminals),)
    label = Label(Span(file, start, end), "here")
    fixes = wrong_keyword(label.span, keywords, near) if respelt else repaired_slip(file, place)
    problem = Diagnostic("syntax", f"{found} cannot stand here", (label,), notes, help, fixes=fixes)
    return Stop(problem, max(start, begin))


def _found(text: str, at: int) -> tuple[int, int, str]:
    """What stands at a place: its ends and its name in a message."""
    if not text[at:].strip(" \t\n"):
        end = len(text.rstrip(" \t\n"))
        return end, end, "the end of the line" if "\n" in text[end:] else "the end of the file"
    if text[at] in "\n;#":
        end = len(text[:at].rstrip(" \t"))
        return end, end, "the end of the line"
    if ord(text[at]) > 127 and text[at].isalpha():
        # A letter that no name has, perhaps in the middle of one.
        at -= len(text[:at]) - len(text[:at].rstrip(ascii_letters + digits + "_"))
    match = re.compile(r'"[^"\n]*"|\[[^\]\n]*\]|\$?\w+|[^\w\s]').match(text, at)
    piece = match[0] if match else text[at]
    return at, at + len(piece), _called(piece)


def _called(piece: str) -> str:
    """A piece of text in quotes; a sign that is not on every keyboard with its name."""
    if len(piece) == 1 and not (piece.isascii() and piece.isprintable()) and not piece.isalpha():
        name = unicodedata.name(piece, "control character").lower()
        code = f"{name}, U+{ord(piece):04X}"
        return f"'{piece}' ({code})" if piece.isprintable() else f"an invisible character ({code})"
    shown = printable(piece if len(piece) <= 40 else piece[:40] + "...")
    return f'"{shown}"' if "'" in shown else f"'{shown}'"


def _unclosed(file: SourceFile, text: str, begin: int, at: int, done: int) -> Stop | None:
    """A bracket that was left open, where that is why the text stops making sense."""
    ended = not text[at:].strip()
    line = text.rfind("\n", 0, at) + 1
    opened = left_open(text, begin, at)
    if opened is None and line > done:
        # The statement that could not begin stands behind the one whose bracket is open.
        begin, _ = enclosing_statement(text, line - 1, done)
        opened = left_open(text, begin, line)
    if opened is None:
        return None
    where, bracket = opened
    declares = re.compile(r"[ \t]*(?:" + "|".join(DECLARING) + r")\b[ \t]+[\"\w]").match(text, line)
    new_statement = "\n" in text[where:at] and declares is not None and at <= declares.end()
    if not (ended or new_statement):
        return None
    close = {"(": ")", "{": "}"}[bracket]
    rule = (
        "inside parentheses a new line does not end the statement"
        if bracket == "("
        else "a block ends with it"
    )
    label = Label(Span(file, where, where + 1), "opened here")
    return Stop(
        Diagnostic(
            "unclosed", f"'{bracket}' is never closed", (label,), help=f"close it with '{close}'; {rule}"
        ),
        where,
        ended,
    )


def _keywords(accepted: Iterable[str], terminals: Collection[TerminalDef]) -> list[str]:
    words = {
        t.name: t.pattern.value for t in terminals if t.pattern.type == "str" and t.pattern.value[0].isalpha()
    }
    return sorted(words[name] for name in accepted if name in words)


def _could_stand(accepted: set[str], terminals: Collection[TerminalDef]) -> str:
    symbols = {t.name: f"'{t.pattern.value}'" for t in terminals if t.pattern.type == "str"}
    rest = {name for name in accepted if name in _HUMAN or name in symbols}
    if rest >= {"_SEP", "$END"}:
        # Where a line may end, so may the file.
        rest -= {"$END"}
    words = []
    if rest >= {"NAME", "NUMBER", "LPAR"}:
        words.append("an expression")
        rest -= _EXPRESSION
    if rest >= _OPERATORS:
        words.append("an operator (+ - * / ^)")
        rest -= _OPERATORS
    keywords = _keywords(rest, terminals)
    words += sorted(
        _HUMAN.get(name) or symbols[name] for name in rest if symbols.get(name, "''")[1:-1] not in keywords
    )
    # A place where `param` can stand takes a declaration of any kind.
    words += (
        ["a declaration (param, tissue, process, ...)"] if "PARAM" in rest else [f"'{k}'" for k in keywords]
    )
    return "here can stand " + (", ".join(words) if words else "nothing more")
