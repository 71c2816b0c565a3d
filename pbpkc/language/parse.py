"""Text to syntax tree, with every syntax error of the text reported at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken, VisitError
from lark.lark import PostLex

from pbpkc.language.diagnostics import Diagnostic, Label, SpecError, similar
from pbpkc.language.nodes import SyntaxTree
from pbpkc.language.source import SourceFile, Span
from pbpkc.language.transform import NotWhole, ToNodes
from pbpkc.resources import resource

#: A text with more syntax errors than this is probably not a spec at all.
MOST_ERRORS = 20

#: Larger texts are refused: no spec written by a person comes near it.
MOST_CHARACTERS = 2_000_000

#: Deeper nesting of brackets than this is refused before it exhausts the stack.
MOST_NESTING = 60


class _NumberError(Exception):
    def __init__(self, token: Token) -> None:
        self.token = token


class _NestingError(_NumberError):
    pass


class _Separators(PostLex):
    """Drops separators inside parentheses, so that a long expression may be broken there."""

    always_accept = ("_SEP",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        depth = 0
        for token in stream:
            if token.type == "LPAR":
                depth += 1
                if depth > MOST_NESTING:
                    raise _NestingError(token)
            elif token.type == "RPAR":
                depth -= 1
            elif token.type == "_SEP" and depth > 0:
                continue
            elif token.type == "NUMBER" and not _fits(str(token)):
                raise _NumberError(token)
            yield token


def _fits(text: str) -> bool:
    # Beyond the range of double precision a literal is a mistake, and an exact 10^99999999 a trap.
    if len(text) > 60:
        return False
    exponent = re.search(r"[eE]([-+]?\d+)$", text)
    return exponent is None or abs(int(exponent[1])) <= 300


@lru_cache(maxsize=1)
def _parser() -> Lark:
    grammar = resource("grammar", "pbpk.lark").read_text(encoding="utf-8")
    return Lark(
        grammar, parser="lalr", lexer="contextual", postlex=_Separators(), propagate_positions=True,
        maybe_placeholders=True,
    )  # fmt: skip


def read_source(path: str | Path) -> SourceFile:
    """The text of a file as a `SourceFile`.

    Raises
    ------
    SpecError
        When the file cannot be read or is no UTF-8 text. A byte-order mark is dropped and Windows line
        ends are read as line ends.
    """
    name = str(path)
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        reason = "is a folder" if Path(path).is_dir() else (error.strerror or str(error)).lower()
        raise SpecError(
            [Diagnostic("cannot-read", f"'{name}' cannot be read: {reason}", help="check the path")]
        ) from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise SpecError(
            [Diagnostic("not-text", f"'{name}' is not UTF-8 text (line {line})", help="save the file as UTF-8")]
        ) from error
    return SourceFile(name, text.replace("\r\n", "\n").replace("\r", "\n"))


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
    if len(file.text) > MOST_CHARACTERS:
        raise SpecError([Diagnostic("too-long", f"'{file.name}' has more than {MOST_CHARACTERS} characters")])
    if "\0" in file.text:
        raise SpecError([Diagnostic("not-text", f"'{file.name}' is not a text file")])
    problems: list[Diagnostic] = []
    text = file.text
    while True:
        # A newline at the end lets a comment on the last line end like any other.
        problem = _attempt(file, text)
        if isinstance(problem, SyntaxTree):
            if problems:
                raise SpecError(problems)
            return problem
        diagnostic, at = problem
        problems.append(diagnostic)
        if len(problems) >= MOST_ERRORS:
            raise SpecError(problems)
        blanked = _blank_statement(text, at)
        if blanked == text or diagnostic.code == "no-header":
            raise SpecError(problems)
        text = blanked


def _attempt(file: SourceFile, text: str) -> SyntaxTree | tuple[Diagnostic, int]:
    def at(start: int, end: int) -> Span:
        size = len(file.text)
        return Span(file, min(start, size), min(max(end, start), size))

    try:
        tree = _parser().parse(text + "\n")
        return ToNodes(file).transform(tree)
    except _NestingError as error:
        start = error.token.start_pos or 0
        return Diagnostic("too-nested", f"parentheses are nested more than {MOST_NESTING} deep",
                          (Label(at(start, start + 1)),), help="name a part with `param` or `let`"), start  # fmt: skip
    except _NumberError as error:
        start = error.token.start_pos or 0
        return Diagnostic("bad-number", f"the number {str(error.token)[:30]} is outside what can be computed with",
                          (Label(at(start, start + len(error.token))),),
                          help="numbers lie between 1e-300 and 1e300"), start  # fmt: skip
    except VisitError as error:
        if not isinstance(error.orig_exc, NotWhole):
            raise
        token = error.orig_exc.token
        start = token.start_pos or 0
        return Diagnostic("not-whole", f"{token} is not a whole number", (Label(at(start, start + len(token))),),
                          help="an index, a CMT or a DVID number is whole"), start  # fmt: skip
    except UnexpectedInput as error:
        return _syntax_error(error, file, text, at)
    except RecursionError:
        return Diagnostic("too-nested", f"an expression in '{file.name}' is nested too deeply",
                          help="name a part with `param` or `let`"), 0  # fmt: skip


# ------------------------------------------------------------------ messages

#: What a terminal is called in a message.
_HUMAN = {
    "NAME": "a name", "NUMBER": "a number", "STRING": 'a text in quotes ("...")', "UNIT": "a unit ([mg/L])",
    "SUB": "an index (<1>)", "CMP": "a comparison (< <= > >=)", "_SEP": "the end of the line", "$END": "the end of the file",
    "LPAR": "'('", "RPAR": "')'", "LBRACE": "'{'", "RBRACE": "'}'", "EQUAL": "'='", "COMMA": "','", "DOT": "'.'",
    "PLUS": "'+'", "MINUS": "'-'", "STAR": "'*'", "SLASH": "'/'", "CIRCUMFLEX": "'^'", "TILDE": "'~'", "COLON": "':'",
}  # fmt: skip
_OPERATORS = {"PLUS", "MINUS", "STAR", "SLASH", "CIRCUMFLEX"}


def _syntax_error(error: UnexpectedInput, file: SourceFile, text: str, at) -> tuple[Diagnostic, int]:  # type: ignore[no-untyped-def]
    if isinstance(error, UnexpectedToken):
        token = error.token
        start = token.start_pos if token.type != "$END" and token.start_pos is not None else len(file.text)
        found = "the end of the file" if token.type == "$END" else (
            "the end of the line" if token.type == "_SEP" else f"'{str(token)[:40]}'")  # fmt: skip
        length = 1 if token.type in ("_SEP", "$END") else len(token)
        expected = set(error.accepts or error.expected)
        if token.type == "_SEP":
            start = len(text[:start].rstrip()) if start else 0
    elif isinstance(error, UnexpectedCharacters):
        start, length = error.pos_in_stream or 0, 1
        found = f"'{error.char}'"
        expected = set(error.allowed or ())
    else:
        assert isinstance(error, UnexpectedEOF)
        start, length, found, expected = len(file.text), 1, "the end of the file", set(error.expected)
    start = min(start, len(file.text))
    span = at(start, start + length)
    if not _has_header(text):
        return Diagnostic(
            "no-header", f"'{file.name}' does not begin with the version of the language", (Label(at(0, 1)),),
            help="write `pbpk 1` on the first line",
        ), start  # fmt: skip
    opened = _open_parenthesis(text, start)
    if opened is not None and "RPAR" in expected and "\n" in text[opened:start]:
        return Diagnostic(
            "unclosed", "'(' is never closed", (Label(at(opened, opened + 1), "opened here"),),
            help="close it with ')'; inside parentheses a new line does not end the statement",
        ), opened  # fmt: skip
    known = _known_mistake(text, start, found, expected)
    word = file.text[start : start + length]
    keywords = sorted(_keyword(e) for e in expected if _keyword(e))
    if known is None and word.isidentifier() and (near := similar(word, keywords)):
        known = f"a word with a similar spelling can stand here: '{near}'"
    return (
        Diagnostic("syntax", f"{found} cannot stand here", (Label(span, "here"),), (_could_stand(expected),), known),
        start,
    )


def _open_parenthesis(text: str, end: int) -> int | None:
    """Where the innermost parenthesis still open at a place was opened."""
    begin = max((s for s in _statement_starts(text) if s < end), default=0)
    # The statement that could not begin, because a parenthesis was open, is looked at from the one before.
    if text[begin:end].strip() == "":
        begin = max((s for s in _statement_starts(text) if s < begin), default=0)
    stack: list[int] = []
    for match in re.finditer(r'#[^\n]*|"[^"\n]*"|[()]', text[begin:end]):
        if match[0] == "(":
            stack.append(begin + match.start())
        elif match[0] == ")" and stack:
            stack.pop()
    return stack[-1] if stack else None


def _has_header(text: str) -> bool:
    return re.match(r"(\s|#[^\n]*\n|;)*pbpk\s+\d", text) is not None


@lru_cache(maxsize=1)
def _keywords() -> dict[str, str]:
    return {
        t.name: t.pattern.value for t in _parser().terminals if t.pattern.type == "str" and t.pattern.value[0].isalpha()
    }


def _keyword(terminal: str) -> str:
    return _keywords().get(terminal, "")


def _could_stand(expected: set[str]) -> str:
    expected = {e for e in expected if e not in ("CONT", "COMMENT") and not e.startswith("__IGNORE")}
    words = []
    if expected >= _OPERATORS:
        words.append("an operator (+ - * / ^)")
        expected = expected - _OPERATORS
    if {"NAME", "NUMBER", "LPAR"} <= expected:
        words.append("an expression")
        expected = expected - {"NAME", "NUMBER", "LPAR", "MINUS", "IF"}
    keywords = sorted(_keyword(e) for e in expected if _keyword(e))
    words += sorted({_HUMAN.get(e, "") or _symbol(e) for e in expected if not _keyword(e)} - {""})
    if len(keywords) > 12:
        words.append("a declaration (" + ", ".join(keywords[:6]) + ", ...)")
    else:
        words += [f"'{k}'" for k in keywords]
    return "here can stand " + (", ".join(words) if words else "nothing more")


def _symbol(terminal: str) -> str:
    for t in _parser().terminals:
        if t.name == terminal and t.pattern.type == "str":
            return f"'{t.pattern.value}'"
    return ""


def _known_mistake(text: str, start: int, found: str, expected: set[str]) -> str | None:
    """What the writer most likely meant, where the mistake is a known one."""
    before, after = text[:start], text[start:]
    if after.startswith("."):
        if re.match(r"\.\d", after):
            return "a number begins with a digit: write 0.5, not .5"
        if re.search(r"\d$", before):
            return "a number ends with a digit: write 1.0 or 1, not 1."
    if after.startswith("*") and before.endswith("*"):
        return "a power is written with ^"
    if after.startswith("[") and "UNIT" not in expected:
        return "a unit follows a number or a pair of bounds, never a name"
    if after.startswith("["):
        return "a unit holds words, numbers, / * ^ and - only: [mL/min/kg^0.75]"
    if after.startswith(("=>", "→", "-->")) or (after.startswith(">") and before.endswith("=")):
        return "an arrow is written -> or <->"
    if after.startswith(("==", "!=")):
        return "conditions use < <= > >= inside if(...)"
    if after.startswith("="):
        if "TILDE" in expected:
            return "a masked parameter has a prior: masked k ~ lognormal(1 [1/h], cv = 50 [%]) in (0.1, 10) [1/h]"
        return "one `=` a line; start a new line or separate with `;`"
    if after.startswith("~"):
        return "only `masked` parameters and `population` lines have a distribution"
    if after.startswith(('"', "'", "“", "”", "‘", "’")):
        return "a text stands in straight double quotes on one line"
    if after.startswith(("<", ">")) and "CMP" not in expected:
        return "comparisons stand only in the condition of if(condition, value, otherwise)"
    if after.startswith((",",)) and re.search(r"\d$", before) and re.match(r",\d", after):
        return "numbers have no separators: write 1000 and 0.5"
    if re.match(r"[A-Za-z(]", after) and re.search(r"[\w)\]]\s*$", before) and "STAR" in expected:
        return "a product is written with *"
    if after.startswith("}") and before.rstrip().endswith("{"):
        return "an empty block is left out"
    if found == "the end of the line" and "RATE" in expected:
        return "a process ends with its rate: process p : a -> b rate k * a.A"
    if found == "the end of the line" and "EQUAL" in expected:
        return "a value follows after `=`"
    if "EQUAL" in expected and re.match(r"[\w(-]", after):
        return "a value follows after `=`"
    if found == "the end of the line" and "IN" in expected and re.search(r"(^|\n|;)\s*observe\b[^\n]*$", before):
        return "an observable has a unit: observe Cp = plasma.C in [mg/L]"
    if found == "the end of the file" and "RBRACE" in expected:
        return "a block that was opened with `{` is closed with `}`"
    return None


# ------------------------------------------------------------------ going on after an error


def _blank_statement(text: str, at: int) -> str:
    """The text with the statement around a place made blank; every other place stays where it was."""
    starts = _statement_starts(text)
    begin = max((s for s in starts if s <= at), default=0)
    end = min((s for s in starts if s > at), default=len(text))
    return text[:begin] + re.sub(r"[^\n]", " ", text[begin:end]) + text[end:]


_STATEMENT = re.compile(
    r"^[ \t]*(?=(?:model|use|set|covariate|input|param|let|function|masked|unknown|species|blood|tissue|lumen|pool|"
    r"sink|state|ode|start|circulation|flow|process|site|observe|population|scenario|check|pbpk)\b)",
    re.MULTILINE,
)


def _statement_starts(text: str) -> list[int]:
    # A line that begins with a declaring word at brace depth zero. After an unclosed brace nothing would be
    # at depth zero any more, so a declaring word in the first column counts in any case.
    starts: list[int] = []
    depth, position = 0, 0
    for match in _STATEMENT.finditer(text):
        chunk = re.sub(r'#[^\n]*|"[^"\n]*"', "", text[position : match.start()])
        depth = max(0, depth + chunk.count("{") - chunk.count("}"))
        position = match.start()
        first_column = match.end() == match.start()
        if depth == 0 or (first_column and not text[match.end() :].startswith(("set", "start"))):
            depth = 0
            starts.append(match.start())
    return starts
