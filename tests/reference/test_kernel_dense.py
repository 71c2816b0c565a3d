"""Kernels of systems that are dense, or whose diagonal does not dominate: pivots, and smaller steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pbpkc.compiler.kernel.rosenbrock as rosenbrock
from pbpkc.jobs.loaded import load
from pbpkc.jobs.simulate import bound_scenario
from pbpkc.jobs.variants import Variants
from pbpkc.native.failure import NoKernel
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.solve.batch import Plan, Subjects
from pbpkc.solve.batch_solve import solve_batch
from pbpkc.solve.kernel import rosenbrock_kernel
from pbpkc.solve.options import SolverOptions


def _ring(size: int) -> str:
    """Every pool flows into every other, and one rate saturates: a dense Jacobian."""
    lines = ["pbpk 1", "model ring", "species D { mw = 100 [g/mol] }"]
    lines += [f"pool p{i} {{ volume = {1 + i % 3} [L] }}" for i in range(size)]
    lines.append("sink out")
    for i in range(size):
        for j in range(size):
            if i != j:
                rate = 0.01 * (1 + (3 * i + 5 * j) % 11)
                lines.append(f"process f{i}_{j} : p{i} -> p{j} rate {rate:.3g} [L/h] * p{i}.C")
    lines.append("process el : p0 -> out rate 50 [umol/h] * p0.C / (20 [umol/L] + p0.C)")
    lines += ["observe C = p0.C in [umol/L]", f"observe L = p{size - 1}.C in [umol/L]"]
    lines.append("scenario s { dose D 100 [mg] into p0; run 24 [h] }")
    return "\n".join(lines) + "\n"


def _model(path: Path, size: int) -> tuple[CompiledModel, Subjects, Subjects]:
    path.write_text(_ring(size), encoding="utf-8")
    loaded = load(path)
    compiled, p, bound = bound_scenario(loaded.model, Variants(loaded), "s")
    plan = (Plan(bound, np.linspace(0.0, 24.0, 25)),)
    made = [
        Subjects(compiled, np.repeat(p[None], 3, 0), plan, np.zeros(3, dtype=np.int64), options)
        for options in (SolverOptions("kernel", rtol=1e-7), SolverOptions("reference", rtol=1e-11))
    ]
    return compiled, made[0], made[1]


@pytest.mark.parametrize("most", [10, 100_000])
def test_both_eliminations_solve_a_dense_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Straight-line code over lanes, and loops with pivots for one subject at a time."""
    monkeypatch.setattr(rosenbrock, "MOST_STRAIGHT", most)
    compiled, fast, slow = _model(tmp_path / "ring.pbpk", 9)
    try:
        kernel = rosenbrock_kernel(compiled.generated)
    except NoKernel as error:
        pytest.skip(error.reason)
    assert (kernel.lanes == 1) == (most == 10)
    found, exact = solve_batch(fast), solve_batch(slow)
    assert found.record.method == "kernel"
    np.testing.assert_allclose(found.observables, exact.observables, rtol=2e-6)


def test_a_system_too_long_to_compile_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference solves it, with the reason."""
    monkeypatch.setattr(rosenbrock, "MOST_OPERATIONS", 50)
    _, fast, _ = _model(tmp_path / "ring.pbpk", 5)
    with pytest.raises(NoKernel, match="operations, and compiling them would take minutes"):
        solve_batch(fast)


def test_rotation_without_a_diagonal(tmp_path: Path) -> None:
    """x' = w y, y' = -w x: closed form cos and sin, with zeros where pivots are."""
    path = tmp_path / "turn.pbpk"
    path.write_text(
        'pbpk 1\nmodel turn "turning" { time [1] }\nparam w = 3\nstate x = 1\nstate y = 0\n'
        "process a : outside <-> x rate w * y\nprocess b : outside <-> y rate -w * x\n"
        "observe X = x in [1]\nobserve Y = y in [1]\nscenario s { run 10 }\n",
        encoding="utf-8",
    )
    loaded = load(path)
    compiled, p, bound = bound_scenario(loaded.model, Variants(loaded), "s")
    times = np.linspace(0.0, 10.0, 41)
    subjects = Subjects(
        compiled,
        p[None],
        (Plan(bound, times),),
        np.zeros(1, dtype=np.int64),
        SolverOptions("kernel", rtol=1e-8),
    )
    try:
        found = solve_batch(subjects)
    except NoKernel as error:
        pytest.skip(error.reason)
    np.testing.assert_allclose(found.observables[:, 0], np.cos(3.0 * times), atol=3e-7)
    np.testing.assert_allclose(found.observables[:, 1], -np.sin(3.0 * times), atol=3e-7)
