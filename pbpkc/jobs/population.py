"""Draw virtual people from a population of a spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pbpkc.body.people import draw, joint_distribution
from pbpkc.experiment.people import People
from pbpkc.language.diagnostics import Diagnostic, SpecError, similar
from pbpkc.language.model import Model, Population
from pbpkc.language.scenario.populations import VARIABLE
from pbpkc.solve.output import versions

if TYPE_CHECKING:
    from pbpkc.jobs.spec import Spec

#: Lines of a population that an error shows at most.
_MOST_LINES = 3


def population(loaded: Spec, n: int, seed: int, name: str | None = None) -> People:
    """Draw people; see `pbpkc.jobs.loaded.LoadedModel.population`."""
    chosen = find_population(loaded.model, name)
    joint = joint_distribution(loaded.model, chosen)
    units = tuple(loaded.model.definitions[one].unit for one in joint.names)
    factor = np.array([float(unit.factor) for unit in units])
    offset = np.array([float(unit.offset) for unit in units])
    values = (draw(joint, n, seed) - offset) / factor
    provenance = {
        "model": loaded.model.name,
        "population": chosen.name,
        "fingerprint": loaded.generated.fingerprint,
        "seed": seed,
        "n": n,
        "versions": versions(),
        "settings": {key: list(texts) for key, texts in loaded.settings.items() if texts},
    }
    return People(tuple(str(i + 1) for i in range(n)), joint.names, units, values, provenance)


def find_population(model: Model, name: str | None) -> Population:
    """The population of that name; the only one of the model where none is said.

    Raises
    ------
    ValueError
        If there is none of that name, or several and no name.
    SpecError
        If the spec has no population; the message shows the lines to add.
    """
    if not model.populations:
        raise SpecError([_none(model)])
    there = ", ".join(model.populations)
    if name is None:
        if len(model.populations) > 1:
            raise ValueError(f"the spec has several populations ({there}); say which, with --population NAME")
        return next(iter(model.populations.values()))
    if name not in model.populations:
        near = similar(name, model.populations)
        hint = f"; a similar name is '{near}'" if near else ""
        raise ValueError(f"there is no population '{name}'{hint}; populations are {there}")
    return model.populations[name]


def _none(model: Model) -> Diagnostic:
    """The error of a spec without a population, with lines that fit the model."""
    candidates = sorted(
        (d for d in model.definitions.values() if d.kind in VARIABLE and not d.derived),
        key=lambda d: (d.kind != "covariate", d.kind != "masked"),
    )
    chosen = [d for d in candidates if d.kind in ("covariate", "masked")] or candidates
    lines = [f"  {d.name} ~ lognormal(cv = 30 [%])" for d in chosen[:_MOST_LINES]]
    if len(lines) > 1:
        lines.append(f"  correlate {chosen[0].name}, {chosen[1].name} = 0.3")
    block = "\n".join(["population people {", *lines, "}"])
    return Diagnostic(
        "no-population",
        f"the model '{model.name}' has no population to draw people from",
        help=f"add lines such as these, which say what differs between people:\n{block}",
    )
