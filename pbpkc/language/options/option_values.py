"""Names and numbers in what was typed for a run, checked against the model."""

from __future__ import annotations

import re

from pbpkc.language.binding.bind import Context, ExpressionBinder, Unbound
from pbpkc.language.binding.scope import BY_TISSUE, Scope
from pbpkc.language.diagnostics import Problems, similar
from pbpkc.language.expression import Expr
from pbpkc.language.functions import FIGURES
from pbpkc.language.model import Model
from pbpkc.language.options.option_text import OptionError, OptionText
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import Unit

#: A flow that the balance decides is none of them: set alone, it would break the balance.
_SETTABLE = ("covariate", "input", "param", "masked", "attribute")

#: Names in a message that lists what there is.
_MOST_NAMED = 12


def known_name(model: Model, text: str, typed: OptionText) -> str:
    """The name of a definition that a run may change.

    Raises
    ------
    OptionError
        For any other name; a similar one is said.
    """
    name = re.sub(r"\s+", "", text)
    if not name:
        raise typed.problem("usage", "a name is missing", typed.usage)
    definition = model.definitions.get(name)
    if definition is not None and definition.kind in _SETTABLE:
        return name
    owner, _, word = name.rpartition(".")
    balanced = owner in model.nodes and word in ("flow", "outflow")
    if definition is not None or balanced:
        kind = "flow" if definition is None else definition.kind
        if kind == "absent":
            raise _absent(name, typed)
        what = {"flow": "left to the balance of flows", "rate": "the rate of a process"}.get(kind, "computed")
        raise typed.problem(
            "misplaced",
            f"'{name}' is {what} and cannot be changed by itself",
            "change a parameter, covariate or attribute that it is made of",
        )
    if name in model.unknowns:
        raise typed.problem(
            "misplaced", f"'{name}' is an unknown term", f'write --unknown "{name} = expression"'
        )
    why = _attribute_problem(model, name, typed)
    if why is not None:
        raise why
    names = [k for k, d in model.definitions.items() if d.kind in _SETTABLE]
    near = similar(name, names)
    there = ", ".join(names[:_MOST_NAMED]) + (", ..." if len(names) > _MOST_NAMED else "")
    raise typed.problem(
        "unknown-name",
        f"there is no parameter '{name}'",
        f"one with a similar name exists: '{near}'" if near else f"these can be named: {there or 'none'}",
    )


def _absent(name: str, typed: OptionText) -> OptionError:
    return typed.problem(
        "misplaced",
        f"'{name}' is written as 0, so the model has no such exchange and it cannot be changed",
        "name the number in the spec: param p = 0 [L/h], and ps = p in the species",
    )


def _attribute_problem(model: Model, name: str, typed: OptionText) -> OptionError | None:
    """Why an attribute that a species could have cannot be named in a run; None for any other name."""
    if any(name == state.name for state in model.states):
        return typed.problem(
            "misplaced",
            f"'{name}' is a state, not a parameter",
            "an initial value is changed by a `start` line of the spec or of a scenario",
        )
    species = next((s for s in model.species if name.startswith(f"{s}.")), None)
    if species is None:
        return None
    word, _, tissue = name[len(species) + 1 :].partition(".")
    if word == "pka" and not tissue:
        return typed.problem(
            "misplaced",
            "pka is a list and cannot be named",
            "name its number in the spec: param pk = 9.4, and pka = acid(pk); then name pk",
        )
    if word not in BY_TISSUE or (tissue and tissue not in model.nodes):
        return None
    general = model.definitions.get(f"{species}.{word}")
    if general is not None and general.kind == "absent":
        return _absent(name, typed)
    some = [k for k in model.species[species].attributes if k.startswith(f"{word}.")]
    if not tissue:
        return (
            typed.problem(
                "misplaced",
                f"'{name}' has no one value: it differs by tissue",
                "name one of " + ", ".join(f"{species}.{k}" for k in some[:_MOST_NAMED]),
            )
            if some
            else None
        )
    return typed.problem(
        "unknown-name",
        f"nothing in this model reads '{name}'",
        "it can be changed where the spec gives it and something depends on it",
    )


def constant(model: Model, typed: OptionText, node: n.SyntaxExpr, like: Expr | Unit, what: str) -> float:
    """A number with the unit that is needed, canonical.

    Parameters
    ----------
    model : Model
    typed : OptionText
        Where `node` was read from.
    node : SyntaxExpr
    like : Expr or Unit
        What has that unit.
    what : str
        Stands in front of the message where it has another.

    Raises
    ------
    OptionError
        If it is no number, or has another unit.
    """
    binder = option_binder(model)
    dimension = like.dimension if isinstance(like, Unit) else like.dim
    try:
        return binder.constant(node, dimension, what)
    except Unbound:
        raise OptionError(typed.moved(binder.problems)) from None


def option_binder(model: Model, hint: str = "write a number with its unit") -> ExpressionBinder:
    """A binder that knows no names; `hint` helps whoever writes one."""

    def refuse(ref: n.Ref, context: Context) -> Expr:
        raise binder.fail("unknown-name", f"'{ref.text}' cannot be read here", ref.span, help=hint)

    def no_figure(call: n.Call, context: Context) -> Expr:
        raise binder.fail(
            "figure",
            f"{call.name}(...) is known in `check` alone; figures are {', '.join(FIGURES)}",
            call.span,
            help=hint,
        )

    binder = ExpressionBinder(Scope(), refuse, no_figure, model.time_unit.dimension, False, Problems())
    return binder
