"""What may not change while the model runs: params, attributes, doses, starts, errors, splits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.expression import Expr, names_in
from pbpkc.language.model import Arrow, DataBlock, Dose, Observable, Scenario, State, ValueCheck
from pbpkc.language.source import Span

if TYPE_CHECKING:
    from pbpkc.language.table import Table

#: Kinds of definition without a curve of their own (rule 10 of the language).
_STILL = ("param", "attribute", "flow", "masked")

_HELP = "only numbers, params and covariates can stand here"

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

    def report(what: str, expr: Expr, span: Span | None, help: str) -> None:
        source = next(name for name in sorted(names_in(expr)) if is_curve(name))
        text = f"{what} reads '{source}', which changes while the model runs"
        labels = () if span is None else (Label(span),)
        table.problems.append(Diagnostic("param-curve", text, labels, help=help))

    still = {name for name, d in table.definitions.items() if d.kind in _STILL}
    for name, definition in table.definitions.items():
        if name in still and is_curve(name):
            let = definition.kind == "param"
            help = f"write `let {name} = ...`: a let is a curve" if let else _HELP
            report(f"the {definition.kind} '{name}'", definition.expr, definition.span, help)
    places = (
        *_of_states(states),
        *_of_arrows(arrows),
        *_of_observables(observables),
        *_of_scenarios(scenarios),
        *((f"the check `{c.text}`", c.expr) for c in checks),
    )
    for what, expr in places:
        # A param that reads a curve is reported itself, and not once more wherever it is read.
        if any(is_curve(name) and name not in still for name in names_in(expr)):
            report(what, expr, expr.span, _HELP)


def _curves(table: Table, states: tuple[State, ...]) -> Callable[[str], bool]:
    """Whether a name stands for something that changes while the model runs."""
    moving = {s.name for s in states} | {"t"}
    known: dict[str, bool] = {}

    def is_curve(name: str) -> bool:
        if name in moving or name.startswith("tad("):
            return True
        if name not in table.definitions:
            return False
        if name not in known:
            known[name] = False
            known[name] = any(is_curve(other) for other in names_in(table.definitions[name].expr))
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
        parts: tuple[tuple[str, Expr | None], ...] = (("lloq", observable.lloq),)
        if error is not None:
            parts += (("error", error.proportional), ("error", error.additive))
        for word, expr in parts:
            if expr is not None:
                yield f"the {word} of '{observable.name}'", expr


def _of_scenarios(scenarios: Iterable[Scenario]) -> Places:
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
        "the amount": dose.amount,
        "`at`": dose.at,
        "`over`": dose.over,
        "`rate`": dose.rate,
        "`every`": dose.every,
        "`lag`": dose.lag,
        "`fraction`": dose.fraction,
    }
    for what, expr in parts.items():
        if expr is not None:
            yield f"{what} of a dose of '{dose.species}' {where}", expr
