"""The table of named quantities, filled as they are read.

A definition is bound when something first reads it, so declarations have no order and a cycle shows as
the path that closes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial

from pbpkc.language.binding.attributes import attribute_definition, collect_attributes
from pbpkc.language.binding.bind import Context, ExpressionBinder, Unbound
from pbpkc.language.binding.namespaces import namespaces_of
from pbpkc.language.binding.quantities import of_node
from pbpkc.language.binding.scope import (
    Indices,
    Scope,
    index_values,
    member_name,
    split_owner,
)
from pbpkc.language.binding.species_attributes import of_species
from pbpkc.language.binding.undeclared import undeclared
from pbpkc.language.diagnostics import Diagnostic, Label, Problems
from pbpkc.language.expression import Const, Expr, Name, names_in, shown, walk
from pbpkc.language.gather import Gathered
from pbpkc.language.model import Definition
from pbpkc.language.scenario.changes import hold_of
from pbpkc.language.scenario.priors import read_bounds, read_mask, read_prior
from pbpkc.language.source import Span
from pbpkc.language.structure.circulation import Circulations
from pbpkc.language.structure.sites import drained, of_site
from pbpkc.language.structure.spaces import Compartment
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import (
    ONE,
    TIME,
    Dimension,
    Unit,
    canonical_unit,
    parse_unit,
)

#: How an attribute is written, for messages.
_EXAMPLES = {
    "mw": "mw = 300 [g/mol]", "logp": "logp = 2.1", "fup": "fup = 0.2", "bp": "bp = 0.9", "kp": "kp = 1.2",
    "kb": "kb = 1.2", "kpu": "kpu = 1.2", "volume": "volume = 1.8 [L]", "flow": "flow = 20 [L/h]",
    "outflow": "outflow = 90 [L/h]", "vascular": "vascular = 5 [%]", "ps": "ps = 2 [L/h]",
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
        self.compartments: dict[str, Compartment] = {}  # by the name of the state
        self.totals: dict[str, tuple[Span | None, tuple[str, ...]]] = {}  # of tissues with two spaces
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
        self.attributes = collect_attributes(self)
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

    def _value(self, name: str, node: n.Value, indices: Indices) -> Definition:
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
            name, node.keyword, expr, shown(expr), node.doc, node.source, None, bounds,
            hold=hold_of(node, self.binder), span=node.span,
        )  # fmt: skip

    def _masked(self, name: str, node: n.Masked, indices: Indices) -> Definition:
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
        return self.define(key, lambda: attribute_definition(self, key, owner, word, line), span)

    # ---------------------------------------------------------------- references

    def reference(self, ref: n.Ref, context: Context) -> Expr:
        """The bound form of a dotted reference."""
        first, rest = self._first(ref, context)
        self.read_names.add(first.split("<")[0])
        if not rest:
            return self._single(first, ref, context)
        if first in self.scope.nodes:
            return of_node(self, first, rest, ref, context)
        if first in self.scope.sites:
            return of_site(self, first, rest, ref, context)
        if first in self.scope.species:
            return of_species(self, first, rest, ref, context)
        raise undeclared(self, ref, first)

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
            raise undeclared(self, part, name)
        return name

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
        raise undeclared(self, ref, name)

    def rate(self, name: str, span: Span | None) -> Definition:
        """The rate of a process or a flow."""
        from pbpkc.language.structure.arrows import rate_definition

        return self.define(name, lambda: rate_definition(self, name), span)

    # ---------------------------------------------------------------- everything at once

    def bind_all(self) -> None:
        """Bind every declared value, attribute and rate, also what nothing reads, to report all problems."""
        broken: set[int] = set()
        for name, (node, _) in self.scope.values.items():
            self._quietly(name, node, broken, partial(self.value, name))
        for key in self.attributes:
            owner, word = self.owner(key)
            if word in ("like", "pka"):
                continue
            line = self.attributes[key]
            call = line.value if isinstance(line.value, n.Call) else None
            if call is not None and call.name in ("remainder", "auto") and word in ("flow", "kp"):
                continue  # bound with the circulation, and by tissue
            self._quietly(key, line, broken, partial(self.attribute, owner, word, line.span))
        for name, site in self.scope.sites.items():
            self._quietly(name, site, broken, partial(drained, self, site))
        for name, (process, _) in self.scope.processes.items():
            self._quietly(name, process, broken, partial(self.rate, name, None))

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
        return split_owner(key, self.scope.nodes.keys() | self.scope.species.keys())

    def organism_of(self, node: str) -> str | None:
        """Of the body that a node belongs to, where its file or one around it says."""
        for body in namespaces_of(node):
            if body in self.gathered.organisms:
                return self.gathered.organisms[body]
        return self.gathered.organism.name if self.gathered.organism else None


class _Deferred(Exception):
    """Too many definitions are being made inside one another: this one is made first, then they again."""

    def __init__(
        self, name: str, make: Callable[[], Definition], span: Span | None, stack: tuple[str, ...]
    ) -> None:
        super().__init__(name)
        self.name, self.make, self.span, self.stack = name, make, span, stack

    def again(self, table: Table) -> Callable[[], Definition]:
        return lambda: table.define(self.name, self.make, self.span)
