"""A system of the comparison, compiled and drawn, as a folder that every method reads."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.compiler.driver import Compiled, compile_model
from pbpkc.experiment.bind import bind
from pbpkc.experiment.events import BoundRegimen
from pbpkc.experiment.scenario import experiment
from pbpkc.experiment.whole_file import write_whole
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.runtime.load import load_numpy
from pbpkc.solve.timeline import Segment, timeline
from pbpkc.studies.solvers.equation_text import antimony_text, c_text, python_text, routines_of
from pbpkc.studies.solvers.systems import SPREAD, BenchSystem

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A system with its subjects.

    Parameters
    ----------
    system : BenchSystem
    text : str
        The spec.
    stages : Compiled
    compiled : CompiledModel
    regimen : BoundRegimen
        The same for all subjects.
    times : ndarray, shape (T,), h
    p : ndarray, shape (N, P)
        The first subject has the values of the spec.
    """

    system: BenchSystem
    text: str
    stages: Compiled
    compiled: CompiledModel
    regimen: BoundRegimen
    times: Array
    p: Array

    @property
    def watched(self) -> tuple[int, ...]:
        """Indices of the observables whose error is measured."""
        return tuple(self.compiled.observable_names.index(name) for name in self.system.observables)

    @property
    def sensitive(self) -> tuple[int, ...]:
        """Indices of the parameters of the sensitivities."""
        return tuple(self.compiled.parameter_names.index(name) for name in self.system.sensitive)


def compiled_case(system: BenchSystem, subjects: int, seed: int) -> Case:
    """Compile a system and draw its subjects.

    Subject i depends on the seed and its number alone, so that the first ones of many are those of few.
    """
    text = system.write()
    model = resolve(parse(SourceFile(f"{system.name}.pbpk", text)))
    stages = compile_model(model, torch=False)
    compiled = load_numpy(stages.generated)
    nominal = np.array([parameter.value for parameter in stages.analysed.system.parameters])
    sigma = np.sqrt(np.log1p(SPREAD**2))
    p = nominal * np.exp(sigma * np.random.default_rng(seed).standard_normal((subjects, nominal.size)))
    p[0] = nominal
    fixed = [compiled.parameter_names.index(name) for name in system.fixed]
    p[:, fixed] = nominal[fixed]
    plan = experiment(model, system.scenario)
    regimen = bind(plan.regimen, dict(zip(compiled.parameter_names, nominal.tolist(), strict=True)))
    assert regimen.end is not None
    times = regimen.end * np.arange(1, system.times + 1) / system.times
    return Case(system, text, stages, compiled, regimen, times, p)


def write_problem(case: Case, folder: Path, rtol: float) -> None:
    """Write what `pbpkc.studies.solvers.peers.problem.read_problem` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest, names = case.compiled.manifest, case.compiled
    routines = routines_of(case.stages.analysed)
    pattern = manifest["jacobian"]
    states, constants = len(names.state_names), len(routines["prepare"].results)
    told = {
        "name": case.system.name,
        "scenario": case.system.scenario,
        "states": names.state_names,
        "parameters": names.parameter_names,
        "inputs": [item["name"] for item in manifest["inputs"]],
        "observables": names.observable_names,
        "constants": constants,
        "rows": pattern["rows"],
        "columns": pattern["cols"],
        "rtol": rtol,
        "atol": case.system.atol,
        "watched": case.watched,
        "sensitive": case.sensitive,
    }
    held = io.BytesIO()
    numbers: dict[str, Any] = {"times": case.times, "p": case.p, **_numbers(case, states)}
    np.savez(held, **numbers)
    write_whole(
        {
            folder / "model.pbpk": case.text,
            folder / "equations.py": python_text(routines, in_place=False),
            folder / "equations_in_place.py": python_text(routines, in_place=True),
            folder / "equations.c": c_text(routines, pattern["cols"], states),
            folder / "model.ant": antimony_text(
                routines, states, len(manifest["inputs"]), constants, len(names.parameter_names)
            ),
            folder / "problem.json": json.dumps(told, indent=1) + "\n",
            folder / "problem.npz": held.getvalue(),
        }
    )


def _numbers(case: Case, states: int) -> dict[str, Array]:
    """The stretches between events as flat arrays."""
    segments = timeline(
        case.regimen, case.times, case.compiled.manifest["inputs"], case.compiled.state_names, p=case.p[0]
    )
    return {
        "t0": np.array([one.t0 for one in segments]),
        "t1": np.array([one.t1 for one in segments]),
        "jump": np.array([_jump(one, states) for one in segments]),
        "u": np.array([one.u for one in segments]).reshape(len(segments), -1),
        "first": np.array([one.samples.start for one in segments]),
        "last": np.array([one.samples.stop for one in segments]),
    }


def _jump(segment: Segment, states: int) -> Array:
    """What is added to the states when a stretch begins.

    Raises
    ------
    ValueError
        For what other programs are not asked to do: clocks, and infusions that reach no input.
    """
    if np.any(segment.slope) or segment.extra is not None:
        raise ValueError("the comparison knows doses and infusions into inputs alone")
    jump = np.zeros(states)
    for event in segment.events:
        if event.kind == "bolus":
            jump[event.state] += event.value
        elif event.kind not in ("start", "stop"):
            raise ValueError(f"the comparison does not know the event '{event.kind}'")
    return jump


def subjects_of(sizes: Sequence[int], checked: int) -> int:
    """How many subjects a problem needs."""
    return max(*sizes, checked)
