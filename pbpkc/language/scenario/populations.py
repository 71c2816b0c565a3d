"""Population blocks: how people differ, read and checked. `pbpkc.body.people` draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pbpkc.language.binding.bind import Context, ExpressionBinder, Unbound
from pbpkc.language.diagnostics import Label
from pbpkc.language.expression import Const, Expr, Name, names_in
from pbpkc.language.model import Correlation, Definition, Population, Variation
from pbpkc.language.scenario.priors import read_bounds, read_prior
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import ONE, Dimension

if TYPE_CHECKING:
    from pbpkc.language.binding.table import Table

#: Kinds of definition that may differ between people.
VARIABLE = ("covariate", "param", "masked", "attribute")

#: Words of a spread, and of the first argument that may be left out.
_SPREADS = {"lognormal": ("cv", "sdlog"), "normal": ("cv", "sd")}
_CENTRES = {"lognormal": ("median",), "normal": ("mean",), "uniform": ("low", "high"), "beta": ("a", "b")}


def read_populations(table: Table) -> dict[str, Population]:
    """The population blocks by name; what is wrong with them is left in ``table.problems``."""
    found: dict[str, Population] = {}
    for block in table.scope.populations:
        seen: dict[str, n.Vary] = {}
        variations = []
        for item in block.items:
            if isinstance(item, n.Vary):
                try:
                    variations.append(_read_variation(table, item, seen))
                except Unbound:
                    continue
        correlations: list[Correlation] = []
        for item in block.items:
            if isinstance(item, n.Correlate):
                try:
                    correlations.append(_read_correlation(table, item, seen, correlations))
                except Unbound:
                    continue
        found[block.name] = Population(
            block.name, block.doc, tuple(variations), tuple(correlations), block.span
        )
    return found


def _read_variation(table: Table, item: n.Vary, seen: dict[str, n.Vary]) -> Variation:
    target = table.reference(item.target, Context(unknowns=False))
    definition = table.definitions.get(target.name) if isinstance(target, Name) else None
    if definition is None or definition.kind not in VARIABLE:
        raise table.binder.fail(
            "misplaced",
            f"'{item.target.text}' cannot differ between people",
            item.target.span,
            help="covariates, params, masked parameters and attributes can",
        )
    before = seen.setdefault(definition.name, item)
    if before is not item:
        raise table.binder.fail(
            "duplicate-name",
            f"'{item.target.text}' has two distributions in one population",
            item.target.span,
            others=(Label(before.target.span, "the first is here"),),
            help="leave one of them out",
        )
    arguments = _arguments(table.binder, item, target.dim)
    low, high = _bounds(table.binder, item, definition, target.dim)
    return Variation(definition.name, item.prior.name, arguments, low, high, item.span)


def _arguments(binder: ExpressionBinder, item: n.Vary, dimension: Dimension) -> Mapping[str, Expr]:
    """The arguments by name, bound; numbers among them are held to what the distribution allows."""
    call = item.prior
    words = _SPREADS.get(call.name, ())
    word, spread = call.named[0] if len(call.named) == 1 else ("", None)
    context = Context(unknowns=False, where="a population")
    if words and not call.args:
        # Without a first argument the distribution is centred on the model's value.
        if spread is None or word not in words:
            raise binder.fail(
                "arguments",
                f"without a first argument {call.name} is written "
                + " or ".join(f"{call.name}({word} = ...)" for word in words),
                call.span,
            )
    elif not (words and len(call.args) == 1 and spread is not None and word in words):
        _demand_prior(binder, item, dimension)
        given = dict(zip(_CENTRES.get(call.name, ()), call.args, strict=False))
        return {key: binder.bind(value, context) for key, value in (*given.items(), *call.named)}
    # What follows is lognormal or normal with one spread, which may read parameters.
    assert spread is not None
    what = f"{word} of '{item.target.text}'"
    bound = binder.bind_as(spread, dimension if word == "sd" else ONE, context, what)
    if names_in(bound):
        arguments: dict[str, Expr] = {}
        for centre, value in zip(_CENTRES[call.name], call.args, strict=False):
            binder.constant(value, dimension, f"the first argument of {call.name} is a number", context)
            arguments[centre] = binder.bind(value, context)
        return {**arguments, word: bound}
    if call.args:
        _demand_prior(binder, item, dimension)
    elif not binder.constant(spread, bound.dim, f"{what} is a number", context) > 0:
        raise binder.fail("bad-number", f"{what} is not positive", spread.span, help="a spread is above 0")
    centres = zip(_CENTRES[call.name], call.args, strict=False)
    return {**{key: binder.bind(value, context) for key, value in centres}, word: bound}


def _demand_prior(binder: ExpressionBinder, item: n.Vary, dimension: Dimension) -> None:
    """Hold a distribution of numbers to what a `masked` line would be held to."""
    call = item.prior
    _, found, unit, _ = read_prior(call, binder, Context())
    if found != dimension and not binder.unit_free:
        first = call.args[0] if call.args else call.named[0][1]
        shown = Const(found, unit.factor, unit, span=first.span)
        raise binder.mismatch(
            f"the distribution of '{item.target.text}' has another unit", shown, dimension, call.span
        )


def _bounds(
    binder: ExpressionBinder, item: n.Vary, definition: Definition, dimension: Dimension
) -> tuple[float, float]:
    own = definition.bounds
    if item.bounds is None:
        if own is not None:
            return own
        if definition.mask is not None:
            return definition.mask.low, definition.mask.high
        return -math.inf, math.inf
    low, high = read_bounds(item.bounds, dimension, binder, Context())
    if own is not None and not own[0] <= low < high <= own[1]:
        raise binder.fail(
            "bounds",
            f"the bounds reach beyond those of the covariate '{definition.name}'",
            item.bounds.span,
            others=(Label(definition.span, "declared here"),) if definition.span else (),
            help="a covariate outside its bounds is an error: narrow these, or widen those",
        )
    return low, high


def _read_correlation(
    table: Table, item: n.Correlate, seen: Mapping[str, n.Vary], before: list[Correlation]
) -> Correlation:
    names = []
    for ref in (item.left, item.right):
        target = table.reference(ref, Context(unknowns=False))
        if not isinstance(target, Name) or target.name not in seen:
            raise table.binder.fail(
                "misplaced",
                f"'{ref.text}' has no distribution in this population",
                ref.span,
                help=f"add a line such as {ref.text} ~ lognormal(cv = 30 [%])",
            )
        names.append(target.name)
    left, right = names
    pair = f"'{left}' and '{right}'"
    if left == right:
        raise table.binder.fail(
            "misplaced", f"'{left}' is correlated with itself", item.right.span, help="name two quantities"
        )
    again = next((one for one in before if {one.left, one.right} == {left, right}), None)
    if again is not None:
        raise table.binder.fail(
            "duplicate-name",
            f"{pair} have two correlations",
            item.span,
            others=(Label(again.span, "the first is here"),) if again.span else (),
            help="leave one of them out",
        )
    value = table.binder.bind_as(
        item.value, ONE, Context(unknowns=False, where="a population"), "a correlation is dimensionless"
    )
    if not names_in(value):
        number = table.binder.constant(item.value, ONE, "a correlation is a number")
        if not -1 < number < 1:
            raise table.binder.fail(
                "bad-number",
                f"the correlation of {pair} is {number:g}",
                item.value.span,
                help="a correlation lies between -1 and 1",
            )
    return Correlation(left, right, value, item.span)
