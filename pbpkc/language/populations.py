"""Population blocks: their names and distributions are checked; drawing people comes later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbpkc.language import nodes as n
from pbpkc.language.bind import Context, Unbound
from pbpkc.language.expression import Const
from pbpkc.language.priors import read_bounds, read_prior
from pbpkc.language.units import ONE, Dimension

if TYPE_CHECKING:
    from pbpkc.language.table import Table


def check_populations(table: Table) -> None:
    """Names and distributions of population blocks. Drawing people from them comes later."""
    for population in table.scope.populations:
        for item in population.items:
            refs = (item.target,) if isinstance(item, n.Vary) else (item.left, item.right)
            for ref in refs:
                try:
                    target = table.reference(ref, Context(unknowns=False))
                    if isinstance(item, n.Vary):
                        _check_spread(table, item, target.dim)
                    else:
                        table.binder.bind_as(item.value, ONE, Context(), "a correlation is dimensionless")
                except Unbound:
                    continue


def _check_spread(table: Table, item: n.Vary, dimension: Dimension) -> None:
    call = item.prior
    if item.bounds is not None:
        read_bounds(item.bounds, dimension, table.binder, Context())
    spreads = {"lognormal": ("cv", "sdlog"), "normal": ("cv", "sd")}
    if call.args or call.name not in spreads:
        _, found, unit, _ = read_prior(call, table.binder, Context())
        if found != dimension:
            centre = Const(found, unit.factor, unit, span=call.args[0].span)
            raise table.binder.mismatch(
                f"the distribution of '{item.target.text}' has another unit", centre, dimension, call.span
            )
        return
    # Without a first argument the distribution is centred on the model's value; the spread may be masked.
    if len(call.named) != 1 or call.named[0][0] not in spreads[call.name]:
        raise table.binder.fail(
            "arguments",
            f"without a first argument {call.name} is written "
            + " or ".join(f"{call.name}({word} = ...)" for word in spreads[call.name]),
            call.span,
        )
    word, value = call.named[0]
    table.binder.bind_as(
        value, dimension if word == "sd" else ONE, Context(), f"{word} of '{item.target.text}'"
    )
