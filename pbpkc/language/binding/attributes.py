"""Attributes of nodes and species: where they are written, and what they are worth."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from pbpkc.language.binding.bind import Context, Unbound
from pbpkc.language.binding.namespaces import body_of
from pbpkc.language.binding.scope import BY_TISSUE, NODE_ATTRIBUTES, SPECIES_ATTRIBUTES, hematocrit_names
from pbpkc.language.diagnostics import Diagnostic, Label, respelt, similar
from pbpkc.language.expression import Apply, Const, Expr, add, mul, names_in, shown, sub
from pbpkc.language.model import Definition
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import AMOUNT, FLOW, MASS, ONE, VOLUME, Dimension, canonical_unit

if TYPE_CHECKING:
    from pbpkc.language.binding.table import Table


#: Dimension of each attribute of a species (None: read elsewhere).
_SPECIES_DIMENSION: dict[str, Dimension] = {
    "mw": MASS / AMOUNT, "logp": ONE, "fup": ONE, "bp": ONE, "kp": ONE, "kb": ONE, "kpu": ONE,
}  # fmt: skip

_METHODS = ("rodgers_rowland",)


def collect_attributes(table: Table) -> dict[str, n.Attribute]:
    """``liver.volume`` and ``APAP.kp.liver`` to their lines; wrong words are reported."""
    found: dict[str, n.Attribute] = {}
    for name, block in table.scope.nodes.items():
        for attribute in block.attributes:
            word = attribute.ref.text
            if word == "ps":
                table.problems.append(
                    Diagnostic(
                        "misplaced",
                        "`ps` belongs to the species, not to the tissue",
                        (Label(attribute.span),),
                        help="write it in the species: ps.liver = ...",
                    )
                )
            elif not _accept(table, word, node_words(block.kind), f"a {block.kind}", attribute):
                table.misread.add(name)
            elif f"{name}.{word}" in found:
                _twice(table, attribute, found[f"{name}.{word}"])
            else:
                found[f"{name}.{word}"] = attribute
    for name, species in table.scope.species.items():
        for attribute in species.attributes:
            first = attribute.ref.parts[0].name
            if not _accept(table, first, SPECIES_ATTRIBUTES, "a species", attribute):
                table.misread.add(name)
                continue
            if len(attribute.ref.parts) > 1 and not _is_tissue(table, attribute):
                table.misread.add(name)
                continue
            key = f"{name}.{attribute.ref.text}"
            if key in found:
                _twice(table, attribute, found[key])
            else:
                found[key] = attribute
    for key, setting in list(table.settings.items()):
        parts = setting.target.parts
        owner = key.rsplit(".", 1)[0]
        if len(parts) < 2 or (parts[0].name not in table.scope.species and owner not in table.scope.nodes):
            continue
        new = n.Attribute(_part_of(parts[1:], setting.target), setting.value, "", span=setting.span)
        if owner in table.scope.nodes:
            kind = table.scope.nodes[owner].kind
            accepted = _accept(table, parts[-1].name, node_words(kind), f"a {kind}", new)
        else:
            accepted = _accept(table, parts[1].name, SPECIES_ATTRIBUTES, "a species", new) and (
                len(parts) == 2 or _is_tissue(table, new)
            )
        if accepted:
            found[key] = new
        else:
            del table.settings[key]  # reported; nothing else is to be said of it
    return found


def _accept(table: Table, word: str, words: tuple[str, ...], what: str, attribute: n.Attribute) -> bool:
    if word in words:
        return True
    near = similar(word, words)
    table.problems.append(
        Diagnostic(
            "unknown-attribute",
            f"{what} has no attribute '{word}'",
            (Label(attribute.ref.span),),
            help=f"an attribute with a similar name exists: '{near}'"
            if near
            else f"{what} has " + (", ".join(words) or "none"),
            fixes=respelt(attribute.ref.span, word, words),
        )
    )
    return False


def _twice(table: Table, attribute: n.Attribute, first: n.Attribute) -> None:
    table.problems.append(
        Diagnostic(
            "duplicate-name",
            f"'{attribute.ref.text}' is given twice",
            (Label(attribute.span, "again here"), Label(first.span, "first here")),
            help="leave one of them out",
        )
    )


def _is_tissue(table: Table, attribute: n.Attribute) -> bool:
    word = attribute.ref.parts[0].name
    target = _part_of(attribute.ref.parts[1:], attribute.ref)
    if word not in BY_TISSUE or len(attribute.ref.parts) != 2:
        table.problems.append(
            Diagnostic(
                "unknown-attribute",
                f"'{attribute.ref.text}' is no attribute of a species",
                (Label(attribute.ref.span),),
                help="only kp, kb, kpu and ps are given by tissue: kp.liver = 3",
            )
        )
        return False
    tissues = [t for t, block in table.scope.nodes.items() if block.kind == "tissue"]
    if target.text in tissues:
        return True
    near = similar(target.text, tissues)
    table.problems.append(
        Diagnostic(
            "unknown-name",
            f"there is no tissue '{target.text}'",
            (Label(target.span),),
            help=f"a tissue with a similar name exists: '{near}'" if near else None,
            fixes=respelt(target.span, target.text, tissues),
        )
    )
    return False


def attribute_definition(
    table: Table, key: str, owner: str, word: str, line: n.Attribute | None
) -> Definition:
    """The definition of an attribute from its line, with its unit checked."""
    assert line is not None
    kind, value = "attribute", line.value
    if owner in table.scope.nodes:
        dimension = VOLUME if word in ("volume", "vascular") else _flow_dimension(table)
        if isinstance(value, n.Call) and value.name == "remainder":
            expr = _remainder_volume(table, owner, value)
        elif word == "vascular":
            expr = table.binder.bind(value, _constant_context(table, "an attribute"))
            if expr.dim == ONE:
                expr = mul(expr, table.name(table.attribute(owner, "volume", line.span)))
            elif expr.dim != VOLUME and not table.unit_free:
                what = f"the vascular volume of '{owner}' is a volume, or a fraction of its volume"
                raise table.binder.mismatch(what, expr, VOLUME, value.span)
        else:
            if word in ("flow", "outflow") and _of_a_wrong_total(table, value):
                raise Unbound()  # the unit of the total flow is reported, and is the only mistake
            expr = table.binder.bind_as(
                value,
                dimension,
                _constant_context(table, "an attribute"),
                f"the {word} of '{owner}' has the wrong unit",
            )
    else:
        first = word.split(".")[0]
        if first == "ps" and is_absent(line):
            return _absent(table, owner, word, line)
        dimension = _flow_dimension(table) if first == "ps" else _SPECIES_DIMENSION[first]
        if isinstance(value, n.Call) and value.name == "auto":
            expr = predicted(table, owner, word, word.partition(".")[2], value)
        else:
            what = f"{word} of '{owner}' has the wrong unit"
            expr = table.binder.bind_as(value, dimension, _constant_context(table, "an attribute"), what)
    return Definition(key, kind, expr, shown(expr), "", line.source, span=line.span)


def _of_a_wrong_total(table: Table, value: n.SyntaxExpr) -> bool:
    """Whether a flow has another unit because the total flow that it is a share of has."""
    wanted = _flow_dimension(table)
    if table.unit_free:
        return False
    expr = table.binder.bind(value, _constant_context(table, "an attribute"))
    totals = names_in(expr) & table.scope.circulations.keys() & table.definitions.keys()
    return expr.dim != wanted and any(table.definitions[name].expr.dim != wanted for name in totals)


def is_absent(line: n.Attribute) -> bool:
    """Whether a `ps` is written as the number 0: the model then has no such exchange."""
    return isinstance(line.value, n.Quantity) and line.value.value == 0


def _absent(table: Table, owner: str, word: str, line: n.Attribute) -> Definition:
    # A bare 0 has no unit to be wrong about.
    assert isinstance(line.value, n.Quantity)
    dimension = _flow_dimension(table)
    unit = canonical_unit(dimension)
    if line.value.unit is not None:
        what = f"{word} of '{owner}' has the wrong unit"
        expr = table.binder.bind_as(line.value, dimension, _constant_context(table, "an attribute"), what)
        unit = shown(expr)
    zero = Const(dimension, Fraction(0), unit, span=line.value.span)
    return Definition(f"{owner}.{word}", "absent", zero, unit, "", line.source, span=line.span)


def _flow_dimension(table: Table) -> Dimension:
    return VOLUME if table.time == ONE else FLOW


def _constant_context(table: Table, where: str) -> Context:
    return Context(unknowns=False, where=where)


def predicted(table: Table, species: str, word: str, node: str, call: n.Call) -> Expr:
    """``auto(METHOD)`` for a tissue as an expression of what the prediction reads."""
    method = call.args[0].text if len(call.args) == 1 and isinstance(call.args[0], n.Ref) else ""
    if method not in _METHODS:
        near = similar(method, _METHODS)
        raise table.binder.fail(
            "unknown-method",
            f"there is no method '{method}' to predict a partition coefficient",
            call.span,
            help=f"write auto({near or _METHODS[0]})",
            fixes=respelt(call.span, method, _METHODS),
        )
    if word.split(".")[0] != "kp":
        raise table.binder.fail(
            "misplaced",
            "auto(...) predicts kp, tissue to plasma",
            call.span,
            help=f"write kp = auto({method})",
        )
    if table.organism_of(node) is None:
        raise table.binder.fail(
            "no-organism",
            "auto(...) needs to know the organism",
            call.span,
            help='write it in the head: model m "..." { organism human }',
        )
    return Apply(ONE, f"auto:{method}", _prediction_reads(table, species, node), span=call.span)


def _prediction_reads(table: Table, species: str, node: str) -> tuple[Expr, ...]:
    """What a predicted coefficient depends on; what is missing is reported where it is predicted."""
    reads: list[Expr] = [
        table.name(table.attribute(species, word, None))
        for word in ("logp", "fup")
        if f"{species}.{word}" in table.attributes
    ]
    line = table.attributes.get(f"{species}.pka")
    if line is None or not isinstance(line.value, n.Call):
        return tuple(reads)
    # Only a base may bind in red cells, and only then blood:plasma ratio and hematocrit matter.
    if line.value.name in ("base", "ampholyte"):
        if f"{species}.bp" in table.attributes:
            reads.append(table.name(table.attribute(species, "bp", None)))
        for name in hematocrit_names(node):
            if name in table.scope.values:
                table.read_names.add(name)
                reads.append(table.name(table.value(name)))
    return (*reads, *(table.binder.bind(a, _constant_context(table, "pka")) for a in line.value.args))


def _remainder_volume(table: Table, owner: str, call: n.Call) -> Expr:
    if len(call.args) != 1 or call.named:
        raise table.binder.fail(
            "arguments", "remainder takes the total", call.span, help="write remainder(BW / 1 [kg/L])"
        )
    total = table.binder.bind_as(
        call.args[0], VOLUME, _constant_context(table, "a volume"), "the total of a remainder is a volume"
    )
    others = []
    for node, block in table.scope.nodes.items():
        line = table.attributes.get(f"{node}.volume")
        # Of one body: what stands in another namespace belongs to another.
        if node == owner or block.kind not in ("blood", "tissue") or line is None:
            continue
        if body_of(node) != body_of(owner):
            continue
        if isinstance(line.value, n.Call) and line.value.name == "remainder":
            # Said once, where the second one stands, whichever is looked at.
            order = list(table.scope.nodes)
            first, second = (
                (line.value, call) if order.index(node) < order.index(owner) else (call, line.value)
            )
            raise table.binder.fail(
                "remainder",
                "only one volume can be the remainder",
                second.span,
                others=(Label(first.span, "another one"),),
                help="give one of them a number",
            )
        others.append(table.name(table.attribute(node, "volume", call.span)))
    return sub(total, add(*others)) if others else total


def node_words(kind: str) -> tuple[str, ...]:
    """The attributes that a node of a kind can have."""
    return {
        "tissue": NODE_ATTRIBUTES,
        "blood": ("volume",),
        "pool": ("volume",),
        "lumen": ("volume",),
        "sink": (),
    }[kind]


def _part_of(parts: tuple[n.Part, ...], whole: n.Ref) -> n.Ref:
    """A reference made of some parts of another."""
    return n.Ref(parts, span=parts[0].span.to(parts[-1].span) if parts else whole.span)
