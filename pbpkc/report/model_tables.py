"""The model as a reader sees it: equations as formulas, every number with its source, what was done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from pbpkc.compiler.latex import LatexWriter, latex_name, latex_writer
from pbpkc.compiler.notation import arrow_text, notation
from pbpkc.compiler.system import Input, System
from pbpkc.compiler.terms import CARRIED, equation_terms
from pbpkc.language.expression import to_text
from pbpkc.language.model import Model, Scenario
from pbpkc.language.show import change_text
from pbpkc.language.source import Span
from pbpkc.report.equations import equations_text
from pbpkc.report.mathml import formula, quotient, signed_terms
from pbpkc.report.number_tables import NumberRow, UnknownRow, number_rows, unknown_rows
from pbpkc.report.quantities import unit_text

#: Letters of a formula that have room in half the width of a page.
_HALF_A_PAGE = 45


@dataclass(frozen=True)
class Equation:
    """One equation; the terms of its right-hand side are formulas of their own. `name` is the spec's."""

    name: str
    left: Markup
    terms: tuple[Markup, ...]
    note: str = ""

    @property
    def wide(self) -> bool:
        """Whether half a page is too narrow for one of its terms, within which no line can end."""
        return max(len(term.striptags()) for term in self.terms) > _HALF_A_PAGE


@dataclass(frozen=True)
class StateRow:
    """One state."""

    symbol: Markup
    name: str
    unit: str
    meaning: str
    start: str


@dataclass(frozen=True)
class InputRow:
    """What enters from outside: a symbol and its meaning."""

    symbol: Markup
    meaning: str
    unit: str


@dataclass(frozen=True)
class ScenarioRow:
    """One scenario: its lines as they stand in the spec."""

    name: str
    meaning: str
    lines: tuple[str, ...]
    fitted: bool


@dataclass(frozen=True)
class ModelTables:
    """Everything about the model."""

    observables: tuple[Equation, ...]
    processes: tuple[Equation, ...]
    equations: tuple[Equation, ...]
    definitions: tuple[Equation, ...]
    unknowns: tuple[UnknownRow, ...]
    states: tuple[StateRow, ...]
    inputs: tuple[InputRow, ...]
    numbers: tuple[NumberRow, ...]
    scenarios: tuple[ScenarioRow, ...]
    text: str


def model_tables(model: Model, system: System, fitted: str) -> ModelTables:
    """Everything about a model.

    Parameters
    ----------
    model : Model
    system : System
        Its equations, before simplification.
    fitted : str
        The scenario whose data were fitted.
    """
    written, words = latex_writer(system), notation(system)
    units = {p.name: p.unit.text for p in system.parameters}
    return ModelTables(
        observables=tuple(
            Equation(
                o.name,
                formula(latex_name(o.name)),
                _sum(written, o.expr),
                _observed(model, o.name, o.unit.text),
            )
            for o in system.outputs
        ),
        processes=tuple(
            Equation(
                r.name,
                formula(written.names[r.symbol]),
                _sum(written, r.expr),
                _arrow(arrow_text(system, k, words)),
            )
            for k, r in enumerate(system.rates)
            if r.kind not in CARRIED
        ),
        equations=tuple(
            Equation(
                s.name,
                quotient(f"\\mathrm{{d}}{written.names[s.symbol]}", "\\mathrm{d}t"),
                signed_terms((t.negative, written.latex(t.expr)) for t in equation_terms(system, i)),
            )
            for i, s in enumerate(system.states)
        ),
        definitions=tuple(
            Equation(a.name, formula(written.names[a.symbol]), _sum(written, a.expr))
            for a in (*system.constants, *system.curves)
        ),
        unknowns=unknown_rows(model),
        states=tuple(_states(model, system, written)),
        inputs=tuple(
            InputRow(formula(written.names[u.symbol]), *_input(u, units.get(u.target, "")))
            for u in system.inputs
        ),
        numbers=number_rows(model, system),
        scenarios=tuple(_scenario(s, s.name == fitted) for s in model.scenarios.values()),
        text=equations_text(system),
    )


def _sum(written: LatexWriter, expr: Any) -> tuple[Markup, ...]:
    # `expr` is a sympy expression, a type that this room does not import.
    if expr.is_Add:
        return signed_terms((negative, written.latex(term)) for negative, term in written.order.terms(expr))
    return signed_terms([(False, written.latex(expr))])


def _arrow(text: str) -> str:
    return text.replace("<->", "↔").replace("->", "→")


def _observed(model: Model, name: str, unit: str) -> str:
    observable = next(o for o in model.observables if o.name == name)
    told = [observable.doc] if observable.doc else []
    told.append(f"in {unit_text(unit)}" if unit_text(unit) else "dimensionless")
    error = observable.error
    if error is not None:
        parts = [to_text(e) for e in (error.proportional, error.additive) if e is not None]
        kinds = {
            "add": "error with the standard deviation {0}",
            "prop": "error in proportion to the value: {0}",
            "combined": "error in proportion to the value, {0}, and besides {1}",
            "lognormal": "lognormal error, {0}",
            "given": "error as told by the data",
        }
        told.append(kinds[error.kind].format(*parts))
    if observable.lloq is not None:
        told.append(f"quantified from {to_text(observable.lloq)}")
    return "; ".join(told)


def _input(entry: Input, unit: str) -> tuple[str, str]:
    """Meaning and unit of an input; `unit` is that of the parameter of its name."""
    if entry.kind == "tad":
        return f"time since the last dose of {entry.target}", "h"
    if entry.kind == "held":
        going_on = {"last": "until the next change", "next": "since the change before", "linear": "on a line"}
        return f"{entry.target} as it is at a time, held {going_on[entry.hold]}", unit_text(unit)
    return f"rate at which an infusion enters {entry.target}; a bolus is added to the state at once", "µmol/h"


def _states(model: Model, system: System, written: LatexWriter) -> Iterator[StateRow]:
    known = {s.name: s for s in model.states}
    for state in system.states:
        source = known.get(state.name)
        start = "0" if source is None or source.start is None else to_text(source.start)
        meaning = source.reason if source is not None else ""
        yield StateRow(
            formula(written.names[state.symbol]), state.name, unit_text(state.unit.text), meaning, start
        )


# ------------------------------------------------------------- scenarios


def _scenario(scenario: Scenario, fitted: bool) -> ScenarioRow:
    lines = [f"set {name} = {to_text(value)}" for name, value in scenario.sets]
    lines += [f"start {name} = {to_text(value)}" for name, value in scenario.starts]
    lines += ["start steady"] if scenario.rests else []
    lines += [f"start after {scenario.after}"] if scenario.after is not None else []
    lines += [_source(dose.span, f"dose {dose.species} into {dose.state}") for dose in scenario.doses]
    lines += [f"reset at {to_text(time)}" for time in scenario.resets]
    lines += [_source(change.span, change_text(change)) for change in scenario.changes]
    if scenario.run is not None:
        lines.append(f"run {to_text(scenario.run)}")
    if scenario.data is not None:
        lines.append(_source(scenario.data.span, f'data "{scenario.data.path}"'))
    return ScenarioRow(scenario.name, scenario.doc, tuple(lines), fitted)


def _source(span: Span | None, otherwise: str) -> str:
    """The line of the spec itself, with its blanks as they are."""
    return span.text.strip() if span is not None and span.text.strip() else otherwise
