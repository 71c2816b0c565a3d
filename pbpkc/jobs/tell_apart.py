"""Which masked parameters the experiments of a spec could tell apart, found before any data.

One item for each kind of scenario, on all observables of the spec; see
`pbpkc.infer.structural`. A parameter that no observable depends on is found from the equations alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pbpkc.check.coverage import like_scenarios
from pbpkc.check.report import CheckItem, Status
from pbpkc.experiment.bind import bind
from pbpkc.experiment.changes import ChangeEvent
from pbpkc.experiment.events import BoundRegimen
from pbpkc.experiment.regimen import DoseEvent, Regimen
from pbpkc.experiment.scenario import changes_of, dose_event, experiment, parameter_vector, sampling_times
from pbpkc.infer.assemble import FIT_RTOL, fitted_parameter
from pbpkc.infer.structural import Curves, Told, structural_identifiability
from pbpkc.infer.transform import ParameterSpace
from pbpkc.jobs.simulate import named
from pbpkc.jobs.variants import Variants
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.sensitivity import simulate_with_sensitivities

if TYPE_CHECKING:
    from pbpkc.jobs.spec import Spec

Array = NDArray[np.float64]

#: Evenly spaced times of each curve, and those close behind each of the first doses.
EVEN = 60
BEHIND = 20
DOSES = 3

#: A parameter that needs measurements better than this is worth a word.
DELICATE = 0.05


def tell_apart(loaded: Spec, variants: Variants) -> Iterable[CheckItem]:
    """The items of the group ``identifiable``; none where nothing is masked or no scenario is written."""
    in_curves, measured = _read(loaded)
    masked = [d.name for d in loaded.model.masked]
    for name in masked:
        if name not in measured:
            yield CheckItem("identifiable", name, "warning", "masked, and no observable depends on it")
    stands_for = like_scenarios(loaded.model)
    space = _space(loaded, [name for name in masked if name in in_curves])
    if space is None or not stands_for:
        return
    curves = {name: _curves(loaded, variants, name, space) for name in stands_for}
    try:
        each, together = structural_identifiability(space, list(curves.values()))
    except ValueError as error:
        yield CheckItem("identifiable", "", "note", f"not examined: {error}")
        return
    for name, told in zip(curves, each, strict=True):
        others = f" (the same: {', '.join(stands_for[name])})" if stands_for[name] else ""
        # What one kind of scenario leaves open another may tell; what the only kind does, nothing will.
        lost: Status = "warning" if len(curves) == 1 else "note"
        yield CheckItem("identifiable", name, "held" if told.all else lost, _text(told, space) + others)
    if not together.all and len(curves) > 1:
        text = f"all scenarios together: {_text(together, space)}"
        yield CheckItem("identifiable", "", "warning", text)


def _text(told: Told, space: ParameterSpace) -> str:
    names = space.names
    lost = [one for one in told.verdict.parameters if not one.identifiable]
    if not lost:
        text = f"the observables tell the {len(names)} masked parameters of the curves apart"
        if len(names) == 1:
            text = f"the observables determine {names[0]}"
        if told.error < DELICATE:
            text += f"; {told.hardest} only if measurements err by less than {100.0 * told.error:.2g} %"
        return text
    unseen = [one.parameter for one in lost if one.parameter in told.unseen]
    mixed = [one.parameter for one in lost if one.parameter not in told.unseen]
    parts = [f"no observable depends on {_listed(unseen)}"] if unseen else []
    if mixed:
        only = [found.leading for found in told.verdict.combinations]
        rest = f"; what the data determine is {_listed(only)}" if only else ""
        apart = "cannot be told apart" if len(mixed) > 1 else "cannot be told"
        parts.append(f"{_listed(mixed)} {apart}, whatever the data{rest}")
    return "; ".join(parts)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _space(loaded: Spec, names: list[str]) -> ParameterSpace | None:
    entries = {e["name"]: e for e in loaded.compiled.manifest["parameters"]}
    parameters = tuple(fitted_parameter(entries[name], {}) for name in names if name in entries)
    return ParameterSpace(parameters) if parameters else None


def _read(loaded: Spec) -> tuple[frozenset[str], frozenset[str]]:
    """Names that some curve depends on, and those that anything measured depends on.

    The first are read by the equations behind an observable, or by the doses of a written scenario; the
    second also by error models, populations and the dose lines of a data block.
    """
    model = loaded.model
    curves = {name for seen in loaded.stages.analysed.depends.influence.values() for name in seen}
    rows: list[DoseEvent] = []
    changes: list[ChangeEvent] = []
    for scenario in model.scenarios.values():
        if scenario.data is None:
            curves |= experiment(model, scenario.name).regimen.reads
        else:
            rows += [dose_event(model, dose) for _, _, dose in scenario.data.dose_rows]
            changes += changes_of(model, scenario)
    definitions = {name: definition.expr for name, definition in model.definitions.items()}
    errors = [e for o in model.observables if o.error for e in (o.error.proportional, o.error.additive) if e]
    limits = [o.lloq for o in model.observables if o.lloq]
    # The spread of a population shows between people, not in one person's curves.
    spreads = [e for p in model.populations.values() for v in p.variations for e in v.arguments.values()]
    # A regimen knows what its quantities read, through definitions.
    starts = tuple((0, e, 1.0) for e in (*errors, *limits, *spreads))
    others = Regimen(tuple(rows), starts, definitions=definitions, changes=tuple(changes))
    return frozenset(curves), frozenset(curves | others.reads)


def _curves(loaded: Spec, variants: Variants, name: str, space: ParameterSpace) -> Curves:
    plan = experiment(loaded.model, name)
    _, compiled = variants.for_settings(plan.overrides)
    places = {n: i for i, n in enumerate(compiled.parameter_names)}
    # A masked name that the scenario sets keeps its value there.
    free = [i for i, n in enumerate(space.names) if n in places and n not in plan.overrides]
    columns = [places[space.names[i]] for i in free]

    def curves(theta: Array) -> tuple[Array, Array]:
        values = {n: float(v) for n, v in zip(space.names, theta, strict=True)} | dict(plan.overrides)
        p = parameter_vector(compiled, values)
        bound = bind(plan.regimen, {**named(compiled, p), **values}, [space.names[i] for i in free])
        times = _times(bound)
        run = simulate_with_sensitivities(compiled, p, bound, times, columns, SolverOptions(rtol=FIT_RTOL))
        assert run.d_observables_dp is not None
        slopes = np.zeros((*run.observables.shape, space.size))
        slopes[..., free] = run.d_observables_dp
        if not run.outcome.ok:
            slopes[:] = np.nan
        return run.observables, slopes

    return curves


def _times(bound: BoundRegimen) -> Array:
    """Times over the whole run, and close behind the first doses."""
    even = sampling_times(bound, EVEN)
    begins = list(dict.fromkeys([bound.begin, *(event.time for event in bound.events)]))[:DOSES]
    close = [begin + (even[-1] - bound.begin) * np.geomspace(1e-4, 0.1, BEHIND) for begin in begins]
    times = np.unique(np.concatenate((even, *close)))
    kept: Array = times[times <= even[-1]]
    return kept
