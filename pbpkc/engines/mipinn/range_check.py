"""Where a task lies outside of what a model was trained on, in sentences."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.kinds import infusion_targets, kind_of
from pbpkc.engines.mipinn.trained import TrainedModel
from pbpkc.experiment.events import BoundRegimen
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.solve.timeline import timeline

Array = NDArray[np.float64]

#: Numbers that differ by less are the same.
ROUNDING = 1e-9


def outside(
    trained: TrainedModel, compiled: CompiledModel, p: Array, regimen: BoundRegimen
) -> tuple[str, ...]:
    """What of a task training did not see; empty where all of it lies inside.

    Parameters
    ----------
    trained : TrainedModel
    compiled : CompiledModel
    p : array, shape (P,), canonical units
    regimen : BoundRegimen
    """
    found = []
    entries = compiled.manifest["parameters"]
    for entry, value in zip(entries, p.tolist(), strict=True):
        name = str(entry["name"])
        factor, unit = float(entry["factor"]), str(entry["unit"])
        shown = "" if unit == "1" else f" {unit}"
        if name in trained.varied:
            low, high, _ = trained.varied[name]
            if not low * (1.0 - ROUNDING) - 1e-300 <= value <= high * (1.0 + ROUNDING) + 1e-300:
                found.append(
                    f"{name} = {value / factor:.4g}{shown} lies outside its training range, "
                    f"{low / factor:.4g} to {high / factor:.4g}{shown}"
                )
        elif name in trained.fixed and not math.isclose(value, trained.fixed[name], rel_tol=ROUNDING):
            found.append(
                f"{name} = {value / factor:.4g}{shown} is not the {trained.fixed[name] / factor:.4g}{shown} "
                "of training"
            )
    return (*found, *_doses(trained, compiled, p, regimen))


def _doses(trained: TrainedModel, compiled: CompiledModel, p: Array, regimen: BoundRegimen) -> list[str]:
    found: dict[str, None] = {}
    targets = infusion_targets(compiled.manifest["inputs"])
    names = compiled.state_names
    for number, segment in enumerate(
        timeline(regimen, np.zeros(0), compiled.manifest["inputs"], names, end=regimen.last_event, p=p)
    ):
        kind = kind_of(segment, number == 0, targets, names)
        known = trained.kinds.get(kind)
        if known is None:
            continue  # refused when it is solved
        for event in segment.events:
            set_ = event.kind == "set"
            if not set_ and (not event.gives or event.value == 0.0):
                continue
            limits = known.given.get(event.species if set_ else names[event.state])
            if limits is None:
                continue
            if not limits[0] * (1.0 - ROUNDING) <= event.value <= limits[1] * (1.0 + ROUNDING):
                if set_:
                    found[_changed(compiled, event.species, event.value, limits)] = None
                    continue
                what = "a dose" if event.kind == "bolus" else "an infusion"
                unit = "umol" if event.kind == "bolus" else "umol/h"
                found[
                    f"{what} of {event.value:.4g} {unit} into {names[event.state]} lies outside the training "
                    f"range, {limits[0]:.4g} to {limits[1]:.4g} {unit}"
                ] = None
    return list(found)


def _changed(compiled: CompiledModel, name: str, value: float, limits: tuple[float, float]) -> str:
    entry = compiled.manifest["parameters"][compiled.parameter_index[name]]
    factor, unit = float(entry["factor"]), str(entry["unit"])
    shown = "" if unit == "1" else f" {unit}"
    return (
        f"{name} changes to {value / factor:.4g}{shown}, outside what it changed to in training, "
        f"{limits[0] / factor:.4g} to {limits[1] / factor:.4g}{shown}"
    )
