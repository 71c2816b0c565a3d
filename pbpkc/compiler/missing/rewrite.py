"""The model in which an unknown term has a form: the term is gone, its coefficients are masked parameters.

Every call of the term becomes the form at the call's arguments. What comes out is a model like any other,
so that compiled code, exact sensitivities, conservation, priors and every method of a fit know nothing of
unknown terms. Names made here begin with the term's own and a dot, which no spec can write for a term, so
they clash with nothing: ``v.level`` (a coefficient), ``v.c`` (the argument of the first call).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType

from pbpkc.compiler.missing.form import Form
from pbpkc.language.expression import Apply, Const, Expr, Name, substitute
from pbpkc.language.model import Definition, Model, Unknown
from pbpkc.language.units import canonical_unit


@dataclass(frozen=True)
class Learned:
    """An unknown term with the form that replaced it.

    Parameters
    ----------
    unknown : Unknown
        As declared.
    form : Form
    coefficients : tuple of str
        Names of the masked parameters, in the order of the form's coefficients.
    calls : tuple of tuple of str
        For each call of the term the definitions that hold its arguments.
    """

    unknown: Unknown
    form: Form
    coefficients: tuple[str, ...]
    calls: tuple[tuple[str, ...], ...]


def with_form(
    model: Model, name: str, form: Form, names: Mapping[str, str] | None = None
) -> tuple[Model, Learned]:
    """The model with an unknown term replaced by a form.

    Parameters
    ----------
    model : Model
    name : str
        Of the unknown term.
    form : Form
    names : mapping of str to str, optional
        What coefficients are called in the model; ``TERM.COEFFICIENT`` where left out.

    Raises
    ------
    KeyError
        If there is no such term.
    """
    unknown = model.unknowns[name]
    given = names or {}
    called = {c.name: given.get(c.name, f"{name}.{c.name}") for c in form.coefficients}
    made = _Made(name, unknown, form, called)
    definitions: dict[str, Definition] = {}
    for c in form.coefficients:
        start = Const(c.unit.dimension, Fraction(c.start), canonical_unit(c.unit.dimension))
        definitions[called[c.name]] = Definition(
            called[c.name], "masked", start, c.unit, c.doc, f"the {form.kind} form of {name}", c.mask
        )
    definitions |= made.fixed()
    old = {key: replace(d, expr=made.inlined(d.expr)) for key, d in model.definitions.items()}
    observables = tuple(replace(o, expr=made.inlined(o.expr)) for o in model.observables)
    arrows = tuple(
        replace(a, produces=tuple((state, made.inlined(share)) for state, share in a.produces))
        for a in model.arrows
    )
    unknowns = {key: u for key, u in model.unknowns.items() if key != name}
    changed = replace(
        model,
        definitions=MappingProxyType({**old, **definitions, **made.lets}),
        observables=observables,
        arrows=arrows,
        unknowns=MappingProxyType(unknowns),
    )
    return changed, Learned(unknown, form, tuple(called.values()), tuple(made.calls.values()))


class _Made:
    """Definitions made for the calls of one term, each distinct call once."""

    def __init__(self, name: str, unknown: Unknown, form: Form, called: Mapping[str, str]) -> None:
        self.name = name
        self.unknown = unknown
        self.form = form
        self.known: dict[str, Expr] = {
            c.name: Name(c.unit.dimension, called[c.name]) for c in form.coefficients
        }
        self.lets: dict[str, Definition] = {}
        self.calls: dict[tuple[Expr, ...], tuple[str, ...]] = {}
        self._values: dict[tuple[Expr, ...], Expr] = {}

    def fixed(self) -> dict[str, Definition]:
        """Definitions of what depends on the coefficients alone."""
        found = {}
        for key, expr in self.form.fixed:
            full = f"{self.name}.{key}"
            found[full] = _let(full, substitute(expr, self.known))
            self.known[key] = Name(expr.dim, full)
        return found

    def inlined(self, expr: Expr) -> Expr:
        """The expression with every call of the term replaced by the name of its value."""
        if not isinstance(expr, Apply):
            return expr
        args = tuple(self.inlined(a) for a in expr.args)
        if expr.op == f"unknown:{self.name}":
            return self._value(args)
        if all(a is b for a, b in zip(args, expr.args, strict=True)):
            return expr
        return Apply(expr.dim, expr.op, args, span=expr.span)

    def _value(self, args: tuple[Expr, ...]) -> Expr:
        if args not in self._values:
            number = len(self._values) + 1
            prefix = f"{self.name}." if number == 1 else f"{self.name}.{number}."
            known = dict(self.known)
            for argument, expr in zip(self.unknown.arguments, args, strict=True):
                known[argument.name] = self._define(f"{prefix}{argument.name}", expr)
            self.calls[args] = tuple(f"{prefix}{a.name}" for a in self.unknown.arguments)
            for key, expr in self.form.steps:
                known[key] = self._define(f"{prefix}{key}", substitute(expr, known))
            self._values[args] = self._define(f"{prefix}value", substitute(self.form.value, known))
        return self._values[args]

    def _define(self, name: str, expr: Expr) -> Expr:
        self.lets[name] = _let(name, expr)
        return Name(expr.dim, name)


def _let(name: str, expr: Expr) -> Definition:
    return Definition(name, "let", expr, canonical_unit(expr.dim), derived=True)
