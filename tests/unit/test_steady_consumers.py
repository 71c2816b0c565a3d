"""Steady states, resets and runs before as fits, populations, checks, tables and fast models see them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pbpkc
from pbpkc.jobs.loaded import LoadedModel
from pbpkc.jobs.nca import nca_of
from pbpkc.language.diagnostics import SpecError

SPEC = """pbpk 1
model m "Steady doses"
covariate BW = 70 [kg] in (30, 150) [kg]
covariate CLCR = 100 [mL/min] in (5, 200) [mL/min] hold last
species X { mw = 250 [g/mol] }
lumen gut
pool plasma { volume = v * BW }
sink out
masked ka ~ lognormal(1 [1/h], cv = 50 [%])      in (0.1, 10) [1/h]
masked cl ~ lognormal(3 [L/h], cv = 50 [%])      in (0.1, 30) [L/h]
masked v  ~ lognormal(0.4 [L/kg], cv = 50 [%])   in (0.05, 4) [L/kg]
masked lagt ~ lognormal(0.5 [h], cv = 50 [%])    in (0.01, 5) [h]
process absorption : gut -> plasma rate ka * gut.A
process elimination : plasma -> out rate cl * CLCR / 100 [mL/min] * plasma.C
observe C = plasma.C in [mg/L] error prop(1 [%])
scenario ss     { dose X 100 [mg] into gut every 12 [h] steady lag lagt; run 12 [h] }
scenario single { dose X 100 [mg] into gut lag lagt; run 240 [h] }
scenario failing { dose X 100 [mg] into gut every 12 [h] steady; set CLCR = 50 [mL/min] at 4 [h]; run 12 [h] }
scenario low    { set CLCR = 50 [mL/min] at 0 [h]; dose X 100 [mg] into gut every 12 [h] steady; run 12 [h] }
scenario lower  { set CLCR = 50 [mL/min]; dose X 100 [mg] into gut every 12 [h] steady; run 12 [h] }
scenario after  { start after ss; run 48 [h] }
scenario reset  { dose X 100 [mg] into gut; reset at 6 [h]; run 12 [h] }
population people { BW ~ normal(70 [kg], cv = 20 [%]) in (40, 120) [kg] }
scenario study {
  data "study.csv" {
    column TIME [h]
    column AMT [mg]
    column BW = WT [kg]
    CMT 1 dose X into gut lag lagt
    CMT 2 observe C
  }
}
check auc(ss.C) / auc_inf(single.C) in (0.99999, 1.00001)
check last(after.C) in (0, 0.1) [mg/L]
"""

ROWS = """ID,TIME,EVID,AMT,CMT,II,SS,ADDL,DV,WT
1,0,1,100,1,12,1,2,.,80
1,1,0,.,2,.,.,.,.,80
1,3,0,.,2,.,.,.,.,80
1,11,0,.,2,.,.,.,.,80
1,13,0,.,2,.,.,.,.,80
1,40,4,50,1,.,.,.,.,80
1,41,0,.,2,.,.,.,.,80
1,47,0,.,2,.,.,.,.,80
1,60,1,80,1,24,2,.,.,80
1,61,0,.,2,.,.,.,.,80
1,70,0,.,2,.,.,.,.,80
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    folder = tmp_path_factory.mktemp("steady")
    (folder / "m.pbpk").write_text(SPEC)
    (folder / "study.csv").write_text(ROWS)
    model = pbpkc.load(folder / "m.pbpk")
    truth = model.with_settings(set=["ka = 0.7 [1/h]", "cl = 5 [L/h]", "v = 0.6 [L/kg]", "lagt = 0.3 [h]"])
    times = [1.0, 3.0, 11.0, 13.0, 41.0, 47.0, 61.0, 70.0]
    found = iter(truth.simulate("study", times=times).observables["C"].tolist())
    lines = [
        line.replace(",.,80", f",{next(found):.9g},80") if ",0,.,2," in line else line
        for line in ROWS.splitlines()
    ]
    (folder / "study.csv").write_text("\n".join(lines) + "\n")
    return model


def test_a_fit_through_steady_states_and_a_reset_finds_the_truth(spec: LoadedModel) -> None:
    fit = spec.fit(starts=2)
    found = fit.to_frames()["estimates"].set_index("parameter")["estimate"]
    for name, value in {"ka": 0.7, "cl": 5.0, "v": 0.6, "lagt": 0.3}.items():
        assert found[name] == pytest.approx(value, rel=1e-4)


def test_expectations_of_steady_scenarios_hold(spec: LoadedModel) -> None:
    report = spec.check(torch=False)
    assert report.ok


def test_each_person_of_a_population_has_a_steady_state_of_its_own(spec: LoadedModel) -> None:
    people = spec.population(3, seed=5)
    runs = spec.simulate("ss", population=people, times=[0.0, 12.0 - 1e-9]).runs
    ends = np.array([run.trajectory.observables[:, 0] for run in runs])
    np.testing.assert_allclose(ends[:, 0], ends[:, 1], rtol=1e-6)
    assert len(set(np.round(ends[:, 0], 6))) == 3


def test_what_is_held_stays_in_the_steady_state(spec: LoadedModel) -> None:
    at = [0.0, 3.9]
    failing, normal = (spec.simulate(name, times=at).observables["C"] for name in ("failing", "ss"))
    lagged = spec.with_settings(set=["lagt = 0.01 [h]"]).simulate("ss", times=at).observables["C"]
    assert np.all(np.abs(failing / lagged - 1.0) < 0.02) and not np.allclose(failing, normal, rtol=1e-4)
    low, lower = (spec.simulate(name, times=at).observables["C"] for name in ("low", "lower"))
    np.testing.assert_allclose(low, lower, rtol=1e-7)


def test_non_compartmental_figures_refuse_steady_doses_and_resets(spec: LoadedModel) -> None:
    for name, words in (("ss", "doses at steady state"), ("reset", "a reset")):
        table = nca_of(spec.simulate(name))["C"]
        assert any(words in note.message for note in table.refused)


def test_fast_models_and_networks_refuse_what_they_do_not_solve_for(spec: LoadedModel) -> None:
    for name in ("ss", "after"):
        with pytest.raises(SpecError) as error:
            spec.meta_train(scenario=name)
        assert [d.code for d in error.value.diagnostics] == ["not-learned"]


def test_the_end_of_a_run_of_steady_doses_follows_the_times_asked_for(spec: LoadedModel) -> None:
    found = spec.simulate("ss", times=[1.0, 13.0, 97.0]).observables["C"]
    np.testing.assert_allclose(found, found[0], rtol=1e-6)


def test_adding_where_amounts_do_not_add_up_is_said(spec: LoadedModel, tmp_path: Path) -> None:
    text = SPEC.replace(
        "rate cl * CLCR / 100 [mL/min] * plasma.C", "rate mm(cl * 9 [mg/L] / X.mw, 9 [mg/L] / X.mw, plasma.C)"
    )
    (tmp_path / "m.pbpk").write_text(text)
    (tmp_path / "study.csv").write_text(ROWS)
    for model, count in ((spec, 0), (pbpkc.load(tmp_path / "m.pbpk"), 1)):
        notes = model.simulate("study", times=[1.0]).notes
        assert [n.severity for n in notes if n.code == "steady-adds"] == ["warning"] * count
