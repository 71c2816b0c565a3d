"""From lark's tree to the syntax tree of `nodes`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, TypeVar

from lark import Token, Tree, v_args
from lark.visitors import Transformer_NonRecursive

from pbpkc.language import nodes as n
from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.source import SourceFile, Span

#: Deeper nesting of an expression than this is refused, before it exhausts the stack of a later stage.
MOST_NESTING = 100

#: The depth of an expression that was refused: nothing around it is refused for the same reason.
_SAID = -(10**9)

_COMPARE = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge"}


class _Marked(str):
    """A word that came from an optional clause (``source``, ``doc``), so that it is not taken for a name."""

    kind: str

    def __new__(cls, text: str, kind: str) -> _Marked:
        word = super().__new__(cls, text)
        word.kind = kind
        return word


def _only(children: Sequence[Any], kind: type | tuple[type, ...]) -> Any:
    return next((c for c in children if isinstance(c, kind)), None)


def _all(children: Sequence[Any], kind: type | tuple[type, ...]) -> tuple[Any, ...]:
    return tuple(c for c in children if isinstance(c, kind))


def _word(children: Sequence[Any], kind: str) -> str:
    return next((str(c) for c in children if isinstance(c, _Marked) and c.kind == kind), "")


def _kids(tree: Tree[Any]) -> list[Any]:
    """The children, which are nodes and tokens by now: lark's own type still calls them trees."""
    return tree.children


_Expression = TypeVar("_Expression", n.Operation, n.Call, n.Reduce)

_EXPR = (n.Quantity, n.Ref, n.Operation, n.Call, n.Reduce)


_SAME_LEVEL = {"add": "sum", "sub": "sum", "mul": "product", "div": "product"}


