"""Single faults in specs: slips that people make, one at a time, made on purpose.

A checker is judged by what it finds. Each `Mutation` changes one stretch of one text as a person does in a
hurry; what kind of harm it does (`breaks`) follows from how it was made, not from what a checker says of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal

from pbpkc.language.model import Model
from pbpkc.language.source import Span
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import Dimension, UnitError, parse_unit

Breaks = Literal["dimension", "mass", "flow", "value"]


@dataclass(frozen=True)
class Mutation:
    """One fault.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    breaks : {"dimension", "mass", "flow", "value"}
        What it makes wrong whatever the numbers are; ``value`` where everything balances and every unit fits.
    spans : tuple of (Span, str)
        What to replace, by what; all in one file.
    what : str
        In words.
    """

    kind: str
    breaks: Breaks
    spans: tuple[tuple[Span, str], ...]
    what: str

    @property
    def line(self) -> int:
        """Line of the first change."""
        return self.spans[0][0].line

    def applied(self) -> str:
        """The text of the file with the fault."""
        text = self.spans[0][0].file.text
        for span, new in sorted(self.spans, key=lambda one: -one[0].start):
            text = text[: span.start] + new + text[span.end :]
        return text


def mutations(tree: n.SyntaxTree, model: Model, at_most: int) -> tuple[Mutation, ...]:
    """Faults of every kind in one file.

    Parameters
    ----------
    tree : SyntaxTree
        Of the file.
    model : Model
        That the file belongs to; it tells the dimensions of names.
    at_most : int
        Of each kind; they are taken evenly over the file, so the same ones every time.
    """
    found: list[Mutation] = []
    for kind, make in KINDS.items():
        every = list(make(tree, model))
        step = max(1.0, len(every) / at_most)
        chosen = [every[int((i + 0.5) * step)] for i in range(min(at_most, len(every)))]
        found += [Mutation(kind, breaks, spans, what) for breaks, spans, what in chosen]
    return tuple(found)


Made = Iterator[tuple[Breaks, tuple[tuple[Span, str], ...], str]]
Maker = Callable[[n.SyntaxTree, Model], Made]

#: What people observe and dose is an experiment, not a model; faults are made in what describes the body, the
#: substances and what happens.
_DESCRIBING = (
    n.Value,
    n.Masked,
    n.NodeBlock,
    n.SpeciesBlock,
    n.StateLine,
    n.Ode,
    n.FlowLine,
    n.Process,
    n.Observe,
)


def _statements(tree: n.SyntaxTree) -> Iterator[n.Statement]:
    yield from (s for s in tree.statements if isinstance(s, _DESCRIBING))


def _inside(node: object) -> Iterator[n.Syntax]:
    """Every syntax node in a node, itself among them."""
    if isinstance(node, n.Syntax):
        yield node
    if isinstance(node, (tuple, list)):
        for part in node:
            yield from _inside(part)
    elif is_dataclass(node) and isinstance(node, n.Syntax):
        for field in fields(node):
            if field.name != "span":
                yield from _inside(getattr(node, field.name))


def _units(tree: n.SyntaxTree) -> Iterator[n.UnitText]:
    for statement in _statements(tree):
        for node in _inside(statement):
            if isinstance(node, n.UnitText) and node.text.strip() not in ("1", "%", "degC"):
                yield node


def _wrong_unit(tree: n.SyntaxTree, model: Model) -> Made:
    for unit in _units(tree):
        body = unit.text.strip()
        new = body.rpartition("/")[0] if "/" in body else f"{body}/h"
        yield "dimension", ((unit.span, f"[{new}]"),), f"[{body}] is [{new}]"


_SCALES = {"L": "mL", "mL": "L", "umol": "nmol", "nmol": "umol", "mg": "g", "g": "mg", "h": "min", "min": "h"}
_SCALES |= {"uM": "nM", "kg": "g", "mol": "mmol"}


def _wrong_scale(tree: n.SyntaxTree, model: Model) -> Made:
    for unit in _units(tree):
        body = unit.text.strip()
        word = next(iter(re.findall(r"[A-Za-z]+", body)), "")
        if word in _SCALES:
            new = re.sub(r"[A-Za-z]+", _SCALES[word], body, count=1)
            yield "value", ((unit.span, f"[{new}]"),), f"[{body}] is [{new}]"


def _formulas(tree: n.SyntaxTree) -> Iterator[tuple[n.Statement, n.SyntaxExpr]]:
    for s in _statements(tree):
        if isinstance(s, n.Process):
            yield s, s.rate
        elif isinstance(s, n.Ode):
            yield s, s.value
        elif isinstance(s, n.FlowLine):
            yield s, s.at
        elif isinstance(s, n.Value):
            yield s, s.value
        elif isinstance(s, n.NodeBlock):
            yield from ((s, a.value) for a in s.attributes)


def _wrong_sign(tree: n.SyntaxTree, model: Model) -> Made:
    for statement, formula in _formulas(tree):
        for node in _inside(formula):
            if isinstance(node, n.Operation) and node.op in ("add", "minus"):
                left, right = node.args[0].span, node.args[1].span
                between = formula.span.file.text[left.end : right.start]
                if between.count("+") + between.count("-") != 1:
                    continue  # brackets of a neighbour stand between
                at = left.end + max(between.find("+"), between.find("-"))
                sign = "-" if node.op == "add" else "+"
                yield "value", ((Span(left.file, at, at + 1), sign),), f"a sign is {sign}"
        if isinstance(statement, n.Process):
            start = formula.span
            brackets = f"-({start.text})"
            yield "value", ((start, brackets),), f"the rate of '{statement.name}' is negative"


def _lost_end(tree: n.SyntaxTree, model: Model) -> Made:
    for s in _statements(tree):
        if isinstance(s, n.Process) and s.split is None:
            outside = [t for t in (*s.left, *s.right) if t.ref.span.text == "outside"]
            # General states have no mass that could be lost.
            if outside or not model.species:
                continue
            ends = s.right[0].span.to(s.right[-1].span)
            yield "mass", ((ends, "outside"),), f"what '{s.name}' moves arrives nowhere"
            ends = s.left[0].span.to(s.left[-1].span)
            if not _reads(s.rate, s.left):
                yield "mass", ((ends, "outside"),), f"what '{s.name}' moves comes from nowhere"


def _reads(rate: n.SyntaxExpr, terms: Sequence[n.Term]) -> bool:
    names = {t.ref.parts[0].name for t in terms}
    return any(isinstance(x, n.Ref) and x.parts[0].name in names for x in _inside(rate))


def _swapped_ends(tree: n.SyntaxTree, model: Model) -> Made:
    for s in _statements(tree):
        if isinstance(s, n.Process) and s.arrow == "->" and s.split is None:
            left = s.left[0].span.to(s.left[-1].span)
            right = s.right[0].span.to(s.right[-1].span)
            if "outside" not in (left.text, right.text):
                yield "value", ((left, right.text), (right, left.text)), f"'{s.name}' runs backwards"


def _swapped_names(tree: n.SyntaxTree, model: Model) -> Made:
    """A parameter in a rate is another one of the same dimension; a place is another place."""
    by_dimension: dict[Dimension, list[str]] = {}
    for name, d in model.definitions.items():
        if (
            d.kind in ("param", "masked", "covariate")
            and not d.derived
            and "." not in name
            and "<" not in name
        ):
            by_dimension.setdefault(d.unit.dimension, []).append(name)
    places = [k.name for k in model.nodes.values() if k.kind in ("blood", "tissue") and "." not in k.name]
    for _, formula in _formulas(tree):
        for node in _inside(formula):
            if not isinstance(node, n.Ref):
                continue
            name, first = node.span.text, node.parts[0]
            if name in model.definitions and len(node.parts) == 1:
                group = by_dimension.get(model.definitions[name].unit.dimension, [])
                if name in group and len(group) > 1:
                    other = _next(group, name)
                    yield "value", ((node.span, other),), f"'{name}' is '{other}'"
            elif first.name in places and len(node.parts) > 1 and first.index is None:
                other = _next(places, first.name)
                if other and other != first.name:
                    new = other + name[len(first.name) :]
                    yield "value", ((node.span, new),), f"'{name}' is '{new}'"


def _next(names: Sequence[str], name: str) -> str:
    """The name that follows another in a list, around its end."""
    ordered = sorted({*names, name})
    return ordered[(ordered.index(name) + 1) % len(ordered)]


def _open_flow(tree: n.SyntaxTree, model: Model) -> Made:
    closed = any("remainder(" in a.value.span.text and a.ref.span.text in ("flow", "outflow")
                 for s in tree.statements if isinstance(s, n.NodeBlock) for a in s.attributes)  # fmt: skip
    for s in tree.statements:
        if isinstance(s, n.NodeBlock):
            for a in s.attributes:
                number = next((x for x in _inside(a.value) if isinstance(x, n.Quantity)), None)
                if a.ref.span.text in ("flow", "outflow") and number is not None:
                    unit = number.unit.span.text if number.unit else ""
                    new = f"{float(number.value * Fraction(3, 2)):.15g} {unit}"
                    where = s.members[0].name
                    # Half as much again for one organ: the rest of the body gives it where it can.
                    given = closed or _undetermined(model, where)
                    what = f"the flow of '{where}' is {new.strip()}"
                    yield "value" if given else "flow", ((number.span, new.strip()),), what


def _undetermined(model: Model, node: str) -> bool:
    """Whether another organ takes what is left: its flow is given nowhere, so the balance finds it."""
    written = {name for name in model.definitions if name.endswith((".flow", ".outflow"))}
    return any(
        edge.target != node and not edge.trunk
        and edge.target in model.nodes and model.nodes[edge.target].kind == "tissue"
        and not {f"{edge.target}.flow", f"{edge.target}.outflow"} & written
        for edge in model.edges
    )  # fmt: skip


def _wrong_power(tree: n.SyntaxTree, model: Model) -> Made:
    for _, formula in _formulas(tree):
        for node in _inside(formula):
            if isinstance(node, n.Operation) and node.op == "pow" and isinstance(node.args[1], n.Quantity):
                base, exponent = node.args[0], node.args[1]
                new = "2" if exponent.span.text == "1" else "1"
                dimension = _dimension(base, model)
                breaks: Breaks = "value" if dimension is None or dimension.is_one else "dimension"
                yield breaks, ((exponent.span, new),), f"{node.span.text} is {base.span.text}^{new}"
    for unit in _units(tree):
        match = re.search(r"\^(-?[0-9.]+)", unit.text)
        if match:
            new = unit.text[: match.start()] + "^0.5" + unit.text[match.end() :]
            if new != unit.text:
                yield "dimension", ((unit.span, f"[{new.strip()}]"),), f"[{unit.text}] is [{new}]"


def _dimension(expr: n.SyntaxExpr, model: Model) -> Dimension | None:
    """Of a name or a number; None where it takes more to say."""
    if isinstance(expr, n.Ref) and expr.span.text in model.definitions:
        return model.definitions[expr.span.text].unit.dimension
    if isinstance(expr, n.Quantity):
        try:
            return parse_unit(expr.unit.text if expr.unit else "1").dimension
        except UnitError:
            return None
    return None


def _per_kg(tree: n.SyntaxTree, model: Model) -> Made:
    """A factor for the size of the body is forgotten."""
    for _, formula in _formulas(tree):
        for node in _inside(formula):
            if not isinstance(node, n.Operation) or node.op != "mul":
                continue
            left, right = node.args
            factor = right.args[0] if isinstance(right, n.Operation) and right.op == "pow" else right
            size = model.definitions.get(factor.span.text)
            if isinstance(factor, n.Ref) and factor.span.text in ("BW", "size") and size is not None:
                breaks: Breaks = "value" if size.unit.dimension.is_one else "dimension"
                span = Span(left.span.file, left.span.end, right.span.end)
                yield breaks, ((span, ""),), f"{node.span.text} lacks {right.span.text}"


_MISPLACED = {"Cu": "C", "Cp": "C", "C": "Cp", "Cout": "C"}


def _misplaced(tree: n.SyntaxTree, model: Model) -> Made:
    for statement in _statements(tree):
        for node in _inside(statement):
            if isinstance(node, n.Ref) and len(node.parts) > 1 and node.parts[-1].name in _MISPLACED:
                place = model.nodes.get(node.parts[0].name)
                old = node.parts[-1].name
                if place is None or (old == "C" and place.kind not in ("blood", "tissue")):
                    continue
                new = node.span.text[: -len(old)] + _MISPLACED[old]
                yield "value", ((node.span, new),), f"{node.span.text} is {new}"


def _twice(tree: n.SyntaxTree, model: Model) -> Made:
    for s in _statements(tree):
        if isinstance(s, (n.Process, n.FlowLine)):
            text = s.span.text
            copy = re.sub(rf"\b{re.escape(s.name)}\b", f"{s.name}_again", text, count=1)
            yield "value", ((s.span, f"{text}\n{copy}"),), f"'{s.name}' stands there twice"


def _swapped_volumes(tree: n.SyntaxTree, model: Model) -> Made:
    blocks = [
        (s.members[0].name, a.value)
        for s in tree.statements
        if isinstance(s, n.NodeBlock) and s.kind in ("blood", "tissue", "pool")
        for a in s.attributes
        if a.ref.span.text == "volume" and "remainder" not in a.value.span.text
    ]
    for (one, first), (other, second) in pairwise(blocks):
        if first.span.text != second.span.text:
            spans = (first.span, second.span.text), (second.span, first.span.text)
            yield "value", spans, f"the volumes of '{one}' and '{other}' are swapped"


#: Kinds of faults and how each is made.
KINDS: dict[str, Maker] = {
    "unit": _wrong_unit,
    "scale of a unit": _wrong_scale,
    "sign": _wrong_sign,
    "missing end of an arrow": _lost_end,
    "swapped ends": _swapped_ends,
    "swapped names": _swapped_names,
    "swapped volumes": _swapped_volumes,
    "flow that does not close": _open_flow,
    "wrong power": _wrong_power,
    "per-kg slip": _per_kg,
    "misplaced concentration": _misplaced,
    "duplicated process": _twice,
}
