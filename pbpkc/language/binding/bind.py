"""Binding expressions: names looked up, units checked, functions expanded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from pbpkc.language.binding.scope import Scope, running, too_many
from pbpkc.language.diagnostics import Diagnostic, Fix, Label, Problems, respelt, similar
from pbpkc.language.evaluate import NotEvaluable, evaluate, no_names, reason
from pbpkc.language.exact import HIGHEST_EXPONENT, evaluate_exact
from pbpkc.language.expression import Apply, Const, Expr, Name, add, depth, number
from pbpkc.language.functions import (
    ARITY,
    FIGURES,
    MODIFIERS,
    USAGE,
    Mismatch,
    Modifier,
    alike,
    builtin,
    demand,
    michaelis_menten,
)
from pbpkc.language.source import Span
from pbpkc.language.syntax import nodes as n
from pbpkc.language.syntax.nodes import spine
from pbpkc.language.syntax.other_words import instead_of
from pbpkc.language.syntax.repairs import rewritten_unit
from pbpkc.language.units import AMOUNT, MASS, ONE, Dimension, Unit, UnitError, canonical_text, parse_unit

#: Terms that all expressions of a spec may hold together, functions, sums and families expanded. A dense
#: network of 100 genes holds 100 000; ten lines of nested functions can ask for more than a memory holds.
MOST_TERMS = 200_000

#: Depth of one expression, functions expanded.
MOST_DEPTH = 100


#: Units that people expect where the canonical ones are unfamiliar, for messages.
_FAMILIAR = ("g/mol", "mg", "mg/L", "mg/h")


class Unbound(Exception):
    """An expression could not be bound; the reason is already among the problems."""


@dataclass(frozen=True)
class Context:
    """What is special where an expression stands.

    Parameters
    ----------
    indices : mapping
        Running indices.
    local : mapping
        Arguments of a function or an unknown term.
    figures : bool
        Inside `check`: figures of curves are known.
    unknowns : bool
        Unknown terms may be called.
    where : str
        Words for the message when they may not.
    """

    indices: Mapping[str, int] = field(default_factory=dict)
    local: Mapping[str, Expr] = field(default_factory=dict)
    figures: bool = False
    unknowns: bool = True
    where: str = "here"


#: Gives the bound form of a reference; raises `Unbound` after reporting.
Lookup = Callable[[n.Ref, Context], Expr]


@dataclass
class ExpressionBinder:
    """Turns syntax into bound expressions.

    Parameters
    ----------
    scope : Scope
    lookup : callable
        Binds references.
    figure : callable
        Binds a call of a figure (``auc(...)``) inside `check`.
    time : Dimension
        Of time: ONE in a model with ``time [1]``.
    unit_free : bool
        Unit mismatches are notes (``units none``).
    problems : Problems
    """

    scope: Scope
    lookup: Lookup
    figure: Callable[[n.Call, Context], Expr]
    time: Dimension
    unit_free: bool
    problems: Problems
    unknown_units: dict[str, tuple[tuple[Dimension, ...], Dimension]] = field(default_factory=dict)
    expanding: list[str] = field(default_factory=list)
    outermost: Span | None = None  # of the expression that is being bound
    terms: int = 0
    written: dict[Dimension, Unit] = field(
        default_factory=dict
    )  # the first unit of each dimension, for messages
    called: set[str] = field(default_factory=set)  # functions and unknown terms
    sizes: dict[int, int] = field(default_factory=dict)  # terms in the arguments of functions being expanded

    def fail(
        self,
        code: str,
        message: str,
        span: Span | None,
        *,
        notes: tuple[str, ...] = (),
        help: str | None = None,
        others: tuple[Label, ...] = (),
        fixes: tuple[Fix, ...] = (),
    ) -> Unbound:
        """Report a problem and give the exception to raise."""
        labels = ((Label(span),) if span else ()) + others
        self.problems.append(Diagnostic(code, message, labels, notes, help, fixes=fixes))
        return Unbound()

    def unit(self, text: n.UnitText | None) -> Unit:
        """The unit of a unit text; dimensionless where there is none."""
        if text is None:
            return parse_unit("1")
        try:
            unit = parse_unit(text.text)
            if not unit.dimension.is_one and not unit.offset:
                self.written.setdefault(unit.dimension, unit)
            return unit
        except UnitError as error:
            fixes = rewritten_unit(text.span, error)
            raise self.fail("bad-unit", str(error), text.span, help=error.help, fixes=fixes) from error

    def bind(self, node: n.SyntaxExpr, context: Context) -> Expr:
        """The bound form of an expression.

        Raises
        ------
        Unbound
            After reporting why.
        """
        self.outermost = node.span
        try:
            expr = self._bind(node, context)
        except Mismatch as error:
            raise self.mismatch(error.what, error.left, error.right, node.span) from error
        except RecursionError as error:
            raise self._too_nested(node.span) from error
        if depth(expr) > MOST_DEPTH:
            raise self._too_nested(node.span)
        return expr

    def _too_nested(self, span: Span) -> Unbound:
        return self.fail(
            "too-nested",
            f"this expression is nested more than {MOST_DEPTH} deep",
            span,
            help="name a part of it with `param` or `let`",
        )

    def _spend(self, terms: int) -> None:
        """Count terms against what a spec may hold."""
        if self.terms > MOST_TERMS:
            raise Unbound()
        self.terms += terms
        if self.terms > MOST_TERMS:
            raise self.fail(
                "too-large",
                f"the expressions up to here hold more than {MOST_TERMS} terms",
                self.outermost,
                notes=("functions, sums and families are written out where they are used",),
                help="name a part with `let`, which is computed once, or make the families smaller",
            )

    def bind_as(self, node: n.SyntaxExpr, dimension: Dimension, context: Context, what: str) -> Expr:
        """Bind an expression that must have a dimension; `what` says of it what must hold."""
        expr = self.bind(node, context)
        if expr.dim != dimension:
            if self.unit_free:
                self._note(what, expr, dimension, node.span)
                return expr
            raise self.mismatch(what, expr, dimension, node.span)
        return expr

    def constant(
        self, node: n.SyntaxExpr, dimension: Dimension, what: str, context: Context | None = None
    ) -> float:
        """The canonical number of an expression without names."""
        expr = self.bind_as(node, dimension, context or Context(), what)
        try:
            value = float(evaluate(expr, no_names))
        except NotEvaluable as error:
            raise self.fail(
                "not-constant",
                f"{what}; found an expression that reads a name",
                node.span,
                help="write the number itself",
            ) from error
        except (ArithmeticError, ValueError) as error:
            raise self._not_computable(node.span, reason(error)) from error
        if not math.isfinite(value):
            raise self._not_computable(node.span, "it is not finite")
        return value

    def _not_computable(self, span: Span, why: str) -> Unbound:
        return self.fail("bad-number", f"this number cannot be computed: {why}", span, help="check its parts")

    # ---------------------------------------------------------------- mismatches

    def mismatch(self, what: str, left: Expr, right: Expr | Dimension, span: Span) -> Unbound:
        """Report two units that do not agree, with the factor between them."""
        other = right.dim if isinstance(right, Expr) else right
        left_text = self.shown(left)
        right_text = self.shown(right)
        quotient = left.dim / other
        help = "check the units of the numbers, and what the expression leaves out"
        if isinstance(left, Const) and left.unit.text == "1" and left.unit.factor == 1:
            help = f"a number without a unit is dimensionless: write its unit behind it: {right_text}"
        elif quotient in (MASS / AMOUNT, AMOUNT / MASS):
            help = "a mass becomes an amount through the molar mass of a species: divide by its mw"
            help = (
                help
                if quotient == MASS / AMOUNT
                else help.replace("a mass becomes an amount", "an amount becomes a mass").replace(
                    "divide", "multiply"
                )
            )
        labels = [Label(left.span or span, left_text)]
        if isinstance(right, Expr) and right.span:
            labels.append(Label(right.span, right_text))
        self.problems.append(
            Diagnostic(
                "unit-mismatch",
                f"{what}; found {left_text} where {right_text} is needed",
                tuple(labels),
                (f"they differ by the factor [{canonical_text(quotient)}]",),
                help,
            )
        )
        return Unbound()

    def shown(self, what: Expr | Dimension) -> str:
        """A unit for messages: as it was written in the spec where it was, else canonical."""
        if isinstance(what, Const):
            return str(what.unit)
        dimension = what.dim if isinstance(what, Expr) else what
        if dimension in self.written:
            return str(self.written[dimension])
        return next(
            (str(u) for u in map(parse_unit, _FAMILIAR) if u.dimension == dimension),
            f"[{canonical_text(dimension)}]",
        )

    def _note(self, what: str, left: Expr, right: Dimension, span: Span) -> None:
        text = f"{what}; found {self.shown(left)} where {self.shown(right)} is needed"
        factor = f"they differ by the factor [{canonical_text(left.dim / right)}]"
        self.problems.append(Diagnostic("unit-mismatch", text, (Label(span),), (factor,), severity="note"))

    def _alike(self, what: str, exprs: list[Expr], span: Span) -> None:
        try:
            alike(what, exprs)
        except Mismatch as error:
            if not self.unit_free:
                raise
            assert isinstance(error.right, Expr)
            self._note(what, error.left, error.right.dim, span)

    # ---------------------------------------------------------------- the kinds of node

    def _bind(self, node: n.SyntaxExpr, context: Context) -> Expr:
        self._spend(1)
        match node:
            case n.Quantity():
                return self._quantity(node)
            case n.Ref():
                if len(node.parts) == 1 and node.parts[0].index is None:
                    name = node.parts[0].name
                    if name in context.local:
                        local = context.local[name]
                        self._spend(self.sizes.get(id(local), 1) - 1)
                        return local
                    if name in context.indices:
                        return number(context.indices[name], node.span)
                return self.lookup(node, context)
            case n.Operation():
                return self._operation(node, context)
            case n.Reduce():
                return self._reduce(node, context)
            case n.Call():
                return self._call(node, context)

    def _quantity(self, node: n.Quantity) -> Expr:
        unit = self.unit(node.unit)
        return Const(unit.dimension, node.value, unit, span=node.span)

    def _operation(self, node: n.Operation, context: Context) -> Expr:
        if node.op == "if":
            return self._condition(node, context)
        if node.op in ("add", "sub"):
            return self._sum(node, context)
        if node.op == "mul":
            return self._product(node, context)
        args = [self._bind(a, context) for a in node.args]
        span = node.span
        match node.op:
            case "div":
                return Apply(args[0].dim / args[1].dim, "div", tuple(args), span=span)
            case "neg":
                if isinstance(args[0], Const):
                    return Const(args[0].dim, -args[0].value, args[0].unit, span=span)
                return Apply(args[0].dim, "neg", tuple(args), span=span)
            case "pow":
                return self._power(args[0], args[1], span)
            case _:  # comparisons and their junctions
                if node.op not in ("and", "or"):
                    self._alike("both sides of a comparison have one unit", args, span)
                return Apply(ONE, node.op, tuple(args), span=span)

    def _sum(self, node: n.Operation, context: Context) -> Expr:
        """``a + b - c``: one sum, however long; a plain difference of two stays one."""
        terms, signs = spine(node, ("add", "sub"))
        args = [self._bind(term, context) for term in terms]
        word = "difference" if signs == ["sub"] else "sum"
        self._alike(f"the terms of a {word} have one unit", args, node.span)
        if len(args) == 2:
            return Apply(args[0].dim, node.op, tuple(args), span=node.span)
        signed = [
            Apply(a.dim, "neg", (a,), span=a.span) if sign == "sub" else a
            for a, sign in zip(args[1:], signs, strict=True)
        ]
        return Apply(args[0].dim, "add", (args[0], *signed), span=node.span)

    def _product(self, node: n.Operation, context: Context) -> Expr:
        factors, _ = spine(node, ("mul",))
        args = [self._bind(factor, context) for factor in factors]
        dim = args[0].dim
        for arg in args[1:]:
            dim = dim * arg.dim
        return Apply(dim, "mul", tuple(args), span=node.span)

    def _power(self, base: Expr, exponent: Expr, span: Span) -> Expr:
        demand("an exponent is dimensionless", exponent, ONE)
        if base.dim.is_one:
            return Apply(ONE, "pow", (base, exponent), span=span)
        try:
            value = evaluate_exact(exponent)
        except NotEvaluable:
            raise self.fail(
                "dimensional-power",
                f"the base has the unit {self.shown(base)}, and its exponent is no number",
                span,
                notes=("the unit of the power would not be known",),
                help="divide by a reference first: (BW / 70 [kg])^theta",
            ) from None
        if abs(value) > HIGHEST_EXPONENT or value.denominator > 10**6:
            raise self.fail(
                "dimensional-power",
                f"the exponent of a quantity in {self.shown(base)} is out of range",
                span,
                help=f"write one between -{HIGHEST_EXPONENT} and {HIGHEST_EXPONENT}, with at most 6 decimals",
            )
        return Apply(base.dim**value, "pow", (base, exponent), span=span)

    def _condition(self, node: n.Operation, context: Context) -> Expr:
        truth, yes, no = (self._bind(a, context) for a in node.args)
        self._alike("both values of if(...) have one unit", [yes, no], node.span)
        return Apply(yes.dim, "if", (truth, yes, no), span=node.span)

    def _reduce(self, node: n.Reduce, context: Context) -> Expr:
        if node.name != "sum":
            raise self.fail(
                "unknown-function",
                f"'{node.name}' cannot run over an index",
                node.span,
                help="only sum(expression for i in 1..n) can",
            )
        if too_many(node.over, self.problems):
            raise Unbound()
        terms = []
        for indices in running(node.over):
            inner = Context(
                {**context.indices, **indices},
                context.local,
                context.figures,
                context.unknowns,
                context.where,
            )
            terms.append(self._bind(node.expr, inner))
        self._alike("all terms of a sum have one unit", terms, node.span)
        return add(*terms)

    # ---------------------------------------------------------------- calls

    def _call(self, node: n.Call, context: Context) -> Expr:
        name = node.name
        if name == "t" or name in FIGURES:
            if context.figures and name in FIGURES:
                return self.figure(node, context)
            raise self.fail(
                "figure",
                f"{name}(...) is known in `check` alone",
                node.span,
                help="read an observable's figure in a line like check cmax(scenario.Cp) in (1, 2) [mg/L]",
            )
        if node.named:
            raise self.fail(
                "named-argument",
                f"{name} takes no named arguments",
                node.span,
                help="named arguments (cv = 50 [%]) belong to distributions and error models",
            )
        if name == "tad":
            return self._tad(node)
        self.called.add(name)
        if name in self.scope.functions:
            return self._expand(self.scope.functions[name], node, context)
        if name in self.scope.unknowns:
            return self._unknown(name, node, context)
        if name == "mm":
            return self._mm(node, context)
        if name in MODIFIERS:
            raise self.fail(
                "modifier",
                f"{name}(...) modifies mm and means nothing alone",
                node.span,
                help=f"write it as a further argument: mm(vmax, km, c, {name}(...))",
            )
        if name in ("auto", "remainder"):
            raise self.fail(
                "misplaced",
                f"{name}(...) cannot stand here",
                node.span,
                help="auto(...) is a value of kp; remainder(...) of volume and flow",
            )
        if name == "sum":
            raise self.fail(
                "arguments",
                "sum runs over an index; found none",
                node.span,
                help="write sum(x<i> for i in 1..20); two terms are added with +",
            )
        if name not in ARITY:
            figures = FIGURES if context.figures else ()
            known = [*ARITY, "mm", "tad", "if", *figures, *self.scope.functions, *self.scope.unknowns]
            # `log` is like `log10` and means another function.
            instead = instead_of(name)
            near = similar(name, known)
            raise self.fail(
                "unknown-function",
                f"there is no function '{name}'",
                node.span,
                help=instead
                or (
                    f"a function with a similar name exists: '{near}'"
                    if near
                    else "functions are " + ", ".join(known)
                ),
                fixes=() if instead else respelt(node.span, name, known),
            )
        self._count(node, ARITY[name])
        args = [self._bind(a, context) for a in node.args]
        try:
            return builtin(name, args)
        except Mismatch as error:
            if not self.unit_free:
                raise
            right = error.right.dim if isinstance(error.right, Expr) else error.right
            self._note(error.what, error.left, right, node.span)
            return builtin(name, [replace(a, dim=ONE) for a in args])

    def _count(self, node: n.Call, wanted: int | None) -> None:
        found = len(node.args)
        if (wanted is None and found < 1) or (wanted is not None and found != wanted):
            need = "at least one argument" if wanted is None else f"{wanted} argument" + "s" * (wanted != 1)
            raise self.fail(
                "arguments",
                f"{node.name} takes {need}; found {found}",
                node.span,
                help=f"it is written {self._usage(node.name)}",
            )

    def _usage(self, name: str) -> str:
        if name in self.scope.functions:
            return f"{name}({', '.join(self.scope.functions[name].arguments)})"
        if name in self.scope.unknowns:
            return f"{name}({', '.join(a.name for a in self.scope.unknowns[name].arguments)})"
        return USAGE.get(name, f"{name}(x)")

    def _tad(self, node: n.Call) -> Expr:
        self._count(node, 1)
        arg = node.args[0]
        if not isinstance(arg, n.Ref) or arg.text not in self.scope.species:
            near = similar(arg.text, self.scope.species) if isinstance(arg, n.Ref) else None
            raise self.fail(
                "unknown-name",
                "tad takes the name of a species",
                arg.span,
                help=f"a species with a similar name exists: '{near}'"
                if near
                else "species are " + (", ".join(self.scope.species) or "none"),
                fixes=respelt(arg.span, arg.text, self.scope.species) if isinstance(arg, n.Ref) else (),
            )
        return Name(self.time, f"tad({arg.text})", span=node.span)

    def _expand(self, function: n.Function, node: n.Call, context: Context) -> Expr:
        if function.name in self.expanding:
            path = " -> ".join([*self.expanding[self.expanding.index(function.name) :], function.name])
            raise self.fail(
                "cycle",
                f"the function '{function.name}' is defined by itself: {path}",
                function.span,
                help="a function is written out where it is called, so it cannot call itself",
            )
        self._count(node, len(function.arguments))
        args = []
        for arg in node.args:
            before = self.terms
            args.append(self._bind(arg, context))
            self.sizes[id(args[-1])] = self.terms - before
        inner = Context(
            {},
            dict(zip(function.arguments, args, strict=True)),
            context.figures,
            context.unknowns,
            context.where,
        )
        self.expanding.append(function.name)
        try:
            return self._bind(function.body, inner)
        finally:
            self.expanding.pop()

    def _unknown(self, name: str, node: n.Call, context: Context) -> Expr:
        if not context.unknowns:
            raise self.fail(
                "unknown-misplaced",
                f"the unknown term '{name}' cannot be called in {context.where}",
                node.span,
                help="an unknown may stand in a rate, a let, a param of covariates, a flow or an observe",
            )
        arguments, result = self.unknown_units[name]
        self._count(node, len(arguments))
        args = []
        for arg, dimension in zip(node.args, arguments, strict=True):
            expr = self._bind(arg, context)
            demand(f"an argument of '{name}' has the unit it was declared with", expr, dimension)
            args.append(expr)
        return Apply(result, f"unknown:{name}", tuple(args), span=node.span)

    def _mm(self, node: n.Call, context: Context) -> Expr:
        if len(node.args) < 3:
            raise self.fail(
                "arguments",
                f"mm takes vmax, km and a concentration; found {len(node.args)}",
                node.span,
                help="it is written mm(vmax, km, c) or with modifiers: mm(vmax, km, c, competitive(ci, ki))",
            )
        before = self.terms
        args: list[Expr | Modifier] = [self._bind(a, context) for a in node.args[:3]]
        # The concentration is read twice, and twice more by substrate(ki).
        self._spend(3 * (self.terms - before))
        for extra in node.args[3:]:
            if not isinstance(extra, n.Call) or extra.name not in MODIFIERS:
                raise self.fail(
                    "modifier",
                    "mm takes vmax, km, a concentration, then modifiers",
                    extra.span,
                    help="modifiers are competitive(ci, ki), uncompetitive(ci, ki), substrate(ki)",
                )
            self._count(extra, MODIFIERS[extra.name])
            args.append(Modifier(extra.name, tuple(self._bind(a, context) for a in extra.args)))
        return michaelis_menten(args)
