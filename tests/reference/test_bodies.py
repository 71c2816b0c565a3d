"""One drug in an adult, a child and a rat: its clearance is that worked out from the flows of each body."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pbpkc

#: Body weight (kg), cardiac output, flow that leaves the liver, flow to the kidneys (L/h), as in the sources.
BODIES = {
    "adult": (73.0, 390.0, 0.255 * 390.0, 0.19 * 390.0),
    "child": (19.0, 204.0, 0.255 * 204.0, 0.19 * 204.0),
    "rat": (0.25, 209.3 * 0.25**0.75 * 0.06, 11.8 * 0.06, 9.2 * 0.06),
}
FUP, BP = 0.58, 0.815
#: Unbound, man of 73 kg (L/h): intrinsic of the liver, and renal.
CLINT, CLR = 4.6, 0.45 / 0.58

pytestmark = pytest.mark.reference


def _by_hand(body: str) -> float:
    """Clearance of plasma, L/h: well-stirred liver and kidney side by side."""
    weight, _, liver, kidney = BODIES[body]
    scale = (weight / 73.0) ** 0.75
    blood = sum(
        flow * scale * cl * FUP / BP / (flow + scale * cl * FUP / BP)
        for flow, cl in ((liver, CLINT), (kidney, CLR))
    )
    return blood * BP


@pytest.mark.parametrize("body", BODIES)
def test_clearance_is_that_of_the_body(specs: Path, body: str) -> None:
    model = pbpkc.load(specs / f"theophylline_{body}.pbpk")
    times = np.concatenate(([0.0], np.geomspace(1e-3, 24.0, 4000)))
    found = model.simulate("iv", times=times)
    curve = np.asarray(found.observables["Cp"])
    late = times > 12
    slope = np.polyfit(times[late], np.log(curve[late]), 1)[0]
    area = np.trapezoid(curve, times) - curve[-1] / slope
    assert 5.0 * BODIES[body][0] / area == pytest.approx(_by_hand(body), rel=2e-3)


@pytest.mark.parametrize("body", BODIES)
def test_expectations_hold(specs: Path, body: str) -> None:
    report = pbpkc.load(specs / f"theophylline_{body}.pbpk").check(torch=False)
    assert report.ok, [item.text for item in report.violations]
    assert sum(item.group == "expectation" for item in report.items) >= 2


def test_only_the_body_differs(specs: Path) -> None:
    for body in BODIES:
        lines = (specs / f"theophylline_{body}.pbpk").read_text(encoding="utf-8").splitlines()
        assert not [line for line in lines if line.startswith(("species", "process", "param", "observe"))]
