"""Data that vary within an individual, and files with a column for each observable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pbpkc import load
from pbpkc.compiler.driver import compile_model
from pbpkc.experiment.bind import bind
from pbpkc.experiment.data import Dataset, Subject, read_dataset
from pbpkc.experiment.scenario import parameter_vector
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.model import Model
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse
from pbpkc.runtime.load import load_numpy
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.reference import simulate

MODEL = """pbpk 1
model small
covariate CR "creatinine" = 80 [umol/L] in (10, 2000) [umol/L] hold HOLD
input heat = 0 in (0, 10)
species X { mw = 200 [g/mol] }
pool plasma { volume = 10 [L] }
sink out
param cl = 2 [L/h] * 80 [umol/L] / CR
process elimination : plasma -> out rate cl * plasma.C * (1 + heat)
observe C = plasma.C in [mg/L] error given()
observe E = out.A in [mg] error prop(10 [%])
observe k = cl * (1 + heat) in [L/h]
"""
LINES = """
    column TIME [h]
    column AMT [mg]
    CMT 1 dose X into plasma
    CMT 2 observe C
    CMT 3 observe k
    column CR = CREAT [mg/L] * 10 [umol/mg]
    column heat
"""


def model_of(lines: str = LINES, hold: str = "last", more: str = "") -> Model:
    text = MODEL.replace("HOLD", hold) + 'scenario trial { data "x.csv" {' + lines + "}" + more + " }\n"
    return resolve(parse(SourceFile("small.pbpk", text)))


def read(folder: Path, content: str, model: Model, scored: bool = True) -> Dataset:
    path = folder / "x.csv"
    path.write_text(content)
    return read_dataset(model, path=path, scored=scored)


def predicted(model: Model, subject: Subject) -> np.ndarray:
    compiled = load_numpy(compile_model(model, torch=False).generated)
    p = parameter_vector(compiled, subject.covariates)
    bound = bind(subject.regimen, dict(zip(compiled.parameter_names, p.tolist(), strict=True)))
    found = simulate(compiled, p, bound, subject.time, SolverOptions(rtol=1e-11), order=subject.order)
    return found.observables[np.arange(len(subject.time)), subject.observable]


# Creatinine of 8 mg/L is 80 umol/L, and clearance 2 L/h; of 16 half of it, of 4 twice.
ROWS = """ID,TIME,AMT,CMT,EVID,DV,SD,CREAT,heat
1,0,100,1,1,.,.,8,0
1,2,.,3,0,2,1,.,.
1,4,.,.,2,.,.,16,.
1,4,.,3,0,2,1,.,.
1,6,.,2,0,2,1,.,.
1,8,.,3,0,2,1,4,.
1,8,.,3,0,2,1,4,1
1,10,.,2,0,2,1,4,1
"""


@pytest.mark.parametrize(
    ("hold", "clearance"),
    [
        # Rows at 2, 4, 8 and 8 h: the last two have another creatinine than before, and the last more heat.
        ("last", [2.0, 1.0, 4.0, 8.0]),
        ("next", [1.0, 1.0, 4.0, 8.0]),
        ("linear", [2.0 * 8.0 / 12.0, 1.0, 4.0, 8.0]),
    ],
)
def test_rows_are_points_that_hold_joins(tmp_path: Path, hold: str, clearance: list[float]) -> None:
    model = model_of(hold=hold)
    subject = read(tmp_path, ROWS, model).subjects[0]
    assert subject.covariates == pytest.approx({"CR": 80.0, "heat": 0.0})
    found = predicted(model, subject)
    names = [model.observables[i].name for i in subject.observable]
    np.testing.assert_allclose(found[[n == "k" for n in names]], clearance, rtol=1e-12)
    until_six, until_ten = {
        "last": (2.0 * 4 + 1.0 * 2, 2.0 * 4 + 1.0 * 4 + 8.0 * 2),
        "next": (1.0 * 4 + 4.0 * 2, 1.0 * 4 + 4.0 * 4 + 8.0 * 2),
        # 160 / (8 + 2 t) until 4 h, then 160 / (16 - 3 (t - 4)) L/h over 10, integrated
        "linear": (
            8.0 * np.log(16.0 / 8.0) + 16.0 / 3.0 * np.log(16.0 / 10.0),
            8.0 * np.log(16.0 / 8.0) + 16.0 / 3.0 * np.log(16.0 / 4.0) + 8.0 * 2,
        ),
    }[hold]
    expected = 10.0 * np.exp(-np.array([until_six, until_ten]) / 10.0)
    np.testing.assert_allclose(found[[n == "C" for n in names]], expected, rtol=1e-9)


def test_an_individual_whose_values_do_not_change_has_no_changes(tmp_path: Path) -> None:
    rows = "ID,TIME,AMT,CMT,EVID,DV,SD,CREAT,heat\n1,0,100,1,1,.,.,8,0\n1,2,.,2,0,2,1,8,.\n"
    assert read(tmp_path, rows, model_of(hold="linear")).subjects[0].regimen.changes == ()


def test_before_the_first_value_the_first_holds(tmp_path: Path) -> None:
    rows = (
        "ID,TIME,AMT,CMT,EVID,DV,SD,CREAT,heat\n"
        "1,0,100,1,1,.,.,.,.\n1,2,.,3,0,2,1,.,.\n1,4,.,3,0,2,1,16,.\n1,6,.,3,0,2,1,4,.\n"
    )
    model = model_of()
    subject = read(tmp_path, rows, model).subjects[0]
    np.testing.assert_allclose(predicted(model, subject), [1.0, 1.0, 4.0])


def test_a_covariate_without_hold_may_not_change(tmp_path: Path) -> None:
    model = resolve(parse(SourceFile("small.pbpk", MODEL.replace(" hold HOLD", "")
                                     + 'scenario trial { data "x.csv" {' + LINES + "} }\n")))  # fmt: skip
    with pytest.raises(SpecError, match="write hold last behind 'covariate CR'"):
        read(tmp_path, ROWS, model)


def test_a_scenario_and_its_file_may_both_change_a_name(tmp_path: Path) -> None:
    model = model_of(more="; set heat = 3 at 1 [h] for 2 [h]")
    subject = read(tmp_path, ROWS, model).subjects[0]
    names = np.array([model.observables[i].name for i in subject.observable])
    assert predicted(model, subject)[names == "k"].tolist() == [8.0, 1.0, 4.0, 8.0]


# ------------------------------------------------------------------ wide files

LONG = """ID,TIME,AMT,CMT,EVID,DV,SD,CREAT,heat
1,0,100,1,1,.,.,8,0
1,2,.,2,0,2.5,0.2,8,0
1,2,.,4,0,31,.,8,0
1,4,.,2,0,2.1,0.3,8,0
1,6,.,4,0,50,.,8,0
"""
WIDE = """ID,TIME,AMT,CMT,EVID,conc,sem,urine,CREAT,heat
1,0,100,1,1,.,.,.,8,0
1,2,.,.,0,2500,0.1,0.031,8,0
1,4,.,.,0,2100,0.15,,8,0
1,6,.,.,0,.,.,0.05,8,0
"""
WIDE_LINES = LINES.replace("CMT 2 observe C", "column C = conc [ng/mL]").replace(
    "CMT 3 observe k", "column E = urine [g]\n    column SD<C> = sem [mg/L] * 2"
)


def test_a_wide_file_is_the_long_one(tmp_path: Path) -> None:
    long = read(tmp_path, LONG, model_of(LINES.replace("CMT 3 observe k", "CMT 4 observe E"))).subjects[0]
    wide = read(tmp_path, WIDE, model_of(WIDE_LINES)).subjects[0]
    for name in ("time", "observable", "dv", "sd", "lloq", "censored"):
        np.testing.assert_allclose(getattr(wide, name), getattr(long, name), rtol=1e-14, err_msg=name)
    assert wide.regimen.doses[0].amount == long.regimen.doses[0].amount


def test_an_sd_without_a_unit_has_that_of_its_observable(tmp_path: Path) -> None:
    lines = WIDE_LINES.replace("sem [mg/L] * 2", "sem * 2000")
    assert read(tmp_path, WIDE, model_of(lines)).subjects[0].sd[[0, 2]].tolist() == pytest.approx([0.2, 0.3])


def test_without_scores_every_row_of_a_wide_file_asks_for_every_observable(tmp_path: Path) -> None:
    subject = read(tmp_path, WIDE, model_of(WIDE_LINES), scored=False).subjects[0]
    assert subject.time.tolist() == [2.0, 2.0, 4.0, 4.0, 6.0, 6.0]


def test_censored_values_of_a_wide_file(tmp_path: Path) -> None:
    rows = WIDE.replace("sem,", "sem,blq,").replace("0.1,0.031", "0.1,1,0.031")
    rows = (
        rows.replace("1,1,.,.,.,8", "1,1,.,.,.,.,8")
        .replace("0.15,,", "0.15,0,,")
        .replace(".,.,0.05", ".,.,.,0.05")
    )
    lines = WIDE_LINES + "    column CENS<C> = blq\n"
    subject = read(tmp_path, rows, model_of(lines)).subjects[0]
    assert subject.censored.tolist() == [True, False, False, False]
    assert subject.lloq[0] == pytest.approx(2.5)


# ------------------------------------------------------------------ fits and crowds

FITTED = """pbpk 1
model fitted
covariate CR "creatinine" = 80 [umol/L] in (10, 2000) [umol/L] hold last
masked cl ~ lognormal(2 [L/h], cv = 50 [%]) in (0.1, 20) [L/h]
masked power ~ normal(1, sd = 0.3) in (0, 2)
species X { mw = 200 [g/mol] }
pool plasma { volume = 10 [L] }
sink out
process elimination : plasma -> out rate cl * (80 [umol/L] / CR)^power * plasma.C
observe C = plasma.C in [mg/L] error add(0.1 [mg/L])
scenario trial { data "x.csv" {
  column TIME [h]
  column AMT [mg]
  column CR = CREAT [umol/L]
  CMT 1 dose X into plasma
  CMT 2 observe C
} }
scenario plan { dose X 100 [mg] into plasma; set CR = 2 * CR at 6 [h]; run 12 [h] }
population people { CR ~ lognormal(80 [umol/L], cv = 20 [%]) in (30, 300) [umol/L] }
"""


def test_a_fit_sees_what_changes(tmp_path: Path) -> None:
    true_cl, true_power, times = 3.0, 0.7, [1.0, 3.0, 5.0, 7.0, 9.0, 12.0]
    rows = ["ID,TIME,AMT,CMT,EVID,DV,CREAT"]
    for person, (before, after) in enumerate(((80.0, 160.0), (60.0, 240.0)), 1):
        rows.append(f"{person},0,100,1,1,.,{before}")
        for t in times:
            if t == 7.0:
                rows.append(f"{person},6,.,.,2,.,{after}")
            first, second = (true_cl * (80.0 / x) ** true_power for x in (before, after))
            area = first * min(t, 6.0) + second * max(t - 6.0, 0.0)
            rows.append(f"{person},{t},.,2,0,{float(10.0 * np.exp(-area / 10.0))!r},.")
    (tmp_path / "x.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "fitted.pbpk").write_text(FITTED)
    fit = load(tmp_path / "fitted.pbpk").fit()
    estimates = fit.to_frames()["estimates"]
    for name, true in (("cl", true_cl), ("power", true_power)):
        found = estimates[estimates.parameter == name].estimate.to_numpy(dtype=float)
        np.testing.assert_allclose(found, [true, true], rtol=1e-5)


def test_people_begin_with_their_own_value(tmp_path: Path) -> None:
    (tmp_path / "fitted.pbpk").write_text(FITTED)
    model = load(tmp_path / "fitted.pbpk")
    people = model.population(3, seed=1)
    runs = model.simulate("plan", times=[6.0, 12.0], population=people)
    for person, (_, rows) in zip(people.to_frame().itertuples(), runs.to_frame().groupby("id"), strict=True):
        rate = 2.0 * 80.0 / person.CR
        expected = 10.0 * np.exp(-0.1 * rate * np.array([6.0, 9.0]))
        np.testing.assert_allclose(rows.C.to_numpy(dtype=float), expected, rtol=1e-6)
