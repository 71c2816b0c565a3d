"""libroadrunner: the model compiled by LLVM from SBML, solved by CVODE, doses as events."""

from __future__ import annotations

import os

import antimony
import numpy as np
import roadrunner

from pbpkc.studies.solvers.peers.problem import Array, Built, Problem
from pbpkc.studies.solvers.peers.subjects import preparation


def build(problem: Problem) -> Built:
    """Ready to solve: parameters are set, the model is reset, one call runs over all doses."""
    roadrunner.Logger.setLevel(roadrunner.Logger.LOG_FATAL)
    prepare = preparation(problem)
    text = (problem.folder / "model.ant").read_text()
    antimony.clearPreviousLoads()
    if antimony.loadAntimonyString(text.replace("\nend\n", "\n" + _events(problem) + "end\n")) < 0:
        raise ValueError(antimony.getLastError())
    runner = roadrunner.RoadRunner(antimony.getSBMLString("equations"))
    integrator = runner.getIntegrator()
    integrator.setValue("stiff", True)
    integrator.setValue("relative_tolerance", problem.rtol)
    integrator.setValue("absolute_tolerance", problem.atol)
    integrator.setValue("maximum_num_steps", 100_000)
    size = len(problem.states)
    runner.timeCourseSelections = [f"y_{k}" for k in range(size)]
    model = runner.model
    names = [f"p_{k}" for k in range(len(problem.parameters))] + [f"c_{k}" for k in range(problem.constants)]
    places = [model.getGlobalParameterIds().index(name) for name in names]
    states = [model.getGlobalParameterIds().index(f"y_{k}") for k in range(size)]
    first, inputs = problem.stretches[0], [f"u_{k}" for k in range(len(problem.inputs))]
    at_start = [model.getGlobalParameterIds().index(name) for name in inputs]
    # Evenly spaced from 0, which is the fastest way to ask for them.
    end, points = float(problem.times[-1]), len(problem.times) + 1
    # CVODE says of every event of every subject that the step before it was short.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)

    def solve(p: Array) -> Array:
        constants, starts = prepare(p)
        values = np.concatenate((p, constants), axis=1)
        found = np.empty((len(p), len(problem.times), size))
        for i in range(len(p)):
            runner.reset(roadrunner.SelectionRecord.TIME)
            model.setGlobalParameterValues(places, values[i])
            model.setGlobalParameterValues(states, starts[i] + first.jump)
            model.setGlobalParameterValues(at_start, first.u)
            found[i] = runner.simulate(0.0, end, points)[1:]
        return found

    return Built(solve)


def _events(problem: Problem) -> str:
    """Every later change of a state or an input, as an event of the model."""
    lines = []
    for before, part in zip(problem.stretches, problem.stretches[1:], strict=False):
        changes = [f"y_{k} = y_{k} + {part.jump[k]!r}" for k in np.flatnonzero(part.jump)]
        changes += [f"u_{k} = {float(part.u[k])!r}" for k in np.flatnonzero(part.u != before.u)]
        if changes:
            lines.append(f"  at (time >= {part.t0!r}), t0 = false: {', '.join(changes)}\n")
    return "".join(lines).replace("np.float64(", "(")
