"""The people of a population in numbers, all at once: parameters, doses, and who cannot be run.

What is the same for all is worked out for one of them, the pattern. Who does not follow from it by plain
arithmetic, such as a person with a body that cannot be, is looked at alone; that finds the words for it too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pbpkc.experiment.bind import bind
from pbpkc.experiment.events import BoundRegimen, Event
from pbpkc.experiment.people import People
from pbpkc.experiment.regimen import Regimen
from pbpkc.experiment.scenario import definitions_in, experiment, parameter_vector
from pbpkc.jobs.feasible import doubtful, infeasible
from pbpkc.jobs.settings import with_values
from pbpkc.jobs.simulate import NotRun, bound_at, named
from pbpkc.jobs.variants import Variants
from pbpkc.language.diagnostics import Diagnostic, SpecError, raise_if_errors
from pbpkc.language.evaluate import NotEvaluable, evaluate_definitions
from pbpkc.language.evaluate_many import Many, evaluate_many
from pbpkc.language.expression import Name
from pbpkc.language.model import Model
from pbpkc.language.units import Unit
from pbpkc.solve.batch import Plan

if TYPE_CHECKING:
    from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Cohort:
    """The people who are run in one scenario.

    Parameters
    ----------
    scenario : str
    ids : tuple of str
        Shape (B,).
    compiled : CompiledModel
    p : ndarray, shape (B, P), canonical units
    regimen : Regimen
    plans : tuple of Plan
        One where doses do not depend on who takes them, else one a person.
    plan_of : ndarray of int, shape (B,)
    times : ndarray, shape (T,), h
    overrides : mapping of str to (float or ndarray of shape (B,))
        What people and scenario set, canonical units.
    """

    scenario: str
    ids: tuple[str, ...]
    compiled: CompiledModel
    p: Array
    regimen: Regimen
    plans: tuple[Plan, ...]
    plan_of: Places
    times: Array
    overrides: Mapping[str, float | Array]

    def __len__(self) -> int:
        """How many."""
        return len(self.ids)

    def events(self, person: int) -> tuple[Event, ...]:
        """Doses of one of them as they reach the body."""
        return self.plans[int(self.plan_of[person])].regimen.events

    def given(self, person: int) -> tuple[Event, ...]:
        """Doses of one of them as they are administered: without lag, and whole."""
        return self._given_to_all if len(self.plans) == 1 else self._given(person)

    @cached_property
    def _given_to_all(self) -> tuple[Event, ...]:
        return self._given(0)

    def _given(self, person: int) -> tuple[Event, ...]:
        doses = tuple(replace(dose, lag=None, fraction=None) for dose in self.regimen.doses)
        whole = replace(self.regimen, doses=doses)
        own = {name: _of(value, person) for name, value in self.overrides.items()}
        return bind(whole, {**named(self.compiled, self.p[person]), **own}).events


@dataclass(frozen=True)
class _Person:
    """One of them, looked at alone."""

    compiled: CompiledModel
    p: Array
    regimen: Regimen
    bound: BoundRegimen
    overrides: Mapping[str, float]


def cohort(
    model: Model, variants: Variants, scenario: str, people: People, times: Array
) -> tuple[Cohort | None, list[NotRun]]:
    """People in numbers, for a written scenario.

    Parameters
    ----------
    model : Model
    variants : Variants
    scenario : str
    people : People
    times : ndarray, shape (T,), h
        When each of them is looked at.

    Returns
    -------
    Cohort or None
        Of those who can be run, in the order of `people`.
    list of NotRun
        The others.
    """
    until = float(np.max(times))
    columns = people.columns()
    refused: dict[int, NotRun] = {}
    alone: dict[int, _Person] = {}

    def look_at(b: int) -> bool:
        own = {name: float(column[b]) for name, column in columns.items()}
        try:
            alone[b] = _alone(model, variants, scenario, people.ids[b], own, until)
        except SpecError as error:
            refused[b] = NotRun(scenario, people.ids[b], error.diagnostics)
        return b in alone

    first = next((b for b in range(len(people)) if look_at(b)), None)
    if first is None:
        return None, list(refused.values())
    pattern = alone[first]
    compiled, regimen = pattern.compiled, pattern.regimen
    overrides, doubt = _overrides(model, scenario, columns, first)
    if regimen.after is not None:
        doubt[:] = True  # what the run before sets is worked out with its regimen
    p = np.tile(parameter_vector(compiled), (len(people), 1))
    for name, value in overrides.items():
        if name in compiled.parameter_index:
            p[:, compiled.parameter_index[name]] = value
    for b in np.flatnonzero(doubt).tolist():
        if b > first and look_at(b):
            p[b] = alone[b].p
            for name, column in overrides.items():
                if isinstance(column, np.ndarray):
                    column[b] = alone[b].overrides[name]
    varying = {name for name, value in overrides.items() if isinstance(value, np.ndarray)}
    shared = regimen.after is None and regimen.reads.isdisjoint(varying)
    plans = []
    for b in () if shared else range(len(people)):
        if b in refused:
            continue
        try:
            bound = alone[b].bound if b in alone else _bound(pattern, p[b], overrides, b, until)
        except SpecError as error:
            refused[b] = NotRun(scenario, people.ids[b], error.diagnostics)
        else:
            plans.append(Plan(bound, times))
    kept = np.array([b for b in range(len(people)) if b not in refused], dtype=np.int64)
    found = Cohort(
        scenario, tuple(people.ids[b] for b in kept.tolist()), compiled, p[kept], regimen,
        (Plan(pattern.bound, times),) if shared else tuple(plans),
        np.zeros(len(kept), dtype=np.int64) if shared else np.arange(len(kept), dtype=np.int64), times,
        {name: value[kept] if isinstance(value, np.ndarray) else value for name, value in overrides.items()},
    )  # fmt: skip
    return found, [refused[b] for b in sorted(refused)]


def _alone(
    model: Model, variants: Variants, scenario: str, id: str, values: Mapping[str, float], until: float
) -> _Person:
    """A person in numbers.

    Raises
    ------
    SpecError
        If the values lie outside the bounds of covariates, or no body can be as they say.
    """
    raise_if_errors(list(_outside(model, id, values)))
    plan = experiment(with_values(model, values), scenario)
    overrides = {**values, **plan.overrides}
    raise_if_errors(infeasible(model, overrides, f"person '{id}' in scenario '{scenario}'"))
    compiled, p, bound = bound_at(variants, plan.regimen, overrides, until)
    return _Person(compiled, p, plan.regimen, bound, overrides)


def _outside(model: Model, id: str, values: Mapping[str, float]) -> Iterator[Diagnostic]:
    """Covariates outside their bounds, and masked parameters below zero that cannot be."""
    for name, value in values.items():
        definition = model.definitions[name]
        bounds, unit = definition.bounds, definition.unit
        if definition.mask is not None and value < 0.0 <= definition.mask.low:
            yield Diagnostic(
                "out-of-bounds",
                f"person '{id}': '{name}' is {_shown(value, unit)} {unit}, below zero",
                help=f"the spec estimates it from {_shown(definition.mask.low, unit)} {unit} on",
            )
        if bounds is None or bounds[0] <= value <= bounds[1]:
            continue
        shown, low, high = (_shown(x, unit) for x in (value, *bounds))
        yield Diagnostic(
            "out-of-bounds",
            f"person '{id}': the covariate '{name}' is {shown} {unit}",
            help=f"the spec allows ({low}, {high}) {unit}",
        )


def beyond_masks(model: Model, people: People) -> list[Diagnostic]:
    """A warning for each masked parameter that is beyond its bounds in some people."""
    found = []
    for name, column in people.columns().items():
        mask, unit = model.definitions[name].mask, model.definitions[name].unit
        if mask is None:
            continue
        who = np.flatnonzero((column < mask.low) | (column > mask.high))
        if who.size:
            low, high, one = (_shown(x, unit) for x in (mask.low, mask.high, float(column[who[0]])))
            found.append(
                Diagnostic(
                    "out-of-bounds",
                    f"{who.size} of {len(people)} people have '{name}' outside the bounds of the masked "
                    f"parameter, ({low}, {high}) {unit}: id {people.ids[who[0]]} has {one}",
                    help="what can be computed is computed all the same; check the numbers and their unit",
                    severity="warning",
                )
            )
    return found


def _shown(canonical: float, unit: Unit) -> str:
    return f"{(canonical - float(unit.offset)) / float(unit.factor):g}"


def _overrides(
    model: Model, scenario: str, columns: Mapping[str, Array], first: int
) -> tuple[dict[str, float | Array], NDArray[np.bool_]]:
    """What people and scenario set, and of whom more must be known than arithmetic on arrays tells."""
    own = with_values(model, {name: float(column[first]) for name, column in columns.items()})
    written = own.scenarios[scenario]
    # A setting may read what it replaces, `set CL = 0.5 * CL`: the person's, under another name.
    apart = {
        name: replace(own.definitions[name], expr=Name(own.definitions[name].expr.dim, _hidden(name)))
        for name in columns
    }
    definitions = definitions_in(replace(own, definitions={**own.definitions, **apart}), written)
    people = {_hidden(name): Many.of(column) for name, column in columns.items()}
    lookup = evaluate_definitions(definitions, people, value=evaluate_many)
    found: dict[str, float | Array] = {name: column.copy() for name, column in columns.items()}
    count = len(next(iter(columns.values())))
    doubt = np.zeros(count, dtype=bool)
    for name, _ in written.sets:
        try:
            value = lookup(name)
        except (NotEvaluable, ArithmeticError, ValueError):
            value = Many(np.full(count, np.nan), np.ones(count, dtype=bool))
        found[name] = value.values.astype(float) if isinstance(value, Many) else float(value)
        if isinstance(value, Many):
            doubt |= value.none
    for name, column in columns.items():
        bounds = model.definitions[name].bounds
        if bounds is not None:
            doubt |= ~((column >= bounds[0]) & (column <= bounds[1]))
        mask = model.definitions[name].mask
        if mask is not None and mask.low >= 0.0:
            doubt |= column < 0.0
    values = {name: Many.of(v) if isinstance(v, np.ndarray) else v for name, v in found.items()}
    return found, doubt | doubtful(model, values, count)


def _hidden(name: str) -> str:
    return f"{name} of the person"  # no name of a spec has blanks


def _bound(
    pattern: _Person, p: Array, overrides: Mapping[str, float | Array], person: int, until: float
) -> BoundRegimen:
    """The doses of a person in numbers."""
    index = pattern.compiled.parameter_index
    values = {name: float(p[index[name]]) for name in pattern.regimen.reads if name in index}
    for name in pattern.regimen.reads & overrides.keys():
        values[name] = _of(overrides[name], person)
    return bind(pattern.regimen, values, until=until)


def _of(value: float | Array, person: int) -> float:
    return float(value[person]) if isinstance(value, np.ndarray) else value
