"""From lark's tree to the syntax tree of `nodes`: references, numbers and expressions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, TypeVar

from lark import Token, Tree, v_args
from lark.visitors import Transformer_NonRecursive

from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.source import SourceFile, Span
from pbpkc.language.syntax import nodes as n

#: Deeper nesting of an expression than this is refused, before it exhausts the stack of a later stage.
MOST_NESTING = 100

#: The depth of an expression that was refused: nothing around it is refused for the same reason.
_SAID = -(10**9)

_COMPARE = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge"}


class Marked(str):
    """A word that came from an optional clause (``source``, ``doc``), so that it is not taken for a name."""

    kind: str

    def __new__(cls, text: str, kind: str) -> Marked:
        word = super().__new__(cls, text)
        word.kind = kind
        return word


def only(children: Sequence[Any], kind: type | tuple[type, ...]) -> Any:
    """The first child of a kind, None without one."""
    return next((c for c in children if isinstance(c, kind)), None)


def every(children: Sequence[Any], kind: type | tuple[type, ...]) -> tuple[Any, ...]:
    """All children of a kind."""
    return tuple(c for c in children if isinstance(c, kind))


def word_of(children: Sequence[Any], kind: str) -> str:
    """The text of an optional clause, empty without one."""
    return next((str(c) for c in children if isinstance(c, Marked) and c.kind == kind), "")


def kids(tree: Tree[Any]) -> list[Any]:
    """The children, which are nodes and tokens by now: lark's own type still calls them trees."""
    return tree.children


_Expression = TypeVar("_Expression", n.Operation, n.Call, n.Reduce)

EXPRESSIONS = (n.Quantity, n.Ref, n.Operation, n.Call, n.Reduce)


_SAME_LEVEL = {"add": "sum", "sub": "sum", "mul": "product", "div": "product"}


