"""Permeability-limited tissue against the same equations written by hand, and against its own limit.

The body is written once as text and once as a matrix here, from the equations of the literature (Jones and
Rowland-Yeo 2013, CPT Pharmacometrics Syst Pharmacol 2:e63) and numbers of no particular drug.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import expm

import pbpkc
from pbpkc.jobs.loaded import LoadedModel

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

#: Volume (L), flow (L/h), vascular fraction, kp of the tissue space, ps (L/h); the last two None: perfusion.
ORGANS = {
    "brain": (1.45, 46.0, 0.037, 0.8, 0.6),
    "muscle": (29.0, 66.0, 0.026, 2.5, 35.0),
    "liver": (1.8, 98.0, 0.11, 6.0, 110.0),
    "kidney": (0.31, 74.0, None, 3.0, None),
    "rest": (35.0, 106.0, None, 1.4, None),
}
LIMITED = ("brain", "muscle", "liver")
LUNG, ARTERY, VEIN, CO = (0.5, 1.9), 1.65, 3.9, 390.0
FUP, BP, CLINT, CLR = 0.15, 0.8, 60.0, 4.0
DOSE = 100.0


def _tissue(name: str) -> str:
    volume, flow, vascular, _, _ = ORGANS[name]
    blood = "" if vascular is None else f"; vascular = {vascular}"
    # The rest takes what the others leave: the balance decides.
    supply = "" if name == "rest" else f"; flow = {flow} [L/h]"
    return f"tissue {name} {{ volume = {volume} [L]{supply}{blood} }}"


def _spec(coefficients: list[str], cell: str) -> str:
    tissues = "\n".join(_tissue(name) for name in ORGANS)
    return f"""pbpk 1
