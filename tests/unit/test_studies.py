"""Tasks with known truth, and the search behind the defaults of the PINN."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from pbpkc.engines.pinn import PinnOptions
from pbpkc.infer import FitOptions, fit
from pbpkc.studies import pinn_tuning
from pbpkc.studies.tasks import tasks

DESIGN = pinn_tuning.DESIGNS["theophylline"]


def test_tasks_are_drawn_around_a_truth_that_a_fit_finds_again() -> None:
    given = tasks(DESIGN, 3, seed=2)
    more = tasks(DESIGN, 4, seed=2)
    for one, same in zip(given, more, strict=False):
        assert one.truth.tolist() == same.truth.tolist()
        assert one.problem.subjects[0].observations.dv.tolist() == (
            same.problem.subjects[0].observations.dv.tolist()
        )
    assert len({task.truth[0] for task in more}) == 4
    starts = np.array([p.start for p in given[0].problem.parameters])
    assert all((np.abs(np.log(task.truth / starts)) <= np.log(2.0)).all() for task in more)
    for task in given:
        found = fit(task.problem, FitOptions(starts=1)).fits[0]
        spread = np.sqrt(np.diag(np.array(found.covariance)))
        assert (np.abs(np.log(np.array(found.theta) / task.truth)) < 4.0 * spread).all()


def test_a_name_that_is_not_masked_is_refused() -> None:
    with pytest.raises(ValueError, match="masked names kk; masked in the spec are ka, cl, v, s"):
        tasks(replace(DESIGN, masked=("kk",)), 1, seed=1)


def test_the_tuning_prints_a_row_a_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = PinnOptions(epochs=10, refine=1.0, width=4, depth=1, points=8)
    monkeypatch.setattr(pinn_tuning, "VARIANTS", {"tiny": tiny, "tinier": replace(tiny, width=2)})
    pinn_tuning.main(["--tasks", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and "least squares" in lines[1]
    for line, name in zip(lines[2:], ("tiny", "tinier"), strict=True):
        assert line.startswith(name)
        numbers = [float(x) for x in re.findall(r"[-\d.e+]+", line.removeprefix(name).replace("/1", ""))]
        assert len(numbers) == 6 and numbers[0] > 5.0  # ten epochs find nothing


def test_the_defaults_are_the_setting_that_the_search_took() -> None:
    assert replace(PinnOptions(), epochs=pinn_tuning.BASE.epochs) == pinn_tuning.BASE
    table = [line.strip() for line in str(pinn_tuning.__doc__).splitlines() if re.search(r"\d/2 +\d", line)]
    found = {}
    for line in table:
        name = next(n for n in sorted(pinn_tuning.VARIANTS, key=len, reverse=True) if line.startswith(n))
        _, _, off, above, agree, _ = line.removeprefix(name).split()
        found[name] = -int(agree.split("/")[0]), float(above), float(off)
    assert found.keys() == pinn_tuning.VARIANTS.keys()
    assert min(found, key=found.__getitem__) == "base"
