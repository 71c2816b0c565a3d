"""The whole-body paracetamol spec: mass, reproducibility, and what its data can tell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pbpkc
from pbpkc.jobs.loaded import LoadedModel

pytestmark = pytest.mark.reference

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
def test_mass_is_conserved_through_a_run(paracetamol: LoadedModel, scenario: str, figure) -> None:
    run = paracetamol.simulate(scenario)
    given = run.runs[0].events
    after = run.time > max(e.time for e in given)
    total = run.trajectory.y.sum(axis=1)[after]
    worst = float(np.max(np.abs(total / DOSE_UMOL - 1.0)))
    figure(f"paracetamol {scenario}, mass lost, relative", worst, "", below=1e-9)
    assert worst < 1e-9


def test_compiling_twice_gives_the_same_bytes(specs: Path, tmp_path: Path, figure) -> None:
    texts = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", "from pbpkc.cli import main; main()"]
        subprocess.run(
            [*command, "compile", str(specs / "paracetamol.pbpk"), "-o", f"out{seed}"],
            check=True, cwd=tmp_path, env=environment, capture_output=True,
        )  # fmt: skip
        texts.append({p.name: p.read_bytes() for p in sorted((tmp_path / f"out{seed}").iterdir())})
    assert set(texts[0]) == {"model_numpy.py", "model_torch.py", "manifest.json"}
    differing = sum(texts[0][name] != texts[1][name] for name in texts[0])
    figure("paracetamol compiled twice with other hash seeds, files that differ", differing, "", below=0.5)
    assert differing == 0
