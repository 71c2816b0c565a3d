"""Two bodies in one model: what leaves the one arrives in the other, and the specs hold what they expect."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pbpkc

HERE = Path(__file__).parent / "two_bodies"


def test_pregnancy_holds_what_it_expects(specs: Path) -> None:
    report = pbpkc.load(specs / "pregnancy.pbpk").check(torch=False)
    assert report.ok, [item.text for item in report.violations]
    assert sum(item.group == "expectation" for item in report.items) >= 5
    assert [item.name for item in report.items if item.group == "flow"] == ["mother.CO", "fetus.CO"]


def test_what_leaves_the_mother_is_in_the_fetus_or_gone(specs: Path) -> None:
    run = pbpkc.load(specs / "pregnancy.pbpk").simulate("iv", times=[0.5, 2.0, 24.0], rtol=1e-10)
    total = run.trajectory.y.sum(axis=1)
    np.testing.assert_allclose(total, 1e6 / 151.16, rtol=1e-8)


def test_a_smaller_fetus_is_a_setting_of_its_own_body(specs: Path) -> None:
    model = pbpkc.load(specs / "pregnancy.pbpk")
    for scenario, setting in (("preterm", ()), ("oral", ("fetus.BW = 2 kg",))):
        run = model.simulate(scenario, times=[0.0, 1.0, 6.0], set=setting)
        curve = run.observables["Cv"]
        assert curve[1:] == pytest.approx(run.observables["Cm"][1:], rel=0.5)
        if scenario == "preterm":
            before = curve
    np.testing.assert_allclose(curve, before, rtol=1e-7)


def test_the_sketch_of_two_bodies_runs() -> None:
    # One body file twice, a covariate that changes, resets, a state beside, data in columns.
    model = pbpkc.load(HERE / "two_bodies.pbpk")
    report = model.check(torch=False)
    assert report.ok, [item.text for item in report.violations]
    assert {edge.circulation for edge in model.model.edges} == {"mother.CO", "fetus.CO"}
    wide = model.simulate("wide")
    assert wide.runs[0].trajectory.time[-1] == 8.0
