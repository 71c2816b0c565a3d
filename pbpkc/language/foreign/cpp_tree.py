"""Text of $MAIN, $ODE and $TABLE, and formulas of numbers, to statements and terms."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from pbpkc.language.diagnostics import Diagnostic, Label, SpecError
from pbpkc.language.foreign.functions import called, exact_number
from pbpkc.language.foreign.model import Assign, Branch, Statement
from pbpkc.language.foreign.terms import (
    Compare,
    If,
    Junction,
    Num,
    Op,
    Sym,
    Term,
    Test,
    negated,
    number,
)
from pbpkc.language.source import Span
from pbpkc.resources import resource

#: C++ that computes, and is no model. Each with what to do instead.
_MORE = (
    (r"\b(for|while|do)\b(?=\s*[({])", "a loop", "write out what it repeats, one line each"),
    (r"\b(switch|goto|case)\b", "a jump", "write if and else"),
    (r"\b(return)\b", "a function", "write its formula where it is used"),
    (r"\b(template|typename|class|struct|using|namespace|typedef|enum|union)\b", "a declaration of C++",
     "a model declares double values only"),
    (r"\b(new|delete|throw|try|catch|sizeof|(static|dynamic|reinterpret)_cast)\b", "a statement of C++",
     "a model consists of assignments and if"),
    (r"\b(std::vector|std::string|std::cout|Rcpp|arma|Eigen|NumericVector|string)\b", "an object of C++",
     "a model declares double values only"),
    (r"\b(mrg|mevent|evt|databox)\b", "an event made by the model", "doses belong to a scenario"),
    (r"\bself\.(?!time\b|TIME\b)\w+", "a record of the data set", "read parameters and compartments only"),
    (r"\b(double|int|bool|void|float|auto)\s+\w+\s*\([^;{]*\)\s*\{", "a function",
     "write its formula where it is used"),
    (r"\[|\]", "an array", "give each element a name of its own"),
    (r'"', "a text", "leave it out"),
    (r"(?<![&])&(?![&])|(?<![|])\|(?![|])|<<|>>|~", "arithmetic of bits",
     "write && and || between conditions"),
)  # fmt: skip


@lru_cache(maxsize=1)
def _parser() -> Lark:
    return Lark(
        resource("grammar", "mrgsolve.lark").read_text(encoding="utf-8"),
        parser="lalr",
        lexer="contextual",
        propagate_positions=True,
        maybe_placeholders=True,
        start=["code", "values", "formula"],
    )


def read_code(text: str, span: Span) -> tuple[Statement, ...]:
    """The statements of a block of code; its text begins at the start of the span.

    Raises
    ------
    SpecError
        For C++ that is more than a model, and for what is none.
    """
    problems = [
        Diagnostic(
            "not-a-model",
            f"{what} is more than a model: '{match.group().strip()}'",
            (Label(Span(span.file, span.start + match.start(), span.start + match.end())),),
            help=help,
        )
        for pattern, what, help in _MORE
        for match in list(re.finditer(pattern, text))[:3]
    ]
    if problems:
        raise SpecError(sorted(problems, key=lambda d: d.span.start if d.span else 0))
    tree = parsed(text, span, "code")
    return _Cpp(span, code=True).statements(tree.children)


def read_values(text: str, span: Span) -> list[tuple[str, Term, Span]]:
    """``CL = 1, V = 2 * 10``: names, formulas and their places."""
    reader = _Cpp(span, code=False)
    found = []
    for pair in parsed(text, span, "values").children:
        name, value = pair.children
        found.append((str(name), reader.term(value), reader.span(pair)))
    return found


def read_formula(text: str, span: Span) -> Term:
    """A formula of numbers."""
    return _Cpp(span, code=False).term(parsed(text, span, "formula").children[0])


def parsed(text: str, span: Span, start: str) -> Tree[Any]:
    """The tree of a text, or the place where it stops being one."""
    try:
        return _parser().parse(text, start=start)
    except UnexpectedInput as error:
        at = error.pos_in_stream
        if at is None or at < 0 or at >= len(text.rstrip()):
            at = len(text.rstrip())
        token = getattr(error, "token", None)
        width = len(token) if token is not None and token.type != "$END" else 1
        place = Span(span.file, span.start + at, min(span.start + at + width, span.end))
        found = f"'{place.text}'" if place.text.strip() else "the end of the block"
        line = text[:at].rstrip()
        help = (
            "end the statement in front of it with ;"
            if start == "code" and line and line[-1] not in ";{}" and text[:at][-1:] in ("\n", " ")
            else "write assignments, double x = ..., and if"
            if start == "code"
            else "write name = number, or @annotated lines: CL : 1 : clearance (L/h)"
        )
        raise SpecError(
            [Diagnostic("syntax", f"{found} cannot stand here", (Label(place, "here"),), help=help)]
        ) from error


class _Cpp:
    """Turns trees into statements and terms."""

    def __init__(self, span: Span, code: bool) -> None:
        self._span, self._code = span, code

    def span(self, tree: Tree[Any] | Token) -> Span:
        """The place of a tree in the file."""
        meta: Any = tree if isinstance(tree, Token) else tree.meta
        base = self._span.start
        return Span(self._span.file, base + meta.start_pos, base + meta.end_pos)

    def statements(self, trees: Sequence[Any]) -> tuple[Statement, ...]:
        """Statements in order."""
        found: list[Statement] = []
        for tree in trees:
            found.extend(self._statement(tree))
        return tuple(found)

    def _statement(self, tree: Tree[Any]) -> list[Statement]:
        span = self.span(tree) if tree.children else None
        match tree.data:
            case "empty":
                return []
            case "block":
                return list(self.statements(tree.children))
            case "declaration":
                type_, *declarators = tree.children
                return [s for d in declarators for s in self._declared(str(type_), d)]
            case "assign":
                name, value = tree.children
                return [Assign(str(name), self.term(value), self.span(tree))]
            case "update":
                name, op, value = tree.children
                before = Sym(str(name), self.span(name))
                return [
                    Assign(
                        str(name),
                        Op(str(op)[0], (before, self.term(value)), self.span(tree)),
                        self.span(tree),
                    )
                ]
            case "step":
                name, op = tree.children
                before = Sym(str(name), self.span(name))
                term = Op("+" if op == "++" else "-", (before, number(1)), span)
                return [Assign(str(name), term, self.span(tree))]
        test, then, other = tree.children
        return [
            Branch(
                self.test(test),
                tuple(self._statement(then)),
                tuple(self._statement(other)) if other is not None else (),
                self.span(tree),
            )
        ]

    def _declared(self, type_: str, tree: Tree[Any]) -> list[Statement]:
        name, *given = tree.children
        place = self.span(tree)
        kind = type_.split()[-1]
        term = self.term(given[0]) if given else None
        if kind in ("int", "long", "localint") and not (term is None or _whole(term)):
            raise _refuse(
                "integer-value", f"'{name}' is an {kind}, which cuts off what stands behind the point", place,
                "declare it as double",
            )  # fmt: skip
        if kind == "bool":
            raise _refuse(
                "not-a-model",
                f"'{name}' is a bool",
                place,
                "declare it as double: double on = x > 1 ? 1 : 0;",
            )
        if term is None:
            return []
        if isinstance(term, Num):
            # `int n = 2` stays an integer in what follows, `double n = 2` does not.
            term = Num(term.value, kind in ("int", "long", "localint"), term.span)
        return [Assign(str(name), term, place, declares=True)]

    # ---------------------------------------------------------------- terms

    def term(self, tree: Tree[Any]) -> Term:
        """An expression as a number."""
        place = self.span(tree)
        match tree.data:
            case "number":
                text = str(tree.children[0])
                return exact_number(
                    text.rstrip("fFlLuU"), place, integer=self._code and not re.search(r"[.eE]", text)
                )
            case "name":
                return Sym(str(tree.children[0]), place)
            case "neg":
                inner = self.term(tree.children[0])
                return (
                    Num(-inner.value, inner.integer, place)
                    if isinstance(inner, Num)
                    else Op("neg", (inner,), place)
                )
            case "plus":
                return self.term(tree.children[0])
            case "add" | "minus" | "mul" | "div":
                left, right = (self.term(c) for c in tree.children)
                sign = {"add": "+", "minus": "-", "mul": "*", "div": "/"}[tree.data]
                return Op(sign, (left, right), place)
            case "power":
                left, right = (self.term(c) for c in tree.children)
                if self._code:
                    raise _refuse("operator", "^ is no power in C++", place, "write pow(x, y)")
                return Op("^", (left, right), place)
            case "modulo":
                raise _refuse("operator", "the remainder of a division is not read", place,
                              "write x - n * floor(x / n)")  # fmt: skip
            case "cast" | "convert":
                type_, value = tree.children
                if str(type_).split()[-1] not in ("double", "float"):
                    raise _refuse(
                        "integer-value",
                        f"{type_} cuts off what stands behind the point",
                        place,
                        "write floor(x)",
                    )
                inner = self.term(value)
                return Num(inner.value, False, place) if isinstance(inner, Num) else inner
            case "call":
                name, *arguments = tree.children
                if str(name) in ("THETA", "ETA", "EPS"):
                    return self._numbered(str(name), arguments, place)
                given = tuple(self.term(a) for a in arguments if a is not None)
                return called(str(name), given, place, self.span(name))
            case "ternary":
                test, then, other = tree.children
                return If(self.test(test), self.term(then), self.term(other), place)
        # A comparison used as a number is 1 or 0.
        return If(self.test(tree), number(1), number(0), place)

    def _numbered(self, name: str, arguments: list[Any], place: Span) -> Term:
        index = self.term(arguments[0]) if len(arguments) == 1 and arguments[0] is not None else None
        if not isinstance(index, Num) or index.value.denominator != 1:
            raise _refuse("operator", f"{name} is numbered by a whole number", place, f"write {name}(1)")
        return Sym(f"{name}{index.value}", place)

    def test(self, tree: Tree[Any]) -> Test:
        """An expression as a condition."""
        match tree.data:
            case "or" | "and":
                return Junction(tree.data, tuple(self.test(c) for c in tree.children))
            case "not":
                return negated(self.test(tree.children[0]))
            case "relation" | "equality":
                left, op, right = tree.children
                return Compare(str(op), self.term(left), self.term(right))
        return Compare("!=", self.term(tree), number(0))


def _whole(term: Term) -> bool:
    return isinstance(term, Num) and term.integer


def _refuse(code: str, message: str, place: Span | None, help: str) -> SpecError:
    return SpecError([Diagnostic(code, message, (Label(place),) if place else (), help=help)])
