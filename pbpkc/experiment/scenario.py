"""A scenario of a spec as something that can be run: settings, starts, doses, a horizon."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.changes import ChangeEvent
from pbpkc.experiment.events import UNORDERED, BoundRegimen
from pbpkc.experiment.regimen import After, DoseEvent, Regimen, Reset
from pbpkc.experiment.values import Quantity
from pbpkc.language.diagnostics import Diagnostic, Label, SpecError, similar
from pbpkc.language.evaluate import NotEvaluable, evaluate_definitions
from pbpkc.language.expression import Expr, names_in, substitute
from pbpkc.language.model import Dose, Model, Scenario
from pbpkc.language.scenario.changes import allowed_range
from pbpkc.language.source import Span

if TYPE_CHECKING:
    from pbpkc.runtime.compiled import CompiledModel

#: Sampling times of a run where nobody says which.
DEFAULT_SAMPLES = 241


@dataclass(frozen=True)
class Experiment:
    """A hand-written scenario, ready to be bound to parameters.

    Parameters
    ----------
    name, doc : str
    regimen : Regimen
    overrides : mapping of str to float
        Canonical values of what the scenario sets.
    held : tuple of str
        Masked parameters among them: they keep that value here and are not estimated.
    """

    name: str
    doc: str
    regimen: Regimen
    overrides: Mapping[str, float]
    held: tuple[str, ...]


def find_scenario(model: Model, name: str) -> Scenario:
    """The scenario of that name.

    Raises
    ------
    ValueError
        If the model has none; a similar name is said.
    """
    if name in model.scenarios:
        return model.scenarios[name]
    near = similar(name, model.scenarios)
    there = ", ".join(model.scenarios) or "none"
    hint = f"; a similar name is '{near}'" if near else ""
    raise ValueError(f"there is no scenario '{name}'{hint}; scenarios are {there}")


def experiment(model: Model, name: str) -> Experiment:
    """A hand-written scenario of a model.

    Parameters
    ----------
    model : Model
    name : str

    Returns
    -------
    Experiment

    Raises
    ------
    ValueError
        If there is no such scenario, or it reads its doses and times from a data file (see
        `pbpkc.experiment.data.read_dataset`).
    SpecError
        If a setting has no value, or reads a parameter that is to be estimated.
    """
    scenario = find_scenario(model, name)
    if scenario.data is not None:
        raise ValueError(f"scenario {name!r} takes its doses and times from a data file")
    definitions = definitions_in(model, scenario)
    doses = tuple(dose_event(model, dose) for dose in scenario.doses)
    overrides, held = settings(model, scenario, definitions)
    starts, resets, changes = starts_of(model, scenario), resets_of(scenario), changes_of(model, scenario)
    regimen = Regimen(
        doses, starts, 0.0, scenario.run, definitions, resets, changes, scenario.rests,
        after_of(model, scenario, overrides),
    )  # fmt: skip
    return Experiment(name, scenario.doc, with_needed(regimen), overrides, held)


def definitions_in(model: Model, scenario: Scenario) -> dict[str, Expr]:
    """What every name means in a scenario: the model's definitions, some of them set anew."""
    definitions = {name: definition.expr for name, definition in model.definitions.items()}
    for name, value in scenario.sets:
        # A setting may read what it replaces: `set CL = 0.5 * CL`.
        old = definitions.get(name)
        definitions[name] = value if old is None else substitute(value, {name: old})
    return definitions


