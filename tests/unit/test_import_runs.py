"""An imported model computes what its source says: against hand-written equations that SciPy solves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_case import call
from foreign_models import CASES, Case
from scipy.integrate import solve_ivp

from pbpkc.jobs.loaded import load

DOSE = 100.0


def reference(case: Case, names: list[str], times: np.ndarray) -> np.ndarray:
    """Amounts by time: the same dose put into hand-written equations."""
    begin = np.array(case.begins)
    index = names.index(case.dosed)
    pieces = []
    at, y = 0.0, begin
    for end in (case.arrives, case.until):
        inside = times[(times >= at) & (times < end) if end < case.until else times >= at]
        if end > at:
            run = solve_ivp(
                case.equations, (at, end), y, method="Radau", rtol=1e-12, atol=1e-13,
                t_eval=np.append(inside, end) if end not in inside else inside,
            )  # fmt: skip
            pieces.append(run.y[:, : len(inside)])
            y = run.y[:, -1]
        if end == case.arrives:
            y = y.copy()
            y[index] += DOSE * case.share
        at = end
    return np.concatenate(pieces, axis=1).T


@pytest.mark.parametrize("name", CASES)
def test_an_imported_model_computes_the_same(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    source = tmp_path / f"{name}.{case.suffix}"
    source.write_text(case.text, encoding="utf-8")
    spec = tmp_path / f"{name}.pbpk"
    done = call("import", source, "-o", spec)
    assert done.code == 0, done.err
    # Beside the arrival, so that no time means before it in one and behind it in the other.
    times = np.array([0.1, 0.6, 1.0, 2.0, 3.5, 7.0, 12.0, 24.0])
    model = load(spec)
    run = model.simulate("doses", times=times, set=f"dose_{case.dosed} = {DOSE}", rtol=1e-11, atol=1e-13)
    names = [s.name for s in model.model.states]
    expected = reference(case, names, times)
    scale = np.maximum(np.abs(expected), 1e-4 * DOSE)
    found = np.column_stack([run.states[n] for n in names])
    assert np.max(np.abs(found - expected) / scale) < 1e-8
