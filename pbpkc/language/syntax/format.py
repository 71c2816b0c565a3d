"""The canonical text of a syntax tree: what every spec of one meaning looks like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from pbpkc.language.syntax import nodes as n

#: A statement longer than this is broken at its clauses or its braces.
WIDTH = 100

_INDENT = "  "

#: Rank of each operator: an operand of lower rank than its place demands stands in parentheses.
_RANK = {"add": 1, "sub": 1, "mul": 2, "div": 2, "neg": 3, "pow": 4}
_ATOM = 5
_SIGN = {"add": " + ", "sub": " - ", "mul": " * ", "div": " / "}
_RELATION = {"lt": " < ", "le": " <= ", "gt": " > ", "ge": " >= ", "and": " and ", "or": " or "}

#: Statements of one group stand together, groups are parted by a blank line.
_GROUP = {
    n.ModelHead: "head",
    n.Use: "use",
    n.Set: "set",
    n.Function: "function",
    n.Masked: "masked",
    n.UnknownTerm: "unknown",
    n.SpeciesBlock: "species",
    n.NodeBlock: "node",
    n.StateLine: "state",
    n.Ode: "arrow",
    n.Start: "start",
    n.StartSteady: "start",
    n.Circulation: "circulation",
    n.FlowLine: "arrow",
    n.Process: "arrow",
    n.Site: "observe",
    n.Observe: "observe",
    n.Population: "population",
    n.ScenarioBlock: "scenario",
    n.CheckRule: "check",
    n.CheckValue: "check",
}


def format_tree(tree: n.SyntaxTree) -> str:
    """The canonical text of a spec; parsing it gives an equal tree.

    Comments are no part of a tree, so they are not in the text.

    Parameters
    ----------
    tree : SyntaxTree

    Returns
    -------
    str
        Ends with a newline.
    """
    lines = [f"pbpk {tree.version}"]
    group = "head"
    for statement in tree.statements:
        own = statement.keyword if isinstance(statement, n.Value) else _GROUP[type(statement)]
        if own != group:
            lines.append("")
        group = own
        lines.append(format_statement(statement))
    return "\n".join(lines) + "\n"


def format_statement(statement: n.Statement) -> str:
    """The canonical text of one statement, possibly of several lines, without a newline at the end."""
    match statement:
        case n.ModelHead():
            return _braced(_joined("model", statement.name, _doc(statement.doc)), _head_items(statement))
        case n.Use():
            without = ", ".join(r.text for r in statement.without)
            return _joined(
                "use",
                _quoted(statement.path),
                f"as {statement.alias}" if statement.alias else "",
                f"without {without}" if without else "",
            )
        case n.Set():
            return _setting(statement)
        case n.Value():
            return _value(statement)
        case n.Function():
            arguments = ", ".join(statement.arguments)
            return f"function {statement.name}({arguments}) = {format_expression(statement.body)}"
        case n.Masked():
            head = _joined("masked", _member(statement.member), _doc(statement.doc), _over(statement.over))
            line = _joined(
                f"{head} ~ {_call(statement.prior)}",
                _bounds(statement.bounds),
                f"scale {statement.scale.name}" if statement.scale else "",
            )
            return _continued(line, [_source(statement.source)])
        case n.UnknownTerm():
            return _unknown(statement)
        case n.SpeciesBlock():
            carried = ", ".join(r.text for r in statement.carried)
            head = _joined(
                "species", statement.name, _doc(statement.doc), f"carried by {carried}" if carried else ""
            )
            return _braced(head, [_attribute(a) for a in statement.attributes])
        case n.NodeBlock():
            members = ", ".join(_member(m) for m in statement.members)
            return _braced(
                _joined(statement.kind, members, _doc(statement.doc)),
                [_attribute(a) for a in statement.attributes],
            )
        case n.StateLine():
            return _joined(
                "state",
                _member(statement.member),
                _doc(statement.doc),
                f"= {format_expression(statement.value)}",
            )
        case n.Ode():
            return _joined(
                "ode", statement.target.text, _over(statement.over), f"= {format_expression(statement.value)}"
            )
        case n.Start():
            return f"start {statement.target.text} = {format_expression(statement.value)}"
        case n.StartSteady():
            return "start steady"
        case n.Circulation():
            head = _joined("circulation", statement.name, _doc(statement.doc))
            return _block(head, [_chain(chain) for chain in statement.chains])
        case n.FlowLine():
            head = _joined("flow", statement.name, _doc(statement.doc), _over(statement.over))
            ends = f"{statement.left.text} {statement.arrow} {statement.right.text}"
            return f"{head} : {ends} at {format_expression(statement.at)}"
        case n.Process():
            return _process(statement)
        case n.Site():
            return _joined(
                "site",
                statement.name,
                _doc(statement.doc),
                "drains",
                ", ".join(r.text for r in statement.drains),
            )
        case n.Observe():
            return _observe(statement)
        case n.Population():
            return _block(
                _joined("population", statement.name, _doc(statement.doc)),
                [_drawn(i) for i in statement.items],
            )
        case n.ScenarioBlock():
            parent = f"from {statement.parent.name}" if statement.parent else ""
            head = _joined("scenario", statement.name, parent, _doc(statement.doc))
            return _braced(head, [_scenario_item(i) for i in statement.items])
        case n.CheckRule():
            return "check " + ", ".join(p.name for p in statement.rules)
        case n.CheckValue():
            return f"check {format_expression(statement.expr)} {_bounds(statement.bounds)}"


# ------------------------------------------------------------------ expressions


def format_expression(expr: n.SyntaxExpr, demanded: int = 0) -> str:
    """The canonical text of an expression, in parentheses where its rank is below what its place demands."""
    match expr:
        case n.Quantity():
            return expr.text if expr.unit is None else f"{expr.text} [{expr.unit.text}]"
        case n.Ref():
            return expr.text
        case n.Call():
            return _call(expr)
        case n.Reduce():
            return f"{expr.name}({format_expression(expr.expr)} {_over(expr.over)})"
    if expr.op == "if":
        return f"if({', '.join(format_expression(a) for a in expr.args)})"
    if expr.op in _RELATION:
        return _RELATION[expr.op].join(format_expression(a) for a in expr.args)
    rank = _RANK[expr.op]
    match expr.op:
        case "neg":
            text = "-" + format_expression(expr.args[0], rank)
        case "pow":
            # The base is an atom; the exponent may be a sign or a power: 2^-3, 2^3^2.
            text = f"{format_expression(expr.args[0], _ATOM)}^{format_expression(expr.args[1], _RANK['neg'])}"
        case _:
            text = _chain_of_operations(expr, rank)
    return f"({text})" if rank < demanded else text


def _chain_of_operations(expr: n.Operation, rank: int) -> str:
    # a + b - c + ... leans to the left as deep as it is long, so it is not walked by recursion.
    pieces: list[str] = []
    left: n.SyntaxExpr = expr
    while isinstance(left, n.Operation) and _RANK.get(left.op) == rank:
        pieces += [format_expression(left.args[1], rank + 1), _SIGN[left.op]]
        left = left.args[0]
    pieces.append(format_expression(left, rank))
    return "".join(reversed(pieces))


def _call(call: n.Call) -> str:
    arguments = [format_expression(a) for a in call.args]
    arguments += [f"{name} = {format_expression(value)}" for name, value in call.named]
    return f"{call.name}({', '.join(arguments)})"


def format_number(value: Fraction) -> str:
    """A number that can be written with finitely many digits, exactly: ``2``, ``0.9``, ``1e-30``.

    Raises
    ------
    ValueError
        For a number such as 1/3.
    """
    digits, exponent = value.numerator, 0
    rest = value.denominator
    for prime, other in ((2, 5), (5, 2)):
        while rest % prime == 0:
            rest //= prime
            digits *= other
            exponent -= 1
    if rest != 1:
        raise ValueError(f"value must be a decimal number, and {value} is none")
    while digits and digits % 10 == 0:
        digits //= 10
        exponent += 1
    text = str(digits)
    if 0 <= exponent <= 15:
        return text + "0" * exponent
    if -15 <= exponent < 0:
        text = text.rjust(1 - exponent, "0")
        return f"{text[:exponent]}.{text[exponent:]}"
    # One digit before the point keeps the exponent closest to 0 for a number below 1.
    mantissa = text if exponent > 0 or len(text) == 1 else f"{text[0]}.{text[1:]}"
    return f"{mantissa}e{exponent if mantissa == text else exponent + len(text) - 1}"


# ------------------------------------------------------------------ pieces


def _joined(*pieces: str) -> str:
    return " ".join(piece for piece in pieces if piece)


def _quoted(text: str) -> str:
    return f'"{text}"'


def _doc(text: str) -> str:
    return _quoted(text) if text else ""


def _source(text: str) -> str:
    return f"source {_quoted(text)}" if text else ""


def _member(member: n.Member) -> str:
    return member.name if member.index is None else f"{member.name}<{member.index}>"


def _over(over: Sequence[n.Binding]) -> str:
    bindings = (
        f"{b.name} in {format_number(Fraction(b.first))}..{format_number(Fraction(b.last))}" for b in over
    )
    return "for " + ", ".join(bindings) if over else ""


def _pair(pair: n.Pair) -> str:
    text = f"({format_expression(pair.low)}, {format_expression(pair.high)})"
    return text if pair.unit is None else f"{text} [{pair.unit.text}]"


def _bounds(pair: n.Pair | None) -> str:
    return "" if pair is None else f"in {_pair(pair)}"


def _continued(line: str, clauses: Iterable[str]) -> str:
    """A statement with its clauses behind it, or below it when the line gets too long."""
    clauses = [c for c in clauses if c]
    whole = _joined(line, *clauses)
    return whole if len(whole) <= WIDTH else ("\n" + _INDENT).join([line, *clauses])


def _braced(head: str, items: Sequence[str]) -> str:
    """A statement with a block, on one line where it fits."""
    if not items:
        return head
    whole = f"{head} {{ {'; '.join(items)} }}"
    return whole if len(whole) <= WIDTH and "\n" not in whole else _block(head, items)


def _block(head: str, items: Sequence[str]) -> str:
    inner = "\n".join(items).replace("\n", "\n" + _INDENT)
    return f"{head} {{\n{_INDENT}{inner}\n}}"


# ------------------------------------------------------------------ statements of several pieces


def _head_items(head: n.ModelHead) -> list[str]:
    items = [f"organism {head.organism.name}"] if head.organism else []
    items += [f"time [{head.time.text}]"] if head.time else []
    return items + (["units none"] if head.unit_free else [])


def _value(value: n.Value) -> str:
    head = _joined(value.keyword, _member(value.member), _doc(value.doc), _over(value.over))
    line = _joined(
        f"{head} = {format_expression(value.value)}",
        _bounds(value.bounds),
        f"hold {value.hold.name}" if value.hold else "",
    )
    return _continued(line, [_source(value.source)])


def _unknown(term: n.UnknownTerm) -> str:
    arguments = ", ".join(f"{a.name} [{a.unit.text}] {_bounds(a.bounds)}" for a in term.arguments)
    head = f"{_joined('unknown', term.name, _doc(term.doc))} ({arguments}) -> [{term.unit.text}]"
    items = [f"range {_pair(p)}" for p in term.ranges]
    items += [f"{s.direction} in {s.argument}" for s in term.shapes]
    for anchor in term.anchors:
        at = ", ".join(format_expression(a) for a in anchor.arguments)
        items.append(f"at ({at}) = {format_expression(anchor.value)}")
    items += [f"default {format_expression(d)}" for d in term.defaults]
    return _braced(head, items)


def _attribute(attribute: n.Attribute) -> str:
    return _joined(f"{attribute.ref.text} = {format_expression(attribute.value)}", _source(attribute.source))


def _chain(chain: n.Chain) -> str:
    groups = (g[0].text if len(g) == 1 else "{" + ", ".join(r.text for r in g) + "}" for g in chain.groups)
    path = " -> ".join(groups)
    return path if chain.at is None else f"{path} at {format_expression(chain.at)}"


def _side(terms: Sequence[n.Term]) -> str:
    return " + ".join(t.ref.text if t.count == 1 else f"{format_number(t.count)} {t.ref.text}" for t in terms)


def _process(process: n.Process) -> str:
    head = _joined("process", process.name, _doc(process.doc), _over(process.over))
    line = f"{head} : {_side(process.left)} {process.arrow} {_side(process.right)}"
    clauses = [f"rate {format_expression(process.rate)}"]
    if process.split is not None and process.otherwise is not None:
        clauses.append(f"split {format_expression(process.split)} else {process.otherwise.text}")
    return _continued(line, clauses)


def _observe(observe: n.Observe) -> str:
    head = _joined("observe", _member(observe.member), _doc(observe.doc), _over(observe.over))
    line = _joined(
        f"{head} = {format_expression(observe.value)} in [{observe.unit.text}]",
        f"as {observe.molar.name}" if observe.molar else "",
    )
    clauses = [f"error {_call(observe.error)}"] if observe.error else []
    if observe.lloq is not None:
        clauses.append(f"lloq {format_expression(observe.lloq)}")
    return _continued(line, clauses)


def _drawn(item: n.Vary | n.Correlate) -> str:
    if isinstance(item, n.Correlate):
        return f"correlate {item.left.text}, {item.right.text} = {format_expression(item.value)}"
    return _joined(f"{item.target.text} ~ {_call(item.prior)}", _bounds(item.bounds))


# ------------------------------------------------------------------ scenarios


def _moments(when: Sequence[n.When]) -> str:
    return " ".join(w.word if w.value is None else f"{w.word} {format_expression(w.value)}" for w in when)


def _setting(item: n.Set) -> str:
    return _joined(f"set {item.target.text} = {format_expression(item.value)}", _moments(item.when))


def _scenario_item(item: n.ScenarioItem) -> str:
    match item:
        case n.DoseLine():
            amount = format_expression(item.amount)
            if item.species is None and not _begins_with_number(item.amount):
                amount = f"({amount})"
            return _joined("dose", _named(item), amount, "into", item.into.text, _moments(item.when))
        case n.Set():
            return _setting(item)
        case n.Start():
            return f"start {item.target.text} = {format_expression(item.value)}"
        case n.StartSteady():
            return "start steady"
        case n.StartAfter():
            return f"start after {item.scenario.name}"
        case n.Reset():
            return f"reset at {format_expression(item.at)}"
        case n.Run():
            return f"run {format_expression(item.until)}"
        case n.Data():
            head = f"data {_quoted(item.path)}"
            return _block(head, [_data_item(i) for i in item.items]) if item.items else head


def _named(item: n.DoseLine | n.DoseRow) -> str:
    return "" if item.species is None else item.species.name


def _begins_with_number(amount: n.SyntaxExpr) -> bool:
    """Whether an amount can stand behind `dose` by itself; a name there is a species."""
    if isinstance(amount, n.Operation) and amount.op in ("mul", "div"):
        return _begins_with_number(amount.args[0])
    return isinstance(amount, n.Quantity)


def _data_item(item: n.ColumnLine | n.DoseRow | n.ObserveRow | n.Keep) -> str:
    match item:
        case n.ColumnLine():
            line = _joined(
                f"column {_member(item.target)}",
                f"= {item.header}" if item.header else "",
                f"[{item.unit.text}]" if item.unit else "",
            )
            return line if item.factor is None else f"{line} * {format_expression(item.factor, _RANK['mul'])}"
        case n.DoseRow():
            row = f"{item.column.name} {format_number(Fraction(item.number))}"
            return _joined(row, "dose", _named(item), "into", item.into.text, _moments(item.when))
        case n.ObserveRow():
            row = f"{item.column.name} {format_number(Fraction(item.number))}"
            return _joined(row, "observe", _member(item.target), f"[{item.unit.text}]" if item.unit else "")
        case n.Keep():
            return f"keep {item.column} {_bounds(item.bounds)}"
