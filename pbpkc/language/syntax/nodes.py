"""The syntax tree: one frozen class for each construct of the grammar, each with its span."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from pbpkc.language.source import SourceFile, Span


@dataclass(frozen=True)
class Syntax:
    """Anything that was written; `span` takes no part in comparisons."""

    span: Span = field(compare=False, repr=False, kw_only=True)


# ------------------------------------------------------------------ expressions


@dataclass(frozen=True)
class Quantity(Syntax):
    """A number and its unit text (None for a bare number)."""

    value: Fraction
    text: str
    unit: UnitText | None


@dataclass(frozen=True)
class UnitText(Syntax):
    """A unit as written, without brackets."""

    text: str


@dataclass(frozen=True)
class Part(Syntax):
    """One step of a reference: a name and its index text (``i+1``) or None."""

    name: str
    index: str | None


@dataclass(frozen=True)
class Ref(Syntax):
    """A dotted reference."""

    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """As written, without blanks."""
        return ".".join(p.name + (f"<{p.index}>" if p.index is not None else "") for p in self.parts)


@dataclass(frozen=True)
class Operation(Syntax):
    """``add sub mul div neg pow``, ``lt le gt ge``, ``and or``, ``if``."""

    op: str
    args: tuple[SyntaxExpr, ...]


@dataclass(frozen=True)
class Call(Syntax):
    """A function with positional and named arguments."""

    name: str
    args: tuple[SyntaxExpr, ...]
    named: tuple[tuple[str, SyntaxExpr], ...]


@dataclass(frozen=True)
class Binding(Syntax):
    """``i in 1..6``."""

    name: str
    first: int
    last: int


@dataclass(frozen=True)
class Reduce(Syntax):
    """``sum(expr for i in 1..n)``."""

    name: str
    expr: SyntaxExpr
    over: tuple[Binding, ...]


SyntaxExpr = Quantity | Ref | Operation | Call | Reduce


def spine(node: Operation, operators: tuple[str, ...]) -> tuple[list[SyntaxExpr], list[str]]:
    """The operands of ``a + b - c + ...`` from left to right, and the operators between them."""
    operands: list[SyntaxExpr] = []
    between: list[str] = []
    left: SyntaxExpr = node
    while isinstance(left, Operation) and left.op in operators:
        operands.append(left.args[1])
        between.append(left.op)
        left = left.args[0]
    operands.append(left)
    return operands[::-1], between[::-1]


@dataclass(frozen=True)
class Pair(Syntax):
    """``(low, high) [unit]``."""

    low: SyntaxExpr
    high: SyntaxExpr
    unit: UnitText | None


# ------------------------------------------------------------------ declarations


@dataclass(frozen=True)
class Member(Syntax):
    """A declared name, with an index or a size: ``K<20,20>``, ``si<7>``."""

    name: str
    index: str | None


@dataclass(frozen=True)
class ModelHead(Syntax):
    """``model NAME "..." { organism ...; time [..]; units none }``."""

    name: str
    doc: str
    organism: Part | None
    time: UnitText | None
    unit_free: bool


@dataclass(frozen=True)
class Use(Syntax):
    """``use "file" [as m] [without a, b]``."""

    path: str
    alias: str | None
    without: tuple[Ref, ...]


@dataclass(frozen=True)
class Set(Syntax):
    """``set path = expr``; in a scenario possibly with moments."""

    target: Ref
    value: SyntaxExpr
    when: tuple[When, ...] = ()


@dataclass(frozen=True)
class Value(Syntax):
    """``covariate``, ``input``, ``param`` or ``let``."""

    keyword: str
    member: Member
    doc: str
    over: tuple[Binding, ...]
    value: SyntaxExpr
    bounds: Pair | None
    hold: Part | None
    source: str


@dataclass(frozen=True)
class Function(Syntax):
    """``function g(x) = ...``."""

    name: str
    arguments: tuple[str, ...]
    body: SyntaxExpr


@dataclass(frozen=True)
class Masked(Syntax):
    """``masked k ~ prior in (a, b) scale log``."""

    member: Member
    doc: str
    over: tuple[Binding, ...]
    prior: Call
    bounds: Pair | None
    scale: Part | None
    source: str


@dataclass(frozen=True)
class UnknownArgument(Syntax):
    """``c [umol/L] in (0, 600) [umol/L]``."""

    name: str
    unit: UnitText
    bounds: Pair


@dataclass(frozen=True)
class Shape(Syntax):
    """``rising in c``."""

    direction: str
    argument: str


@dataclass(frozen=True)
class Anchor(Syntax):
    """``at (0 [umol/L]) = 1``."""

    arguments: tuple[SyntaxExpr, ...]
    value: SyntaxExpr


@dataclass(frozen=True)
class UnknownTerm(Syntax):
    """``unknown f(...) -> [unit] { ... }``."""

    name: str
    doc: str
    arguments: tuple[UnknownArgument, ...]
    unit: UnitText
    ranges: tuple[Pair, ...]
    shapes: tuple[Shape, ...]
    anchors: tuple[Anchor, ...]
    defaults: tuple[SyntaxExpr, ...]


@dataclass(frozen=True)
class Attribute(Syntax):
    """``volume = 3 [L]`` in a block."""

    ref: Ref
    value: SyntaxExpr
    source: str


@dataclass(frozen=True)
class SpeciesBlock(Syntax):
    """``species S carried by CO { ... }``."""

    name: str
    doc: str
    carried: tuple[Ref, ...]
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True)
class NodeBlock(Syntax):
    """``tissue liver { ... }``, ``lumen a, b<3>``."""

    kind: str
    members: tuple[Member, ...]
    doc: str
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True)
class StateLine(Syntax):
    """``state NO = 0.2 [ppm]``."""

    member: Member
    doc: str
    value: SyntaxExpr


@dataclass(frozen=True)
class Ode(Syntax):
    """``ode x = ...``."""

    target: Ref
    over: tuple[Binding, ...]
    value: SyntaxExpr


@dataclass(frozen=True)
class Start(Syntax):
    """``start path = expr``."""

    target: Ref
    value: SyntaxExpr


@dataclass(frozen=True)
class StartSteady(Syntax):
    """``start steady``."""


@dataclass(frozen=True)
class Chain(Syntax):
    """``a -> {b, c} -> d at expr``."""

    groups: tuple[tuple[Ref, ...], ...]
    at: SyntaxExpr | None


@dataclass(frozen=True)
class Circulation(Syntax):
    """``circulation CO { ... }``."""

    name: str
    doc: str
    chains: tuple[Chain, ...]


@dataclass(frozen=True)
class FlowLine(Syntax):
    """``flow f : a <-> b at Q``."""

    name: str
    doc: str
    over: tuple[Binding, ...]
    left: Ref
    arrow: str
    right: Ref
    at: SyntaxExpr


@dataclass(frozen=True)
class Term(Syntax):
    """``2 A`` in a side of a process."""

    count: Fraction
    ref: Ref


@dataclass(frozen=True)
class Process(Syntax):
    """``process p : a + b -> c rate r split f else d``."""

    name: str
    doc: str
    over: tuple[Binding, ...]
    left: tuple[Term, ...]
    arrow: str
    right: tuple[Term, ...]
    rate: SyntaxExpr
    split: SyntaxExpr | None
    otherwise: Ref | None


@dataclass(frozen=True)
class Site(Syntax):
    """``site arm drains a, b``."""

    name: str
    doc: str
    drains: tuple[Ref, ...]


@dataclass(frozen=True)
class Observe(Syntax):
    """``observe Cp = expr in [unit] as S error e lloq x``."""

    member: Member
    doc: str
    over: tuple[Binding, ...]
    value: SyntaxExpr
    unit: UnitText
    molar: Part | None
    error: Call | None
    lloq: SyntaxExpr | None


@dataclass(frozen=True)
class Vary(Syntax):
    """``BW ~ normal(...)`` in a population."""

    target: Ref
    prior: Call
    bounds: Pair | None


@dataclass(frozen=True)
class Correlate(Syntax):
    """``correlate a, b = 0.5``."""

    left: Ref
    right: Ref
    value: SyntaxExpr


@dataclass(frozen=True)
class Population(Syntax):
    """``population p { ... }``."""

    name: str
    doc: str
    items: tuple[Vary | Correlate, ...]


# ------------------------------------------------------------------ scenarios and checks


@dataclass(frozen=True)
class When(Syntax):
    """``at 0 [h]``, ``over``, ``every``...; ``steady`` has no value."""

    word: str
    value: SyntaxExpr | None


@dataclass(frozen=True)
class DoseLine(Syntax):
    """``dose S amount into node ...``, or ``dose amount into state ...`` without a species."""

    species: Part | None
    amount: SyntaxExpr
    into: Ref
    when: tuple[When, ...]


@dataclass(frozen=True)
class StartAfter(Syntax):
    """``start after OTHER``."""

    scenario: Part


@dataclass(frozen=True)
class Reset(Syntax):
    """``reset at t``."""

    at: SyntaxExpr


@dataclass(frozen=True)
class Run(Syntax):
    """``run 24 [h]``."""

    until: SyntaxExpr


@dataclass(frozen=True)
class ColumnLine(Syntax):
    """``column BW = WT [kg] * f``."""

    target: Member
    header: str | None
    unit: UnitText | None
    factor: SyntaxExpr | None


@dataclass(frozen=True)
class DoseRow(Syntax):
    """``CMT 1 dose S into node ...``, or ``CMT 1 dose into state ...`` without a species."""

    column: Part
    number: int
    species: Part | None
    into: Ref
    when: tuple[When, ...]


@dataclass(frozen=True)
class ObserveRow(Syntax):
    """``DVID 1 observe Cp [unit]``."""

    column: Part
    number: int
    target: Member
    unit: UnitText | None


@dataclass(frozen=True)
class Keep(Syntax):
    """``keep ID in (1, 6)``."""

    column: str
    bounds: Pair


@dataclass(frozen=True)
class Data(Syntax):
    """``data "file" { ... }``."""

    path: str
    items: tuple[ColumnLine | DoseRow | ObserveRow | Keep, ...]


ScenarioItem = DoseLine | Set | Start | StartSteady | StartAfter | Reset | Run | Data


@dataclass(frozen=True)
class ScenarioBlock(Syntax):
    """``scenario s from r { ... }``."""

    name: str
    parent: Part | None
    doc: str
    items: tuple[ScenarioItem, ...]


@dataclass(frozen=True)
class CheckRule(Syntax):
    """``check mass, positive``."""

    rules: tuple[Part, ...]


@dataclass(frozen=True)
class CheckValue(Syntax):
    """``check expr in (low, high) [unit]``."""

    expr: SyntaxExpr
    bounds: Pair


Statement = (
    ModelHead
    | Use
    | Set
    | Value
    | Function
    | Masked
    | UnknownTerm
    | SpeciesBlock
    | NodeBlock
    | StateLine
    | Ode
    | Start
    | StartSteady
    | Circulation
    | FlowLine
    | Process
    | Site
    | Observe
    | Population
    | ScenarioBlock
    | CheckRule
    | CheckValue
)


@dataclass(frozen=True)
class SyntaxTree:
    """One parsed file. Trees are compared by what they say, not by the text that said it."""

    file: SourceFile = field(compare=False)
    version: str
    statements: tuple[Statement, ...]