def settings(
    model: Model, scenario: Scenario, definitions: Mapping[str, Expr]
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Canonical values of what a scenario sets, and which of them are masked parameters.

    Raises
    ------
    SpecError
        If a value cannot be computed, or depends on a parameter that is to be estimated.
    """
    masked = {definition.name for definition in model.masked}
    named = {name for name, _ in scenario.sets}
    lookup = evaluate_definitions(definitions, {})
    values: dict[str, float] = {}
    problems: list[Diagnostic] = []
    for name, expr in scenario.sets:
        labels = (Label(expr.span),) if expr.span else ()
        # A masked name that the scenario itself sets is a number here.
        reads = (_reached(expr, definitions, {name}) & masked) - named
        if reads:
            problems.append(
                Diagnostic(
                    "set-of-masked",
                    f"the setting of '{name}' reads the masked parameter '{min(reads)}'",
                    labels,
                    ("a setting is a number while parameters are estimated",),
                    f"write the relation as a param of the model and set that, or set '{min(reads)}' too",
                )
            )
            continue
        try:
            values[name] = float(lookup(name))
        except (NotEvaluable, ArithmeticError, ValueError) as error:
            problems.append(
                Diagnostic("set-value", f"the setting of '{name}' cannot be computed: {error}", labels)
            )
    if problems:
        raise SpecError(problems)
    return values, tuple(sorted(named & masked))


def _reached(expr: Expr, definitions: Mapping[str, Expr], known: set[str]) -> set[str]:
    """Every name an expression depends on, `known` ones not followed."""
    found: set[str] = set()
    todo = [expr]
    while todo:
        for name in names_in(todo.pop()) - found - known:
            found.add(name)
            if name in definitions:
                todo.append(definitions[name])
    return found


def dose_event(model: Model, dose: Dose) -> DoseEvent:
    """A dose line of a scenario as an event."""
    index, scale = state_place(model, dose.state)
    return DoseEvent(
        species=dose.species,
        state=index,
        amount=0.0 if dose.amount is None else dose.amount,
        time=0.0 if dose.at is None else dose.at,
        duration=dose.over,
        rate=dose.rate,
        lag=dose.lag,
        fraction=dose.fraction,
        every=dose.every,
        count=dose.count,
        scale=scale,
        span=dose.span,
        steady=int(dose.steady),
    )


def state_place(model: Model, name: str) -> tuple[int, float]:
    """Index of a state, and the canonical units in one of its own."""
    for index, state in enumerate(model.states):
        if state.name == name:
            return index, float(state.unit.factor)
    raise KeyError(name)


def starts_of(model: Model, scenario: Scenario) -> tuple[tuple[int, Quantity, float], ...]:
    """The initial values a scenario sets, as a regimen keeps them."""
    starts = []
    for name, value in scenario.starts:
        index, scale = state_place(model, name)
        starts.append((index, value, scale))
    return tuple(starts)


def resets_of(scenario: Scenario) -> tuple[Reset, ...]:
    """The resets a scenario writes."""
    return tuple(Reset(time, span=time.span) for time in scenario.resets)


def changes_of(model: Model, scenario: Scenario) -> tuple[ChangeEvent, ...]:
    """What a scenario changes during the run, as a regimen keeps it."""
    return tuple(
        change_event(model, c.name, c.value, c.at, c.lasting, c.every, c.count, span=c.span)
        for c in scenario.changes
    )


def change_event(
    model: Model,
    name: str,
    value: Quantity,
    time: Quantity,
    lasting: Quantity | None = None,
    every: Quantity | None = None,
    count: int = 1,
    order: int = UNORDERED,
    span: Span | None = None,
) -> ChangeEvent:
    """A point or an excursion of a covariate with `hold`, or an input, of a model."""
    definition = model.definitions[name]
    low, high = allowed_range(definition)
    return ChangeEvent(
        name, definition.hold, value, time, lasting, every, count, low, high, order, definition.unit, span
    )


def after_of(model: Model, scenario: Scenario, overrides: Mapping[str, float]) -> After | None:
    """The run whose end is the beginning of a scenario, None where it begins elsewhere.

    Raises
    ------
    SpecError
        If that run sets what the equations compute and this scenario does not: the two runs share one set of
        equations, in which it would be a number in both.
    """
    if scenario.after is None:
        return None
    before = experiment(model, scenario.after)
    computed = [
        name for name in before.overrides if name not in overrides and names_in(model.definitions[name].expr)
    ]
    if computed:
        name = computed[0]
        raise SpecError(
            [
                Diagnostic(
                    "start-after",
                    f"scenario '{scenario.after}' sets '{name}', which follows from other values in scenario "
                    f"'{scenario.name}' that begins after it",
                    (Label(scenario.span),) if scenario.span else (),
                    help=f"set '{name}' in scenario '{scenario.name}' too",
                )
            ]
        )
    return After(before.regimen, before.overrides)


def with_needed(regimen: Regimen) -> Regimen:
    """The regimen with only the definitions it reads, so that it travels light between processes."""
    needed = {name: expr for name, expr in regimen.definitions.items() if name in regimen.reads}
    return replace(regimen, definitions=needed)


def parameter_vector(compiled: CompiledModel, *overrides: Mapping[str, float]) -> NDArray[np.float64]:
    """The model's parameters with some of them replaced, shape (P,), canonical units.

    Parameters
    ----------
    compiled : CompiledModel
    *overrides : mapping of str to float
        Later ones win. A name that the equations do not read is passed over; see `not_in_equations`.
    """
    p = np.array(compiled.parameters(), dtype=float)
    place = {name: index for index, name in enumerate(compiled.parameter_names)}
    for values in overrides:
        for name, value in values.items():
            if name in place:
                p[place[name]] = value
    return p


def not_in_equations(compiled: CompiledModel, names: Iterable[str]) -> tuple[str, ...]:
    """Those of the names that are no leaf parameter of the compiled equations."""
    there = set(compiled.parameter_names)
    return tuple(name for name in names if name not in there)


def sampling_times(bound: BoundRegimen, count: int = DEFAULT_SAMPLES) -> NDArray[np.float64]:
    """Evenly spaced times over a run, and the times of its events, in h.

    Raises
    ------
    ValueError
        If the regimen does not say where it ends, or fewer than two times are asked for.
    """
    if bound.end is None:
        raise ValueError("the regimen has no end; give the times")
    if count < 2:
        raise ValueError(f"count is {count!r}; accepted is 2 or more")
    even = np.linspace(bound.begin, bound.end, count)
    events = [event.time for event in bound.events if bound.begin <= event.time <= bound.end]
    # Rounding must not put two samples at what is one time.
    apart = [t for t in events if np.min(np.abs(even - t)) > 1e-9 * max(abs(t), bound.end - bound.begin)]
    return np.unique(np.concatenate((even, apart)))
