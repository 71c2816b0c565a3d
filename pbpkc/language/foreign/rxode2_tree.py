"""Model text of rxode2 and nlmixr2 to statements and terms."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput
from lark.lark import PostLex

from pbpkc.language.diagnostics import Diagnostic, Label, SpecError
from pbpkc.language.foreign.functions import called, exact_number
from pbpkc.language.foreign.model import Assign, Branch, Statement
from pbpkc.language.foreign.rxode2_text import Part
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

_MORE = (
    (r"\blinCmt[ \t]*\([^)\n]*\)?", "linCmt() is a closed form whose equations are not written",
     "write them: d/dt(central) = -cl / v * central"),
    (r"(?<![\w.])(for|while|repeat)\b(?=[ \t]*[({])", "a loop is more than a model",
     "write out what it repeats, one line each"),
    (r"(?<![\w.])function\b", "a function is more than a model", "write its formula where it is used"),
    (r"%in%|%%|%/%", "this operator is not read", "write comparisons with < and ==, and floor(x / n)"),
    (r"(?<![\w.])(tad|tafd|podo|tlast|transit|rxnorm|rxpois|rxunif|evid_|obs|bolus|infuse|reset|interp|locf|nocb"
     r"|mtime|is\.na|matExp|indLin|mix)[ \t]*\(", "this function acts on doses, data or chance",
     "write the equations of absorption; doses and data belong to a scenario"),
    (r"\[|\]", "an array is more than a model", "give each element a name of its own"),
)  # fmt: skip

_OPERATORS = frozenset(
    [
        "+",
        "-",
        "*",
        "/",
        "^",
        "**",
        "<",
        ">",
        "<=",
        ">=",
        "==",
        "!=",
        "&&",
        "||",
        "&",
        "|",
        "=",
        "<-",
        "~",
        "(",
        ",",
    ]
)


class _Lines(PostLex):
    """Drops the ends of lines that end no statement: in parentheses, behind operators, before else."""

    always_accept = ("_END",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        depth: list[str] = []
        last: Token | None = None
        held: Token | None = None
        for token in stream:
            if token.type == "_END":
                inside = (depth and depth[-1] == "(") or (last is not None and str(last) in _OPERATORS)
                if token == ";" or not inside:
                    held = held or token
                continue
            if held is not None and str(token) != "else":
                yield held
            held = None
            if str(token) in ("(", "{"):
                depth.append(str(token))
            elif str(token) in (")", "}") and depth:
                depth.pop()
            last = token
            yield token
        if held is not None:
            yield held


@lru_cache(maxsize=1)
def _parser() -> Lark:
    return Lark(
        resource("grammar", "rxode2.lark").read_text(encoding="utf-8"),
        parser="lalr",
        # The end of a line is held back until the next word is seen, which a contextual lexer cannot do.
        lexer="basic",
        postlex=_Lines(),
        propagate_positions=True,
        maybe_placeholders=True,
        start=["code", "ini"],
    )


def parsed(part: Part, start: str) -> Tree[Any]:
    """The tree of a part, or the place where it stops being one.

    Raises
    ------
    SpecError
        With the place, or with everything in it that is more than a model.
    """
    span, text = part.span, part.text
    problems = [
        Diagnostic(
            "not-a-model",
            what,
            (Label(Span(span.file, span.start + m.start(), span.start + m.end())),),
            help=help,
        )
        for pattern, what, help in _MORE
        for m in list(re.finditer(pattern, text))[:3]
        if start == "code"
    ]
    if problems:
        raise SpecError(sorted(problems, key=lambda d: d.span.start if d.span else 0))
    try:
        return _parser().parse(text, start=start)
    except UnexpectedInput as error:
        at = error.pos_in_stream
        token = getattr(error, "token", None)
        if at is None or at < 0 or (token is not None and token.type == "$END"):
            at = len(text.rstrip())
        width = len(token) if token is not None and token.type != "$END" else 1
        place = Span(span.file, span.start + at, min(span.start + at + width, span.end))
        found = f"'{place.text}'" if place.text.strip() else "the end of the line"
        help = (
            "write lines like ka <- exp(tka), d/dt(depot) = -ka * depot, cp ~ prop(prop.sd)"
            if start == "code"
            else "write lines like tka <- log(1.5), eta.ka ~ 0.3"
        )
        raise SpecError(
            [Diagnostic("syntax", f"{found} cannot stand here", (Label(place, "here"),), help=help)]
        ) from error


#: Properties of compartments: the words of rxode2, and ours.
_PROPERTIES = {
    "f": "fraction", "F": "fraction", "alag": "lag", "lag": "lag", "dur": "duration", "rate": "rate",
}  # fmt: skip

#: Errors of measurement after ``~``.
ERRORS = ("add", "prop", "lnorm", "logn", "dlnorm", "dlogn", "pow", "norm", "dnorm", "pois", "dpois", "binom",
          "logitNorm", "probitNorm", "boxCox", "yeoJohnson", "t", "cauchy", "propT", "propF", "powT",
          "combined1", "combined2", "var")  # fmt: skip


class Rx:
    """Turns the trees of one part into statements.

    After `statements`, `derivatives` holds the compartments in order with their places, `special` the targets
    that are none of the local values, `endpoints` what is measured: name, errors, place.
    """

    def __init__(self, part: Part) -> None:
        self._span = part.span
        self.derivatives: dict[str, Span] = {}
        self.special: dict[str, tuple[str, str]] = {}
        self.endpoints: list[tuple[str, Tree[Any], Span]] = []
        self.silent: set[str] = set()

    def span(self, tree: Tree[Any] | Token) -> Span:
        """The place of a tree in the file."""
        meta: Any = tree if isinstance(tree, Token) else tree.meta
        return Span(self._span.file, self._span.start + meta.start_pos, self._span.start + meta.end_pos)

    def statements(self, trees: Sequence[Any]) -> tuple[Statement, ...]:
        """Statements in order."""
        return tuple(s for tree in trees if tree is not None for s in self._statement(tree))

    def _statement(self, tree: Tree[Any]) -> list[Statement]:
        match tree.data:
            case "block":
                return list(self.statements(tree.children))
            case "branch":
                test, then, *other = tree.children
                return [
                    Branch(
                        self.test(test),
                        tuple(self._statement(then)),
                        tuple(self._statement(other[0])) if other else (),
                        self.span(tree),
                    )
                ]
        target, value = tree.children
        if tree.data == "silent" and target.children[0].data == "variable" and _is_error(value):
            self.endpoints.append((str(target.children[0].children[0]), value, self.span(tree)))
            return []
        name = self._target(target.children[0])
        if tree.data == "silent":
            self.silent.add(name)
        return [Assign(name, self.term(value), self.span(tree), declares=True)]

    def _target(self, tree: Tree[Any]) -> str:
        name = str(tree.children[0])
        if tree.data == "variable":
            return name
        if tree.data == "derivative":
            self.derivatives.setdefault(name, self.span(tree))
            self.special[f"d/dt({name})"] = ("ode", name)
            return f"d/dt({name})"
        inner = str(tree.children[1])
        key = f"{name}({inner})"
        if inner == "0":
            self.special[key] = ("initial", name)
        elif name in _PROPERTIES:
            self.special[key] = (_PROPERTIES[name], inner)
        else:
            raise SpecError(
                [
                    Diagnostic(
                        "not-a-model", f"'{key}' is no property of a compartment that is read",
                        (Label(self.span(tree)),), help="d/dt(x), x(0), f(x), alag(x), dur(x), rate(x) are",
                    )
                ]
            )  # fmt: skip
        return key

    # ---------------------------------------------------------------- terms

    def term(self, tree: Tree[Any]) -> Term:
        """An expression as a number."""
        place = self.span(tree)
        match tree.data:
            case "number":
                return exact_number(str(tree.children[0]).rstrip("L"), place)
            case "name":
                return Sym(str(tree.children[0]), place)
            case "rate":
                return Sym(f"d/dt({tree.children[0]})", place)
            case "neg":
                inner = self.term(tree.children[0])
                return (
                    Num(-inner.value, False, place) if isinstance(inner, Num) else Op("neg", (inner,), place)
                )
            case "plus":
                return self.term(tree.children[0])
            case "add" | "minus" | "mul" | "div" | "power":
                left, right = (self.term(c) for c in tree.children)
                sign = {"add": "+", "minus": "-", "mul": "*", "div": "/", "power": "^"}[tree.data]
                return Op(sign, (left, right), place)
            case "call":
                return self._call(tree, place)
            case "named":
                raise SpecError(
                    [
                        Diagnostic(
                            "arguments",
                            "an argument has no name here",
                            (Label(place),),
                            help="leave the name out",
                        )
                    ]
                )
        return If(self.test(tree), number(1), number(0), place)

    def _call(self, tree: Tree[Any], place: Span) -> Term:
        name, *arguments = tree.children
        given = [a for a in arguments if a is not None]
        if str(name) == "ifelse" and len(given) == 3:
            return If(self.test(given[0]), self.term(given[1]), self.term(given[2]), place)
        terms = tuple(self.term(a) for a in given)
        if str(name) == "expit" and len(terms) == 3:
            share = called("expit", terms[:1], place, self.span(name))
            width = Op("-", (terms[2], terms[1]))
            return Op("+", (terms[1], Op("*", (width, share))), place)
        return called(str(name), terms, place, self.span(name))

    def test(self, tree: Tree[Any]) -> Test:
        """An expression as a condition."""
        match tree.data:
            case "or" | "and":
                return Junction(
                    tree.data, tuple(self.test(c) for c in tree.children if not isinstance(c, Token))
                )
            case "not":
                return negated(self.test(tree.children[0]))
            case "relation":
                left, op, right = tree.children
                return Compare(str(op), self.term(left), self.term(right))
        return Compare("!=", self.term(tree), number(0))


def _is_error(tree: Tree[Any]) -> bool:
    if tree.data == "add":
        return all(_is_error(c) for c in tree.children)
    return bool(tree.data == "call" and str(tree.children[0]) in ERRORS)
