"""``--learn``: which unknown terms get a form to be estimated, and which form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from pbpkc.compiler.missing.form import Form, FormError
from pbpkc.compiler.missing.rewrite import Learned, with_form
from pbpkc.compiler.missing.shaped import COUNT, basis_form, network_form
from pbpkc.language.diagnostics import similar
from pbpkc.language.expression import Expr, Name, substitute
from pbpkc.language.model import Model, Unknown
from pbpkc.language.options.option_text import OptionError, OptionText

#: What `--learn` accepts behind the name, with what makes the form.
FORMS: Mapping[str, Callable[[Unknown, int | None], Form]] = {
    "basis": lambda unknown, count: basis_form(unknown, count or COUNT),
    "network": lambda unknown, count: network_form(unknown),
}

_USAGE = 'write --learn "name", "name = basis", "name = basis(8)" or "name = network"'


def learn(model: Model, texts: Sequence[str]) -> tuple[Model, tuple[Learned, ...]]:
    """The model with unknown terms replaced by forms whose coefficients are masked.

    Parameters
    ----------
    model : Model
    texts : sequence of str
        ``paps``, ``paps = basis``, ``paps = basis(8)``.

    Raises
    ------
    OptionError
        For a name that is no unknown term, a form that does not exist, or one that the term's declaration
        does not allow.
    """
    found = []
    for text in texts:
        name, make = _read(model, text)
        unknown = model.unknowns[name]
        try:
            form = make(unknown)
            apart = _told_apart(unknown, form)
            form = form if apart is unknown else make(apart)
        except FormError as error:
            raise _typed(text).problem("learn", str(error), _USAGE) from None
        model = replace(model, unknowns=MappingProxyType({**model.unknowns, name: apart}))
        model, learned = with_form(model, name, form)
        found.append(learned)
    return model, tuple(found)


def _told_apart(unknown: Unknown, form: Form) -> Unknown:
    """The term with arguments that no part of its form is called like: ``w`` becomes ``w_``."""
    parts = {c.name for c in form.coefficients} | {k for k, _ in (*form.fixed, *form.steps)} | {"value"}
    taken = parts | {a.name for a in unknown.arguments}
    anew: dict[str, str] = {}
    for name in sorted(parts & {a.name for a in unknown.arguments}):
        anew[name] = name
        while anew[name] in taken:
            anew[name] += "_"
        taken.add(anew[name])
    if not anew:
        return unknown
    arguments = tuple(replace(a, name=anew.get(a.name, a.name)) for a in unknown.arguments)
    names: dict[str, Expr] = {
        a.name: Name(a.unit.dimension, anew.get(a.name, a.name)) for a in unknown.arguments
    }
    default = None if unknown.default is None else substitute(unknown.default, names)
    shapes = tuple((word, anew.get(argument, argument)) for word, argument in unknown.shapes)
    return replace(unknown, arguments=arguments, shapes=shapes, default=default)


def _read(model: Model, text: str) -> tuple[str, Callable[[Unknown], Form]]:
    match = re.fullmatch(r"\s*([^\W\d][\w.]*)\s*(?:=\s*(\w+)\s*(?:\(\s*(\d+)\s*\))?)?\s*", text)
    if match is None:
        raise _typed(text).problem("usage", "this names no unknown term and form", _USAGE)
    name, kind, count = match[1], match[2] or "basis", match[3]
    if name not in model.unknowns:
        near = similar(name, model.unknowns)
        there = ", ".join(model.unknowns) or "none"
        raise _typed(text).problem(
            "unknown-name",
            f"there is no unknown term '{name}' left to learn",
            f"one with a similar name exists: '{near}'" if near else f"unknown terms are: {there}",
        )
    if kind not in FORMS:
        raise _typed(text).problem(
            "unknown-name", f"there is no form '{kind}'", f"forms are: {', '.join(FORMS)}"
        )
    number = None if count is None else int(count)
    if number is not None and not 2 <= number <= 20:
        raise _typed(text).problem("bad-number", "a form has 2 to 20 knots", _USAGE)
    return name, lambda unknown: FORMS[kind](unknown, number)


def _typed(text: str) -> OptionText:
    return OptionText("--learn", text, 0, "", _USAGE)


__all__ = ["FORMS", "OptionError", "learn"]
