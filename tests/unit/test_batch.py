"""Many subjects at once: the choice of a solver, its verification, and what becomes of those that fail."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import pbpkc.solve.batch_solve as batch_solve
from pbpkc.compiler.driver import compile_model
from pbpkc.experiment.events import BoundRegimen, Event
from pbpkc.jobs.loaded import load
from pbpkc.jobs.simulate import bound_scenario
from pbpkc.jobs.variants import Variants
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

SPECS = Path(__file__).parents[2] / "specs"


@cache
def _model(name: str, scenario: str) -> tuple[CompiledModel, np.ndarray, BoundRegimen]:
    loaded = load(SPECS / f"{name}.pbpk")
    return bound_scenario(loaded.model, Variants(loaded), scenario)


def _subjects(
    name: str = "theophylline_iv", scenario: str = "iv", count: int = 30, method: str = "auto"
) -> Subjects:
    compiled, p, bound = _model(name, scenario)
    times = np.linspace(bound.begin, bound.end or 0.0, 25)
    people = p * np.exp(0.1 * np.random.default_rng(2).standard_normal((count, len(p))))
    # A body whose density alone changes may have no room for its organs.
    still = [compiled.parameter_index[n] for n in ("BW", "density") if n in compiled.parameter_index]
    people[:, still] = p[still]
    options = SolverOptions(method=method, rtol=1e-7)  # type: ignore[arg-type]
    return Subjects(compiled, people, (Plan(bound, times),), np.zeros(count, dtype=np.int64), options)


def _needs_kernel() -> None:
    try:
        rosenbrock_kernel(_model("theophylline_iv", "iv")[0].generated)
    except NoKernel as error:
        pytest.skip(error.reason)


def test_kernel_and_reference_give_the_same_curves() -> None:
    """Within what the verification accepts, and the record says what was done."""
    _needs_kernel()
    fast = solve_batch(_subjects())
    slow = solve_batch(_subjects(method="reference"))
    assert fast.record.method == "kernel"
    assert fast.record.verification is not None
    assert len(fast.record.verification.subjects) == 3
    assert fast.record.verification.worst < 30.0
    assert slow.record.method == "reference"
    for b in range(len(fast)):
        one, other = fast.trajectory(b), slow.trajectory(b)
        np.testing.assert_allclose(one.observables, other.observables, rtol=3e-6, atol=1e-9)
        assert one.outcome.ok


def test_auto_takes_the_linear_kernel_where_observables_are_enough() -> None:
    """And the three ways agree."""
    _needs_kernel()
    subjects = replace(_subjects("theophylline_adult", "po", 24), states=False)
    auto = solve_batch(subjects)
    assert auto.record.method == "linear"
    assert auto.record.verification is not None
    assert auto.record.verification.worst < 30.0
    for method in ("kernel", "reference"):
        other = solve_batch(replace(subjects, options=replace(subjects.options, method=method)))  # type: ignore[arg-type]
        assert other.record.method == method
        peak = np.abs(other.observables).max(axis=0)
        np.testing.assert_allclose(auto.observables, other.observables, rtol=3e-6, atol=1e-9 * peak.max())
    with pytest.raises(NoKernel, match="no linear kernel"):
        solve_batch(_subjects("paracetamol_oral", "po", 24, method="linear"))


def test_few_runs_take_the_reference() -> None:
    """Compiling costs more than a handful of runs."""
    batch = solve_batch(_subjects(count=4))
    assert batch.record.method == "reference"
    assert "do not repay" in batch.record.reason


def test_steady_doses_begin_where_the_reference_finds_them_to_begin() -> None:
    """A clock that the equations read, a lag, and a nonlinear elimination among them."""
    _needs_kernel()
    subjects = _subjects("paracetamol", "po_ss", 24)
    fast = solve_batch(subjects)
    assert fast.record.method == "kernel"
    assert not fast.record.retried
    some = replace(subjects, p=subjects.p[:3], plan_of=subjects.plan_of[:3])
    slow = solve_batch(replace(some, options=replace(subjects.options, method="reference")))
    for b in range(3):
        one, other = fast.trajectory(b), slow.trajectory(b)
        peak = np.abs(other.y).max(axis=0)
        np.testing.assert_allclose(one.y, other.y, rtol=1e-5, atol=1e-8 * peak.max())


def test_a_run_after_another_begins_where_the_reference_lets_it() -> None:
    """Behind steady doses of an antibody with its target."""
    _needs_kernel()
    subjects = _subjects("antibody", "stopped", 24)
    # Volumes that alone change may leave no room for the tissues.
    steadfast = _model("antibody", "stopped")[1]
    people = np.tile(steadfast, (24, 1))
    rates = [
        k
        for k, name in enumerate(subjects.compiled.parameter_names)
        if name in ("kdeg", "clup", "ksyn", "tint")
    ]
    people[:, rates] = subjects.p[:, rates]
    plan = replace(subjects.plans[0], times=np.array([0.0, 24.0, 240.0]))
    short = replace(subjects, p=people, plans=(plan,))
    batch = solve_batch(short)
    assert batch.record.method == "kernel", batch.record.reason
    assert batch.record.verification is not None
    assert batch.record.verification.worst < 30.0
    assert not batch.record.retried


def test_without_a_compiler_the_reference_solves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is the sentence of what is missing."""

    def none(generated: object) -> None:
        raise NoKernel("no C compiler was found")

    monkeypatch.setattr(batch_solve, "rosenbrock_kernel", none)
    batch = solve_batch(_subjects())
    assert (batch.record.method, batch.record.reason) == ("reference", "no C compiler was found")


