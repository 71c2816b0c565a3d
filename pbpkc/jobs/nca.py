"""Non-compartmental figures of simulated curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from pbpkc.experiment.events import Event
from pbpkc.experiment.nca import NCAOptions, nca, units
from pbpkc.experiment.nca_file import volume_factor
from pbpkc.experiment.nca_options import Route
from pbpkc.experiment.nca_table import NCARow, NCATable
from pbpkc.jobs.simulate import SimulatedRun
from pbpkc.language.diagnostics import Diagnostic
from pbpkc.language.evaluate import NotEvaluable, evaluate_definitions
from pbpkc.language.expression import names_in
from pbpkc.language.model import Model, Observable
from pbpkc.language.units import AMOUNT, MASS, VOLUME, Unit, parse_unit

_OVER_FRACTION = (
    "only a fraction of the dose is available: clearance and volumes are of the whole dose, CL/F and V/F"
)


class Simulated(Protocol):
    """Runs of a model, such as a `pbpkc.jobs.simulate.Simulation`."""

    @property
    def model(self) -> Model:
        """What was run."""

    @property
    def runs(self) -> Sequence[SimulatedRun]:
        """Each run."""


def nca_of(simulation: Simulated, options: NCAOptions | None = None) -> Mapping[str, NCATable]:
    """The figures of every concentration of a simulation, by observable.

    The route is a bolus or an infusion when the dose goes into blood or a pool, extravascular when it goes
    anywhere else. Time 0 of a dose into blood or a pool is its arrival, so a lag is no part of its curve;
    that of an extravascular dose is when it was given. A curve to which a single-dose analysis does not apply
    has a note in its place. There is a summary only over the individuals of one scenario: scenarios differ by
    intent, and a mean over them says nothing.

    Parameters
    ----------
    simulation : Simulation, or anything else with runs
    options : NCAOptions, optional
        `route` and `infusion_duration` are set from the doses.
    """
    base = options or NCAOptions()
    tables = {}
    for observable in simulation.model.observables:
        if observable.unit.dimension not in (MASS / VOLUME, AMOUNT / VOLUME):
            continue
        tables[observable.name] = _table(simulation, observable, base)
    return tables


def _table(simulation: Simulated, observable: Observable, options: NCAOptions) -> NCATable:
    rows: list[NCARow] = []
    refused: list[Diagnostic] = []
    time = parse_unit("h")
    dose_unit = _dose_unit(observable)
    for run in simulation.runs:
        found: NCARow | str = _unsuitable(run)
        if not found:
            found = _row(simulation.model, run, observable, options, dose_unit)
        if isinstance(found, NCARow):
            rows.append(found)
            continue
        where = f"{run.scenario} {run.id}".strip()
        refused.append(
            Diagnostic(
                "nca-doses",
                f"'{where}' has {found}, so it has no non-compartmental figures",
                help="name scenarios with one dose and a whole curve",
                severity="note",
            )
        )
    text = dose_unit.text if dose_unit else "1"
    names = units(time.text, observable.unit.text, text)
    if dose_unit is not None:
        volume = volume_factor(dose_unit, observable.unit)[1]
        names = {**names, "cl_obs": f"{volume}/h", "vz_obs": volume, "vss_obs": volume}
    remarks = (f"'{observable.name}' in {observable.unit}, times in [h]; AUC {options.auc_method}",)
    alike = len({row.group[0] for row in rows}) == 1
    return NCATable(("scenario", "id"), tuple(rows), names, remarks, tuple(refused), alike)


def _unsuitable(run: SimulatedRun) -> str:
    """What a run has that a single-dose analysis does not apply to; empty if it has nothing of the kind."""
    given = [e for e in run.given if e.gives]
    if any(e.kind == "reset" for e in run.events):
        return "a reset"
    if any(e.kind == "steady" for e in run.events):
        return "doses at steady state"
    if len(given) != 1:
        return f"{len(given)} doses"
    if not run.trajectory.outcome.ok:
        return "no complete curve"
    if not given[0].value > 0:
        return "a dose of 0"
    arrival = next(e.time for e in run.events if e.gives)
    if not (run.trajectory.time > arrival).any():
        return "no sample after its dose"
    return ""


def _dose_unit(observable: Observable) -> Unit | None:
    return parse_unit("mg") if observable.unit.dimension == MASS / VOLUME else parse_unit("umol")


def _row(
    model: Model, run: SimulatedRun, observable: Observable, options: NCAOptions, dose_unit: Unit | None
) -> NCARow | str:
    """The figures of a run, or what it has that they cannot be made of."""
    first, given = _amount(run.given)
    arrival, arrived = _amount(run.events)
    stop = next((e for e in run.events if e.kind == "stop"), None)
    duration = stop.time - arrival.time if stop is not None else None
    state = model.states[first.state]
    route: Route = "extravascular"
    if state.space == "blood" or (state.node and model.nodes[state.node].kind in ("blood", "pool")):
        route = "infusion" if duration is not None else "bolus"
    chosen = replace(options, route=route, infusion_duration=duration if route == "infusion" else None)
    dose, scaled = _dose(model, run, given, observable, dose_unit)
    curve = run.trajectory.observable(observable.name)
    zero = first.time if route == "extravascular" else arrival.time
    after = run.trajectory.time >= zero
    # Rounding below zero is no measurement; the figures refuse what is truly negative.
    values = np.where(np.abs(curve) < 1e-9 * np.nanmax(np.abs(curve)), np.maximum(curve, 0.0), curve)
    try:
        result = nca(run.trajectory.time[after] - zero, values[after], dose=scaled, options=chosen)
    except ValueError as error:
        return f"a curve that cannot be analysed ({error})"
    if scaled is not None and not math.isclose(given, arrived, rel_tol=1e-12):
        result = replace(result, notes=(_OVER_FRACTION, *result.notes))
    return NCARow((run.scenario, run.id), dose, result)


def _amount(events: Sequence[Event]) -> tuple[Event, float]:
    """The first event of a dose, and how much is given; rates of an infusion times its duration."""
    first = next(e for e in events if e.gives)
    stop = next((e for e in events if e.kind == "stop"), None)
    return first, first.value * (stop.time - first.time if stop is not None else 1.0)


def _dose(
    model: Model, run: SimulatedRun, amount: float, observable: Observable, dose_unit: Unit | None
) -> tuple[str | None, float | None]:
    """The dose as text, and in concentration unit times litre."""
    species = run.given[0].species
    if dose_unit is None or species not in _species_seen(model, observable):
        return None, None  # a clearance is of what was given: a metabolite has none
    canonical = amount
    if dose_unit.dimension == MASS:
        lookup = evaluate_definitions({k: d.expr for k, d in model.definitions.items()}, {})
        try:
            canonical = amount * float(lookup(f"{species}.mw"))
        except (KeyError, NotEvaluable):
            return None, None
    value = canonical / float(dose_unit.factor)
    return f"{value:.6g} {dose_unit.text}", value * volume_factor(dose_unit, observable.unit)[0]


def _species_seen(model: Model, observable: Observable) -> set[str | None]:
    """The species of the states that an observable depends on."""
    states = {state.name: state.species for state in model.states}
    found: set[str | None] = set()
    seen: set[str] = set()
    todo = sorted(names_in(observable.expr))
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in states:
            found.add(states[name])
        elif name in model.definitions:
            todo.extend(names_in(model.definitions[name].expr))
    return found
