"""Where data looked at an unknown term: its arguments along fitted trajectories, and its curve there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pbpkc.compiler.missing import Learned
from pbpkc.compiler.numeric import Evaluation
from pbpkc.experiment.bind import bind
from pbpkc.experiment.data import Subject
from pbpkc.experiment.scenario import parameter_vector
from pbpkc.jobs.simulate import named
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.model import Unknown
from pbpkc.report.term_curves import TermCurve
from pbpkc.solve.dense import simulate_dense
from pbpkc.solve.options import SolverOptions

if TYPE_CHECKING:
    from pbpkc.jobs.fit import Fitted
    from pbpkc.jobs.spec import Spec

Array = NDArray[np.float64]

#: Points of a curve within the visited range, and of each side beyond it.
POINTS = 81
BEYOND = 40

_SOLVER = SolverOptions(rtol=1e-7)


def visited(spec: Spec, fitted: Fitted, learned: Learned) -> dict[str, Array]:
    """The arguments of a learned term along each fitted trajectory, up to the last observation.

    Returns
    -------
    dict of id to ndarray, shape (m, arguments)
        For each estimate: of a subject, or of all together along the trajectories of all. Canonical, at the
        ends of the solver's steps, all calls of the term together. What has no estimate is left out.
    """
    found = {}
    names = [str(p["name"]) for p in fitted.result.parameters]
    for one in fitted.result.fits:
        theta = dict(zip(names, one.theta, strict=True)) if one.theta else {}
        parts = [
            _along(spec, fitted, learned, subject, theta)
            for subject in fitted.dataset.subjects
            if theta and len(subject.time) and (one.members or subject.id == one.id)
        ]
        seen = [part for part in parts if len(part)]
        if seen:
            found[one.id] = np.concatenate(seen)
    return found


def _along(
    spec: Spec, fitted: Fitted, learned: Learned, subject: Subject, theta: Mapping[str, float]
) -> Array:
    """The arguments along one subject's trajectory at an estimate, shape (m, arguments)."""
    compiled, dataset = fitted.compiled, fitted.dataset
    nothing = np.zeros((0, len(learned.unknown.arguments)))
    overrides = {**dataset.overrides, **subject.covariates, **theta}
    p = parameter_vector(compiled, overrides)
    try:
        bound = bind(subject.regimen, {**named(compiled, p), **overrides})
    except SpecError:
        return nothing  # a dose that means nothing at the estimate was told with the subject
    run = simulate_dense(compiled, p, bound, float(np.max(subject.time)), _SOLVER)
    if not run.steps:
        return nothing
    ends = [np.array([s.begin, s.end]) for s in run.steps]
    y = np.concatenate([s.states(t) for s, t in zip(run.steps, ends, strict=True)])
    u = np.concatenate([s.segment.inputs_at(t) for s, t in zip(run.steps, ends, strict=True)])
    return _arguments(spec, learned, np.concatenate(ends), y, u, named(compiled, p))


def _arguments(
    spec: Spec, learned: Learned, t: Array, y: Array, u: Array, values: Mapping[str, float]
) -> Array:
    system = spec.stages.lowered
    leaves = {p.symbol: np.asarray(values.get(p.name, p.value)) for p in system.parameters}
    # What a scenario sets although the spec computes it.
    leaves |= {c.symbol: np.asarray(values[c.name]) for c in system.constants if c.name in values}
    leaves |= {s.symbol: y[:, k] for k, s in enumerate(system.states)}
    leaves |= {i.symbol: u[:, k] for k, i in enumerate(system.inputs)}
    leaves[system.time] = t
    evaluation = Evaluation(system, leaves)
    symbols = {a.name: a.symbol for a in (*system.constants, *system.curves)}
    calls = [
        np.stack(
            [np.broadcast_to(evaluation.value(symbols[name]), t.shape) for name in call if name in symbols],
            axis=1,
        )
        for call in learned.calls
        if all(name in symbols for name in call)
    ]
    return np.concatenate(calls) if calls else np.zeros((0, len(learned.unknown.arguments)))


def curves(
    spec: Spec, fitted: Fitted, learned: Learned, seen: Mapping[str, Array] | None = None
) -> tuple[TermCurve, ...]:
    """The curve of a learned term for each estimate and argument, with its band and what was visited.

    `seen` is what `visited` gave, where that was asked already.
    """
    names = [str(p["name"]) for p in fitted.result.parameters]
    seen = visited(spec, fitted, learned) if seen is None else seen
    found = []
    for one in fitted.result.fits:
        if one.id not in seen or not len(seen[one.id]):
            continue
        places = [names.index(n) if n in names else -1 for n in learned.coefficients]
        held_at = named(fitted.compiled, parameter_vector(fitted.compiled, fitted.dataset.overrides))
        theta = np.array(
            [
                one.theta[k] if k >= 0 else held_at[n]
                for k, n in zip(places, learned.coefficients, strict=True)
            ]
        )
        free = [j for j, k in enumerate(places) if k >= 0]
        covariance = np.array(one.covariance)[np.ix_([places[j] for j in free], [places[j] for j in free])]
        scale = np.array(
            [theta[j] if learned.form.coefficients[j].mask.scale == "log" else 1.0 for j in free]
        )
        arguments = learned.unknown.arguments
        middle = np.median(seen[one.id], axis=0)
        for k, argument in enumerate(arguments):
            low, high = float(seen[one.id][:, k].min()), float(seen[one.id][:, k].max())
            at = _grid(argument.low, argument.high, low, high)
            grid = [at if j == k else np.full_like(at, middle[j]) for j in range(len(arguments))]
            value = learned.form.values(learned.unknown, grid, theta)
            slopes = learned.form.slopes(learned.unknown, grid, theta)[:, free] * scale
            spread = np.sqrt(np.maximum(np.einsum("mi,ij,mj->m", slopes, covariance, slopes), 0.0))
            bottom, top = band(value, one.quantile * spread, learned.unknown)
            found.append(
                TermCurve(
                    one.id,
                    learned.unknown.name,
                    argument.name,
                    at,
                    {a.name: float(middle[j]) for j, a in enumerate(arguments) if j != k},
                    value,
                    bottom,
                    top,
                    (at >= low - 1e-12) & (at <= high + 1e-12),
                )
            )
    return tuple(found)


def _grid(low: float, high: float, first: float, last: float) -> Array:
    """The declared range, densely where data looked."""
    near = min(high, last + 0.7 * (last - first)), max(low, first - 0.2 * (last - first))
    parts = [
        np.linspace(low, high, BEYOND),
        np.linspace(first, last, POINTS),
        np.linspace(last, near[0], BEYOND),
        np.linspace(near[1], first, BEYOND),
    ]
    return np.unique(np.concatenate(parts))


def band(value: Array, distance: Array, unknown: Unknown) -> tuple[Array, Array]:
    """Ends of an interval around a term's values, within its range.

    Relative where the term is positive by declaration: a factor of exp(distance / value) to both sides.
    """
    limits = unknown.range or (-np.inf, np.inf)
    if limits[0] >= 0.0:
        with np.errstate(all="ignore"):
            factor = np.exp(np.minimum(np.where(value > 0.0, distance / value, 0.0), 50.0))
        low, high = value / factor, value * factor
    else:
        low, high = value - distance, value + distance
    return np.clip(low, *limits), np.clip(high, *limits)
