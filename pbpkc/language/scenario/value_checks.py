"""The checks of a spec: proofs that are demanded, and values that scenarios must reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pbpkc.language.binding.bind import Context, Unbound
from pbpkc.language.diagnostics import Diagnostic, Label, respelt, similar
from pbpkc.language.expression import Apply, Expr, Name, walk
from pbpkc.language.functions import FIGURES
from pbpkc.language.model import Observable, Scenario, ValueCheck
from pbpkc.language.scenario.priors import read_bounds
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import canonical_unit

if TYPE_CHECKING:
    from pbpkc.language.binding.table import Table


def bind_figure(
    table: Table,
    scenarios: dict[str, Scenario],
    observables: dict[str, Observable],
    node: n.Call,
    context: Context,
) -> Expr:
    """``auc(po.Cp)`` and its like."""
    binder = table.binder
    wanted = 2 if node.name == "value" else 1
    if node.named or len(node.args) != wanted:
        raise binder.fail(
            "arguments",
            f"{node.name} takes a curve" + (" and a time" if wanted == 2 else ""),
            node.span,
            help=f"write {node.name}(scenario.observable" + (", 2 [h])" if wanted == 2 else ")"),
        )
    curve = node.args[0]
    if not isinstance(curve, n.Ref) or len(curve.parts) != 2:
        raise binder.fail(
            "misplaced",
            f"{node.name} reads an observable of a scenario",
            curve.span,
            help=f"write {node.name}(scenario.observable)",
        )
    scenario, part = curve.parts[0], curve.parts[1]
    if scenario.name not in scenarios:
        if scenario.name in table.scope.scenarios:
            raise Unbound()
        near = similar(scenario.name, scenarios)
        raise binder.fail(
            "unknown-name",
            f"there is no scenario '{scenario.name}'",
            scenario.span,
            help=f"a scenario with a similar name exists: '{near}'"
            if near
            else "scenarios are " + (", ".join(scenarios) or "none"),
            fixes=respelt(scenario.span, scenario.name, scenarios),
        )
    name = table.indexed(part, context) if part.index else part.name
    if name not in observables:
        if name in table.scope.observes:
            raise Unbound()
        near = similar(name, observables)
        raise binder.fail(
            "unknown-name",
            f"there is no observable '{name}'",
            part.span,
            help=f"an observable with a similar name exists: '{near}'"
            if near
            else "observables are " + (", ".join(observables) or "none"),
            fixes=respelt(part.span, name, observables),
        )
    unit = observables[name].unit.dimension
    dimension = {
        "auc": unit * table.time,
        "auc_inf": unit * table.time,
        "tmax": table.time,
        "thalf": table.time,
    }.get(node.name, unit)
    args: list[Expr] = [Name(unit, f"{scenario.name}.{name}", span=curve.span)]
    if wanted == 2:
        args.append(
            binder.bind_as(node.args[1], table.time, context, "the second argument of value is a time")
        )
    return Apply(dimension, node.name, tuple(args), span=node.span)


def _never_run(check: n.CheckValue, expr: Expr, scenarios: dict[str, Scenario]) -> Iterator[Diagnostic]:
    """A warning for each scenario that a check reads and that no check can run."""
    read = {e.name.split(".", 1)[0] for e in walk(expr) if isinstance(e, Name) and "." in e.name}
    for name in sorted(read & scenarios.keys()):
        block = scenarios[name].data
        if block is not None:
            yield Diagnostic(
                "never-run",
                f"this expectation is never run: scenario '{name}' takes its doses from a data file",
                (Label(check.span), *((Label(block.span, "the file"),) if block.span else ())),
                help=f"write a scenario with doses: scenario {name}_written {{ dose ...; run 24 [h] }}",
                severity="warning",
            )


def read_checks(
    table: Table, scenarios: dict[str, Scenario], observables: dict[str, Observable]
) -> tuple[tuple[str, ...], tuple[ValueCheck, ...]]:
    """The demanded proofs and the value checks."""
    rules: list[str] = []
    values: list[ValueCheck] = []
    table.binder.figure = lambda node, context: bind_figure(table, scenarios, observables, node, context)
    for check in table.scope.checks:
        if isinstance(check, n.CheckRule):
            for part in check.rules:
                if part.name not in ("mass", "volume", "positive"):
                    near = similar(part.name, ("mass", "volume", "positive"))
                    why = (
                        "units are always checked"
                        if part.name == "units"
                        else "flows are always checked"
                        if part.name == "flow"
                        else None
                    )
                    table.problems.append(
                        Diagnostic(
                            "unknown-name",
                            f"there is no check '{part.name}'",
                            (Label(part.span),),
                            (why,) if why else (),
                            f"a similar check exists: '{near}'"
                            if near
                            else "checks are mass, volume, positive",
                            fixes=respelt(part.span, part.name, ("mass", "volume", "positive")),
                        )
                    )
                elif part.name not in rules:
                    rules.append(part.name)
            continue
        try:
            expr = table.binder.bind(check.expr, Context(figures=True, unknowns=False, where="a check"))
            low, high = read_bounds(check.bounds, expr.dim, table.binder, Context())
        except Unbound:
            continue
        if not any(isinstance(e, Apply) and e.op in FIGURES for e in walk(expr)):
            table.problems.append(
                Diagnostic(
                    "no-figure",
                    "this check reads no scenario",
                    (Label(check.span),),
                    help="write check cmax(scenario.observable) in (1, 2) [mg/L]",
                    severity="warning",
                )
            )
        table.problems.extend(_never_run(check, expr, scenarios))
        unit = table.binder.unit(check.bounds.unit) if check.bounds.unit else canonical_unit(expr.dim)
        values.append(ValueCheck(check.expr.span.text, expr, low, high, unit, span=check.span))
    return tuple(rules), tuple(values)
