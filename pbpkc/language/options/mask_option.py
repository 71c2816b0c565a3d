"""``--mask``: a parameter that is estimated in this run."""

from __future__ import annotations

import re

from pbpkc.language.binding.bind import Context, Unbound
from pbpkc.language.model import Mask, Model
from pbpkc.language.options.option_text import PLACEHOLDER, OptionError, OptionText
from pbpkc.language.options.option_values import known_name, option_binder
from pbpkc.language.scenario.priors import read_bounds, read_mask, read_prior

_NAME = re.compile(r"\s*[^\W\d][\w.]*(?:<[\w\s,]*>[\w.]*)*")


def read_mask_option(model: Model, text: str) -> tuple[str, tuple[Mask, float | None]]:
    """``APAP.kp.liver in (0.1, 10) scale log`` as a name, a `Mask`, and the median of a prior that it gives.

    A parameter that the spec masks keeps its prior where the text gives bounds alone.

    Raises
    ------
    OptionError
        For an unknown name, a wrong unit, missing bounds.
    """
    name, given, typed = _mask_text(model, text)
    definition = model.definitions[name]
    has_prior = given.lstrip().startswith("~")
    node = typed.masked("" if has_prior else "~ uniform(0, 1)")
    binder = option_binder(model)
    context = Context(unknowns=False, where="a prior")
    dimension = definition.expr.dim
    try:
        if has_prior:
            prior, found, _, median = read_prior(node.prior, binder, context)
            if found != dimension:
                raise binder.fail(
                    "unit-mismatch",
                    f"the prior of '{PLACEHOLDER}' has another unit than {definition.unit}",
                    node.prior.span,
                    help=f"write its numbers in {definition.unit}",
                )
            return name, (read_mask(prior, dimension, median, node, binder, context), median)
        assert node.bounds is not None
        low, high = read_bounds(node.bounds, dimension, binder, context)
        scale = node.scale.name if node.scale else "log" if low > 0 else "natural"
        if scale not in ("log", "natural"):
            raise binder.fail(
                "unknown-name",
                f"there is no scale '{scale}'",
                node.scale.span if node.scale else None,
                help="write scale log or scale natural",
            )
        if scale == "log" and low < 0:
            raise binder.fail(
                "bad-number",
                f"'{PLACEHOLDER}' cannot be negative on a log scale",
                node.bounds.span,
                help="raise the lower bound to 0 or more, or write scale natural",
            )
    except Unbound:
        raise OptionError(typed.moved(binder.problems)) from None
    return name, (Mask(definition.mask.prior if definition.mask else None, low, high, scale), None)


def _mask_text(model: Model, text: str) -> tuple[str, str, OptionText]:
    """Name, what follows it, and the text ready to be parsed."""
    usage = 'write --mask "name in (0.1, 10) [unit] scale log" or "name ~ lognormal(1 [unit], cv = 50 [%])"'
    blank = OptionText("--mask", text, 0, "", usage)
    match = _NAME.match(text)
    if match is None:
        raise blank.problem("usage", "a name is missing", usage)
    name = known_name(model, match[0], blank)
    unit = model.definitions[name].unit
    shown = "" if unit.text == "1" else f" {unit}"
    usage = f'write --mask "{name} in (0.1, 10){shown} scale log"'
    typed = OptionText("--mask", text, match.end(), name, usage)
    given = text[match.end() :]
    if not given.strip():
        raise typed.problem("bounds", f"'{name}' needs bounds", usage)
    if not re.match(r"\s*(~|in\b)", given):
        raise typed.problem("usage", f"behind '{name}' stands neither a prior (~) nor bounds (in)", usage)
    return name, given, typed
