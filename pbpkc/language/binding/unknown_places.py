"""Where an unknown term may not be reached even through a param: numbers that are needed before a run.

A term has a value where the equations are computed. Doses, settings, the length of a run, populations and
expectations are numbers that are worked out before, from the spec's own definitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pbpkc.language.binding.curves import Places, of_scenarios
from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.expression import Apply, Expr, names_in, walk
from pbpkc.language.model import Population, Scenario, ValueCheck
from pbpkc.language.source import Span

if TYPE_CHECKING:
    from pbpkc.language.binding.table import Table


def check_unknown_places(
    table: Table,
    scenarios: Iterable[Scenario],
    populations: Iterable[Population],
    checks: Iterable[ValueCheck],
) -> None:
    """Report what reads an unknown term through definitions where it has no value, in ``table.problems``."""
    if not table.scope.unknowns:
        return
    places = (
        *of_scenarios(scenarios),
        *_of_populations(populations),
        *(("this check", c.expr) for c in checks),
    )
    said: set[Span | None] = set()
    for what, expr in places:
        found = _reached(table, expr)
        # What a scenario has from its parent stands there.
        if found is not None and (expr.span is None or expr.span not in said):
            said.add(expr.span)
            through, term = found
            table.problems.append(
                Diagnostic(
                    "unknown-misplaced",
                    f"{what} reads '{through}', which calls the unknown term '{term}'",
                    () if expr.span is None else (Label(expr.span),),
                    help="it is a number that is needed before the run, where a term has no value",
                )
            )


def _of_populations(populations: Iterable[Population]) -> Places:
    for population in populations:
        for variation in population.variations:
            for word, expr in variation.arguments.items():
                yield f"{word} of '{variation.name}' in population '{population.name}'", expr


def _reached(table: Table, expr: Expr) -> tuple[str, str] | None:
    """The first definition behind an expression that calls an unknown term, and the term."""
    seen: set[str] = set()
    waiting = sorted(names_in(expr))
    while waiting:
        name = waiting.pop(0)
        if name in seen or name not in table.definitions:
            continue
        seen.add(name)
        inner = table.definitions[name].expr
        for term in _called(inner):
            return name, term
        waiting.extend(sorted(names_in(inner)))
    return None


def _called(expr: Expr) -> Iterator[str]:
    for part in walk(expr):
        if isinstance(part, Apply) and part.op.startswith("unknown:"):
            yield part.op.removeprefix("unknown:")
