"""The whole-body paracetamol spec: mass, reproducibility, and what its data can tell."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pbpkc
from pbpkc.check.agreement import agree
from pbpkc.jobs.loaded import LoadedModel

pytestmark = pytest.mark.reference

Figure = Callable[..., None]

#: 1000 mg over 151.16 g/mol.
DOSE_UMOL = 1e6 / 151.16


@pytest.fixture(scope="module")
def paracetamol() -> LoadedModel:
    return pbpkc.load(Path(__file__).parents[2] / "specs" / "paracetamol.pbpk")


def test_it_has_33_states_and_its_expectations_hold(paracetamol: LoadedModel) -> None:
    report = paracetamol.check(torch=False)
    assert len(paracetamol.model.states) == 33
    assert len(report.group("expectation")) >= 4
    assert report.ok, [i.text for i in report.violations]


@pytest.mark.parametrize("scenario", ["iv_1g", "po_1g"])
def test_mass_is_conserved_through_a_run(paracetamol: LoadedModel, scenario: str, figure: Figure) -> None:
    run = paracetamol.simulate(scenario)
    given = run.runs[0].events
    after = run.time > max(e.time for e in given)
    total = run.trajectory.y.sum(axis=1)[after]
    worst = float(np.max(np.abs(total / DOSE_UMOL - 1.0)))
    figure(f"paracetamol {scenario}, mass lost, relative", worst, "", below=1e-9)
    assert worst < 1e-9


def test_numpy_torch_autograd_and_the_equations_agree(paracetamol: LoadedModel, figure: Figure) -> None:
    stages = paracetamol.stages
    report = agree(stages.analysed, stages.generated, original=stages.lowered)
    assert report.ok, report.summary()
    assert {"numpy", "numpy arrays", "torch", "torch autograd"} <= set(report.compared)
    assert report.points >= 20
    assert report.worst is not None
    count = sum(report.compared.values())
    what = (
        f"paracetamol, {count} numbers of numpy, torch and autograd against sympy, in sums of absolute terms"
    )
    figure(what, report.worst.ratio, below=1e-12)


@pytest.mark.long
def test_compiling_twice_gives_the_same_bytes(specs: Path, tmp_path: Path, figure: Figure) -> None:
    texts = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", "from pbpkc.cli import main; main()"]
        subprocess.run(
            [*command, "compile", str(specs / "paracetamol.pbpk"), "-o", f"out{seed}"],
            check=True, cwd=tmp_path, env=environment, capture_output=True,
        )  # fmt: skip
        texts.append({p.name: p.read_bytes() for p in sorted((tmp_path / f"out{seed}").iterdir())})
    assert set(texts[0]) == {"model_numpy.py", "model_torch.py", "kernel.c", "manifest.json"}
    differing = sum(texts[0][name] != texts[1][name] for name in texts[0])
    figure("paracetamol compiled twice with other hash seeds, files that differ", differing, "", below=0.5)
    assert differing == 0
