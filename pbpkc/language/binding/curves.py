"""What may not change while the model runs: params, attributes, doses, starts, errors, splits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.expression import Expr, names_in
from pbpkc.language.model import Arrow, DataBlock, Dose, Observable, Scenario, State, ValueCheck
from pbpkc.language.source import Span

if TYPE_CHECKING:
    from pbpkc.language.binding.table import Table

#: Kinds of definition without a curve of their own (rule 10 of the language).
_STILL = ("param", "attribute", "flow", "masked")

_HELP = "params, covariates and inputs can be read here"

Places = Iterator[tuple[str, Expr]]


def check_still(
    table: Table,
    states: tuple[State, ...],
    arrows: Iterable[Arrow],
    observables: Iterable[Observable],
    scenarios: Iterable[Scenario],
    checks: Iterable[ValueCheck],
) -> None:
    """Report everything that reads a state or the time where only a number has a meaning.

    Problems are left in ``table.problems``.
    """
    is_curve = _curves(table, states)
    still = {name for name, d in table.definitions.items() if d.kind in _STILL}

    def report(what: str, expr: Expr, span: Span | None, help: str) -> None:
        # A param that reads a curve is reported itself, and not once more wherever it is read.
        source = next((name for name in sorted(names_in(expr)) if name not in still and is_curve(name)), None)
        if source is not None:
            text = f"{what} reads '{source}', which changes while the model runs"
            table.problems.append(
                Diagnostic("param-curve", text, () if span is None else (Label(span),), help=help)
            )

    for name in still:
        definition = table.definitions[name]
        let = definition.kind == "param"
        help = f"write `let {name} = ...`: a let is a curve" if let else _HELP
        what = f"'{name}'" if definition.kind == "attribute" else f"the {definition.kind} '{name}'"
        report(what, definition.expr, definition.span, help)
    places = (
        *_of_states(states),
        *_of_arrows(arrows),
        *_of_observables(observables),
        *of_scenarios(scenarios),
        *(("this check", c.expr) for c in checks),
    )
    for what, expr in places:
        report(what, expr, expr.span, _HELP)


def _curves(table: Table, states: tuple[State, ...]) -> Callable[[str], bool]:
    """Whether a name stands for something that changes while the model runs."""
    moving = {s.name for s in states} | {"t"}
    known: dict[str, bool] = {}

    def is_curve(name: str) -> bool:
        # Definitions read one another in chains of any length, so they are not walked by recursion.
        if name not in known:
            seen, waiting, found = {name}, [name], False
            while waiting and not found:
                other = waiting.pop()
                found = other in moving or other.startswith("tad(") or known.get(other, False)
                if not found and other not in known and other in table.definitions:
                    more = names_in(table.definitions[other].expr) - seen
                    seen |= more
                    waiting.extend(more)
            known.update({name: True} if found else dict.fromkeys(seen, False))
        return known[name]

    return is_curve


def _of_states(states: Iterable[State]) -> Places:
    for state in states:
        if state.start is not None:
            yield f"the initial value of '{state.name}'", state.start


def _of_arrows(arrows: Iterable[Arrow]) -> Places:
    for arrow in arrows:
        # Of f and 1 - f only the first was written, and has a place.
        shares = sorted((share for _, share in arrow.produces), key=lambda share: share.span is None)
        if shares:
            yield f"the split of '{arrow.name}'", shares[0]


def _of_observables(observables: Iterable[Observable]) -> Places:
    for observable in observables:
        error = observable.error
        parts: tuple[tuple[str, Expr | None], ...] = (("LLOQ", observable.lloq),)
        if error is not None:
            parts += (("error", error.proportional), ("error", error.additive))
        for word, expr in parts:
            if expr is not None:
                yield f"the {word} of '{observable.name}'", expr


def of_scenarios(scenarios: Iterable[Scenario]) -> Places:
    """Every expression of a scenario that is a number, with words for it."""
    for scenario in scenarios:
        where = f"in scenario '{scenario.name}'"
        for name, value in scenario.sets:
            yield f"the value of '{name}' {where}", value
        for name, value in scenario.starts:
            yield f"the start of '{name}' {where}", value
        if scenario.run is not None:
            yield f"the length of the run {where}", scenario.run
        for dose in scenario.doses:
            yield from _of_dose(dose, where)
        for time in scenario.resets:
            yield f"the time of a reset {where}", time
        for change in scenario.changes:
            yield f"the value of '{change.name}' {where}", change.value
            for moment in (change.at, change.lasting, change.every):
                if moment is not None:
                    yield f"a time at which '{change.name}' changes {where}", moment
        if scenario.data is not None:
            yield from _of_data(scenario.data, where)


def _of_data(data: DataBlock, where: str) -> Places:
    for _, _, dose in data.dose_rows:
        yield from _of_dose(dose, where)
    for column in data.columns:
        if column.factor is not None:
            yield f"the factor of column '{column.header}' {where}", column.factor


def _of_dose(dose: Dose, where: str) -> Places:
    parts = {
        "amount": dose.amount,
        "time": dose.at,
        "duration": dose.over,
        "rate": dose.rate,
        "interval": dose.every,
        "lag": dose.lag,
        "fraction": dose.fraction,
    }
    for word, expr in parts.items():
        if expr is not None:
            yield f"the {word} of a dose of '{dose.species}' {where}", expr
