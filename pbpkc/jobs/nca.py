"""Non-compartmental figures of simulated curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pbpkc.experiment.nca import NCAOptions, nca, units
from pbpkc.experiment.nca_file import volume_factor
from pbpkc.experiment.nca_options import Route
from pbpkc.experiment.nca_table import NCARow, NCATable
from pbpkc.jobs.simulate import SimulatedRun, Simulation
from pbpkc.language.diagnostics import Diagnostic
from pbpkc.language.evaluate import NotEvaluable, evaluate_definitions
from pbpkc.language.expression import names_in
from pbpkc.language.model import Model, Observable
from pbpkc.language.units import AMOUNT, MASS, VOLUME, Unit, parse_unit


def nca_of(simulation: Simulation, options: NCAOptions | None = None) -> Mapping[str, NCATable]:
    """The figures of every concentration of a simulation, by observable.

    The route is a bolus or an infusion when the dose goes into blood or a pool, extravascular when it goes
    anywhere else. Curves after more than one dose are refused: a single-dose analysis does not apply.

    Parameters
    ----------
    simulation : Simulation
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


def _table(simulation: Simulation, observable: Observable, options: NCAOptions) -> NCATable:
    rows: list[NCARow] = []
    refused: list[Diagnostic] = []
    time = parse_unit("h")
    dose_unit = _dose_unit(observable)
    for run in simulation.runs:
        where = f"{run.scenario} {run.id}".strip()
        given = [e for e in run.given if e.kind != "stop"]
        if len(given) != 1 or not run.trajectory.outcome.ok:
            what = f"{len(given)} doses" if len(given) != 1 else "no complete curve"
            refused.append(
                Diagnostic(
                    "nca-doses",
                    f"'{where}' has {what}, so it has no non-compartmental figures",
                    help="name scenarios with one dose and a whole curve",
                    severity="note",
                )
            )
            continue
        rows.append(_row(simulation.model, run, observable, options, dose_unit))
    text = dose_unit.text if dose_unit else "1"
    names = units(time.text, observable.unit.text, text)
    if dose_unit is not None:
        volume = volume_factor(dose_unit, observable.unit)[1]
        names = {**names, "cl_obs": f"{volume}/h", "vz_obs": volume, "vss_obs": volume}
    remarks = (f"'{observable.name}' in {observable.unit}, times in [h]; AUC {options.auc_method}",)
    return NCATable(("scenario", "id"), tuple(rows), names, remarks, tuple(refused))


def _dose_unit(observable: Observable) -> Unit | None:
    return parse_unit("mg") if observable.unit.dimension == MASS / VOLUME else parse_unit("umol")


def _row(
    model: Model, run: SimulatedRun, observable: Observable, options: NCAOptions, dose_unit: Unit | None
) -> NCARow:
    first = next(e for e in run.given if e.kind != "stop")
    stop = next((e for e in run.given if e.kind == "stop"), None)
    duration = stop.time - first.time if stop is not None else None
    amount = first.value * (duration if duration is not None else 1.0)
    node = model.states[first.state].node
    route: Route = "extravascular"
    if node is not None and model.nodes[node].kind in ("blood", "pool"):
        route = "infusion" if duration is not None else "bolus"
    chosen = replace(options, route=route, infusion_duration=duration if route == "infusion" else None)
    dose, scaled = _dose(model, run, amount, observable, dose_unit)
    curve = run.trajectory.observable(observable.name)
    after = run.trajectory.time >= first.time
    # Rounding below zero is no measurement; the figures refuse what is truly negative.
    values = np.where(np.abs(curve) < 1e-9 * np.nanmax(np.abs(curve)), np.maximum(curve, 0.0), curve)
    result = nca(run.trajectory.time[after] - first.time, values[after], dose=scaled, options=chosen)
    return NCARow((run.scenario, run.id), dose, result)


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
