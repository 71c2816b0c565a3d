"""From lark's tree to the syntax tree of `nodes`: statements."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from lark import Token, Tree, v_args

from pbpkc.language.syntax import nodes as n
from pbpkc.language.syntax.transform_expressions import (
    EXPRESSIONS,
    Marked,
    ToExpressions,
    every,
    kids,
    only,
    word_of,
)


@v_args(tree=True)
class ToNodes(ToExpressions):
    """Builds the tree of a file. One method for each rule of the grammar."""

    # ---------------------------------------------------------------- declarations

    def organism(self, tree: Tree[Any]) -> tuple[str, n.Part]:
        return "organism", self._part(kids(tree)[0])

    def time(self, tree: Tree[Any]) -> tuple[str, n.UnitText | None]:
        return "time", self._unit(kids(tree)[0])

    def unitfree(self, tree: Tree[Any]) -> tuple[str, bool]:
        return "units", True

    def model(self, tree: Tree[Any]) -> n.ModelHead:
        items = self._once([c for c in kids(tree) if isinstance(c, tuple)], tree)
        return n.ModelHead(
            str(kids(tree)[0]),
            word_of(kids(tree), "doc"),
            items.get("organism"),
            items.get("time"),
            "units" in items,
            span=self._span(tree),
        )

    def without(self, tree: Tree[Any]) -> tuple[n.Ref, ...]:
        return tuple(kids(tree))

    def use(self, tree: Tree[Any]) -> n.Use:
        path, alias, *rest = kids(tree)
        without = rest[0] if rest and rest[0] else ()
        return n.Use(str(path)[1:-1], None if alias is None else str(alias), without, span=self._span(tree))

    def set(self, tree: Tree[Any]) -> n.Set:
        return n.Set(kids(tree)[0], kids(tree)[1], span=self._span(tree))

    def sset(self, tree: Tree[Any]) -> n.Set:
        target, value, *when = kids(tree)
        return n.Set(target, value, tuple(when), span=self._span(tree))

    def hold(self, tree: Tree[Any]) -> n.Part:
        return self._part(kids(tree)[0])

    def scale(self, tree: Tree[Any]) -> n.Part:
        return self._part(kids(tree)[0])

    def _value(self, keyword: str, tree: Tree[Any]) -> n.Value:
        head, *rest = kids(tree)
        member = head if isinstance(head, n.Member) else n.Member(str(head), None, span=self._token(head))
        over = next((c for c in rest if isinstance(c, tuple)), ())
        return n.Value(
            keyword,
            member,
            word_of(rest, "doc"),
            over,
            only(rest, EXPRESSIONS),
            only(rest, n.Pair),
            only(rest, n.Part),
            word_of(rest, "source"),
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
        name, *arguments, body = kids(tree)
        return n.Function(str(name), tuple(str(a) for a in arguments), body, span=self._span(tree))

    def masked(self, tree: Tree[Any]) -> n.Masked:
        member, *rest = kids(tree)
        over = next((c for c in rest if isinstance(c, tuple)), ())
        return n.Masked(
            member,
            word_of(rest, "doc"),
            over,
            only(rest, n.Call),
            only(rest, n.Pair),
            only(rest, n.Part),
            word_of(rest, "source"),
            span=self._span(tree),
        )

    def uarg(self, tree: Tree[Any]) -> n.UnknownArgument:
        name, unit, bounds = kids(tree)
        text = self._unit(unit)
        assert text is not None
        return n.UnknownArgument(str(name), text, bounds, span=self._span(tree))

    def urange(self, tree: Tree[Any]) -> tuple[str, n.Pair]:
        return "range", kids(tree)[0]

    def direction(self, tree: Tree[Any]) -> Marked:
        return Marked(str(kids(tree)[0]), "direction")

    def ushape(self, tree: Tree[Any]) -> n.Shape:
        return n.Shape(str(kids(tree)[0]), str(kids(tree)[1]), span=self._span(tree))

    def uat(self, tree: Tree[Any]) -> n.Anchor:
        *arguments, value = kids(tree)
        return n.Anchor(tuple(arguments), value, span=self._span(tree))

    def udefault(self, tree: Tree[Any]) -> tuple[str, Any]:
        return "default", kids(tree)[0]

    def unknown(self, tree: Tree[Any]) -> n.UnknownTerm:
        items = kids(tree)
        pairs = [c for c in items if isinstance(c, tuple)]
        unit = self._unit(next(c for c in items[1:] if isinstance(c, Token) and c.type == "UNIT"))
        assert unit is not None
        return n.UnknownTerm(
            str(items[0]),
            word_of(items, "doc"),
            every(items, n.UnknownArgument),
            unit,
            tuple(v for k, v in pairs if k == "range"),
            every(items, n.Shape),
            every(items, n.Anchor),
            tuple(v for k, v in pairs if k == "default"),
            span=self._span(tree),
        )

    def carried(self, tree: Tree[Any]) -> tuple[str, tuple[n.Ref, ...]]:
        return "carried", tuple(kids(tree))

    def attr(self, tree: Tree[Any]) -> n.Attribute:
        ref, value, *rest = kids(tree)
        return n.Attribute(ref, value, word_of(rest, "source"), span=self._span(tree))

    def block(self, tree: Tree[Any]) -> tuple[str, tuple[n.Attribute, ...]]:
        return "block", tuple(kids(tree))

    def species(self, tree: Tree[Any]) -> n.SpeciesBlock:
        items: dict[str, Any] = dict(c for c in kids(tree) if isinstance(c, tuple))
        return n.SpeciesBlock(
            str(kids(tree)[0]),
            word_of(kids(tree), "doc"),
            items.get("carried", ()),
            items.get("block", ()),
            span=self._span(tree),
        )

    def kind(self, tree: Tree[Any]) -> Marked:
        return Marked(str(kids(tree)[0]), "kind")

    def node(self, tree: Tree[Any]) -> n.NodeBlock:
        items: dict[str, Any] = dict(c for c in kids(tree) if isinstance(c, tuple))
        return n.NodeBlock(
            word_of(kids(tree), "kind"),
            every(kids(tree), n.Member),
            word_of(kids(tree), "doc"),
            items.get("block", ()),
            span=self._span(tree),
        )

    def state(self, tree: Tree[Any]) -> n.StateLine:
        return n.StateLine(
            kids(tree)[0], word_of(kids(tree), "doc"), only(kids(tree), EXPRESSIONS), span=self._span(tree)
        )

    def ode(self, tree: Tree[Any]) -> n.Ode:
        target, *rest = kids(tree)
        over = next((c for c in rest if isinstance(c, tuple)), ())
        return n.Ode(target, over, only(rest, EXPRESSIONS), span=self._span(tree))

    def start_at(self, tree: Tree[Any]) -> n.Start:
        return n.Start(kids(tree)[0], kids(tree)[1], span=self._span(tree))

    def start_steady(self, tree: Tree[Any]) -> n.StartSteady:
        return n.StartSteady(span=self._span(tree))

    def group(self, tree: Tree[Any]) -> tuple[n.Ref, ...]:
        return tuple(kids(tree))

    def chain(self, tree: Tree[Any]) -> n.Chain:
        groups = tuple(c for c in kids(tree) if isinstance(c, tuple))
        return n.Chain(groups, only(kids(tree), EXPRESSIONS), span=self._span(tree))

    def circulation(self, tree: Tree[Any]) -> n.Circulation:
        return n.Circulation(
            str(kids(tree)[0]), word_of(kids(tree), "doc"), every(kids(tree), n.Chain), span=self._span(tree)
        )

    def arrow(self, tree: Tree[Any]) -> Marked:
        return Marked(str(kids(tree)[0]), "arrow")

    def flow(self, tree: Tree[Any]) -> n.FlowLine:
        name, *rest = kids(tree)
        over = next((c for c in rest if isinstance(c, tuple)), ())
        exprs = every(rest, EXPRESSIONS)
        left, right, at = exprs
        return n.FlowLine(
            str(name),
            word_of(rest, "doc"),
            over,
            left,
            word_of(rest, "arrow"),
            right,
            at,
            span=self._span(tree),
        )

    def term(self, tree: Tree[Any]) -> n.Term:
        count, ref = kids(tree)
        return n.Term(Fraction(1) if count is None else Fraction(str(count)), ref, span=self._span(tree))

    def side(self, tree: Tree[Any]) -> list[n.Term]:
        return list(kids(tree))

    def split(self, tree: Tree[Any]) -> tuple[str, Any, n.Ref]:
        return "split", kids(tree)[0], kids(tree)[1]

    def process(self, tree: Tree[Any]) -> n.Process:
        name, *rest = kids(tree)
        split = next((c for c in rest if isinstance(c, tuple) and c and c[0] == "split"), None)
        over = next((c for c in rest if isinstance(c, tuple) and c is not split), ())
        left, right = (tuple(c) for c in rest if isinstance(c, list))
        return n.Process(
            str(name),
            word_of(rest, "doc"),
            over,
            left,
            word_of(rest, "arrow"),
            right,
            only(rest, EXPRESSIONS),
            split[1] if split else None,
            split[2] if split else None,
            span=self._span(tree),
        )

    def site(self, tree: Tree[Any]) -> n.Site:
        name, *rest = kids(tree)
        return n.Site(str(name), word_of(rest, "doc"), every(rest, n.Ref), span=self._span(tree))

    def molar(self, tree: Tree[Any]) -> n.Part:
        part: n.Part = kids(tree)[0]
        return part

    def error(self, tree: Tree[Any]) -> tuple[str, n.Call]:
        return "error", kids(tree)[0]

    def lloq(self, tree: Tree[Any]) -> tuple[str, Any]:
        return "lloq", kids(tree)[0]

    def observe(self, tree: Tree[Any]) -> n.Observe:
        member, *rest = kids(tree)
        over = next((c for c in rest if isinstance(c, tuple) and isinstance(c[0], n.Binding)), ())
        clauses = {c[0]: c[1] for c in rest if isinstance(c, tuple) and isinstance(c[0], str)}
        unit = self._unit(next(c for c in rest if isinstance(c, Token) and c.type == "UNIT"))
        assert unit is not None
        return n.Observe(
            member,
            word_of(rest, "doc"),
            over,
            only(rest, EXPRESSIONS),
            unit,
            only(rest, n.Part),
            clauses.get("error"),
            clauses.get("lloq"),
            span=self._span(tree),
        )

    def vary(self, tree: Tree[Any]) -> n.Vary:
        target, prior, *rest = kids(tree)
        return n.Vary(target, prior, rest[0] if rest else None, span=self._span(tree))

    def correlate(self, tree: Tree[Any]) -> n.Correlate:
        left, right, value = kids(tree)
        return n.Correlate(left, right, value, span=self._span(tree))

    def population(self, tree: Tree[Any]) -> n.Population:
        return n.Population(
            str(kids(tree)[0]),
            word_of(kids(tree), "doc"),
            every(kids(tree), (n.Vary, n.Correlate)),
            span=self._span(tree),
        )

    # ---------------------------------------------------------------- scenarios and checks

    def moment(self, tree: Tree[Any]) -> Marked:
        return Marked(str(kids(tree)[0]), "moment")

    def steady(self, tree: Tree[Any]) -> Marked:
        return Marked("steady", "moment")

    def when(self, tree: Tree[Any]) -> n.When:
        return n.When(word_of(kids(tree), "moment"), only(kids(tree), EXPRESSIONS), span=self._span(tree))

    def dose(self, tree: Tree[Any]) -> n.DoseLine:
        species, amount, into, *when = kids(tree)
        return n.DoseLine(species, amount, into, tuple(when), span=self._span(tree))

    def state_dose(self, tree: Tree[Any]) -> n.DoseLine:
        amount, into, *when = kids(tree)
        return n.DoseLine(None, amount, into, tuple(when), span=self._span(tree))

    def start_after(self, tree: Tree[Any]) -> n.StartAfter:
        return n.StartAfter(self._part(kids(tree)[0]), span=self._span(tree))

    def reset(self, tree: Tree[Any]) -> n.Reset:
        return n.Reset(kids(tree)[0], span=self._span(tree))

    def run(self, tree: Tree[Any]) -> n.Run:
        return n.Run(kids(tree)[0], span=self._span(tree))

    def column(self, tree: Tree[Any]) -> n.ColumnLine:
        member, header, unit, *factor = kids(tree)
        return n.ColumnLine(
            member,
            None if header is None else str(header),
            self._unit(unit),
            factor[0] if factor else None,
            span=self._span(tree),
        )

    def factor(self, tree: Tree[Any]) -> Any:
        return kids(tree)[0]

    def dose_row(self, tree: Tree[Any]) -> n.DoseRow:
        column, number, species, into, *when = kids(tree)
        return n.DoseRow(
            self._part(column),
            self._whole(number),
            species,
            into,
            tuple(when),
            span=self._span(tree),
        )

    def observe_row(self, tree: Tree[Any]) -> n.ObserveRow:
        column, number, target, unit = kids(tree)
        return n.ObserveRow(
            self._part(column), self._whole(number), target, self._unit(unit), span=self._span(tree)
        )

    def keep(self, tree: Tree[Any]) -> n.Keep:
        return n.Keep(str(kids(tree)[0]), kids(tree)[1], span=self._span(tree))

    def data(self, tree: Tree[Any]) -> n.Data:
        path, *items = kids(tree)
        return n.Data(str(path)[1:-1], tuple(i for i in items if i is not None), span=self._span(tree))

    def scenario(self, tree: Tree[Any]) -> n.ScenarioBlock:
        name, parent, *rest = kids(tree)
        return n.ScenarioBlock(
            str(name),
            None if parent is None else self._part(parent),
            word_of(rest, "doc"),
            every(rest, n.Syntax),
            span=self._span(tree),
        )

    def check_rule(self, tree: Tree[Any]) -> n.CheckRule:
        return n.CheckRule(tuple(self._part(c) for c in kids(tree)), span=self._span(tree))

    def check_value(self, tree: Tree[Any]) -> n.CheckValue:
        return n.CheckValue(kids(tree)[0], kids(tree)[1], span=self._span(tree))

    def header(self, tree: Tree[Any]) -> Marked:
        return Marked(str(kids(tree)[0]), "version")

    def start(self, tree: Tree[Any]) -> n.SyntaxTree:
        return n.SyntaxTree(self.file, word_of(kids(tree), "version"), every(kids(tree), n.Syntax))
