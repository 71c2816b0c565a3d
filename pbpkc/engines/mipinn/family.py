"""The family of tasks that a model is trained on: who the patient may be, and what may be given.

A task is a vector of parameters and a regimen. What varies is read from the spec: masked parameters over
their priors and at least a factor of 8 to both sides of the median (fits start there), covariates over their
bounds, what a population varies over its distribution; doses and the lengths of infusions by factors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from pbpkc.body.people import JointDistribution
from pbpkc.experiment.bind import bind
from pbpkc.experiment.events import BoundRegimen, Event
from pbpkc.experiment.regimen import Regimen
from pbpkc.infer.compiled_predictor import enters_prediction
from pbpkc.infer.priors import support
from pbpkc.infer.starts import FACTOR
from pbpkc.language.model import Prior
from pbpkc.runtime.compiled import CompiledModel

Array = NDArray[np.float64]

#: Share of a prior that training leaves out at each end.
TAIL = 1e-3


@dataclass(frozen=True)
class Range:
    """What training draws one parameter from.

    Parameters
    ----------
    name : str
    low, high : float
        Canonical units.
    log : bool
        Drawn evenly in the logarithm, else evenly.
    why : {"masked", "covariate", "population"}
    """

    name: str
    low: float
    high: float
    log: bool
    why: str


@dataclass(frozen=True)
class Pattern:
    """One regimen of the family.

    Parameters
    ----------
    name : str
        Of the scenario, with the individual's id where a data file gives it.
    regimen : Regimen
    overrides : mapping of str to float
        Values that the scenario or the individual sets, canonical units.
    end : float, h
        Until when the task runs.
    """

    name: str
    regimen: Regimen
    overrides: Mapping[str, float]
    end: float


@dataclass(frozen=True)
class Family:
    """Everything tasks are drawn from.

    Parameters
    ----------
    ranges : tuple of Range
    patterns : tuple of Pattern
        Tasks take them in turn.
    dose : (float, float)
        Factors on amounts, drawn evenly in the logarithm.
    infusion : (float, float)
        Factors on the lengths of infusions at the same amount.
    people : JointDistribution, optional
        A population; what it varies is not among `ranges`.
    """

    ranges: tuple[Range, ...]
    patterns: tuple[Pattern, ...]
    dose: tuple[float, float] = (0.5, 2.0)
    infusion: tuple[float, float] = (1.0, 1.0)
    people: JointDistribution | None = None


@dataclass(frozen=True)
class Task:
    """One member of the family.

    Parameters
    ----------
    number : int
    pattern : str
    p : array, shape (P,), canonical units
    regimen : BoundRegimen
    end : float, h
    """

    number: int
    pattern: str
    p: Array
    regimen: BoundRegimen
    end: float


def parameter_ranges(compiled: CompiledModel, taken: Sequence[str] = ()) -> tuple[Range, ...]:
    """What training varies of a model.

    Parameters
    ----------
    compiled : CompiledModel
    taken : sequence of str
        Names that vary in another way (by a population, or as each scenario sets them).
    """
    entries = compiled.manifest["parameters"]
    acts = enters_prediction(compiled, np.arange(len(entries)))
    found = []
    for entry, enters in zip(entries, acts.tolist(), strict=True):
        name = str(entry["name"])
        if name in taken or not enters:
            continue
        if entry["mask"]:
            low, high, log = _masked_range(entry)
            found.append(Range(name, low, high, log, "masked"))
        elif entry["kind"] == "covariate" and entry["bounds"] and all(map(math.isfinite, entry["bounds"])):
            low, high = map(float, entry["bounds"])
            found.append(Range(name, low, high, False, "covariate"))
    return tuple(found)


def _masked_range(entry: Mapping[str, object]) -> tuple[float, float, bool]:
    """Where a masked parameter is drawn from, inside its bounds."""
    mask: Mapping[str, object] = entry["mask"]  # type: ignore[assignment]
    low, high = float(mask["low"]), float(mask["high"])  # type: ignore[arg-type]
    median, log = float(entry["value"]), mask["scale"] == "log"  # type: ignore[arg-type]
    begin, end = median, median
    if mask["prior"] is not None:
        told: Mapping[str, object] = mask["prior"]  # type: ignore[assignment]
        begin, end = _quantiles(Prior(str(told["family"]), dict(told["arguments"])))  # type: ignore[call-overload]
    if log:
        begin, end = min(begin, median / FACTOR), max(end, median * FACTOR)
    elif mask["prior"] is None and math.isfinite(low) and math.isfinite(high):
        begin, end = low, high
    elif begin == end:
        width = abs(median) or 1.0
        begin, end = median - width, median + width
    begin, end = max(begin, low), min(end, high)
    if log and begin <= 0.0:
        begin = min(1e-3 * median, end / FACTOR)
    return begin, end, log


def _quantiles(prior: Prior) -> tuple[float, float]:
    """The ends of what a prior leaves but for `TAIL` on each side."""
    a, z = prior.arguments, -float(ndtri(TAIL))
    if prior.family == "lognormal":
        return a["median"] * math.exp(-z * a["sdlog"]), a["median"] * math.exp(z * a["sdlog"])
    if prior.family == "normal":
        return a["mean"] - z * a["sd"], a["mean"] + z * a["sd"]
    if prior.family == "halfnormal":
        return 0.0, -float(ndtri(TAIL / 2.0)) * a["sd"]
    return support(prior)


def draw_task(family: Family, compiled: CompiledModel, number: int, seed: int) -> Task:
    """One task; it depends on the family, the seed and its number alone.

    Raises
    ------
    SpecError
        If a dose of the scenario means nothing for the parameters drawn.
    """
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
    pattern = family.patterns[number % len(family.patterns)]
    p = compiled.parameters()
    place = compiled.parameter_index

    def put(name: str, value: float) -> None:
        if name in place:
            p[place[name]] = value

    if family.people is not None:
        normal = generator.standard_normal(len(family.people.marginals))
        values = family.people.from_normal(normal[None])[0]
        for name, value in zip(family.people.names, values.tolist(), strict=True):
            put(name, value)
    for one in family.ranges:
        at = generator.random()
        if one.log:
            put(one.name, one.low * (one.high / one.low) ** at)
        else:
            put(one.name, one.low + at * (one.high - one.low))
    for name, value in pattern.overrides.items():
        put(name, value)
    dose = family.dose[0] * (family.dose[1] / family.dose[0]) ** generator.random()
    length = family.infusion[0] * (family.infusion[1] / family.infusion[0]) ** generator.random()
    values = dict(zip(compiled.parameter_names, p.tolist(), strict=True))
    regimen = bind(pattern.regimen, {**pattern.overrides, **values})
    return Task(number, pattern.name, p, scaled(regimen, dose, length), pattern.end)


def corners(family: Family, compiled: CompiledModel) -> list[Task]:
    """Tasks at the ends of what the family gives: the smallest and largest doses and lengths of infusions.

    Drawn tasks come near the ends and do not reach them; these say how far segments and doses may go.
    """
    found = []
    for pattern in family.patterns:
        p = compiled.parameters()
        for name, value in pattern.overrides.items():
            if name in compiled.parameter_index:
                p[compiled.parameter_index[name]] = value
        values = dict(zip(compiled.parameter_names, p.tolist(), strict=True))
        regimen = bind(pattern.regimen, {**pattern.overrides, **values})
        found += [
            Task(-1, pattern.name, p, scaled(regimen, dose, length), pattern.end)
            for dose in family.dose
            for length in family.infusion
        ]
    return found


def scaled(regimen: BoundRegimen, dose: float, length: float) -> BoundRegimen:
    """A regimen with all amounts times `dose`, and infusions `length` times as long at that amount."""
    if dose == 1.0 and length == 1.0:
        return regimen
    resets = [event.time for event in regimen.events if event.kind == "reset"]
    open_: dict[tuple[int, float], list[Event]] = {}
    events: list[Event] = []
    for event in regimen.events:
        if event.kind == "set":
            events.append(event)
            continue
        if event.kind in ("reset", "bolus"):
            events.append(replace(event, value=event.value * dose))
            continue
        if event.kind == "start":
            open_.setdefault((event.state, event.value), []).append(event)
            events.append(replace(event, value=event.value * dose / length))
            continue
        begun = open_[event.state, -event.value].pop(0)
        time = begun.time + (event.time - begun.time) * length
        if any(begun.time < reset <= time for reset in resets):
            continue  # the reset ends it
        events.append(replace(event, value=event.value * dose / length, time=time))
    events.sort(key=lambda event: event.place)
    smallest = {name: amount * dose for name, amount in regimen.smallest_dose.items()}
    return replace(regimen, events=tuple(events), smallest_dose=smallest)
