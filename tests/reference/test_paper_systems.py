"""The three systems of the MI-PINN paper: their size, and that they agree with the clinical literature.

What is held against data here was not fitted to them: clearances come from other studies or from the same
study's published clearance, volumes from partition coefficients.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pbpkc
from pbpkc.jobs.loaded import LoadedModel

pytestmark = pytest.mark.reference

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Figure = Callable[..., None]

SPECS = Path(__file__).parents[2] / "specs"


@pytest.fixture(scope="module")
def systems() -> dict[str, LoadedModel]:
    names = ("paracetamol_iv", "paracetamol_oral", "theophylline_iv")
    return {name: pbpkc.load(SPECS / f"{name}.pbpk") for name in names}


def _states(model: LoadedModel) -> set[str]:
    return {state.name for state in model.stages.lowered.states}


def _means(name: str, person: int) -> tuple[Array, Array]:
    """Times (h) and published concentrations (mg/L) of one ID of a data file."""
    table = pd.read_csv(SPECS / "data" / name, comment="#", na_values=".")
    rows = table[(table["ID"] == person) & (table["MDV"] == 0)]
    return rows["TIME"].to_numpy(float), rows["DV"].to_numpy(float)


def _ratio(model: LoadedModel, scenario: str, times: Array, observed: Array) -> Array:
    return np.asarray(model.simulate(scenario, times=times).observables["Cv"]) / observed


def _moments(model: LoadedModel, scenario: str, end: float, infusion: float) -> tuple[float, float]:
    """AUC (mg h/L) of the arteries to infinity, and the mean residence time (h)."""
    t = np.concatenate([np.linspace(0, infusion, 200), np.linspace(infusion, end, 4000)[1:]])
    c = np.asarray(model.simulate(scenario, times=t).observables["Ca"])
    slope = -np.polyfit(t[-200:], np.log(c[-200:]), 1)[0]
    auc = np.trapezoid(c, t) + c[-1] / slope
    aumc = np.trapezoid(c * t, t) + c[-1] * (end / slope + 1 / slope**2)
    return float(auc), float(aumc / auc - infusion / 2)


def test_the_systems_have_22_33_and_22_states(systems: dict[str, LoadedModel]) -> None:
    assert {name: len(_states(model)) for name, model in systems.items()} == {
        "paracetamol_iv": 22,
        "paracetamol_oral": 33,
        "theophylline_iv": 22,
    }


def test_the_oral_system_adds_eleven_gut_states(systems: dict[str, LoadedModel]) -> None:
    intravenous, oral = _states(systems["paracetamol_iv"]), _states(systems["paracetamol_oral"])
    gut = {"stomach", *(f"si<{i}>" for i in range(1, 8)), "caecum", "colon", "faeces"}
    assert intravenous < oral
    assert oral - intravenous == {f"{part}.APAP" for part in gut}


@pytest.mark.parametrize(
    ("name", "km", "vmax"),
    [
        ("paracetamol_iv", 23000.0, 1.80),  # the paper's
        ("paracetamol_oral", 23000.0, 1.80),
        ("theophylline_iv", 230.0, 0.0103),  # the paper's Km; Vmax from the clearance
    ],
)
def test_km_and_vmax_alone_are_masked(
    systems: dict[str, LoadedModel], name: str, km: float, vmax: float
) -> None:
    masked = {p.name: p.value for p in systems[name].stages.lowered.parameters if p.mask is not None}
    assert masked == pytest.approx({"Km": km, "Vmax": vmax * 1e6}, rel=1e-12)  # inside, per kg of protein


@pytest.mark.parametrize(
    ("total", "renal", "shares", "fup", "bp", "kinetics", "expected"),
    [
        # Paracetamol: 352 mL/min, 4 % renal; UGT, sulfation, CYP; of UGT what UGT2B15 leaves.
        (21.12, 0.04, (0.58, 0.30, 0.08), 0.82, 1.0, (23000, 1.80), (12.43, 9.71, 2.59)),
        # Theophylline: 3.0 L/h, 15 % renal; CYP1A2, 2E1, 3A4; nothing is left of the first.
        (3.0, 0.15, (0.68, 0.10, 0.07), 0.58, 0.815, (230, 0.0103), (0.0, 0.534, 0.374)),
    ],
)
def test_the_clearances_follow_from_their_sources(
    total: float,
    renal: float,
    shares: tuple[float, ...],
    fup: float,
    bp: float,
    kinetics: tuple[float, float],
    expected: tuple[float, ...],
) -> None:
    km, vmax = kinetics
    flow = 0.255 * 6.5 * 60
    hepatic = (1 - renal) * total
    # Pang and Rowland 1977 J Pharmacokinet Biopharm 5:625, the well-stirred liver.
    intrinsic = hepatic / (fup * (1 - hepatic / (bp * flow)))
    parts = [share / (1 - renal) * intrinsic for share in shares]
    parts[0] -= vmax * 45 * 1800 / km
    assert parts == pytest.approx(expected, abs=0.006)  # as they are rounded in the specs


def test_paracetamol_clearance_and_volume_are_the_published(
    systems: dict[str, LoadedModel], figure: Figure
) -> None:
    auc, residence = _moments(systems["paracetamol_iv"], "iv_day", 24.0, 0.25)
    clearance = 1000 / auc
    volume = clearance * residence / 73
    figure("paracetamol_iv, clearance against 352 mL/min, relative", abs(clearance / 21.12 - 1), below=0.02)
    assert clearance == pytest.approx(21.12, rel=0.02)  # Rawlins 1977: 352 +- 40 mL/min
    # Forrest 1982: about 0.9 L/kg; here the sum of kp times volume.
    assert volume == pytest.approx((73 - 18.2 * (1 - 0.447)) / 73, rel=0.02)
    assert 0.8 < volume < 1.0


def test_theophylline_clearance_and_volume_are_the_published(systems: dict[str, LoadedModel]) -> None:
    auc, residence = _moments(systems["theophylline_iv"], "iv", 48.0, 0.5)
    clearance = 5 * 73 / auc
    # 3.0 +- 0.7 L/h (26 studies). At 10 mg/L CYP1A2 is a tenth saturated.
    assert 2.7 < clearance < 3.0
    # Predicted by Rodgers and Rowland; observed 0.42 +- 0.02 and 0.484 +- 0.082 L/kg.
    assert clearance * residence / 73 == pytest.approx(0.40, abs=0.03)


@pytest.mark.parametrize(
    ("name", "scenario", "data", "person", "low", "high"),
    [
        ("paracetamol_iv", "iv", "paracetamol_rawlins1977.csv", 1, 0.80, 1.20),
        ("paracetamol_oral", "po", "paracetamol_rawlins1977.csv", 3, 0.70, 1.05),
        # 3 L/h is the mean of 26 studies; these volunteers cleared 4.
        ("theophylline_iv", "steinijans", "theophylline_iv_means.csv", 1, 1.25, 1.70),
        ("theophylline_iv", "gisclon", "theophylline_iv_means.csv", 2, 0.50, 1.30),
    ],
)
def test_clinical_means_are_predicted_within_a_band(
    systems: dict[str, LoadedModel], name: str, scenario: str, data: str, person: int, low: float, high: float
) -> None:
    ratio = _ratio(systems[name], scenario, *_means(data, person))
    assert low < ratio.min()
    assert ratio.max() < high


@pytest.mark.parametrize(
    ("name", "scenario", "dose"),
    [
        ("paracetamol_iv", "iv", 1e6 / 151.16),
        ("paracetamol_oral", "po", 1e6 / 151.16),
        ("theophylline_iv", "iv", 5e3 * 73 / 180.17),
    ],
)
def test_mass_closes(
    systems: dict[str, LoadedModel], name: str, scenario: str, dose: float, figure: Figure
) -> None:
    run = systems[name].simulate(scenario)
    total = run.trajectory.y.sum(axis=1)[run.time > 1.0]
    worst = float(np.max(np.abs(total / dose - 1.0)))
    figure(f"{name} {scenario}, mass lost, relative", worst, below=1e-9)
    assert worst < 1e-9


@pytest.mark.parametrize(
    ("variant", "system", "scenario", "term"),
    [
        ("paracetamol_iv_unknown", "paracetamol_iv", "iv", "v_ugt2b15 = mm(145.8 [mmol/h], 23 [mM], c)"),
        ("theophylline_missing", "theophylline_iv", "iv_high", "v_cyp1a2 = mm(834.3 [umol/h], 230 [uM], c)"),
    ],
)
def test_the_missing_term_put_back_gives_the_system(
    systems: dict[str, LoadedModel], variant: str, system: str, scenario: str, term: str
) -> None:
    times = np.linspace(0.1, 6, 30)
    whole = systems[system].simulate(scenario, times=times).observables
    put_back = pbpkc.load(SPECS / f"{variant}.pbpk").simulate(scenario, times=times, unknown=term).observables
    for name, curve in whole.items():
        np.testing.assert_allclose(put_back[name], curve, rtol=1e-6)


def _sensitivities(model: LoadedModel) -> dict[tuple[str, str], Array]:
    """Derivatives of ln curve by ln Km and ln Vmax at the ten times of Rawlins, by scenario and channel."""
    times, _ = _means("paracetamol_rawlins1977.csv", 1)
    scenarios, channels, step = ("iv", "iv_100g"), ("Cv", "A2b15"), 1e-3
    logs = []
    for name, value, unit in (("Km", 23000.0, "umol/L"), ("Vmax", 1.80, "umol/h/mg")):
        for factor in (1 + step, 1 - step):
            set_to = f"{name} = {value * factor!r} [{unit}]"
            table = model.simulate(scenarios, times=times, set=set_to).to_frame()
            logs.append(np.log(table.set_index("scenario")[list(channels)]))
    by_km, by_vmax = ((logs[i] - logs[i + 1]) / (2 * step) for i in (0, 2))
    return {
        (scenario, channel): np.stack([by_km.loc[scenario, channel], by_vmax.loc[scenario, channel]], axis=1)
        for scenario in scenarios
        for channel in channels
    }


def _standard_errors(jacobian: Array) -> Array:
    """Standard errors of ln Km, ln Vmax and ln(Vmax/Km) where each value is known to 10 %."""
    bound = np.linalg.inv(jacobian.T @ jacobian / 0.10**2)
    directions = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 1.0]])
    return np.sqrt(np.einsum("ij,jk,ik->i", directions, bound, directions))


def test_km_is_open_after_1_g_and_determined_by_the_design_with_100_g(
    systems: dict[str, LoadedModel],
) -> None:
    found = _sensitivities(systems["paracetamol_iv"])
    open_km, _, _ = _standard_errors(found["iv", "Cv"])
    km, vmax, ratio = _standard_errors(np.concatenate(list(found.values())))
    assert open_km > 50  # a factor of e^50: nothing is known
    assert max(km, vmax) < 0.25
    assert ratio < 0.05
