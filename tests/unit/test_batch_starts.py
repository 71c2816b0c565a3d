"""Runs of many that begin in a steady state or where another ends, and steady doses within them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pbpkc.compiler.driver import compile_model
from pbpkc.experiment.bind import bind
from pbpkc.experiment.events import BoundRegimen, Event, Running, Steady
from pbpkc.experiment.scenario import experiment, parameter_vector
from pbpkc.language.model import Model
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse
from pbpkc.native.failure import NoKernel
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.runtime.load import load_numpy
from pbpkc.solve.batch import Plan, Subjects
from pbpkc.solve.batch_solve import solve_batch
from pbpkc.solve.kernel import rosenbrock_kernel
from pbpkc.solve.options import SolverOptions

# A receptor whose total is conserved, a target that rests where it is made as fast as lost, and what is held.
TARGET = """pbpk 1
model target
species D { mw = 150 [kg/mol] }
species R
species DR
species T
pool plasma { volume = 3 [L] }
pool cell { volume = 0.1 [L] }
sink gone
param kon = 0.6 [1/nM/h]
param total = 30 [nmol]
param ksyn = 2 [nmol/h]
param koff = 5 [1/h]
param kup = 0.1 [L/h]
covariate act = 1 in (0.01, 100) hold last
process uptake  : plasma.D -> cell.D              rate kup * act * plasma.D.C
process bind    : cell.D + cell.R <-> cell.DR     rate kon * cell.D.C * cell.R.A - koff * cell.DR.A
process recycle : cell.DR -> plasma.D + cell.R    rate 2 [1/h] * cell.DR.A
process lysis   : cell.D -> gone.D                rate 1 [1/h] * cell.D.A
process made    : outside -> plasma.T             rate ksyn
process lost    : plasma.T -> outside             rate 0.1 [1/h] * plasma.T.A
start cell.R = total
start steady
observe C = plasma.D.C in [nM] error add(1 [nM])
observe CT = plasma.T.C in [nM] error add(1 [nM])
scenario once { dose D 100 [nmol] into plasma; run 50 [h] }
scenario ss   { dose D 10 [nmol] into plasma every 24 [h] steady; run 24 [h] }
scenario more { start plasma.T = 50 [nmol]; run 50 [h] }
scenario wash { start after once; run 50 [h] }
scenario twice { start after wash; dose D 100 [nmol] into plasma; reset at 3 [h]; run 50 [h] }
scenario after_ss { start after ss; dose D 10 [nmol] into plasma at 2 [h]; run 60 [h] }
scenario other { set ksyn = 4 [nmol/h]; dose D total into plasma; run 5 [h] * total / 30 [nmol] }
scenario back { start after other; run 50 [h] }
scenario held {
  set act = 4 at 3 [h] for 3 [h]
  dose D 10 [nmol] into plasma every 24 [h] steady
  run 24 [h]
}
scenario after_held { start after held; dose D 10 [nmol] into plasma; run 24 [h] }
"""


@pytest.fixture(scope="module")
def target() -> tuple[Model, CompiledModel]:
    model = resolve(parse(SourceFile("target.pbpk", TARGET)))
    compiled = load_numpy(compile_model(model, torch=False).generated)
    try:
        rosenbrock_kernel(compiled.generated)
    except NoKernel as error:
        pytest.skip(error.reason)
    return model, compiled


def _people(
    compiled: CompiledModel, p: np.ndarray, bound: BoundRegimen, count: int = 24, rtol: float = 1e-7
) -> Subjects:
    times = np.linspace(bound.begin, bound.end or 0.0, 25)
    people = p * np.exp(0.2 * np.random.default_rng(5).standard_normal((count, len(p))))
    options = SolverOptions(method="kernel", rtol=rtol)
    return Subjects(compiled, people, (Plan(bound, times),), np.zeros(count, dtype=np.int64), options)


def _agree(subjects: Subjects) -> None:
    fast = solve_batch(subjects)
    assert fast.record.method == "kernel"
    assert not fast.record.retried
    some = replace(subjects, p=subjects.p[:4], plan_of=subjects.plan_of[:4])
    options = replace(subjects.options, method="reference", rtol=1e-9)  # type: ignore[arg-type]
    slow = solve_batch(replace(some, options=options))
    for b in range(4):
        one, other = fast.trajectory(b), slow.trajectory(b)
        assert other.outcome.ok
        peak = np.abs(other.y).max(axis=0)
        np.testing.assert_allclose(one.y, other.y, rtol=1e-5, atol=1e-7 * peak.max())
        np.testing.assert_allclose(one.observables, other.observables, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "scenario",
    ["once", "ss", "more", "wash", "twice", "after_ss", "back", "held", "after_held"],
)
def test_a_scenario_is_as_the_reference_has_it(target: tuple[Model, CompiledModel], scenario: str) -> None:
    """Whatever it begins with, what the scenarios before it set and change among it."""
    model, compiled = target
    plan = experiment(model, scenario)
    p = parameter_vector(compiled, plan.overrides)
    values = dict(zip(compiled.parameter_names, p.tolist(), strict=True))
    _agree(_people(compiled, p, bind(plan.regimen, {**values, **plan.overrides})))


@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("period", [None, 12.0])
def test_steady_doses_in_the_middle_of_a_run(
    target: tuple[Model, CompiledModel], adds: bool, period: float | None
) -> None:
    """An infusion for ever or doses, in the place of what is there or on top of it, and a reset behind."""
    compiled = target[1]
    p = parameter_vector(compiled, {})
    state = compiled.state_names.index("plasma.D")
    if period is None:
        steady = Steady(None, running=(Running(state, 2e-3),), adds=adds)
    else:
        steady = Steady(period, events=(Event(0.0, "bolus", state, value=0.01),), adds=adds)
    events = (
        Event(1.0, "bolus", state, "D", 0.05),
        Event(10.0, "bolus", state, "D", 0.02),
        Event(10.0, "steady", steady=steady),
        Event(20.0, "reset"),
        Event(25.0, "bolus", state, "D", 0.03),
    )
    ordered = tuple(sorted(events, key=lambda event: event.place))
    regimen = BoundRegimen(ordered, end=40.0, smallest_dose={"D": 0.01}, rests=True)
    _agree(_people(compiled, p, regimen))
