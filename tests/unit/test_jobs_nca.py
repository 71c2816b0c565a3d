"""Non-compartmental figures of simulated curves against closed forms."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from cli_case import write

import pbpkc
from pbpkc.experiment.nca import NCAOptions
from pbpkc.jobs.nca import nca_of

#: One compartment with absorption and a metabolite; k = 0.2 /h, V = 10 L, ka = 1 /h, so CL = 2 L/h.
SPEC = """\
pbpk 1
model routes "One drug, three routes, a metabolite"
species D { mw = 100 [g/mol] }
species M { mw = 120 [g/mol] }
lumen gut
pool plasma { volume = 10 [L] }
pool other { volume = 5 [L] }
sink gone
param f = 50 [%]
process absorption : gut.D -> plasma.D rate 1 [1/h] * gut.D.A
process elimination : plasma.D -> other.M rate 0.2 [1/h] * plasma.D.A
process excretion : other.M -> gone.M rate 0.4 [1/h] * other.M.A
observe Cd = plasma.D.C in [mg/L]
observe Cm = other.M.C in [umol/L]
observe Ae = gone.M.A in [umol]
scenario bolus { dose D 100 [mg] into plasma at 0 [h]; run 60 [h] }
scenario infusion { dose D 100 [mg] into plasma at 1 [h] over 2 [h]; run 60 [h] }
scenario oral { dose D 100 [mg] into gut at 0 [h] lag 0.5 [h] fraction f; run 60 [h] }
scenario twice { dose D 100 [mg] into plasma at 0 [h] every 12 [h] count 2; run 60 [h] }
scenario none { start plasma.D = 3 [umol]; run 60 [h] }
"""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> object:
    model = pbpkc.load(write(tmp_path_factory.mktemp("nca"), SPEC))
    return nca_of(model.simulate(rtol=1e-10))


def figures(tables: dict, observable: str, scenario: str) -> dict[str, float]:  # type: ignore[type-arg]
    return next(row.result.figures() for row in tables[observable].rows if row.group[0] == scenario)


def test_an_amount_has_no_figures(tables: dict) -> None:  # type: ignore[type-arg]
    assert list(tables) == ["Cd", "Cm"]


@pytest.mark.parametrize(
    ("scenario", "clearance", "mean_time"),
    [
        ("bolus", 2, 5.0),  # MRT = 1 / k
        ("infusion", 2, 5.0),  # half the infusion is taken off
        ("oral", 4, 0.5 + 1 + 5),  # CL/F; lag + 1 / ka + 1 / k
    ],
)
def test_clearance_and_mean_residence(
    tables: dict, scenario: str, clearance: float, mean_time: float
) -> None:  # type: ignore[type-arg]
    # Trapezoids of 241 samples are some tenths of a percent off.
    found = figures(tables, "Cd", scenario)
    assert found["cl_obs"] == pytest.approx(clearance, rel=3e-3)
    assert found["mrt_inf_obs"] == pytest.approx(mean_time, rel=3e-3)
    assert found["half_life"] == pytest.approx(math.log(2) / 0.2, rel=3e-3)


def test_times_count_from_when_the_dose_was_given(tables: dict) -> None:  # type: ignore[type-arg]
    assert figures(tables, "Cd", "infusion")["tmax"] == pytest.approx(2)
    # Half an hour of lag, then ln(ka/k) / (ka - k) = 2.01 h; samples stand every 0.25 h.
    assert figures(tables, "Cd", "oral")["tmax"] == pytest.approx(2.5, abs=0.13)


def test_the_dose_is_what_was_given(tables: dict) -> None:  # type: ignore[type-arg]
    assert {row.group[0]: row.dose for row in tables["Cd"].rows} == dict.fromkeys(
        ("bolus", "infusion", "oral"), "100 mg"
    )


def test_a_metabolite_has_no_clearance(tables: dict) -> None:  # type: ignore[type-arg]
    found = figures(tables, "Cm", "bolus")
    assert math.isnan(found["cl_obs"])
    # All 1000 umol become metabolite: AUC = amount / (0.4 /h * 5 L).
    assert found["auc_inf_obs"] == pytest.approx(500, rel=3e-3)


def test_runs_without_one_dose_are_refused(tables: dict) -> None:  # type: ignore[type-arg]
    assert [p.message for p in tables["Cd"].refused] == [
        "'twice' has 2 doses, so it has no non-compartmental figures",
        "'none' has 0 doses, so it has no non-compartmental figures",
    ]


def test_the_rules_can_be_chosen(tmp_path: Path) -> None:
    run = pbpkc.load(write(tmp_path, SPEC)).simulate("bolus", times=[0, 10, 20, 30, 60])
    log = nca_of(run)["Cd"].rows[0].result
    linear = nca_of(run, NCAOptions(auc_method="linear"))["Cd"].rows[0].result
    assert linear.auc_last > 1.2 * log.auc_last


@pytest.mark.parametrize(
    "how", ["at 5 [h] lag 2 [h]", "at 0.1 [h] lag 0.2 [h]", "at 5 [h] over 2 [h] lag 1.3 [h]"]
)
def test_a_lag_into_a_pool_is_no_part_of_the_curve(how: str, tmp_path: Path) -> None:
    spec = SPEC + f"scenario lagged {{ dose D 100 [mg] into plasma {how} fraction 0.5; run 72 [h] }}\n"
    run = pbpkc.load(write(tmp_path, spec)).simulate("lagged", rtol=1e-10)
    result = nca_of(run)["Cd"].rows[0].result
    # 50 mg of 100 arrive; CL = 2 L/h and MRT = 5 h, both of what arrives: AUC = 25, CL/F = 4.
    assert result.auc_inf_obs == pytest.approx(25, rel=1e-3)
    assert result.cl_obs == pytest.approx(4, rel=1e-3)
    assert result.mrt_inf_obs == pytest.approx(5, rel=2e-3)
    if "over" not in how:
        assert result.c0 == pytest.approx(5, rel=1e-4)
    assert sum("CL/F" in note for note in result.notes) == 1
