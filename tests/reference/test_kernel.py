"""The compiled nonlinear kernel against tight solutions of the reference solver, on every spec."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import pbpkc.solve.kernel as kernels
from pbpkc.jobs.loaded import LoadedModel, load
from pbpkc.jobs.simulate import bound_scenario
from pbpkc.jobs.variants import Variants
from pbpkc.native.failure import NoKernel
from pbpkc.solve.equations import StateEquations
from pbpkc.solve.kernel import Kernel, KernelRuns, rosenbrock_kernel
from pbpkc.solve.options import SolverOptions, absolute_tolerance
from pbpkc.solve.passage import Passage
from pbpkc.solve.reference import simulate
from pbpkc.solve.schedule import NotScheduled, schedule
from pbpkc.solve.timeline import timeline

SPECS = Path(__file__).parents[2] / "specs"

#: What an error may be, in units of the relative tolerance: of a value above a millionth of its curve's peak.
FACTOR = 10.0


@cache
def _loaded(name: str) -> LoadedModel:
    return load(SPECS / f"{name}.pbpk")


def _cases() -> list[tuple[str, str]]:
    return [
        ("antibody", "q3w"), ("brain", "inhibited"), ("gene_network", "pulse"),
        ("paracetamol_oral", "po_qid"),
        ("permeability", "oral"), ("pollu", "hour"), ("recirculation", "meals"), ("robertson", "long"),
        ("theophylline_iv", "iv"), ("vancomycin_iv", "adjusted"), ("interaction", "week"),
    ]  # fmt: skip


def _solved(
    name: str, scenario: str, rtol: float, copies: int = 1, threads: int = 1
) -> tuple[KernelRuns, np.ndarray, np.ndarray]:
    loaded = _loaded(name)
    compiled, p, bound = bound_scenario(loaded.model, Variants(loaded), scenario)
    try:
        kernel: Kernel = rosenbrock_kernel(compiled.generated)
    except NoKernel as error:
        pytest.skip(error.reason)
    times = np.linspace(bound.begin, bound.end or 0.0, 41)
    segments = timeline(bound, times, compiled.manifest["inputs"], compiled.state_names, p=p)
    plan = schedule([(segments, times)], kernel.states, kernel.inputs)
    options = SolverOptions(rtol=rtol)
    atol = absolute_tolerance(options, compiled.manifest["states"], bound.smallest_dose)
    start = Passage(StateEquations(compiled, p), bound, segments, options, atol).start.y
    people = p * np.exp(0.1 * np.random.default_rng(1).standard_normal((copies, len(p))))
    people[0] = p
    found = kernel.solve(
        people, np.repeat(start[None], copies, 0), plan, np.zeros(copies, dtype=np.int64), rtol, atol[None],
        20_000, threads=threads,
    )  # fmt: skip
    tight = simulate(compiled, p, bound, times, SolverOptions(rtol=1e-11 if name != "robertson" else 1e-10))
    assert tight.outcome.ok
    return found, tight.observables, tight.y


@pytest.mark.parametrize(("name", "scenario"), _cases())
def test_error_stays_within_ten_tolerances(name: str, scenario: str) -> None:
    """At a relative tolerance of 1e-6, against LSODA at 1e-11."""
    found, observables, _ = _solved(name, scenario, 1e-6)
    assert found.status[0] == 0
    assert found.observables is not None
    floor = 1e-6 * np.nanmax(np.abs(observables), axis=0)
    error = np.abs(found.observables - observables) / np.maximum(np.abs(observables), floor + 1e-300)
    assert np.nanmax(error) < FACTOR * 1e-6


def test_subjects_do_not_depend_on_their_neighbours_or_threads() -> None:
    """The same bytes alone, among others, and on two threads."""
    alone = _solved("paracetamol_oral", "po", 1e-6)[0]
    among = _solved("paracetamol_oral", "po", 1e-6, copies=11)[0]
    threads = _solved("paracetamol_oral", "po", 1e-6, copies=11, threads=2)[0]
    assert alone.states is not None
    assert among.states is not None
    assert threads.states is not None
    np.testing.assert_array_equal(alone.states, among.states[: among.rows[1]])
    np.testing.assert_array_equal(among.states, threads.states)
    np.testing.assert_array_equal(among.observables, threads.observables)


def test_steady_state_doses_are_refused() -> None:
    """A schedule says what it cannot hold."""
    with pytest.raises(NotScheduled, match="steady state"):
        _solved("antibody", "q3w_ss", 1e-6)


def test_any_number_of_lanes_gives_the_same_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """One, two, four and eight: processors without the widest instructions compute the same."""
    curves = []
    for lanes in (1, 2, 4, 8):
        monkeypatch.setattr(kernels, "lanes", lambda lanes=lanes: lanes)
        found = _solved("theophylline_oral", "single", 1e-8, copies=9)[0]
        assert np.all(found.status == 0)
        assert found.observables is not None
        curves.append(found.observables)
    for other in curves[1:]:
        np.testing.assert_allclose(other, curves[0], rtol=1e-7)
