"""The model as a reader sees it: equations as formulas, every number with its source, what was done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from pbpkc.compiler.latex import LatexWriter, latex_name, latex_writer
from pbpkc.compiler.notation import arrow_text, notation
from pbpkc.compiler.system import Input, System
from pbpkc.compiler.terms import CARRIED, equation_terms
from pbpkc.language.evaluate import evaluate_definitions
from pbpkc.language.expression import Const, to_text
from pbpkc.language.model import Definition, Model, Prior, Scenario
from pbpkc.language.source import Span
from pbpkc.language.units import Unit
from pbpkc.report.equations import equations_text
from pbpkc.report.mathml import formula, quotient, signed_terms
from pbpkc.report.quantities import plain_number, unit_text, with_unit


@dataclass(frozen=True)
class Equation:
    """One equation; the terms of its right-hand side are formulas of their own. `name` is the spec's."""

    name: str
    left: Markup
    terms: tuple[Markup, ...]
    note: str = ""


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
class NumberRow:
    """One quantity of the spec: how it is written, what it comes to, where it is from."""

    name: str
    meaning: str
    written: str
    value: str
    unit: str
    allowed: str
    source: str


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
    unknowns: tuple[NumberRow, ...]
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
    return ModelTables(
        observables=tuple(
            Equation(
                o.name, formula(latex_name(o.name)), _sum(written, o.expr), _observed(model, o.name, o.unit.text)
            )
            for o in system.outputs
        ),
        processes=tuple(
            Equation(
                r.name, formula(written.names[r.symbol]), _sum(written, r.expr), _arrow(arrow_text(system, k, words))
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
        unknowns=tuple(_unknowns(model)),
        states=tuple(_states(model, system, written)),
        inputs=tuple(
            InputRow(formula(written.names[u.symbol]), *_input(u)) for u in system.inputs
        ),
        numbers=tuple(_numbers(model)),
        scenarios=tuple(_scenario(s, s.name == fitted) for s in model.scenarios.values()),
        text=equations_text(system),
    )


def _sum(written: LatexWriter, expr: object) -> tuple[Markup, ...]:
    if getattr(expr, "is_Add", False):
        return signed_terms((negative, written.latex(term)) for negative, term in written.order.terms(expr))  # type: ignore[arg-type]
    return signed_terms([(False, written.latex(expr))])  # type: ignore[arg-type]


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


def _input(entry: Input) -> tuple[str, str]:
    if entry.kind == "tad":
        return f"time since the last dose of {entry.target}", "h"
    return f"rate at which an infusion enters {entry.target}; a bolus is added to the state at once", "µmol/h"


def _states(model: Model, system: System, written: LatexWriter) -> Iterator[StateRow]:
    known = {s.name: s for s in model.states}
    for state in system.states:
        source = known.get(state.name)
        start = "0" if source is None or source.start is None else to_text(source.start)
        meaning = source.reason if source is not None else ""
        yield StateRow(formula(written.names[state.symbol]), state.name, unit_text(state.unit.text), meaning, start)


# ------------------------------------------------------------- numbers and their sources


def _numbers(model: Model) -> Iterator[NumberRow]:
    lookup = evaluate_definitions({k: d.expr for k, d in model.definitions.items()}, {})
    for definition in model.definitions.values():
        # What the compiler made, and what changes in time, stands in the equations.
        if definition.derived or definition.kind in ("flow", "concentration", "rate"):
            continue
        try:
            value = plain_number(_in_unit(float(lookup(definition.name)), definition.unit), 6)
        except (KeyError, ValueError, ArithmeticError):
            value = ""
        yield NumberRow(
            name=definition.name,
            meaning=definition.doc,
            written="" if isinstance(definition.expr, Const) else _written(definition),
            value=value,
            unit=unit_text(definition.unit.text),
            allowed=_allowed(definition),
            source=definition.source,
        )


def _written(definition: Definition) -> str:
    if definition.mask is not None:
        return ""
    text = to_text(definition.expr)
    return f"{text.removesuffix('()')}, predicted" if text.endswith("()") else text


def _allowed(definition: Definition) -> str:
    mask, unit = definition.mask, definition.unit
    if mask is not None:
        told = f"estimated within {_range(mask.low, mask.high, unit)}"
        return f"{told}; prior {_prior(mask.prior, unit)}" if mask.prior is not None else told
    return f"within {_range(*definition.bounds, unit)}" if definition.bounds is not None else ""


def _range(low: float, high: float, unit: Unit) -> str:
    return f"{plain_number(_in_unit(low, unit), 6)} to {plain_number(_in_unit(high, unit), 6)}"


def _prior(prior: Prior, unit: Unit) -> str:
    plain = {"sdlog": "standard deviation of the logarithm", "a": "a", "b": "b", "sd": "standard deviation"}
    shown = []
    for name, value in prior.arguments.items():
        number = value if name in ("sdlog", "a", "b") else value / float(unit.factor) if name == "sd" else _in_unit(value, unit)
        shown.append(f"{plain.get(name, name)} {plain_number(number, 4)}")
    return f"{prior.family}, {', '.join(shown)}"


def _in_unit(canonical: float, unit: Unit) -> float:
    return (canonical - float(unit.offset)) / float(unit.factor)


def _unknowns(model: Model) -> Iterator[NumberRow]:
    for term in model.unknowns.values():
        arguments = ", ".join(a.name for a in term.arguments)
        allowed = f"within {_range(*term.range, term.unit)}" if term.range is not None else ""
        within = "; ".join(
            f"{a.name} from {with_unit(_range(a.low, a.high, a.unit), a.unit.text)}" for a in term.arguments
        )
        yield NumberRow(
            name=f"{term.name}({arguments})",
            meaning=term.doc,
            written=to_text(term.default) if term.default is not None else "",
            value=within,
            unit=unit_text(term.unit.text),
            allowed="; ".join([*([allowed] if allowed else []), *(f"{d} in {a}" for d, a in term.shapes)]),
            source="",
        )


# ------------------------------------------------------------- scenarios


def _scenario(scenario: Scenario, fitted: bool) -> ScenarioRow:
    lines = [f"set {name} = {to_text(value)}" for name, value in scenario.sets]
    lines += [f"start {name} = {to_text(value)}" for name, value in scenario.starts]
    lines += [_source(dose.span, f"dose {dose.species} into {dose.state}") for dose in scenario.doses]
    if scenario.run is not None:
        lines.append(f"run {to_text(scenario.run)}")
    if scenario.data is not None:
        lines.append(_source(scenario.data.span, f'data "{scenario.data.path}"'))
    return ScenarioRow(scenario.name, scenario.doc, tuple(lines), fitted)


def _source(span: Span | None, otherwise: str) -> str:
    """The line of the spec itself, with its blanks as they are."""
    return span.text.strip() if span is not None and span.text.strip() else otherwise