def test_a_kernel_that_is_wrong_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results that differ from the reference are replaced, and the record says by how much they did."""
    _needs_kernel()
    monkeypatch.setattr(batch_solve, "CHECKED_FACTOR", 1e-9)
    batch = solve_batch(_subjects())
    assert batch.record.method == "reference"
    assert "differs from the reference" in batch.record.reason
    assert batch.record.verification is not None
    assert not batch.record.verification.holds


def test_an_impossible_subject_does_not_harm_the_others() -> None:
    """Its outcome says why; all others are as without it."""
    _needs_kernel()
    subjects = _subjects()
    whole = solve_batch(subjects)
    p = subjects.p.copy()
    p[7, subjects.compiled.parameter_index["BW"]] = np.nan
    batch = solve_batch(replace(subjects, p=p))
    keep = [b for b in range(len(batch)) if b != 7]
    for b in keep:
        np.testing.assert_array_equal(batch.trajectory(b).y, whole.trajectory(b).y)
    assert not batch.outcomes[7].ok
    assert batch.outcomes[7].reason == "BW is no finite number"
    assert np.all(np.isnan(batch.trajectory(7).observables))
    assert batch.record.retried == (7,)


def test_any_number_of_workers_gives_the_same_bytes() -> None:
    """Threads of the kernel, processes of the reference."""
    _needs_kernel()
    for method in ("kernel", "reference"):
        one = solve_batch(_subjects(count=20, method=method))
        two = solve_batch(replace(_subjects(count=20, method=method), workers=2))
        np.testing.assert_array_equal(one.observables, two.observables)


def test_the_default_of_an_unknown_term_runs_in_the_kernel() -> None:
    """Where a function stands in for the term, the kernel would compute something else."""
    _needs_kernel()
    text = (
        "pbpk 1\nmodel guess\nspecies D { mw = 100 [g/mol] }\npool plasma { volume = 10 [L] }\nsink gone\n"
        "param k = 0.1 [1/h]\nunknown cap (c [umol/L] in (0, 100) [umol/L], s [h] in (0, 9) [h]) -> [1]"
        " { range (0, 1); default exp(-c / 50 [umol/L]) / (1 + s / 3 [h]) }\n"
        "process out : plasma -> gone rate k * plasma.A * (cap(plasma.C, tad(D)) + cap(2 * plasma.C, 1 [h]))"
        "\nobserve Cp = plasma.C in [mg/L]\n"
        "scenario one { dose D 100 [mg] into plasma at 0 [h]; run 12 [h] }\n"
    )
    tree = parse(SourceFile("guess.pbpk", text))
    generated = compile_model(resolve(tree)).generated
    compiled = load_numpy(generated)
    events = (Event(0.0, "bolus", 0, "D", 1000.0),)
    plans = (Plan(BoundRegimen(events, smallest_dose={"D": 1000.0}), np.linspace(0.0, 12.0, 13)),)
    p = np.tile(compiled.parameters(), (3, 1))
    subjects = Subjects(compiled, p, plans, np.zeros(3, dtype=np.int64), SolverOptions(method="kernel"))
    batch = solve_batch(subjects)
    assert batch.record.method == "kernel"
    assert batch.record.verification is not None
    assert batch.record.verification.subjects == (0, 1, 2)
    other = replace(subjects, compiled=load_numpy(generated, {"cap": lambda c, s: 0.0 * c + 0.5}))
    with pytest.raises(NoKernel, match="stands in for the unknown term 'cap'"):
        solve_batch(other)


def test_parts_of_many_subjects_are_as_the_whole() -> None:
    """The method is that of all, and who is verified can be said."""
    _needs_kernel()
    whole = _subjects(count=24)
    first = replace(whole, p=whole.p[:5], plan_of=whole.plan_of[:5], of=24, checked=(1,))
    batch = solve_batch(first)
    assert batch.record.method == "kernel"
    assert batch.record.verification is not None
    assert batch.record.verification.subjects == (1,)
    np.testing.assert_array_equal(batch.observables, solve_batch(whole).observables[: batch.rows[-1]])
    nobody = solve_batch(replace(first, checked=()))
    assert nobody.record.verification is not None
    assert nobody.record.verification.subjects == ()


def test_a_rough_reference_condemns_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they differ the reference is solved again, tighter."""
    _needs_kernel()
    monkeypatch.setattr(batch_solve, "TIGHTER", 1e3)
    batch = solve_batch(_subjects())
    assert batch.record.method != "reference"
    assert batch.record.verification is not None
    assert batch.record.verification.worst < 30.0
    monkeypatch.setattr(batch_solve, "TIGHTEST", 1e3)
    assert solve_batch(_subjects()).record.method == "reference"
