"""The table of named quantities, filled as they are read.

A definition is bound when something first reads it, so declarations have no order and a cycle shows as
the path that closes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from pbpkc.language import nodes as n
from pbpkc.language.bind import Context, ExpressionBinder, Unbound
from pbpkc.language.circulation import Circulations
from pbpkc.language.diagnostics import Diagnostic, Label, Problems, similar
from pbpkc.language.expression import Apply, Const, Expr, Name, add, div, mul, names_in, sub, walk
from pbpkc.language.gather import Gathered, not_yet
from pbpkc.language.model import Definition
from pbpkc.language.priors import read_bounds, read_mask, read_prior
from pbpkc.language.scope import (
    HEMATOCRIT,
    NODE_ATTRIBUTES,
    QUANTITIES,
    SPECIES_ATTRIBUTES,
    Scope,
    index_values,
    member_name,
    name_span,
)
from pbpkc.language.source import Span
from pbpkc.language.units import (
    AMOUNT,
    FLOW,
    MASS,
    ONE,
    TIME,
    VOLUME,
    Dimension,
    Unit,
    canonical_unit,
    parse_unit,
)

#: Dimension of each attribute of a species (None: read elsewhere).
_SPECIES_DIMENSION: dict[str, Dimension] = {
    "mw": MASS / AMOUNT, "logp": ONE, "fup": ONE, "bp": ONE, "kp": ONE, "kb": ONE, "kpu": ONE,
}  # fmt: skip

#: Partition coefficients, the only attributes that are given by tissue.
_PARTITION = ("kp", "kb", "kpu")

_METHODS = ("rodgers_rowland",)

#: How an attribute is written, for messages.
_EXAMPLES = {
    "mw": "mw = 300 [g/mol]", "logp": "logp = 2.1", "fup": "fup = 0.2", "bp": "bp = 0.9", "kp": "kp = 1.2",
    "kb": "kb = 1.2", "kpu": "kpu = 1.2", "volume": "volume = 1.8 [L]", "flow": "flow = 20 [L/h]",
    "outflow": "outflow = 90 [L/h]", "vascular": "vascular = 5 [%]",
}  # fmt: skip

#: Definitions that may be made inside one another before the innermost is made by itself.
MOST_OPEN = 20


class Table:
    """Definitions by name, made on demand.

    Parameters
    ----------
    gathered : Gathered
    scope : Scope

    Attributes
    ----------
    definitions : dict of str to Definition
        In the order in which they were first read.
    problems : Problems
    binder : ExpressionBinder
    read_states : dict of str to Span
        States that something reads, with the place.
    """

    def __init__(self, gathered: Gathered, scope: Scope) -> None:
        head = gathered.head
        self.gathered, self.scope = gathered, scope
        self.problems = Problems(scope.problems)
        self.definitions: dict[str, Definition] = {}
        self.failed: set[str] = set()
        self.stack: list[str] = []
        self.waiting: list[str] = []  # names whose making waits for another's
        self.deferring = False
        self.misread: set[str] = set()  # nodes and species with an attribute that was not understood
        self.read_states: dict[str, Span] = {}
        self.touched: set[str] = set()  # states at the ends of arrows, also of those that could not be made
        self.lost_end = False  # an arrow or a dose whose state is not known
        self.read_names: set[str] = set()
        self.unit_free = head is not None and head.unit_free
        self.time_unit = parse_unit("h")
        self.time: Dimension = TIME
        self.binder = ExpressionBinder(
            scope, self.reference, self._no_figure, self.time, self.unit_free, self.problems
        )
        if head is not None and head.time is not None:
            self._read_time(head.time)
        self.settings = {self._path(s.target): s for s in scope.sets}
        self.attributes = self._collect_attributes()
        self.state_values: dict[str, Expr] = {}
        self.state_units = self._read_state_units()
        self.circulations = Circulations(self)

    # ---------------------------------------------------------------- small pieces

    def _read_time(self, text: n.UnitText) -> None:
        try:
            unit = self.binder.unit(text)
        except Unbound:
            return
        if unit.dimension not in (TIME, ONE) or (unit.dimension == ONE and unit.factor != 1):
            self.problems.append(
                Diagnostic(
                    "bad-unit",
                    f"[{text.text}] is no unit of time",
                    (Label(text.span),),
                    help="write time [min], or time [1] for a model without units",
                )
            )
            return
        self.time_unit = unit
        self.time = self.binder.time = unit.dimension

    def _read_state_units(self) -> dict[str, Unit]:
        units: dict[str, Unit] = {}
        for name, line in self.scope.states.items():
            try:
                expr = self.binder.bind(line.value, Context(unknowns=False, where="the start of a state"))
            except Unbound:
                units[name] = parse_unit("1")
                self.failed.add(name)
                continue
            self.state_values[name] = expr
            written = next(
                (e.unit for e in walk(expr) if isinstance(e, Const) and e.unit.dimension == expr.dim), None
            )
            # A state counts from zero: one written in degC is kept in K.
            units[name] = written if written and not written.offset else canonical_unit(expr.dim)
        return units

    def _path(self, ref: n.Ref) -> str:
        return ref.text

    def _no_figure(self, node: n.Call, context: Context) -> Expr:
        raise self.binder.fail("figure", f"{node.name}(...) is known in `check` alone", node.span)

    def _collect_attributes(self) -> dict[str, n.Attribute]:
        """``liver.volume`` and ``APAP.kp.liver`` to their lines; wrong words are reported."""
        found: dict[str, n.Attribute] = {}
        for name, block in self.scope.nodes.items():
            for attribute in block.attributes:
                word = attribute.ref.text
                if word == "ps":
                    self.problems.append(
                        Diagnostic(
                            "misplaced",
                            "`ps` belongs to the species, not to the tissue",
                            (Label(attribute.span),),
                            help="write it in the species: ps.liver = ...",
                        )
                    )
                elif not self._accept(word, _node_words(block.kind), f"a {block.kind}", attribute):
                    self.misread.add(name)
                elif f"{name}.{word}" in found:
                    self._twice(attribute, found[f"{name}.{word}"])
                else:
                    found[f"{name}.{word}"] = attribute
        for name, species in self.scope.species.items():
            for attribute in species.attributes:
                first = attribute.ref.parts[0].name
                if not self._accept(first, SPECIES_ATTRIBUTES, "a species", attribute):
                    self.misread.add(name)
                    continue
                if first == "ps":
                    self.problems.append(not_yet("permeability-limited tissue (`ps`)", attribute))
                    continue
                if len(attribute.ref.parts) > 1 and not self._is_tissue(attribute):
                    continue
                key = f"{name}.{attribute.ref.text}"
                if key in found:
                    self._twice(attribute, found[key])
                else:
                    found[key] = attribute
        for key, setting in list(self.settings.items()):
            parts = setting.target.parts
            owner = key.rsplit(".", 1)[0]
            if len(parts) < 2 or (parts[0].name not in self.scope.species and owner not in self.scope.nodes):
                continue
            new = n.Attribute(_part_of(parts[1:], setting.target), setting.value, "", span=setting.span)
            if owner in self.scope.nodes:
                kind = self.scope.nodes[owner].kind
                accepted = self._accept(parts[-1].name, _node_words(kind), f"a {kind}", new)
            else:
                accepted = self._accept(parts[1].name, SPECIES_ATTRIBUTES, "a species", new) and (
                    len(parts) == 2 or self._is_tissue(new)
                )
            if accepted and parts[1].name == "ps":
                self.problems.append(not_yet("permeability-limited tissue (`ps`)", new))
            elif accepted:
                found[key] = new
            else:
                del self.settings[key]  # reported; nothing else is to be said of it
        return found

    def _accept(self, word: str, words: tuple[str, ...], what: str, attribute: n.Attribute) -> bool:
        if word in words:
            return True
        near = similar(word, words)
        self.problems.append(
            Diagnostic(
                "unknown-attribute",
                f"{what} has no attribute '{word}'",
                (Label(attribute.ref.span),),
                help=f"an attribute with a similar name exists: '{near}'"
                if near
                else f"{what} has " + (", ".join(words) or "none"),
            )
        )
        return False

    def _twice(self, attribute: n.Attribute, first: n.Attribute) -> None:
        self.problems.append(
            Diagnostic(
                "duplicate-name",
                f"'{attribute.ref.text}' is given twice",
                (Label(attribute.span, "again here"), Label(first.span, "first here")),
                help="leave one of them out",
            )
        )

    def _is_tissue(self, attribute: n.Attribute) -> bool:
        word = attribute.ref.parts[0].name
        target = _part_of(attribute.ref.parts[1:], attribute.ref)
        if word not in _PARTITION or len(attribute.ref.parts) != 2:
            self.problems.append(
                Diagnostic(
                    "unknown-attribute",
                    f"'{attribute.ref.text}' is no attribute of a species",
                    (Label(attribute.ref.span),),
                    help="only kp, kb and kpu are given by tissue: kp.liver = 3",
                )
            )
            return False
        tissues = [t for t, block in self.scope.nodes.items() if block.kind == "tissue"]
        if target.text in tissues:
            return True
        near = similar(target.text, tissues)
        self.problems.append(
            Diagnostic(
                "unknown-name",
                f"there is no tissue '{target.text}'",
                (Label(target.span),),
                help=f"a tissue with a similar name exists: '{near}'" if near else None,
            )
        )
        return False

    # ---------------------------------------------------------------- definitions on demand

    def define(self, name: str, make: Callable[[], Definition], span: Span | None) -> Definition:
        """The definition of a name, made now if it is the first time.

        Raises
        ------
        Unbound
            After reporting a cycle, or when making it failed before.
        """
        if name in self.definitions:
            return self.definitions[name]
        if name in self.failed:
            raise Unbound()
        names = [*self.waiting, *self.stack]
        if name in names:
            path = " -> ".join([*names[names.index(name) :], name])
            self.failed.add(name)
            raise self.binder.fail(
                "cycle",
                f"'{name}' is defined by itself: {path}",
                span,
                help="break the circle: one of these must not read the next",
            )
        if self.deferring and len(self.stack) >= MOST_OPEN:
            raise _Deferred(name, make, span, tuple(self.stack))
        self.stack.append(name)
        try:
            definition = make()
        except Unbound:
            self.failed.add(name)
            raise
        finally:
            self.stack.pop()
        self.definitions[name] = definition
        return definition

    def name(self, definition: Definition, span: Span | None = None) -> Name:
        """A reference to a definition."""
        return Name(definition.expr.dim, definition.name, span=span)

    def value(self, name: str, span: Span | None = None) -> Definition:
        """A declared covariate, input, param, let or masked parameter."""
        node, indices = self.scope.values[name]
        if isinstance(node, n.Masked):
            return self.define(name, lambda: self._masked(name, node, indices), span)
        return self.define(name, lambda: self._value(name, node, indices), span)

    def _value(self, name: str, node: n.Value, indices: dict[str, int] | Context) -> Definition:
        assert not isinstance(indices, Context)
        where = {"covariate": "a covariate", "input": "an input"}.get(node.keyword, f"a {node.keyword}")
        allowed = node.keyword in ("param", "let")
        setting = self.settings.get(name)
        syntax = setting.value if setting else node.value
        context = Context(indices, unknowns=allowed, where=where)
        expr = self.binder.bind(syntax, context)
        if setting is not None:
            declared = self.binder.bind(node.value, context)
            if declared.dim != expr.dim and not self.unit_free:
                raise self.binder.mismatch(f"'{name}' keeps its unit", expr, declared, syntax.span)
        bounds = None
        if node.keyword in ("covariate", "input"):
            if names_in(expr):
                raise self.binder.fail(
                    "not-constant",
                    f"the value of {where} is a number; found an expression that reads a name",
                    syntax.span,
                    help="write the number, or declare a `param`",
                )
            if node.bounds is not None:
                bounds = read_bounds(node.bounds, expr.dim, self.binder, Context())
                value = self.binder.constant(syntax, expr.dim, f"the value of {where} is a number")
                if not bounds[0] <= value <= bounds[1]:
                    raise self.binder.fail(
                        "out-of-bounds",
                        f"the value of '{name}' lies outside its bounds",
                        syntax.span,
                        others=(Label(node.bounds.span, "the bounds"),),
                        help="choose a value within the bounds, or widen them",
                    )
        return Definition(
            name, node.keyword, expr, shown(expr), node.doc, node.source, None, bounds, span=node.span
        )

    def _masked(self, name: str, node: n.Masked, indices: dict[str, int]) -> Definition:
        context = Context(indices, unknowns=False, where="a prior")
        prior, dimension, unit, median = read_prior(node.prior, self.binder, context)
        mask = read_mask(prior, dimension, median, node, self.binder, context)
        canonical = canonical_unit(dimension)
        expr = Const(
            dimension,
            Fraction(repr(median)) if math.isfinite(median) else Fraction(0),
            canonical,
            span=node.span,
        )
        setting = self.settings.get(name)
        if setting is not None:  # a `set` holds a masked name at a value
            value = self.binder.bind_as(setting.value, dimension, Context(), f"'{name}' keeps its unit")
            return Definition(name, "param", value, unit, node.doc, node.source, span=node.span)
        if name in self.scope.defaults:
            below = self.binder.bind(
                self.scope.defaults[name][0].value, Context(self.scope.defaults[name][1])
            )
            if below.dim != dimension:
                raise self.binder.mismatch(
                    f"the prior of '{name}' has the unit of the param it covers", expr, below, node.span
                )
        return Definition(name, "masked", expr, unit, node.doc, node.source, mask, span=node.span)

    # ---------------------------------------------------------------- attributes

    def attribute(self, owner: str, word: str, span: Span | None) -> Definition:
        """``liver.volume``, ``APAP.fup``; an absent one is reported with what asks for it."""
        key = f"{owner}.{word}"
        if owner in self.scope.nodes and word in ("flow", "outflow") and key not in self.definitions:
            derived = self.circulations.node_flow(owner, word, span)
            if derived is not None:
                return derived
        line = self.attributes.get(key)
        if line is None and key not in self.definitions:
            if key in self.failed or owner in self.misread:
                raise Unbound()
            self.failed.add(key)
            what = f"species '{owner}'" if owner in self.scope.species else f"'{owner}'"
            raise self.binder.fail(
                "missing-attribute",
                f"{what} has no {word}, which is needed here",
                span,
                help=f"write it in the block of '{owner}': {_EXAMPLES.get(word, word + ' = ...')}",
            )
        return self.define(key, lambda: self._attribute(key, owner, word, line), span)

    def _attribute(self, key: str, owner: str, word: str, line: n.Attribute | None) -> Definition:
        assert line is not None
        kind, value = "attribute", line.value
        if owner in self.scope.nodes:
            dimension = VOLUME if word in ("volume", "vascular") else FLOW
            if self.time == ONE and word != "volume":
                dimension = VOLUME
            if isinstance(value, n.Call) and value.name == "remainder":
                expr = self._remainder_volume(owner, value)
            elif word == "vascular":
                expr = self.binder.bind(value, self._constant_context("an attribute"))
                if expr.dim == ONE:
                    expr = mul(expr, self.name(self.attribute(owner, "volume", line.span)))
            else:
                expr = self.binder.bind_as(
                    value,
                    dimension,
                    self._constant_context("an attribute"),
                    f"the {word} of '{owner}' has the wrong unit",
                )
        else:
            dimension = _SPECIES_DIMENSION[word.split(".")[0]]
            if isinstance(value, n.Call) and value.name == "auto":
                expr = self._auto(owner, word, value)
            else:
                what = f"{word} of '{owner}' has the wrong unit"
                expr = self.binder.bind_as(value, dimension, self._constant_context("an attribute"), what)
        return Definition(key, kind, expr, shown(expr), "", line.source, span=line.span)

    def _constant_context(self, where: str) -> Context:
        return Context(unknowns=False, where=where)

    def _auto(self, species: str, word: str, call: n.Call) -> Expr:
        method = call.args[0].text if len(call.args) == 1 and isinstance(call.args[0], n.Ref) else ""
        if method not in _METHODS:
            near = similar(method, _METHODS)
            raise self.binder.fail(
                "unknown-method",
                f"there is no method '{method}' to predict a partition coefficient",
                call.span,
                help=f"write auto({near or _METHODS[0]})",
            )
        if word.split(".")[0] != "kp":
            raise self.binder.fail(
                "misplaced",
                "auto(...) predicts kp, tissue to plasma",
                call.span,
                help=f"write kp = auto({method})",
            )
        if self.gathered.organism is None:
            raise self.binder.fail(
                "no-organism",
                "auto(...) needs to know the organism",
                call.span,
                help='write it in the head: model m "..." { organism human }',
            )
        return Apply(ONE, f"auto:{method}", self._prediction_reads(species), span=call.span)

    def _prediction_reads(self, species: str) -> tuple[Expr, ...]:
        """What a predicted partition coefficient depends on; what is missing is reported where it is predicted."""
        reads: list[Expr] = [
            self.name(self.attribute(species, word, None))
            for word in ("logp", "fup")
            if f"{species}.{word}" in self.attributes
        ]
        line = self.attributes.get(f"{species}.pka")
        if line is None or not isinstance(line.value, n.Call):
            return tuple(reads)
        # Only a base may bind in red cells, and only then blood:plasma ratio and hematocrit matter.
        if line.value.name in ("base", "ampholyte"):
            if f"{species}.bp" in self.attributes:
                reads.append(self.name(self.attribute(species, "bp", None)))
            for name in HEMATOCRIT:
                if name in self.scope.values:
                    self.read_names.add(name)
                    reads.append(self.name(self.value(name)))
        return (*reads, *(self.binder.bind(a, self._constant_context("pka")) for a in line.value.args))

    def _remainder_volume(self, owner: str, call: n.Call) -> Expr:
        if len(call.args) != 1 or call.named:
            raise self.binder.fail(
                "arguments", "remainder takes the total", call.span, help="write remainder(BW / 1 [kg/L])"
            )
        total = self.binder.bind_as(
            call.args[0], VOLUME, self._constant_context("a volume"), "the total of a remainder is a volume"
        )
        others = []
        for node, block in self.scope.nodes.items():
            line = self.attributes.get(f"{node}.volume")
            if node == owner or block.kind not in ("blood", "tissue") or line is None:
                continue
            if isinstance(line.value, n.Call) and line.value.name == "remainder":
                # Said once, where the second one stands, whichever is looked at.
                order = list(self.scope.nodes)
                first, second = (
                    (line.value, call) if order.index(node) < order.index(owner) else (call, line.value)
                )
                raise self.binder.fail(
                    "remainder",
                    "only one volume can be the remainder",
                    second.span,
                    others=(Label(first.span, "another one"),),
                    help="give one of them a number",
                )
            others.append(self.name(self.attribute(node, "volume", call.span)))
        return sub(total, add(*others)) if others else total

    # ---------------------------------------------------------------- references

    def reference(self, ref: n.Ref, context: Context) -> Expr:
        """The bound form of a dotted reference."""
        first, rest = self._first(ref, context)
        self.read_names.add(first.split("<")[0])
        if not rest:
            return self._single(first, ref, context)
        if first in self.scope.nodes:
            return self._of_node(first, rest, ref, context)
        if first in self.scope.sites:
            return self._of_site(first, rest, ref, context)
        if first in self.scope.species:
            return self._of_species(first, rest, ref, context)
        raise self._unknown(ref, first)

    def _of_species(self, species: str, rest: tuple[n.Part, ...], ref: n.Ref, context: Context) -> Expr:
        """``APAP.fup``, or ``APAP.kp.liver``: the one of kp, kb, kpu that was given for that tissue."""
        word = rest[0].name
        if word not in SPECIES_ATTRIBUTES or len(rest) > 1 + (word in _PARTITION):
            text = ".".join(p.name for p in rest)
            near = similar(text, SPECIES_ATTRIBUTES)
            raise self.binder.fail(
                "unknown-attribute",
                f"a species has no attribute '{text}'",
                ref.span,
                help=f"an attribute with a similar name exists: '{near}'"
                if near and near != text
                else "its attributes are " + ", ".join(SPECIES_ATTRIBUTES),
            )
        if word == "ps":
            self.problems.append(not_yet("permeability-limited tissue (`ps`)", ref))
            raise Unbound()
        if word == "pka":
            raise self.binder.fail(
                "misplaced",
                "pka is a list and cannot be read as a number",
                ref.span,
                help="name the number with `param` and write pka = acid(that_name)",
            )
        if len(rest) == 1:
            line = self.attributes.get(f"{species}.{word}")
            if line is not None and isinstance(line.value, n.Call) and line.value.name == "auto":
                raise self.binder.fail(
                    "no-quantity",
                    f"{word} of '{species}' is predicted for each tissue",
                    ref.span,
                    help=f"say for which: {species}.{word}.liver",
                )
            return self.name(self.attribute(species, word, ref.span), ref.span)
        tissue = self.indexed(rest[1], context)
        tissues = [t for t, block in self.scope.nodes.items() if block.kind == "tissue"]
        if tissue not in tissues:
            near = similar(tissue, tissues)
            raise self.binder.fail(
                "unknown-name",
                f"there is no tissue '{tissue}'",
                rest[1].span,
                help=f"a tissue with a similar name exists: '{near}'" if near else None,
            )
        given = self.partition_word(tissue, species, ref.span)
        if given != word:
            raise self.binder.fail(
                "partition",
                f"'{species}' has {given}, not {word}, for '{tissue}'",
                ref.span,
                help=f"write {species}.{given}.{tissue}",
            )
        return self.name(self.partition(species, tissue, word, ref.span), ref.span)

    def _first(self, ref: n.Ref, context: Context) -> tuple[str, tuple[n.Part, ...]]:
        part = ref.parts[0]
        return self.indexed(part, context), ref.parts[1:]

    def indexed(self, part: n.Part | n.Member, context: Context) -> str:
        """A name with its index worked out, checked against the declared family."""
        if part.index is None:
            return part.name
        try:
            index = index_values(part.index, context.indices)
        except KeyError as error:
            raise self.binder.fail(
                "bad-index",
                f"'{error.args[0]}' is no running index here",
                part.span,
                help="name the index with `for i in 1..6`",
            ) from error
        except ValueError as error:
            raise self.binder.fail(
                "bad-index",
                f"'<{part.index}>' is no index",
                part.span,
                help="an index is a sum of running indices and whole numbers: <i+1>",
            ) from error
        name = member_name(part.name, index)
        if name not in self.scope.where:
            raise self._unknown(part, name)
        return name

    def _unknown(self, node: n.Ref | n.Part | n.Member, name: str) -> Unbound:
        base = name.split("<")[0]
        if base in self.scope.broken or self.scope.full:
            return Unbound()
        if base in self.scope.family_where:
            return self._not_a_member(node, name, base)
        if base in self.scope.where and base != name:
            return self.binder.fail(
                "bad-index",
                f"'{base}' is no family and takes no index",
                node.span,
                others=(Label(self.scope.where[base], "declared here"),),
                help=f"write {base}",
            )
        near = similar(base, self.scope.names())
        others = ()
        if near and near in self.scope.where:
            others = (Label(self.scope.where[near], "declared here"),)
        return self.binder.fail(
            "unknown-name",
            f"'{name}' is not declared",
            node.span,
            others=others,
            help=f"a name with a similar spelling exists: '{near}'"
            if near
            else f"declare it, for example: param {base} = 1 [1/h]",
        )

    def _not_a_member(self, node: n.Ref | n.Part | n.Member, name: str, base: str) -> Unbound:
        label = (Label(self.scope.family_where[base], "the family"),)
        size = self.scope.families.get(base)
        if name == base:
            return self.binder.fail(
                "bad-index",
                f"'{base}' is a family and needs an index",
                node.span,
                others=label,
                help=f"write {base}<1>",
            )
        declared = f"; the family is declared as {base}<{','.join(map(str, size))}>" if size else ""
        return self.binder.fail(
            "bad-index",
            f"there is no '{name}' in the family '{base}'{declared}",
            node.span,
            others=label,
            help="an index lies within the declared range",
        )

    def _single(self, name: str, ref: n.Ref, context: Context) -> Expr:
        scope = self.scope
        if name == "t":
            return Name(self.time, "t", span=ref.span)
        if name in scope.values:
            return self.name(self.value(name, ref.span), ref.span)
        if name in scope.states:
            self.read_states.setdefault(name, ref.span)
            return Name(self.state_units[name].dimension, name, span=ref.span)
        if name in scope.processes:
            return self.name(self.rate(name, ref.span), ref.span)
        if name in scope.nodes or name in scope.sites or name in scope.species:
            kind = "node" if name in scope.nodes else "site" if name in scope.sites else "species"
            raise self.binder.fail(
                "no-quantity",
                f"'{name}' is a {kind}; say which quantity of it is meant",
                ref.span,
                help=f"write {name}.C, {name}.A or {name}.volume"
                if kind == "node"
                else f"write {name}.Cp"
                if kind == "site"
                else f"write {name}.mw",
            )
        if name in scope.unknowns or name in scope.functions:
            arguments = (
                self.scope.functions[name].arguments
                if name in scope.functions
                else [a.name for a in scope.unknowns[name].arguments]
            )
            raise self.binder.fail(
                "no-call",
                f"'{name}' is a function and has no value by itself",
                ref.span,
                help=f"call it: {name}({', '.join(arguments)})",
            )
        if name in scope.observes:
            raise self.binder.fail(
                "misplaced",
                f"the observable '{name}' can be read in `check` alone",
                ref.span,
                help=f"as scenario.{name}; elsewhere name the expression with `let`",
            )
        raise self._unknown(ref, name)

    def rate(self, name: str, span: Span | None) -> Definition:
        """The rate of a process or a flow."""
        from pbpkc.language.arrows import rate_definition

        return self.define(name, lambda: rate_definition(self, name), span)

    # ---------------------------------------------------------------- quantities of nodes

    def species_of(self, rest: tuple[n.Part, ...], ref: n.Ref) -> tuple[str, tuple[n.Part, ...]]:
        """The species a reference names, or the only one there is; and what follows it."""
        if rest and rest[0].name in self.scope.species:
            self.read_names.add(rest[0].name)
            return rest[0].name, rest[1:]
        names = list(self.scope.species)
        if len(names) == 1:
            self.read_names.add(names[0])
            return names[0], rest
        if not names:
            raise self.binder.fail(
                "no-species",
                f"'{ref.text}' needs a species and none is declared",
                ref.span,
                help="declare one: species X { mw = 300 [g/mol] }",
            )
        if rest and rest[0].name not in (*QUANTITIES, "blood", "tissue"):
            near = similar(rest[0].name, [*names, *QUANTITIES])
            raise self.binder.fail(
                "unknown-name",
                f"'{rest[0].name}' is no species",
                rest[0].span,
                help=f"a similar name exists: '{near}'" if near else "species are " + ", ".join(names),
            )
        raise self.binder.fail(
            "which-species",
            f"'{ref.text}' leaves open which species is meant",
            ref.span,
            help=f"write {ref.parts[0].name}.{names[0]}" + (f".{rest[0].name}" if rest else ""),
        )

    def _of_node(self, node: str, rest: tuple[n.Part, ...], ref: n.Ref, context: Context) -> Expr:
        if len(rest) == 1 and rest[0].name in NODE_ATTRIBUTES:
            if rest[0].name == "like":
                raise self.binder.fail(
                    "misplaced",
                    "`like` names a tissue and cannot be read as a number",
                    ref.span,
                    help="numbers of a tissue are volume, flow, outflow, vascular",
                )
            return self.name(self.attribute(node, rest[0].name, ref.span), ref.span)
        if rest[0].name in ("blood", "tissue"):
            self.problems.append(not_yet(f"permeability-limited tissue (`.{rest[0].name}`)", ref))
            raise Unbound()
        species, rest = self.species_of(rest, ref)
        if len(rest) != 1:
            raise self.binder.fail(
                "no-quantity",
                f"'{ref.text}' does not say which quantity is meant",
                ref.span,
                help="write " + ", ".join(f"{node}.{species}.{q}" for q in self._readable(node)),
            )
        quantity = rest[0].name
        if quantity not in QUANTITIES:
            near = similar(quantity, QUANTITIES)
            raise self.binder.fail(
                "unknown-quantity",
                f"'{quantity}' is no quantity of a node",
                rest[0].span,
                help=f"a similar one exists: '{near}'" if near else "quantities are A, C, Cp, Cu, Cout",
            )
        return self.quantity(node, species, quantity, ref.span)

    def quantity(self, node: str, species: str, quantity: str, span: Span | None) -> Expr:
        """``.A .C .Cout .Cp .Cu`` of a species in a node (language reference, equations)."""
        kind = self.scope.nodes[node].kind
        state = f"{node}.{species}"
        if quantity == "A":
            if span is not None:
                self.read_states.setdefault(state, span)
            return Name(AMOUNT, state, span=span)
        if quantity not in self._readable(node):
            reason = "has no volume" if kind == "lumen" and quantity in ("C", "Cout") else f"is a {kind}"
            raise self.binder.fail(
                "no-meaning",
                f".{quantity} has no meaning in '{node}', which {reason}",
                span,
                help="here one can read " + ", ".join("." + q for q in self._readable(node)),
            )
        definition = self.define(
            f"{state}.{quantity}", lambda: self._concentration(node, species, quantity, span), span
        )
        return self.name(definition, span)

    def _readable(self, node: str) -> tuple[str, ...]:
        """The quantities that have a meaning in a node."""
        kind = self.scope.nodes[node].kind
        if kind == "sink" or kind == "lumen" and f"{node}.volume" not in self.attributes:
            return ("A",)
        return QUANTITIES if kind in ("blood", "tissue") else ("A", "C", "Cout")

    def _concentration(self, node: str, species: str, quantity: str, span: Span | None) -> Definition:
        name = f"{node}.{species}.{quantity}"
        kind = self.scope.nodes[node].kind

        def attribute(word: str) -> Expr:
            return self.name(self.attribute(species, word, span))

        if quantity == "C":
            volume = self.name(self.attribute(node, "volume", span))
            expr = div(self.quantity(node, species, "A", span), volume)
        elif kind in ("pool", "lumen") or (kind == "blood" and quantity == "Cout"):
            expr = self.quantity(node, species, "C", span)
        elif kind == "blood":
            c = self.quantity(node, species, "C", span)
            expr = (
                div(c, attribute("bp"))
                if quantity == "Cp"
                else div(mul(attribute("fup"), c), attribute("bp"))
            )
        else:
            expr = self._tissue_concentration(node, species, quantity, span, attribute)
        return Definition(name, "concentration", expr, parse_unit("umol/L"), derived=True, span=span)

    def _tissue_concentration(
        self, node: str, species: str, quantity: str, span: Span | None, attribute: Callable[[str], Expr]
    ) -> Expr:
        # Kb = kb = kp/BP = kpu*fup/BP; Cout = C/Kb, Cp = Cout/BP, Cu = fup*Cp, cancelled so that only
        # what is needed is demanded.
        word = self.partition_word(node, species, span)
        k = self.name(self.partition(species, node, word, span))
        c = self.quantity(node, species, "C", span)
        match word, quantity:
            case "kb", "Cout":
                return div(c, k)
            case "kb", "Cp":
                return div(c, mul(k, attribute("bp")))
            case "kb", _:
                return div(mul(attribute("fup"), c), mul(k, attribute("bp")))
            case "kp", "Cout":
                return div(mul(attribute("bp"), c), k)
            case "kp", "Cp":
                return div(c, k)
            case "kp", _:
                return div(mul(attribute("fup"), c), k)
            case _, "Cout":
                return div(mul(attribute("bp"), c), mul(k, attribute("fup")))
            case _, "Cp":
                return div(c, mul(k, attribute("fup")))
        return div(c, k)

    def partition_word(self, node: str, species: str, span: Span | None) -> str:
        """Which of kp, kb, kpu holds for a species in a tissue; a specific one goes before a general one."""
        for suffix in (f".{node}", ""):
            words = [w for w in _PARTITION if f"{species}.{w}{suffix}" in self.attributes]
            if len(words) > 1:
                lines = [self.attributes[f"{species}.{w}{suffix}"] for w in words]
                where = f" for '{node}'" if suffix else ""
                raise self.binder.fail(
                    "partition",
                    f"'{species}' has {' and '.join(words)}{where}; one is enough",
                    lines[1].span,
                    others=(Label(lines[0].span, "the other"),),
                    help="kp is tissue to plasma, kb tissue to blood, kpu tissue to unbound plasma",
                )
            if words:
                return words[0]
        if species in self.misread:
            raise Unbound()
        # All tissues that lack one are named at once, and the same text is said once.
        lacking = [
            t
            for t in self.circulations.home
            if self.scope.nodes[t].kind == "tissue" and not self._has_partition(species, t)
        ]
        block = self.scope.species[species]
        raise self.binder.fail(
            "partition",
            f"'{species}' has no partition coefficient for " + ", ".join(f"'{t}'" for t in lacking or [node]),
            name_span(block, species),
            notes=("blood carries it into every tissue of its circulation",) if block.carried else (),
            help=f"write kp.{(lacking or [node])[0]} = 1.2, or kp = 1.2 for all that have no own one, "
            "or kp = auto(rodgers_rowland)",
        )

    def _has_partition(self, species: str, node: str) -> bool:
        return any(
            f"{species}.{w}{suffix}" in self.attributes for w in _PARTITION for suffix in (f".{node}", "")
        )

    def partition(self, species: str, node: str, word: str, span: Span | None) -> Definition:
        """``APAP.kp.liver``: the specific value, or the general one under the tissue's name."""
        key = f"{species}.{word}.{node}"
        if key in self.attributes:
            return self.attribute(species, f"{word}.{node}", span)
        general = self.attributes.get(f"{species}.{word}")
        if general is None:
            raise self.binder.fail("missing-attribute", f"species '{species}' has no {word}", span)
        if isinstance(general.value, n.Call) and general.value.name == "auto":
            call = general.value

            def predict() -> Definition:
                return Definition(
                    key,
                    "attribute",
                    self._auto(species, word, call),
                    parse_unit("1"),
                    "",
                    general.source,
                    derived=True,
                    span=general.span,
                )

            return self.define(key, predict, span)

        def share() -> Definition:
            expr = self.name(self.attribute(species, word, span))
            return Definition(
                key, "attribute", expr, parse_unit("1"), "", general.source, derived=True, span=general.span
            )

        return self.define(key, share, span)

    def _of_site(self, site: str, rest: tuple[n.Part, ...], ref: n.Ref, context: Context) -> Expr:
        species, rest = self.species_of(rest, ref)
        if len(rest) != 1 or rest[0].name not in ("C", "Cout", "Cp", "Cu"):
            raise self.binder.fail(
                "no-meaning",
                f"'{ref.text}' has no meaning: a site is flowing blood",
                ref.span,
                help=f"write {site}.{species}.Cp, .C or .Cu",
            )
        quantity = rest[0].name
        name = f"{site}.{species}.{'C' if quantity == 'Cout' else quantity}"

        def make() -> Definition:
            if quantity in ("C", "Cout"):
                expr = self._mixed(self.scope.sites[site], species, ref.span)
            else:
                c = self._of_site(
                    site,
                    (n.Part(species, None, span=ref.span), n.Part("C", None, span=ref.span)),
                    ref,
                    context,
                )
                bp = self.name(self.attribute(species, "bp", ref.span))
                expr = div(c, bp)
                if quantity == "Cu":
                    expr = mul(self.name(self.attribute(species, "fup", ref.span)), expr)
            doc = self.scope.sites[site].doc
            return Definition(
                name, "concentration", expr, parse_unit("umol/L"), doc, derived=True, span=ref.span
            )

        return self.name(self.define(name, make, ref.span), ref.span)

    def drained(self, site: n.Site) -> list[tuple[str, Span]]:
        """The nodes whose blood meets at a site, each with its place."""
        nodes = []
        for ref in site.drains:
            node = self.indexed(ref.parts[0], Context())
            if node not in self.scope.where:
                raise self._unknown(ref, node)
            block = self.scope.nodes.get(node)
            if block is None or len(ref.parts) > 1 or block.kind not in ("tissue", "blood"):
                raise self.binder.fail(
                    "misplaced",
                    f"a site drains tissues, and '{ref.text}' is none",
                    ref.span,
                    help="name tissues of a circulation",
                )
            self.read_names.add(node.split("<")[0])
            nodes.append((node, ref.span))
        return nodes

    def _mixed(self, site: n.Site, species: str, span: Span) -> Expr:
        """Blood leaving several tissues, mixed by flow: sum Q Cout / sum Q."""
        flows, carried = [], []
        for node, place in self.drained(site):
            flow = self.name(self.attribute(node, "outflow", place))
            flows.append(flow)
            carried.append(mul(flow, self.quantity(node, species, "Cout", span)))
        return div(add(*carried), add(*flows))

    # ---------------------------------------------------------------- everything at once

    def bind_all(self) -> None:
        """Bind every declared value, attribute and rate, whether or not something reads it, to report all problems."""
        broken: set[int] = set()
        for name, (node, _) in self.scope.values.items():
            self._quietly(name, node, broken, lambda name=name: self.value(name))
        for key in self.attributes:
            owner, word = self.owner(key)
            if word in ("like", "pka"):
                continue
            line = self.attributes[key]
            call = line.value if isinstance(line.value, n.Call) else None
            if call is not None and call.name in ("remainder", "auto") and word in ("flow", "kp"):
                continue  # bound with the circulation, and by tissue
            self._quietly(key, line, broken, lambda o=owner, w=word, s=line.span: self.attribute(o, w, s))
        for name, site in self.scope.sites.items():
            self._quietly(name, site, broken, lambda site=site: self.drained(site))
        for name, (process, _) in self.scope.processes.items():
            self._quietly(name, process, broken, lambda name=name: self.rate(name, None))

    def _quietly(self, name: str, node: n.Syntax, broken: set[int], make: Callable[[], object]) -> None:
        """Make something whose problems are reported by what fails.

        Members of a family fail for one reason, so after the first the others are left alone. A chain of
        definitions is made from its innermost end in steps, so that its length needs no deep stack.
        """
        if id(node) in broken:
            self.failed.add(name)
            return
        pending: list[tuple[Callable[[], object], int]] = [(make, 0)]
        self.deferring = True
        while pending:
            attempt, waiting = pending[-1]
            try:
                attempt()
            except Unbound:
                if len(pending) == 1:
                    broken.add(id(node))
            except _Deferred as deferred:
                self.waiting.extend(deferred.stack)
                pending.append((deferred.again(self), len(deferred.stack)))
                continue
            pending.pop()
            del self.waiting[len(self.waiting) - waiting :]
        self.deferring = False

    def owner(self, key: str) -> tuple[str, str]:
        """``APAP.kp.liver`` to (``APAP``, ``kp.liver``)."""
        owner, word = key.split(".", 1)
        return owner, word


class _Deferred(Exception):
    """Too many definitions are being made inside one another; this one is to be made first, then they again."""

    def __init__(
        self, name: str, make: Callable[[], Definition], span: Span | None, stack: tuple[str, ...]
    ) -> None:
        super().__init__(name)
        self.name, self.make, self.span, self.stack = name, make, span, stack

    def again(self, table: Table) -> Callable[[], Definition]:
        return lambda: table.define(self.name, self.make, self.span)


def _part_of(parts: tuple[n.Part, ...], whole: n.Ref) -> n.Ref:
    """A reference made of some parts of another."""
    return n.Ref(parts, span=parts[0].span.to(parts[-1].span) if parts else whole.span)


def shown(expr: Expr) -> Unit:
    """The unit to show a value in: one that was written in it, if it has the value's dimension."""
    for node in walk(expr):
        if isinstance(node, Const) and node.unit.dimension == expr.dim and node.unit.text != "1":
            return node.unit
    return canonical_unit(expr.dim)


def _node_words(kind: str) -> tuple[str, ...]:
    return {
        "tissue": NODE_ATTRIBUTES,
        "blood": ("volume",),
        "pool": ("volume",),
        "lumen": ("volume",),
        "sink": (),
    }[kind]