model whole "A body with three organs reached through their membranes"
param CO = {CO} [L/h]
blood arterial {{ volume = {ARTERY} [L] }}
blood venous {{ volume = {VEIN} [L] }}
tissue lung {{ volume = {LUNG[0]} [L] }}
{tissues}
sink urine, metabolites
circulation CO {{
  venous -> lung -> arterial
  arterial -> {{{", ".join(ORGANS)}}} -> venous
}}
species X carried by CO {{
  fup = {FUP}; bp = {BP}; kp.lung = {LUNG[1]}
  {"; ".join(coefficients)}
}}
process metabolism : {cell}.X -> metabolites.X  rate {CLINT} [L/h] * {cell}.X.Cu
process filtration : kidney.X -> urine.X  rate {CLR} [L/h] * kidney.X.Cu
observe Cb = venous.X.C in [umol/L]
observe At = brain.X.A in [umol]
scenario iv {{ dose X {DOSE} [umol] into venous; run 24 [h] }}
check mass, volume, positive
"""


def _limited(factor: float = 1.0) -> str:
    coefficients = []
    for name, (_, _, _, kp, ps) in ORGANS.items():
        coefficients.append(f"kp.{name} = {kp}")
        if ps is not None:
            coefficients.append(f"ps.{name} = {ps * factor!r} [L/h]")
    return _spec(coefficients, "liver.tissue")


def _by_perfusion() -> str:
    """What the limit of large ps is: kp of the whole organ weighs blood and tissue by their volumes."""
    coefficients = []
    for name, (_, _, vascular, kp, _) in ORGANS.items():
        whole = kp if vascular is None else vascular * BP + (1 - vascular) * kp
        coefficients.append(f"kp.{name} = {whole!r}")
    return _spec(coefficients, "liver")


def _loaded(folder: Path, text: str) -> LoadedModel:
    path = folder / "whole.pbpk"
    path.write_text(text, encoding="utf-8")
    return pbpkc.load(path)


def _matrix() -> tuple[list[str], Array]:
    """States and A of dy/dt = A y, written from the equations without the compiler."""
    names = ["arterial", "venous", "lung"]
    for organ in ORGANS:
        names += [f"{organ}.blood", f"{organ}.tissue"] if organ in LIMITED else [organ]
    names += ["urine", "metabolites"]
    at = {name: k for k, name in enumerate(names)}
    A = np.zeros((len(names), len(names)))

    def move(source: str, target: str, clearance: float, volume: float) -> None:
        A[at[source], at[source]] -= clearance / volume
        A[at[target], at[source]] += clearance / volume

    move("venous", "lung", CO, VEIN)
    move("lung", "arterial", CO, LUNG[0] * LUNG[1] / BP)
    for organ, (volume, flow, vascular, kp, ps) in ORGANS.items():
        if ps is None or vascular is None:
            move("arterial", organ, flow, ARTERY)
            move(organ, "venous", flow, volume * kp / BP)
            continue
        blood, tissue = vascular * volume, (1 - vascular) * volume
        move("arterial", f"{organ}.blood", flow, ARTERY)
        move(f"{organ}.blood", "venous", flow, blood)
        move(f"{organ}.blood", f"{organ}.tissue", ps * FUP / BP, blood)
        move(f"{organ}.tissue", f"{organ}.blood", ps * FUP / kp, tissue)
    volume, _, vascular, kp, _ = ORGANS["liver"]
    assert vascular is not None
    move("liver.tissue", "metabolites", CLINT * FUP / kp, (1 - vascular) * volume)
    volume, _, _, kp, _ = ORGANS["kidney"]
    move("kidney", "urine", CLR * FUP / kp, volume)
    return names, A


def test_amounts_are_those_of_the_matrix_exponential(tmp_path: Path) -> None:
    model = _loaded(tmp_path, _limited())
    names, A = _matrix()
    states = [s.name.removesuffix(".X") for s in model.stages.lowered.states]
    assert sorted(states) == sorted(names)
    start = np.zeros(len(names))
    start[names.index("venous")] = DOSE
    times = np.array([0.01, 0.1, 0.5, 1.0, 3.0, 8.0, 24.0])
    found = model.simulate("iv", times=np.concatenate([[0.0], times]), rtol=1e-12, atol=1e-13)
    y = found.trajectory.y[1:]
    expected = np.array([expm(A * t) @ start for t in times])
    order = [names.index(name) for name in states]
    scale = np.abs(expected).max(axis=0)[order]
    assert np.all(np.abs(y - expected[:, order]) <= 1e-8 * scale)
    np.testing.assert_allclose(
        found.trajectory.observable("Cb")[1:], expected[:, names.index("venous")] / VEIN, rtol=1e-8
    )


def test_what_is_promised_is_proved(tmp_path: Path) -> None:
    report = _loaded(tmp_path, _limited()).check(torch=False)
    assert report.ok, [item.text for item in report.violations]
    volumes = [item.text for item in report.items if item.group == "volume"]
    assert volumes and "14 volumes" in volumes[0]


def test_large_ps_is_limited_by_perfusion(tmp_path: Path) -> None:
    times = np.linspace(0, 24, 49)
    limit = _loaded(tmp_path, _by_perfusion()).simulate("iv", times=times, rtol=1e-11)
    far = []
    for factor in (1e3, 1e5):
        found = _loaded(tmp_path, _limited(factor)).simulate("iv", times=times, rtol=1e-11)
        far.append(
            [
                np.abs(found.observables[name][4:] / limit.observables[name][4:] - 1).max()
                for name in ("Cb", "At")
            ]
        )
    # What is left is of first order in 1/ps.
    near = np.array(far)
    assert np.all(near[1] < 2e-5) and np.all(near[1] > 0)
    np.testing.assert_allclose(near[0] / near[1], 100, rtol=0.05)


@pytest.mark.parametrize("name", ["permeability", "brain"])
def test_shipped_specs_hold_what_they_expect(specs: Path, name: str) -> None:
    report = pbpkc.load(specs / f"{name}.pbpk").check(torch=False)
    assert report.ok, [item.text for item in report.violations]
    assert sum(item.group == "expectation" for item in report.items) >= 5
