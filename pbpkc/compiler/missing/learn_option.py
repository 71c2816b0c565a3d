"""``--learn``: which unknown terms get a form to be estimated, and which form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from pbpkc.compiler.missing.form import Form, FormError
from pbpkc.compiler.missing.rewrite import Learned, with_form
from pbpkc.compiler.missing.shaped import COUNT, basis_form, network_form
from pbpkc.language.diagnostics import similar
from pbpkc.language.model import Model, Unknown
from pbpkc.language.option_text import OptionError, OptionText

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
        try:
            form = make(model.unknowns[name])
        except FormError as error:
            raise _typed(text).problem("learn", str(error), _USAGE) from None
        model, learned = with_form(model, name, form)
        found.append(learned)
    return model, tuple(found)


def _read(model: Model, text: str) -> tuple[str, Callable[[Unknown], Form]]:
    match = re.fullmatch(r"\s*([^\W\d]\w*)\s*(?:=\s*(\w+)\s*(?:\(\s*(\d+)\s*\))?)?\s*", text)
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