@v_args(tree=True)
class ToNodes(Transformer_NonRecursive[Token, n.SyntaxTree]):
    """Builds nodes bottom up. One method for each rule of the grammar."""

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
        value, unit = _kids(tree)
        return n.Quantity(Fraction(str(value)), str(value), self._unit(unit), span=self._span(tree))

    def part(self, tree: Tree[Any]) -> n.Part:
        name = _kids(tree)[0]
        index = str(_kids(tree)[1])[1:-1].replace(" ", "") if len(_kids(tree)) > 1 else None
        return n.Part(str(name), index, span=self._span(tree))

    def ref(self, tree: Tree[Any]) -> n.Ref:
        return n.Ref(tuple(_kids(tree)), span=self._span(tree))

    def member(self, tree: Tree[Any]) -> n.Member:
        name = _kids(tree)[0]
        index = str(_kids(tree)[1])[1:-1].replace(" ", "") if len(_kids(tree)) > 1 else None
        return n.Member(str(name), index, span=self._span(tree))

    def dotted(self, tree: Tree[Any]) -> n.Part:
        return n.Part(".".join(map(str, _kids(tree))), None, span=self._span(tree))

    def reading(self, tree: Tree[Any]) -> n.Member:
        names = [str(c) for c in _kids(tree) if c.type == "NAME"]
        index = next((str(c)[1:-1].replace(" ", "") for c in _kids(tree) if c.type == "SUB"), None)
        return n.Member(".".join(names), index, span=self._span(tree))

    def _operation(self, op: str, tree: Tree[Any]) -> n.Operation:
        return self._measured(n.Operation(op, tuple(_kids(tree)), span=self._span(tree)), _kids(tree))

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
        left, sign, right = _kids(tree)
        return n.Operation(_COMPARE[str(sign)], (left, right), span=self._span(tree))

    def kwarg(self, tree: Tree[Any]) -> tuple[str, Any]:
        return str(_kids(tree)[0]), _kids(tree)[1]

    def call(self, tree: Tree[Any]) -> n.Call:
        name, *rest = _kids(tree)
        named = tuple(c for c in rest if isinstance(c, tuple))
        positional = _all(rest, _EXPR)
        words = [word for word, _ in named]
        twice = next((w for w in words if words.count(w) > 1), None)
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
        name, first, last = _kids(tree)
        return n.Binding(str(name), self._whole(first), self._whole(last), span=self._span(tree))

    def over(self, tree: Tree[Any]) -> tuple[n.Binding, ...]:
        return tuple(_kids(tree))

    def reduce(self, tree: Tree[Any]) -> n.Reduce:
        name, expr, over = _kids(tree)
        node: n.Reduce = self._measured(n.Reduce(str(name), expr, over, span=self._span(tree)), [expr])
        return node

    def pair(self, tree: Tree[Any]) -> n.Pair:
        low, high, unit = _kids(tree)
        return n.Pair(low, high, self._unit(unit), span=self._span(tree))

    def bounds(self, tree: Tree[Any]) -> n.Pair:
        pair: n.Pair = _kids(tree)[0]
        return pair

    def doc(self, tree: Tree[Any]) -> _Marked:
        return _Marked(str(_kids(tree)[0])[1:-1], "doc")

    def source(self, tree: Tree[Any]) -> _Marked:
        return _Marked(str(_kids(tree)[0])[1:-1], "source")

    # ---------------------------------------------------------------- declarations

    def organism(self, tree: Tree[Any]) -> tuple[str, n.Part]:
        return "organism", self._part(_kids(tree)[0])

    def time(self, tree: Tree[Any]) -> tuple[str, n.UnitText | None]:
        return "time", self._unit(_kids(tree)[0])

    def unitfree(self, tree: Tree[Any]) -> tuple[str, bool]:
        return "units", True

    def model(self, tree: Tree[Any]) -> n.ModelHead:
        items = self._once([c for c in _kids(tree) if isinstance(c, tuple)], tree)
        return n.ModelHead(
            str(_kids(tree)[0]),
            _word(_kids(tree), "doc"),
            items.get("organism"),
            items.get("time"),
            "units" in items,
            span=self._span(tree),
        )

    def without(self, tree: Tree[Any]) -> tuple[n.Ref, ...]:
        return tuple(_kids(tree))

    def use(self, tree: Tree[Any]) -> n.Use:
        path, alias, *rest = _kids(tree)
        without = rest[0] if rest and rest[0] else ()
        return n.Use(str(path)[1:-1], None if alias is None else str(alias), without, span=self._span(tree))

    def set(self, tree: Tree[Any]) -> n.Set:
        return n.Set(_kids(tree)[0], _kids(tree)[1], span=self._span(tree))

    def sset(self, tree: Tree[Any]) -> n.Set:
        target, value, *when = _kids(tree)
        return n.Set(target, value, tuple(when), span=self._span(tree))

    def hold(self, tree: Tree[Any]) -> n.Part:
        return self._part(_kids(tree)[0])

    def scale(self, tree: Tree[Any]) -> n.Part:
        return self._part(_kids(tree)[0])

    def _value(self, keyword: str, tree: Tree[Any]) -> n.Value:
        head, *rest = _kids(tree)
        member = head if isinstance(head, n.Member) else n.Member(str(head), None, span=self._token(head))
        over = next((c for c in rest if isinstance(c, tuple)), ())
        return n.Value(
            keyword,
            member,
            _word(rest, "doc"),
            over,
            _only(rest, _EXPR),
            _only(rest, n.Pair),
            _only(rest, n.Part),
            _word(rest, "source"),
            span=self._span(tree),
        )

    def covariate(self, tree: Tree[Any]) -> n.Value:
        return self._value("covariate", tree)

    def input(self, tree: Tree[Any]) -> n.Value:
        return self._value("input", tree)

    def param(self, tree: Tree[Any]) -> n.Value:
        return self._value("param", tree)

    def let(self, tree: Tree[Any]) -> n.Value:
        return self._value("let", tree)

    def function(self, tree: Tree[Any]) -> n.Function:
        name, *arguments, body = _kids(tree)
        return n.Function(str(name), tuple(str(a) for a in arguments), body, span=self._span(tree))

    def masked(self, tree: Tree[Any]) -> n.Masked:
        member, *rest = _kids(tree)
        over = next((c for c in rest if isinstance(c, tuple)), ())
        return n.Masked(
            member,
            _word(rest, "doc"),
            over,
            _only(rest, n.Call),
            _only(rest, n.Pair),
            _only(rest, n.Part),
            _word(rest, "source"),
            span=self._span(tree),
        )

    def uarg(self, tree: Tree[Any]) -> n.UnknownArgument:
        name, unit, bounds = _kids(tree)
        text = self._unit(unit)
        assert text is not None
        return n.UnknownArgument(str(name), text, bounds, span=self._span(tree))

    def urange(self, tree: Tree[Any]) -> tuple[str, n.Pair]:
        return "range", _kids(tree)[0]

    def direction(self, tree: Tree[Any]) -> _Marked:
        return _Marked(str(_kids(tree)[0]), "direction")

    def ushape(self, tree: Tree[Any]) -> n.Shape:
        return n.Shape(str(_kids(tree)[0]), str(_kids(tree)[1]), span=self._span(tree))

    def uat(self, tree: Tree[Any]) -> n.Anchor:
        *arguments, value = _kids(tree)
        return n.Anchor(tuple(arguments), value, span=self._span(tree))

    def udefault(self, tree: Tree[Any]) -> tuple[str, Any]:
        return "default", _kids(tree)[0]

    def unknown(self, tree: Tree[Any]) -> n.UnknownTerm:
        items = _kids(tree)
        pairs = [c for c in items if isinstance(c, tuple)]
        unit = self._unit(next(c for c in items[1:] if isinstance(c, Token) and c.type == "UNIT"))
        assert unit is not None
        return n.UnknownTerm(
            str(items[0]),
            _word(items, "doc"),
            _all(items, n.UnknownArgument),
            unit,
            tuple(v for k, v in pairs if k == "range"),
            _all(items, n.Shape),
            _all(items, n.Anchor),
            tuple(v for k, v in pairs if k == "default"),
            span=self._span(tree),
        )

    def carried(self, tree: Tree[Any]) -> tuple[str, tuple[n.Ref, ...]]:
        return "carried", tuple(_kids(tree))

    def attr(self, tree: Tree[Any]) -> n.Attribute:
        ref, value, *rest = _kids(tree)
        return n.Attribute(ref, value, _word(rest, "source"), span=self._span(tree))

    def block(self, tree: Tree[Any]) -> tuple[str, tuple[n.Attribute, ...]]:
        return "block", tuple(_kids(tree))

    def species(self, tree: Tree[Any]) -> n.SpeciesBlock:
        items: dict[str, Any] = dict(c for c in _kids(tree) if isinstance(c, tuple))
        return n.SpeciesBlock(
            str(_kids(tree)[0]),
            _word(_kids(tree), "doc"),
            items.get("carried", ()),
            items.get("block", ()),
            span=self._span(tree),
        )

    def kind(self, tree: Tree[Any]) -> _Marked:
        return _Marked(str(_kids(tree)[0]), "kind")

    def node(self, tree: Tree[Any]) -> n.NodeBlock:
        items: dict[str, Any] = dict(c for c in _kids(tree) if isinstance(c, tuple))
        return n.NodeBlock(
            _word(_kids(tree), "kind"),
            _all(_kids(tree), n.Member),
            _word(_kids(tree), "doc"),
            items.get("block", ()),
            span=self._span(tree),
        )

    def state(self, tree: Tree[Any]) -> n.StateLine:
        return n.StateLine(
            _kids(tree)[0], _word(_kids(tree), "doc"), _only(_kids(tree), _EXPR), span=self._span(tree)
        )

    def ode(self, tree: Tree[Any]) -> n.Ode:
        target, *rest = _kids(tree)
        over = next((c for c in rest if isinstance(c, tuple)), ())
        return n.Ode(target, over, _only(rest, _EXPR), span=self._span(tree))

    def start_at(self, tree: Tree[Any]) -> n.Start:
        return n.Start(_kids(tree)[0], _kids(tree)[1], span=self._span(tree))

    def start_steady(self, tree: Tree[Any]) -> n.StartSteady:
        return n.StartSteady(span=self._span(tree))

    def group(self, tree: Tree[Any]) -> tuple[n.Ref, ...]:
        return tuple(_kids(tree))

    def chain(self, tree: Tree[Any]) -> n.Chain:
        groups = tuple(c for c in _kids(tree) if isinstance(c, tuple))
        return n.Chain(groups, _only(_kids(tree), _EXPR), span=self._span(tree))

    def circulation(self, tree: Tree[Any]) -> n.Circulation:
        return n.Circulation(
            str(_kids(tree)[0]), _word(_kids(tree), "doc"), _all(_kids(tree), n.Chain), span=self._span(tree)
        )

    def arrow(self, tree: Tree[Any]) -> _Marked:
        return _Marked(str(_kids(tree)[0]), "arrow")

    def flow(self, tree: Tree[Any]) -> n.FlowLine:
        name, *rest = _kids(tree)
        over = next((c for c in rest if isinstance(c, tuple)), ())
        exprs = _all(rest, _EXPR)
        left, right, at = exprs
        return n.FlowLine(
            str(name), _word(rest, "doc"), over, left, _word(rest, "arrow"), right, at, span=self._span(tree)
        )

    def term(self, tree: Tree[Any]) -> n.Term:
        count, ref = _kids(tree)
        return n.Term(Fraction(1) if count is None else Fraction(str(count)), ref, span=self._span(tree))

    def side(self, tree: Tree[Any]) -> list[n.Term]:
        return list(_kids(tree))

    def split(self, tree: Tree[Any]) -> tuple[str, Any, n.Ref]:
        return "split", _kids(tree)[0], _kids(tree)[1]

    def process(self, tree: Tree[Any]) -> n.Process:
        name, *rest = _kids(tree)
        split = next((c for c in rest if isinstance(c, tuple) and c and c[0] == "split"), None)
        over = next((c for c in rest if isinstance(c, tuple) and c is not split), ())
        left, right = (tuple(c) for c in rest if isinstance(c, list))
        return n.Process(
            str(name),
            _word(rest, "doc"),
            over,
            left,
            _word(rest, "arrow"),
            right,
            _only(rest, _EXPR),
            split[1] if split else None,
            split[2] if split else None,
            span=self._span(tree),
        )

    def site(self, tree: Tree[Any]) -> n.Site:
        name, *rest = _kids(tree)
        return n.Site(str(name), _word(rest, "doc"), _all(rest, n.Ref), span=self._span(tree))

    def molar(self, tree: Tree[Any]) -> n.Part:
        part: n.Part = _kids(tree)[0]
        return part

    def error(self, tree: Tree[Any]) -> tuple[str, n.Call]:
        return "error", _kids(tree)[0]

    def lloq(self, tree: Tree[Any]) -> tuple[str, Any]:
        return "lloq", _kids(tree)[0]

    def observe(self, tree: Tree[Any]) -> n.Observe:
        member, *rest = _kids(tree)
        over = next((c for c in rest if isinstance(c, tuple) and isinstance(c[0], n.Binding)), ())
        clauses = {c[0]: c[1] for c in rest if isinstance(c, tuple) and isinstance(c[0], str)}
        unit = self._unit(next(c for c in rest if isinstance(c, Token) and c.type == "UNIT"))
        assert unit is not None
        return n.Observe(
            member,
            _word(rest, "doc"),
            over,
            _only(rest, _EXPR),
            unit,
            _only(rest, n.Part),
            clauses.get("error"),
            clauses.get("lloq"),
            span=self._span(tree),
        )

    def vary(self, tree: Tree[Any]) -> n.Vary:
        target, prior, *rest = _kids(tree)
        return n.Vary(target, prior, rest[0] if rest else None, span=self._span(tree))

    def correlate(self, tree: Tree[Any]) -> n.Correlate:
        left, right, value = _kids(tree)
        return n.Correlate(left, right, value, span=self._span(tree))

    def population(self, tree: Tree[Any]) -> n.Population:
        return n.Population(
            str(_kids(tree)[0]),
            _word(_kids(tree), "doc"),
            _all(_kids(tree), (n.Vary, n.Correlate)),
            span=self._span(tree),
        )

    # ---------------------------------------------------------------- scenarios and checks

    def moment(self, tree: Tree[Any]) -> _Marked:
        return _Marked(str(_kids(tree)[0]), "moment")

    def steady(self, tree: Tree[Any]) -> _Marked:
        return _Marked("steady", "moment")

    def when(self, tree: Tree[Any]) -> n.When:
        return n.When(_word(_kids(tree), "moment"), _only(_kids(tree), _EXPR), span=self._span(tree))

    def dose(self, tree: Tree[Any]) -> n.DoseLine:
        species, amount, into, *when = _kids(tree)
        return n.DoseLine(species, amount, into, tuple(when), span=self._span(tree))

    def state_dose(self, tree: Tree[Any]) -> n.DoseLine:
        amount, into, *when = _kids(tree)
        return n.DoseLine(None, amount, into, tuple(when), span=self._span(tree))

    def start_after(self, tree: Tree[Any]) -> n.StartAfter:
        return n.StartAfter(self._part(_kids(tree)[0]), span=self._span(tree))

    def reset(self, tree: Tree[Any]) -> n.Reset:
        return n.Reset(_kids(tree)[0], span=self._span(tree))

    def run(self, tree: Tree[Any]) -> n.Run:
        return n.Run(_kids(tree)[0], span=self._span(tree))

    def column(self, tree: Tree[Any]) -> n.ColumnLine:
        member, header, unit, *factor = _kids(tree)
        return n.ColumnLine(
            member,
            None if header is None else str(header),
            self._unit(unit),
            factor[0] if factor else None,
            span=self._span(tree),
        )

    def factor(self, tree: Tree[Any]) -> Any:
        return _kids(tree)[0]

    def dose_row(self, tree: Tree[Any]) -> n.DoseRow:
        column, number, species, into, *when = _kids(tree)
        return n.DoseRow(
            self._part(column),
            self._whole(number),
            species,
            into,
            tuple(when),
            span=self._span(tree),
        )

    def observe_row(self, tree: Tree[Any]) -> n.ObserveRow:
        column, number, target, unit = _kids(tree)
        return n.ObserveRow(
            self._part(column), self._whole(number), target, self._unit(unit), span=self._span(tree)
        )

    def keep(self, tree: Tree[Any]) -> n.Keep:
        return n.Keep(str(_kids(tree)[0]), _kids(tree)[1], span=self._span(tree))

    def data(self, tree: Tree[Any]) -> n.Data:
        path, *items = _kids(tree)
        return n.Data(str(path)[1:-1], tuple(i for i in items if i is not None), span=self._span(tree))

    def scenario(self, tree: Tree[Any]) -> n.ScenarioBlock:
        name, parent, *rest = _kids(tree)
        return n.ScenarioBlock(
            str(name),
            None if parent is None else self._part(parent),
            _word(rest, "doc"),
            _all(rest, n.Syntax),
            span=self._span(tree),
        )

    def check_rule(self, tree: Tree[Any]) -> n.CheckRule:
        return n.CheckRule(tuple(self._part(c) for c in _kids(tree)), span=self._span(tree))

    def check_value(self, tree: Tree[Any]) -> n.CheckValue:
        return n.CheckValue(_kids(tree)[0], _kids(tree)[1], span=self._span(tree))

    def header(self, tree: Tree[Any]) -> _Marked:
        return _Marked(str(_kids(tree)[0]), "version")

    def start(self, tree: Tree[Any]) -> n.SyntaxTree:
        return n.SyntaxTree(self.file, _word(_kids(tree), "version"), _all(_kids(tree), n.Syntax))
