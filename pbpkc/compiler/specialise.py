"""The model with some names held at values, masked, or no longer masked.

A scenario's ``set liver.volume = 1.5 [L]``, a run's ``--set``, ``--mask`` and ``--unmask``: all give a
definition another form and leave the spec alone. A name that has an expression in the spec (a volume
scaled by weight) becomes a parameter of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType

from pbpkc.language.expression import Const
from pbpkc.language.model import Mask, Model
from pbpkc.language.units import canonical_unit


def is_leaf(model: Model, name: str) -> bool:
    """Whether a definition is a number in the spec, and so an entry of `p` already."""
    return isinstance(model.definitions[name].expr, Const)


def hold(model: Model, values: Mapping[str, float]) -> Model:
    """The model with definitions replaced by numbers.

    Parameters
    ----------
    model : Model
    values : mapping of definition name to float
        Canonical units. A masked parameter is held there and no longer estimated.

    Raises
    ------
    KeyError
        For a name that is not defined.
    """
    definitions = dict(model.definitions)
    for name, value in values.items():
        old = definitions[name]
        expr = Const(old.expr.dim, Fraction(value), canonical_unit(old.expr.dim), span=old.expr.span)
        kind = "param" if old.kind == "masked" else old.kind
        definitions[name] = replace(old, expr=expr, mask=None, kind=kind, derived=False)
    return replace(model, definitions=MappingProxyType(definitions))


def mask(model: Model, masks: Mapping[str, Mask], medians: Mapping[str, float]) -> Model:
    """The model with further parameters estimated.

    Parameters
    ----------
    model : Model
    masks : mapping of definition name to Mask
    medians : mapping of definition name to float
        Their starting values, canonical units.
    """
    held = hold(model, medians)
    definitions = dict(held.definitions)
    for name, new in masks.items():
        definitions[name] = replace(definitions[name], mask=new, kind="masked")
    return replace(held, definitions=MappingProxyType(definitions))