@v_args(tree=True)
class ToExpressions(Transformer_NonRecursive[Token, n.SyntaxTree]):
    """Builds what stands inside of statements, bottom up. One method for each rule of the grammar."""

    def __init__(self, file: SourceFile) -> None:
        super().__init__(visit_tokens=False)
        self.file = file
        self.depths: dict[int, int] = {}
        #: What parses and still says something impossible.
        self.misread: list[Diagnostic] = []

    def _fail(self, code: str, message: str, span: Span, help: str) -> None:
        self.misread.append(Diagnostic(code, message, (Label(span),), help=help))

    # ---------------------------------------------------------------- places

    def _span(self, tree: Tree[Any]) -> Span:
        return Span(self.file, tree.meta.start_pos, tree.meta.end_pos)

    def _token(self, token: Token) -> Span:
        assert token.start_pos is not None and token.end_pos is not None
        return Span(self.file, token.start_pos, token.end_pos)

    def _part(self, token: Token) -> n.Part:
        return n.Part(str(token), None, span=self._token(token))

    def _unit(self, token: Token | None) -> n.UnitText | None:
        return None if token is None else n.UnitText(str(token)[1:-1], span=self._token(token))

    # ---------------------------------------------------------------- expressions

    def quantity(self, tree: Tree[Any]) -> n.Quantity:
        value, unit = kids(tree)
        return n.Quantity(Fraction(str(value)), str(value), self._unit(unit), span=self._span(tree))

    def part(self, tree: Tree[Any]) -> n.Part:
        name = kids(tree)[0]
        index = str(kids(tree)[1])[1:-1].replace(" ", "") if len(kids(tree)) > 1 else None
        return n.Part(str(name), index, span=self._span(tree))

    def ref(self, tree: Tree[Any]) -> n.Ref:
        return n.Ref(tuple(kids(tree)), span=self._span(tree))

    def member(self, tree: Tree[Any]) -> n.Member:
        name = kids(tree)[0]
        index = str(kids(tree)[1])[1:-1].replace(" ", "") if len(kids(tree)) > 1 else None
        return n.Member(str(name), index, span=self._span(tree))

    def dotted(self, tree: Tree[Any]) -> n.Part:
        return n.Part(".".join(map(str, kids(tree))), None, span=self._span(tree))

    def reading(self, tree: Tree[Any]) -> n.Member:
        names = [str(c) for c in kids(tree) if c.type == "NAME"]
        index = next((str(c)[1:-1].replace(" ", "") for c in kids(tree) if c.type == "SUB"), None)
        return n.Member(".".join(names), index, span=self._span(tree))

    def _operation(self, op: str, tree: Tree[Any]) -> n.Operation:
        return self._measured(n.Operation(op, tuple(kids(tree)), span=self._span(tree)), kids(tree))

    def _measured(self, node: _Expression, arguments: Sequence[Any]) -> _Expression:
        """The node itself, refused when nested too deeply; a sum is as deep as its deepest term."""
        level = _SAME_LEVEL.get(getattr(node, "op", ""))
        depth = 0
        for argument in arguments:
            same = (
                level is not None
                and _SAME_LEVEL.get(getattr(argument, "op", "")) == level
                and argument is arguments[0]
            )
            depth = max(depth, self.depths.get(id(argument), 0) + (0 if same else 1))
        if any(self.depths.get(id(argument), 0) < 0 for argument in arguments):
            depth = _SAID
        if depth > MOST_NESTING:
            self._fail(
                "too-nested",
                f"this expression is nested more than {MOST_NESTING} deep",
                node.span,
                "name a part of it with `param` or `let`",
            )
            depth = _SAID
        self.depths[id(node)] = depth
        return node

    def _whole(self, token: Token) -> int:
        value = Fraction(str(token))
        if value.denominator != 1:
            self._fail(
                "not-whole",
                f"{token} is not a whole number",
                self._token(token),
                "an index, a CMT and a DVID are whole numbers",
            )
        return int(value)

    def _once(self, items: Sequence[tuple[str, Any]], tree: Tree[Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for word, value in items:
            if word in found:
                self._fail(
                    "duplicate-name", f"`{word}` is said twice", self._span(tree), "leave one of them out"
                )
            found[word] = value
        return found

    def add(self, tree: Tree[Any]) -> n.Operation:
        return self._operation("add", tree)

    def minus(self, tree: Tree[Any]) -> n.Operation:
        return self._operation("sub", tree)

    def mul(self, tree: Tree[Any]) -> n.Operation:
        return self._operation("mul", tree)

    def div(self, tree: Tree[Any]) -> n.Operation:
        return self._operation("div", tree)

    def neg(self, tree: Tree[Any]) -> n.Operation:
        return self._operation("neg", tree)

    def pow(self, tree: Tree[Any]) -> n.Operation:
        return self._operation("pow", tree)

    def cond(self, tree: Tree[Any]) -> n.Operation:
        return self._operation("if", tree)

    def all(self, tree: Tree[Any]) -> n.Operation:
        return self._operation("and", tree)

    def any(self, tree: Tree[Any]) -> n.Operation:
        return self._operation("or", tree)

    def cmp(self, tree: Tree[Any]) -> n.Operation:
        left, sign, right = kids(tree)
        return n.Operation(_COMPARE[str(sign)], (left, right), span=self._span(tree))

    def kwarg(self, tree: Tree[Any]) -> tuple[str, Any]:
        return str(kids(tree)[0]), kids(tree)[1]

    def call(self, tree: Tree[Any]) -> n.Call:
        name, *rest = kids(tree)
        named = tuple(c for c in rest if isinstance(c, tuple))
        positional = every(rest, EXPRESSIONS)
        twice = next((word for word, times in Counter(w for w, _ in named).items() if times > 1), None)
        if twice is not None:
            self._fail(
                "duplicate-name",
                f"the argument '{twice}' is given twice",
                self._span(tree),
                "leave one of them out",
            )
        node = n.Call(str(name), positional, named, span=self._span(tree))
        result: n.Call = self._measured(node, [*positional, *(value for _, value in named)])
        return result

    def binding(self, tree: Tree[Any]) -> n.Binding:
        name, first, last = kids(tree)
        return n.Binding(str(name), self._whole(first), self._whole(last), span=self._span(tree))

    def over(self, tree: Tree[Any]) -> tuple[n.Binding, ...]:
        return tuple(kids(tree))

    def reduce(self, tree: Tree[Any]) -> n.Reduce:
        name, expr, over = kids(tree)
        node: n.Reduce = self._measured(n.Reduce(str(name), expr, over, span=self._span(tree)), [expr])
        return node

    def pair(self, tree: Tree[Any]) -> n.Pair:
        low, high, unit = kids(tree)
        return n.Pair(low, high, self._unit(unit), span=self._span(tree))

    def bounds(self, tree: Tree[Any]) -> n.Pair:
        pair: n.Pair = kids(tree)[0]
        return pair

    def doc(self, tree: Tree[Any]) -> Marked:
        return Marked(str(kids(tree)[0])[1:-1], "doc")

    def source(self, tree: Tree[Any]) -> Marked:
        return Marked(str(kids(tree)[0])[1:-1], "source")
